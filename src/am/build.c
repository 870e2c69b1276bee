/*
 * build.c
 *	  ambuild: a sample, then the table into memory, then a graph, then pages.
 *
 * The sample fixes what cannot change later: dimensions, centroid, bits of a
 * code.  Some of its rows become the queries that calibrate the finished
 * index.  All processes of a team (team.h) read the table, encode its rows
 * (load.h) and make the graph level by level (graph/weave.h); the leader alone
 * writes the pages.
 */
#include "postgres.h"
#include <sys/resource.h>

#include "access/table.h"
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

#include "am/am.h"
#include "am/load.h"
#include "am/sample.h"
#include "am/team.h"
#include "am/write.h"
#include "graph/calibrate.h"
#include "graph/levels.h"
#include "options.h"
#include "page/meta.h"

#define PHASE_SAMPLE		2
#define PHASE_LOAD			3
#define PHASE_PARTITION		4
#define PHASE_LINK			5
#define PHASE_WRITE			6
#define PHASE_CALIBRATE		7
#define PHASE_INSERT		8
#define PHASE_LOG			9

/* At most one row in so many is held back to calibrate with. */
#define HELD_SHARE			16

/* Bytes of rows for which a helper is worth its start. */
#define HELPER_PAYS			(4.0 * 1024 * 1024)

/* Seed of the rotation.  Part of the format only through the metapage, so it may change. */
#define ROTATION_SEED		UINT64CONST(0x9E3779B97F4A7C15)

/* Pieces of the team's memory. */
#define PIECE_POINTS		0
#define PIECE_HASHES		1
#define PIECE_GROUND		2
#define PIECE_LOFT			3

/* Steps of the team's work. */
typedef enum BuildStep
{
	STEP_LOAD,
	STEP_READ,
	STEP_ASSIGN,
	STEP_FILL,
	STEP_PRUNE,
	STEP_BACK,
	STEP_FINISH
} BuildStep;

/* What the team shares; then the quantizer, the sketcher, the queries, notes of each process, the scan. */
typedef struct Shared
{
	/* fixed once helpers start */
	Oid			heap;
	Oid			index;
	bool		concurrent;
	VecIdxMetaFixed fixed;
	int			queries;
	Size		quantizer;		/* where that begins, from here; likewise: */
	Size		sketcher;
	Size		query_rows;
	Size		query_tids;
	Size		notes;			/* one for each process, vecidx_truth_notes_size bytes */
	Size		scan;

	/* changes */
	VecIdxLoadCounts counts;
	bool		broken_chain;	/* see ii_BrokenHotChain */
	uint32		points;
	VecIdxLevelPlan plan;
	int			level;			/* that is being made */
	slock_t		locks[VECIDX_POOL_LOCKS];
} Shared;

/* A process's view of the build. */
typedef struct Build
{
	/* fixed */
	Relation	heap;
	Relation	index;
	IndexInfo  *info;
	VecIdxLoadPlan plan;
	VecIdxTeam	team;
	Shared	   *shared;

	/* changes */
	VecIdxLoad *load;
	VecIdxPoints points;
	VecIdxLevels levels;

	/* the leader's */
	VecIdxMetaFixed fixed;
	float	   *centroid;
	VecIdxTableSample sample;
	VecIdxHandle *handle;		/* once there are pages */
	double		heap_rows;
	double		rows;			/* indexed */
} Build;

char *
vecidx_build_phase(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case PHASE_SAMPLE:
			return "sampling table";
		case PHASE_LOAD:
			return "loading tuples";
		case PHASE_PARTITION:
			return "finding near tuples";
		case PHASE_LINK:
			return "linking near tuples";
		case PHASE_WRITE:
			return "writing pages";
		case PHASE_CALIBRATE:
			return "calibrating searches";
		case PHASE_INSERT:
			return "inserting held tuples";
		case PHASE_LOG:
			return "writing WAL";
		default:
			return NULL;
	}
}

static void
report_phase(int phase)
{
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase);
	{struct rusage r; getrusage(RUSAGE_SELF,&r); elog(LOG,"TEMP phase %d cpu %.2f", phase, r.ru_utime.tv_sec+r.ru_utime.tv_usec/1e6+r.ru_stime.tv_sec+r.ru_stime.tv_usec/1e6);}
}

/* Parameters. */

