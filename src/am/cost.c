/*
 * cost.c
 *	  amcostestimate: what a search costs, in the planner's units.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/float.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

#include "am/am.h"
#include "compat.h"
#include "graph/effort.h"
#include "options.h"

/*
 * A code read on the walk costs about as much as evaluating an operator ten
 * times; its page is nearly always cached, so a page costs a small part of
 * random_page_cost.
 */
#define OPERATORS_PER_CODE		10.0
#define CACHED_PAGE_SHARE		0.05

/*
 * A pass over filter rows: to begin it, per row and condition, per row that
 * passes, and per page of the rows of one column or two.
 */
#define OPERATORS_PER_PASS		800.0
#define OPERATORS_PER_TEST		0.03
#define OPERATORS_PER_MATCH		4.0
#define TESTS_PER_PAGE			800.0

/* A row that is returned has been reranked, with others. */
#define OPERATORS_PER_RESULT	4.0

/* Rows that the query wants of this path, or all. */
static double
wanted_rows(const PlannerInfo *root, double rows)
{
	if (root->limit_tuples > 0 && root->limit_tuples < rows)
		return root->limit_tuples;
	if (root->tuple_fraction > 1)
		return Min(root->tuple_fraction, rows);
	if (root->tuple_fraction > 0)
		return Max(root->tuple_fraction * rows, 1);
	return rows;
}

/* Nodes expanded by a search for that many results. */
static double
walk_length(Relation index, double rows, double wanted)
{
	VecIdxHandle *handle = vecidx_handle_acquire(index);
	VecIdxScanOptions options = vecidx_options_scan();
	uint32		count = (uint32) Min(Max(wanted, 1), 1e6);
	VecIdxEffort effort = vecidx_effort_choose(&handle->tuning, options.ef_search, options.target_recall, count);

	vecidx_handle_release(handle);
	return Min(effort.expanded + 3 * log(rows + 2), rows);
}

/* A search for as many of the nearest rows as the wanted ones are among, whoever checks the conditions. */
static Cost
search_cost(PlannerInfo *root, IndexPath *path, double rows, double *visits)
{
	double		passing = path->path.param_info != NULL ? path->path.param_info->ppi_rows : path->path.parent->rows;
	double		wanted = wanted_rows(root, Max(passing, 1));

	Relation	index = index_open(path->indexinfo->indexoid, NoLock);
	double		codes;

	*visits = walk_length(index, rows, Min(wanted * rows / Max(passing, 1), rows));
	codes = Min(*visits * vecidx_options_of(index).m, rows);
	index_close(index, NoLock);
	return codes * OPERATORS_PER_CODE * cpu_operator_cost +
		Min(*visits + codes / 4, path->indexinfo->pages) * random_page_cost * CACHED_PAGE_SHARE;
}

/* A pass over all filter rows. */
static Cost
pass_cost(double rows, double share, int conditions)
{
	return (OPERATORS_PER_PASS + rows * (conditions * OPERATORS_PER_TEST + share * OPERATORS_PER_MATCH)) * cpu_operator_cost +
		rows / TESTS_PER_PAGE * seq_page_cost * CACHED_PAGE_SHARE;
}

/* The share of rows that the path's conditions let through. */
static double
passing_share(PlannerInfo *root, const IndexPath *path, double rows)
{
	List	   *quals = get_quals_from_indexclauses(path->indexclauses);
	double		share = clauselist_selectivity(root, quals, path->indexinfo->rel->relid, JOIN_INNER, NULL);

	return Min(Max(share, 1 / rows), 1);
}

/*
 * What cost_index is to take for the correlation of the index's order and the
 * table's.  Pages of the table are announced ahead (am/ahead.c), so where all of
 * them have room in memory, and each is read once, they are to cost what
 * cost_bitmap_heap_scan charges for as many: the larger their part of the
 * table, the more like a sequential read.  cost_index goes by the square of the
 * correlation from all random reads (0) to sequential ones of the pages that as
 * many rows would fill (1).
 */
static double
heap_correlation(PlannerInfo *root, const IndexOptInfo *info, double selectivity)
{
	double		all = info->rel->pages;
	double		pages = index_pages_fetched(clamp_row_est(selectivity * info->rel->tuples), info->rel->pages, info->pages, root);
	double		least = Max(ceil(selectivity * all), 1);
	double		random_cost;
	double		seq_cost;
	double		dearest;
	double		cheapest;
	double		wanted;

	if (all < 1 || all > effective_cache_size || pages <= least)
		return 0;
	get_tablespace_page_costs(info->rel->reltablespace, &random_cost, &seq_cost);
	dearest = pages * random_cost;
	cheapest = random_cost + (least - 1) * seq_cost;
	wanted = pages * (random_cost - (random_cost - seq_cost) * sqrt(Min(pages / all, 1)));
	if (dearest <= cheapest)
		return 0;
	return sqrt(Min(Max((dearest - wanted) / (dearest - cheapest), 0), 1));
}

void
vecidx_costestimate(PlannerInfo *root, IndexPath *path, double loop_count pg_attribute_unused(),
					Cost *startup_cost, Cost *total_cost, Selectivity *selectivity,
					double *correlation, double *pages)
{
	IndexOptInfo *info = path->indexinfo;
	double		rows = Max(info->tuples, 1);
	double		share;
	double		visits;

	*selectivity = 1;
	*pages = info->pages;
	if (path->indexorderbys == NIL)
	{
		*correlation = 0;
		*startup_cost = *total_cost = get_float8_infinity();
		VecIdxDisablePath(path);
		return;
	}
	share = passing_share(root, path, rows);
	*startup_cost = search_cost(root, path, rows, &visits);
	if (path->indexclauses != NIL)
	{
		List	   *quals = add_predicate_to_index_quals(info, get_quals_from_indexclauses(path->indexclauses));

		*startup_cost = Min(*startup_cost, pass_cost(rows, share, list_length(path->indexclauses)));
		*selectivity = clauselist_selectivity(root, quals, info->rel->relid, JOIN_INNER, NULL);
	}
	*total_cost = *startup_cost + rows * share * (cpu_index_tuple_cost + OPERATORS_PER_RESULT * cpu_operator_cost);
	*correlation = heap_correlation(root, info, *selectivity);
	*pages = Min(visits, info->pages);
}
