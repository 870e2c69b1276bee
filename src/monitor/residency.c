/*
 * residency.c
 *	  vecidx_residency: how much of each kind of page is in memory.
 *
 * Reads the metapage and the directory; of all other pages it only asks where
 * they are.  A page in shared buffers may be in the operating system's cache,
 * too: the two numbers are not to be added.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "monitor/monitor.h"
#include "page/resident.h"

PG_FUNCTION_INFO_V1(vecidx_residency);

/* Rows of the result, after one for each run. */
#define TIER_META	VECIDX_RUNS
#define TIER_SPARE	(VECIDX_RUNS + 1)

static const char *const tier_names[] = {
	[VECIDX_RUN_CODE] = "code",
	[VECIDX_RUN_ADJACENCY] = "adjacency",
	[VECIDX_RUN_UPPER] = "upper",
	[VECIDX_RUN_RERANK] = "rerank",
	[VECIDX_RUN_FILTER] = "filter",
	[TIER_META] = "meta",
	[TIER_SPARE] = "spare",
};

typedef struct Residency
{
	VecIdxHandle *handle;
	BlockNumber file;			/* blocks */
	bool	   *buffered;		/* of each block */
	uint32	   *cached;			/* bytes of each block; NULL: not told */
} Residency;

static VecIdxRanges
tier_ranges(const Residency *residency, int tier)
{
	VecIdxRanges ranges = {.file = residency->file};

	if (tier == TIER_META)
		vecidx_ranges_add_meta(&ranges, residency->handle);
	else if (tier == TIER_SPARE)
		vecidx_ranges_add_spare(&ranges, residency->handle);
	else
		vecidx_ranges_add_run(&ranges, residency->handle, (VecIdxRunKind) tier, PG_UINT32_MAX);
	return ranges;
}

static uint64
count_set(const bool *buffered, BlockNumber blocks)
{
	uint64		count = 0;

	for (BlockNumber i = 0; i < blocks; i++)
		count += buffered[i];
	return count;
}

/* A kind that the index has no pages of has no row. */
static void
put_tier(ReturnSetInfo *result, const Residency *residency, int tier)
{
	VecIdxRanges ranges = tier_ranges(residency, tier);
	uint64		buffered = 0;
	uint64		cached = 0;
	Datum		values[5];
	bool		nulls[5] = {false};

	if (ranges.total == 0)
		return;
	for (uint32 i = 0; i < ranges.count; i++)
	{
		BlockNumber first = ranges.range[i].first;

		buffered += count_set(residency->buffered + first, ranges.range[i].count);
		for (BlockNumber block = first; residency->cached != NULL && block < first + ranges.range[i].count; block++)
			cached += residency->cached[block];
	}
	values[0] = CStringGetTextDatum(tier_names[tier]);
	values[1] = Int64GetDatum((int64) ranges.total);
	values[2] = Int64GetDatum((int64) ranges.total * BLCKSZ);
	values[3] = Int64GetDatum((int64) buffered * BLCKSZ);
	values[4] = Int64GetDatum((int64) cached);
	nulls[4] = residency->cached == NULL;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

double
vecidx_hot_resident(const VecIdxHandle *handle)
{
	static const VecIdxRunKind hot[] = {VECIDX_RUN_CODE, VECIDX_RUN_ADJACENCY, VECIDX_RUN_UPPER, VECIDX_RUN_FILTER};
	VecIdxRanges ranges = {.file = RelationGetNumberOfBlocks(handle->index)};
	bool	   *buffered = palloc_extended(ranges.file * sizeof(bool), MCXT_ALLOC_HUGE);
	uint64		count = 0;

	vecidx_resident_buffers(handle->index, ranges.file, buffered);
	for (int i = 0; i < (int) lengthof(hot); i++)
		vecidx_ranges_add_run(&ranges, handle, hot[i], hot[i] == VECIDX_RUN_UPPER ? handle->state.uppers : handle->state.nodes);
	for (uint32 i = 0; i < ranges.count; i++)
		count += count_set(buffered + ranges.range[i].first, ranges.range[i].count);
	pfree(buffered);
	return ranges.total == 0 ? 1 : (double) count / ranges.total;
}

static void
look_at_index(Relation index, ReturnSetInfo *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx residency", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Residency	residency = {0};

	residency.handle = vecidx_handle_acquire(index);
	vecidx_handle_release_with(residency.handle, context);
	residency.file = RelationGetNumberOfBlocks(index);
	residency.buffered = palloc_extended(residency.file * sizeof(bool), MCXT_ALLOC_HUGE);
	vecidx_resident_buffers(index, residency.file, residency.buffered);
	residency.cached = palloc_extended(residency.file * sizeof(uint32), MCXT_ALLOC_HUGE);
	if (!vecidx_resident_cache(index, residency.file, residency.cached))
		residency.cached = NULL;
	for (int tier = 0; tier <= TIER_SPARE; tier++)
		put_tier(result, &residency, tier);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

Datum
vecidx_residency(PG_FUNCTION_ARGS)
{
	VecIdxTarget target;
	ReturnSetInfo *result = vecidx_monitor_begin(fcinfo, &target);

	look_at_index(target.index, result);
	vecidx_monitor_close(&target);
	return (Datum) 0;
}
