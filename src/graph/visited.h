/*
 * visited.h
 *	  The set of nodes that a search has met: open addressing on node ids.
 *
 * A generation number beside each id makes clearing the set free.
 */
#ifndef VECIDX_VISITED_H
#define VECIDX_VISITED_H

#include "postgres.h"

typedef struct VecIdxVisited
{
	uint64	   *entries;		/* generation << 32 | node */
	uint32		mask;			/* size - 1, size a power of two */
	uint32		count;
	uint32		generation;		/* entries of other generations are empty */
	MemoryContext context;
} VecIdxVisited;

extern void vecidx_visited_init(VecIdxVisited *visited, MemoryContext context, uint32 expected);
extern void vecidx_visited_clear(VecIdxVisited *visited);
extern void vecidx_visited_grow(VecIdxVisited *visited, uint32 count);

static inline uint32
vecidx_visited_hash(uint32 node)
{
	return (node * UINT32_C(2654435769)) >> 7;
}

/* Adds a node whose first place holds another; returns false if it was there. */
extern bool vecidx_visited_probe(VecIdxVisited *visited, uint32 node);

/*
 * Adds the node; returns false if it was there.  Whether it was is hard to
 * foresee, so that no branch depends on it.  The caller sees to it that there
 * is room (vecidx_visited_reserve).
 */
static inline bool
vecidx_visited_add(VecIdxVisited *visited, uint32 node)
{
	uint64	   *entry = &visited->entries[vecidx_visited_hash(node) & visited->mask];
	uint64		wanted = (uint64) visited->generation << 32 | node;
	bool		added = *entry >> 32 != visited->generation;

	if (unlikely(!added & (*entry != wanted)))
		return vecidx_visited_probe(visited, node);
	*entry = wanted;
	visited->count += added;
	return added;
}

/* Is the node there? */
static inline bool
vecidx_visited_holds(const VecIdxVisited *visited, uint32 node)
{
	uint64		wanted = (uint64) visited->generation << 32 | node;

	for (uint32 at = vecidx_visited_hash(node) & visited->mask;; at = (at + 1) & visited->mask)
	{
		if (visited->entries[at] == wanted)
			return true;
		if (visited->entries[at] >> 32 != visited->generation)
			return false;
	}
}

/* Makes room for so many more nodes. */
static inline void
vecidx_visited_reserve(VecIdxVisited *visited, uint32 count)
{
	if (unlikely(visited->count + count > visited->mask / 2))
		vecidx_visited_grow(visited, count);
}

#endif							/* VECIDX_VISITED_H */
