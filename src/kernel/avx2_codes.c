/*
 * avx2_codes.c
 *	  AVX2: the entries that read codes.
 */
#include "c.h"

#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

/* 16 bytes, in both halves. */
AVX2 static inline __m256i
load_twice_avx2(const uint8 *p)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *) p));
}

/* The number of bits in each byte. */
AVX2 static inline __m256i
count_bits_avx2(__m256i v)
{
	const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
										   0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i low = _mm256_set1_epi8(15);

	return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(v, low)),
						   _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low)));
}

/* Stores the sums of width vectors, 1 or 4. */
AVX2 static inline void
store_sums_avx2(const __m256i *sum, int width, int32 *sums)
{
	__m256i		four;

	if (width == 1)
	{
		*sums = sum_int32_avx2(*sum);
		return;
	}
	four = _mm256_hadd_epi32(_mm256_hadd_epi32(sum[0], sum[1]), _mm256_hadd_epi32(sum[2], sum[3]));
	_mm_storeu_si128((__m128i *) sums, _mm_add_epi32(_mm256_castsi256_si128(four),
													 _mm256_extracti128_si256(four, 1)));
}

/*
 * The functions *_width do width codes at a time, 1 or 4: a constant where they
 * are inlined, so that all their arrays are registers.
 */

/* Counts, a byte each, of two planes in two halves: planes 0 and 1, planes 2 and 3. */
typedef struct PlaneCounts
{
	__m256i		lower;
	__m256i		upper;
} PlaneCounts;

AVX2 static inline void
count_planes_avx2(PlaneCounts *counts, __m256i code, __m256i lower, __m256i upper)
{
	counts->lower = _mm256_add_epi8(counts->lower, count_bits_avx2(_mm256_and_si256(code, lower)));
	counts->upper = _mm256_add_epi8(counts->upper, count_bits_avx2(_mm256_and_si256(code, upper)));
}

/* Weighs and adds up counts: the sum of integers 0 and 2 of the result; 1 and 3 are zero. */
AVX2 static inline __m128i
weigh_planes_avx2(const PlaneCounts *counts)
{
	__m256i		lower = _mm256_sad_epu8(counts->lower, _mm256_setzero_si256());
	__m256i		upper = _mm256_slli_epi32(_mm256_sad_epu8(counts->upper, _mm256_setzero_si256()), 2);
	__m128i		even = _mm_add_epi32(_mm256_castsi256_si128(lower), _mm256_castsi256_si128(upper));
	__m128i		odd = _mm_sub_epi32(_mm256_extracti128_si256(lower, 1),
									_mm256_extracti128_si256(upper, 1));

	return _mm_add_epi32(even, _mm_slli_epi32(odd, 1));
}

AVX2 static pg_attribute_always_inline void
dot_b1_width(const uint8 *const *codes, int width, const uint8 *planes, int n, int32 *dots)
{
	__m128i		sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = _mm_setzero_si128();
	for (int i = 0; i < n;)
	{
		PlaneCounts counts[4];
		int			end = Min(n, i + 128 * 31); /* 8 bits, 31 times, fit a byte */

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			counts[j].lower = counts[j].upper = _mm256_setzero_si256();
		for (; i + 128 <= end; i += 128)
		{
			__m256i		lower = load_bytes_avx2(planes + i / 2);
			__m256i		upper = load_bytes_avx2(planes + i / 2 + 32);

#pragma GCC unroll 4
			for (int j = 0; j < width; j++)
				count_planes_avx2(&counts[j], load_twice_avx2(codes[j] + i / 8), lower, upper);
		}
		if (i < end)
		{
			/* half a block is left, where the code ends */
			__m256i		lower = load_bytes_avx2(planes + i / 2);
			__m256i		upper = load_bytes_avx2(planes + i / 2 + 32);

#pragma GCC unroll 4
			for (int j = 0; j < width; j++)
			{
				__m128i		half = _mm_loadl_epi64((const __m128i *) (codes[j] + i / 8));

				count_planes_avx2(&counts[j], _mm256_broadcastsi128_si256(half), lower, upper);
			}
			i = end;
		}
#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			sum[j] = _mm_add_epi32(sum[j], weigh_planes_avx2(&counts[j]));
	}
	if (width == 1)
		*dots = _mm_cvtsi128_si32(_mm_add_epi32(sum[0], _mm_shuffle_epi32(sum[0], 0x4e)));
	else
		_mm_storeu_si128((__m128i *) dots, _mm_hadd_epi32(_mm_hadd_epi32(sum[0], sum[1]),
														  _mm_hadd_epi32(sum[2], sum[3])));
}

