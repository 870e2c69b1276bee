/*
 * build.c
 *	  ambuild: a sample, then the table into an arena, then pages.
 *
 * The sample fixes what cannot change later: dimensions, centroid, bits of a
 * code.  Some of its rows become the queries that calibrate the finished
 * index.  When the arena has used up maintenance_work_mem it is written out,
 * and the rest of the table goes into the pages as inserts do.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"

#include "am/am.h"
#include "am/sample.h"
#include "am/write.h"
#include "graph/calibrate.h"
#include "options.h"
#include "page/meta.h"

#define PHASE_SAMPLE		2
#define PHASE_LOAD			3
#define PHASE_WRITE			4
#define PHASE_CALIBRATE		5

/* At most one row in so many is held back to calibrate with. */
#define HELD_SHARE			16

/* Seed of the rotation.  Part of the format only through the metapage, so it may change. */
#define ROTATION_SEED		UINT64CONST(0x9E3779B97F4A7C15)

typedef struct Build
{
	/* fixed */
	Relation	heap;
	Relation	index;
	IndexInfo  *info;
	const VecIdxType *type;
	MemoryContext row_context;	/* reset after each row */
	VecIdxMetaFixed fixed;
	float	   *centroid;
	VecIdxQuantizer *quantizer;

	/* changes */
	VecIdxTableSample sample;
	VecIdxTruth *truth;			/* NULL: nothing to calibrate */
	bool	   *held;			/* for each of its queries: a row that waits to be indexed */
	VecIdxArena *arena;			/* NULL: written out, or never begun */
	VecIdxHandle *handle;		/* once there are pages */
	VecIdxInserter *inserter;
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
		case PHASE_WRITE:
			return "writing pages";
		case PHASE_CALIBRATE:
			return "calibrating searches";
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

static double
sample_table(Build *build)
{
	VecIdxSampleSource source = {build->heap, build->index, build->info, build->type, build->row_context};
	double		heap_rows;

	report_phase(PHASE_SAMPLE);
	build->sample.dimensions = build->fixed.dimensions;
	heap_rows = vecidx_sample_table(&source, &build->sample);
	build->fixed.dimensions = build->sample.dimensions;
	return heap_rows;
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
	build->quantizer = vecidx_quantizer_init(palloc(vecidx_quantizer_size(&params)), &params, build->centroid);
}

/* Loading. */

/* Writes the arena to pages; rows that follow are inserted there. */
static void
flush_arena(Build *build)
{
	uint32	   *ids;

	report_phase(PHASE_WRITE);
	vecidx_arena_finish(build->arena);
	ids = vecidx_write_index(build->index, &build->fixed, build->centroid, build->arena,
							 build->truth != NULL ? build->truth->count : 0);
	if (build->truth != NULL)
		vecidx_truth_renumber(build->truth, ids);
	vecidx_arena_free(build->arena);
	build->arena = NULL;
	build->handle = vecidx_handle_acquire(build->index);
	vecidx_handle_release_with(build->handle, CurrentMemoryContext);
}

static uint32
place_row(Build *build, const float *row, ItemPointer tid)
{
	MemoryContext old;
	uint32		node = VECIDX_NONE;

	if (build->arena != NULL)
		node = vecidx_arena_add(build->arena, row, tid);
	if (node != VECIDX_NONE)
		return node;

	old = MemoryContextSwitchTo(GetMemoryChunkContext(build));
	if (build->arena != NULL)
	{
		ereport(DEBUG1,
				(errmsg("graph of index \"%s\" no longer fits into maintenance_work_mem after %.0f rows",
						RelationGetRelationName(build->index), build->rows),
				 errhint("Increase maintenance_work_mem to speed up the build.")));
		flush_arena(build);
		report_phase(PHASE_LOAD);
		build->inserter = vecidx_inserter_create(build->handle, false);
	}
	MemoryContextSwitchTo(old);
	vecidx_handle_refresh(build->handle);
	return vecidx_inserter_add(build->inserter, row, tid);
}

static void
load_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive pg_attribute_unused(), void *state)
{
	Build	   *build = state;
	MemoryContext old;
	int			dimensions;
	float	   *row;

	CHECK_FOR_INTERRUPTS();
	if (isnull[0])
		return;
	old = MemoryContextSwitchTo(build->row_context);
	row = vecidx_row_decode(index, &build->type->decoder, build->type->metric, values[0],
							build->fixed.dimensions, &dimensions);
	if (row != NULL)
	{
		int			query = build->truth != NULL ? vecidx_truth_find(build->truth, tid) : -1;

		/* there must be a graph to insert it into later */
		if (query >= 0 && (build->handle != NULL || vecidx_arena_nodes(build->arena) > 0))
			build->held[query] = true;
		else
		{
			uint32		node = place_row(build, row, tid);

			if (build->truth != NULL)
				vecidx_truth_note(build->truth, row, tid, node);
			if (query >= 0)
				build->truth->self[query] = node;
		}
		build->rows++;
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) build->rows);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->row_context);
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

	if (sample->seen < VECIDX_CALIBRATE_MIN_ROWS)
		return;
	build->held = palloc0(count * sizeof(bool));
	build->truth = vecidx_sample_queries(sample, build->type->metric, count);
}

