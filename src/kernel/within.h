/*
 * within.h
 *	  The loops that tell which values of an array lie in an interval.
 *
 * They are plain: compilers make of them what the target's instructions can
 * do.  A file that has a target of its own defines them once more.
 */
#ifndef VECIDX_KERNEL_WITHIN_H
#define VECIDX_KERNEL_WITHIN_H

#include "kernel/kernel.h"

/* An integer is in an interval if it is no more than its length above its low end, modulo its width. */
#define VECIDX_WITHIN_INTEGERS(attribute, type) \
attribute static void \
within_##type(const type *value, uint32 count, type low, type length, uint8 *mark) \
{ \
	for (uint32 i = 0; i < count; i++) \
		mark[i] = -((type) (value[i] - low) <= length); \
}

#define VECIDX_WITHIN_FLOATS(attribute, type) \
attribute static void \
within_##type(const type *value, uint32 count, type low, type high, uint8 nan, uint8 *mark) \
{ \
	for (uint32 i = 0; i < count; i++) \
		mark[i] = -((value[i] >= low) & (value[i] <= high)) | (-(value[i] != value[i]) & nan); \
}

#define VECIDX_WITHIN_MASKED(attribute) \
attribute static void \
keep_masked(const uint8 *value, uint32 count, uint8 mask, uint8 wanted, uint8 *mark) \
{ \
	for (uint32 i = 0; i < count; i++) \
		mark[i] &= -((value[i] & mask) == wanted); \
}

/* Defines the loops, and the table of that name of them and of what gathers bits. */
#define VECIDX_WITHIN(attribute, name, bits) \
VECIDX_WITHIN_INTEGERS(attribute, uint8) \
VECIDX_WITHIN_INTEGERS(attribute, uint16) \
VECIDX_WITHIN_INTEGERS(attribute, uint32) \
VECIDX_WITHIN_INTEGERS(attribute, uint64) \
VECIDX_WITHIN_FLOATS(attribute, float) \
VECIDX_WITHIN_FLOATS(attribute, double) \
VECIDX_WITHIN_MASKED(attribute) \
\
const VecIdxWithin name = { \
	within_uint8, within_uint16, within_uint32, within_uint64, within_float, within_double, keep_masked, bits \
}

#endif							/* VECIDX_KERNEL_WITHIN_H */
