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
	visited->entries = MemoryContextAllocExtended(visited->context, (Size) size * sizeof(uint64),
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
		memset(visited->entries, 0, ((Size) visited->mask + 1) * sizeof(uint64));
		visited->generation = 1;
	}
}

bool
vecidx_visited_probe(VecIdxVisited *visited, uint32 node)
{
	uint64		wanted = (uint64) visited->generation << 32 | node;
	uint32		i = vecidx_visited_hash(node) & visited->mask;

	while (visited->entries[i] >> 32 == visited->generation)
	{
		if (visited->entries[i] == wanted)
			return false;
		i = (i + 1) & visited->mask;
	}
	visited->entries[i] = wanted;
	visited->count++;
	return true;
}

void
vecidx_visited_grow(VecIdxVisited *visited, uint32 count)
{
	uint64	   *old = visited->entries;
	uint32		size = visited->mask + 1;
	uint32		wanted = size * 2;
	uint32		generation = visited->generation;
	uint32		needed = visited->count + count;

	while (wanted / 2 <= needed)
		wanted *= 2;
	allocate_entries(visited, wanted);
	for (uint32 i = 0; i < size; i++)
	{
		if (old[i] >> 32 == generation)
			vecidx_visited_probe(visited, (uint32) old[i]);
	}
	pfree(old);
}
