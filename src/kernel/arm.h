/*
 * arm.h
 *	  What the files of the sets for 64-bit ARM share.
 *
 * set		needs						what it buys
 * neon		nothing: all have it		4 floats, 16 bytes
 * dotprod	FEAT_DotProd (SDOT)			four bytes multiplied and added at once
 *
 * dotprod differs from neon only where codes meet a query's bytes.
 */
#ifndef VECIDX_KERNEL_ARM_H
#define VECIDX_KERNEL_ARM_H

#include "kernel/kernel.h"
#include "kernel/kernel_sets.h"

#ifdef VECIDX_KERNELS_ARM

#include <arm_neon.h>

#if defined(__ARM_FEATURE_DOTPROD)
#define DOTPROD
#elif defined(__clang__)
#define DOTPROD __attribute__((target("dotprod")))
#else
#define DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

VECIDX_DECLARE_ROW_KERNELS(neon);

static inline float32x4_t
load_floats(const float *p)
{
	/* by bytes, because the address need not be a float's */
	return vreinterpretq_f32_u8(vld1q_u8((const uint8 *) p));
}

/* The sum of four vectors that each hold part of it. */
static inline float
sum_floats(const float32x4_t *part)
{
	return vaddvq_f32(vaddq_f32(vaddq_f32(part[0], part[1]), vaddq_f32(part[2], part[3])));
}

#endif							/* VECIDX_KERNELS_ARM */

#endif							/* VECIDX_KERNEL_ARM_H */
