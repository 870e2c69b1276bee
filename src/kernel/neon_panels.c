/*
 * neon_panels.c
 *	  NEON: rows times panels.
 */
#include "c.h"

#include "kernel/arm.h"

#ifdef VECIDX_KERNELS_ARM

/* Rows done together, four vectors for the columns of each. */
#define ROWS	4

static inline __attribute__((always_inline)) void
width_f32(const float *rows, int width, const float *panel, int n, float *products, int stride)
{
	float32x4_t sum[ROWS][4];

	for (int i = 0; i < width; i++)
	{
		for (int j = 0; j < 4; j++)
			sum[i][j] = vdupq_n_f32(0);
	}
	for (int k = 0; k < n; k++)
	{
		float32x4_t column[4];

		for (int j = 0; j < 4; j++)
			column[j] = vld1q_f32(panel + k * VECIDX_PANEL + 4 * j);
		for (int i = 0; i < width; i++)
		{
			for (int j = 0; j < 4; j++)
				sum[i][j] = vfmaq_n_f32(sum[i][j], column[j], rows[(Size) i * n + k]);
		}
	}
	for (int i = 0; i < width; i++)
	{
		for (int j = 0; j < 4; j++)
			vst1q_f32(products + (Size) i * stride + 4 * j, sum[i][j]);
	}
}

void
vecidx_neon_panel_f32(const float *rows, int count, const float *panel, int n, float *products, int stride)
{
	int			i = 0;

	for (; i + ROWS <= count; i += ROWS)
		width_f32(rows + (Size) i * n, ROWS, panel, n, products + (Size) i * stride, stride);
	for (; i < count; i++)
		width_f32(rows + (Size) i * n, 1, panel, n, products + (Size) i * stride, stride);
}

#endif							/* VECIDX_KERNELS_ARM */
