/*
 * avx512_rows.c
 *	  AVX-512: the entries for floats alone.
 */
#include "c.h"

#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

AVX512 float
vecidx_avx512_dot(const float *a, const float *b, int n)
{
	__m512		sum0 = _mm512_setzero_ps();
	__m512		sum1 = _mm512_setzero_ps();
	__m512		sum2 = _mm512_setzero_ps();
	__m512		sum3 = _mm512_setzero_ps();
	int			i = 0;

	for (; i + 64 <= n; i += 64)
	{
		sum0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum0);
		sum1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), sum1);
		sum2 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32), sum2);
		sum3 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48), sum3);
	}
	for (; i < n; i += 16)
	{
		__mmask16	mask = first_lanes_avx512(n - i);

		sum0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i),
							   _mm512_maskz_loadu_ps(mask, b + i), sum0);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum0, sum1), _mm512_add_ps(sum2, sum3)));
}

AVX512 static inline __m512
add_square_avx512(__m512 a, __m512 b, __m512 sum)
{
	__m512		d = _mm512_sub_ps(a, b);

	return _mm512_fmadd_ps(d, d, sum);
}

AVX512 float
vecidx_avx512_l2sq(const float *a, const float *b, int n)
{
	__m512		sum0 = _mm512_setzero_ps();
	__m512		sum1 = _mm512_setzero_ps();
	__m512		sum2 = _mm512_setzero_ps();
	__m512		sum3 = _mm512_setzero_ps();
	int			i = 0;

	for (; i + 64 <= n; i += 64)
	{
		sum0 = add_square_avx512(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum0);
		sum1 = add_square_avx512(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), sum1);
		sum2 = add_square_avx512(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32), sum2);
		sum3 = add_square_avx512(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48), sum3);
	}
	for (; i < n; i += 16)
	{
		__mmask16	mask = first_lanes_avx512(n - i);

		sum0 = add_square_avx512(_mm512_maskz_loadu_ps(mask, a + i),
								 _mm512_maskz_loadu_ps(mask, b + i), sum0);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum0, sum1), _mm512_add_ps(sum2, sum3)));
}

AVX512 void
vecidx_avx512_half_to_float(const uint8 *half, float *out, int n)
{
	int			i = 0;

	for (; i + 16 <= n; i += 16)
		_mm512_storeu_ps(out + i, _mm512_cvtph_ps(load_bytes_avx2(half + 2 * i)));
	vecidx_avx2_half_to_float(half + 2 * i, out + i, n - i);
}

/* The sum of 16 lanes in double, by halves. */
AVX512 static inline double
sum_doubles_avx512(__m512d low, __m512d high)
{
	__m512d		eight = _mm512_add_pd(low, high);
	__m256d		four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
	__m128d		two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));

	return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* Adds the products of 8 floats, exact in double, to 8 lanes. */
AVX512 static inline __m512d
add_wide_avx512(__m512d sum, __m256 a, __m256 b)
{
	return _mm512_fmadd_pd(_mm512_cvtps_pd(a), _mm512_cvtps_pd(b), sum);
}

AVX512 double
vecidx_avx512_dot_wide(const float *a, const float *b, int n)
{
	__m512d		low = _mm512_setzero_pd();
	__m512d		high = _mm512_setzero_pd();

	for (int i = 0; i < n; i += 16)
	{
		__mmask16	mask = first_lanes_avx512(n - i);
		__m512		x = _mm512_maskz_loadu_ps(mask, a + i);
		__m512		y = _mm512_maskz_loadu_ps(mask, b + i);

		low = add_wide_avx512(low, _mm512_castps512_ps256(x), _mm512_castps512_ps256(y));
		high = add_wide_avx512(high, _mm512_extractf32x8_ps(x, 1), _mm512_extractf32x8_ps(y, 1));
	}
	return sum_doubles_avx512(low, high);
}

AVX512 void
vecidx_avx512_scale(float *x, double factor, int n)
{
	const __m512d factors = _mm512_set1_pd(factor);
	int			i = 0;

	for (; i + 8 <= n; i += 8)
	{
		__m512d		wide = _mm512_mul_pd(_mm512_cvtps_pd(_mm256_loadu_ps(x + i)), factors);

		_mm256_storeu_ps(x + i, _mm512_cvtpd_ps(wide));
	}
	vecidx_kernels_scalar.scale(x + i, factor, n - i);
}

