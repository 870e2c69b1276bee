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

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "graph/rank.h"

/*
 * Candidates whose vectors are on their way while one is reranked: few while
 * all is in memory, as the processor's caches are small; many when pages have
 * to be read.
 */
#define AHEAD_WARM	6
#define AHEAD_COLD	24

void
vecidx_rank_init(VecIdxRank *rank, VecIdxStore *store, MemoryContext context)
{
	memset(rank, 0, sizeof(VecIdxRank));
	rank->store = store;
	rank->context = context;
	rank->factor = 1;
	rank->guess = INFINITY;
	rank->offered_room = 512;
	rank->offered = MemoryContextAlloc(context, rank->offered_room * sizeof(VecIdxOffered));
	vecidx_heap_init(&rank->pending, context, 512);
	rank->later_room = 512;
	rank->later = MemoryContextAlloc(context, rank->later_room * sizeof(VecIdxHeapItem));
	rank->later_lower = INFINITY;
	rank->ready_room = 128;
	rank->ready = MemoryContextAlloc(context, rank->ready_room * sizeof(VecIdxRanked));
	rank->best_room = 128;
	rank->best = MemoryContextAlloc(context, rank->best_room * sizeof(float));
}

void
vecidx_rank_reset(VecIdxRank *rank)
{
	rank->offered_count = 0;
	rank->pending.count = 0;
	rank->later_count = 0;
	rank->later_lower = INFINITY;
	rank->ready_count = 0;
	rank->taken = 0;
	rank->guess = INFINITY;
}

static void
append_later(VecIdxRank *rank, VecIdxHeapItem pending)
{
	if (rank->later_count == rank->later_room)
	{
		rank->later_room *= 2;
		rank->later = repalloc_huge(rank->later, (Size) rank->later_room * sizeof(VecIdxHeapItem));
	}
	rank->later[rank->later_count++] = pending;
	rank->later_lower = Min(rank->later_lower, pending.key);
}

/* Takes those put off into the heap, if the nearest of them may come next. */
static inline void
recall_later(VecIdxRank *rank)
{
	if (likely(rank->later_count == 0 ||
			   (rank->pending.count > 0 && rank->pending.item[0].key <= rank->later_lower)))
		return;
	while (rank->later_count > 0)
		vecidx_heap_push(&rank->pending, rank->later[--rank->later_count]);
	rank->later_lower = INFINITY;
}

/* Nodes farther than the guess by so much of their bound are put off. */
#define PUT_OFF		0.3f

void
vecidx_rank_offer(VecIdxRank *rank, uint32 node, float estimate, float bound)
{
	VecIdxHeapItem offered = {estimate - rank->factor * bound, rank->offered_count};

	if (rank->offered_count == rank->offered_room)
	{
		rank->offered_room *= 2;
		rank->offered = repalloc_huge(rank->offered, (Size) rank->offered_room * sizeof(VecIdxOffered));
	}
	rank->offered[rank->offered_count].node = node;
	rank->offered[rank->offered_count].estimate = estimate;
	rank->offered_count++;
	if (offered.key > rank->guess + PUT_OFF * bound)
		append_later(rank, offered);
	else
		vecidx_heap_push(&rank->pending, offered);
}

void
vecidx_rank_take(VecIdxRank *rank, const VecIdxSearch *search)
{
	rank->guess = vecidx_nearest_full(&search->beam) ? search->beam.heap[0] : INFINITY;
	for (; rank->taken < search->found_count; rank->taken++)
	{
		const VecIdxCandidate *found = &search->found[rank->taken];

		vecidx_rank_offer(rank, found->node, found->estimate, found->bound);
	}
}

/* Candidates taken from the heap, in its order, whose vectors are on their way. */
typedef struct Pipeline
{
	VecIdxHeapItem slot[AHEAD_COLD];
	uint32		head;
	uint32		count;
} Pipeline;

static inline uint32
pipeline_node(const VecIdxRank *rank, const Pipeline *pipeline, uint32 place)
{
	return rank->offered[pipeline->slot[(pipeline->head + place) % AHEAD_COLD].index].node;
}

/* Takes candidates that will likely be reranked, and at least one if there is any. */
static void
fill_pipeline(VecIdxRank *rank, Pipeline *pipeline)
{
	uint32		ahead = rank->store->handle->pressed > 0 ? AHEAD_COLD : AHEAD_WARM;

	while (pipeline->count < ahead)
	{
		VecIdxHeapItem taken;

		recall_later(rank);
		if (rank->pending.count == 0 || (pipeline->count > 0 && rank->pending.item[0].key > rank->guess))
			break;
		taken = vecidx_heap_pop(&rank->pending);
		vecidx_store_prefetch(rank->store, rank->offered[taken.index].node);
		pipeline->slot[(pipeline->head + pipeline->count++) % AHEAD_COLD] = taken;
		if (pipeline->count > AHEAD_WARM / 2)
			vecidx_store_settle(rank->store, pipeline_node(rank, pipeline, pipeline->count - 1 - AHEAD_WARM / 2));
	}
}

