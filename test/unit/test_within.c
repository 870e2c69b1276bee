/*
 * test_within.c
 *	  What lies in an interval, in every kernel set.
 */
#include "c.h"

#include <math.h>

#include "kernel/kernel.h"
#include "unit.h"

#define MAX_SETS 4

/* Lengths around those of registers, and beyond. */
#define MOST_VALUES 150

/* What marks hold before they are made, and must hold after behind the last. */
#define UNTOUCHED 0x5b

/* Integers near zero and near the ends of their range, so that intervals begin and end among them. */
static uint64
random_integer(void)
{
	uint64		small = unit_random_below(6);

	return unit_random_below(2) == 0 ? small : UINT64_MAX - small;
}

static double
random_float(void)
{
	static const double odd[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0};
	uint32		i = unit_random_below(12);

	return i < lengthof(odd) ? odd[i] : (int) unit_random_below(9) - 4;
}

static void
check_marks(const VecIdxKernels *set, const char *what, uint8 *mark, const uint8 *expected, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
		unit_check(mark[i] == expected[i], "%s %s, value %u of %u: mark %d, expected %d", set->name, what, i, count,
				   mark[i], expected[i]);
	unit_check(mark[count] == UNTOUCHED, "%s %s, %u values: wrote behind the last mark", set->name, what, count);
}

#define CHECK_INTEGERS(set, entry, type, count) \
	do { \
		type	   *value = unit_alloc((count) * sizeof(type), sizeof(type) * unit_random_below(4)); \
		uint8	   *mark = unit_alloc((count) + 1, unit_random_below(4)); \
		uint8		expected[MOST_VALUES]; \
		type		low = (type) random_integer(); \
		type		length = (type) random_integer(); \
\
		for (uint32 i = 0; i < (count); i++) \
		{ \
			value[i] = (type) random_integer(); \
			expected[i] = (type) (value[i] - low) <= length ? 0xFF : 0; \
		} \
		mark[count] = UNTOUCHED; \
		(set)->within->entry(value, count, low, length, mark); \
		check_marks(set, #entry, mark, expected, count); \
	} while (0)

#define CHECK_FLOATS(set, entry, type, count) \
	do { \
		type	   *value = unit_alloc((count) * sizeof(type), sizeof(type) * unit_random_below(4)); \
		uint8	   *mark = unit_alloc((count) + 1, unit_random_below(4)); \
		uint8		expected[MOST_VALUES]; \
		type		low = (type) ((int) unit_random_below(9) - 4); \
		type		high = (type) ((int) unit_random_below(9) - 4); \
		uint8		nan = unit_random_below(2) == 0 ? 0 : 0xFF; \
\
		for (uint32 i = 0; i < (count); i++) \
		{ \
			value[i] = (type) random_float(); \
			expected[i] = isnan(value[i]) ? nan : value[i] >= low && value[i] <= high ? 0xFF : 0; \
		} \
		mark[count] = UNTOUCHED; \
		(set)->within->entry(value, count, low, high, nan, mark); \
		check_marks(set, #entry, mark, expected, count); \
	} while (0)

static void
check_masked(const VecIdxKernels *set, uint32 count)
{
	uint8	   *value = unit_alloc(count, unit_random_below(4));
	uint8	   *mark = unit_alloc(count + 1, unit_random_below(4));
	uint8		expected[MOST_VALUES];
	uint8		mask = 1 << unit_random_below(8);
	uint8		wanted = unit_random_below(2) == 0 ? mask : 0;

	for (uint32 i = 0; i < count; i++)
	{
		value[i] = unit_random_below(256);
		mark[i] = unit_random_below(256);
		expected[i] = (value[i] & mask) == wanted ? mark[i] : 0;
	}
	mark[count] = UNTOUCHED;
	set->within->masked(value, count, mask, wanted, mark);
	check_marks(set, "masked", mark, expected, count);
}

/* Marks that are 0, 0xFF or anything else. */
static void
check_bits(const VecIdxKernels *set, uint32 words)
{
	uint8	   *mark = unit_alloc(64 * words, unit_random_below(4));
	uint64	   *bits = unit_alloc((words + 1) * sizeof(uint64), 0);

	for (uint32 i = 0; i < 64 * words; i++)
		mark[i] = unit_random_below(2) == 0 ? 0 : unit_random_below(2) == 0 ? 0xFF : unit_random_below(256);
	bits[words] = UNTOUCHED;
	set->within->bits(mark, words, bits);
	for (uint32 i = 0; i < 64 * words; i++)
		unit_check((bits[i / 64] >> i % 64 & 1) == (mark[i] != 0), "%s bits, mark %u of %u: %d", set->name, i, 64 * words, mark[i]);
	unit_check(bits[words] == UNTOUCHED, "%s bits, %u words: wrote behind the last", set->name, words);
}

static void
test_within(const VecIdxKernels *set)
{
	unit_case("kernel %s: what lies in an interval", set->name);
	for (uint32 count = 0; count < MOST_VALUES; count++)
	{
		CHECK_INTEGERS(set, u8, uint8, count);
		CHECK_INTEGERS(set, u16, uint16, count);
		CHECK_INTEGERS(set, u32, uint32, count);
		CHECK_INTEGERS(set, u64, uint64, count);
		CHECK_FLOATS(set, f32, float, count);
		CHECK_FLOATS(set, f64, double, count);
		check_masked(set, count);
		unit_free_all();
	}
	for (uint32 words = 0; words < 20; words++)
	{
		check_bits(set, words);
		unit_free_all();
	}
}

void
suite_within(void)
{
	const VecIdxKernels *sets[MAX_SETS];
	int			count = vecidx_kernels_available(sets, MAX_SETS);

	for (int i = 0; i < count; i++)
		test_within(sets[i]);
}