AVX512 float
vecidx_avx512_subtract(const float *a, const float *b, float *out, int n)
{
	__m512		largest = _mm512_setzero_ps();

	for (int i = 0; i < n; i += 16)
	{
		__mmask16	mask = first_lanes_avx512(n - i);
		__m512		d = _mm512_sub_ps(_mm512_maskz_loadu_ps(mask, a + i),
									  _mm512_maskz_loadu_ps(mask, b + i));

		largest = _mm512_max_ps(largest, _mm512_abs_ps(d));
		_mm512_mask_storeu_ps(out + i, mask, d);
	}
	return _mm512_reduce_max_ps(largest);
}

AVX512 void
vecidx_avx512_measure(const float *x, int n, VecIdxMoments *moments)
{
	__m512d		sum_low = _mm512_setzero_pd();
	__m512d		sum_high = _mm512_setzero_pd();
	__m512d		squares_low = _mm512_setzero_pd();
	__m512d		squares_high = _mm512_setzero_pd();
	__m512		largest = _mm512_setzero_ps();

	for (int i = 0; i < n; i += 16)
	{
		__m512d		low = _mm512_cvtps_pd(_mm256_loadu_ps(x + i));
		__m512d		high = _mm512_cvtps_pd(_mm256_loadu_ps(x + i + 8));

		sum_low = _mm512_add_pd(sum_low, low);
		sum_high = _mm512_add_pd(sum_high, high);
		squares_low = _mm512_fmadd_pd(low, low, squares_low);
		squares_high = _mm512_fmadd_pd(high, high, squares_high);
		largest = _mm512_max_ps(largest, _mm512_abs_ps(_mm512_loadu_ps(x + i)));
	}
	moments->sum = sum_doubles_avx512(sum_low, sum_high);
	moments->squares = sum_doubles_avx512(squares_low, squares_high);
	moments->largest = _mm512_reduce_max_ps(largest);
}

AVX512 void
vecidx_avx512_round(const float *x, int n, VecIdxRounding *rounding, int8 *v)
{
	const __m512 inverse = _mm512_set1_ps(rounding->inverse);
	const __m512 offset = _mm512_set1_ps((float) rounding->bottom + 0.5f);
	const __m512 last = _mm512_set1_ps((float) (rounding->bottom + rounding->top));
	const __m512i bottom = _mm512_set1_epi32(rounding->bottom);
	__m512d		dot_low = _mm512_setzero_pd();
	__m512d		dot_high = _mm512_setzero_pd();
	__m512i		sum = _mm512_setzero_si512();
	__m512i		squares = _mm512_setzero_si512();

	for (int i = 0; i < n; i += 16)
	{
		/* not fused, for equal bits in all sets */
		__m512		level = _mm512_add_ps(_mm512_mul_ps(_mm512_loadu_ps(x + i), inverse), offset);
		__m512i		integers;

		level = _mm512_min_ps(_mm512_max_ps(level, _mm512_setzero_ps()), last);
		integers = _mm512_sub_epi32(_mm512_cvttps_epi32(level), bottom);
		_mm_storeu_si128((__m128i *) (v + i), _mm512_cvtepi32_epi8(integers));
		sum = _mm512_add_epi32(sum, integers);
		/* the upper half of one factor must not count */
		squares = _mm512_dpwssd_epi32(squares, integers,
									  _mm512_and_si512(integers, _mm512_set1_epi32(0xffff)));
		dot_low = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm256_loadu_ps(x + i)),
								  _mm512_cvtepi32_pd(_mm512_castsi512_si256(integers)), dot_low);
		dot_high = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm256_loadu_ps(x + i + 8)),
								   _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(integers, 1)), dot_high);
	}
	rounding->dot = sum_doubles_avx512(dot_low, dot_high);
	rounding->sum = _mm512_reduce_add_epi32(sum);
	rounding->squares = _mm512_reduce_add_epi32(squares);
}

/* The levels of 8 floats; adds their products with twice these less top. */
AVX512 static inline __m256i
level_eight_avx512(__m256 x, const VecIdxLeveling *leveling, __m512d *dot)
{
	__m512d		wide = _mm512_cvtps_pd(x);
	__m512d		top = _mm512_set1_pd(leveling->top);
	__m512d		level = _mm512_fmadd_pd(wide, _mm512_set1_pd(leveling->inverse),
										_mm512_set1_pd((leveling->top + 1) / 2));
	__m256i		integers;

	integers = _mm512_cvttpd_epi32(_mm512_min_pd(_mm512_max_pd(level, _mm512_setzero_pd()), top));
	level = _mm512_cvtepi32_pd(_mm256_slli_epi32(integers, 1));
	*dot = _mm512_fmadd_pd(wide, _mm512_sub_pd(level, top), *dot);
	return integers;
}