static VecIdxRerank
choose_rerank(VecIdxMetric metric, int option, int dimensions)
{
	if (metric == VECIDX_HAMMING)
		return VECIDX_RERANK_NONE;
	if (option != VECIDX_RERANK_AUTO)
		return (VecIdxRerank) option;
	return dimensions <= 96 ? VECIDX_RERANK_FLOAT : VECIDX_RERANK_SQ8;
}

static void
take_evidence(VecIdxMetaFixed *fixed, const VecIdxEvidence *evidence)
{
	fixed->bits = evidence->bits;
	fixed->bits_chosen = 1;
	fixed->sampled = evidence->sampled;
	fixed->contrast = evidence->contrast;
	memcpy(fixed->noise, evidence->noise, sizeof(fixed->noise));
}

/* Fills in all that can be known without rows; the bits are chosen by the dimensions alone. */
void
vecidx_build_fixed(Relation index, int dimensions, VecIdxMetaFixed *fixed)
{
	VecIdxOptions options = vecidx_options_of(index);
	const VecIdxType *type = vecidx_row_type(index);

	memset(fixed, 0, sizeof(VecIdxMetaFixed));
	fixed->metric = type->metric;
	fixed->m = options.m;
	fixed->ef_construction = options.ef_construction;
	fixed->growth = VECIDX_MIN_GROWTH;
	fixed->seed = ROTATION_SEED;
	if (!pg_strong_random(&fixed->build, sizeof(fixed->build)))
		elog(ERROR, "could not generate random build number");
	fixed->dimensions = dimensions;
	fixed->rerank = choose_rerank(type->metric, options.rerank, dimensions);
	fixed->bits = options.quantizer;
	if (type->metric == VECIDX_HAMMING)
		fixed->bits = 1;
	else if (dimensions > 0 && options.quantizer == VECIDX_QUANTIZER_AUTO)
	{
		VecIdxSample nothing = {type->metric, dimensions, NULL, 0, 0, NULL};
		VecIdxEvidence evidence;

		vecidx_quant_choose(&nothing, &evidence);
		take_evidence(fixed, &evidence);
	}
}

/* A slot of adjacency or upper links must fit a page whatever m is; the others may span. */
static void
check_options(Relation index)
{
	VecIdxOptions options = vecidx_options_of(index);

	if (options.ef_construction < options.m)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ef_construction (%d) of index \"%s\" must not be less than m (%d)",
						options.ef_construction, RelationGetRelationName(index), options.m)));
}

/* Sampling. */

static void
sample_table(Build *build, MemoryContext row_context)
{
	VecIdxSampleSource source = {build->heap, build->index, build->info, build->plan.type, row_context};

	report_phase(PHASE_SAMPLE);
	build->sample.dimensions = vecidx_row_declared_dimensions(build->index);
	build->heap_rows = vecidx_sample_table(&source, &build->sample);
}

static void
compute_centroid(Build *build)
{
	const VecIdxTableSample *sample = &build->sample;
	int			dimensions = build->fixed.dimensions;
	double	   *sum = palloc0(dimensions * sizeof(double));

	build->centroid = palloc0(dimensions * sizeof(float));
	for (int i = 0; i < sample->count; i++)
	{
		for (int j = 0; j < dimensions; j++)
			sum[j] += sample->rows[(Size) i * dimensions + j];
	}
	for (int j = 0; j < dimensions; j++)
		build->centroid[j] = (float) (sum[j] / sample->count);
	pfree(sum);
}

static void
choose_quantizer(Build *build)
{
	const VecIdxTableSample *sample = &build->sample;
	VecIdxMetaFixed *fixed = &build->fixed;
	VecIdxQuantParams params;

	if (vecidx_options_of(build->index).quantizer == VECIDX_QUANTIZER_AUTO && fixed->metric != VECIDX_HAMMING)
	{
		VecIdxSample rows = {fixed->metric, fixed->dimensions, sample->rows, sample->count, sample->total, build->centroid};
		VecIdxEvidence evidence;

		vecidx_quant_choose(&rows, &evidence);
		take_evidence(fixed, &evidence);
	}
	params = vecidx_layout_quant(fixed);
	build->plan.quantizer = vecidx_quantizer_init(palloc(vecidx_quantizer_size(&params)), &params, build->centroid);
}

