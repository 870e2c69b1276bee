/*
 * scan.c
 *	  amgettuple: rows by distance, as many as are asked for.
 *
 * Rows are returned in batches: the first has as many as the query's LIMIT
 * wants, if that can be told, and each next one as many again as there were.
 * For each the search goes on with the effort that reaches the recall target
 * for all rows so far, and the best of what it has met is ranked.  When the
 * graph has no more to give, or has given so much that walking costs more
 * than looking at every code, a sweep (graph/sweep.h) goes over all nodes that
 * were not returned.
 */
#include "postgres.h"

#include <math.h>

#include "access/relscan.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "am/ahead.h"
#include "am/am.h"
#include "am/audit.h"
#include "am/exact.h"
#include "am/explain.h"
#include "am/filter.h"
#include "am/gather.h"
#include "am/junk.h"
#include "am/limit.h"
#include "am/tally.h"
#include "compat.h"
#include "graph/effort.h"
#include "graph/rank.h"
#include "graph/search.h"
#include "graph/sweep.h"
#include "graph/truth.h"
#include "options.h"

/* Rows that a sweep ranks at a time, at most. */
#define SWEEP_BATCH			4096

/* Up to this many nodes a sweep is as fast as a walk, and exact. */
#define SWEEP_NODES			1000

/* A walk that has met more than this share of all nodes gives way to a sweep. */
#define SWEEP_SHARE			8

typedef enum DistancePhase
{
	SCAN_BEGIN,
	SCAN_WALK,
	SCAN_SIFT,
	SCAN_SWEEP,
	SCAN_DONE
} DistancePhase;

typedef struct DistanceScan
{
	/* fixed */
	MemoryContext context;		/* lives as long as the scan */
	MemoryContext work;			/* reset at each rescan */
	const VecIdxType *type;

	VecIdxScanStats total;		/* of earlier rescans */
	VecIdxExact *exact;			/* NULL before the first use */

	/* from rescan to rescan */
	VecIdxScanStats stats;
	VecIdxStatsRef counted;		/* where they are counted */
	VecIdxScanOptions options;
	bool		metered;		/* a call is under way, since "entered" */
	instr_time	entered;
	VecIdxVisits visited;		/* when it began */
	DistancePhase	phase;
	VecIdxHandle *handle;		/* held by the work context */
	float	   *row;			/* the query, normalized */
	float		shift;			/* of the stop rule, for this query */
	VecIdxEffort effort;		/* of the batch */
	VecIdxStore store;
	VecIdxSearch search;
	VecIdxRank	rank;
	VecIdxSweep sweep;			/* once the phase is SCAN_SWEEP */
	uint32		swept;			/* nodes given out since the sweep began */
	uint32	   *returned;		/* nodes given out before the sweep began */
	uint32		returned_count;
	uint32		returned_room;
	uint32		batch_end;		/* nodes to have been given out when the batch ends */
	uint32		rank_next;		/* ranked nodes of the batch: the next one, */
	uint32		rank_left;		/* and how many are left */

	VecIdxAudit *audit;			/* NULL: the scan will not be audited */
	VecIdxScanFilter *filter;	/* NULL: no keys */
	VecIdxGather rows;			/* of the nodes at hand */
} DistanceScan;

IndexScanDesc
vecidx_beginscan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx scan", ALLOCSET_DEFAULT_SIZES);
	DistanceScan *state = MemoryContextAllocZero(context, sizeof(DistanceScan));

	state->context = context;
	state->work = AllocSetContextCreate(context, "vecidx scan work", ALLOCSET_DEFAULT_SIZES);
	state->type = vecidx_row_type(index);
	scan->opaque = state;
	vecidx_junk_replan();
	return scan;
}

