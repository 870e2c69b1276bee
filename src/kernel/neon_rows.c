/*
 * neon_rows.c
 *	  NEON: the entries for floats alone.
 */
#include "c.h"

#include "kernel/arm.h"

#ifdef VECIDX_KERNELS_ARM

float
vecidx_neon_dot(const float *a, const float *b, int n)
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

float
vecidx_neon_l2sq(const float *a, const float *b, int n)
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

void
vecidx_neon_half_to_float(const uint8 *half, float *out, int n)
{
	int			i = 0;

	for (; i + 4 <= n; i += 4)
		vst1q_f32(out + i, vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(half + 2 * i))));
	vecidx_kernels_scalar.half_to_float(half + 2 * i, out + i, n - i);
}

/* Lanes 2 k and 2 k + 1 of 16 in sum[k]: the sum, by halves. */
static inline double
sum_doubles(const float64x2_t *sum)
{
	float64x2_t low = vaddq_f64(vaddq_f64(sum[0], sum[4]), vaddq_f64(sum[2], sum[6]));
	float64x2_t high = vaddq_f64(vaddq_f64(sum[1], sum[5]), vaddq_f64(sum[3], sum[7]));

	return vaddvq_f64(vaddq_f64(low, high));
}

/* Adds the products of 16 floats, exact in double, to 16 lanes. */
static inline void
add_wide(float64x2_t *sum, const float *a, const float *b)
{
#pragma GCC unroll 4
	for (int j = 0; j < 4; j++)
	{
		float32x4_t x = load_floats(a + 4 * j);
		float32x4_t y = load_floats(b + 4 * j);

		sum[2 * j] = vfmaq_f64(sum[2 * j], vcvt_f64_f32(vget_low_f32(x)), vcvt_f64_f32(vget_low_f32(y)));
		sum[2 * j + 1] = vfmaq_f64(sum[2 * j + 1], vcvt_high_f64_f32(x), vcvt_high_f64_f32(y));
	}
}

double
vecidx_neon_dot_wide(const float *a, const float *b, int n)
{
	float64x2_t sum[8];
	int			i = 0;

	for (int j = 0; j < 8; j++)
		sum[j] = vdupq_n_f64(0);
	for (; i + 16 <= n; i += 16)
		add_wide(sum, a + i, b + i);
	if (i < n)
	{
		float		rest_a[16] = {0};
		float		rest_b[16] = {0};

		memcpy(rest_a, (const char *) a + i * sizeof(float), (n - i) * sizeof(float));
		memcpy(rest_b, (const char *) b + i * sizeof(float), (n - i) * sizeof(float));
		add_wide(sum, rest_a, rest_b);
	}
	return sum_doubles(sum);
}

void
vecidx_neon_scale(float *x, double factor, int n)
{
	int			i = 0;

	for (; i + 4 <= n; i += 4)
	{
		float32x4_t v = vld1q_f32(x + i);
		float64x2_t low = vmulq_n_f64(vcvt_f64_f32(vget_low_f32(v)), factor);
		float64x2_t high = vmulq_n_f64(vcvt_high_f64_f32(v), factor);

		vst1q_f32(x + i, vcvt_high_f32_f64(vcvt_f32_f64(low), high));
	}
	vecidx_kernels_scalar.scale(x + i, factor, n - i);
}

float
vecidx_neon_subtract(const float *a, const float *b, float *out, int n)
{
	float32x4_t largest = vdupq_n_f32(0);
	float		found;
	float		rest;
	int			i = 0;

	for (; i + 4 <= n; i += 4)
	{
		float32x4_t d = vsubq_f32(vld1q_f32(a + i), vld1q_f32(b + i));

		largest = vmaxq_f32(largest, vabsq_f32(d));
		vst1q_f32(out + i, d);
	}
	found = vmaxvq_f32(largest);
	rest = vecidx_kernels_scalar.subtract(a + i, b + i, out + i, n - i);
	return Max(found, rest);
}

