/*
 * avx2_rows.c
 *	  AVX2: the entries for floats alone.
 */
#include "c.h"

#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

/* All ones in the first count of 8 lanes. */
AVX2 static inline __m256i
first_lanes_avx2(int count)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

AVX2 float
vecidx_avx2_dot(const float *a, const float *b, int n)
{
	__m256		sum0 = _mm256_setzero_ps();
	__m256		sum1 = _mm256_setzero_ps();
	__m256		sum2 = _mm256_setzero_ps();
	__m256		sum3 = _mm256_setzero_ps();
	int			i = 0;

	for (; i + 32 <= n; i += 32)
	{
		sum0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum0);
		sum1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), sum1);
		sum2 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), sum2);
		sum3 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), sum3);
	}
	for (; i < n; i += 8)
	{
		__m256i		mask = first_lanes_avx2(n - i);

		sum0 = _mm256_fmadd_ps(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask), sum0);
	}
	return sum_floats_avx2(_mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

AVX2 static inline __m256
add_square_avx2(__m256 a, __m256 b, __m256 sum)
{
	__m256		d = _mm256_sub_ps(a, b);

	return _mm256_fmadd_ps(d, d, sum);
}

AVX2 float
vecidx_avx2_l2sq(const float *a, const float *b, int n)
{
	__m256		sum0 = _mm256_setzero_ps();
	__m256		sum1 = _mm256_setzero_ps();
	__m256		sum2 = _mm256_setzero_ps();
	__m256		sum3 = _mm256_setzero_ps();
	int			i = 0;

	for (; i + 32 <= n; i += 32)
	{
		sum0 = add_square_avx2(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum0);
		sum1 = add_square_avx2(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), sum1);
		sum2 = add_square_avx2(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), sum2);
		sum3 = add_square_avx2(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), sum3);
	}
	for (; i < n; i += 8)
	{
		__m256i		mask = first_lanes_avx2(n - i);

		sum0 = add_square_avx2(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask), sum0);
	}
	return sum_floats_avx2(_mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

AVX2 void
vecidx_avx2_half_to_float(const uint8 *half, float *out, int n)
{
	int			i = 0;

	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) (half + 2 * i))));
	vecidx_kernels_scalar.half_to_float(half + 2 * i, out + i, n - i);
}

/* Adds the products of 4 floats, exact in double, to 4 lanes. */
AVX2 static inline __m256d
add_wide_avx2(__m256d sum, __m128 a, __m128 b)
{
	return _mm256_fmadd_pd(_mm256_cvtps_pd(a), _mm256_cvtps_pd(b), sum);
}

AVX2 double
vecidx_avx2_dot_wide(const float *a, const float *b, int n)
{
	__m256d		v0 = _mm256_setzero_pd();
	__m256d		v1 = _mm256_setzero_pd();
	__m256d		v2 = _mm256_setzero_pd();
	__m256d		v3 = _mm256_setzero_pd();

	for (int i = 0; i < n; i += 16)
	{
		__m256i		low = first_lanes_avx2(n - i);
		__m256i		high = first_lanes_avx2(n - i - 8);
		__m256		a0 = _mm256_maskload_ps(a + i, low);
		__m256		b0 = _mm256_maskload_ps(b + i, low);
		__m256		a1 = _mm256_maskload_ps(a + i + 8, high);
		__m256		b1 = _mm256_maskload_ps(b + i + 8, high);

		v0 = add_wide_avx2(v0, _mm256_castps256_ps128(a0), _mm256_castps256_ps128(b0));
		v1 = add_wide_avx2(v1, _mm256_extractf128_ps(a0, 1), _mm256_extractf128_ps(b0, 1));
		v2 = add_wide_avx2(v2, _mm256_castps256_ps128(a1), _mm256_castps256_ps128(b1));
		v3 = add_wide_avx2(v3, _mm256_extractf128_ps(a1, 1), _mm256_extractf128_ps(b1, 1));
	}
	return sum_doubles_avx2(v0, v1, v2, v3);
}

AVX2 void
vecidx_avx2_scale(float *x, double factor, int n)
{
	const __m256d factors = _mm256_set1_pd(factor);
	int			i = 0;

	for (; i + 4 <= n; i += 4)
	{
		__m256d		wide = _mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(x + i)), factors);

		_mm_storeu_ps(x + i, _mm256_cvtpd_ps(wide));
	}
	vecidx_kernels_scalar.scale(x + i, factor, n - i);
}

AVX2 static inline float
largest_of_four(__m128 v)
{
	v = _mm_max_ps(v, _mm_movehl_ps(v, v));
	return _mm_cvtss_f32(_mm_max_ss(v, _mm_shuffle_ps(v, v, 1)));
}