static VecIdxSketcher *
make_sketcher(const Build *build, int width)
{
	const VecIdxTableSample *sample = &build->sample;
	void	   *scratch = palloc_extended(vecidx_sketcher_scratch(sample->dimensions, width, sample->count), MCXT_ALLOC_HUGE);
	VecIdxSketcher *sketcher = palloc_extended(vecidx_sketcher_size(sample->dimensions, width), MCXT_ALLOC_HUGE);

	vecidx_sketcher_init(sketcher, build->plan.type->metric, sample->dimensions, width, sample->rows, sample->count, scratch);
	pfree(scratch);
	return sketcher;
}

static void
choose_sketcher(Build *build)
{
	VecIdxLayout layout;
	VecIdxSketcher *sketcher = make_sketcher(build, vecidx_sketcher_width(build->fixed.dimensions));

	if (!vecidx_sketcher_suffices(sketcher))
	{
		int			width = 2 * sketcher->width;

		pfree(sketcher);
		sketcher = make_sketcher(build, width);
	}
	build->plan.sketcher = sketcher;
	vecidx_layout_init(&layout, &build->fixed);
	build->plan.shape = vecidx_points_shape(build->plan.quantizer, &layout, sketcher->width);
}

/*
 * Queries are rows of the sample, evenly spread over it.  They are held back
 * until the index has been calibrated: a query is something that the graph
 * does not know.  (With their own nodes in the graph, but hidden from
 * the search, recall of new queries came out up to 0.035 above what was aimed
 * at, more or less so from table to table.)
 */
static void
prepare_truth(Build *build)
{
	const VecIdxTableSample *sample = &build->sample;
	int			count = Min(Min(VECIDX_CALIBRATE_QUERIES, sample->count), (int) (sample->total / HELD_SHARE));

	if (sample->seen >= VECIDX_CALIBRATE_MIN_ROWS)
		build->plan.truth = vecidx_sample_queries(sample, build->plan.type->metric, count);
}

/* The team. */

static void *
shared_part(Shared *shared, Size at)
{
	return (char *) shared + at;
}

static void *
shared_notes(Shared *shared, int number)
{
	return shared_part(shared, shared->notes + number * MAXALIGN(vecidx_truth_notes_size(shared->queries)));
}

/*
 * Helpers that the planner grants.  It goes by the table's pages, but what
 * there is to do goes by the vectors, which often lie in a TOAST table: where
 * they are many, a table of any size counts.
 */
static int
plan_helpers(const Build *build)
{
	double		bytes = build->sample.total * build->fixed.dimensions * sizeof(float);
	int			least = min_parallel_table_scan_size;
	int			helpers;

	if (max_parallel_maintenance_workers == 0 || IsInParallelMode())
		return 0;
	PG_TRY();
	{
		if (bytes >= HELPER_PAYS)
			min_parallel_table_scan_size = 0;
		helpers = plan_create_index_workers(RelationGetRelid(build->heap), RelationGetRelid(build->index));
	}
	PG_FINALLY();
	{
		min_parallel_table_scan_size = least;
	}
	PG_END_TRY();
	return Min(helpers, VECIDX_TEAM_MAX - 1);
}

/* Where the parts of the shared memory lie; returns its size. */
static Size
lay_shared(Build *build, Shared *shared, int processes, Snapshot snapshot)
{
	const VecIdxTruth *truth = build->plan.truth;
	VecIdxQuantParams params = vecidx_layout_quant(&build->fixed);
	Size		at = MAXALIGN(sizeof(Shared));

	shared->queries = truth != NULL ? truth->count : 0;
	shared->quantizer = at;
	at += MAXALIGN(vecidx_quantizer_size(&params));
	shared->sketcher = at;
	at += MAXALIGN(vecidx_sketcher_size(build->fixed.dimensions, build->plan.sketcher->width));
	shared->query_rows = at;
	at += MAXALIGN((Size) shared->queries * build->fixed.dimensions * sizeof(float));
	shared->query_tids = at;
	at += MAXALIGN(shared->queries * sizeof(ItemPointerData));
	shared->notes = at;
	at += processes * MAXALIGN(vecidx_truth_notes_size(shared->queries));
	shared->scan = at;
	return at + table_parallelscan_estimate(build->heap, snapshot);
}

