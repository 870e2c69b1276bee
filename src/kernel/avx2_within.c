/*
 * avx2_within.c
 *	  AVX2: what lies in an interval.
 */
#include "c.h"

#include "kernel/within.h"
#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

VECIDX_WITHIN(AVX2, vecidx_within_avx2);

#endif							/* VECIDX_KERNELS_X86 */
