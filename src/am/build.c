/*
 * build.c
 *	  ambuild: a sample, then the table into memory, then a graph, then pages.
 *
 * The sample fixes what cannot change later: dimensions, centroid, bits of a
 * code.  Some of its rows become the queries that calibrate the finished
 * index.  All processes of a team (team.h) read the table, encode its rows
 * (load.h) and make the graph (graph/weave.h): level 0 cell by cell, as many
 * cells as it takes to stay within maintenance_work_mem, then the levels
 * above.  The leader alone writes the pages.
 */
#include "postgres.h"

#include <math.h>

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
#include "am/cells.h"
#include "am/load.h"
#include "am/reconnect.h"
#include "am/sample.h"
#include "am/team.h"
#include "am/write.h"
#include "graph/calibrate.h"
#include "graph/levels.h"
#include "graph/order.h"
#include "graph/parts.h"
#include "options.h"
#include "page/filter.h"
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
#define PIECE_TIDS			0
#define PIECE_POINTS		1
#define PIECE_LISTS			2
#define PIECE_POOLS			3
#define PIECE_SHEET			4

/* Cells may have so many times more points than the sample makes believe. */
#define CELL_SLACK			1.15

/* Points of a cell at least, on average. */
#define CELL_POINTS			1000

/* kB for each process without which the planner grants no helper. */
#define PLANNED_MEMORY		32768

/* Steps of the team's work. */
typedef enum BuildStep
{
	STEP_LOAD,
	STEP_CELL,
	STEP_UPPER,
	STEP_ASSIGN,
	STEP_FILL,
	STEP_PRUNE,
	STEP_BACK,
	STEP_FINISH,
	STEP_TELL,
	STEP_END_LISTS,
	STEP_CALIBRATE
} BuildStep;

/* What the team shares; then the quantizer, the sketcher, and what the offsets tell. */
typedef struct Shared
{
	/* fixed once helpers start */
	Oid			heap;
	Oid			index;
	bool		concurrent;
	VecIdxMetaFixed fixed;
	int			queries;
	int			cells;
	Size		quantizer;		/* where that begins, from here; likewise: */
	Size		sketcher;
	Size		centres;
	Size		load;
	Size		query_rows;
	Size		query_tids;
	Size		query_filters;
	Size		notes;			/* one for each process, vecidx_truth_notes_size bytes */
	Size		scan;

	/* changes */
	bool		broken_chain;	/* see ii_BrokenHotChain */
	int			cell;			/* that is being made */
	uint32		points;			/* of it */
	VecIdxLevelPlan plan;
	int			level;			/* likewise */
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
	VecIdxLoad	load;
	VecIdxPoints points;
	VecIdxLevels levels;
	VecIdxHandle *handle;		/* once there are pages */
	VecIdxTrial *trial;			/* once queries are run */

	/* the leader's */
	VecIdxMetaFixed fixed;
	float	   *centroid;
	VecIdxTableSample sample;
	VecIdxRoll	roll;
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
	VecIdxFilterShape shape;

	vecidx_filter_shape(index, &shape);
	memset(fixed, 0, sizeof(VecIdxMetaFixed));
	fixed->filter_columns = shape.columns;
	fixed->filter_size = shape.size;
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
	VecIdxSketcher *sketcher = make_sketcher(build, vecidx_sketcher_width(build->fixed.dimensions));

	if (!vecidx_sketcher_suffices(sketcher))
	{
		int			width = 2 * sketcher->width;

		pfree(sketcher);
		sketcher = make_sketcher(build, width);
	}
	build->plan.sketcher = sketcher;
}

/* What follows from the fixed part and the index, in every process. */
static void
derive_plan(VecIdxLoadPlan *plan, const VecIdxMetaFixed *fixed, Relation index)
{
	VecIdxLayout layout;

	vecidx_filter_shape(index, &plan->shape);
	vecidx_layout_init(&layout, fixed);
	plan->m = fixed->m;
	plan->code_size = layout.run[VECIDX_RUN_CODE].size;
	plan->vector_size = MAXALIGN(vecidx_quant_rerank_size(vecidx_quantizer_params(plan->quantizer)));
}

