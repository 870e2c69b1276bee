/*
 * limit.c
 *	  How many rows a scan will be asked for, where the plan tells.
 *
 * The executor does not pass LIMIT down to index scans.  Therefore, when a
 * plan has been set up, a hook notes which scan of ours stands under which
 * Limit; a scan that gives its first row looks itself up and reads the
 * Limit's count and offset.  A Limit computes these before it asks for a row
 * and anew when it is rescanned, and nobody but the Limit asks for rows, so
 * they are the ones in force: with parameters, in lateral joins and in
 * cursors, too.
 *
 * A scan is known by its own descriptor.  So it does not matter what else is
 * executed meanwhile: functions that run queries on the same index, other
 * cursors, or the recheck of a row that was updated, which sets up the plan
 * once more without the hook.  A note lives as long as the memory of the
 * execution that it belongs to, however that ends.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "executor/execdesc.h"
#include "executor/executor.h"
#include "lib/ilist.h"
#include "nodes/nodeFuncs.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "am/am.h"
#include "am/former.h"
#include "am/limit.h"

typedef struct LimitedScan
{
	dlist_node	link;
	const LimitState *limit;
	const IndexScanState *scan;
	MemoryContextCallback callback;
} LimitedScan;

static ExecutorStart_hook_type previous_start = NULL;

/* Those of all executions under way, the latest first. */
static dlist_head limited = DLIST_STATIC_INIT(limited);

static void
forget(void *argument)
{
	LimitedScan *note = argument;

	dlist_delete(&note->link);
}

static void
remember(const LimitState *limit, const IndexScanState *scan, MemoryContext context)
{
	LimitedScan *note = MemoryContextAlloc(context, sizeof(LimitedScan));

	note->limit = limit;
	note->scan = scan;
	note->callback.func = forget;
	note->callback.arg = note;
	dlist_push_head(&limited, &note->link);
	MemoryContextRegisterResetCallback(context, &note->callback);
}

/* EXPLAIN that does not execute opens no indexes; nobody will scan then, but EXPLAIN asks for the Limit. */
static bool
is_ours(const IndexScanState *scan)
{
	const IndexScan *plan = (const IndexScan *) scan->ss.ps.plan;

	if (list_length(plan->indexorderby) != 1)
		return false;
	return scan->iss_RelationDesc == NULL || scan->iss_RelationDesc->rd_indam->ambeginscan == vecidx_beginscan;
}

/* The scan of ours that feeds a node row by row; NULL if a row may get lost or multiplied on the way. */
static const IndexScanState *
find_scan(const PlanState *node)
{
	while (node != NULL && node->qual == NULL)
	{
		switch (nodeTag(node))
		{
			case T_IndexScanState:
				return is_ours((const IndexScanState *) node) ? (const IndexScanState *) node : NULL;
			case T_SubqueryScanState:
				node = ((const SubqueryScanState *) node)->subplan;
				break;
			case T_LockRowsState:
			case T_ResultState:
				node = outerPlanState(node);
				break;
			default:
				return NULL;
		}
	}
	return NULL;
}

static bool
visit_node(PlanState *node, void *context)
{
	if (IsA(node, LimitState) && ((LimitState *) node)->limitOption == LIMIT_OPTION_COUNT)
	{
		const IndexScanState *scan = find_scan(outerPlanState(node));

		if (scan != NULL)
			remember((LimitState *) node, scan, context);
	}
	if (IsA(node, ModifyTableState))
		vecidx_former_watch((ModifyTableState *) node, context);
	return planstate_tree_walker(node, visit_node, context);
}

static void
start_execution(QueryDesc *query, int flags)
{
	if (previous_start != NULL)
		previous_start(query, flags);
	else
		standard_ExecutorStart(query, flags);
	if (query->planstate != NULL)
		visit_node(query->planstate, query->estate->es_query_cxt);
}

const LimitState *
vecidx_limit_above(const IndexScanState *node)
{
	dlist_iter	iter;

	dlist_foreach(iter, &limited)
	{
		const LimitedScan *note = dlist_container(LimitedScan, link, iter.cur);

		if (note->scan == node)
			return note->limit;
	}
	return NULL;
}

int64
vecidx_limit_find(IndexScanDesc scan)
{
	dlist_iter	iter;

	dlist_foreach(iter, &limited)
	{
		const LimitedScan *note = dlist_container(LimitedScan, link, iter.cur);

		if (note->scan->iss_ScanDesc != scan)
			continue;
		if (note->limit->noCount || note->limit->offset > VECIDX_LIMIT_MAX ||
			note->limit->count > VECIDX_LIMIT_MAX - note->limit->offset)
			return -1;
		return note->limit->offset + note->limit->count;
	}
	return -1;
}

void
vecidx_limit_init(void)
{
	previous_start = ExecutorStart_hook;
	ExecutorStart_hook = start_execution;
}
