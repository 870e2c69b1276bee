/*
 * x86_crc.c
 *	  SSE4.2, which all sets but scalar have: four CRCs at a time.
 */
#include "c.h"

#include "kernel/crc.h"
#include "kernel/x86.h"

#ifdef VECIDX_KERNELS_X86

VECIDX_CRC_QUARTERS(__attribute__((target("sse4.2"))), vecidx_x86_crc_quarters, _mm_crc32_u64)

#endif							/* VECIDX_KERNELS_X86 */
