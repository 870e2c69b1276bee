/*
 * lone.c
 *	  Plans for which a table has one index, or none.
 *
 * Settings can favour index scans, but not one index among several.  The
 * planner asks a hook which indexes there are.
 */
#include "postgres.h"

#include "nodes/pathnodes.h"
#include "optimizer/plancat.h"

#include "monitor/lone.h"

static get_relation_info_hook_type previous_info = NULL;

static VecIdxLone current = {InvalidOid, InvalidOid};

static void
hide_indexes(PlannerInfo *root, Oid table, bool parent, RelOptInfo *rel)
{
	ListCell   *cell;

	if (previous_info != NULL)
		previous_info(root, table, parent, rel);
	if (!OidIsValid(current.table) || table != current.table)
		return;
	foreach(cell, rel->indexlist)
	{
		const IndexOptInfo *index = lfirst(cell);

		if (index->indexoid != current.index)
			rel->indexlist = foreach_delete_current(rel->indexlist, cell);
	}
}

VecIdxLone
vecidx_lone_set(VecIdxLone lone)
{
	VecIdxLone	previous = current;

	current = lone;
	return previous;
}

void
vecidx_lone_init(void)
{
	previous_info = get_relation_info_hook;
	get_relation_info_hook = hide_indexes;
}
