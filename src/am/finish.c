/*
 * finish.c
 *	  From the graph of a build to the pages of an index, and its calibration.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/build.h"
#include "am/group.h"
#include "am/reconnect.h"
#include "page/meta.h"

/* Lists of the largest cell. */
static Size
largest_window(const VecIdxBuild *build)
{
	uint32		largest = 0;

	if (build->plan.cells == 1)
		return 0;
	for (int cell = 0; cell < build->plan.cells; cell++)
		largest = Max(largest, build->roll.ends[cell] - vecidx_roll_start(&build->roll, cell));
	return vecidx_joined_size(largest, build->load.room);
}

/* Reads all rows into memory, if what else there is while pages are written leaves room. */
static void
keep_rows(VecIdxBuild *build)
{
	const VecIdxBuildShared *shared = build->shared;
	double		taken = (double) shared->rows * VECIDX_ROLL_BYTES + largest_window(build) +
		vecidx_points_size(build->points.width, shared->points) + vecidx_levels_list_size(&shared->plan);
	double		size = (double) shared->rows * build->load.sizes[VECIDX_LOAD_ROW];

	if (taken + size > maintenance_work_mem * 1024.0 || !vecidx_team_has_memory(&build->team, (Size) size))
		return;
	vecidx_team_allocate(&build->team, VECIDX_PIECE_ROWS, (Size) size);
	vecidx_build_run(build, VECIDX_STEP_KEEP);
}

/* For vecidx_group_rows. */
typedef struct Fetching
{
	VecIdxLoad *load;
	char	   *record;
} Fetching;

static const uint8 *
fetch_filter(void *state, uint32 row)
{
	Fetching   *fetching = state;

	return vecidx_load_filter(fetching->load, vecidx_load_fetch(fetching->load, row, fetching->record));
}

static void
group_rows(VecIdxBuild *build)
{
	Fetching	fetching = {&build->load, palloc(build->load.sizes[VECIDX_LOAD_ROW])};

	vecidx_group_rows(&build->roll, build->plan.shape.size, fetch_filter, &fetching);
	pfree(fetching.record);
}

static void
number_nodes(VecIdxBuild *build)
{
	int			m = build->fixed.m;
	struct VecIdxNumbered numbered = vecidx_numbers_count(&build->roll, &build->levels, m);

	*(struct VecIdxNumbered *) vecidx_team_allocate(&build->team, VECIDX_PIECE_NUMBERS, vecidx_numbers_size(&numbered)) = numbered;
	vecidx_build_map(build);
	vecidx_numbers_fill(&build->numbers, &build->roll, &build->levels, m);
}

/*
 * Adjacency pages of a build in cells: of each cell those that are complete
 * with it.  Lists of its nodes that begin the next page wait for the next cell.
 */
static void
write_cells(VecIdxBuild *build, uint32 pages)
{
	VecIdxBuildShared *shared = build->shared;
	VecIdxWriteTask *task = &shared->task;
	uint32		per_page = vecidx_writer_per_page(build->writer);
	VecIdxJoined rest = {0, 0, build->load.room, palloc(vecidx_joined_size(per_page, build->load.room))};

	memset(task, 0, sizeof(VecIdxWriteTask));
	for (int cell = 0; cell < build->plan.cells; cell++)
	{
		uint32		end = build->roll.ends[cell];
		uint32		next = task->to[VECIDX_RUN_ADJACENCY];

		shared->cell = cell;
		shared->joined_first = next * per_page;
		shared->joined_count = end - shared->joined_first;
		task->from[VECIDX_RUN_ADJACENCY] = next;
		task->to[VECIDX_RUN_ADJACENCY] = cell == build->plan.cells - 1 ? pages : end / per_page;
		vecidx_team_allocate(&build->team, VECIDX_PIECE_JOINED, vecidx_joined_size(shared->joined_count + 1, build->load.room));
		vecidx_build_map(build);
		vecidx_joined_clear(&build->joined);
		vecidx_joined_copy(&build->joined, &rest);
		vecidx_build_run(build, VECIDX_STEP_JOIN);
		vecidx_build_run(build, VECIDX_STEP_WRITE);
		rest.first = end - end % per_page;
		rest.count = end % per_page;
		vecidx_joined_copy(&rest, &build->joined);
		vecidx_team_free(&build->team, VECIDX_PIECE_JOINED);
	}
	pfree(rest.lists);
}

static void
write_pages(VecIdxBuild *build)
{
	VecIdxWriteTask *task = &build->shared->task;
	uint32		pages;

	build->writer = vecidx_build_writer(build);
	vecidx_write_all(build->writer, task);
	pages = task->to[VECIDX_RUN_ADJACENCY];
	if (build->plan.cells > 1)
		task->to[VECIDX_RUN_ADJACENCY] = 0;
	vecidx_build_run(build, VECIDX_STEP_WRITE);
	if (build->plan.cells > 1)
		write_cells(build, pages);
	vecidx_write_meta(build->writer);
}

void
vecidx_build_pages(VecIdxBuild *build)
{
	VecIdxTruth *truth = build->plan.truth;

	vecidx_build_report(build, VECIDX_PHASE_WRITE);
	keep_rows(build);
	group_rows(build);
	number_nodes(build);
	vecidx_write_begin(build->numbers.numbered, build->index, build->centroid, truth != NULL ? truth->count : 0, &build->fixed);
	build->shared->fixed = build->fixed;
	write_pages(build);
	for (uint32 row = 0; row < build->roll.rows && truth != NULL; row++)
	{
		CHECK_FOR_INTERRUPTS();
		vecidx_truth_resolve(truth, &build->roll.tids[row], build->roll.ids[row]);
	}
	vecidx_build_open(build);
	vecidx_reconnect(build->handle);
}

/* For vecidx_calibrate. */
static void
ask_team(void *state)
{
	vecidx_build_run(state, VECIDX_STEP_CALIBRATE);
}

void
vecidx_build_calibrate(VecIdxBuild *build)
{
	VecIdxTruth *truth = build->plan.truth;
	VecIdxAsking asking = {.run = ask_team,.state = build};
	VecIdxMetaTuning tuning;

	vecidx_build_report(build, VECIDX_PHASE_CALIBRATE);
	vecidx_handle_refresh(build->handle);
	vecidx_truth_settle(truth);
	vecidx_truth_store_notes(truth, vecidx_build_notes(build->shared, 0));
	asking.sheet = vecidx_team_allocate(&build->team, VECIDX_PIECE_SHEET, vecidx_sheet_size(truth->count));
	vecidx_calibrate(build->handle, truth, &asking, VECIDX_TUNED_BY_BUILD, &tuning);
	vecidx_team_free(&build->team, VECIDX_PIECE_SHEET);
	vecidx_meta_tune(build->handle, &tuning, false);
}
