/*
 * levels.c
 *	  Packing of levels into the layouts that kernel.h defines.
 */
#include "c.h"

#include "quant/quant_internal.h"

/* Eight bytes as one number, the first the least significant. */
static inline uint64
load_bytes(const uint8 *p)
{
	uint64		word = 0;

	for (int i = 0; i < 8; i++)
		word |= (uint64) p[i] << (8 * i);
	return word;
}

/*
 * Bit 0 of each of eight bytes, gathered into one byte.  The bit of byte i is
 * at 8 * i; the factor's bit 56 - 7 * i takes it to 56 + i, and no two of the
 * other products meet there.
 */
static inline uint8
gather_bits(uint64 word)
{
	return (uint8) (((word & UINT64CONST(0x0101010101010101)) *
					 UINT64CONST(0x0102040810204080)) >> 56);
}

static void
pack_b1(const uint8 *levels, int n, uint8 *code)
{
	for (int i = 0; i < n; i += 8)
		code[i / 8] = gather_bits(load_bytes(levels + i));
}

static void
pack_b2(const uint8 *restrict levels, int n, uint8 *restrict code)
{
	for (int i = 0; i < n; i += 64)
	{
		for (int j = 0; j < 16; j++)
			code[i / 4 + j] = levels[i + j] | levels[i + 16 + j] << 2 |
				levels[i + 32 + j] << 4 | levels[i + 48 + j] << 6;
	}
}

static void
pack_b4(const uint8 *restrict levels, int n, uint8 *restrict code)
{
	for (int i = 0; i < n; i += 32)
	{
		for (int j = 0; j < 16; j++)
			code[i / 2 + j] = levels[i + j] | levels[i + 16 + j] << 4;
	}
}

/* Levels 0 and 1 from a row of zeros and ones, 0 from there to n. */
void
vecidx_levels_from_bits(const float *row, int dimensions, int n, uint8 *levels)
{
	for (int i = 0; i < dimensions; i++)
		levels[i] = row[i] != 0;
	memset(levels + dimensions, 0, n - dimensions);
}

/* Levels, a byte each and below 2^bits, as a code; n a multiple of VECIDX_BLOCK. */
void
vecidx_levels_pack(const uint8 *levels, int bits, int n, uint8 *code)
{
	Assert(n % VECIDX_BLOCK == 0);

	switch (bits)
	{
		case 1:
			pack_b1(levels, n, code);
			break;
		case 2:
			pack_b2(levels, n, code);
			break;
		case 4:
			pack_b4(levels, n, code);
			break;
		default:
			memcpy(code, levels, n);
			break;
	}
}

/* The reverse of vecidx_levels_pack. */
void
vecidx_levels_unpack(const uint8 *code, int bits, int n, uint8 *levels)
{
	int			block = 128 / bits;
	uint8		mask = (1 << bits) - 1;

	for (int i = 0; i < n; i++)
	{
		int			in_block = i % block;

		if (bits == 1)
			levels[i] = code[i / 8] >> i % 8 & 1;
		else
			levels[i] = code[i / block * 16 + in_block % 16] >> bits * (in_block / 16) & mask;
	}
}
