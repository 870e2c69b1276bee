/*
 * neon_codes.c
 *	  NEON: the entries that read codes, without SDOT and with it.
 */
#include "c.h"

#include "kernel/arm.h"

#ifdef VECIDX_KERNELS_ARM

/*
 * The functions *_width do width codes at a time, 1 or 4: a constant where they
 * are inlined, so that all their arrays are registers.
 */

/* Adds the bits of 16 bytes to counts, a vector of bytes for each plane. */
static inline void
count_planes(uint8x16_t *counts, uint8x16_t code, const uint8 *planes)
{
#pragma GCC unroll 4
	for (int plane = 0; plane < 4; plane++)
		counts[plane] = vaddq_u8(counts[plane], vcntq_u8(vandq_u8(code, vld1q_u8(planes + 16 * plane))));
}

static pg_attribute_always_inline void
dot_b1_width(const uint8 *const *codes, int width, const uint8 *planes, int n, int32 *dots)
{
	for (int j = 0; j < width; j++)
		dots[j] = 0;
	for (int i = 0; i < n;)
	{
		uint8x16_t	counts[4][4];
		int			end = Min(n, i + 128 * 31); /* 8 bits, 31 times, fit a byte */

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			counts[j][0] = counts[j][1] = counts[j][2] = counts[j][3] = vdupq_n_u8(0);
		for (; i + 128 <= end; i += 128)
		{
#pragma GCC unroll 4
			for (int j = 0; j < width; j++)
				count_planes(counts[j], vld1q_u8(codes[j] + i / 8), planes + i / 2);
		}
		if (i < end)
		{
			/* half a block is left, where the code ends */
#pragma GCC unroll 4
			for (int j = 0; j < width; j++)
				count_planes(counts[j], vcombine_u8(vld1_u8(codes[j] + i / 8), vdup_n_u8(0)), planes + i / 2);
			i = end;
		}
#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			dots[j] += vaddlvq_u8(counts[j][0]) + 2 * vaddlvq_u8(counts[j][1]) +
				4 * vaddlvq_u8(counts[j][2]) - 8 * vaddlvq_u8(counts[j][3]);
	}
}

/* Sixteen levels below 128 times sixteen query bytes, added to eight sums of 16 bits. */
static inline int16x8_t
add_products(int16x8_t sum, uint8x16_t levels, int8x16_t q)
{
	int8x16_t	u = vreinterpretq_s8_u8(levels);

	sum = vmlal_s8(sum, vget_low_s8(u), vget_low_s8(q));
	return vmlal_high_s8(sum, u, q);
}

static pg_attribute_always_inline void
dot_b2_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const uint8x16_t mask = vdupq_n_u8(3);
	int32x4_t	sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = vdupq_n_s32(0);
	for (int i = 0; i < n;)
	{
		int16x8_t	words[4];
		int			end = Min(n, i + 64 * 10);	/* 10 * 8 * 3 * 127 fit 16 bits */

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			words[j] = vdupq_n_s16(0);
		for (; i < end; i += 64)
		{
			int8x16_t	q0 = vld1q_s8(q + i);
			int8x16_t	q1 = vld1q_s8(q + i + 16);
			int8x16_t	q2 = vld1q_s8(q + i + 32);
			int8x16_t	q3 = vld1q_s8(q + i + 48);

#pragma GCC unroll 4
			for (int j = 0; j < width; j++)
			{
				uint8x16_t	c = vld1q_u8(codes[j] + i / 4);

				words[j] = add_products(words[j], vandq_u8(c, mask), q0);
				words[j] = add_products(words[j], vandq_u8(vshrq_n_u8(c, 2), mask), q1);
				words[j] = add_products(words[j], vandq_u8(vshrq_n_u8(c, 4), mask), q2);
				words[j] = add_products(words[j], vshrq_n_u8(c, 6), q3);
			}
		}
#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			sum[j] = vpadalq_s16(sum[j], words[j]);
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		dots[j] = vaddvq_s32(sum[j]);
}

static pg_attribute_always_inline void
dot_b4_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const uint8x16_t mask = vdupq_n_u8(15);
	int32x4_t	sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = vdupq_n_s32(0);
	for (int i = 0; i < n;)
	{
		int16x8_t	words[4];
		int			end = Min(n, i + 32 * 4);	/* 4 * 4 * 15 * 127 fit 16 bits */

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			words[j] = vdupq_n_s16(0);
		for (; i < end; i += 32)
		{
			int8x16_t	q0 = vld1q_s8(q + i);
			int8x16_t	q1 = vld1q_s8(q + i + 16);

#pragma GCC unroll 4
			for (int j = 0; j < width; j++)
			{
				uint8x16_t	c = vld1q_u8(codes[j] + i / 2);

				words[j] = add_products(words[j], vandq_u8(c, mask), q0);
				words[j] = add_products(words[j], vshrq_n_u8(c, 4), q1);
			}
		}
#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			sum[j] = vpadalq_s16(sum[j], words[j]);
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		dots[j] = vaddvq_s32(sum[j]);
}

