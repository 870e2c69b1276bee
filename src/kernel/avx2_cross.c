/*
 * avx2_cross.c
 *	  AVX2: sketches times sketches, and what lies below limits.
 */
#include "c.h"

#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

AVX2 static inline __attribute__((always_inline)) void
cross_avx2_block(const VecIdxCross *cross, int rows, int32 *products, int stride)
{
	const __m256i ones = _mm256_set1_epi16(1);
	const __m128i lifted = _mm_loadu_si128((const __m128i *) cross->sums);
	__m256i		sum[2][4];

VECIDX_UNROLL
	for (int i = 0; i < rows; i++)
	{
VECIDX_UNROLL
		for (int j = 0; j < 4; j++)
			sum[i][j] = _mm256_setzero_si256();
	}
	for (int k = 0; k < cross->n; k += 64)
	{
VECIDX_UNROLL
		for (int j = 0; j < 4; j++)
		{
			__m256i		low = load_bytes_avx2(cross->columns[j] + k);
			__m256i		high = load_bytes_avx2(cross->columns[j] + k + 32);

VECIDX_UNROLL
			for (int i = 0; i < rows; i++)
			{
				const uint8 *row = cross->rows + (Size) i * cross->n + k;
				__m256i		four = _mm256_add_epi16(_mm256_maddubs_epi16(load_bytes_avx2(row), low),
												   _mm256_maddubs_epi16(load_bytes_avx2(row + 32), high));

				sum[i][j] = _mm256_add_epi32(sum[i][j], _mm256_madd_epi16(four, ones));
			}
		}
	}
VECIDX_UNROLL
	for (int i = 0; i < rows; i++)
	{
		__m256i		halves = _mm256_hadd_epi32(_mm256_hadd_epi32(sum[i][0], sum[i][1]),
											   _mm256_hadd_epi32(sum[i][2], sum[i][3]));
		__m128i		four = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));

		_mm_storeu_si128((__m128i *) (products + (Size) i * stride), _mm_sub_epi32(four, lifted));
	}
}

VECIDX_CROSS_ENTRY(AVX2, avx2)

AVX2 int
vecidx_avx2_below(const int32 *products, const float *others, const float *limits, float weight, int count,
				  VecIdxHit *hits)
{
	const __m256 weights = _mm256_set1_ps(weight);
	int			found = 0;
	int			i = 0;

	for (; i + 8 <= count; i += 8)
	{
		__m256		product = _mm256_cvtepi32_ps(load_bytes_avx2(products + i));
		__m256		distance = _mm256_sub_ps(_mm256_loadu_ps(others + i), _mm256_mul_ps(weights, product));
		int			mask = _mm256_movemask_ps(_mm256_cmp_ps(distance, _mm256_loadu_ps(limits + i), _CMP_LT_OQ));
		float		lane[8];

		if (likely(mask == 0))
			continue;
		_mm256_storeu_ps(lane, distance);
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
