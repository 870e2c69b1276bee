/*
 * avx512_codes.c
 *	  AVX-512: the entries that read codes.
 */
#include "c.h"

#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

/* 16 bytes, in all quarters. */
AVX512 static inline __m512i
load_four_times_avx512(const uint8 *p)
{
	return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *) p));
}

/* Four 32-bit integers of the same value in each quarter. */
AVX512 static inline __m512i
quarters_avx512(int q0, int q1, int q2, int q3)
{
	return _mm512_setr_epi32(q0, q0, q0, q0, q1, q1, q1, q1, q2, q2, q2, q2, q3, q3, q3, q3);
}

/* Stores the sums of width vectors, 1 or 4. */
AVX512 static inline void
store_sums_avx512(const __m512i *sum, int width, int32 *sums)
{
	__m512i		ab;
	__m512i		cd;
	__m256i		eight;

	if (width == 1)
	{
		*sums = _mm512_reduce_add_epi32(*sum);
		return;
	}
	ab = _mm512_add_epi32(_mm512_unpacklo_epi32(sum[0], sum[1]), _mm512_unpackhi_epi32(sum[0], sum[1]));
	cd = _mm512_add_epi32(_mm512_unpacklo_epi32(sum[2], sum[3]), _mm512_unpackhi_epi32(sum[2], sum[3]));
	ab = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
	eight = _mm256_add_epi32(_mm512_castsi512_si256(ab), _mm512_extracti64x4_epi64(ab, 1));
	_mm_storeu_si128((__m128i *) sums, _mm_add_epi32(_mm256_castsi256_si128(eight),
													 _mm256_extracti128_si256(eight, 1)));
}

/*
 * The functions *_width do width codes at a time, 1 or 4: a constant where they
 * are inlined, so that all their arrays are registers.
 */