/* Bytes of memory for a point while level 0 is made. */
static double
point_bytes(const Build *build)
{
	VecIdxLevelPlan level = {.m = build->fixed.m, .lowest = 0, .highest = 0};
	uint32		many = 65536;

	level.effort = vecidx_weave_effort(build->fixed.m, build->fixed.ef_construction);
	level.nodes[0] = many;
	return (double) (vecidx_points_size(build->plan.sketcher->width, many) + vecidx_levels_list_size(&level) +
					 vecidx_levels_pool_size(&level)) / many;
}

/* Bytes for a row all the time: its place in the roll. */
#define ROLL_BYTES	(3 * sizeof(uint32) + sizeof(ItemPointerData))

/* Bytes for a row once level 0 is done: that, and its part of the levels above. */
static double
row_bytes(const Build *build)
{
	return ROLL_BYTES + point_bytes(build) / (build->fixed.m - 1);
}

/* The sample's sketches. */
static int8 *
sketch_sample(const Build *build)
{
	const VecIdxTableSample *sample = &build->sample;
	int			width = build->plan.sketcher->width;
	float	   *products = palloc_extended((Size) sample->count * width * sizeof(float), MCXT_ALLOC_HUGE);
	int8	   *sketches = palloc_extended((Size) sample->count * width, MCXT_ALLOC_HUGE);
	VecIdxSketchKey *keys = palloc(sample->count * sizeof(VecIdxSketchKey));

	vecidx_sketch_rows(build->plan.sketcher, sample->rows, sample->count, products, sketches, keys);
	pfree(products);
	pfree(keys);
	return sketches;
}

/* As few cells as leave none, by the sample, with more than "points" points; one more at a time, then many. */
static void
choose_cells(Build *build, const int8 *sketches, double rows, double points)
{
	int			count = build->sample.count;
	VecIdxCells cells = {.width = build->plan.sketcher->width};
	int			most = Max(1, (int) Min(Min(rows / CELL_POINTS, VECIDX_CELLS), count / 2));
	int8	   *centres = palloc((Size) most * cells.width);

	cells.count = rows <= points ? 1 : Min((int) ceil(rows / points) + 1, most);
	for (;;)
	{
		vecidx_cells_choose(sketches, count, &cells, centres);
		if (cells.count == 1 || cells.count == most ||
			vecidx_cells_largest(sketches, count, &cells) * rows * CELL_SLACK <= points)
			break;
		cells.count = Min(cells.count + 1 + cells.count / 8, most);
	}
	build->plan.cells = cells.count;
	build->plan.centres = centres;
}

/* How many cells it takes to stay within maintenance_work_mem, and where they are. */
static void
cut_space(Build *build)
{
	double		memory = maintenance_work_mem * 1024.0;
	double		rows = Max(build->sample.total, build->sample.count);
	double		needed = rows * (point_bytes(build) + ROLL_BYTES);
	double		points = Max(memory - rows * ROLL_BYTES, memory / 4) / point_bytes(build);
	int8	   *sketches = sketch_sample(build);

	choose_cells(build, sketches, rows, needed <= memory ? rows : points);
	pfree(sketches);
	if (build->plan.cells > 1)
		ereport(DEBUG1,
				(errmsg("building index \"%s\" in %d parts", RelationGetRelationName(build->index), build->plan.cells),
				 errdetail("All at once would take about %.0f MB.", needed / (1024 * 1024)),
				 errhint("Increase maintenance_work_mem to speed up the build.")));
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
 * they are many, a table of any size counts.  It wants so much memory for each
 * process, but here they share what one alone would have.
 */
static int
plan_helpers(const Build *build)
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
	shared->cells = build->plan.cells;
	shared->centres = at;
	at += MAXALIGN((Size) build->plan.cells * build->plan.sketcher->width);
	shared->load = at;
	at += MAXALIGN(vecidx_load_state_size(build->plan.cells, processes));
	shared->query_rows = at;
	at += MAXALIGN((Size) shared->queries * build->fixed.dimensions * sizeof(float));
	shared->query_tids = at;
	at += MAXALIGN(shared->queries * sizeof(ItemPointerData));
	shared->query_filters = at;
	at += MAXALIGN((Size) shared->queries * build->fixed.filter_size);
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
	memcpy(shared_part(shared, shared->centres), build->plan.centres,
		   (Size) shared->cells * build->plan.sketcher->width);
	pg_atomic_init_u64(&((VecIdxLoadState *) shared_part(shared, shared->load))->rows, 0);
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
	vecidx_load_table(&build->load, build->heap, build->index, build->info, scan);
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
	void	   *lists = vecidx_team_piece(&build->team, PIECE_LISTS);
	void	   *pools = vecidx_team_piece(&build->team, PIECE_POOLS);

	if (points != NULL)
		vecidx_points_map(&build->points, build->plan.sketcher->width, shared->points, points);
	build->points.weight = build->plan.sketcher->weight;
	if (lists != NULL)
		vecidx_levels_map(&build->levels, &shared->plan, &build->points, shared->locks, lists, pools);
}