AVX512 void
vecidx_avx512_level(const float *x, int n, VecIdxLeveling *leveling, uint8 *u)
{
	__m512d		dot_low = _mm512_setzero_pd();
	__m512d		dot_high = _mm512_setzero_pd();
	__m256i		sum = _mm256_setzero_si256();
	__m256i		squares = _mm256_setzero_si256();

	for (int i = 0; i < n; i += 16)
	{
		__m256i		low = level_eight_avx512(_mm256_loadu_ps(x + i), leveling, &dot_low);
		__m256i		high = level_eight_avx512(_mm256_loadu_ps(x + i + 8), leveling, &dot_high);

		_mm_storel_epi64((__m128i *) (u + i), _mm256_cvtepi32_epi8(low));
		_mm_storel_epi64((__m128i *) (u + i + 8), _mm256_cvtepi32_epi8(high));
		sum = _mm256_add_epi32(sum, _mm256_add_epi32(low, high));
		/* the upper halves are zero */
		squares = _mm256_add_epi32(squares, _mm256_add_epi32(_mm256_madd_epi16(low, low), _mm256_madd_epi16(high, high)));
	}
	leveling->dot = sum_doubles_avx512(dot_low, dot_high);
	leveling->sum = sum_int32_avx2(sum);
	leveling->squares = sum_int32_avx2(squares);
}

/* Nothing is fused, for the bits of vecidx_line_estimate. */
AVX512 void
vecidx_avx512_estimates(const VecIdxLine *line, const int32 *dots, const float *f0, const float *f1,
						int count, float *estimates)
{
	const __m512d base = _mm512_set1_pd(line->base);
	const __m512d step = _mm512_set1_pd(line->step);
	const __m512d offset = _mm512_set1_pd(line->offset);

	for (int i = 0; i < count; i += 8)
	{
		__mmask8	mask = (__mmask8) first_lanes_avx512(count - i);
		__m512d		value = _mm512_cvtepi32_pd(_mm256_maskz_loadu_epi32(mask, dots + i));

		value = _mm512_mul_pd(step, _mm512_sub_pd(value, offset));
		value = _mm512_mul_pd(_mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, f1 + i)), value);
		value = _mm512_add_pd(_mm512_add_pd(base, _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, f0 + i))), value);
		value = _mm512_min_pd(value, _mm512_set1_pd(FLT_MAX));
		value = _mm512_max_pd(value, _mm512_set1_pd(-FLT_MAX));
		_mm256_mask_storeu_ps(estimates + i, mask, _mm512_cvtpd_ps(value));
	}
}

AVX512 void
vecidx_avx512_planes(const int8 *v, int n, uint8 *planes)
{
	memset(planes, 0, VECIDX_PLANES_SIZE(n));
	for (int i = 0; i < n; i += 64)
	{
		__m512i		bytes = load_bytes_avx512(v + i);
		uint8	   *plane = planes + i / 128 * 64 + i % 128 / 8;

		for (int j = 0; j < 4; j++)
		{
			uint64		bits = _mm512_test_epi8_mask(bytes, _mm512_set1_epi8((char) (1 << j)));

			memcpy(plane + 16 * j, &bits, sizeof(bits));
		}
	}
}

/* Replaces a and b by their sum and difference. */
AVX512 static inline void
butterfly_avx512(__m512 *a, __m512 *b)
{
	__m512		sum = _mm512_add_ps(*a, *b);

	*b = _mm512_sub_ps(*a, *b);
	*a = sum;
}

AVX512 void
vecidx_avx512_multiply(float *x, const float *factors, int n)
{
	for (int i = 0; i < n; i += 16)
		_mm512_storeu_ps(x + i, _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(factors + i)));
}

AVX512 void
vecidx_avx512_butterfly(float *x, float *y, int n)
{
	for (int i = 0; i < n; i += 16)
	{
		__m512		a = _mm512_loadu_ps(x + i);
		__m512		b = _mm512_loadu_ps(y + i);

		butterfly_avx512(&a, &b);
		_mm512_storeu_ps(x + i, a);
		_mm512_storeu_ps(y + i, b);
	}
}

/*
 * Butterflies at distance 1, 2, 4 and 8, inside a vector.  Factors of 1 and -1
 * round nothing, so fused multiplications give the bits of additions.
 */