/* Shifts of both halves bring two groups of 16 levels down, in their order. */
AVX2 static pg_attribute_always_inline void
dot_b2_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const __m256i shift01 = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2);
	const __m256i mask = _mm256_set1_epi8(3);
	__m256i		sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = _mm256_setzero_si256();
	for (int i = 0; i < n;)
	{
		__m256i		words[4];
		int			end = Min(n, i + 64 * 21);	/* 21 * 4 * 3 * 127 fit 16 bits */

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			words[j] = _mm256_setzero_si256();
		for (; i < end; i += 64)
		{
			__m256i		q01 = load_bytes_avx2(q + i);
			__m256i		q23 = load_bytes_avx2(q + i + 32);

#pragma GCC unroll 4
			for (int j = 0; j < width; j++)
			{
				__m256i		c = _mm256_srlv_epi32(load_twice_avx2(codes[j] + i / 4), shift01);
				__m256i		u01 = _mm256_and_si256(c, mask);
				__m256i		u23 = _mm256_and_si256(_mm256_srli_epi32(c, 4), mask);

				words[j] = _mm256_add_epi16(words[j], _mm256_maddubs_epi16(u01, q01));
				words[j] = _mm256_add_epi16(words[j], _mm256_maddubs_epi16(u23, q23));
			}
		}
#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(words[j], _mm256_set1_epi16(1)));
	}
	store_sums_avx2(sum, width, dots);
}

/* 32 bytes are two blocks; the low halves of their bytes are one vector, the high halves another. */
AVX2 static pg_attribute_always_inline void
dot_b4_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const __m256i mask = _mm256_set1_epi8(15);
	__m256i		sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = _mm256_setzero_si256();
	for (int i = 0; i < n;)
	{
		__m256i		words[4];
		int			end = Min(n, i + 64 * 4);	/* 4 * 4 * 15 * 127 fit 16 bits */

#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			words[j] = _mm256_setzero_si256();
		for (; i < end; i += 64)
		{
			__m256i		q0 = load_bytes_avx2(q + i);
			__m256i		q1 = load_bytes_avx2(q + i + 32);
			__m256i		low = _mm256_permute2x128_si256(q0, q1, 0x20);
			__m256i		high = _mm256_permute2x128_si256(q0, q1, 0x31);

#pragma GCC unroll 4
			for (int j = 0; j < width; j++)
			{
				__m256i		c = load_bytes_avx2(codes[j] + i / 2);
				__m256i		u = _mm256_and_si256(c, mask);
				__m256i		w = _mm256_and_si256(_mm256_srli_epi32(c, 4), mask);

				words[j] = _mm256_add_epi16(words[j], _mm256_maddubs_epi16(u, low));
				words[j] = _mm256_add_epi16(words[j], _mm256_maddubs_epi16(w, high));
			}
		}
#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
			sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(words[j], _mm256_set1_epi16(1)));
	}
	store_sums_avx2(sum, width, dots);
}

/*
 * Two products of unsigned and signed bytes can overflow the 16 bits that
 * maddubs has for them.  u - 128 is small enough, at most 128 in magnitude;
 * what is then missing is 128 times the sum of q.
 */
AVX2 static pg_attribute_always_inline void
dot_b8_width(const uint8 *const *codes, int width, const int8 *q, int n, int32 *dots)
{
	const __m256i middle = _mm256_set1_epi8((char) 128);
	const __m256i ones = _mm256_set1_epi8(1);
	__m256i		missing = _mm256_setzero_si256();
	__m256i		sum[4];

#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = _mm256_setzero_si256();
	for (int i = 0; i < n; i += 32)
	{
		__m256i		v = load_bytes_avx2(q + i);

		missing = _mm256_add_epi32(missing, _mm256_madd_epi16(_mm256_maddubs_epi16(ones, v),
															  _mm256_set1_epi16(128)));
#pragma GCC unroll 4
		for (int j = 0; j < width; j++)
		{
			__m256i		u = _mm256_xor_si256(load_bytes_avx2(codes[j] + i), middle);
			__m256i		products = _mm256_maddubs_epi16(_mm256_abs_epi8(u), _mm256_sign_epi8(v, u));

			sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(products, _mm256_set1_epi16(1)));
		}
	}
#pragma GCC unroll 4
	for (int j = 0; j < width; j++)
		sum[j] = _mm256_add_epi32(sum[j], missing);
	store_sums_avx2(sum, width, dots);
}

VECIDX_CODE_ENTRIES(AVX2, dot_b1, uint8)
VECIDX_CODE_ENTRIES(AVX2, dot_b2, int8)
VECIDX_CODE_ENTRIES(AVX2, dot_b4, int8)
VECIDX_CODE_ENTRIES(AVX2, dot_b8, int8)

/* Eight levels, a byte each, times eight floats. */
AVX2 static inline __m256
add_levels_avx2(__m128i levels, const float *z, __m256 sum)
{
	__m256		u = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(levels));

	return _mm256_fmadd_ps(u, _mm256_loadu_ps(z), sum);
}