static void
calibrate_index(Build *build)
{
	VecIdxMetaTuning tuning;

	report_phase(PHASE_CALIBRATE);
	vecidx_handle_refresh(build->handle);
	vecidx_calibrate(build->handle, build->truth, VECIDX_TUNED_BY_BUILD, &tuning);
	vecidx_meta_tune(build->handle, &tuning, false);
}

/* Indexes the rows that were held back. */
static void
insert_held(Build *build)
{
	const VecIdxTruth *truth = build->truth;

	report_phase(PHASE_LOAD);
	if (build->inserter == NULL)
		build->inserter = vecidx_inserter_create(build->handle, false);
	for (int i = 0; i < truth->count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(build->row_context);

		CHECK_FOR_INTERRUPTS();
		if (build->held[i])
		{
			vecidx_handle_refresh(build->handle);
			vecidx_inserter_add(build->inserter, truth->rows + (Size) i * truth->dimensions, &truth->tids[i]);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(build->row_context);
	}
}

static double
load_table(Build *build)
{
	VecIdxLayout layout;
	double		heap_rows;

	vecidx_layout_init(&layout, &build->fixed);
	build->arena = vecidx_arena_create(build->quantizer, &layout, build->fixed.m, build->fixed.ef_construction,
									   (Size) maintenance_work_mem * 1024);
	report_phase(PHASE_LOAD);
	heap_rows = table_index_build_scan(build->heap, build->index, build->info, true, true, load_row, build, NULL);
	if (build->arena != NULL && vecidx_arena_nodes(build->arena) > 0)
		flush_arena(build);
	return heap_rows;
}

/* No row that could be indexed: the metapage alone. */
static void
write_no_rows(Build *build)
{
	vecidx_build_fixed(build->index, vecidx_row_declared_dimensions(build->index), &build->fixed);
	vecidx_write_empty(build->index, MAIN_FORKNUM, &build->fixed, false);
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
	build->type = vecidx_row_type(index);
	build->row_context = AllocSetContextCreate(context, "vecidx build row", ALLOCSET_DEFAULT_SIZES);
	build->fixed.dimensions = vecidx_row_declared_dimensions(index);

	result->heap_tuples = sample_table(build);
	if (build->sample.count > 0)
	{
		vecidx_build_fixed(index, build->fixed.dimensions, &build->fixed);
		compute_centroid(build);
		choose_quantizer(build);
		prepare_truth(build);
		result->heap_tuples = load_table(build);
	}
	if (build->handle == NULL)
		write_no_rows(build);
	else if (build->truth != NULL)
	{
		calibrate_index(build);
		insert_held(build);
	}
	if (RelationNeedsWAL(index))
		log_newpage_range(index, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(index), true);
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
