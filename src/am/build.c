/*
 * build.c
 *	  ambuild: a sample, then the table into memory, then a graph, then pages.
 *
 * The sample fixes what cannot change later: dimensions, centroid, bits of a
 * code.  Some of its rows become the queries that calibrate the finished
 * index.  All processes of a team (team.h) read the table, encode its rows
 * (load.h), make the graph (graph/weave.h), write its pages and run the
 * queries.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "pgstat.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "am/build.h"
#include "am/pause.h"
#include "options.h"
#include "page/filter.h"

/* Bytes of rows for which a helper is worth its start. */
#define HELPER_PAYS			(4.0 * 1024 * 1024)

/* kB for each process without which the planner grants no helper. */
#define PLANNED_MEMORY		32768

char *
vecidx_build_phase(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case VECIDX_PHASE_SAMPLE:
			return "sampling table";
		case VECIDX_PHASE_LOAD:
			return "loading tuples";
		case VECIDX_PHASE_PARTITION:
			return "finding near tuples";
		case VECIDX_PHASE_LINK:
			return "linking near tuples";
		case VECIDX_PHASE_WRITE:
			return "writing pages";
		case VECIDX_PHASE_CALIBRATE:
			return "calibrating searches";
		case VECIDX_PHASE_INSERT:
			return "inserting held tuples";
		case VECIDX_PHASE_LOG:
			return "writing WAL";
		default:
			return NULL;
	}
}

void
vecidx_build_report(VecIdxBuild *build, VecIdxBuildPhase phase)
{
	const char *name = vecidx_build_phase(phase);

	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase);
	vecidx_phases_next(&build->phases, name);
	vecidx_pause(name);
}

/* A slot of adjacency or upper links must fit a page whatever m is; the others may span. */
static void
check_definition(Relation index)
{
	VecIdxOptions options = vecidx_options_of(index);

	vecidx_row_check_columns(index);
	if (options.ef_construction < options.m)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ef_construction (%d) of index \"%s\" must not be less than m (%d)",
						options.ef_construction, RelationGetRelationName(index), options.m)));
}

static void
sample_table(VecIdxBuild *build, MemoryContext row_context)
{
	VecIdxSampleSource source = {build->heap, build->index, build->info, build->plan.type, row_context};

	vecidx_build_report(build, VECIDX_PHASE_SAMPLE);
	build->sample.dimensions = vecidx_row_declared_dimensions(build->index);
	build->heap_rows = vecidx_sample_table(&source, &build->sample);
}

/*
 * Helpers that the planner grants.  It goes by the table's pages, but what
 * there is to do goes by the vectors, which often lie in a TOAST table: where
 * they are many, a table of any size counts.  It wants so much memory for each
 * process, but here they share what one alone would have.
 */
static int
plan_helpers(const VecIdxBuild *build)
{
	double		bytes = build->sample.total * build->fixed.dimensions * sizeof(float);
	int			least = min_parallel_table_scan_size;
	int			memory = maintenance_work_mem;
	int			helpers;

	if (max_parallel_maintenance_workers == 0 || IsInParallelMode())
		return 0;
	PG_TRY();
	{
		if (bytes >= HELPER_PAYS)
			min_parallel_table_scan_size = 0;
		maintenance_work_mem = Max(memory, (max_parallel_maintenance_workers + 1) * PLANNED_MEMORY);
		helpers = plan_create_index_workers(RelationGetRelid(build->heap), RelationGetRelid(build->index));
	}
	PG_FINALLY();
	{
		min_parallel_table_scan_size = least;
		maintenance_work_mem = memory;
	}
	PG_END_TRY();
	return Min(helpers, VECIDX_TEAM_MAX - 1);
}

static void
load_table(VecIdxBuild *build)
{
	bool		shared_snapshot = build->info->ii_Concurrent;
	Snapshot	snapshot = shared_snapshot ? RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;

	vecidx_build_report(build, VECIDX_PHASE_LOAD);
	vecidx_build_share(build, plan_helpers(build), snapshot);
	vecidx_load_init(&build->load, &build->plan, vecidx_build_part(build->shared, build->shared->load), &build->team);
	vecidx_team_launch(&build->team);
	vecidx_build_run(build, VECIDX_STEP_LOAD);
	if (shared_snapshot)
		UnregisterSnapshot(snapshot);
	if (build->shared->broken_chain)
		build->info->ii_BrokenHotChain = true;
}