static void
put_list(void *state, const VecIdxWoven *woven)
{
	Build	   *build = state;

	vecidx_load_put_list(&build->load, &build->points, woven);
}

static void
open_handle(Build *build)
{
	build->handle = vecidx_handle_acquire(build->index);
	vecidx_handle_release_with(build->handle, CurrentMemoryContext);
}

/* Helpers learn the settled truth of the leader. */
static void
run_queries(Build *build)
{
	VecIdxSheet *sheet = vecidx_team_piece(&build->team, PIECE_SHEET);

	if (build->trial == NULL)
	{
		if (build->team.number > 0)
		{
			vecidx_truth_take_notes(build->plan.truth, shared_notes(build->shared, 0));
			open_handle(build);
		}
		build->trial = vecidx_trial_create(build->handle, build->plan.truth);
	}
	vecidx_trial_run(build->trial, sheet, &build->team.state->deal);
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
		case STEP_CELL:
			vecidx_load_cell(&build->load, build->shared->cell, &build->points,
							 vecidx_team_piece(&build->team, PIECE_TIDS), deal);
			break;
		case STEP_UPPER:
			vecidx_load_upper_points(&build->load, &build->points, deal);
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
		case STEP_TELL:
			vecidx_weave_tell(weave, deal, put_list, build);
			break;
		case STEP_END_LISTS:
			vecidx_load_finish_lists(&build->load);
			break;
		case STEP_CALIBRATE:
			run_queries(build);
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

	build->plan.type = vecidx_row_type(build->index);
	build->plan.quantizer = shared_part(shared, shared->quantizer);
	build->plan.sketcher = shared_part(shared, shared->sketcher);
	build->plan.cells = shared->cells;
	build->plan.centres = shared_part(shared, shared->centres);
	build->plan.held_filters = shared_part(shared, shared->query_filters);
	derive_plan(&build->plan, &shared->fixed, build->index);
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

	vecidx_team_join(&build->team, toc);
	build->shared = vecidx_team_shared(build->team.state);
	heap_lock = build->shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
	index_lock = build->shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
	build->heap = table_open(build->shared->heap, heap_lock);
	build->index = index_open(build->shared->index, index_lock);
	build->info = BuildIndexInfo(build->index);
	build->info->ii_Concurrent = build->shared->concurrent;
	see_plan(build);
	vecidx_load_init(&build->load, &build->plan, shared_part(build->shared, build->shared->load), &build->team);
	vecidx_team_help(&build->team, segment, do_step, build);
	vecidx_load_finish_lists(&build->load);
	vecidx_load_free(&build->load);
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
	build->plan.held_filters = shared_part(build->shared, build->shared->query_filters);
	vecidx_load_init(&build->load, &build->plan, shared_part(build->shared, build->shared->load), &build->team);
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
	const VecIdxLoadState *found = build->load.state;

	build->rows = vecidx_load_total(&build->load);
	build->heap_rows = 0;
	for (int i = 0; i < VECIDX_TEAM_MAX; i++)
		build->heap_rows += found->heap_rows[i];
	for (int i = 1; i <= build->team.helpers && build->plan.truth != NULL; i++)
	{
		if (found->loaded[i])
			vecidx_truth_join_notes(build->plan.truth, shared_notes(build->shared, i));
	}
}

