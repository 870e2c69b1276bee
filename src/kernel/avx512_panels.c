/*
 * avx512_panels.c
 *	  AVX-512: rows times panels.
 */
#include "c.h"

#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

/* Rows done together: enough sums under way to hide how long each takes. */
#define ROWS	8

AVX512 static inline __attribute__((always_inline)) void
width_f32(const float *rows, int width, const float *panel, int n, float *products, int stride)
{
	__m512		sum[ROWS];

VECIDX_UNROLL
	for (int i = 0; i < width; i++)
		sum[i] = _mm512_setzero_ps();
	for (int k = 0; k < n; k++)
	{
		__m512		column = _mm512_loadu_ps(panel + k * VECIDX_PANEL);

VECIDX_UNROLL
		for (int i = 0; i < width; i++)
			sum[i] = _mm512_fmadd_ps(_mm512_set1_ps(rows[(Size) i * n + k]), column, sum[i]);
	}
VECIDX_UNROLL
	for (int i = 0; i < width; i++)
		_mm512_storeu_ps(products + (Size) i * stride, sum[i]);
}

AVX512 void
vecidx_avx512_panel_f32(const float *rows, int count, const float *panel, int n, float *products, int stride)
{
	int			i = 0;

	for (; i + ROWS <= count; i += ROWS)
		width_f32(rows + (Size) i * n, ROWS, panel, n, products + (Size) i * stride, stride);
	for (; i < count; i++)
		width_f32(rows + (Size) i * n, 1, panel, n, products + (Size) i * stride, stride);
}

AVX512 static inline __attribute__((always_inline)) void
width_i16(const int16 *rows, int width, const int16 *panel, int n, int32 *products, int stride)
{
	__m512i		sum[ROWS];

VECIDX_UNROLL
	for (int i = 0; i < width; i++)
		sum[i] = _mm512_setzero_si512();
	for (int k = 0; k < n; k += 2)
	{
		__m512i		column = load_bytes_avx512(panel + k * VECIDX_PANEL);

VECIDX_UNROLL
		for (int i = 0; i < width; i++)
		{
			int32		pair;

			memcpy(&pair, rows + (Size) i * n + k, sizeof(pair));
			sum[i] = _mm512_dpwssd_epi32(sum[i], _mm512_set1_epi32(pair), column);
		}
	}
VECIDX_UNROLL
	for (int i = 0; i < width; i++)
		_mm512_storeu_si512(products + (Size) i * stride, sum[i]);
}

AVX512 void
vecidx_avx512_panel_i16(const int16 *rows, int count, const int16 *panel, int n, int32 *products, int stride)
{
	int			i = 0;

	for (; i + ROWS <= count; i += ROWS)
		width_i16(rows + (Size) i * n, ROWS, panel, n, products + (Size) i * stride, stride);
	for (; i < count; i++)
		width_i16(rows + (Size) i * n, 1, panel, n, products + (Size) i * stride, stride);
}

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
