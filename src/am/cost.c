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

void
vecidx_costestimate(PlannerInfo *root, IndexPath *path, double loop_count pg_attribute_unused(),
					Cost *startup_cost, Cost *total_cost, Selectivity *selectivity,
					double *correlation, double *pages)
{
	IndexOptInfo *info = path->indexinfo;
	double		rows = Max(info->tuples, 1);
	double		visits;
	double		codes;
	double		wanted;
	Relation	index;

	*correlation = 0;
	*selectivity = 1;
	*pages = info->pages;
	if (path->indexorderbys == NIL)
	{
		*startup_cost = *total_cost = get_float8_infinity();
		VecIdxDisablePath(path);
		return;
	}
	wanted = wanted_rows(root, rows);
	index = index_open(info->indexoid, NoLock);
	visits = walk_length(index, rows, wanted);
	codes = Min(visits * vecidx_options_of(index).m, rows);
	index_close(index, NoLock);

	*startup_cost = codes * OPERATORS_PER_CODE * cpu_operator_cost +
		Min(visits + codes / 4, info->pages) * random_page_cost * CACHED_PAGE_SHARE;
	*total_cost = *startup_cost + rows * (cpu_index_tuple_cost + OPERATORS_PER_CODE * cpu_operator_cost);
	*pages = Min(visits, info->pages);
}
