/*
 * junk.c
 *	  Spares queries a distance that nobody reads.
 *
 * In "SELECT id FROM t ORDER BY v <-> q LIMIT k" the planner keeps the sort
 * expression as a junk column of the scan, although the index has sorted: the
 * executor would detoast v and compute the distance again for every row
 * returned, which can cost as much as the search itself.  Directly under a
 * Limit, and where the scan is all there is to a query or a subquery, that
 * column is read by nobody, so a planner hook makes it a constant.
 *
 * What stays as it is: a distance that the query selects (no junk), WITH TIES
 * (which compares the column), and plans with anything between Limit and scan,
 * or above the scan in its subquery (MergeAppend, Gather Merge and LockRows may
 * need it).
 *
 * The hook is in place once the library is loaded: from the second query of a
 * session on that looks at a vecidx index, unless it was preloaded.  Loading
 * happens while the first is being planned; so that its plan is not kept and
 * run again as it is, all plans that the session keeps are made anew once.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/plannodes.h"
#include "optimizer/planner.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

#include "am/junk.h"

static planner_hook_type previous_planner = NULL;

/* Plans that were made without the hook may be kept. */
static bool loaded_late = false;

static bool
is_vecidx_scan(const Plan *plan)
{
	const IndexScan *scan = (const IndexScan *) plan;
	HeapTuple	tuple;
	bool		ours;

	if (plan == NULL || !IsA(plan, IndexScan) || scan->indexorderbyorig == NIL)
		return false;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(scan->indexid));
	if (!HeapTupleIsValid(tuple))
		return false;
	ours = ((Form_pg_class) GETSTRUCT(tuple))->relam == get_index_am_oid("vecidx", true);
	ReleaseSysCache(tuple);
	return ours;
}

/* labels: the target list that says which columns are junk; references: does it refer to the scan's by Vars? */
static void
drop_distance(IndexScan *scan, List *labels, bool references)
{
	ListCell   *cell;

	foreach(cell, labels)
	{
		TargetEntry *label = lfirst(cell);
		TargetEntry *entry = label;

		if (!label->resjunk)
			continue;
		if (references)
		{
			Var		   *var = (Var *) label->expr;

			if (!IsA(var, Var) || var->varno != OUTER_VAR)
				continue;
			entry = list_nth(scan->scan.plan.targetlist, var->varattno - 1);
		}
		if (equal(entry->expr, linitial(scan->indexorderbyorig)))
			entry->expr = (Expr *) makeNullConst(FLOAT8OID, -1, InvalidOid);
	}
}

static void visit_plan(Plan *plan);

/* All there is to a query or a subquery: what a scan there calls junk is not for the outside. */
static void
visit_whole(Plan *plan)
{
	if (is_vecidx_scan(plan))
		drop_distance((IndexScan *) plan, plan->targetlist, false);
	visit_plan(plan);
}

static void
visit_plans(List *plans)
{
	ListCell   *cell;

	foreach(cell, plans)
		visit_plan(lfirst(cell));
}

static void
visit_plan(Plan *plan)
{
	if (plan == NULL)
		return;
	check_stack_depth();
	if (IsA(plan, Limit) && ((Limit *) plan)->limitOption == LIMIT_OPTION_COUNT && is_vecidx_scan(plan->lefttree))
		drop_distance((IndexScan *) plan->lefttree, plan->targetlist, true);
	if (IsA(plan, Append))
		visit_plans(((Append *) plan)->appendplans);
	else if (IsA(plan, MergeAppend))
		visit_plans(((MergeAppend *) plan)->mergeplans);
	else if (IsA(plan, SubqueryScan))
		visit_whole(((SubqueryScan *) plan)->subplan);
	/*
	 * Where the planner has taken the scan of a subquery away, an aggregate
	 * stands right above.  In a query of its own the scan would call nothing
	 * junk: only nodes without a target list of their own pass that on.
	 */
	if (IsA(plan, Agg))
		visit_whole(plan->lefttree);
	else
		visit_plan(plan->lefttree);
	visit_plan(plan->righttree);
}

static PlannedStmt *
plan_query(Query *parse, const char *query_string, int options, ParamListInfo params)
{
	PlannedStmt *statement;
	ListCell   *cell;

	if (previous_planner != NULL)
		statement = previous_planner(parse, query_string, options, params);
	else
		statement = standard_planner(parse, query_string, options, params);
	visit_whole(statement->planTree);
	foreach(cell, statement->subplans)
		visit_whole(lfirst(cell));
	return statement;
}

void
vecidx_junk_replan(void)
{
	if (loaded_late)
		ResetPlanCache();
	loaded_late = false;
}

void
vecidx_junk_init(void)
{
	loaded_late = !process_shared_preload_libraries_in_progress;
	previous_planner = planner_hook;
	planner_hook = plan_query;
}
