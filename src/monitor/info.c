/*
 * info.c
 *	  vecidx_info: what an index is made of, for people to read.
 *
 * Reads all adjacency pages; the numbers are of one moment only if nobody
 * writes meanwhile.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "graph/effort.h"
#include "monitor/advice.h"
#include "page/meta.h"

PG_FUNCTION_INFO_V1(vecidx_info);

typedef struct Info
{
	/* fixed */
	ReturnSetInfo *result;
	Relation	index;
	VecIdxHandle *handle;
	VecIdxMetaFixed fixed;
	VecIdxMetaState state;		/* when the call began */

	VecIdxCount count;
	VecIdxHealth health;
} Info;

/* value may be NULL. */
static void
put(Info *info, const char *property, const char *value)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};

	values[0] = CStringGetTextDatum(property);
	nulls[1] = value == NULL;
	values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(value);
	tuplestore_putvalues(info->result->setResult, info->result->setDesc, values, nulls);
}

/* What was chosen when the index was built. */

static const char *
metric_name(const Info *info)
{
	switch ((VecIdxMetric) info->fixed.metric)
	{
		case VECIDX_L2:
			return "L2";
		case VECIDX_IP:
			return "inner product";
		case VECIDX_COSINE:
			return "cosine";
		case VECIDX_HAMMING:
			return "Hamming";
	}
	return "unknown";
}

static const char *
quantizer_reason(const Info *info)
{
	const VecIdxMetaFixed *fixed = &info->fixed;

	if (fixed->metric == VECIDX_HAMMING)
		return "bits are indexed as they are";
	if (fixed->bits == 0)
		return "left to vecidx";
	if (!fixed->bits_chosen)
		return "by option";
	if (fixed->sampled == 0)
		return "by dimensions, there were no rows to go by";
	return psprintf("by %u sampled rows: contrast %.4f, error of 1, 2, 4, 8 bits %.4f, %.4f, %.4f, %.4f",
					fixed->sampled, fixed->contrast,
					fixed->noise[0], fixed->noise[1], fixed->noise[2], fixed->noise[3]);
}

static void
put_choices(Info *info)
{
	const VecIdxMetaFixed *fixed = &info->fixed;

	put(info, "format version", psprintf("%u", info->handle->version));
	put(info, "dimensions", fixed->dimensions == 0 ? "not known before the first row" : psprintf("%u", fixed->dimensions));
	put(info, "metric", metric_name(info));
	put(info, "quantizer", vecidx_quantizer_name(fixed));
	put(info, "quantizer chosen", quantizer_reason(info));
	put(info, "rerank", vecidx_rerank_name(fixed));
	if (fixed->filter_columns > 0)
		put(info, "filter columns", psprintf("%u, %u bytes a row", fixed->filter_columns, fixed->filter_size));
	put(info, "m", psprintf("%u", fixed->m));
	put(info, "ef_construction", psprintf("%u", fixed->ef_construction));
}

/* What is in it. */

static const char *
describe_entry(const Info *info)
{
	if (info->state.entry == VECIDX_NONE)
		return "none";
	return psprintf("node %u on level %u", info->state.entry, info->state.entry_level);
}

/* Level 0 has all nodes; the metapage counts those of the levels above. */
static const char *
describe_levels(const Info *info)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "0: %u", info->count.states[VECIDX_LIVE] + info->count.states[VECIDX_TOMBSTONE]);
	for (int level = 1; level <= VECIDX_MAX_LEVEL && info->state.level_nodes[level] > 0; level++)
		appendStringInfo(&text, ", %d: %u", level, info->state.level_nodes[level]);
	return text.data;
}

static void
put_contents(Info *info)
{
	put(info, "nodes", psprintf("%u", info->count.states[VECIDX_LIVE]));
	put(info, "tombstones", psprintf("%u", info->count.states[VECIDX_TOMBSTONE]));
	put(info, "extensions", psprintf("%u", info->count.states[VECIDX_EXTENSION]));
	put(info, "free slots", psprintf("%u", info->count.states[VECIDX_FREE]));
	put(info, "TIDs", psprintf(UINT64_FORMAT, info->count.tids));
	put(info, "unreachable nodes", psprintf("%u", info->count.unreached));
	put(info, "nodes by level", describe_levels(info));
	put(info, "entry", describe_entry(info));
}