/* What the rescan under way has done up to now. */
static void
take_counts(DistanceScan *state)
{
	state->stats.estimates = state->store.estimates;
	state->stats.reranked = state->store.reranked;
	state->stats.expanded = state->search.expanded;
	if (state->filter != NULL)
	{
		state->stats.expanded += state->filter->sift.bridged;
		state->stats.bridged = state->filter->sift.bridged;
		state->stats.share = state->filter->survey.share;
		state->stats.tests = state->filter->survey.rows + state->filter->sift.tests + state->sweep.tests;
		state->stats.passes = state->filter->survey.passed + state->filter->sift.passes + state->sweep.passed;
	}
}

/* A call of the scan that has to search: it is timed, and its visits of pages are noted. */
static void
enter_call(DistanceScan *state)
{
	state->metered = true;
	state->visited = vecidx_visits;
	INSTR_TIME_SET_CURRENT(state->entered);
}

static void
leave_call(DistanceScan *state)
{
	instr_time	now;

	state->metered = false;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_ACCUM_DIFF(state->stats.time, now, state->entered);
	for (int i = 0; i < VECIDX_VISITS; i++)
	{
		state->stats.visits.hit[i] += vecidx_visits.hit[i] - state->visited.hit[i];
		state->stats.visits.read[i] += vecidx_visits.read[i] - state->visited.read[i];
	}
}

/* Counts what has been done up to now as done by an earlier rescan. */
static void
close_stats(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;

	if (OidIsValid(state->stats.index))
	{
		take_counts(state);
		vecidx_scan_stats_publish(&state->stats);
		vecidx_scan_stats_add(&state->total, &state->stats);
		vecidx_tally_scan(&state->counted, &state->stats, false);
		vecidx_tally_log(scan->indexRelation, &state->stats, state->options.log_min_duration);
	}
	memset(&state->stats, 0, sizeof(state->stats));
}

/* What was counted so far is closed: an audit is no work of the scan.  One that an error has ended has no audit. */
static void
audit_rows(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;
	VecIdxAudited audited = {scan, state->type, &state->store, NULL, state->row, state->work};

	if (state->audit == NULL || state->metered || !vecidx_audit_is_due(state->audit, &state->options))
		return;
	if (state->filter != NULL)
		audited.predicate = state->filter->predicate;
	vecidx_audit_run(state->audit, &audited, &state->options, &state->counted);
}

/* The scan's memory goes away: what has not been counted by then was ended by an error. */
static void
count_aborted(void *arg)
{
	DistanceScan *state = arg;

	if (!OidIsValid(state->stats.index))
		return;
	if (state->metered)
		leave_call(state);
	take_counts(state);
	vecidx_tally_scan(&state->counted, &state->stats, true);
	state->stats.index = InvalidOid;
}

static void
begin_counting(DistanceScan *state, Relation index)
{
	MemoryContextCallback *callback;

	state->stats.index = RelationGetRelid(index);
	state->counted = vecidx_tally_find(index);
	callback = MemoryContextAlloc(state->work, sizeof(MemoryContextCallback));
	callback->func = count_aborted;
	callback->arg = state;
	MemoryContextRegisterResetCallback(state->work, callback);
}

void
vecidx_scan_stats_get(IndexScanDesc scan, VecIdxScanStats *sum)
{
	DistanceScan *state = scan->opaque;

	*sum = state->total;
	if (OidIsValid(state->stats.index))
	{
		take_counts(state);
		vecidx_scan_stats_add(sum, &state->stats);
	}
}

