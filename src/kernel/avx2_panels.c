/*
 * avx2_panels.c
 *	  AVX2: rows times panels.
 */
#include "c.h"

#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

/* Rows done together: with two vectors for the columns, all sums stay in registers. */
#define ROWS_F32	6
#define ROWS_I16	4

AVX2 static inline __attribute__((always_inline)) void
width_f32(const float *rows, int width, const float *panel, int n, float *products, int stride)
{
	__m256		sum[ROWS_F32][2];

VECIDX_UNROLL
	for (int i = 0; i < width; i++)
		sum[i][0] = sum[i][1] = _mm256_setzero_ps();
	for (int k = 0; k < n; k++)
	{
		__m256		low = _mm256_loadu_ps(panel + k * VECIDX_PANEL);
		__m256		high = _mm256_loadu_ps(panel + k * VECIDX_PANEL + 8);

VECIDX_UNROLL
		for (int i = 0; i < width; i++)
		{
			__m256		x = _mm256_broadcast_ss(rows + (Size) i * n + k);

			sum[i][0] = _mm256_fmadd_ps(x, low, sum[i][0]);
			sum[i][1] = _mm256_fmadd_ps(x, high, sum[i][1]);
		}
	}
VECIDX_UNROLL
	for (int i = 0; i < width; i++)
	{
		_mm256_storeu_ps(products + (Size) i * stride, sum[i][0]);
		_mm256_storeu_ps(products + (Size) i * stride + 8, sum[i][1]);
	}
}

AVX2 void
vecidx_avx2_panel_f32(const float *rows, int count, const float *panel, int n, float *products, int stride)
{
	int			i = 0;

	for (; i + ROWS_F32 <= count; i += ROWS_F32)
		width_f32(rows + (Size) i * n, ROWS_F32, panel, n, products + (Size) i * stride, stride);
	for (; i < count; i++)
		width_f32(rows + (Size) i * n, 1, panel, n, products + (Size) i * stride, stride);
}

AVX2 static inline __attribute__((always_inline)) void
width_i16(const int16 *rows, int width, const int16 *panel, int n, int32 *products, int stride)
{
	__m256i		sum[ROWS_I16][2];

VECIDX_UNROLL
	for (int i = 0; i < width; i++)
		sum[i][0] = sum[i][1] = _mm256_setzero_si256();
	for (int k = 0; k < n; k += 2)
	{
		__m256i		low = load_bytes_avx2(panel + k * VECIDX_PANEL);
		__m256i		high = load_bytes_avx2(panel + k * VECIDX_PANEL + 16);

VECIDX_UNROLL
		for (int i = 0; i < width; i++)
		{
			int32		pair;
			__m256i		x;

			memcpy(&pair, rows + (Size) i * n + k, sizeof(pair));
			x = _mm256_set1_epi32(pair);
			sum[i][0] = _mm256_add_epi32(sum[i][0], _mm256_madd_epi16(x, low));
			sum[i][1] = _mm256_add_epi32(sum[i][1], _mm256_madd_epi16(x, high));
		}
	}
VECIDX_UNROLL
	for (int i = 0; i < width; i++)
	{
		_mm256_storeu_si256((__m256i *) (products + (Size) i * stride), sum[i][0]);
		_mm256_storeu_si256((__m256i *) (products + (Size) i * stride + 8), sum[i][1]);
	}
}

AVX2 void
vecidx_avx2_panel_i16(const int16 *rows, int count, const int16 *panel, int n, int32 *products, int stride)
{
	int			i = 0;

	for (; i + ROWS_I16 <= count; i += ROWS_I16)
		width_i16(rows + (Size) i * n, ROWS_I16, panel, n, products + (Size) i * stride, stride);
	for (; i < count; i++)
		width_i16(rows + (Size) i * n, 1, panel, n, products + (Size) i * stride, stride);
}

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
