/*
 * explain.c
 *	  What scans have done: vecidx_last_scan(), and EXPLAIN where it can be
 *	  extended.
 *
 * EXPLAIN prints a plan before the scans in it are ended, so it asks each
 * scan for its own figures.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "am/explain.h"
#include "compat.h"

#ifdef VECIDX_HAS_EXPLAIN_HOOK
#include "access/relation.h"
#include "commands/explain.h"
#include "commands/explain_format.h"
#include "commands/explain_state.h"

#include "am/am.h"
#include "am/limit.h"
#include "graph/effort.h"
#include "options.h"
#endif

#define LAST_SCAN_COLUMNS		16

PG_FUNCTION_INFO_V1(vecidx_last_scan);

VecIdxScanStats vecidx_last_scan_stats;

void
vecidx_scan_stats_publish(const VecIdxScanStats *stats)
{
	vecidx_last_scan_stats = *stats;
}

void
vecidx_scan_stats_add(VecIdxScanStats *sum, const VecIdxScanStats *part)
{
	VecIdxScanStats before = *sum;

	*sum = *part;
	sum->walked |= before.walked;
	sum->swept |= before.swept;
	sum->expanded += before.expanded;
	sum->estimates += before.estimates;
	sum->reranked += before.reranked;
	sum->exact += before.exact;
	sum->rows += before.rows;
	sum->tests += before.tests;
	sum->passes += before.passes;
	sum->bridged += before.bridged;
	sum->restarts += before.restarts;
	for (int i = 0; i < VECIDX_VISITS; i++)
	{
		sum->visits.hit[i] += before.visits.hit[i];
		sum->visits.read[i] += before.visits.read[i];
	}
	INSTR_TIME_ADD(sum->time, before.time);
	if (sum->switched == VECIDX_SWITCH_NONE)
		sum->switched = before.switched;
}

VecIdxStrategy
vecidx_scan_strategy(const VecIdxScanStats *stats)
{
	if (stats->filtered && stats->walked)
		return stats->swept ? VECIDX_STRATEGY_SIFT_PASS : VECIDX_STRATEGY_SIFT;
	if (stats->filtered)
		return stats->swept ? VECIDX_STRATEGY_PASS : VECIDX_STRATEGY_NOTHING;
	if (stats->walked)
		return stats->swept ? VECIDX_STRATEGY_WALK_SWEEP : VECIDX_STRATEGY_WALK;
	return stats->swept ? VECIDX_STRATEGY_SWEEP : VECIDX_STRATEGY_NOTHING;
}

const char *
vecidx_strategy_name(VecIdxStrategy strategy)
{
	static const char *const names[] = {
		NULL, "walk", "sweep", "walk, then sweep", "filtered walk", "pass", "filtered walk, then pass"
	};

	return names[strategy];
}

const char *
vecidx_switch_name(VecIdxSwitch why)
{
	static const char *const names[] = {NULL, "too costly", "nothing left", "many wanted"};

	return names[why];
}

Datum
vecidx_last_scan(PG_FUNCTION_ARGS)
{
	const VecIdxScanStats *stats = &vecidx_last_scan_stats;
	const char *how = vecidx_strategy_name(vecidx_scan_strategy(stats));
	const char *why = vecidx_switch_name(stats->switched);
	Datum		values[LAST_SCAN_COLUMNS];
	bool		nulls[LAST_SCAN_COLUMNS] = {false};
	TupleDesc	columns;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE || columns->natts != LAST_SCAN_COLUMNS)
		elog(ERROR, "vecidx_last_scan() was declared with other columns");
	if (!OidIsValid(stats->index))
		PG_RETURN_NULL();
	nulls[1] = stats->k < 0;
	nulls[3] = stats->ef == 0;
	nulls[6] = how == NULL;
	values[0] = ObjectIdGetDatum(stats->index);
	values[1] = Int64GetDatum(stats->k);
	values[2] = Float8GetDatum(stats->target_recall);
	values[3] = Int64GetDatum(stats->ef);
	values[4] = Float8GetDatum(stats->slack);
	values[5] = Float8GetDatum(stats->rerank_factor);
	values[6] = how == NULL ? (Datum) 0 : CStringGetTextDatum(how);
	values[7] = Int64GetDatum(stats->expanded);
	values[8] = Int64GetDatum(stats->estimates);
	values[9] = Int64GetDatum(stats->reranked);
	values[10] = Int64GetDatum(stats->exact);
	values[11] = Int64GetDatum(stats->rows);
	nulls[12] = !stats->filtered || stats->share < 0;
	nulls[13] = nulls[14] = !stats->filtered;
	nulls[15] = why == NULL;
	values[12] = Float8GetDatum(stats->share);
	values[13] = Int64GetDatum(stats->tests);
	values[14] = Int64GetDatum(stats->passes);
	values[15] = why == NULL ? (Datum) 0 : CStringGetTextDatum(why);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}

#ifdef VECIDX_HAS_EXPLAIN_HOOK

static explain_per_node_hook_type previous_explain = NULL;

/* Opens the index of an ordered scan of ours; NULL for any other, and for one that an extension makes believe. */
static Relation
open_index(const IndexScan *plan)
{
	Relation	index;

	if (list_length(plan->indexorderby) != 1)
		return NULL;
	index = try_relation_open(plan->indexid, AccessShareLock);
	if (index == NULL || (index->rd_indam != NULL && index->rd_indam->ambeginscan == vecidx_beginscan))
		return index;
	relation_close(index, AccessShareLock);
	return NULL;
}