/* Memory for a cell's points (or those on upper levels), and the points into it; finds twins and levels. */
static void
read_points(Build *build, uint64 count, BuildStep step)
{
	Shared	   *shared = build->shared;
	uint32	   *table;

	shared->points = (uint32) count;
	vecidx_team_allocate(&build->team, PIECE_POINTS, vecidx_points_size(build->plan.sketcher->width, shared->points));
	run_step(build, step);
	table = palloc_extended(vecidx_points_table(shared->points) * sizeof(uint32), MCXT_ALLOC_HUGE);
	vecidx_points_match(&build->points, table);
	pfree(table);
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
	vecidx_parts_rescue(&build->levels, level);
}

/* Memory for levels of the points that are there. */
static void
allocate_levels(Build *build, int lowest, int highest)
{
	VecIdxLevelPlan *plan = &build->shared->plan;

	vecidx_levels_count(plan, &build->points, lowest, highest);
	vecidx_team_allocate(&build->team, PIECE_LISTS, vecidx_levels_list_size(plan));
	vecidx_team_allocate(&build->team, PIECE_POOLS, vecidx_levels_pool_size(plan));
	map_memory(build);
}

/* The points that lead to parts of a level that fell apart; the caller frees them. */
static uint32 *
find_raised(Build *build, int level, uint32 home, uint32 *count)
{
	uint32		most = build->levels.level[level].count / 4 + 1;
	uint32	   *points = palloc_extended(most * sizeof(uint32), MCXT_ALLOC_HUGE);

	*count = vecidx_parts_find(&build->levels, level, home, most, points);
	return points;
}

/* Levels above the lowest, of the points that are in memory; what falls apart is raised. */
static void
make_uppers(Build *build)
{
	VecIdxLevelPlan *plan = &build->shared->plan;

	read_points(build, vecidx_load_uppers(&build->load), STEP_UPPER);
	allocate_levels(build, 1, VECIDX_MAX_LEVEL);
	for (int level = plan->lowest; level <= plan->highest; level++)
	{
		uint32		count;
		uint32	   *raised;

		make_level(build, level);
		raised = find_raised(build, level, build->points.count, &count);
		for (uint32 i = 0; i < count && vecidx_levels_raise(plan, &build->points, raised[i]); i++)
			CHECK_FOR_INTERRUPTS();
		pfree(raised);
		map_memory(build);
	}
	vecidx_team_free(&build->team, PIECE_POOLS);
}

/* Level 0 of a cell: its lists into files, its nodes into the roll. */
static void
make_cell(Build *build, int cell)
{
	uint32		home = (uint32) vecidx_load_home(&build->load, cell);
	uint64		guests = vecidx_load_guests(&build->load, cell);
	VecIdxLayout layout;
	uint32	   *order;
	uint32	   *raised;
	uint32		nodes;
	uint32		count;

	if (home == 0)
	{
		build->roll.ends[cell] = build->roll.nodes;
		return;
	}
	build->shared->cell = cell;
	read_points(build, home + guests, STEP_CELL);
	allocate_levels(build, 0, 0);
	make_level(build, 0);
	vecidx_team_free(&build->team, PIECE_POOLS);
	run_step(build, STEP_TELL);
	raised = find_raised(build, 0, home, &count);
	for (uint32 i = 0; i < count; i++)
		vecidx_load_raise(&build->load, &build->points, raised[i]);
	pfree(raised);
	vecidx_layout_init(&layout, &build->fixed);
	order = vecidx_order_nodes(&build->levels, home, layout.run[VECIDX_RUN_CODE].per_page, &nodes);
	vecidx_roll_enter(&build->roll, cell, &build->points, order, nodes);
	pfree(order);
	vecidx_team_free(&build->team, PIECE_LISTS);
	vecidx_team_free(&build->team, PIECE_POINTS);
}

static void
make_graph(Build *build)
{
	uint64		rows = vecidx_load_total(&build->load);
	ItemPointerData *tids;

	if (rows > VECIDX_NONE / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" cannot be built for %.0f rows",
						RelationGetRelationName(build->index), (double) rows)));
	tids = vecidx_team_allocate(&build->team, PIECE_TIDS, rows * sizeof(ItemPointerData));
	vecidx_roll_init(&build->roll, (uint32) rows, build->plan.cells, tids);
	for (int cell = 0; cell < build->plan.cells; cell++)
		make_cell(build, cell);
	vecidx_spool_finish(&build->load.spools[VECIDX_LOAD_RAISED][0]);
	make_uppers(build);
	run_step(build, STEP_END_LISTS);
}

