/*
 * neon_cross.c
 *	  NEON: sketches times sketches, and what lies below limits.
 */
#include "c.h"

#include "kernel/arm.h"

#ifdef VECIDX_KERNELS_ARM

/* Sixteen coordinates of a row, which have room for a sign, times those of a column, added by twos. */
static inline int16x8_t
multiply_neon(const uint8 *row, const int8 *column)
{
	int8x16_t	a = vreinterpretq_s8_u8(vld1q_u8(row));
	int8x16_t	b = vld1q_s8(column);

	return vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b);
}

static inline __attribute__((always_inline)) void
cross_neon_block(const VecIdxCross *cross, int rows, int32 *products, int stride)
{
	int32x4_t	sum[2][4];

	for (int i = 0; i < rows; i++)
	{
		for (int j = 0; j < 4; j++)
			sum[i][j] = vdupq_n_s32(0);
	}
	for (int k = 0; k < cross->n; k += 16)
	{
		for (int i = 0; i < rows; i++)
		{
			for (int j = 0; j < 4; j++)
				sum[i][j] = vpadalq_s16(sum[i][j], multiply_neon(cross->rows + (Size) i * cross->n + k,
																 cross->columns[j] + k));
		}
	}
	for (int i = 0; i < rows; i++)
	{
		int32x4_t	four = vpaddq_s32(vpaddq_s32(sum[i][0], sum[i][1]), vpaddq_s32(sum[i][2], sum[i][3]));

		vst1q_s32(products + (Size) i * stride, vsubq_s32(four, vld1q_s32(cross->sums)));
	}
}

VECIDX_CROSS_ENTRY(, neon)

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
