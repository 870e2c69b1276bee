/*
 * half.c
 *	  Floats as IEEE half-precision numbers.
 *
 * Not by the processor's instruction, so that rounding and range are ours:
 * to nearest, ties to even, and what is too large becomes the largest finite
 * half, because an infinity would make distances meaningless.
 */
#include "c.h"

#include "quant/quant_internal.h"

#define LARGEST_HALF 0x7bff

/* Bits of the largest float that still rounds to LARGEST_HALF: just below 65520. */
#define LARGEST_IN_RANGE 0x477fefff

/* Bits of the smallest normal half, 2^-14, as a float. */
#define SMALLEST_NORMAL 0x38800000

static uint16
half_bits(float value)
{
	uint32		bits;
	uint32		magnitude;
	uint16		sign;

	memcpy(&bits, &value, sizeof(bits));
	magnitude = bits & 0x7fffffff;
	sign = (bits >> 16) & 0x8000;

	if (magnitude > LARGEST_IN_RANGE)
		return sign | LARGEST_HALF;
	if (magnitude < SMALLEST_NORMAL)
	{
		/* a multiple of 2^-24: added to 0.5, that is the unit of the fraction */
		float		shifted = fabsf(value) + 0.5f;

		memcpy(&bits, &shifted, sizeof(bits));
		return sign | (uint16) (bits - 0x3f000000);
	}
	/* 13 bits go; adding half a unit, less one unless odd, rounds ties to even */
	magnitude += 0xfff + ((magnitude >> 13) & 1);
	return sign | (uint16) ((magnitude - ((uint32) 112 << 23)) >> 13);
}

void
vecidx_half_from_float(const float *row, int n, uint8 *half)
{
	for (int i = 0; i < n; i++)
	{
		uint16		bits = half_bits(row[i]);

		memcpy(half + 2 * i, &bits, sizeof(bits));
	}
}