void
vecidx_neon_measure(const float *x, int n, VecIdxMoments *moments)
{
	float64x2_t sum[8];
	float64x2_t squares[8];
	float32x4_t largest = vdupq_n_f32(0);

	for (int j = 0; j < 8; j++)
		sum[j] = squares[j] = vdupq_n_f64(0);
	for (int i = 0; i < n; i += 16)
	{
#pragma GCC unroll 4
		for (int j = 0; j < 4; j++)
		{
			float32x4_t v = vld1q_f32(x + i + 4 * j);
			float64x2_t low = vcvt_f64_f32(vget_low_f32(v));
			float64x2_t high = vcvt_high_f64_f32(v);

			sum[2 * j] = vaddq_f64(sum[2 * j], low);
			sum[2 * j + 1] = vaddq_f64(sum[2 * j + 1], high);
			squares[2 * j] = vfmaq_f64(squares[2 * j], low, low);
			squares[2 * j + 1] = vfmaq_f64(squares[2 * j + 1], high, high);
			largest = vmaxq_f32(largest, vabsq_f32(v));
		}
	}
	moments->sum = sum_doubles(sum);
	moments->squares = sum_doubles(squares);
	moments->largest = vmaxvq_f32(largest);
}

/* Four floats as integers; no fused multiplication, for equal bits in all sets. */
static inline int32x4_t
round_four(float32x4_t x, const VecIdxRounding *rounding)
{
	float32x4_t level = vmulq_n_f32(x, rounding->inverse);

	level = vaddq_f32(level, vdupq_n_f32((float) rounding->bottom + 0.5f));
	level = vmaxq_f32(level, vdupq_n_f32(0));
	level = vminq_f32(level, vdupq_n_f32((float) (rounding->bottom + rounding->top)));
	return vsubq_s32(vcvtq_s32_f32(level), vdupq_n_s32(rounding->bottom));
}

void
vecidx_neon_round(const float *x, int n, VecIdxRounding *rounding, int8 *v)
{
	float64x2_t dot[8];
	int32x4_t	sum = vdupq_n_s32(0);
	int32x4_t	squares = vdupq_n_s32(0);

	for (int j = 0; j < 8; j++)
		dot[j] = vdupq_n_f64(0);
	for (int i = 0; i < n; i += 16)
	{
		int16x4_t	words[4];

#pragma GCC unroll 4
		for (int j = 0; j < 4; j++)
		{
			float32x4_t values = vld1q_f32(x + i + 4 * j);
			int32x4_t	integers = round_four(values, rounding);
			float32x4_t floats = vcvtq_f32_s32(integers);

			words[j] = vmovn_s32(integers);
			sum = vaddq_s32(sum, integers);
			squares = vmlaq_s32(squares, integers, integers);
			dot[2 * j] = vfmaq_f64(dot[2 * j], vcvt_f64_f32(vget_low_f32(values)),
								   vcvt_f64_f32(vget_low_f32(floats)));
			dot[2 * j + 1] = vfmaq_f64(dot[2 * j + 1], vcvt_high_f64_f32(values), vcvt_high_f64_f32(floats));
		}
		vst1_s8(v + i, vmovn_s16(vcombine_s16(words[0], words[1])));
		vst1_s8(v + i + 8, vmovn_s16(vcombine_s16(words[2], words[3])));
	}
	rounding->dot = sum_doubles(dot);
	rounding->sum = vaddvq_s32(sum);
	rounding->squares = vaddvq_s32(squares);
}

/* The levels of two floats; adds their products with twice these less top. */
static inline int32x2_t
level_two(float64x2_t x, const VecIdxLeveling *leveling, float64x2_t *dot)
{
	float64x2_t top = vdupq_n_f64(leveling->top);
	float64x2_t level = vfmaq_n_f64(vdupq_n_f64((leveling->top + 1) / 2), x, leveling->inverse);
	int64x2_t	integers = vcvtq_s64_f64(vminq_f64(vmaxq_f64(level, vdupq_n_f64(0)), top));

	*dot = vfmaq_f64(*dot, x, vsubq_f64(vcvtq_f64_s64(vshlq_n_s64(integers, 1)), top));
	return vmovn_s64(integers);
}

void
vecidx_neon_level(const float *x, int n, VecIdxLeveling *leveling, uint8 *u)
{
	float64x2_t dot[8];
	int32x4_t	sum = vdupq_n_s32(0);
	int32x4_t	squares = vdupq_n_s32(0);

	for (int j = 0; j < 8; j++)
		dot[j] = vdupq_n_f64(0);
	for (int i = 0; i < n; i += 16)
	{
		uint16x4_t	words[4];

#pragma GCC unroll 4
		for (int j = 0; j < 4; j++)
		{
			float32x4_t values = vld1q_f32(x + i + 4 * j);
			int32x4_t	integers = vcombine_s32(level_two(vcvt_f64_f32(vget_low_f32(values)), leveling, &dot[2 * j]),
												level_two(vcvt_high_f64_f32(values), leveling, &dot[2 * j + 1]));

			words[j] = vmovn_u32(vreinterpretq_u32_s32(integers));
			sum = vaddq_s32(sum, integers);
			squares = vmlaq_s32(squares, integers, integers);
		}
		vst1_u8(u + i, vmovn_u16(vcombine_u16(words[0], words[1])));
		vst1_u8(u + i + 8, vmovn_u16(vcombine_u16(words[2], words[3])));
	}
	leveling->dot = sum_doubles(dot);
	leveling->sum = vaddvq_s32(sum);
	leveling->squares = vaddvq_s32(squares);
}