AVX512 static inline __m512
butterflies_within_avx512(__m512 v)
{
	const __m512 one = _mm512_set1_ps(1.0f);
	const __m512 minus = _mm512_set1_ps(-1.0f);

	v = _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xaaaa, one, minus), _mm512_permute_ps(v, 0xb1));
	v = _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xcccc, one, minus), _mm512_permute_ps(v, 0x4e));
	v = _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xf0f0, one, minus), _mm512_shuffle_f32x4(v, v, 0xb1));
	return _mm512_fmadd_ps(v, _mm512_mask_blend_ps(0xff00, one, minus), _mm512_shuffle_f32x4(v, v, 0x4e));
}

/* Sixteen floats at an offset; within: multiplied by factors, and with the butterflies among them. */
AVX512 static inline __m512
load_avx512(const float *x, const float *factors, int offset, bool within)
{
	__m512		v = _mm512_loadu_ps(x + offset);

	if (factors != NULL)
		v = _mm512_mul_ps(v, _mm512_loadu_ps(factors + offset));
	return within ? butterflies_within_avx512(v) : v;
}

/*
 * Butterflies at distance h, 2 h and 4 h for eight vectors that lie h floats
 * apart; with within, the factors and the butterflies inside the vectors
 * before (h = 16 then).
 */
AVX512 static inline void
eight_avx512(float *x, const float *factors, int h, bool within)
{
	__m512		v0 = load_avx512(x, factors, 0, within);
	__m512		v1 = load_avx512(x, factors, h, within);
	__m512		v2 = load_avx512(x, factors, 2 * h, within);
	__m512		v3 = load_avx512(x, factors, 3 * h, within);
	__m512		v4 = load_avx512(x, factors, 4 * h, within);
	__m512		v5 = load_avx512(x, factors, 5 * h, within);
	__m512		v6 = load_avx512(x, factors, 6 * h, within);
	__m512		v7 = load_avx512(x, factors, 7 * h, within);

	butterfly_avx512(&v0, &v1);
	butterfly_avx512(&v2, &v3);
	butterfly_avx512(&v4, &v5);
	butterfly_avx512(&v6, &v7);
	butterfly_avx512(&v0, &v2);
	butterfly_avx512(&v1, &v3);
	butterfly_avx512(&v4, &v6);
	butterfly_avx512(&v5, &v7);
	butterfly_avx512(&v0, &v4);
	butterfly_avx512(&v1, &v5);
	butterfly_avx512(&v2, &v6);
	butterfly_avx512(&v3, &v7);
	_mm512_storeu_ps(x, v0);
	_mm512_storeu_ps(x + h, v1);
	_mm512_storeu_ps(x + 2 * h, v2);
	_mm512_storeu_ps(x + 3 * h, v3);
	_mm512_storeu_ps(x + 4 * h, v4);
	_mm512_storeu_ps(x + 5 * h, v5);
	_mm512_storeu_ps(x + 6 * h, v6);
	_mm512_storeu_ps(x + 7 * h, v7);
}

/* The last butterflies, n / 4 and n / 2 apart. */
AVX512 static void
last_two_avx512(float *x, int n)
{
	int			h = n / 4;

	for (int i = 0; i < h; i += 16)
	{
		__m512		a = _mm512_loadu_ps(x + i);
		__m512		b = _mm512_loadu_ps(x + i + h);
		__m512		c = _mm512_loadu_ps(x + i + 2 * h);
		__m512		d = _mm512_loadu_ps(x + i + 3 * h);

		butterfly_avx512(&a, &b);
		butterfly_avx512(&c, &d);
		butterfly_avx512(&a, &c);
		butterfly_avx512(&b, &d);
		_mm512_storeu_ps(x + i, a);
		_mm512_storeu_ps(x + i + h, b);
		_mm512_storeu_ps(x + i + 2 * h, c);
		_mm512_storeu_ps(x + i + 3 * h, d);
	}
}

AVX512 void
vecidx_avx512_hadamard(float *x, const float *factors, int n)
{
	int			h;

	if (n < 128)
	{
		vecidx_avx2_hadamard(x, factors, n);
		return;
	}
	for (int i = 0; i < n; i += 128)
		eight_avx512(x + i, factors == NULL ? NULL : factors + i, 16, true);
	for (h = 128; h * 8 <= n; h *= 8)
	{
		for (int i = 0; i < n; i += 8 * h)
		{
			for (int j = i; j < i + h; j += 16)
				eight_avx512(x + j, NULL, h, false);
		}
	}
	if (h * 4 == n)
		last_two_avx512(x, n);
	else if (h * 2 == n)
		vecidx_avx512_butterfly(x, x + h, h);
}

#endif							/* VECIDX_KERNELS_X86 */
