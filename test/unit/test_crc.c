/*
 * test_crc.c
 *	  Four CRCs at a time, in every kernel set that has them.
 */
#include "c.h"

#include "kernel/kernel.h"
#include "unit.h"

#define MAX_SETS 4

#define MOST_BYTES 400

/* CRC-32C, bit by bit, from the lowest (Castagnoli's polynomial, reversed). */
static uint32
crc_by_bits(const uint8 *data, Size n)
{
	uint32		crc = 0xFFFFFFFF;

	for (Size i = 0; i < n; i++)
	{
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
	}
	return ~crc;
}

static void
test_known(void)
{
	unit_case("crc: the value that is known of nine digits");
	unit_check(crc_by_bits((const uint8 *) "123456789", 9) == 0xE3069283, "crc of 123456789 is %08x", crc_by_bits((const uint8 *) "123456789", 9));
}

static void
test_quarters(const VecIdxKernels *set)
{
	unit_case("kernel %s: four crcs", set->name);
	for (Size n = 0; n <= MOST_BYTES; n += 8)
	{
		uint8	   *data = unit_alloc(4 * n, unit_random_below(8));
		uint32		crc[4];

		for (Size i = 0; i < 4 * n; i++)
			data[i] = unit_random_below(256);
		set->crc_quarters(data, n, crc);
		for (int i = 0; i < 4; i++)
			unit_check(crc[i] == crc_by_bits(data + i * n, n), "%s, %zu bytes, quarter %d: %08x", set->name, n, i, crc[i]);
		unit_free_all();
	}
}

void
suite_crc(void)
{
	const VecIdxKernels *sets[MAX_SETS];
	int			count = vecidx_kernels_available(sets, MAX_SETS);

	test_known();
	for (int i = 0; i < count; i++)
	{
		if (sets[i]->crc_quarters != NULL)
			test_quarters(sets[i]);
	}
}
