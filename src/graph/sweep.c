/*
 * sweep.c
 *	  All nodes of an index in the order of their codes.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"

#include "filter/zone.h"
#include "graph/kept.h"
#include "graph/lot.h"
#include "graph/sweep.h"
#include "kernel/kernel.h"
#include "page/filter.h"

void
vecidx_sweep_init(VecIdxSweep *sweep, VecIdxStore *store, MemoryContext context, Size memory)
{
	memset(sweep, 0, sizeof(VecIdxSweep));
	sweep->store = store;
	sweep->nodes = store->handle->state.nodes;
	sweep->room = Max(1024, memory / sizeof(VecIdxCandidate));
	sweep->cut = INFINITY;
	sweep->returned = MemoryContextAllocExtended(context, sweep->nodes / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

void
vecidx_sweep_mark(VecIdxSweep *sweep, uint32 node)
{
	if (node < sweep->nodes)
		sweep->returned[node / 8] |= 1 << node % 8;
}

static inline bool
is_returned(const VecIdxSweep *sweep, uint32 node)
{
	return (sweep->returned[node / 8] & 1 << node % 8) != 0;
}

static void
pass_all(VecIdxSweep *sweep, VecIdxKept *kept)
{
	vecidx_store_rewind(sweep->store);
	for (uint32 node = 0; node < sweep->nodes; node++)
	{
		VecIdxCandidate candidate;

		if (!is_returned(sweep, node) && vecidx_store_next(sweep->store, node, &candidate))
			vecidx_kept_offer(kept, node, candidate.estimate, candidate.bound);
	}
	vecidx_store_rewind(sweep->store);
}

/* Lots of a pass, a power of two: while the codes of the others come, those of one are estimated. */
#define LOTS	4

/* A pass under a filter. */
typedef struct Passing
{
	VecIdxSweep *sweep;
	VecIdxKept *kept;
	VecIdxShelf shelf;
	VecIdxLot	lot[LOTS];
	int			filling;		/* the others are on their way, the next one for longest, or empty */
} Passing;

/* Estimates the lot that has been on its way, and has it filled. */
static void
turn_over(Passing *passing)
{
	VecIdxLot  *lot;

	passing->filling = (passing->filling + 1) % LOTS;
	lot = &passing->lot[passing->filling];
	vecidx_lot_estimate(lot, passing->sweep->store);
	if (lot->count < VECIDX_LOT_ROOM || !vecidx_kept_all_beyond(passing->kept, lot->estimate, lot->bound, VECIDX_LOT_ROOM))
	{
		for (uint32 i = 0; i < lot->count; i++)
			vecidx_kept_offer(passing->kept, lot->node[i], lot->estimate[i], lot->bound[i]);
	}
	lot->count = 0;
}

static inline void
take(Passing *passing, uint32 node)
{
	VecIdxLot  *lot = &passing->lot[passing->filling];

	if (is_returned(passing->sweep, node))
		return;
	vecidx_lot_add(lot, &passing->shelf, node);
	if (lot->count == VECIDX_LOT_ROOM)
		turn_over(passing);
}

