/*
 * step.c
 *	  What every process of a build does, step by step.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/index.h"

#include "am/build.h"

static void
load_share(VecIdxBuild *build)
{
	VecIdxBuildShared *shared = build->shared;
	bool		shares = build->team.parallel != NULL || build->team.number > 0;
	TableScanDesc scan = NULL;

	if (shares)
		scan = table_beginscan_parallel(build->heap, vecidx_build_part(shared, shared->scan));
	vecidx_load_table(&build->load, build->heap, build->index, build->info, scan);
	if (build->info->ii_BrokenHotChain)
		shared->broken_chain = true;
	if (build->team.number > 0 && build->plan.truth != NULL)
		vecidx_truth_store_notes(build->plan.truth, vecidx_build_notes(shared, build->team.number));
}

void
vecidx_build_map(VecIdxBuild *build)
{
	VecIdxBuildShared *shared = build->shared;
	VecIdxTeam *team = &build->team;
	void	   *roll = vecidx_team_piece(team, VECIDX_PIECE_ROLL);
	void	   *points = vecidx_team_piece(team, VECIDX_PIECE_POINTS);
	void	   *lists = vecidx_team_piece(team, VECIDX_PIECE_LISTS);
	void	   *pools = vecidx_team_piece(team, VECIDX_PIECE_POOLS);
	void	   *numbers = vecidx_team_piece(team, VECIDX_PIECE_NUMBERS);

	if (roll != NULL)
		vecidx_roll_map(&build->roll, shared->rows, shared->cells, build->plan.shape.size > 0, roll);
	if (points != NULL)
		vecidx_points_map(&build->points, build->plan.sketcher->width, shared->points, points);
	build->points.weight = build->plan.sketcher->weight;
	if (lists != NULL)
		vecidx_levels_map(&build->levels, &shared->plan, &build->points, shared->locks, lists, pools);
	build->load.kept = vecidx_team_piece(team, VECIDX_PIECE_ROWS);
	if (numbers != NULL)
		vecidx_numbers_map(&build->numbers, numbers);
	build->joined.first = shared->joined_first;
	build->joined.count = shared->joined_count;
	build->joined.room = build->load.room;
	build->joined.lists = vecidx_team_piece(team, VECIDX_PIECE_JOINED);
}

static void
put_list(void *state, const VecIdxWoven *woven)
{
	VecIdxBuild *build = state;

	vecidx_load_put_list(&build->load, &build->points, woven);
}

void
vecidx_build_open(VecIdxBuild *build)
{
	build->handle = vecidx_handle_acquire(build->index);
	vecidx_handle_release_with(build->handle, CurrentMemoryContext);
}

VecIdxWriter *
vecidx_build_writer(VecIdxBuild *build)
{
	VecIdxWritePlan plan = {build->index, &build->shared->fixed, &build->load, &build->roll, &build->numbers,
	&build->levels, &build->joined};

	return vecidx_writer_create(&plan);
}

static void
write_units(VecIdxBuild *build)
{
	if (build->writer == NULL)
		build->writer = vecidx_build_writer(build);
	vecidx_write_units(build->writer, &build->shared->task, &build->team.state->deal);
}

/* Helpers learn the settled truth of the leader. */
static void
run_queries(VecIdxBuild *build)
{
	VecIdxSheet *sheet = vecidx_team_piece(&build->team, VECIDX_PIECE_SHEET);

	if (build->trial == NULL)
	{
		if (build->team.number > 0)
		{
			vecidx_truth_take_notes(build->plan.truth, vecidx_build_notes(build->shared, 0));
			vecidx_build_open(build);
		}
		build->trial = vecidx_trial_create(build->handle, build->plan.truth);
	}
	vecidx_trial_run(build->trial, sheet, &build->team.state->deal);
}

/* What every process does in a step. */
static void
do_step(void *self, int step)
{
	VecIdxBuild *build = self;
	VecIdxDeal *deal = &build->team.state->deal;
	VecIdxWeave *weave = &build->levels.level[build->shared->level];

	if (step != VECIDX_STEP_LOAD)
		vecidx_build_map(build);
	switch ((VecIdxBuildStep) step)
	{
		case VECIDX_STEP_LOAD:
			load_share(build);
			break;
		case VECIDX_STEP_CELL:
			vecidx_load_cell(&build->load, build->shared->cell, &build->points,
							 build->roll.tids, deal);
			break;
		case VECIDX_STEP_UPPER:
			vecidx_load_upper_points(&build->load, &build->points, deal);
			break;
		case VECIDX_STEP_ASSIGN:
			vecidx_weave_assign(weave, deal);
			break;
		case VECIDX_STEP_FILL:
			vecidx_weave_fill(weave, deal);
			break;
		case VECIDX_STEP_PRUNE:
			vecidx_weave_prune(weave, deal);
			break;
		case VECIDX_STEP_BACK:
			vecidx_weave_back(weave, deal);
			break;
		case VECIDX_STEP_FINISH:
			vecidx_weave_finish(weave, deal);
			break;
		case VECIDX_STEP_TELL:
			vecidx_weave_tell(weave, deal, put_list, build);
			break;
		case VECIDX_STEP_END_LISTS:
			vecidx_load_finish_lists(&build->load);
			break;
		case VECIDX_STEP_KEEP:
			vecidx_load_keep(&build->load, deal);
			break;
		case VECIDX_STEP_JOIN:
			vecidx_joined_read(&build->joined, &build->load, &build->roll, build->shared->cell, build->shared->locks, deal);
			break;
		case VECIDX_STEP_WRITE:
			write_units(build);
			break;
		case VECIDX_STEP_CALIBRATE:
			run_queries(build);
			break;
	}
}

void
vecidx_build_run(VecIdxBuild *build, VecIdxBuildStep step)
{
	vecidx_team_run(&build->team, step, do_step, build);
}

/* A helper: knows of the build what is in the shared memory. */
PGDLLEXPORT void vecidx_build_help(dsm_segment *segment, shm_toc *toc);

void
vecidx_build_help(dsm_segment *segment, shm_toc *toc)
{
	VecIdxBuild *build = palloc0(sizeof(VecIdxBuild));
	LOCKMODE	heap_lock;
	LOCKMODE	index_lock;

	vecidx_team_join(&build->team, toc);
	build->shared = vecidx_team_shared(build->team.state);
	heap_lock = build->shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
	index_lock = build->shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
	build->heap = table_open(build->shared->heap, heap_lock);
	build->index = index_open(build->shared->index, index_lock);
	build->info = BuildIndexInfo(build->index);
	build->info->ii_Concurrent = build->shared->concurrent;
	vecidx_build_see(build);
	vecidx_load_init(&build->load, &build->plan, vecidx_build_part(build->shared, build->shared->load), &build->team);
	vecidx_team_help(&build->team, segment, do_step, build);
	vecidx_load_finish_lists(&build->load);
	vecidx_load_free(&build->load);
	index_close(build->index, index_lock);
	table_close(build->heap, heap_lock);
}