/* A part of LIMIT as far as the plan has it: a constant, or what is there if there is none. */
static int64
constant_rows(const Node *expression, int64 otherwise)
{
	const Const *constant = (const Const *) expression;

	if (expression == NULL)
		return otherwise;
	if (!IsA(expression, Const))
		return -1;
	return constant->constisnull ? otherwise : DatumGetInt64(constant->constvalue);
}

/* The rows that the scan is going to be asked for, -1 if the plan does not tell. */
static int64
planned_rows(const IndexScanState *scan)
{
	const LimitState *state = vecidx_limit_above(scan);
	const Limit *limit;
	int64		offset;
	int64		count;

	if (state == NULL)
		return -1;
	limit = (const Limit *) state->ps.plan;
	offset = constant_rows(limit->limitOffset, 0);
	count = constant_rows(limit->limitCount, -1);
	if (offset < 0 || count < 0 || offset > VECIDX_LIMIT_MAX || count > VECIDX_LIMIT_MAX - offset)
		return -1;
	return offset + count;
}

/* What a scan would begin with. */
static void
foretell(const IndexScanState *scan, Relation index, VecIdxScanStats *stats)
{
	VecIdxScanOptions options = vecidx_options_scan();
	VecIdxHandle *handle = vecidx_handle_acquire(index);
	VecIdxEffort effort;
	uint32		wanted;

	stats->k = planned_rows(scan);
	stats->target_recall = options.target_recall;
	wanted = stats->k <= 0 ? VECIDX_FIRST_BATCH : (uint32) stats->k;
	effort = vecidx_effort_choose(&handle->tuning, options.ef_search, options.target_recall, wanted);
	stats->ef = effort.stop.width;
	stats->slack = vecidx_effort_slack(&effort);
	stats->rerank_factor = effort.factor;
	vecidx_handle_release(handle);
}

static void
show_settings(const VecIdxScanStats *stats, ExplainState *es)
{
	ExplainPropertyFloat("Target Recall", NULL, stats->target_recall, 3, es);
	if (stats->ef > 0)
	{
		ExplainPropertyUInteger("Beam Width", NULL, stats->ef, es);
		ExplainPropertyFloat("Slack", NULL, stats->slack, 3, es);
		ExplainPropertyFloat("Rerank Factor", NULL, stats->rerank_factor, 2, es);
	}
	if (stats->k >= 0)
		ExplainPropertyInteger("Rows Wanted", NULL, stats->k, es);
}

static void
show_filter(const VecIdxScanStats *stats, ExplainState *es)
{
	if (stats->share >= 0)
		ExplainPropertyFloat("Filter Share", NULL, stats->share, 4, es);
	ExplainPropertyUInteger("Filter Tests", NULL, stats->tests, es);
	ExplainPropertyUInteger("Filter Passes", NULL, stats->passes, es);
	if (stats->bridged > 0)
		ExplainPropertyUInteger("Bridges Expanded", NULL, stats->bridged, es);
	if (stats->switched != VECIDX_SWITCH_NONE)
		ExplainPropertyText("Walk Ended", vecidx_switch_name(stats->switched), es);
}

static void
show_counters(const VecIdxScanStats *stats, ExplainState *es)
{
	const char *strategy = vecidx_strategy_name(vecidx_scan_strategy(stats));

	if (strategy != NULL)
		ExplainPropertyText("Strategy", strategy, es);
	ExplainPropertyUInteger("Nodes Expanded", NULL, stats->expanded, es);
	ExplainPropertyUInteger("Distances Estimated", NULL, stats->estimates, es);
	ExplainPropertyUInteger("Distances Reranked", NULL, stats->reranked, es);
	if (stats->exact > 0)
		ExplainPropertyUInteger("Distances Computed", NULL, stats->exact, es);
	if (stats->filtered)
		show_filter(stats, es);
	ExplainPropertyUInteger("Index Rows", NULL, stats->rows, es);
}

static void
explain_scan(const IndexScanState *scan, ExplainState *es)
{
	Relation	index = open_index((const IndexScan *) scan->ss.ps.plan);
	VecIdxScanStats stats = {0};

	if (index == NULL)
		return;
	if (!es->analyze)
	{
		foretell(scan, index, &stats);
		show_settings(&stats, es);
	}
	else if (scan->iss_ScanDesc != NULL)
	{
		vecidx_scan_stats_get(scan->iss_ScanDesc, &stats);
		show_settings(&stats, es);
		show_counters(&stats, es);
	}
	relation_close(index, AccessShareLock);
}

/* Without ANALYZE, what is shown are estimates as costs are, and left out with them. */
static void
explain_node(PlanState *node, List *ancestors, const char *relationship, const char *plan_name, ExplainState *es)
{
	if (previous_explain != NULL)
		previous_explain(node, ancestors, relationship, plan_name, es);
	if (IsA(node, IndexScanState) && (es->analyze || es->costs))
		explain_scan((const IndexScanState *) node, es);
}

void
vecidx_explain_init(void)
{
	previous_explain = explain_per_node_hook;
	explain_per_node_hook = explain_node;
}

#else

void
vecidx_explain_init(void)
{
}

#endif							/* VECIDX_HAS_EXPLAIN_HOOK */
