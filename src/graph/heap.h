/*
 * heap.h
 *	  A binary min-heap of numbered things: the nearest comes first.
 */
#ifndef VECIDX_HEAP_H
#define VECIDX_HEAP_H

#include "postgres.h"

typedef struct VecIdxHeapItem
{
	float		key;
	uint32		index;			/* the owner's number of the thing */
} VecIdxHeapItem;

typedef struct VecIdxHeap
{
	VecIdxHeapItem *item;		/* item[0] has the smallest key */
	uint32		count;
	uint32		room;
} VecIdxHeap;

static inline void
vecidx_heap_init(VecIdxHeap *heap, MemoryContext context, uint32 room)
{
	heap->item = MemoryContextAlloc(context, room * sizeof(VecIdxHeapItem));
	heap->count = 0;
	heap->room = room;
}

static inline void
vecidx_heap_push(VecIdxHeap *heap, VecIdxHeapItem pushed)
{
	uint32		at;

	if (heap->count == heap->room)
	{
		heap->room *= 2;
		heap->item = repalloc_huge(heap->item, (Size) heap->room * sizeof(VecIdxHeapItem));
	}
	at = heap->count++;
	while (at > 0 && pushed.key < heap->item[(at - 1) / 2].key)
	{
		heap->item[at] = heap->item[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->item[at] = pushed;
}

/* Takes the first; there must be one. */
static inline VecIdxHeapItem
vecidx_heap_pop(VecIdxHeap *heap)
{
	VecIdxHeapItem top = heap->item[0];
	uint32		count = --heap->count;
	VecIdxHeapItem moved = heap->item[count];
	uint32		at = 0;

	while (at * 2 + 1 < count)
	{
		uint32		child = at * 2 + 1;

		if (child + 1 < count && heap->item[child + 1].key < heap->item[child].key)
			child++;
		if (moved.key <= heap->item[child].key)
			break;
		heap->item[at] = heap->item[child];
		at = child;
	}
	if (count > 0)
		heap->item[at] = moved;
	return top;
}

#endif							/* VECIDX_HEAP_H */