/* What the others found in the table, joined to what the leader found. */
static void
join_findings(VecIdxBuild *build)
{
	const VecIdxLoadState *found = build->load.state;

	build->rows = vecidx_load_total(&build->load);
	build->heap_rows = 0;
	for (int i = 0; i < VECIDX_TEAM_MAX; i++)
		build->heap_rows += found->heap_rows[i];
	for (int i = 1; i <= build->team.helpers && build->plan.truth != NULL; i++)
	{
		if (found->loaded[i])
			vecidx_truth_join_notes(build->plan.truth, vecidx_build_notes(build->shared, i));
	}
}

/* Indexes the rows that were held back. */
static void
insert_held(VecIdxBuild *build, const bool *held, const uint8 *filters)
{
	const VecIdxTruth *truth = build->plan.truth;
	VecIdxInserter *inserter = vecidx_inserter_create(build->handle, false);

	vecidx_build_report(build, VECIDX_PHASE_INSERT);
	for (int i = 0; i < truth->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!held[i])
			continue;
		vecidx_handle_refresh(build->handle);
		vecidx_inserter_add(inserter, truth->rows + (Size) i * truth->dimensions,
							filters + (Size) i * build->fixed.filter_size, &truth->tids[i], false);
		build->rows++;
	}
	vecidx_inserter_free(inserter);
}

/* The metapage alone. */
static void
write_no_rows(VecIdxBuild *build)
{
	vecidx_build_fixed(build->index, vecidx_row_declared_dimensions(build->index), &build->fixed);
	vecidx_write_empty(build->index, MAIN_FORKNUM, &build->fixed, false);
	vecidx_build_open(build);
}

/* Makes an index of a table from which a sample was drawn. */
static void
build_from_rows(VecIdxBuild *build)
{
	bool		held[VECIDX_CALIBRATE_QUERIES];
	uint8	   *filters = palloc0((Size) VECIDX_CALIBRATE_QUERIES * VECIDX_FILTER_ROOM);

	vecidx_build_prepare(build);
	load_table(build);
	join_findings(build);
	memcpy(held, build->load.state->held, sizeof(held));
	memcpy(filters, build->plan.held_filters, (Size) build->shared->queries * build->fixed.filter_size);
	if (build->rows > 0)
	{
		vecidx_build_graph(build);
		vecidx_build_pages(build);
	}
	else
		write_no_rows(build);
	vecidx_load_free(&build->load);
	for (int i = 0; i < VECIDX_TEAM_PIECES; i++)
		vecidx_team_free(&build->team, i);
	if (build->plan.truth != NULL && build->rows > 0)
		vecidx_build_calibrate(build);
	vecidx_team_dismiss(&build->team);
	if (build->plan.truth != NULL)
		insert_held(build, held, filters);
}

IndexBuildResult *
vecidx_build(Relation heap, Relation index, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx build", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	VecIdxBuild *build = palloc0(sizeof(VecIdxBuild));

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
	check_definition(index);
	build->heap = heap;
	build->index = index;
	build->info = info;
	vecidx_phases_init(&build->phases, index, DEBUG1);
	build->plan.type = vecidx_row_type(index);
	sample_table(build, AllocSetContextCreate(context, "vecidx build row", ALLOCSET_DEFAULT_SIZES));
	if (build->sample.count > 0)
		build_from_rows(build);
	else
		write_no_rows(build);
	vecidx_build_report(build, VECIDX_PHASE_LOG);
	if (RelationNeedsWAL(index))
		log_newpage_range(index, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(index), true);
	vecidx_phases_next(&build->phases, NULL);
	result->heap_tuples = build->heap_rows;
	result->index_tuples = build->rows;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}

void
vecidx_build_empty(Relation index)
{
	VecIdxMetaFixed fixed;

	check_definition(index);
	vecidx_build_fixed(index, vecidx_row_declared_dimensions(index), &fixed);
	vecidx_write_empty(index, INIT_FORKNUM, &fixed, true);
}
