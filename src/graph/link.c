/*
 * link.c
 *	  Where a new node goes.
 */
#include "postgres.h"

#include "graph/link.h"

/* Turns the ef best nodes met into neighbours with distances; returns their number. */
static int
collect_neighbours(VecIdxSearch *search, VecIdxArrival *arrival, VecIdxNeighbour *neighbours)
{
	VecIdxSource *source = search->source;
	float		worst = search->beam.heap[0];
	int			count = 0;

	for (uint32 i = 0; i < search->found_count; i++)
	{
		const VecIdxCandidate *candidate = &search->found[i];
		VecIdxNeighbour *neighbour = &neighbours[count];

		if (candidate->estimate > worst)
			continue;
		neighbour->vector = source->vector(source, candidate->node);
		if (neighbour->vector == NULL)
			continue;
		neighbour->node = candidate->node;
		neighbour->upper = candidate->upper;
		neighbour->distance = vecidx_quant_pair(arrival->quantizer, arrival->vector, neighbour->vector);
		count++;
	}
	return count;
}

static uint32
find_twin(const VecIdxArrival *arrival, const VecIdxNeighbour *neighbours, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (memcmp(arrival->vector, neighbours[i].vector, arrival->vector_size) == 0)
			return neighbours[i].node;
	}
	return VECIDX_NONE;
}

static void
link_level(VecIdxSearch *search, VecIdxArrival *arrival, int level)
{
	VecIdxNeighbour *neighbours;
	int			count;

	vecidx_search_beam(search, level, arrival->ef);
	neighbours = palloc(search->found_count * sizeof(VecIdxNeighbour));
	count = collect_neighbours(search, arrival, neighbours);
	if (level == 0)
		arrival->twin = find_twin(arrival, neighbours, count);
	arrival->neighbours[level] = neighbours;
	arrival->count[level] = vecidx_prune(arrival->quantizer, neighbours, count, vecidx_link_room(arrival->m, level));
}

void
vecidx_link_find(VecIdxSearch *search, VecIdxArrival *arrival, int graph_level)
{
	arrival->twin = VECIDX_NONE;
	arrival->top = Min(arrival->level, graph_level);
	if (arrival->top < 0 || !vecidx_search_descend(search, arrival->top))
	{
		arrival->top = -1;
		return;
	}
	for (int level = arrival->top; level >= 0; level--)
	{
		link_level(search, arrival, level);
		if (level > 0)
			vecidx_search_lower(search, level, arrival->ef);
	}
}