/* What it takes. */

static void
put_pages(Info *info, const char *property, uint64 pages)
{
	put(info, property, psprintf(UINT64_FORMAT " (" UINT64_FORMAT " bytes)", pages, pages * BLCKSZ));
}

static uint64
run_pages(const Info *info, VecIdxRunKind run)
{
	uint64		pages = 0;

	for (uint32 extent = 0; extent < info->state.extents; extent++)
		pages += vecidx_layout_run_pages(&info->handle->layout, extent, run);
	return pages;
}

static void
put_space(Info *info)
{
	uint32		room = info->fixed.dimensions > 0 ? vecidx_meta_node_room(info->handle) : 0;
	uint64		file = RelationGetNumberOfBlocks(info->index);
	uint32		nodes = info->count.states[VECIDX_LIVE];

	put(info, "extents", psprintf("%u, with room for %u nodes", info->state.extents, room));
	put_pages(info, "pages", file);
	put_pages(info, "meta pages", 1);
	put_pages(info, "centroid pages", info->fixed.centroid_pages);
	put_pages(info, "directory pages", info->state.directories);
	put_pages(info, "code pages", run_pages(info, VECIDX_RUN_CODE));
	put_pages(info, "adjacency pages", run_pages(info, VECIDX_RUN_ADJACENCY));
	put_pages(info, "upper pages", run_pages(info, VECIDX_RUN_UPPER));
	put_pages(info, "rerank pages", run_pages(info, VECIDX_RUN_RERANK));
	if (info->fixed.filter_columns > 0)
		put_pages(info, "filter pages", run_pages(info, VECIDX_RUN_FILTER));
	put(info, "bytes per node", nodes == 0 ? "no nodes" : psprintf("%.1f", (double) file * BLCKSZ / nodes));
}

static const char *
describe_effort(const VecIdxMetaEffort *effort)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < VECIDX_TARGET_KS; i++)
		appendStringInfo(&text, "%sk %u: slack %.3f, factor %.2f%s, %.0f nodes (at most %u)",
						 i > 0 ? "; " : "", vecidx_effort_counts[i], effort[i].slack, effort[i].factor,
						 effort[i].exact ? ", exact" : "", effort[i].expanded, effort[i].limit);
	return text.data;
}

static const char *
calibration_source(const VecIdxMetaTuning *tuning)
{
	switch (tuning->source)
	{
		case VECIDX_TUNED_BY_BUILD:
			return psprintf("by the build, with %u rows as queries, at %u nodes", tuning->queries, tuning->nodes);
		case VECIDX_TUNED_BY_ROWS:
			return psprintf("with %u rows as queries, at %u nodes", tuning->queries, tuning->nodes);
		case VECIDX_TUNED_BY_QUERIES:
			return psprintf("with %u given queries, at %u nodes", tuning->queries, tuning->nodes);
		default:
			return "not calibrated";
	}
}

static void
put_calibration(Info *info)
{
	const VecIdxMetaTuning *tuning = &info->handle->tuning;

	put(info, "calibration", calibration_source(tuning));
	for (int i = 0; i < VECIDX_TARGETS && tuning->source != VECIDX_TUNED_NOT; i++)
		put(info, psprintf("effort for recall %.3f", vecidx_effort_targets[i]), describe_effort(tuning->effort[i]));
}

/* Is it time to do something about the index? */
static void
put_health(Info *info)
{
	double		drift = info->count.drift;

	put(info, "drift", isnan(drift) ? NULL : psprintf("%.3f", drift));
	put(info, "advice", vecidx_advice(&info->health));
}

static void
describe_index(Info *info, const VecIdxTarget *target)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx info", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	info->handle = vecidx_handle_acquire(info->index);
	vecidx_handle_release_with(info->handle, context);
	info->fixed = info->handle->fixed;
	info->state = info->handle->state;
	vecidx_health_look(&info->health, target, info->handle, &info->count);
	put_choices(info);
	put_contents(info);
	put_space(info);
	put_calibration(info);
	put_health(info);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

Datum
vecidx_info(PG_FUNCTION_ARGS)
{
	Info		info = {0};
	VecIdxTarget target;

	info.result = vecidx_monitor_begin(fcinfo, &target);
	info.index = target.index;
	describe_index(&info, &target);
	vecidx_monitor_close(&target);
	return (Datum) 0;
}