/* Each quarter counts one plane. */
AVX512 static pg_attribute_always_inline void
dot_b1_width(const uint8 *const *codes, int width, const uint8 *planes, int n, int32 *dots)
{
	const __m512i shift = quarters_avx512(0, 1, 2, 3);
	__m512i		sum[4];
	int			i = 0;

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = _mm512_setzero_si512();
	for (; i + 128 <= n; i += 128)
	{
		__m512i		p = load_bytes_avx512(planes + i / 2);

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
		{
			__m512i		hits = _mm512_and_si512(load_four_times_avx512(codes[j] + i / 8), p);

			sum[j] = _mm512_add_epi32(sum[j], _mm512_popcnt_epi64(hits));
		}
	}
	if (i < n)
	{
		/* half a block is left, where the code ends */
		__m512i		p = load_bytes_avx512(planes + i / 2);

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
		{
			__m128i		half = _mm_loadl_epi64((const __m128i *) (codes[j] + i / 8));
			__m512i		hits = _mm512_and_si512(_mm512_broadcast_i32x4(half), p);

			sum[j] = _mm512_add_epi32(sum[j], _mm512_popcnt_epi64(hits));
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
	{
		/* plane 3 weighs -8 */
		sum[j] = _mm512_sllv_epi32(sum[j], shift);
		sum[j] = _mm512_mask_sub_epi32(sum[j], 0xf000, _mm512_setzero_si512(), sum[j]);
	}
	store_sums_avx512(sum, width, dots);
}

/*
 * Below, the second 64 of 128 dimensions have sums of their own, because each
 * multiplication waits for the sum of the one before.
 */

/*
 * Each quarter takes its group of 16 levels where it stands in the bytes, 1, 4,
 * 16 or 64 times too large; a shift of the sum mends that.
 */
AVX512 static inline __m512i
add_b2_avx512(__m512i sum, const uint8 *code, __m512i v)
{
	const __m512i mask = quarters_avx512(0x03030303, 0x0c0c0c0c, 0x30303030, (int) 0xc0c0c0c0);

	return _mm512_dpbusd_epi32(sum, _mm512_and_si512(load_four_times_avx512(code), mask), v);
}

AVX512 static pg_attribute_always_inline void
dot_b2_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const __m512i shift = quarters_avx512(0, 2, 4, 6);
	__m512i		sum[4];
	__m512i		second[4];
	int			i = 0;

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = second[j] = _mm512_setzero_si512();
	for (; i + 128 <= n; i += 128)
	{
		__m512i		v = load_bytes_avx512(q + i);
		__m512i		w = load_bytes_avx512(q + i + 64);

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
		{
			sum[j] = add_b2_avx512(sum[j], codes[j] + i / 4, v);
			second[j] = add_b2_avx512(second[j], codes[j] + i / 4 + 16, w);
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
	{
		if (i < n)
			sum[j] = add_b2_avx512(sum[j], codes[j] + i / 4, load_bytes_avx512(q + i));
		sum[j] = _mm512_srav_epi32(_mm512_add_epi32(sum[j], second[j]), shift);
	}
	store_sums_avx512(sum, width, dots);
}

/* Likewise: two blocks, whose low levels the lower half takes, the high ones the upper half. */
AVX512 static inline __m512i
add_b4_avx512(__m512i sum, const uint8 *code, __m512i v)
{
	const __m512i mask = quarters_avx512(0x0f0f0f0f, 0x0f0f0f0f, (int) 0xf0f0f0f0, (int) 0xf0f0f0f0);
	__m512i		c = _mm512_broadcast_i64x4(load_bytes_avx2(code));

	return _mm512_dpbusd_epi32(sum, _mm512_and_si512(c, mask), v);
}

/* The query's integers in the order that add_b4_avx512 needs. */
AVX512 static inline __m512i
load_b4_query_avx512(const int8 *q)
{
	__m512i		v = load_bytes_avx512(q);

	return _mm512_shuffle_i32x4(v, v, _MM_SHUFFLE(3, 1, 2, 0));
}

AVX512 static pg_attribute_always_inline void
dot_b4_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const __m512i shift = quarters_avx512(0, 0, 4, 4);
	__m512i		sum[4];
	__m512i		second[4];
	int			i = 0;

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = second[j] = _mm512_setzero_si512();
	for (; i + 128 <= n; i += 128)
	{
		__m512i		v = load_b4_query_avx512(q + i);
		__m512i		w = load_b4_query_avx512(q + i + 64);

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
		{
			sum[j] = add_b4_avx512(sum[j], codes[j] + i / 2, v);
			second[j] = add_b4_avx512(second[j], codes[j] + i / 2 + 32, w);
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
	{
		if (i < n)
			sum[j] = add_b4_avx512(sum[j], codes[j] + i / 2, load_b4_query_avx512(q + i));
		sum[j] = _mm512_srav_epi32(_mm512_add_epi32(sum[j], second[j]), shift);
	}
	store_sums_avx512(sum, width, dots);
}

AVX512 static pg_attribute_always_inline void
dot_b8_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	__m512i		sum[4];
	__m512i		second[4];
	int			i = 0;

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = second[j] = _mm512_setzero_si512();
	for (; i + 128 <= n; i += 128)
	{
		__m512i		v = load_bytes_avx512(q + i);
		__m512i		w = load_bytes_avx512(q + i + 64);

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
		{
			sum[j] = _mm512_dpbusd_epi32(sum[j], load_bytes_avx512(codes[j] + i), v);
			second[j] = _mm512_dpbusd_epi32(second[j], load_bytes_avx512(codes[j] + i + 64), w);
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
	{
		if (i < n)
			sum[j] = _mm512_dpbusd_epi32(sum[j], load_bytes_avx512(codes[j] + i), load_bytes_avx512(q + i));
		sum[j] = _mm512_add_epi32(sum[j], second[j]);
	}
	store_sums_avx512(sum, width, dots);
}

VECIDX_CODE_ENTRIES(AVX512, dot_b1, uint8)
VECIDX_CODE_ENTRIES(AVX512, dot_b2, int8)
VECIDX_CODE_ENTRIES(AVX512, dot_b4, int8)
VECIDX_CODE_ENTRIES(AVX512, dot_b8, int8)

/* Sixteen levels, a byte each, times sixteen floats. */
AVX512 static inline __m512
add_levels_avx512(__m128i levels, const float *z, __m512 sum)
{
	__m512		u = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(levels));

	return _mm512_fmadd_ps(u, _mm512_loadu_ps(z), sum);
}

AVX512 static float
dotf_b8_avx512(const uint8 *code, const float *z, int n)
{
	__m512		sum0 = _mm512_setzero_ps();
	__m512		sum1 = _mm512_setzero_ps();
	__m512		sum2 = _mm512_setzero_ps();
	__m512		sum3 = _mm512_setzero_ps();

	for (int i = 0; i < n; i += 64)
	{
		const uint8 *c = code + i;

		sum0 = add_levels_avx512(_mm_loadu_si128((const __m128i *) c), z + i, sum0);
		sum1 = add_levels_avx512(_mm_loadu_si128((const __m128i *) (c + 16)), z + i + 16, sum1);
		sum2 = add_levels_avx512(_mm_loadu_si128((const __m128i *) (c + 32)), z + i + 32, sum2);
		sum3 = add_levels_avx512(_mm_loadu_si128((const __m128i *) (c + 48)), z + i + 48, sum3);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum0, sum1), _mm512_add_ps(sum2, sum3)));
}

/* Sixteen bytes are 32 levels: first the low halves, then the high ones. */
AVX512 static float
dotf_b4_avx512(const uint8 *code, const float *z, int n)
{
	const __m512i mask = _mm512_set1_epi32(15);
	__m512		sum0 = _mm512_setzero_ps();
	__m512		sum1 = _mm512_setzero_ps();
	__m512		sum2 = _mm512_setzero_ps();
	__m512		sum3 = _mm512_setzero_ps();

	for (int i = 0; i < n; i += 64)
	{
		const uint8 *c = code + i / 2;
		__m512i		first = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *) c));
		__m512i		second = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *) (c + 16)));

		sum0 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_and_si512(first, mask)),
							   _mm512_loadu_ps(z + i), sum0);
		sum1 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(first, 4)),
							   _mm512_loadu_ps(z + i + 16), sum1);
		sum2 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_and_si512(second, mask)),
							   _mm512_loadu_ps(z + i + 32), sum2);
		sum3 = _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(second, 4)),
							   _mm512_loadu_ps(z + i + 48), sum3);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum0, sum1), _mm512_add_ps(sum2, sum3)));
}

