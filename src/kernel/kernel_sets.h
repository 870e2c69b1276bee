/*
 * kernel_sets.h
 *	  The kernel sets beside scalar, and what their files share.
 *
 * x86.c and arm.c compile with the baseline flags of their platform; what needs
 * more carries a target attribute, so that one binary runs everywhere.  They
 * compile to nothing on other platforms.
 */
#ifndef VECIDX_KERNEL_SETS_H
#define VECIDX_KERNEL_SETS_H

#include "kernel/kernel.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define VECIDX_KERNELS_X86 1
#endif

#if defined(__aarch64__) && defined(__GNUC__) && !defined(WORDS_BIGENDIAN)
#define VECIDX_KERNELS_ARM 1
#endif

#ifdef VECIDX_KERNELS_X86
extern const VecIdxKernels vecidx_kernels_avx2;
extern const VecIdxKernels vecidx_kernels_avx512;

/* Whether the processor has what the set uses and the system saves its registers. */
extern bool vecidx_kernels_avx2_usable(void);
extern bool vecidx_kernels_avx512_usable(void);
#endif

#ifdef VECIDX_KERNELS_ARM
extern const VecIdxKernels vecidx_kernels_neon;
#endif

#endif							/* VECIDX_KERNEL_SETS_H */