/* Has the rows of a page that pass estimated, a word of bits for a strip.  Verdicts go on with "no" to the end of the last. */
static void
take_passing(Passing *passing, uint32 first, uint32 count, const uint8 *verdict)
{
	uint64		passes[VECIDX_STRIPS_MOST];
	uint32		strips = (count + VECIDX_STRIP_ROWS - 1) / VECIDX_STRIP_ROWS;
	uint32		passed = 0;

	vecidx_kernels()->within->bits(verdict, strips, passes);
	for (uint32 strip = 0; strip < strips; strip++)
	{
		for (uint64 left = passes[strip]; left != 0; left &= left - 1, passed++)
			take(passing, first + strip * VECIDX_STRIP_ROWS + pg_rightmost_one_pos64(left));
	}
	passing->sweep->passed += passed;
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

/* To test strips one by one costs less than to test the page as a whole where this part of them is open, or less. */
#define STRIPS_PART		4

/*
 * The verdicts on the rows of a page of which only those in some strips, for each
 * of which there is a bit, may pass; returns their number.
 */
static uint32
pass_strips(VecIdxSweep *sweep, uint32 first, uint64 strips, uint8 *verdict)
{
	VecIdxHandle *handle = sweep->store->handle;
	uint32		per_page = handle->layout.run[VECIDX_RUN_FILTER].per_page;
	VecIdxFilterPage page;

	do
	{
		vecidx_filter_open(handle, first, sweep->nodes, &page);
		memset(verdict, VECIDX_NO, page.count);
		for (uint64 left = strips; left != 0; left &= left - 1)
		{
			uint32		row = pg_rightmost_one_pos64(left) * VECIDX_STRIP_ROWS;

			if (row >= page.count)
				break;
			vecidx_predicate_rows(sweep->predicate, page.fields, per_page, row, Min(page.count - row, VECIDX_STRIP_ROWS), verdict + row);
		}
	} while (!vecidx_filter_close(handle, &page));
	sweep->tests += pg_popcount64(strips) * VECIDX_STRIP_ROWS;
	return page.count;
}

/* The verdicts on the rows of a page, of which some strips are open; returns their number. */
static uint32
pass_page(VecIdxSweep *sweep, VecIdxZones *zones, uint32 first, uint64 open, uint8 *verdict)
{
	VecIdxHandle *handle = sweep->store->handle;
	uint32		count;

	/* no function is called with values read without lock */
	if (!sweep->predicate->calling && STRIPS_PART * (uint32) pg_popcount64(open) <= vecidx_strips(handle))
		return pass_strips(sweep, first, open, verdict);
	count = vecidx_pass_page(handle, sweep->predicate, first, 0, sweep->nodes - first, verdict);
	sweep->tests += count;
	if (zones != NULL)
		vecidx_zones_learn(zones, handle, sweep->predicate, first);
	return count;
}

static void
pass_filter(VecIdxSweep *sweep, VecIdxKept *kept)
{
	VecIdxHandle *handle = sweep->store->handle;
	uint8	   *verdict = palloc(handle->layout.run[VECIDX_RUN_FILTER].per_page + VECIDX_STRIP_ROWS);
	Passing    *passing = palloc(sizeof(Passing));
	VecIdxZones *zones = NULL;
	uint32		count;

	if (sweep->zone_memory > 0)
	{
		vecidx_zones_begin(handle, sweep->zone_memory);
		zones = vecidx_zones_get(handle, sweep->predicate);
	}
	passing->sweep = sweep;
	passing->kept = kept;
	vecidx_shelf_init(&passing->shelf, sweep->store);
	passing->filling = 0;
	for (int i = 0; i < LOTS; i++)
		passing->lot[i].count = 0;
	for (uint32 first = 0; first < sweep->nodes; first += count)
	{
		uint64		open = PG_UINT64_MAX;

		CHECK_FOR_INTERRUPTS();
		vecidx_filter_ahead(handle, first, sweep->nodes);
		if (zones != NULL)
			open = vecidx_zones_open(zones, handle, sweep->predicate, first);
		if (open == 0)
		{
			count = vecidx_handle_page_slots(handle, VECIDX_RUN_FILTER, first, sweep->nodes);
			continue;
		}
		count = pass_page(sweep, zones, first, open, verdict);
		memset(verdict + count, VECIDX_NO, VECIDX_STRIP_ROWS);
		take_passing(passing, first, count, verdict);
	}
	for (int i = 0; i < LOTS; i++)
		turn_over(passing);
	pfree(passing);
	pfree(verdict);
}

/* What is farther than so many others need not be sorted now. */
static float
guess_distance(const VecIdxKept *kept, uint32 wanted)
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

/* So many times as many are wanted of a pass as of the last one, if that has left nodes out. */
#define WANTED_TIMES	4

uint32
vecidx_sweep_pass(VecIdxSweep *sweep, VecIdxRank *rank, uint32 wanted)
{
	VecIdxKept	kept;

	if (sweep->nodes == 0 || sweep->exhausted)
		return 0;
	if (sweep->cut < INFINITY)
	{
		wanted = (uint32) Min(Max((uint64) sweep->wanted * WANTED_TIMES, wanted), sweep->nodes);
		vecidx_rank_reset(rank);
	}
	sweep->wanted = wanted;
	vecidx_kept_init(&kept, Min(sweep->room, sweep->nodes), rank->factor, sweep->cutting && wanted < sweep->nodes ? wanted : 0);
	if (sweep->predicate == NULL)
		pass_all(sweep, &kept);
	else
		pass_filter(sweep, &kept);
	vecidx_kept_finish(&kept);
	sweep->cut = kept.left_out;
	sweep->exhausted = sweep->cut == INFINITY && kept.worst == INFINITY;
	if (sweep->predicate != NULL)
		rank->guess = guess_distance(&kept, Max(wanted, 1));
	for (uint32 i = 0; i < kept.count; i++)
	{
		vecidx_rank_offer(rank, kept.candidate[i].node, kept.candidate[i].estimate, kept.candidate[i].bound);
		/* the rank drops those whose vectors are gone: they are not to be offered again */
		if (sweep->cut == INFINITY && !sweep->exhausted)
			vecidx_sweep_mark(sweep, kept.candidate[i].node);
	}
	vecidx_kept_free(&kept);
	return kept.count;
}