/* The last 64 dimensions may be half a vector. */
AVX512 static int32
pair_b4_avx512(const uint8 *a, const uint8 *b, int n)
{
	const __m512i mask = _mm512_set1_epi8(15);
	__m512i		low = _mm512_setzero_si512();
	__m512i		high = _mm512_setzero_si512();

	for (int i = 0; i < n / 2; i += 64)
	{
		__mmask16	words = first_lanes_avx512((n / 2 - i) / 4);
		__m512i		u = _mm512_maskz_loadu_epi32(words, a + i);
		__m512i		w = _mm512_maskz_loadu_epi32(words, b + i);

		low = _mm512_dpbusd_epi32(low, _mm512_and_si512(u, mask), _mm512_and_si512(w, mask));
		u = _mm512_and_si512(_mm512_srli_epi32(u, 4), mask);
		w = _mm512_and_si512(_mm512_srli_epi32(w, 4), mask);
		high = _mm512_dpbusd_epi32(high, u, w);
	}
	return _mm512_reduce_add_epi32(_mm512_add_epi32(low, high));
}

/* The second factor must be signed: w - 128, and 128 times the sum of u is missing. */
AVX512 static int32
pair_b8_avx512(const uint8 *a, const uint8 *b, int n)
{
	const __m512i middle = _mm512_set1_epi8((char) 128);
	const __m512i ones = _mm512_set1_epi8(1);
	__m512i		sum = _mm512_setzero_si512();
	__m512i		levels = _mm512_setzero_si512();

	for (int i = 0; i < n; i += 64)
	{
		__m512i		u = load_bytes_avx512(a + i);

		sum = _mm512_dpbusd_epi32(sum, u, _mm512_xor_si512(load_bytes_avx512(b + i), middle));
		levels = _mm512_dpbusd_epi32(levels, u, ones);
	}
	return _mm512_reduce_add_epi32(_mm512_add_epi32(sum, _mm512_slli_epi32(levels, 7)));
}

AVX512 static int32
hamming_avx512(const uint8 *a, const uint8 *b, int nbytes)
{
	__m512i		sum = _mm512_setzero_si512();

	for (int i = 0; i < nbytes; i += 64)
	{
		int			left = nbytes - i;
		__mmask64	mask = left >= 64 ? ~UINT64CONST(0) : (UINT64CONST(1) << left) - 1;
		__m512i		differ = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, a + i),
											  _mm512_maskz_loadu_epi8(mask, b + i));

		sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(differ));
	}
	return (int32) _mm512_reduce_add_epi64(sum);
}

const VecIdxKernels vecidx_kernels_avx512 = {
	.name = "avx512",
	.dot_b1 = dot_b1,
	.dot_b2 = dot_b2,
	.dot_b4 = dot_b4,
	.dot_b8 = dot_b8,
	.dots_b1 = dot_b1_batch,
	.dots_b2 = dot_b2_batch,
	.dots_b4 = dot_b4_batch,
	.dots_b8 = dot_b8_batch,
	.dotf_b4 = dotf_b4_avx512,
	.dotf_b8 = dotf_b8_avx512,
	.pair_b4 = pair_b4_avx512,
	.pair_b8 = pair_b8_avx512,
	.hamming = hamming_avx512,
	VECIDX_ROW_KERNELS(avx512),
	.within = &vecidx_within_avx2,
	.crc_quarters = vecidx_x86_crc_quarters,
};

#endif							/* VECIDX_KERNELS_X86 */
