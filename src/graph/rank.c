/*
 * rank.c
 *	  The order of results.
 *
 * Candidates are reranked in order of their lower bounds; once the smallest
 * bound left is above the count-th smallest distance known, no other can
 * belong to the nearest ones, but for the small share of bounds that do not
 * hold.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "graph/rank.h"

void
vecidx_rank_init(VecIdxRank *rank, VecIdxStore *store, MemoryContext context)
{
	memset(rank, 0, sizeof(VecIdxRank));
	rank->store = store;
	rank->context = context;
	rank->pending_room = 1024;
	rank->pending = MemoryContextAlloc(context, rank->pending_room * sizeof(VecIdxCandidate));
	rank->ready_room = 256;
	rank->ready = MemoryContextAlloc(context, rank->ready_room * sizeof(VecIdxRanked));
	rank->best_room = 256;
	rank->best = MemoryContextAlloc(context, rank->best_room * sizeof(float));
}

void
vecidx_rank_reset(VecIdxRank *rank)
{
	rank->pending_count = 0;
	rank->ready_count = 0;
	rank->taken = 0;
}

static inline float
lower_bound(const VecIdxCandidate *candidate)
{
	return candidate->estimate - candidate->bound;
}

void
vecidx_rank_offer(VecIdxRank *rank, const VecIdxCandidate *candidate)
{
	VecIdxCandidate offered = *candidate;
	float		bound = lower_bound(&offered);
	uint32		at;

	if (rank->pending_count == rank->pending_room)
	{
		rank->pending_room *= 2;
		rank->pending = repalloc_huge(rank->pending, (Size) rank->pending_room * sizeof(VecIdxCandidate));
	}
	at = rank->pending_count++;
	while (at > 0 && bound < lower_bound(&rank->pending[(at - 1) / 2]))
	{
		rank->pending[at] = rank->pending[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	rank->pending[at] = offered;
}

static VecIdxCandidate
pop_pending(VecIdxRank *rank)
{
	VecIdxCandidate *heap = rank->pending;
	VecIdxCandidate top = heap[0];
	VecIdxCandidate moved = heap[--rank->pending_count];
	uint32		count = rank->pending_count;
	uint32		at = 0;

	while (at * 2 + 1 < count)
	{
		uint32		child = at * 2 + 1;

		if (child + 1 < count && lower_bound(&heap[child + 1]) < lower_bound(&heap[child]))
			child++;
		if (lower_bound(&moved) <= lower_bound(&heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	if (count > 0)
		heap[at] = moved;
	return top;
}

void
vecidx_rank_take(VecIdxRank *rank, const VecIdxSearch *search)
{
	for (; rank->taken < search->found_count; rank->taken++)
		vecidx_rank_offer(rank, &search->found[rank->taken]);
}

/* Reads the distance of a node; false if it is gone. */
static bool
append_ready(VecIdxRank *rank, const VecIdxCandidate *candidate)
{
	VecIdxRanked *ranked;

	if (rank->ready_count == rank->ready_room)
	{
		rank->ready_room *= 2;
		rank->ready = repalloc_huge(rank->ready, (Size) rank->ready_room * sizeof(VecIdxRanked));
	}
	ranked = &rank->ready[rank->ready_count];
	ranked->node = candidate->node;
	if (!vecidx_store_distance(rank->store, candidate, &ranked->distance, &ranked->version))
		return false;
	rank->ready_count++;
	return true;
}

static int
compare_ranked(const void *a, const void *b)
{
	const VecIdxRanked *x = a;
	const VecIdxRanked *y = b;

	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

uint32
vecidx_rank_best(VecIdxRank *rank, uint32 count)
{
	VecIdxNearest best;

	if (count > rank->best_room)
	{
		rank->best_room = count;
		rank->best = repalloc_huge(rank->best, (Size) count * sizeof(float));
	}
	best.heap = rank->best;
	best.room = count;
	best.count = 0;
	for (uint32 i = 0; i < rank->ready_count; i++)
		vecidx_nearest_offer(&best, rank->ready[i].distance);
	while (rank->pending_count > 0 &&
		   (!vecidx_nearest_full(&best) || lower_bound(&rank->pending[0]) <= best.heap[0]))
	{
		VecIdxCandidate candidate = pop_pending(rank);

		CHECK_FOR_INTERRUPTS();
		if (rank->pending_count > 0)
			vecidx_store_prefetch(rank->store, rank->pending[0].node);
		if (append_ready(rank, &candidate))
			vecidx_nearest_offer(&best, rank->ready[rank->ready_count - 1].distance);
	}
	qsort(rank->ready, rank->ready_count, sizeof(VecIdxRanked), compare_ranked);
	return Min(count, rank->ready_count);
}

void
vecidx_rank_drop(VecIdxRank *rank, uint32 count)
{
	rank->ready_count -= count;
	memmove(rank->ready, rank->ready + count, rank->ready_count * sizeof(VecIdxRanked));
}
