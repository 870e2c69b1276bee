/*
 * delta.h
 *	  What turns a page into another: the payload of generic WAL.
 */
#ifndef VECIDX_DELTA_H
#define VECIDX_DELTA_H

#include "c.h"

/* Offset and length of a fragment, 2 bytes each; its bytes follow. */
#define VECIDX_FRAGMENT_HEADER	(2 * sizeof(uint16))

/* A gap between fragments that is no longer than a header is part of them: so the sum never exceeds this. */
typedef struct VecIdxDelta
{
	uint32		size;
	char		bytes[BLCKSZ + VECIDX_FRAGMENT_HEADER];
} VecIdxDelta;

/* Ranges that are compared begin and end at multiples of this. */
#define VECIDX_DELTA_STRIDE		64

/* Finds where the new image differs from the page, from byte "low" to before "high". */
extern void vecidx_delta_find(const char *page, const char *image, uint32 low, uint32 high, VecIdxDelta *delta);

/* Changes the page itself: only bytes that differ are written. */
extern void vecidx_delta_apply(const VecIdxDelta *delta, char *page);

#endif							/* VECIDX_DELTA_H */
