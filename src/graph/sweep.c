/*
 * sweep.c
 *	  All nodes of an index in the order of their codes.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"

#include "graph/select.h"
#include "graph/sweep.h"
#include "page/filter.h"

void
vecidx_sweep_init(VecIdxSweep *sweep, VecIdxStore *store, MemoryContext context, Size memory)
{
	memset(sweep, 0, sizeof(VecIdxSweep));
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

/* The nearest candidates of a pass: room for twice as many as are kept. */
typedef struct Kept
{
	VecIdxCandidate *candidate;
	uint32		count;
	uint32		room;
	float		worst;			/* farther ones are not kept */
} Kept;

/* Keeps the nearest "room" of those there are, which are more; the largest estimate kept bounds what is offered from then on. */
static void
halve(Kept *kept)
{
	vecidx_select_nearest(kept->candidate, kept->count, kept->room);
	kept->count = kept->room;
	kept->worst = kept->candidate[kept->room - 1].estimate;
}

static inline void
keep(Kept *kept, const VecIdxCandidate *candidate)
{
	if (candidate->estimate > kept->worst)
		return;
	kept->candidate[kept->count] = *candidate;
	if (++kept->count == 2 * kept->room)
		halve(kept);
}

static inline bool
is_returned(const VecIdxSweep *sweep, uint32 node)
{
	return (sweep->returned[node / 8] & 1 << node % 8) != 0;
}

static void
pass_all(VecIdxSweep *sweep, Kept *kept)
{
	vecidx_store_rewind(sweep->store);
	for (uint32 node = 0; node < sweep->nodes; node++)
	{
		VecIdxCandidate candidate;

		if (!is_returned(sweep, node) && vecidx_store_next(sweep->store, node, &candidate))
			keep(kept, &candidate);
	}
	vecidx_store_rewind(sweep->store);
}

/* Codes that are on their way together. */
#define BATCH	32

/* Nodes to be estimated: while the codes of one batch come, those of the other are. */
typedef struct Coming
{
	VecIdxBatch batch[2];
	int			filling;		/* the other one is on its way, or empty */
} Coming;

static void
estimate_batch(VecIdxSweep *sweep, VecIdxBatch *batch, Kept *kept)
{
	sweep->store->source.finish(&sweep->store->source, batch);
	for (int i = 0; i < batch->count; i++)
		keep(kept, &batch->candidate[i]);
	batch->count = 0;
}

/* Sends for the codes of the batch that is being filled, and estimates the other. */
static void
turn_over(VecIdxSweep *sweep, Coming *coming, Kept *kept)
{
	vecidx_store_locate(sweep->store, &coming->batch[coming->filling]);
	coming->filling = 1 - coming->filling;
	estimate_batch(sweep, &coming->batch[coming->filling], kept);
}

/* Verdicts that are looked at together: a bit each of a word. */
#define TOGETHER	64

/* Which of eight rows pass, the first as the lowest bit. */
static inline uint64
passing_of_eight(const uint8 *verdict)
{
	uint64		eight;

	memcpy(&eight, verdict, sizeof(eight));
#ifdef WORDS_BIGENDIAN
	eight = pg_bswap64(eight);
#endif
	/* the highest bit of each byte that is not zero, all brought to the highest byte */
	eight = (((eight & UINT64CONST(0x7F7F7F7F7F7F7F7F)) + UINT64CONST(0x7F7F7F7F7F7F7F7F)) | eight) & UINT64CONST(0x8080808080808080);
	return ((eight >> 7) * UINT64CONST(0x0102040810204080)) >> 56;
}

static inline uint64
passing_together(const uint8 *verdict)
{
	uint64		words[TOGETHER / 8];
	uint64		any = 0;
	uint64		passing = 0;

	memcpy(words, verdict, TOGETHER);
	for (int i = 0; i < TOGETHER / 8; i++)
		any |= words[i];
	if (any == 0)
		return 0;
	for (int i = 0; i < TOGETHER; i += 8)
		passing |= passing_of_eight(verdict + i) << i;
	return passing;
}

static inline void
take(VecIdxSweep *sweep, uint32 node, Coming *coming, Kept *kept)
{
	VecIdxBatch *batch = &coming->batch[coming->filling];

	if (is_returned(sweep, node))
		return;
	batch->candidate[batch->count].node = node;
	batch->candidate[batch->count].upper = VECIDX_NONE;
	if (++batch->count == BATCH)
		turn_over(sweep, coming, kept);
}