void
vecidx_rescan(IndexScanDesc scan, ScanKey keys, int nkeys pg_attribute_unused(), ScanKey orderbys, int norderbys pg_attribute_unused())
{
	DistanceScan *state = scan->opaque;

	close_stats(scan);
	audit_rows(scan);
	if (keys != NULL && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
	if (orderbys != NULL && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys, scan->numberOfOrderBys * sizeof(ScanKeyData));
	MemoryContextReset(state->work);
	memset(&state->search, 0, sizeof(VecIdxSearch));
	memset(&state->store, 0, sizeof(VecIdxStore));
	memset(&state->sweep, 0, sizeof(VecIdxSweep));
	memset(&state->rows, 0, sizeof(VecIdxGather));
	state->phase = SCAN_BEGIN;
	state->handle = NULL;
	state->audit = NULL;
	state->filter = NULL;
	state->swept = 0;
	state->returned_count = state->returned_room = 0;
	state->batch_end = 0;
	state->rank_next = state->rank_left = 0;
}

void
vecidx_endscan(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;

	close_stats(scan);
	audit_rows(scan);
	if (state->exact != NULL)
		vecidx_exact_free(state->exact);
	MemoryContextDelete(state->context);
	scan->opaque = NULL;
}

/* The decoder for the right-hand side of the ordering operator. */
static const VecIdxDecoder *
query_decoder(IndexScanDesc scan)
{
	const DistanceScan *state = scan->opaque;
	Oid			type = scan->orderByData->sk_subtype;
	const VecIdxDecoder *decoder;

	if (!OidIsValid(type) || type == scan->indexRelation->rd_opcintype[0])
		return &state->type->decoder;
	decoder = vecidx_type_array_decoder(type);
	if (decoder == NULL)
		elog(ERROR, "no decoder for queries of type %u", type);
	return decoder;
}

/*
 * Prepares the query.  A NULL query, or one without a direction under cosine,
 * is at no distance from any row: rows come in any order, so the origin
 * stands in for it.
 */
static const VecIdxQuery *
prepare_query(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;
	VecIdxHandle *handle = state->handle;
	ScanKey		key = scan->orderByData;
	VecIdxQuantParams params = vecidx_layout_quant(&handle->fixed);
	float	   *row = NULL;
	int			dimensions;

	if ((key->sk_flags & SK_ISNULL) == 0)
		row = vecidx_row_decode(scan->indexRelation, query_decoder(scan), state->type->metric,
								key->sk_argument, handle->fixed.dimensions, &dimensions);
	if (row == NULL)
	{
		row = palloc0(params.dimensions * sizeof(float));
		state->audit = NULL;	/* no row is nearer than another */
	}
	state->row = row;
	state->shift = vecidx_effort_shift(state->type->metric, handle->tuning.norm,
									   sqrtf(-vecidx_truth_distance(VECIDX_IP, row, row, params.dimensions)));
	return vecidx_query_init(palloc(vecidx_query_size(&params)), handle->quantizer, row,
							 palloc(vecidx_quant_scratch_size(&params)));
}

/* Rows that the next batch ends with, counted from the first. */
static uint32
next_batch_end(const DistanceScan *state)
{
	if (state->batch_end > 0)
		return state->batch_end > PG_UINT32_MAX / 2 ? PG_UINT32_MAX : state->batch_end * 2;
	return state->stats.k > 0 ? (uint32) state->stats.k : VECIDX_FIRST_BATCH;
}

static VecIdxEffort
find_effort(const DistanceScan *state, uint32 wanted)
{
	VecIdxEffort effort = vecidx_effort_choose(&state->handle->tuning, state->options.ef_search,
											   state->options.target_recall, wanted);

	effort.stop.shift = state->shift;
	return effort;
}

/*
 * A pass is what large tables get, too, and goes by the factor that calibration
 * found for searches.  But what passes may lie far from the query, where more
 * nodes are at about the same distance: so it believes in at least so much of
 * the bounds, and the more, up to so much more, the nearer the target is to
 * 0.99.  (Recall of what is far from the query, fashion-mnist: with 0.6 of the
 * bounds 0.92 to 0.94, with 0.9 0.97 to 0.99, with 1.6 to 2 0.984 to 0.995.)
 */
#define PASS_LEAST		0.9
#define PASS_MORE		0.9
#define PASS_MORE_FROM	0.95
#define PASS_MOST_FROM	0.99

static float
sweep_factor(const DistanceScan *state)
{
	double		strict = (state->options.target_recall - PASS_MORE_FROM) / (PASS_MOST_FROM - PASS_MORE_FROM);
	double		least = PASS_LEAST + PASS_MORE * Min(Max(strict, 0), 1);
	float		factor;

	if (state->filter == NULL || state->handle->state.nodes <= SWEEP_NODES)
		return VECIDX_SWEEP_FACTOR;
	factor = find_effort(state, next_batch_end(state)).factor;
	return Min(Max(factor, least), VECIDX_SWEEP_FACTOR);
}

static void
begin_sweep(DistanceScan *state)
{
	vecidx_sweep_init(&state->sweep, &state->store, state->work, (Size) work_mem * 1024 / 2);
	state->sweep.predicate = state->filter != NULL ? state->filter->predicate : NULL;
	state->sweep.zone_memory = state->filter != NULL && state->filter->survey.zones_tell ? get_hash_memory_limit() : 0;
	state->sweep.cutting = state->filter != NULL && state->stats.k > 0;
	for (uint32 i = 0; i < state->returned_count; i++)
		vecidx_sweep_mark(&state->sweep, state->returned[i]);
	vecidx_rank_reset(&state->rank);
	state->rank.factor = sweep_factor(state);
	state->stats.rerank_factor = state->rank.factor;
	state->effort.exact = false;
	state->stats.swept = true;
	state->phase = SCAN_SWEEP;
}

/* Begins with whatever promises to find the first batch sooner. */
static void
begin_filtered(DistanceScan *state)
{
	uint32		wanted = next_batch_end(state);
	VecIdxEffort effort;

	vecidx_scan_filter_survey(state->filter, &state->store);
	effort = find_effort(state, vecidx_scan_filter_among(state->filter, &state->store, wanted));
	if (vecidx_scan_filter_choose(state->filter, &state->store, &effort, wanted) &&
		vecidx_scan_filter_begin(state->filter, &state->search, &state->store))
		state->phase = SCAN_SIFT;
	else
		begin_sweep(state);
}

static void
begin_scan(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;

	if (scan->numberOfOrderBys != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" can only be scanned in order of distance", RelationGetRelationName(scan->indexRelation))));
	if (!IsMVCCSnapshot(scan->xs_snapshot))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" cannot be scanned with a non-MVCC snapshot",
						RelationGetRelationName(scan->indexRelation))));
	pgstat_count_index_scan(scan->indexRelation);
	VecIdxCountSearch(scan);
	state->options = vecidx_options_scan();
	begin_counting(state, scan->indexRelation);
	state->audit = vecidx_audit_draw(&state->options);
	state->stats.k = vecidx_limit_find(scan);
	state->stats.target_recall = state->options.target_recall;
	state->handle = vecidx_handle_acquire(scan->indexRelation);
	vecidx_handle_release_with(state->handle, state->work);
	state->phase = SCAN_DONE;
	state->filter = vecidx_scan_filter_make(scan, state->handle, state->audit != NULL);
	state->stats.filtered = state->filter != NULL;
	if (state->handle->state.nodes == 0 || (state->filter != NULL && state->filter->predicate->never))
		return;
	vecidx_store_init(&state->store, state->handle, state->work);
	vecidx_rank_init(&state->rank, &state->store, state->work);
	vecidx_gather_init(&state->rows, &state->store, state->filter != NULL ? state->filter->predicate : NULL);
	vecidx_store_query(&state->store, prepare_query(scan));
	if (state->handle->state.nodes <= SWEEP_NODES)
	{
		begin_sweep(state);
		return;
	}
	vecidx_search_init(&state->search, &state->store.source, state->work);
	if (state->filter != NULL)
		begin_filtered(state);
	else if (vecidx_search_descend(&state->search, 0))
		state->phase = SCAN_WALK;
	else
		begin_sweep(state);
}

