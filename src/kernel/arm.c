/*
 * arm.c
 *	  The kernels for 64-bit ARM: NEON, which all such processors have.
 */
#include "c.h"

#include "kernel/kernel.h"
#include "kernel/kernel_sets.h"

#ifdef VECIDX_KERNELS_ARM

#include <arm_neon.h>

static inline float32x4_t
load_floats(const float *p)
{
	/* by bytes, because the address need not be a float's */
	return vreinterpretq_f32_u8(vld1q_u8((const uint8 *) p));
}

/* The sum of four vectors that each hold part of it. */
static inline float
sum_floats(const float32x4_t *part)
{
	return vaddvq_f32(vaddq_f32(vaddq_f32(part[0], part[1]), vaddq_f32(part[2], part[3])));
}

static float
dot_neon(const float *a, const float *b, int n)
{
	float32x4_t part[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
	int			i = 0;

	for (; i + 16 <= n; i += 16)
	{
		for (int j = 0; j < 4; j++)
			part[j] = vfmaq_f32(part[j], load_floats(a + i + 4 * j), load_floats(b + i + 4 * j));
	}
	return sum_floats(part) + vecidx_kernels_scalar.dot(a + i, b + i, n - i);
}

static float
l2sq_neon(const float *a, const float *b, int n)
{
	float32x4_t part[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
	int			i = 0;

	for (; i + 16 <= n; i += 16)
	{
		for (int j = 0; j < 4; j++)
		{
			float32x4_t d = vsubq_f32(load_floats(a + i + 4 * j), load_floats(b + i + 4 * j));

			part[j] = vfmaq_f32(part[j], d, d);
		}
	}
	return sum_floats(part) + vecidx_kernels_scalar.l2sq(a + i, b + i, n - i);
}

/* Two vectors of planes are one 64-dimension block: each half is a plane. */
static int32
dot_b1_neon(const uint8 *code, const uint8 *planes, int n)
{
	uint64x2_t	sum01 = vdupq_n_u64(0);
	uint64x2_t	sum23 = vdupq_n_u64(0);

	for (int i = 0; i < n; i += 64)
	{
		uint8x8_t	half = vld1_u8(code + i / 8);
		uint8x16_t	c = vcombine_u8(half, half);
		uint8x16_t	bits01 = vcntq_u8(vandq_u8(c, vld1q_u8(planes + i / 2)));
		uint8x16_t	bits23 = vcntq_u8(vandq_u8(c, vld1q_u8(planes + i / 2 + 16)));

		sum01 = vpadalq_u32(sum01, vpaddlq_u16(vpaddlq_u8(bits01)));
		sum23 = vpadalq_u32(sum23, vpaddlq_u16(vpaddlq_u8(bits23)));
	}
	return (int32) vgetq_lane_u64(sum01, 0) + 2 * (int32) vgetq_lane_u64(sum01, 1) +
		4 * (int32) vgetq_lane_u64(sum23, 0) - 8 * (int32) vgetq_lane_u64(sum23, 1);
}

/* Sixteen levels below 128 times sixteen query bytes. */
static inline int32x4_t
add_products(int32x4_t sum, uint8x16_t levels, const int8 *q)
{
	int8x16_t	u = vreinterpretq_s8_u8(levels);
	int8x16_t	v = vld1q_s8(q);

	sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(u), vget_low_s8(v)));
	return vpadalq_s16(sum, vmull_s8(vget_high_s8(u), vget_high_s8(v)));
}

static int32
dot_b2_neon(const uint8 *code, const int8 *q, int n)
{
	const uint8x16_t mask = vdupq_n_u8(3);
	int32x4_t	sum = vdupq_n_s32(0);

	for (int i = 0; i < n; i += 64)
	{
		uint8x16_t	c = vld1q_u8(code + i / 4);

		sum = add_products(sum, vandq_u8(c, mask), q + i);
		sum = add_products(sum, vandq_u8(vshrq_n_u8(c, 2), mask), q + i + 16);
		sum = add_products(sum, vandq_u8(vshrq_n_u8(c, 4), mask), q + i + 32);
		sum = add_products(sum, vshrq_n_u8(c, 6), q + i + 48);
	}
	return vaddvq_s32(sum);
}

static int32
dot_b4_neon(const uint8 *code, const int8 *q, int n)
{
	const uint8x16_t mask = vdupq_n_u8(15);
	int32x4_t	sum = vdupq_n_s32(0);

	for (int i = 0; i < n; i += 32)
	{
		uint8x16_t	c = vld1q_u8(code + i / 2);

		sum = add_products(sum, vandq_u8(c, mask), q + i);
		sum = add_products(sum, vshrq_n_u8(c, 4), q + i + 16);
	}
	return vaddvq_s32(sum);
}