AVX2 float
vecidx_avx2_subtract(const float *a, const float *b, float *out, int n)
{
	const __m256 sign = _mm256_set1_ps(-0.0f);
	__m256		largest = _mm256_setzero_ps();
	__m128		four;
	int			i = 0;
	float		rest;

	for (; i + 8 <= n; i += 8)
	{
		__m256		d = _mm256_sub_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));

		largest = _mm256_max_ps(largest, _mm256_andnot_ps(sign, d));
		_mm256_storeu_ps(out + i, d);
	}
	four = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
	rest = vecidx_kernels_scalar.subtract(a + i, b + i, out + i, n - i);
	return Max(rest, largest_of_four(four));
}

AVX2 void
vecidx_avx2_measure(const float *x, int n, VecIdxMoments *moments)
{
	const __m128 sign = _mm_set1_ps(-0.0f);
	__m256d		sum[4];
	__m256d		squares[4];
	__m128		largest[4];
	__m128		four;

	for (int j = 0; j < 4; j++)
	{
		sum[j] = squares[j] = _mm256_setzero_pd();
		largest[j] = _mm_setzero_ps();
	}
	for (int i = 0; i < n; i += 16)
	{
#pragma GCC unroll 4
		for (int j = 0; j < 4; j++)
		{
			__m128		v = _mm_loadu_ps(x + i + 4 * j);
			__m256d		wide = _mm256_cvtps_pd(v);

			sum[j] = _mm256_add_pd(sum[j], wide);
			squares[j] = _mm256_fmadd_pd(wide, wide, squares[j]);
			largest[j] = _mm_max_ps(largest[j], _mm_andnot_ps(sign, v));
		}
	}
	moments->sum = sum_doubles_avx2(sum[0], sum[1], sum[2], sum[3]);
	moments->squares = sum_doubles_avx2(squares[0], squares[1], squares[2], squares[3]);
	four = _mm_max_ps(_mm_max_ps(largest[0], largest[1]), _mm_max_ps(largest[2], largest[3]));
	moments->largest = largest_of_four(four);
}

/* Eight floats as levels, integers + bottom; no fused multiplication, for equal bits in all sets. */
AVX2 static inline __m256i
round_eight_avx2(__m256 x, const VecIdxRounding *rounding)
{
	__m256		level = _mm256_mul_ps(x, _mm256_set1_ps(rounding->inverse));

	level = _mm256_add_ps(level, _mm256_set1_ps((float) rounding->bottom + 0.5f));
	level = _mm256_max_ps(level, _mm256_setzero_ps());
	level = _mm256_min_ps(level, _mm256_set1_ps((float) (rounding->bottom + rounding->top)));
	return _mm256_sub_epi32(_mm256_cvttps_epi32(level), _mm256_set1_epi32(rounding->bottom));
}

AVX2 void
vecidx_avx2_round(const float *x, int n, VecIdxRounding *rounding, int8 *v)
{
	__m256d		dot[4];
	__m128i		sum = _mm_setzero_si128();
	__m128i		squares = _mm_setzero_si128();

	for (int j = 0; j < 4; j++)
		dot[j] = _mm256_setzero_pd();
	for (int i = 0; i < n; i += 16)
	{
		__m256i		low = round_eight_avx2(_mm256_loadu_ps(x + i), rounding);
		__m256i		high = round_eight_avx2(_mm256_loadu_ps(x + i + 8), rounding);
		__m256i		words = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
		__m128i		words0 = _mm256_castsi256_si128(words);
		__m128i		words1 = _mm256_extracti128_si256(words, 1);
		const __m128i ones = _mm_set1_epi16(1);

		_mm_storeu_si128((__m128i *) (v + i), _mm_packs_epi16(words0, words1));
		sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_add_epi16(words0, words1), ones));
		squares = _mm_add_epi32(squares, _mm_add_epi32(_mm_madd_epi16(words0, words0),
													   _mm_madd_epi16(words1, words1)));
		dot[0] = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(x + i)),
								 _mm256_cvtepi32_pd(_mm256_castsi256_si128(low)), dot[0]);
		dot[1] = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(x + i + 4)),
								 _mm256_cvtepi32_pd(_mm256_extracti128_si256(low, 1)), dot[1]);
		dot[2] = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(x + i + 8)),
								 _mm256_cvtepi32_pd(_mm256_castsi256_si128(high)), dot[2]);
		dot[3] = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(x + i + 12)),
								 _mm256_cvtepi32_pd(_mm256_extracti128_si256(high, 1)), dot[3]);
	}
	rounding->dot = sum_doubles_avx2(dot[0], dot[1], dot[2], dot[3]);
	rounding->sum = sum_int32_avx2(_mm256_zextsi128_si256(sum));
	rounding->squares = sum_int32_avx2(_mm256_zextsi128_si256(squares));
}