static void
choose_effort(DistanceScan *state)
{
	state->effort = find_effort(state, state->batch_end);
	state->rank.factor = state->effort.factor;
	state->stats.ef = state->effort.stop.width;
	state->stats.slack = vecidx_effort_slack(&state->effort);
	state->stats.rerank_factor = state->effort.factor;
}

static void
begin_batch(DistanceScan *state)
{
	state->stats.restarts += state->batch_end > 0;
	state->batch_end = next_batch_end(state);
}

/* Goes on with the search for the next batch; turns to the sweep when the walk has had its time. */
static void
walk_on(DistanceScan *state)
{
	uint32		most = state->handle->state.nodes / SWEEP_SHARE;

	begin_batch(state);
	if (state->batch_end > most || state->search.found_count > most)
	{
		begin_sweep(state);
		return;
	}
	choose_effort(state);
	if (state->effort.expanded > most)
	{
		begin_sweep(state);
		return;
	}
	state->stats.walked = true;
	if (vecidx_search_run(&state->search, 0, &state->effort.stop))
		vecidx_rank_take(&state->rank, &state->search);
	else
		begin_sweep(state);
}

/* The same under a filter. */
static void
sift_on(DistanceScan *state)
{
	VecIdxEffort among;

	begin_batch(state);
	choose_effort(state);
	state->stats.walked = true;
	among = find_effort(state, vecidx_scan_filter_among(state->filter, &state->store, state->batch_end));
	state->stats.slack = vecidx_effort_slack(&among);
	state->stats.switched = vecidx_scan_filter_sift(state->filter, &state->effort, &among, state->batch_end);
	/* far from the query, where a narrow sift looks, nodes are many at about the same distance */
	if (state->filter->sift.narrow)
		state->stats.rerank_factor = state->rank.factor = 1;
	if (state->stats.switched == VECIDX_SWITCH_NONE)
		vecidx_rank_take(&state->rank, &state->search);
	else
		begin_sweep(state);
}

