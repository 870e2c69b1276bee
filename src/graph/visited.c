/*
 * visited.c
 *	  The set of nodes that a search has met.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "graph/visited.h"

static void
allocate_entries(VecIdxVisited *visited, uint32 size)
{
	visited->entries = MemoryContextAllocExtended(visited->context, (Size) size * sizeof(VecIdxVisitedEntry),
												  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	visited->mask = size - 1;
	visited->generation = 1;
	visited->count = 0;
}

void
vecidx_visited_init(VecIdxVisited *visited, MemoryContext context, uint32 expected)
{
	uint32		size = 1024;

	while (size < expected * 2)
		size *= 2;
	visited->context = context;
	allocate_entries(visited, size);
}

void
vecidx_visited_clear(VecIdxVisited *visited)
{
	visited->count = 0;
	if (++visited->generation == 0)
	{
		memset(visited->entries, 0, ((Size) visited->mask + 1) * sizeof(VecIdxVisitedEntry));
		visited->generation = 1;
	}
}

void
vecidx_visited_grow(VecIdxVisited *visited)
{
	VecIdxVisitedEntry *old = visited->entries;
	uint32		size = visited->mask + 1;
	uint32		generation = visited->generation;

	allocate_entries(visited, size * 2);
	for (uint32 i = 0; i < size; i++)
	{
		if (old[i].generation == generation)
			vecidx_visited_add(visited, old[i].node);
	}
	pfree(old);
}