/* The multiplication is signed: u - 128, and 128 times the sum of q is missing. */
static int32
dot_b8_neon(const uint8 *code, const int8 *q, int n)
{
	int32x4_t	sum = vdupq_n_s32(0);
	int32x4_t	missing = vdupq_n_s32(0);

	for (int i = 0; i < n; i += 16)
	{
		uint8x16_t	u = veorq_u8(vld1q_u8(code + i), vdupq_n_u8(128));

		sum = add_products(sum, u, q + i);
		missing = vpadalq_s16(missing, vpaddlq_s8(vld1q_s8(q + i)));
	}
	return vaddvq_s32(sum) + 128 * vaddvq_s32(missing);
}

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

static void
half_to_float_neon(const uint8 *half, float *out, int n)
{
	int			i = 0;

	for (; i + 4 <= n; i += 4)
		vst1q_f32(out + i, vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(half + 2 * i))));
	vecidx_kernels_scalar.half_to_float(half + 2 * i, out + i, n - i);
}

/* Butterflies at distance 1 and 2, inside a vector. */
static inline float32x4_t
butterflies_within(float32x4_t v)
{
	static const uint32 minus1[4] = {0, 0x80000000, 0, 0x80000000};
	static const uint32 minus2[4] = {0, 0, 0x80000000, 0x80000000};
	uint32x4_t	signs = vreinterpretq_u32_f32(v);

	v = vaddq_f32(vrev64q_f32(v), vreinterpretq_f32_u32(veorq_u32(signs, vld1q_u32(minus1))));
	signs = vreinterpretq_u32_f32(v);
	return vaddq_f32(vextq_f32(v, v, 2), vreinterpretq_f32_u32(veorq_u32(signs, vld1q_u32(minus2))));
}

/* Butterflies at distance h and 2 h for vectors that lie h floats apart. */
static inline void
four_neon(float *x, int h, bool within)
{
	float32x4_t a = vld1q_f32(x);
	float32x4_t b = vld1q_f32(x + h);
	float32x4_t c = vld1q_f32(x + 2 * h);
	float32x4_t d = vld1q_f32(x + 3 * h);
	float32x4_t sum_ab;
	float32x4_t sum_cd;
	float32x4_t diff_ab;
	float32x4_t diff_cd;

	if (within)
	{
		a = butterflies_within(a);
		b = butterflies_within(b);
		c = butterflies_within(c);
		d = butterflies_within(d);
	}
	sum_ab = vaddq_f32(a, b);
	diff_ab = vsubq_f32(a, b);
	sum_cd = vaddq_f32(c, d);
	diff_cd = vsubq_f32(c, d);
	vst1q_f32(x, vaddq_f32(sum_ab, sum_cd));
	vst1q_f32(x + h, vaddq_f32(diff_ab, diff_cd));
	vst1q_f32(x + 2 * h, vsubq_f32(sum_ab, sum_cd));
	vst1q_f32(x + 3 * h, vsubq_f32(diff_ab, diff_cd));
}

static void
hadamard_neon(float *x, int n)
{
	int			h;

	if (n < 16)
	{
		vecidx_kernels_scalar.hadamard(x, n);
		return;
	}
	for (int i = 0; i < n; i += 16)
		four_neon(x + i, 4, true);
	for (h = 16; h * 4 <= n; h *= 4)
	{
		for (int i = 0; i < n; i += 4 * h)
		{
			for (int j = i; j < i + h; j += 4)
				four_neon(x + j, h, false);
		}
	}
	if (h < n)
	{
		for (int j = 0; j < h; j += 4)
		{
			float32x4_t a = vld1q_f32(x + j);
			float32x4_t b = vld1q_f32(x + j + h);

			vst1q_f32(x + j, vaddq_f32(a, b));
			vst1q_f32(x + j + h, vsubq_f32(a, b));
		}
	}
}

const VecIdxKernels vecidx_kernels_neon = {
	.name = "neon",
	.dot = dot_neon,
	.l2sq = l2sq_neon,
	.dot_b1 = dot_b1_neon,
	.dot_b2 = dot_b2_neon,
	.dot_b4 = dot_b4_neon,
	.dot_b8 = dot_b8_neon,
	.dotf_b4 = dotf_b4_neon,
	.dotf_b8 = dotf_b8_neon,
	.pair_b4 = pair_b4_neon,
	.pair_b8 = pair_b8_neon,
	.hamming = hamming_neon,
	.half_to_float = half_to_float_neon,
	.hadamard = hadamard_neon,
};

#endif							/* VECIDX_KERNELS_ARM */