static void
note_returned(DistanceScan *state, uint32 node)
{
	if (state->phase == SCAN_SWEEP)
	{
		vecidx_sweep_mark(&state->sweep, node);
		state->swept++;
		return;
	}
	if (state->returned_count == state->returned_room)
	{
		state->returned_room = Max(64, state->returned_room * 2);
		if (state->returned == NULL || state->returned_count == 0)
			state->returned = palloc(state->returned_room * sizeof(uint32));
		else
			state->returned = repalloc_huge(state->returned, (Size) state->returned_room * sizeof(uint32));
	}
	state->returned[state->returned_count++] = node;
}

/* For vecidx_rank_settle: the distance of a node by one of its rows. */
static bool
exact_distance(void *scan, const VecIdxRanked *ranked, float *distance)
{
	DistanceScan *state = ((IndexScanDesc) scan)->opaque;
	bool		found;

	if (state->exact == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(state->context);

		state->exact = vecidx_exact_create(scan, state->type, state->handle->fixed.dimensions);
		MemoryContextSwitchTo(old);
	}
	state->stats.exact++;
	vecidx_gather_clear(&state->rows);
	vecidx_gather_node(&state->rows, ranked->node, ranked->distance.version, true);
	found = vecidx_exact_distance(state->exact, state->row, state->rows.tids, state->rows.count, distance);
	vecidx_gather_clear(&state->rows);
	return found;
}

/* Ranks the next "wanted" nodes of what was met; returns how many there are. */
static uint32
rank_batch(IndexScanDesc scan, uint32 wanted)
{
	DistanceScan *state = scan->opaque;
	uint32		count = vecidx_rank_best(&state->rank, wanted);

	if (state->effort.exact)
	{
		vecidx_rank_settle(&state->rank, count, exact_distance, scan);
		if (state->exact != NULL)
			vecidx_exact_rest(state->exact);
	}
	return count;
}

/* Under a filter a sweep gives out slots, and what else does nodes whose extensions it must not give out again. */
static void
gather_node(DistanceScan *state, const VecIdxRanked *ranked)
{
	uint32		before = state->rows.extensions;
	uint32		rows_before = state->rows.count;

	if (state->phase == SCAN_SWEEP && state->filter != NULL)
		vecidx_gather_slot(&state->rows, ranked->node, ranked->distance.version);
	else
		vecidx_gather_node(&state->rows, ranked->node, ranked->distance.version, false);
	/* a node whose twins have been sought in vain does not count */
	if (state->phase != SCAN_SIFT || state->rows.count > rows_before)
		note_returned(state, ranked->node);
	for (uint32 i = before; i < state->rows.extensions; i++)
		note_returned(state, state->rows.extension[i]);
}