/* The levels of 4 floats; adds their products with twice these less top. */
AVX2 static inline __m128i
level_four_avx2(__m128 x, const VecIdxLeveling *leveling, __m256d *dot)
{
	__m256d		wide = _mm256_cvtps_pd(x);
	__m256d		top = _mm256_set1_pd(leveling->top);
	__m256d		level = _mm256_fmadd_pd(wide, _mm256_set1_pd(leveling->inverse),
										_mm256_set1_pd((leveling->top + 1) / 2));
	__m128i		integers;

	integers = _mm256_cvttpd_epi32(_mm256_min_pd(_mm256_max_pd(level, _mm256_setzero_pd()), top));
	level = _mm256_cvtepi32_pd(_mm_slli_epi32(integers, 1));
	*dot = _mm256_fmadd_pd(wide, _mm256_sub_pd(level, top), *dot);
	return integers;
}

AVX2 void
vecidx_avx2_level(const float *x, int n, VecIdxLeveling *leveling, uint8 *u)
{
	__m256d		dot[4];
	__m128i		sum = _mm_setzero_si128();
	__m128i		squares = _mm_setzero_si128();

	for (int j = 0; j < 4; j++)
		dot[j] = _mm256_setzero_pd();
	for (int i = 0; i < n; i += 16)
	{
		__m128i		low = _mm_packs_epi32(level_four_avx2(_mm_loadu_ps(x + i), leveling, &dot[0]),
										  level_four_avx2(_mm_loadu_ps(x + i + 4), leveling, &dot[1]));
		__m128i		high = _mm_packs_epi32(level_four_avx2(_mm_loadu_ps(x + i + 8), leveling, &dot[2]),
										   level_four_avx2(_mm_loadu_ps(x + i + 12), leveling, &dot[3]));
		__m128i		levels = _mm_packus_epi16(low, high);

		_mm_storeu_si128((__m128i *) (u + i), levels);
		sum = _mm_add_epi32(sum, _mm_sad_epu8(levels, _mm_setzero_si128()));
		squares = _mm_add_epi32(squares, _mm_add_epi32(_mm_madd_epi16(low, low), _mm_madd_epi16(high, high)));
	}
	leveling->dot = sum_doubles_avx2(dot[0], dot[1], dot[2], dot[3]);
	leveling->sum = sum_int32_avx2(_mm256_zextsi128_si256(sum));
	leveling->squares = sum_int32_avx2(_mm256_zextsi128_si256(squares));
}

/* Nothing is fused, for the bits of vecidx_line_estimate. */
AVX2 void
vecidx_avx2_estimates(const VecIdxLine *line, const int32 *dots, const float *f0, const float *f1,
					  int count, float *estimates)
{
	const __m256d base = _mm256_set1_pd(line->base);
	const __m256d step = _mm256_set1_pd(line->step);
	const __m256d offset = _mm256_set1_pd(line->offset);
	int			i = 0;

	for (; i + 4 <= count; i += 4)
	{
		__m256d		value = _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *) (dots + i)));

		value = _mm256_mul_pd(step, _mm256_sub_pd(value, offset));
		value = _mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(f1 + i)), value);
		value = _mm256_add_pd(_mm256_add_pd(base, _mm256_cvtps_pd(_mm_loadu_ps(f0 + i))), value);
		value = _mm256_min_pd(value, _mm256_set1_pd(FLT_MAX));
		value = _mm256_max_pd(value, _mm256_set1_pd(-FLT_MAX));
		_mm_storeu_ps(estimates + i, _mm256_cvtpd_ps(value));
	}
	vecidx_kernels_scalar.estimates(line, dots + i, f0 + i, f1 + i, count - i, estimates + i);
}

/* The sign bits of the bytes, after a shift that makes bit j of each its sign. */
AVX2 void
vecidx_avx2_planes(const int8 *v, int n, uint8 *planes)
{
	memset(planes, 0, VECIDX_PLANES_SIZE(n));
	for (int i = 0; i < n; i += 32)
	{
		__m256i		bytes = load_bytes_avx2(v + i);
		uint8	   *plane = planes + i / 128 * 64 + i % 128 / 8;

		for (int j = 3; j >= 0; j--)
		{
			/* bits of the lower byte move into the upper one, below its sign */
			int32		bits = _mm256_movemask_epi8(_mm256_slli_epi16(bytes, 7 - j));

			memcpy(plane + 16 * j, &bits, sizeof(bits));
		}
	}
}

/* Replaces a and b by their sum and difference. */
AVX2 static inline void
butterfly_avx2(__m256 *a, __m256 *b)
{
	__m256		sum = _mm256_add_ps(*a, *b);

	*b = _mm256_sub_ps(*a, *b);
	*a = sum;
}

