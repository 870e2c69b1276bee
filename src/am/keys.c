/*
 * keys.c
 *	  Conditions on filter columns that the planner does not hand to an ordered
 *	  scan by itself.
 *
 * Before PostgreSQL 17 the planner leaves "column = ANY (array)" on columns
 * behind the first to the executor if the scan has an order, for btree's sake;
 * and it knows conditions on booleans only of its own access methods.  A hook
 * adds, to each ordered path of ours, one that has these conditions as well.
 */
#include "postgres.h"

#include "am/keys.h"
#include "compat.h"

#ifdef VECIDX_NEEDS_KEYS_HOOK

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"

#include "am/am.h"

static set_rel_pathlist_hook_type previous_pathlist = NULL;

static IndexClause *
make_clause(RestrictInfo *info, RestrictInfo *qual, int column)
{
	IndexClause *clause = makeNode(IndexClause);

	clause->rinfo = info;
	clause->indexquals = list_make1(qual);
	clause->lossy = false;
	clause->indexcol = column;
	clause->indexcols = NIL;
	return clause;
}

/* column = ANY (array), if the operator is one of the column's. */
static IndexClause *
match_array(PlannerInfo *root, IndexOptInfo *index, int column, RestrictInfo *info)
{
	const ScalarArrayOpExpr *any = (const ScalarArrayOpExpr *) info->clause;
	Oid			collation = index->indexcollations[column];
	Node	   *right;

	if (!IsA(any, ScalarArrayOpExpr) || !any->useOr || !match_index_to_operand(linitial(any->args), column, index))
		return NULL;
	right = lsecond(any->args);
	if (bms_is_member(index->rel->relid, pull_varnos(root, right)) || contain_volatile_functions(right) ||
		!op_in_opfamily(any->opno, index->opfamily[column]) || (OidIsValid(collation) && collation != any->inputcollid))
		return NULL;
	return make_clause(info, info, column);
}

/* What a condition says of a boolean: sets *wanted; NULL if it is something else. */
static Node *
find_boolean(Expr *clause, bool *wanted)
{
	*wanted = true;
	if (IsA(clause, BooleanTest))
	{
		const BooleanTest *test = (const BooleanTest *) clause;

		*wanted = test->booltesttype == IS_TRUE;
		return *wanted || test->booltesttype == IS_FALSE ? (Node *) test->arg : NULL;
	}
	if (is_notclause(clause))
	{
		*wanted = false;
		clause = get_notclausearg(clause);
	}
	return exprType((Node *) clause) == BOOLOID ? (Node *) clause : NULL;
}

/* column, NOT column, column IS TRUE, column IS FALSE. */
static IndexClause *
match_boolean(PlannerInfo *root, IndexOptInfo *index, int column, RestrictInfo *info)
{
	bool		wanted;
	Node	   *operand = find_boolean(info->clause, &wanted);
	Expr	   *equal;

	if (operand == NULL || !op_in_opfamily(BooleanEqualOperator, index->opfamily[column]) ||
		!match_index_to_operand(operand, column, index))
		return NULL;
	equal = make_opclause(BooleanEqualOperator, BOOLOID, false, (Expr *) operand,
						  (Expr *) makeBoolConst(wanted, false), InvalidOid, InvalidOid);
	return make_clause(info, make_simple_restrictinfo(root, equal), column);
}

static bool
is_used(const List *clauses, const RestrictInfo *info)
{
	ListCell   *cell;

	foreach(cell, clauses)
	{
		if (lfirst_node(IndexClause, cell)->rinfo == info)
			return true;
	}
	return false;
}

static int
compare_columns(const ListCell *a, const ListCell *b)
{
	return lfirst_node(IndexClause, a)->indexcol - lfirst_node(IndexClause, b)->indexcol;
}

/* The path's clauses with those that it lacks, in the order of their columns; NULL if there are none. */
static List *
add_clauses(PlannerInfo *root, const IndexPath *path)
{
	IndexOptInfo *index = path->indexinfo;
	List	   *clauses = list_copy(path->indexclauses);
	ListCell   *cell;

	foreach(cell, index->indrestrictinfo)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, cell);
		IndexClause *clause = NULL;

		if (info->pseudoconstant || is_used(clauses, info) ||
			!restriction_is_securely_promotable(info, index->rel))
			continue;
		for (int column = 1; column < index->nkeycolumns && clause == NULL; column++)
		{
			clause = match_array(root, index, column, info);
			if (clause == NULL)
				clause = match_boolean(root, index, column, info);
		}
		if (clause != NULL)
			clauses = lappend(clauses, clause);
	}
	if (list_length(clauses) == list_length(path->indexclauses))
		return NIL;
	list_sort(clauses, compare_columns);
	return clauses;
}

static void
add_paths(PlannerInfo *root, RelOptInfo *rel, Index number, RangeTblEntry *entry)
{
	List	   *added = NIL;
	ListCell   *cell;

	if (previous_pathlist != NULL)
		previous_pathlist(root, rel, number, entry);
	foreach(cell, rel->pathlist)
	{
		IndexPath  *path = lfirst(cell);
		List	   *clauses;

		if (!IsA(path, IndexPath) || path->indexinfo->amcostestimate != vecidx_costestimate || path->indexorderbys == NIL)
			continue;
		clauses = add_clauses(root, path);
		if (clauses != NIL)
			added = lappend(added, create_index_path(root, path->indexinfo, clauses, path->indexorderbys,
													 path->indexorderbycols, path->path.pathkeys, path->indexscandir,
													 false, PATH_REQ_OUTER(&path->path), 1.0, false));
	}
	foreach(cell, added)
		add_path(rel, lfirst(cell));
}

void
vecidx_keys_init(void)
{
	previous_pathlist = set_rel_pathlist_hook;
	set_rel_pathlist_hook = add_paths;
}

#else

void
vecidx_keys_init(void)
{
}

#endif							/* VECIDX_NEEDS_KEYS_HOOK */