AVX2 static float
dotf_b4_avx2(const uint8 *code, const float *z, int n)
{
	const __m128i mask = _mm_set1_epi8(15);
	__m256		sum0 = _mm256_setzero_ps();
	__m256		sum1 = _mm256_setzero_ps();
	__m256		sum2 = _mm256_setzero_ps();
	__m256		sum3 = _mm256_setzero_ps();

	for (int i = 0; i < n; i += 32)
	{
		__m128i		c = _mm_loadu_si128((const __m128i *) (code + i / 2));
		__m128i		low = _mm_and_si128(c, mask);
		__m128i		high = _mm_and_si128(_mm_srli_epi16(c, 4), mask);

		sum0 = add_levels_avx2(low, z + i, sum0);
		sum1 = add_levels_avx2(_mm_srli_si128(low, 8), z + i + 8, sum1);
		sum2 = add_levels_avx2(high, z + i + 16, sum2);
		sum3 = add_levels_avx2(_mm_srli_si128(high, 8), z + i + 24, sum3);
	}
	return sum_floats_avx2(_mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

AVX2 static float
dotf_b8_avx2(const uint8 *code, const float *z, int n)
{
	__m256		sum0 = _mm256_setzero_ps();
	__m256		sum1 = _mm256_setzero_ps();
	__m256		sum2 = _mm256_setzero_ps();
	__m256		sum3 = _mm256_setzero_ps();

	for (int i = 0; i < n; i += 32)
	{
		const uint8 *c = code + i;

		sum0 = add_levels_avx2(_mm_loadl_epi64((const __m128i *) c), z + i, sum0);
		sum1 = add_levels_avx2(_mm_loadl_epi64((const __m128i *) (c + 8)), z + i + 8, sum1);
		sum2 = add_levels_avx2(_mm_loadl_epi64((const __m128i *) (c + 16)), z + i + 16, sum2);
		sum3 = add_levels_avx2(_mm_loadl_epi64((const __m128i *) (c + 24)), z + i + 24, sum3);
	}
	return sum_floats_avx2(_mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

AVX2 static int32
pair_b4_avx2(const uint8 *a, const uint8 *b, int n)
{
	const __m256i mask = _mm256_set1_epi8(15);
	__m256i		sum = _mm256_setzero_si256();

	for (int i = 0; i < n / 2;)
	{
		__m256i		words = _mm256_setzero_si256();
		int			end = Min(n / 2, i + 32 * 32);	/* 32 * 4 * 15 * 15 fit 16 bits */

		for (; i < end; i += 32)
		{
			__m256i		u = load_bytes_avx2(a + i);
			__m256i		w = load_bytes_avx2(b + i);

			words = _mm256_add_epi16(words, _mm256_maddubs_epi16(_mm256_and_si256(u, mask),
																 _mm256_and_si256(w, mask)));
			u = _mm256_and_si256(_mm256_srli_epi16(u, 4), mask);
			w = _mm256_and_si256(_mm256_srli_epi16(w, 4), mask);
			words = _mm256_add_epi16(words, _mm256_maddubs_epi16(u, w));
		}
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
	}
	return sum_int32_avx2(sum);
}

AVX2 static int32
pair_b8_avx2(const uint8 *a, const uint8 *b, int n)
{
	const __m256i even = _mm256_set1_epi16(0xff);
	__m256i		sum0 = _mm256_setzero_si256();
	__m256i		sum1 = _mm256_setzero_si256();

	for (int i = 0; i < n; i += 32)
	{
		__m256i		u = load_bytes_avx2(a + i);
		__m256i		w = load_bytes_avx2(b + i);

		sum0 = _mm256_add_epi32(sum0, _mm256_madd_epi16(_mm256_and_si256(u, even),
														_mm256_and_si256(w, even)));
		sum1 = _mm256_add_epi32(sum1, _mm256_madd_epi16(_mm256_srli_epi16(u, 8),
														_mm256_srli_epi16(w, 8)));
	}
	return sum_int32_avx2(_mm256_add_epi32(sum0, sum1));
}

AVX2 static int32
hamming_avx2(const uint8 *a, const uint8 *b, int nbytes)
{
	__m256i		sum = _mm256_setzero_si256();
	int			i = 0;

	for (; i + 32 <= nbytes; i += 32)
	{
		__m256i		counts = count_bits_avx2(_mm256_xor_si256(load_bytes_avx2(a + i),
															  load_bytes_avx2(b + i)));

		sum = _mm256_add_epi64(sum, _mm256_sad_epu8(counts, _mm256_setzero_si256()));
	}
	return sum_int32_avx2(sum) + vecidx_kernels_scalar.hamming(a + i, b + i, nbytes - i);
}

const VecIdxKernels vecidx_kernels_avx2 = {
	.name = "avx2",
	.dot_b1 = dot_b1,
	.dot_b2 = dot_b2,
	.dot_b4 = dot_b4,
	.dot_b8 = dot_b8,
	.dots_b1 = dot_b1_batch,
	.dots_b2 = dot_b2_batch,
	.dots_b4 = dot_b4_batch,
	.dots_b8 = dot_b8_batch,
	.dotf_b4 = dotf_b4_avx2,
	.dotf_b8 = dotf_b8_avx2,
	.pair_b4 = pair_b4_avx2,
	.pair_b8 = pair_b8_avx2,
	.hamming = hamming_avx2,
	VECIDX_ROW_KERNELS(avx2),
	.within = &vecidx_within_avx2,
	.crc_quarters = vecidx_x86_crc_quarters,
};

#endif							/* VECIDX_KERNELS_X86 */
