/*
 * arm_crc.c
 *	  Armv8.1 and later, which the dotprod set needs: four CRCs at a time.
 */
#include "c.h"

#include "kernel/arm.h"
#include "kernel/crc.h"

#ifdef VECIDX_KERNELS_DOTPROD

#include <arm_acle.h>

#if defined(__ARM_FEATURE_CRC32)
#define CRC
#elif defined(__clang__)
#define CRC __attribute__((target("crc")))
#else
#define CRC __attribute__((target("arch=armv8.2-a")))
#endif

VECIDX_CRC_QUARTERS(CRC, vecidx_arm_crc_quarters, __crc32cd)

#endif							/* VECIDX_KERNELS_DOTPROD */