static void
fill_shared(Build *build, Snapshot snapshot)
{
	Shared	   *shared = build->shared;
	const VecIdxTruth *truth = build->plan.truth;
	VecIdxQuantParams params = vecidx_layout_quant(&build->fixed);

	shared->heap = RelationGetRelid(build->heap);
	shared->index = RelationGetRelid(build->index);
	shared->concurrent = build->info->ii_Concurrent;
	shared->fixed = build->fixed;
	shared->plan.m = build->fixed.m;
	shared->plan.effort = vecidx_weave_effort(build->fixed.m, build->fixed.ef_construction);
	memcpy(shared_part(shared, shared->quantizer), build->plan.quantizer, vecidx_quantizer_size(&params));
	memcpy(shared_part(shared, shared->sketcher), build->plan.sketcher,
		   vecidx_sketcher_size(build->fixed.dimensions, build->plan.sketcher->width));
	if (truth != NULL)
	{
		memcpy(shared_part(shared, shared->query_rows), truth->rows,
			   (Size) truth->count * truth->dimensions * sizeof(float));
		memcpy(shared_part(shared, shared->query_tids), truth->tids, truth->count * sizeof(ItemPointerData));
	}
	pg_atomic_init_u64(&shared->counts.rows, 0);
	for (int i = 0; i < VECIDX_POOL_LOCKS; i++)
		SpinLockInit(&shared->locks[i]);
	table_parallelscan_initialize(build->heap, shared_part(shared, shared->scan), snapshot);
}

static void
load_share(Build *build)
{
	Shared	   *shared = build->shared;
	bool		shares = build->team.parallel != NULL || build->team.number > 0;
	TableScanDesc scan = NULL;

	if (shares)
		scan = table_beginscan_parallel(build->heap, shared_part(shared, shared->scan));
	vecidx_load_table(build->load, build->heap, build->index, build->info, scan);
	if (build->info->ii_BrokenHotChain)
		shared->broken_chain = true;
	if (build->team.number > 0 && build->plan.truth != NULL)
		vecidx_truth_store_notes(build->plan.truth, shared_notes(shared, build->team.number));
}

/* Brings this process's view of points and levels up to what there is. */
static void
map_memory(Build *build)
{
	Shared	   *shared = build->shared;
	void	   *points = vecidx_team_piece(&build->team, PIECE_POINTS);
	void	   *ground = vecidx_team_piece(&build->team, PIECE_GROUND);
	void	   *loft = vecidx_team_piece(&build->team, PIECE_LOFT);

	vecidx_points_map(&build->points, &build->plan.shape, shared->points, points);
	build->points.quantizer = build->plan.quantizer;
	build->points.weight = build->plan.sketcher->weight;
	if (ground != NULL)
		vecidx_levels_map(&build->levels, &shared->plan, &build->points, shared->locks, ground, loft);
}

/* Reads points, and tells equal ones by a number. */
static void
read_share(Build *build, VecIdxDeal *deal)
{
	uint64	   *hashes = vecidx_team_piece(&build->team, PIECE_HASHES);

	vecidx_load_points(build->load, &build->points, hashes, deal);
}

/* What every process does in a step. */
static void
do_step(void *self, int step)
{
	Build	   *build = self;
	VecIdxDeal *deal = &build->team.state->deal;
	VecIdxWeave *weave = &build->levels.level[build->shared->level];

	if (step != STEP_LOAD)
		map_memory(build);
	switch ((BuildStep) step)
	{
		case STEP_LOAD:
			load_share(build);
			break;
		case STEP_READ:
			read_share(build, deal);
			break;
		case STEP_ASSIGN:
			vecidx_weave_assign(weave, deal);
			break;
		case STEP_FILL:
			vecidx_weave_fill(weave, deal);
			break;
		case STEP_PRUNE:
			vecidx_weave_prune(weave, deal);
			break;
		case STEP_BACK:
			vecidx_weave_back(weave, deal);
			break;
		case STEP_FINISH:
			vecidx_weave_finish(weave, deal);
			break;
	}
}

static void
run_step(Build *build, BuildStep step)
{
	vecidx_team_run(&build->team, step, do_step, build);
}

/* A helper: knows of the build what is in the shared memory. */
PGDLLEXPORT void vecidx_build_help(dsm_segment *segment, shm_toc *toc);

