/*
 * search.c
 *	  Beam search over a source.
 *
 * Every node met stays in found[], also those too far for the beam, so that
 * a search can be resumed with a wider beam and nothing is estimated twice.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "graph/search.h"

void
vecidx_search_init(VecIdxSearch *search, VecIdxSource *source, MemoryContext context)
{
	memset(search, 0, sizeof(VecIdxSearch));
	search->source = source;
	search->context = context;
	search->avoided = VECIDX_NONE;
	search->found_room = 1024;
	search->found = MemoryContextAlloc(context, search->found_room * sizeof(VecIdxCandidate));
	search->queued = MemoryContextAlloc(context, search->found_room * sizeof(bool));
	search->frontier_room = 512;
	search->frontier = MemoryContextAlloc(context, search->frontier_room * sizeof(uint32));
	vecidx_visited_init(&search->visited, context, 1024);
}

void
vecidx_search_reset(VecIdxSearch *search)
{
	vecidx_visited_clear(&search->visited);
	if (search->avoided != VECIDX_NONE)
		vecidx_visited_add(&search->visited, search->avoided);
	search->found_count = 0;
	search->frontier_count = 0;
	search->beam.count = 0;
	search->beam.room = 0;
}

/* Frontier: a binary min-heap of indexes into found[]. */

static inline float
frontier_estimate(const VecIdxSearch *search, uint32 position)
{
	return search->found[search->frontier[position]].estimate;
}

static void
frontier_push(VecIdxSearch *search, uint32 index)
{
	float		estimate = search->found[index].estimate;
	uint32		at;

	if (search->frontier_count == search->frontier_room)
	{
		search->frontier_room *= 2;
		search->frontier = repalloc_huge(search->frontier, (Size) search->frontier_room * sizeof(uint32));
	}
	search->queued[index] = true;
	at = search->frontier_count++;
	while (at > 0 && estimate < frontier_estimate(search, (at - 1) / 2))
	{
		search->frontier[at] = search->frontier[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	search->frontier[at] = index;
}

static uint32
frontier_pop(VecIdxSearch *search)
{
	uint32		top = search->frontier[0];
	uint32		moved = search->frontier[--search->frontier_count];
	uint32		count = search->frontier_count;
	float		estimate = search->found[moved].estimate;
	uint32		at = 0;

	while (at * 2 + 1 < count)
	{
		uint32		child = at * 2 + 1;

		if (child + 1 < count && frontier_estimate(search, child + 1) < frontier_estimate(search, child))
			child++;
		if (estimate <= frontier_estimate(search, child))
			break;
		search->frontier[at] = search->frontier[child];
		at = child;
	}
	if (count > 0)
		search->frontier[at] = moved;
	return top;
}

/* Makes the beam ef wide: offers it all nodes met again, and queues those that were too far before. */
static void
widen_beam(VecIdxSearch *search, uint32 ef)
{
	if (ef > search->beam_room)
	{
		if (search->beam.heap != NULL)
			pfree(search->beam.heap);
		search->beam.heap = MemoryContextAllocHuge(search->context, (Size) ef * sizeof(float));
		search->beam_room = ef;
	}
	search->beam.count = 0;
	search->beam.room = ef;
	for (uint32 i = 0; i < search->found_count; i++)
	{
		if (vecidx_nearest_offer(&search->beam, search->found[i].estimate) && !search->queued[i])
			frontier_push(search, i);
	}
}

static void
add_found(VecIdxSearch *search, const VecIdxCandidate *candidate)
{
	uint32		index = search->found_count;

	if (index == search->found_room)
	{
		search->found_room *= 2;
		search->found = repalloc_huge(search->found, (Size) search->found_room * sizeof(VecIdxCandidate));
		search->queued = repalloc_huge(search->queued, (Size) search->found_room * sizeof(bool));
	}
	search->found[search->found_count++] = *candidate;
	search->queued[index] = false;
	if (search->beam.room > 0 && vecidx_nearest_offer(&search->beam, candidate->estimate))
		frontier_push(search, index);
}

void
vecidx_search_seed(VecIdxSearch *search, const VecIdxCandidate *candidate)
{
	if (vecidx_visited_add(&search->visited, candidate->node))
		add_found(search, candidate);
}

bool
vecidx_search_run(VecIdxSearch *search, int level, uint32 ef)
{
	VecIdxCandidate batch[VECIDX_BATCH_MAX];

	if (ef > search->beam.room)
		widen_beam(search, ef);
	while (search->frontier_count > 0)
	{
		VecIdxCandidate from;
		int			count;

		if (vecidx_nearest_full(&search->beam) && frontier_estimate(search, 0) > search->beam.heap[0])
			return true;
		CHECK_FOR_INTERRUPTS();
		from = search->found[frontier_pop(search)];
		count = search->source->expand(search->source, &from, level, &search->visited, batch);
		for (int i = 0; i < count; i++)
			add_found(search, &batch[i]);
	}
	return false;
}

const VecIdxCandidate *
vecidx_search_nearest(const VecIdxSearch *search)
{
	const VecIdxCandidate *nearest = NULL;

	for (uint32 i = 0; i < search->found_count; i++)
	{
		const VecIdxCandidate *candidate = &search->found[i];

		if (nearest == NULL || candidate->estimate < nearest->estimate)
			nearest = candidate;
	}
	return nearest;
}

static int
compare_candidates(const void *a, const void *b)
{
	float		x = ((const VecIdxCandidate *) a)->estimate;
	float		y = ((const VecIdxCandidate *) b)->estimate;

	return (x > y) - (x < y);
}

void
vecidx_search_lower(VecIdxSearch *search, int level, uint32 count)
{
	uint32		met = search->found_count;
	VecIdxCandidate *seeds = palloc_extended(met * sizeof(VecIdxCandidate), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < met; i++)
		seeds[i] = search->found[i];
	qsort(seeds, met, sizeof(VecIdxCandidate), compare_candidates);
	vecidx_search_reset(search);
	for (uint32 i = 0; i < Min(met, count); i++)
	{
		seeds[i].upper = level > 1 ? seeds[i].upper - 1 : VECIDX_NONE;
		vecidx_search_seed(search, &seeds[i]);
	}
	pfree(seeds);
}

bool
vecidx_search_descend(VecIdxSearch *search, int level)
{
	VecIdxCandidate *batch;
	VecIdxCandidate nearest;
	int			at;
	int			count = search->source->enter(search->source, level, &at, &batch);

	vecidx_search_reset(search);
	if (count == 0)
		return false;
	nearest.node = VECIDX_NONE;
	for (int i = 0; i < count; i++)
	{
		if (batch[i].node != search->avoided &&
			(nearest.node == VECIDX_NONE || batch[i].estimate < nearest.estimate))
			nearest = batch[i];
	}
	if (nearest.node == VECIDX_NONE)
		return false;
	while (at > level)
	{
		vecidx_search_reset(search);
		vecidx_search_seed(search, &nearest);
		vecidx_search_run(search, at, 1);
		nearest = *vecidx_search_nearest(search);
		nearest.upper = at > 1 ? nearest.upper - 1 : VECIDX_NONE;
		at--;
	}
	vecidx_search_reset(search);
	vecidx_search_seed(search, &nearest);
	return true;
}