/* What the roll, the levels above and the lists of a cell (of all rows, at worst) leave of maintenance_work_mem. */
static Size
writing_memory(const Build *build)
{
	double		list = sizeof(uint32) + build->load.room * (sizeof(uint32) + sizeof(float));
	double		left = maintenance_work_mem * 1024.0 - build->roll.rows * (row_bytes(build) + list / build->plan.cells);

	return left > 0 ? (Size) left : 0;
}

static void
write_graph(Build *build)
{
	VecIdxTruth *truth = build->plan.truth;
	VecIdxWritePlan plan;

	report_phase(PHASE_WRITE);
	plan.index = build->index;
	plan.centroid = build->centroid;
	plan.load = &build->load;
	plan.roll = &build->roll;
	plan.levels = &build->levels;
	plan.reserve = truth != NULL ? truth->count : 0;
	plan.memory = writing_memory(build);
	vecidx_write_index(&plan, &build->fixed);
	for (uint32 row = 0; row < build->roll.rows && truth != NULL; row++)
	{
		CHECK_FOR_INTERRUPTS();
		vecidx_truth_resolve(truth, &build->roll.tids[row], build->roll.ids[row]);
	}
	vecidx_roll_free(&build->roll);
	open_handle(build);
	vecidx_reconnect(build->handle);
}

/* For vecidx_calibrate. */
static void
ask_team(void *state)
{
	run_step(state, STEP_CALIBRATE);
}

static void
calibrate_index(Build *build)
{
	VecIdxTruth *truth = build->plan.truth;
	VecIdxAsking asking = {.run = ask_team,.state = build};
	VecIdxMetaTuning tuning;

	report_phase(PHASE_CALIBRATE);
	vecidx_handle_refresh(build->handle);
	vecidx_truth_settle(truth);
	vecidx_truth_store_notes(truth, shared_notes(build->shared, 0));
	asking.sheet = vecidx_team_allocate(&build->team, PIECE_SHEET, vecidx_sheet_size(truth->count));
	vecidx_calibrate(build->handle, truth, &asking, VECIDX_TUNED_BY_BUILD, &tuning);
	vecidx_team_free(&build->team, PIECE_SHEET);
	vecidx_meta_tune(build->handle, &tuning, false);
}

/* Indexes the rows that were held back. */
static void
insert_held(Build *build, const bool *held, const uint8 *filters)
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
		vecidx_inserter_add(inserter, truth->rows + (Size) i * truth->dimensions,
							filters + (Size) i * build->fixed.filter_size, &truth->tids[i]);
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
	open_handle(build);
}

/* Makes an index of a table from which a sample was drawn. */
static void
build_from_rows(Build *build)
{
	bool		held[VECIDX_CALIBRATE_QUERIES];
	uint8	   *filters = palloc0((Size) VECIDX_CALIBRATE_QUERIES * VECIDX_FILTER_ROOM);

	vecidx_build_fixed(build->index, build->sample.dimensions, &build->fixed);
	compute_centroid(build);
	choose_quantizer(build);
	choose_sketcher(build);
	derive_plan(&build->plan, &build->fixed, build->index);
	cut_space(build);
	prepare_truth(build);
	load_table(build);
	join_findings(build);
	memcpy(held, build->load.state->held, sizeof(held));
	memcpy(filters, build->plan.held_filters, (Size) build->shared->queries * build->fixed.filter_size);
	if (build->rows > 0)
	{
		make_graph(build);
		write_graph(build);
	}
	else
		write_no_rows(build);
	vecidx_load_free(&build->load);
	for (int i = 0; i < VECIDX_TEAM_PIECES; i++)
		vecidx_team_free(&build->team, i);
	if (build->plan.truth != NULL && build->rows > 0)
		calibrate_index(build);
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
	Build	   *build = palloc0(sizeof(Build));

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
	check_definition(index);
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

	check_definition(index);
	vecidx_build_fixed(index, vecidx_row_declared_dimensions(index), &fixed);
	vecidx_write_empty(index, INIT_FORKNUM, &fixed, true);
}