/* Two estimates; nothing is fused, for the bits of vecidx_line_estimate. */
static inline float64x2_t
two_estimates(const VecIdxLine *line, int32x2_t dots, float32x2_t f0, float32x2_t f1)
{
	float64x2_t value = vsubq_f64(vcvtq_f64_s64(vmovl_s32(dots)), vdupq_n_f64(line->offset));

	value = vmulq_f64(vcvt_f64_f32(f1), vmulq_n_f64(value, line->step));
	value = vaddq_f64(vaddq_f64(vdupq_n_f64(line->base), vcvt_f64_f32(f0)), value);
	value = vminq_f64(value, vdupq_n_f64(FLT_MAX));
	return vmaxq_f64(value, vdupq_n_f64(-FLT_MAX));
}

void
vecidx_neon_estimates(const VecIdxLine *line, const int32 *dots, const float *f0, const float *f1,
					  int count, float *estimates)
{
	int			i = 0;

	for (; i + 4 <= count; i += 4)
	{
		int32x4_t	four = vld1q_s32(dots + i);
		float32x4_t f0s = vld1q_f32(f0 + i);
		float32x4_t f1s = vld1q_f32(f1 + i);
		float64x2_t low = two_estimates(line, vget_low_s32(four), vget_low_f32(f0s), vget_low_f32(f1s));
		float64x2_t high = two_estimates(line, vget_high_s32(four), vget_high_f32(f0s), vget_high_f32(f1s));

		vst1q_f32(estimates + i, vcvt_high_f32_f64(vcvt_f32_f64(low), high));
	}
	vecidx_kernels_scalar.estimates(line, dots + i, f0 + i, f1 + i, count - i, estimates + i);
}

/* A bit of each byte, weighed by its place and added up within eight. */
void
vecidx_neon_planes(const int8 *v, int n, uint8 *planes)
{
	static const uint8 weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
	const uint8x16_t weight = vld1q_u8(weights);

	memset(planes, 0, VECIDX_PLANES_SIZE(n));
	for (int i = 0; i < n; i += 16)
	{
		uint8x16_t	bytes = vreinterpretq_u8_s8(vld1q_s8(v + i));
		uint8	   *plane = planes + i / 128 * 64 + i % 128 / 8;

		for (int j = 0; j < 4; j++)
		{
			uint8x16_t	bits = vandq_u8(vtstq_u8(bytes, vdupq_n_u8(1 << j)), weight);

			plane[16 * j] = vaddv_u8(vget_low_u8(bits));
			plane[16 * j + 1] = vaddv_u8(vget_high_u8(bits));
		}
	}
}

void
vecidx_neon_multiply(float *x, const float *factors, int n)
{
	for (int i = 0; i < n; i += 4)
		vst1q_f32(x + i, vmulq_f32(vld1q_f32(x + i), vld1q_f32(factors + i)));
}

void
vecidx_neon_butterfly(float *x, float *y, int n)
{
	for (int i = 0; i < n; i += 4)
	{
		float32x4_t a = vld1q_f32(x + i);
		float32x4_t b = vld1q_f32(y + i);

		vst1q_f32(x + i, vaddq_f32(a, b));
		vst1q_f32(y + i, vsubq_f32(a, b));
	}
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

void
vecidx_neon_hadamard(float *x, const float *factors, int n)
{
	int			h;

	if (n < 16)
	{
		vecidx_kernels_scalar.hadamard(x, factors, n);
		return;
	}
	for (int i = 0; i < n; i += 16)
	{
		if (factors != NULL)
			vecidx_neon_multiply(x + i, factors + i, 16);
		four_neon(x + i, 4, true);
	}
	for (h = 16; h * 4 <= n; h *= 4)
	{
		for (int i = 0; i < n; i += 4 * h)
		{
			for (int j = i; j < i + h; j += 4)
				four_neon(x + j, h, false);
		}
	}
	if (h < n)
		vecidx_neon_butterfly(x, x + h, h);
}

#endif							/* VECIDX_KERNELS_ARM */