static void
see_plan(Build *build)
{
	Shared	   *shared = build->shared;
	VecIdxLayout layout;

	build->plan.type = vecidx_row_type(build->index);
	build->plan.quantizer = shared_part(shared, shared->quantizer);
	build->plan.sketcher = shared_part(shared, shared->sketcher);
	vecidx_layout_init(&layout, &shared->fixed);
	build->plan.shape = vecidx_points_shape(build->plan.quantizer, &layout, build->plan.sketcher->width);
	if (shared->queries > 0)
	{
		const float *rows = shared_part(shared, shared->query_rows);
		const ItemPointerData *tids = shared_part(shared, shared->query_tids);
		Size		dimensions = shared->fixed.dimensions;

		build->plan.truth = vecidx_truth_create(build->plan.type->metric, dimensions, shared->queries);
		for (int i = 0; i < shared->queries; i++)
			vecidx_truth_query(build->plan.truth, i, rows + i * dimensions, &tids[i]);
	}
}

void
vecidx_build_help(dsm_segment *segment, shm_toc *toc)
{
	Build	   *build = palloc0(sizeof(Build));
	LOCKMODE	heap_lock;
	LOCKMODE	index_lock;

	build->team.state = vecidx_team_state(toc);
	build->shared = vecidx_team_shared(build->team.state);
	heap_lock = build->shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
	index_lock = build->shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
	build->heap = table_open(build->shared->heap, heap_lock);
	build->index = index_open(build->shared->index, index_lock);
	build->info = BuildIndexInfo(build->index);
	build->info->ii_Concurrent = build->shared->concurrent;
	see_plan(build);
	build->load = vecidx_load_create(&build->plan, &build->shared->counts, &build->team);
	vecidx_team_help(&build->team, segment, do_step, build);
	vecidx_load_free(build->load);
	index_close(build->index, index_lock);
	table_close(build->heap, heap_lock);
}

/* The leader's work. */

static void
load_table(Build *build)
{
	bool		shared_snapshot = build->info->ii_Concurrent;
	Snapshot	snapshot = shared_snapshot ? RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;
	int			helpers = plan_helpers(build);
	Shared		parts = {0};
	Size		size = lay_shared(build, &parts, helpers + 1, snapshot);

	report_phase(PHASE_LOAD);
	vecidx_team_create(&build->team, helpers, size);
	build->shared = vecidx_team_shared(build->team.state);
	*build->shared = parts;
	fill_shared(build, snapshot);
	build->load = vecidx_load_create(&build->plan, &build->shared->counts, &build->team);
	vecidx_team_launch(&build->team);
	run_step(build, STEP_LOAD);
	if (shared_snapshot)
		UnregisterSnapshot(snapshot);
	if (build->shared->broken_chain)
		build->info->ii_BrokenHotChain = true;
}

/* What the others found in the table, joined to what the leader found. */
static void
join_findings(Build *build)
{
	VecIdxLoadCounts *counts = &build->shared->counts;

	build->rows = vecidx_load_total(counts);
	build->heap_rows = 0;
	for (int i = 0; i < VECIDX_TEAM_MAX; i++)
		build->heap_rows += counts->heap_rows[i];
	for (int i = 1; i <= build->team.helpers && build->plan.truth != NULL; i++)
	{
		if (counts->loaded[i])
			vecidx_truth_join_notes(build->plan.truth, shared_notes(build->shared, i));
	}
}

/* The points into memory; each knows its level, and whose twin it is. */
static void
read_points(Build *build)
{
	Shared	   *shared = build->shared;
	uint32	   *table;

	if (build->rows > VECIDX_NONE / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" cannot be built for %.0f rows",
						RelationGetRelationName(build->index), build->rows)));
	shared->points = (uint32) build->rows;
	vecidx_team_allocate(&build->team, PIECE_POINTS, vecidx_points_size(&build->plan.shape, shared->points));
	vecidx_team_allocate(&build->team, PIECE_HASHES, (Size) shared->points * sizeof(uint64));
	run_step(build, STEP_READ);
	table = palloc_extended(vecidx_points_table(shared->points) * sizeof(uint32), MCXT_ALLOC_HUGE);
	vecidx_points_match(&build->points, vecidx_team_piece(&build->team, PIECE_HASHES), build->fixed.m, table);
	pfree(table);
	vecidx_team_free(&build->team, PIECE_HASHES);
}

static void
make_level(Build *build, int level)
{
	report_phase(PHASE_PARTITION);
	build->shared->level = level;
	vecidx_levels_enlist(&build->levels, level);
	run_step(build, STEP_ASSIGN);
	vecidx_weave_group(&build->levels.level[level]);
	run_step(build, STEP_FILL);
	report_phase(PHASE_LINK);
	run_step(build, STEP_PRUNE);
	run_step(build, STEP_BACK);
	run_step(build, STEP_FINISH);
}

