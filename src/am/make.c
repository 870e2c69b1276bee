/*
 * make.c
 *	  The graph of a build, made by a team that its leader leads.
 *
 * Where memory has room for all points, all levels are made of them together.
 * Else level 0 is made cell by cell, its lists going into files, and then the
 * levels above.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/build.h"
#include "graph/order.h"
#include "graph/parts.h"

/* Memory for a cell's points (or those on upper levels), and the points into it; finds twins and levels. */
static void
read_points(VecIdxBuild *build, uint64 count, VecIdxBuildStep step)
{
	VecIdxBuildShared *shared = build->shared;
	uint32	   *table;

	shared->points = (uint32) count;
	vecidx_team_allocate(&build->team, VECIDX_PIECE_POINTS, vecidx_points_size(build->plan.sketcher->width, shared->points));
	vecidx_build_run(build, step);
	table = palloc_extended(vecidx_points_table(shared->points) * sizeof(uint32), MCXT_ALLOC_HUGE);
	vecidx_points_match(&build->points, table);
	pfree(table);
}

static void
make_level(VecIdxBuild *build, int level)
{
	vecidx_build_report(build, VECIDX_PHASE_PARTITION);
	build->shared->level = level;
	vecidx_levels_enlist(&build->levels, level);
	vecidx_build_run(build, VECIDX_STEP_ASSIGN);
	vecidx_weave_group(&build->levels.level[level]);
	vecidx_build_run(build, VECIDX_STEP_FILL);
	vecidx_build_report(build, VECIDX_PHASE_LINK);
	vecidx_build_run(build, VECIDX_STEP_PRUNE);
	vecidx_build_run(build, VECIDX_STEP_BACK);
	vecidx_build_run(build, VECIDX_STEP_FINISH);
	vecidx_parts_rescue(&build->levels, level);
}

/* Memory for levels of the points that are there. */
static void
allocate_levels(VecIdxBuild *build, int lowest, int highest)
{
	VecIdxLevelPlan *plan = &build->shared->plan;

	vecidx_levels_count(plan, &build->points, lowest, highest);
	vecidx_team_allocate(&build->team, VECIDX_PIECE_LISTS, vecidx_levels_list_size(plan));
	vecidx_team_allocate(&build->team, VECIDX_PIECE_POOLS, vecidx_levels_pool_size(plan));
	vecidx_build_map(build);
}

/* The points that lead to parts of a level that fell apart; the caller frees them. */
static uint32 *
find_raised(VecIdxBuild *build, int level, uint32 home, uint32 *count)
{
	uint32		most = build->levels.level[level].count / 4 + 1;
	uint32	   *points = palloc_extended(most * sizeof(uint32), MCXT_ALLOC_HUGE);

	*count = vecidx_parts_find(&build->levels, level, home, most, points);
	return points;
}

/* The levels of the points that are in memory; what falls apart is raised. */
static void
make_levels(VecIdxBuild *build)
{
	VecIdxLevelPlan *plan = &build->shared->plan;

	for (int level = plan->lowest; level <= plan->highest; level++)
	{
		uint32		count;
		uint32	   *raised;

		make_level(build, level);
		raised = find_raised(build, level, build->points.count, &count);
		for (uint32 i = 0; i < count && vecidx_levels_raise(plan, &build->points, raised[i]); i++)
			CHECK_FOR_INTERRUPTS();
		pfree(raised);
		vecidx_build_map(build);
	}
	vecidx_team_free(&build->team, VECIDX_PIECE_POOLS);
}

/* Gives ids to the nodes that are at home in a cell: the first points in memory. */
static void
enter_nodes(VecIdxBuild *build, int cell, uint32 home)
{
	VecIdxLayout layout;
	uint32	   *order;
	uint32		nodes;

	vecidx_layout_init(&layout, &build->fixed);
	order = vecidx_order_nodes(&build->levels, home, layout.run[VECIDX_RUN_CODE].per_page, &nodes);
	vecidx_roll_enter(&build->roll, cell, &build->points, order, nodes);
	pfree(order);
}

/* All levels of all points. */
static void
make_whole(VecIdxBuild *build)
{
	read_points(build, vecidx_load_home(&build->load, 0), VECIDX_STEP_CELL);
	allocate_levels(build, 0, VECIDX_MAX_LEVEL);
	make_levels(build);
	enter_nodes(build, 0, build->points.count);
}

/* Level 0 of a cell: its lists into files, its nodes into the roll. */
static void
make_cell(VecIdxBuild *build, int cell)
{
	uint32		home = (uint32) vecidx_load_home(&build->load, cell);
	uint64		guests = vecidx_load_guests(&build->load, cell);
	uint32	   *raised;
	uint32		count;

	if (home == 0)
	{
		build->roll.ends[cell] = vecidx_roll_start(&build->roll, cell);
		return;
	}
	build->shared->cell = cell;
	read_points(build, home + guests, VECIDX_STEP_CELL);
	allocate_levels(build, 0, 0);
	make_level(build, 0);
	vecidx_team_free(&build->team, VECIDX_PIECE_POOLS);
	vecidx_build_run(build, VECIDX_STEP_TELL);
	raised = find_raised(build, 0, home, &count);
	for (uint32 i = 0; i < count; i++)
		vecidx_load_raise(&build->load, &build->points, raised[i]);
	pfree(raised);
	enter_nodes(build, cell, home);
	vecidx_team_free(&build->team, VECIDX_PIECE_LISTS);
	vecidx_team_free(&build->team, VECIDX_PIECE_POINTS);
}

static void
make_cells(VecIdxBuild *build)
{
	for (int cell = 0; cell < build->plan.cells; cell++)
		make_cell(build, cell);
	vecidx_spool_finish(&build->load.spools[VECIDX_LOAD_RAISED][0]);
	read_points(build, vecidx_load_uppers(&build->load), VECIDX_STEP_UPPER);
	allocate_levels(build, 1, VECIDX_MAX_LEVEL);
	make_levels(build);
}

void
vecidx_build_graph(VecIdxBuild *build)
{
	uint64		rows = vecidx_load_total(&build->load);

	if (rows > VECIDX_NONE / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" cannot be built for %.0f rows",
						RelationGetRelationName(build->index), (double) rows)));
	build->shared->rows = (uint32) rows;
	vecidx_team_allocate(&build->team, VECIDX_PIECE_ROLL,
						 vecidx_roll_size(build->shared->rows, build->plan.cells, build->plan.shape.size > 0));
	vecidx_build_map(build);
	if (build->plan.cells == 1)
		make_whole(build);
	else
		make_cells(build);
	/* a helper lets go of the pools as it begins a step: this one, before rows are kept where they were */
	vecidx_build_run(build, VECIDX_STEP_END_LISTS);
}
