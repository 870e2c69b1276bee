/*
 * sweep.c
 *	  All nodes of an index in the order of their codes.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "graph/sweep.h"

void
vecidx_sweep_init(VecIdxSweep *sweep, VecIdxStore *store, MemoryContext context, Size memory)
{
	sweep->store = store;
	sweep->nodes = store->handle->state.nodes;
	sweep->room = Max(1024, memory / sizeof(VecIdxCandidate));
	sweep->returned = MemoryContextAllocExtended(context, sweep->nodes / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

void
vecidx_sweep_mark(VecIdxSweep *sweep, uint32 node)
{
	if (node < sweep->nodes)
		sweep->returned[node / 8] |= 1 << node % 8;
}

/*
 * A sweep has time, and is what small tables get: its bounds are twice as
 * wide as a walk's, so that next to none fails to hold.
 */
#define SWEEP_CAUTION	2.0f

static int
compare_estimates(const void *a, const void *b)
{
	const VecIdxCandidate *x = a;
	const VecIdxCandidate *y = b;

	if (x->estimate != y->estimate)
		return x->estimate < y->estimate ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

/* Keeps the nearest "room" of twice as many; the largest estimate kept bounds what is offered from then on. */
static float
halve(VecIdxCandidate *kept, uint32 *count, uint32 room)
{
	qsort(kept, *count, sizeof(VecIdxCandidate), compare_estimates);
	*count = room;
	return kept[room - 1].estimate;
}

uint32
vecidx_sweep_pass(VecIdxSweep *sweep, VecIdxRank *rank)
{
	uint32		room = Min(sweep->room, sweep->nodes);
	uint32		size = room * 2;
	VecIdxCandidate *kept;
	uint32		count = 0;
	float		worst = 0;
	bool		full = false;

	if (sweep->nodes == 0)
		return 0;
	kept = palloc_extended(size * sizeof(VecIdxCandidate), MCXT_ALLOC_HUGE);
	vecidx_store_rewind(sweep->store);
	for (uint32 node = 0; node < sweep->nodes; node++)
	{
		VecIdxCandidate candidate;

		if (sweep->returned[node / 8] & 1 << node % 8)
			continue;
		if (!vecidx_store_next(sweep->store, node, &candidate))
			continue;
		if (full && candidate.estimate > worst)
			continue;
		candidate.bound *= SWEEP_CAUTION;
		kept[count++] = candidate;
		if (count == size)
		{
			worst = halve(kept, &count, room);
			full = true;
		}
	}
	vecidx_store_rewind(sweep->store);
	if (count > room)
		halve(kept, &count, room);
	for (uint32 i = 0; i < count; i++)
		vecidx_rank_offer(rank, kept[i].node, kept[i].estimate, kept[i].bound);
	pfree(kept);
	return count;
}
