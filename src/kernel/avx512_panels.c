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

#endif							/* VECIDX_KERNELS_X86 */
