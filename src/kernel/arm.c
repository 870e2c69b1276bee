/*
 * arm.c
 *	  Which sets a 64-bit ARM processor runs, beside NEON.
 */
#include "c.h"

#include "kernel/arm.h"

#ifdef VECIDX_KERNELS_DOTPROD

#ifdef __linux__
#include <sys/auxv.h>

/* From the kernel's interface; older C libraries do not name it. */
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1 << 20)
#endif
#endif

bool
vecidx_kernels_dotprod_usable(void)
{
#if defined(__ARM_FEATURE_DOTPROD)
	return true;
#elif defined(__linux__)
	return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
	return false;
#endif
}

#endif							/* VECIDX_KERNELS_DOTPROD */
