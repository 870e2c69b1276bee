/*
 * plain_within.c
 *	  What lies in an interval, with the instructions that all processors have.
 */
#include "c.h"

#include "port/pg_bswap.h"

#include "kernel/within.h"

/* Which of eight marks are not 0. */
static inline uint64
bits_of_eight(const uint8 *mark)
{
	uint64		eight;

	memcpy(&eight, mark, sizeof(eight));
#ifdef WORDS_BIGENDIAN
	eight = pg_bswap64(eight);
#endif
	/* the highest bit of each byte that is not zero, all brought to the highest byte */
	eight = (((eight & UINT64CONST(0x7F7F7F7F7F7F7F7F)) + UINT64CONST(0x7F7F7F7F7F7F7F7F)) | eight) & UINT64CONST(0x8080808080808080);
	return ((eight >> 7) * UINT64CONST(0x0102040810204080)) >> 56;
}

static void
gather_bits(const uint8 *mark, uint32 words, uint64 *bits)
{
	for (uint32 word = 0; word < words; word++)
	{
		bits[word] = 0;
		for (int i = 0; i < 64; i += 8)
			bits[word] |= bits_of_eight(mark + 64 * word + i) << i;
	}
}

VECIDX_WITHIN(, vecidx_within_plain, gather_bits);
