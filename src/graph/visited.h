/*
 * visited.h
 *	  The set of nodes that a search has met: open addressing on node ids.
 *
 * A generation number beside each id makes clearing the set free.
 */
#ifndef VECIDX_VISITED_H
#define VECIDX_VISITED_H

#include "postgres.h"

typedef struct VecIdxVisitedEntry
{
	uint32		node;
	uint32		generation;
} VecIdxVisitedEntry;

typedef struct VecIdxVisited
{
	VecIdxVisitedEntry *entries;
	uint32		mask;			/* size - 1, size a power of two */
	uint32		count;
	uint32		generation;		/* entries of other generations are empty */
	MemoryContext context;
} VecIdxVisited;

extern void vecidx_visited_init(VecIdxVisited *visited, MemoryContext context, uint32 expected);
extern void vecidx_visited_clear(VecIdxVisited *visited);
extern void vecidx_visited_grow(VecIdxVisited *visited);

static inline uint32
vecidx_visited_hash(uint32 node)
{
	return (node * UINT32_C(2654435769)) >> 7;
}

/* Adds the node; returns false if it was there. */
static inline bool
vecidx_visited_add(VecIdxVisited *visited, uint32 node)
{
	uint32		i = vecidx_visited_hash(node) & visited->mask;

	while (visited->entries[i].generation == visited->generation)
	{
		if (visited->entries[i].node == node)
			return false;
		i = (i + 1) & visited->mask;
	}
	visited->entries[i].node = node;
	visited->entries[i].generation = visited->generation;
	if (unlikely(++visited->count > visited->mask / 2))
		vecidx_visited_grow(visited);
	return true;
}

#endif							/* VECIDX_VISITED_H */
