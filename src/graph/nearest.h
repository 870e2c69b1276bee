/*
 * nearest.h
 *	  The smallest few of a stream of distances: a binary max-heap.
 */
#ifndef VECIDX_NEAREST_H
#define VECIDX_NEAREST_H

#include "postgres.h"

typedef struct VecIdxNearest
{
	float	   *heap;			/* heap[0] is the largest kept */
	uint32		count;
	uint32		room;
} VecIdxNearest;

/* Does it keep as many as it may? */
static inline bool
vecidx_nearest_full(const VecIdxNearest *nearest)
{
	return nearest->count == nearest->room;
}

/* Offers a distance; returns false if it is not among the smallest. */
static inline bool
vecidx_nearest_offer(VecIdxNearest *nearest, float distance)
{
	float	   *heap = nearest->heap;
	uint32		at;

	if (!vecidx_nearest_full(nearest))
	{
		at = nearest->count++;
		while (at > 0 && heap[(at - 1) / 2] < distance)
		{
			heap[at] = heap[(at - 1) / 2];
			at = (at - 1) / 2;
		}
		heap[at] = distance;
		return true;
	}
	if (distance >= heap[0])
		return false;
	at = 0;
	while (at * 2 + 1 < nearest->count)
	{
		uint32		child = at * 2 + 1;

		if (child + 1 < nearest->count && heap[child + 1] > heap[child])
			child++;
		if (distance >= heap[child])
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = distance;
	return true;
}

#endif							/* VECIDX_NEAREST_H */