/* Gathers the rows of the next few ranked nodes. */
static void
gather_ranked(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;
	const VecIdxRanked *ranked = &state->rank.ready[state->rank_next];
	uint32		count = Min(state->rank_left, VECIDX_AHEAD_ROWS);

	vecidx_gather_clear(&state->rows);
	for (uint32 i = 0; i < count; i++)
		vecidx_store_prefetch_rows(&state->store, ranked[i].node);
	for (uint32 i = 0; i < count; i++)
		gather_node(state, &ranked[i]);
	vecidx_ahead_rows(scan->heapRelation, state->rows.tids, Min(state->rows.count, VECIDX_AHEAD_ROWS));
	state->rank_next += count;
	state->rank_left -= count;
	if (state->rank_left == 0)
	{
		vecidx_rank_drop(&state->rank, state->rank_next);
		state->rank_next = 0;
	}
}

/* Nodes that a sweep ranks next: as many as it has given out, and those that a query under a filter is known to want. */
static uint32
sweep_batch(const DistanceScan *state)
{
	uint32		least = VECIDX_FIRST_BATCH;

	if (state->filter != NULL && state->stats.k > 0)
		least = Max(least, (uint32) state->stats.k);
	return Max(least, Min(state->swept, SWEEP_BATCH));
}

/* Of so many ranked nodes, how many stand before all that a pass has left out. */
static uint32
sure_of_order(const DistanceScan *state, uint32 ranked)
{
	if (state->phase != SCAN_SWEEP || state->sweep.cut == INFINITY)
		return ranked;
	while (ranked > 0 && state->rank.ready[ranked - 1].distance.order > state->sweep.cut)
		ranked--;
	return ranked;
}

/* Brings the next rows to hand; false when there are none. */
static bool
next_rows(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;

	while (state->phase != SCAN_DONE)
	{
		uint32		wanted = state->batch_end > state->returned_count ? state->batch_end - state->returned_count : 0;

		CHECK_FOR_INTERRUPTS();
		if (state->phase == SCAN_SWEEP)
			wanted = sweep_batch(state);
		if (state->rank_left == 0 && wanted > 0)
			state->rank_left = sure_of_order(state, rank_batch(scan, wanted));
		if (state->rank_left > 0)
		{
			gather_ranked(scan);
			if (state->rows.count > 0)
				return true;
			continue;
		}
		if (state->phase == SCAN_WALK)
			walk_on(state);
		else if (state->phase == SCAN_SIFT)
			sift_on(state);
		else if (vecidx_sweep_pass(&state->sweep, &state->rank, sweep_batch(state)) == 0)
			state->phase = SCAN_DONE;
	}
	return false;
}

bool
vecidx_gettuple(IndexScanDesc scan, ScanDirection direction)
{
	DistanceScan *state = scan->opaque;
	MemoryContext old = MemoryContextSwitchTo(state->work);
	bool		found = true;

	if (!ScanDirectionIsForward(direction))
		elog(ERROR, "vecidx indexes are scanned forward only");
	if (state->rows.next >= state->rows.count)
	{
		enter_call(state);
		if (state->phase == SCAN_BEGIN)
			begin_scan(scan);
		found = next_rows(scan);
		leave_call(state);
	}
	if (found)
	{
		scan->xs_heaptid = state->rows.tids[state->rows.next++];
		state->stats.rows++;
		if (state->audit != NULL)
			vecidx_audit_note(state->audit, &scan->xs_heaptid);
		scan->xs_recheck = state->rows.recheck;
		scan->xs_recheckorderby = false;
	}
	MemoryContextSwitchTo(old);
	return found;
}