/* Has the rows of a page that pass estimated.  Verdicts go on with "no" to the end of what is looked at together. */
static void
take_passing(VecIdxSweep *sweep, uint32 first, uint32 count, const uint8 *verdict, Coming *coming, Kept *kept)
{
	for (uint32 i = 0; i < count; i += TOGETHER)
	{
		uint64		passing = passing_together(verdict + i);

		if (passing == 0)
			continue;
		sweep->passed += pg_popcount64(passing);
		for (; passing != 0; passing &= passing - 1)
			take(sweep, first + i + pg_rightmost_one_pos64(passing), coming, kept);
	}
}

/* The same where functions are called: on a copy, made under lock, as they may take long. */
static uint32
call_page(VecIdxHandle *handle, VecIdxPredicate *predicate, uint32 first, uint32 skip, uint32 most, uint8 *verdicts)
{
	uint64		copy[BLCKSZ / sizeof(uint64)];
	VecIdxFilterPage page;
	uint32		count;

	vecidx_filter_lock(handle, first, handle->state.nodes, &page);
	memcpy(copy, page.fields, VECIDX_PAGE_USABLE);
	vecidx_filter_close(handle, &page);
	count = Min(page.count - skip, most);
	vecidx_predicate_rows(predicate, (uint8 *) copy, handle->layout.run[VECIDX_RUN_FILTER].per_page, skip, count, verdicts);
	return count;
}

uint32
vecidx_pass_page(VecIdxHandle *handle, VecIdxPredicate *predicate, uint32 first, uint32 skip, uint32 most, uint8 *verdicts)
{
	uint32		per_page = handle->layout.run[VECIDX_RUN_FILTER].per_page;
	VecIdxFilterPage page;
	uint32		count;

	if (predicate->calling)
		return call_page(handle, predicate, first, skip, most, verdicts);
	do
	{
		vecidx_filter_open(handle, first, handle->state.nodes, &page);
		count = Min(page.count - skip, most);
		vecidx_predicate_rows(predicate, page.fields, per_page, skip, count, verdicts);
	} while (!vecidx_filter_close(handle, &page));
	return count;
}

static void
pass_filter(VecIdxSweep *sweep, Kept *kept)
{
	VecIdxHandle *handle = sweep->store->handle;
	uint32		per_page = handle->layout.run[VECIDX_RUN_FILTER].per_page;
	uint8	   *verdict = palloc(per_page + TOGETHER);
	Coming		coming;
	uint32		count;

	coming.batch[0].count = coming.batch[1].count = coming.filling = 0;
	for (uint32 first = 0; first < sweep->nodes; first += count)
	{
		count = vecidx_pass_page(handle, sweep->predicate, first, 0, sweep->nodes - first, verdict);
		memset(verdict + count, VECIDX_NO, TOGETHER);
		take_passing(sweep, first, count, verdict, &coming, kept);
	}
	turn_over(sweep, &coming, kept);
	turn_over(sweep, &coming, kept);
	sweep->tests += sweep->nodes;
	pfree(verdict);
}

/* What is farther than so many others need not be sorted now. */
static float
guess_distance(const Kept *kept, uint32 wanted)
{
	VecIdxNearest nearest;
	float		guess = INFINITY;

	if (kept->count <= wanted)
		return guess;
	nearest.heap = palloc_extended(wanted * sizeof(float), MCXT_ALLOC_HUGE);
	nearest.room = wanted;
	nearest.count = 0;
	for (uint32 i = 0; i < kept->count; i++)
		vecidx_nearest_offer(&nearest, kept->candidate[i].estimate);
	guess = nearest.heap[0];
	pfree(nearest.heap);
	return guess;
}

uint32
vecidx_sweep_pass(VecIdxSweep *sweep, VecIdxRank *rank, uint32 wanted)
{
	Kept		kept = {NULL, 0, Min(sweep->room, sweep->nodes), INFINITY};

	if (sweep->nodes == 0)
		return 0;
	kept.candidate = palloc_extended(2 * (Size) kept.room * sizeof(VecIdxCandidate), MCXT_ALLOC_HUGE);
	if (sweep->predicate == NULL)
		pass_all(sweep, &kept);
	else
		pass_filter(sweep, &kept);
	if (kept.count > kept.room)
		halve(&kept);
	if (sweep->predicate != NULL)
		rank->guess = guess_distance(&kept, Max(wanted, 1));
	/* the rank drops those whose vectors are gone: they are not to be offered again */
	for (uint32 i = 0; i < kept.count; i++)
	{
		vecidx_rank_offer(rank, kept.candidate[i].node, kept.candidate[i].estimate, kept.candidate[i].bound);
		vecidx_sweep_mark(sweep, kept.candidate[i].node);
	}
	pfree(kept.candidate);
	return kept.count;
}
