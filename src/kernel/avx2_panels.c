/*
 * avx2_panels.c
 *	  AVX2: rows times panels.
 */
#include "c.h"

#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

/* Rows done together: with two vectors for the columns, all sums stay in registers. */
#define ROWS_F32	6

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

#endif							/* VECIDX_KERNELS_X86 */
