/*
 * info.c
 *	  vecidx_info: what an index is made of, for people to read.
 *
 * Reads all adjacency pages; the numbers are of one moment only if nobody
 * writes meanwhile.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "graph/effort.h"
#include "monitor/monitor.h"
#include "page/meta.h"
#include "page/slot.h"

PG_FUNCTION_INFO_V1(vecidx_info);

typedef struct Info
{
	/* fixed */
	ReturnSetInfo *result;
	Relation	index;
	VecIdxHandle *handle;
	VecIdxMetaFixed fixed;
	VecIdxMetaState state;		/* when the call began */

	/* counted */
	uint32		states[VECIDX_EXTENSION + 1];	/* slots in each state */
	uint64		tids;
	uint8	   *live;			/* bitmaps by node id */
	uint8	   *reached;
	VecIdxDrift drift;
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

/* Counting. */

static void
visit_adjacency(void *state, uint32 id, const void *bytes)
{
	Info	   *info = state;
	const VecIdxAdjacencySlot *slot = bytes;

	if (slot->state > VECIDX_EXTENSION)
		return;
	info->states[slot->state]++;
	vecidx_drift_note(&info->drift, info->handle, slot);
	if (slot->state == VECIDX_LIVE)
		info->live[id / 8] |= 1 << id % 8;
	if (slot->state == VECIDX_LIVE || slot->state == VECIDX_EXTENSION)
		info->tids += slot->tids;
}

/* Marks a node; returns false if it was marked before, or is younger than the call. */
static bool
mark_reached(Info *info, uint32 node)
{
	if (node >= info->state.nodes || (info->reached[node / 8] & 1 << node % 8) != 0)
		return false;
	info->reached[node / 8] |= 1 << node % 8;
	return true;
}

/* Goes from the entry node along all links of level 0. */
static void
reach_nodes(Info *info)
{
	uint32	   *queue = palloc_extended((Size) info->state.nodes * sizeof(uint32), MCXT_ALLOC_HUGE);
	VecIdxAdjacencySlot *slot = palloc(info->handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	const uint32 *neighbours = VecIdxAdjacencyNeighbours(slot);
	uint32		count = 0;

	if (mark_reached(info, info->state.entry))
		queue[count++] = info->state.entry;
	for (uint32 done = 0; done < count; done++)
	{
		CHECK_FOR_INTERRUPTS();
		vecidx_slot_read(info->handle, VECIDX_RUN_ADJACENCY, queue[done], slot);
		if (slot->state != VECIDX_LIVE && slot->state != VECIDX_TOMBSTONE)
			continue;
		for (uint32 i = 0; i < Min(slot->neighbours, 2 * info->fixed.m); i++)
		{
			if (mark_reached(info, neighbours[i]))
				queue[count++] = neighbours[i];
		}
	}
	pfree(slot);
	pfree(queue);
}

static void
count_slots(Info *info)
{
	Size		size = info->state.nodes / 8 + 1;

	info->live = palloc_extended(size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	info->reached = palloc_extended(size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (info->state.nodes == 0)
		return;
	info->drift.stride = 1;
	vecidx_monitor_visit(info->handle, VECIDX_RUN_ADJACENCY, info->state.nodes, visit_adjacency, info);
	reach_nodes(info);
}

static uint32
count_unreached(const Info *info)
{
	uint32		count = 0;

	for (uint32 id = 0; id < info->state.nodes; id++)
		count += (info->live[id / 8] & ~info->reached[id / 8] & 1 << id % 8) != 0;
	return count;
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
rerank_name(const Info *info)
{
	switch ((VecIdxRerank) info->fixed.rerank)
	{
		case VECIDX_RERANK_NONE:
			return "none, codes are exact";
		case VECIDX_RERANK_SQ4:
			return "sq4";
		case VECIDX_RERANK_SQ8:
			return "sq8";
		case VECIDX_RERANK_HALF:
			return "half";
		case VECIDX_RERANK_FLOAT:
			return "float";
	}
	return "unknown";
}

static const char *
quantizer_name(const Info *info)
{
	if (info->fixed.metric == VECIDX_HAMMING)
		return "bits";
	if (info->fixed.bits == 0)
		return "not known before the first row";
	return psprintf("rabitq%u", info->fixed.bits);
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
	put(info, "quantizer", quantizer_name(info));
	put(info, "quantizer chosen", quantizer_reason(info));
	put(info, "rerank", rerank_name(info));
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
	appendStringInfo(&text, "0: %u", info->states[VECIDX_LIVE] + info->states[VECIDX_TOMBSTONE]);
	for (int level = 1; level <= VECIDX_MAX_LEVEL && info->state.level_nodes[level] > 0; level++)
		appendStringInfo(&text, ", %d: %u", level, info->state.level_nodes[level]);
	return text.data;
}

static void
put_contents(Info *info)
{
	put(info, "nodes", psprintf("%u", info->states[VECIDX_LIVE]));
	put(info, "tombstones", psprintf("%u", info->states[VECIDX_TOMBSTONE]));
	put(info, "extensions", psprintf("%u", info->states[VECIDX_EXTENSION]));
	put(info, "free slots", psprintf("%u", info->states[VECIDX_FREE]));
	put(info, "TIDs", psprintf(UINT64_FORMAT, info->tids));
	put(info, "unreachable nodes", psprintf("%u", count_unreached(info)));
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
	uint32		nodes = info->states[VECIDX_LIVE];

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

/* Is it time to build the index anew? */
static void
put_drift(Info *info)
{
	double		drift;

	if (info->drift.count < VECIDX_DRIFT_LEAST || info->fixed.metric == VECIDX_HAMMING)
	{
		put(info, "drift", NULL);
		put(info, "advice", NULL);
		return;
	}
	drift = vecidx_drift_measure(&info->drift, info->handle);
	put(info, "drift", psprintf("%.3f", drift));
	put(info, "advice", drift <= VECIDX_DRIFT_BAD ? NULL :
		psprintf("Codes are relative to the centre of other rows (drift %.3f, at most %.1f is good): REINDEX INDEX CONCURRENTLY %s;",
				 drift, VECIDX_DRIFT_BAD,
				 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(info->index)),
											RelationGetRelationName(info->index))));
}

static void
describe_index(Info *info)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx info", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	info->handle = vecidx_handle_acquire(info->index);
	vecidx_handle_release_with(info->handle, context);
	info->fixed = info->handle->fixed;
	info->state = info->handle->state;
	count_slots(info);
	put_choices(info);
	put_contents(info);
	put_space(info);
	put_calibration(info);
	put_drift(info);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

Datum
vecidx_info(PG_FUNCTION_ARGS)
{
	Oid			index = PG_GETARG_OID(0);
	Oid			table = vecidx_monitor_table(index);
	Info		info = {0};
	VecIdxTarget target;

	vecidx_monitor_check_reader(table);
	InitMaterializedSRF(fcinfo, 0);
	vecidx_monitor_open(&target, index, table, AccessShareLock);
	info.result = (ReturnSetInfo *) fcinfo->resultinfo;
	info.index = target.index;
	describe_index(&info);
	vecidx_monitor_close(&target);
	return (Datum) 0;
}
