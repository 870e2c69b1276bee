/*
 * avx512_cross.c
 *	  AVX-512: sketches times sketches, and what lies below limits.
 */
#include "c.h"

#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

/* The two halves of 16 sums, added. */
AVX512 static inline __m256i
fold_avx512(__m512i sum)
{
	return _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
}

AVX512 static inline __attribute__((always_inline)) void
cross_avx512_block(const VecIdxCross *cross, int rows, int32 *products, int stride)
{
	const __m128i lifted = _mm_loadu_si128((const __m128i *) cross->sums);
	__m512i		sum[2][4];

VECIDX_UNROLL
	for (int i = 0; i < rows; i++)
	{
VECIDX_UNROLL
		for (int j = 0; j < 4; j++)
			sum[i][j] = _mm512_setzero_si512();
	}
	for (int k = 0; k < cross->n; k += 64)
	{
VECIDX_UNROLL
		for (int j = 0; j < 4; j++)
		{
			__m512i		column = load_bytes_avx512(cross->columns[j] + k);

VECIDX_UNROLL
			for (int i = 0; i < rows; i++)
				sum[i][j] = _mm512_dpbusd_epi32(sum[i][j], load_bytes_avx512(cross->rows + (Size) i * cross->n + k),
												column);
		}
	}
VECIDX_UNROLL
	for (int i = 0; i < rows; i++)
	{
		__m256i		halves = _mm256_hadd_epi32(_mm256_hadd_epi32(fold_avx512(sum[i][0]), fold_avx512(sum[i][1])),
											   _mm256_hadd_epi32(fold_avx512(sum[i][2]), fold_avx512(sum[i][3])));
		__m128i		four = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));

		_mm_storeu_si128((__m128i *) (products + (Size) i * stride), _mm_sub_epi32(four, lifted));
	}
}

VECIDX_CROSS_ENTRY(AVX512, avx512)

AVX512 int
vecidx_avx512_below(const int32 *products, const float *others, const float *limits, float weight, int count,
					VecIdxHit *hits)
{
	const __m512 weights = _mm512_set1_ps(weight);
	int			found = 0;
	int			i = 0;

	for (; i + 16 <= count; i += 16)
	{
		__m512		product = _mm512_cvtepi32_ps(load_bytes_avx512(products + i));
		__m512		distance = _mm512_sub_ps(_mm512_loadu_ps(others + i), _mm512_mul_ps(weights, product));
		unsigned int mask = _mm512_cmp_ps_mask(distance, _mm512_loadu_ps(limits + i), _CMP_LT_OQ);
		float		lane[16];

		if (likely(mask == 0))
			continue;
		_mm512_storeu_ps(lane, distance);
		for (; mask != 0; mask &= mask - 1)
		{
			int			j = __builtin_ctz(mask);

			hits[found].distance = lane[j];
			hits[found++].place = i + j;
		}
	}
	return vecidx_below_rest(products, others, limits, weight, i, count, hits, found);
}

#endif							/* VECIDX_KERNELS_X86 */
