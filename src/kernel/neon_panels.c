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

static inline __attribute__((always_inline)) void
width_i16(const int16 *rows, int width, const int16 *panel, int n, int32 *products, int stride)
{
	int32x4_t	sum[ROWS][4];

	for (int i = 0; i < width; i++)
	{
		for (int j = 0; j < 4; j++)
			sum[i][j] = vdupq_n_s32(0);
	}
	for (int k = 0; k < n; k += 2)
	{
		/* val[0] has the first of each column's pair, val[1] the second */
		int16x8x2_t first = vld2q_s16(panel + k * VECIDX_PANEL);
		int16x8x2_t second = vld2q_s16(panel + k * VECIDX_PANEL + 16);

		for (int i = 0; i < width; i++)
		{
			const int16 *x = rows + (Size) i * n + k;

			for (int j = 0; j < 2; j++)
			{
				sum[i][0] = vmlal_n_s16(sum[i][0], vget_low_s16(first.val[j]), x[j]);
				sum[i][1] = vmlal_n_s16(sum[i][1], vget_high_s16(first.val[j]), x[j]);
				sum[i][2] = vmlal_n_s16(sum[i][2], vget_low_s16(second.val[j]), x[j]);
				sum[i][3] = vmlal_n_s16(sum[i][3], vget_high_s16(second.val[j]), x[j]);
			}
		}
	}
	for (int i = 0; i < width; i++)
	{
		for (int j = 0; j < 4; j++)
			vst1q_s32(products + (Size) i * stride + 4 * j, sum[i][j]);
	}
}

void
vecidx_neon_panel_i16(const int16 *rows, int count, const int16 *panel, int n, int32 *products, int stride)
{
	int			i = 0;

	for (; i + ROWS <= count; i += ROWS)
		width_i16(rows + (Size) i * n, ROWS, panel, n, products + (Size) i * stride, stride);
	for (; i < count; i++)
		width_i16(rows + (Size) i * n, 1, panel, n, products + (Size) i * stride, stride);
}

int
vecidx_neon_below(const int32 *products, const float *others, const float *limits, float weight, int count,
				  VecIdxHit *hits)
{
	int			found = 0;
	int			i = 0;

	for (; i + 4 <= count; i += 4)
	{
		float32x4_t scaled = vmulq_n_f32(vcvtq_f32_s32(vld1q_s32(products + i)), weight);
		float32x4_t distance = vsubq_f32(vld1q_f32(others + i), scaled);
		uint32x4_t	less = vcltq_f32(distance, vld1q_f32(limits + i));
		float		lane[4];
		uint32		hit[4];

		if (likely(vmaxvq_u32(less) == 0))
			continue;
		vst1q_f32(lane, distance);
		vst1q_u32(hit, less);
		for (int j = 0; j < 4; j++)
		{
			if (hit[j] == 0)
				continue;
			hits[found].distance = lane[j];
			hits[found++].place = i + j;
		}
	}
	return vecidx_below_rest(products, others, limits, weight, i, count, hits, found);
}

#endif							/* VECIDX_KERNELS_ARM */