AVX2 void
vecidx_avx2_multiply(float *x, const float *factors, int n)
{
	for (int i = 0; i < n; i += 8)
		_mm256_storeu_ps(x + i, _mm256_mul_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(factors + i)));
}

AVX2 void
vecidx_avx2_butterfly(float *x, float *y, int n)
{
	for (int i = 0; i < n; i += 8)
	{
		__m256		a = _mm256_loadu_ps(x + i);
		__m256		b = _mm256_loadu_ps(y + i);

		butterfly_avx2(&a, &b);
		_mm256_storeu_ps(x + i, a);
		_mm256_storeu_ps(y + i, b);
	}
}

/* Butterflies at distance 1, 2 and 4, inside a vector. */
AVX2 static inline __m256
butterflies_within_avx2(__m256 v)
{
	const __m256 minus1 = _mm256_setr_ps(0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f, 0.0f, -0.0f);
	const __m256 minus2 = _mm256_setr_ps(0.0f, 0.0f, -0.0f, -0.0f, 0.0f, 0.0f, -0.0f, -0.0f);
	const __m256 minus4 = _mm256_setr_ps(0.0f, 0.0f, 0.0f, 0.0f, -0.0f, -0.0f, -0.0f, -0.0f);

	v = _mm256_add_ps(_mm256_permute_ps(v, 0xb1), _mm256_xor_ps(v, minus1));
	v = _mm256_add_ps(_mm256_permute_ps(v, 0x4e), _mm256_xor_ps(v, minus2));
	return _mm256_add_ps(_mm256_permute2f128_ps(v, v, 1), _mm256_xor_ps(v, minus4));
}

/*
 * Butterflies at distance h, 2 h and 4 h for eight vectors that lie h floats
 * apart; with within, those inside the vectors before (h = 8 then).
 */
AVX2 static inline void
eight_avx2(float *x, int h, bool within)
{
	__m256		v0 = _mm256_loadu_ps(x);
	__m256		v1 = _mm256_loadu_ps(x + h);
	__m256		v2 = _mm256_loadu_ps(x + 2 * h);
	__m256		v3 = _mm256_loadu_ps(x + 3 * h);
	__m256		v4 = _mm256_loadu_ps(x + 4 * h);
	__m256		v5 = _mm256_loadu_ps(x + 5 * h);
	__m256		v6 = _mm256_loadu_ps(x + 6 * h);
	__m256		v7 = _mm256_loadu_ps(x + 7 * h);

	if (within)
	{
		v0 = butterflies_within_avx2(v0);
		v1 = butterflies_within_avx2(v1);
		v2 = butterflies_within_avx2(v2);
		v3 = butterflies_within_avx2(v3);
		v4 = butterflies_within_avx2(v4);
		v5 = butterflies_within_avx2(v5);
		v6 = butterflies_within_avx2(v6);
		v7 = butterflies_within_avx2(v7);
	}
	butterfly_avx2(&v0, &v1);
	butterfly_avx2(&v2, &v3);
	butterfly_avx2(&v4, &v5);
	butterfly_avx2(&v6, &v7);
	butterfly_avx2(&v0, &v2);
	butterfly_avx2(&v1, &v3);
	butterfly_avx2(&v4, &v6);
	butterfly_avx2(&v5, &v7);
	butterfly_avx2(&v0, &v4);
	butterfly_avx2(&v1, &v5);
	butterfly_avx2(&v2, &v6);
	butterfly_avx2(&v3, &v7);
	_mm256_storeu_ps(x, v0);
	_mm256_storeu_ps(x + h, v1);
	_mm256_storeu_ps(x + 2 * h, v2);
	_mm256_storeu_ps(x + 3 * h, v3);
	_mm256_storeu_ps(x + 4 * h, v4);
	_mm256_storeu_ps(x + 5 * h, v5);
	_mm256_storeu_ps(x + 6 * h, v6);
	_mm256_storeu_ps(x + 7 * h, v7);
}

AVX2 void
vecidx_avx2_hadamard(float *x, const float *factors, int n)
{
	int			h;

	if (n < 64)
	{
		vecidx_kernels_scalar.hadamard(x, factors, n);
		return;
	}
	for (int i = 0; i < n; i += 64)
	{
		if (factors != NULL)
			vecidx_avx2_multiply(x + i, factors + i, 64);
		eight_avx2(x + i, 8, true);
	}
	for (h = 64; h * 8 <= n; h *= 8)
	{
		for (int i = 0; i < n; i += 8 * h)
		{
			for (int j = i; j < i + h; j += 8)
				eight_avx2(x + j, h, false);
		}
	}
	for (; h < n; h *= 2)
	{
		for (int i = 0; i < n; i += 2 * h)
			vecidx_avx2_butterfly(x + i, x + i + h, h);
	}
}

#endif							/* VECIDX_KERNELS_X86 */