static void
empty_pipeline(VecIdxRank *rank, Pipeline *pipeline)
{
	for (uint32 i = 0; i < pipeline->count; i++)
		vecidx_heap_push(&rank->pending, pipeline->slot[(pipeline->head + i) % AHEAD_COLD]);
}

/* Reads the distance of a node; false if it is gone. */
static bool
append_ready(VecIdxRank *rank, uint32 index)
{
	const VecIdxOffered *offered = &rank->offered[index];
	VecIdxRanked *ranked;

	if (rank->ready_count == rank->ready_room)
	{
		rank->ready_room *= 2;
		rank->ready = repalloc_huge(rank->ready, (Size) rank->ready_room * sizeof(VecIdxRanked));
	}
	ranked = &rank->ready[rank->ready_count];
	ranked->node = offered->node;
	ranked->offered = index;
	if (rank->store->handle->layout.run[VECIDX_RUN_RERANK].span == 0)
	{
		ranked->distance.order = offered->estimate;
		ranked->distance.bound = 0;
		ranked->distance.version = VECIDX_NONE;
	}
	else if (!vecidx_store_distance(rank->store, offered->node, &ranked->distance))
		return false;
	rank->ready_count++;
	return true;
}

static int
compare_ranked(const void *a, const void *b)
{
	const VecIdxRanked *x = a;
	const VecIdxRanked *y = b;

	if (x->distance.order != y->distance.order)
		return x->distance.order < y->distance.order ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

/* Moves the nearest, up to distance "worst", to the front of ready[] and sorts them. */
static void
sort_ready(VecIdxRank *rank, float worst)
{
	uint32		near = 0;

	for (uint32 i = 0; i < rank->ready_count; i++)
	{
		VecIdxRanked ranked = rank->ready[i];

		if (ranked.distance.order > worst)
			continue;
		rank->ready[i] = rank->ready[near];
		rank->ready[near++] = ranked;
	}
	qsort(rank->ready, near, sizeof(VecIdxRanked), compare_ranked);
}

/* An empty heap for the count nearest distances. */
static VecIdxNearest
begin_best(VecIdxRank *rank, uint32 count)
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
	return best;
}

uint32
vecidx_rank_best(VecIdxRank *rank, uint32 count)
{
	VecIdxNearest best = begin_best(rank, count);
	Pipeline	pipeline = {.head = 0};

	for (uint32 i = 0; i < rank->ready_count; i++)
		vecidx_nearest_offer(&best, rank->ready[i].distance.order);
	for (;;)
	{
		VecIdxHeapItem next;

		fill_pipeline(rank, &pipeline);
		next = pipeline.slot[pipeline.head];
		if (pipeline.count == 0 || (vecidx_nearest_full(&best) && next.key > best.heap[0]))
			break;
		CHECK_FOR_INTERRUPTS();
		pipeline.head = (pipeline.head + 1) % AHEAD_COLD;
		pipeline.count--;
		if (append_ready(rank, next.index))
			vecidx_nearest_offer(&best, rank->ready[rank->ready_count - 1].distance.order);
	}
	empty_pipeline(rank, &pipeline);
	sort_ready(rank, vecidx_nearest_full(&best) ? best.heap[0] : INFINITY);
	return Min(count, rank->ready_count);
}

/* Half way between the count-th nearest distance and the next; false if there are not so many. */
static bool
find_boundary(const VecIdxRank *rank, uint32 count, float *boundary)
{
	float		next = INFINITY;

	if (rank->ready_count <= count)
		return false;
	for (uint32 i = count; i < rank->ready_count; i++)
		next = Min(next, rank->ready[i].distance.order);
	*boundary = 0.5f * (rank->ready[count - 1].distance.order + next);
	return true;
}

void
vecidx_rank_settle(VecIdxRank *rank, uint32 count, VecIdxExactDistance exact, void *state)
{
	VecIdxNearest best = begin_best(rank, count);
	float		boundary;

	if (count == 0 || !find_boundary(rank, count, &boundary))
		return;
	for (uint32 i = 0; i < rank->ready_count; i++)
	{
		VecIdxRanked *ranked = &rank->ready[i];

		if (fabsf(ranked->distance.order - boundary) < ranked->distance.bound)
		{
			CHECK_FOR_INTERRUPTS();
			if (exact(state, ranked, &ranked->distance.order))
				ranked->distance.bound = 0;
		}
		vecidx_nearest_offer(&best, ranked->distance.order);
	}
	sort_ready(rank, best.heap[0]);
}

void
vecidx_rank_drop(VecIdxRank *rank, uint32 count)
{
	rank->ready_count -= count;
	memmove(rank->ready, rank->ready + count, rank->ready_count * sizeof(VecIdxRanked));
}
