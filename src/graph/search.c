/*
 * search.c
 *	  Beam search over a source.
 *
 * Every node met stays in found[], also those too far to be expanded, so that
 * a search can be resumed with a wider beam and nothing is estimated twice.
 */
#include "postgres.h"

#include <math.h>

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
	vecidx_heap_init(&search->frontier, context, 512);
	vecidx_visited_init(&search->visited, context, 2048);
}

void
vecidx_search_reset(VecIdxSearch *search)
{
	vecidx_visited_clear(&search->visited);
	if (search->avoided != VECIDX_NONE)
		vecidx_visited_add(&search->visited, search->avoided);
	search->found_count = 0;
	search->frontier.count = 0;
	search->expanded = 0;
	search->beam.count = 0;
	search->beam.room = 0;
	search->stop.width = 0;
	search->threshold = INFINITY;
}

/* The distance beyond which nodes are not worth expanding, by the width-th best so far. */
static inline float
stretch_distance(const VecIdxSearch *search)
{
	float		worst = search->beam.heap[0];
	float		reach = worst + search->stop.shift;

	return reach > 0 ? worst + (search->stop.stretch - 1) * reach : worst;
}

/* Offers a node met to the beam; queues it and returns true if it is worth expanding. */
static inline bool
offer_found(VecIdxSearch *search, uint32 index)
{
	float		estimate = search->found[index].estimate;
	bool		kept = vecidx_nearest_offer(&search->beam, estimate);

	if (kept && vecidx_nearest_full(&search->beam))
		search->threshold = stretch_distance(search);
	if ((kept || estimate < search->threshold) && !search->queued[index])
	{
		VecIdxHeapItem item = {estimate, index};

		search->queued[index] = true;
		vecidx_heap_push(&search->frontier, item);
		return true;
	}
	return false;
}

/* Puts another rule in force: offers it all nodes met again. */
static void
change_stop(VecIdxSearch *search, const VecIdxStop *stop)
{
	if (stop->width > search->beam_room)
	{
		if (search->beam.heap != NULL)
			pfree(search->beam.heap);
		search->beam.heap = MemoryContextAllocHuge(search->context, (Size) stop->width * sizeof(float));
		search->beam_room = stop->width;
	}
	search->stop = *stop;
	search->beam.count = 0;
	search->beam.room = stop->width;
	search->threshold = INFINITY;
	for (uint32 i = 0; i < search->found_count; i++)
		offer_found(search, i);
}

/* Returns true if the node was queued. */
static bool
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
	return search->beam.room > 0 && offer_found(search, index);
}

void
vecidx_search_seed(VecIdxSearch *search, const VecIdxCandidate *candidate)
{
	vecidx_visited_reserve(&search->visited, 1);
	if (vecidx_visited_add(&search->visited, candidate->node))
		add_found(search, candidate);
}

/* Adds a node's neighbours.  Most of those that are queued will be expanded. */
static void
add_batch(VecIdxSearch *search, int level, const VecIdxBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		if (add_found(search, &batch->candidate[i]))
			search->source->prefetch(search->source, &batch->candidate[i], level);
	}
}

/* Takes the nearest unexpanded node; false if the rule says stop. */
static inline bool
take_nearest(VecIdxSearch *search, VecIdxCandidate *nearest)
{
	if (search->frontier.count == 0 || search->frontier.item[0].key > search->threshold ||
		search->expanded >= search->stop.limit)
		return false;
	*nearest = search->found[vecidx_heap_pop(&search->frontier).index];
	search->expanded++;
	return true;
}

/* Begins to expand it. */
static bool
begin_nearest(VecIdxSearch *search, int level, VecIdxBatch *batch)
{
	VecIdxCandidate from;

	if (!take_nearest(search, &from))
		return false;
	search->source->begin(search->source, &from, level, &search->visited, batch);
	return true;
}

void
vecidx_search_rule(VecIdxSearch *search, const VecIdxStop *stop)
{
	if (memcmp(stop, &search->stop, sizeof(VecIdxStop)) != 0)
		change_stop(search, stop);
}

bool
vecidx_search_next(VecIdxSearch *search, VecIdxCandidate *nearest)
{
	return take_nearest(search, nearest);
}

bool
vecidx_search_meet(VecIdxSearch *search, const VecIdxCandidate *candidate)
{
	return add_found(search, candidate);
}

/*
 * Two nodes are under way at a time: while the memory of one's neighbours
 * comes, those of the other are estimated.  So a node may be expanded that the
 * neighbours of the one before would have put farther back; under a stretched
 * threshold nearly all of these are expanded in the end.
 */
bool
vecidx_search_run(VecIdxSearch *search, int level, const VecIdxStop *stop)
{
	VecIdxBatch batches[2];
	int			next = 0;
	bool		under_way = false;

	vecidx_search_rule(search, stop);
	for (;;)
	{
		bool		begun = begin_nearest(search, level, &batches[next]);

		CHECK_FOR_INTERRUPTS();
		next = 1 - next;
		if (under_way)
		{
			search->source->finish(search->source, &batches[next]);
			add_batch(search, level, &batches[next]);
		}
		else if (!begun)
			break;
		under_way = begun;
	}
	return search->frontier.count > 0 || vecidx_nearest_full(&search->beam);
}

bool
vecidx_search_beam(VecIdxSearch *search, int level, uint32 ef)
{
	VecIdxStop	stop = {ef, 1, 0, PG_UINT32_MAX};

	return vecidx_search_run(search, level, &stop);
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
		vecidx_search_beam(search, at, 1);
		nearest = *vecidx_search_nearest(search);
		nearest.upper = at > 1 ? nearest.upper - 1 : VECIDX_NONE;
		at--;
	}
	vecidx_search_reset(search);
	vecidx_search_seed(search, &nearest);
	return true;
}