/*
 * The multiplication is signed: u - 128, and 128 times the sum of q is missing.
 * Two products of such bytes fit 16 bits.
 */
static pg_attribute_always_inline void
dot_b8_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const uint8x16_t middle = vdupq_n_u8(128);
	int32x4_t	missing = vdupq_n_s32(0);
	int32x4_t	sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = vdupq_n_s32(0);
	for (int i = 0; i < n; i += 16)
	{
		int8x16_t	v = vld1q_s8(q + i);

		missing = vpadalq_s16(missing, vpaddlq_s8(v));
#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
		{
			uint8x16_t	u = veorq_u8(vld1q_u8(codes[j] + i), middle);

			sum[j] = vpadalq_s16(sum[j], add_products(vdupq_n_s16(0), u, v));
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		dots[j] = vaddvq_s32(sum[j]) + 128 * vaddvq_s32(missing);
}

VECIDX_CODE_ENTRIES(, dot_b1, uint8)
VECIDX_CODE_ENTRIES(, dot_b2, int8)
VECIDX_CODE_ENTRIES(, dot_b4, int8)
VECIDX_CODE_ENTRIES(, dot_b8, int8)

/* Eight levels times eight floats. */
static inline float32x4_t
add_levels(float32x4_t sum, uint8x8_t levels, const float *z)
{
	uint16x8_t	u = vmovl_u8(levels);

	sum = vfmaq_f32(sum, vcvtq_f32_u32(vmovl_u16(vget_low_u16(u))), load_floats(z));
	return vfmaq_f32(sum, vcvtq_f32_u32(vmovl_u16(vget_high_u16(u))), load_floats(z + 4));
}

static float
dotf_b4_neon(const uint8 *code, const float *z, int n)
{
	float32x4_t part[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};

	for (int i = 0; i < n; i += 32)
	{
		uint8x16_t	c = vld1q_u8(code + i / 2);
		uint8x16_t	low = vandq_u8(c, vdupq_n_u8(15));
		uint8x16_t	high = vshrq_n_u8(c, 4);

		part[0] = add_levels(part[0], vget_low_u8(low), z + i);
		part[1] = add_levels(part[1], vget_high_u8(low), z + i + 8);
		part[2] = add_levels(part[2], vget_low_u8(high), z + i + 16);
		part[3] = add_levels(part[3], vget_high_u8(high), z + i + 24);
	}
	return sum_floats(part);
}

static float
dotf_b8_neon(const uint8 *code, const float *z, int n)
{
	float32x4_t part[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};

	for (int i = 0; i < n; i += 32)
	{
		uint8x16_t	first = vld1q_u8(code + i);
		uint8x16_t	second = vld1q_u8(code + i + 16);

		part[0] = add_levels(part[0], vget_low_u8(first), z + i);
		part[1] = add_levels(part[1], vget_high_u8(first), z + i + 8);
		part[2] = add_levels(part[2], vget_low_u8(second), z + i + 16);
		part[3] = add_levels(part[3], vget_high_u8(second), z + i + 24);
	}
	return sum_floats(part);
}

static inline uint32x4_t
add_pairs(uint32x4_t sum, uint8x16_t u, uint8x16_t w)
{
	sum = vpadalq_u16(sum, vmull_u8(vget_low_u8(u), vget_low_u8(w)));
	return vpadalq_u16(sum, vmull_u8(vget_high_u8(u), vget_high_u8(w)));
}

static int32
pair_b4_neon(const uint8 *a, const uint8 *b, int n)
{
	const uint8x16_t mask = vdupq_n_u8(15);
	uint32x4_t	sum = vdupq_n_u32(0);

	for (int i = 0; i < n / 2; i += 16)
	{
		uint8x16_t	u = vld1q_u8(a + i);
		uint8x16_t	w = vld1q_u8(b + i);

		sum = add_pairs(sum, vandq_u8(u, mask), vandq_u8(w, mask));
		sum = add_pairs(sum, vshrq_n_u8(u, 4), vshrq_n_u8(w, 4));
	}
	return (int32) vaddvq_u32(sum);
}

static int32
pair_b8_neon(const uint8 *a, const uint8 *b, int n)
{
	uint32x4_t	sum = vdupq_n_u32(0);

	for (int i = 0; i < n; i += 16)
		sum = add_pairs(sum, vld1q_u8(a + i), vld1q_u8(b + i));
	return (int32) vaddvq_u32(sum);
}

static int32
hamming_neon(const uint8 *a, const uint8 *b, int nbytes)
{
	uint32x4_t	sum = vdupq_n_u32(0);
	int			i = 0;

	for (; i + 16 <= nbytes; i += 16)
	{
		uint8x16_t	bits = vcntq_u8(veorq_u8(vld1q_u8(a + i), vld1q_u8(b + i)));

		sum = vpadalq_u16(sum, vpaddlq_u8(bits));
	}
	return (int32) vaddvq_u32(sum) + vecidx_kernels_scalar.hamming(a + i, b + i, nbytes - i);
}

#define SHARED_ENTRIES \
	.dot_b1 = dot_b1, \
	.dots_b1 = dot_b1_batch, \
	.dotf_b4 = dotf_b4_neon, \
	.dotf_b8 = dotf_b8_neon, \
	.pair_b4 = pair_b4_neon, \
	.pair_b8 = pair_b8_neon, \
	.hamming = hamming_neon, \
	VECIDX_ROW_KERNELS(neon), \
	.within = &vecidx_within_plain

const VecIdxKernels vecidx_kernels_neon = {
	.name = "neon",
	.dot_b2 = dot_b2,
	.dot_b4 = dot_b4,
	.dot_b8 = dot_b8,
	.dots_b2 = dot_b2_batch,
	.dots_b4 = dot_b4_batch,
	.dots_b8 = dot_b8_batch,
	SHARED_ENTRIES,
};

#ifdef VECIDX_KERNELS_DOTPROD

/* Sixteen levels below 128 times sixteen query bytes, added to four sums. */
DOTPROD static inline int32x4_t
add_sdot(int32x4_t sum, uint8x16_t levels, int8x16_t q)
{
	return vdotq_s32(sum, vreinterpretq_s8_u8(levels), q);
}

DOTPROD static pg_attribute_always_inline void
sdot_b2_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const uint8x16_t mask = vdupq_n_u8(3);
	int32x4_t	sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = vdupq_n_s32(0);
	for (int i = 0; i < n; i += 64)
	{
		int8x16_t	q0 = vld1q_s8(q + i);
		int8x16_t	q1 = vld1q_s8(q + i + 16);
		int8x16_t	q2 = vld1q_s8(q + i + 32);
		int8x16_t	q3 = vld1q_s8(q + i + 48);

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
		{
			uint8x16_t	c = vld1q_u8(codes[j] + i / 4);

			sum[j] = add_sdot(sum[j], vandq_u8(c, mask), q0);
			sum[j] = add_sdot(sum[j], vandq_u8(vshrq_n_u8(c, 2), mask), q1);
			sum[j] = add_sdot(sum[j], vandq_u8(vshrq_n_u8(c, 4), mask), q2);
			sum[j] = add_sdot(sum[j], vshrq_n_u8(c, 6), q3);
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		dots[j] = vaddvq_s32(sum[j]);
}

DOTPROD static pg_attribute_always_inline void
sdot_b4_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const uint8x16_t mask = vdupq_n_u8(15);
	int32x4_t	sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = vdupq_n_s32(0);
	for (int i = 0; i < n; i += 32)
	{
		int8x16_t	q0 = vld1q_s8(q + i);
		int8x16_t	q1 = vld1q_s8(q + i + 16);

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
		{
			uint8x16_t	c = vld1q_u8(codes[j] + i / 2);

			sum[j] = add_sdot(sum[j], vandq_u8(c, mask), q0);
			sum[j] = add_sdot(sum[j], vshrq_n_u8(c, 4), q1);
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		dots[j] = vaddvq_s32(sum[j]);
}

/* As dot_b8_width. */
DOTPROD static pg_attribute_always_inline void
sdot_b8_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const uint8x16_t middle = vdupq_n_u8(128);
	int32x4_t	missing = vdupq_n_s32(0);
	int32x4_t	sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = vdupq_n_s32(0);
	for (int i = 0; i < n; i += 16)
	{
		int8x16_t	v = vld1q_s8(q + i);

		missing = add_sdot(missing, vdupq_n_u8(1), v);
#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			sum[j] = add_sdot(sum[j], veorq_u8(vld1q_u8(codes[j] + i), middle), v);
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		dots[j] = vaddvq_s32(sum[j]) + 128 * vaddvq_s32(missing);
}

VECIDX_CODE_ENTRIES(DOTPROD, sdot_b2, int8)
VECIDX_CODE_ENTRIES(DOTPROD, sdot_b4, int8)
VECIDX_CODE_ENTRIES(DOTPROD, sdot_b8, int8)

const VecIdxKernels vecidx_kernels_dotprod = {
	.name = "dotprod",
	.dot_b2 = sdot_b2,
	.dot_b4 = sdot_b4,
	.dot_b8 = sdot_b8,
	.dots_b2 = sdot_b2_batch,
	.dots_b4 = sdot_b4_batch,
	.dots_b8 = sdot_b8_batch,
	.crc_quarters = vecidx_arm_crc_quarters,
	SHARED_ENTRIES,
};

#endif							/* VECIDX_KERNELS_DOTPROD */

#endif							/* VECIDX_KERNELS_ARM */