static void
make_graph(Build *build)
{
	VecIdxLevelPlan *plan = &build->shared->plan;

	vecidx_levels_count(plan, &build->points);
	vecidx_team_allocate(&build->team, PIECE_GROUND, vecidx_levels_ground_size(plan, &build->points));
	vecidx_team_allocate(&build->team, PIECE_LOFT, vecidx_levels_loft_size(plan));
	map_memory(build);
	for (int level = 0; level <= build->levels.top; level++)
		make_level(build, level);
}

static void
write_graph(Build *build)
{
	VecIdxTruth *truth = build->plan.truth;
	const VecIdxPoints *points = &build->points;
	uint32	   *ids;

	report_phase(PHASE_WRITE);
	ids = vecidx_write_index(build->index, &build->fixed, build->centroid, &build->levels, truth != NULL ? truth->count : 0);
	for (uint32 point = 0; point < points->count && truth != NULL; point++)
		vecidx_truth_resolve(truth, &points->tids[point], ids[point]);
	pfree(ids);
	build->handle = vecidx_handle_acquire(build->index);
	vecidx_handle_release_with(build->handle, CurrentMemoryContext);
}

static void
calibrate_index(Build *build)
{
	VecIdxMetaTuning tuning;

	report_phase(PHASE_CALIBRATE);
	vecidx_handle_refresh(build->handle);
	vecidx_calibrate(build->handle, build->plan.truth, VECIDX_TUNED_BY_BUILD, &tuning);
	vecidx_meta_tune(build->handle, &tuning, false);
}

/* Indexes the rows that were held back. */
static void
insert_held(Build *build, const bool *held)
{
	const VecIdxTruth *truth = build->plan.truth;
	VecIdxInserter *inserter = vecidx_inserter_create(build->handle, false);

	report_phase(PHASE_INSERT);
	for (int i = 0; i < truth->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!held[i])
			continue;
		vecidx_handle_refresh(build->handle);
		vecidx_inserter_add(inserter, truth->rows + (Size) i * truth->dimensions, &truth->tids[i]);
		build->rows++;
	}
	vecidx_inserter_free(inserter);
}

/* The metapage alone. */
static void
write_no_rows(Build *build)
{
	vecidx_build_fixed(build->index, vecidx_row_declared_dimensions(build->index), &build->fixed);
	vecidx_write_empty(build->index, MAIN_FORKNUM, &build->fixed, false);
	build->handle = vecidx_handle_acquire(build->index);
	vecidx_handle_release_with(build->handle, CurrentMemoryContext);
}

/* Makes an index of a table from which a sample was drawn. */
static void
build_from_rows(Build *build)
{
	bool		held[VECIDX_CALIBRATE_QUERIES];

	vecidx_build_fixed(build->index, build->sample.dimensions, &build->fixed);
	compute_centroid(build);
	choose_quantizer(build);
	choose_sketcher(build);
	prepare_truth(build);
	load_table(build);
	join_findings(build);
	memcpy(held, build->shared->counts.held, sizeof(held));
	if (build->rows > 0)
	{
		read_points(build);
		make_graph(build);
	}
	vecidx_load_free(build->load);
	vecidx_team_dismiss(&build->team);
	if (build->rows > 0)
		write_graph(build);
	else
		write_no_rows(build);
	for (int i = 0; i < VECIDX_TEAM_PIECES; i++)
		vecidx_team_free(&build->team, i);
	if (build->plan.truth != NULL)
	{
		if (build->rows > 0)
			calibrate_index(build);
		insert_held(build, held);
	}
}

IndexBuildResult *
vecidx_build(Relation heap, Relation index, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx build", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Build	   *build = palloc0(sizeof(Build));

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
	check_options(index);
	build->heap = heap;
	build->index = index;
	build->info = info;
	build->plan.type = vecidx_row_type(index);
	sample_table(build, AllocSetContextCreate(context, "vecidx build row", ALLOCSET_DEFAULT_SIZES));
	if (build->sample.count > 0)
		build_from_rows(build);
	else
		write_no_rows(build);
	report_phase(PHASE_LOG);
	if (RelationNeedsWAL(index))
		log_newpage_range(index, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(index), true);
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

	check_options(index);
	vecidx_build_fixed(index, vecidx_row_declared_dimensions(index), &fixed);
	vecidx_write_empty(index, INIT_FORKNUM, &fixed, true);
}
