/*
 * prepare.c
 *	  What a build decides before it reads the rows, by a sample of them.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "am/build.h"
#include "am/cells.h"
#include "options.h"
#include "page/filter.h"

/* At most one row in so many is held back to calibrate with. */
#define HELD_SHARE			16

/* Seed of the rotation.  Part of the format only through the metapage, so it may change. */
#define ROTATION_SEED		UINT64CONST(0x9E3779B97F4A7C15)

/* Cells may have so many times more points than the sample makes believe. */
#define CELL_SLACK			1.15

/* Points of a cell at least, on average. */
#define CELL_POINTS			1000

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

static void
compute_centroid(VecIdxBuild *build)
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
choose_quantizer(VecIdxBuild *build)
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
make_sketcher(const VecIdxBuild *build, int width)
{
	const VecIdxTableSample *sample = &build->sample;
	void	   *scratch = palloc_extended(vecidx_sketcher_scratch(sample->dimensions, width, sample->count), MCXT_ALLOC_HUGE);
	VecIdxSketcher *sketcher = palloc_extended(vecidx_sketcher_size(sample->dimensions, width), MCXT_ALLOC_HUGE);

	vecidx_sketcher_init(sketcher, build->plan.type->metric, sample->dimensions, width, sample->rows, sample->count, scratch);
	pfree(scratch);
	return sketcher;
}

static void
choose_sketcher(VecIdxBuild *build)
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

void
vecidx_build_derive(VecIdxLoadPlan *plan, const VecIdxMetaFixed *fixed, Relation index)
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
point_bytes(const VecIdxBuild *build)
{
	VecIdxLevelPlan level = {.m = build->fixed.m, .lowest = 0, .highest = 0};
	uint32		many = 65536;

	level.effort = vecidx_weave_effort(build->fixed.m, build->fixed.ef_construction);
	level.nodes[0] = many;
	return (double) (vecidx_points_size(build->plan.sketcher->width, many) + vecidx_levels_list_size(&level) +
					 vecidx_levels_pool_size(&level)) / many;
}

/* The sample's sketches. */
static int8 *
sketch_sample(const VecIdxBuild *build)
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
choose_cells(VecIdxBuild *build, const int8 *sketches, double rows, double points)
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
cut_space(VecIdxBuild *build)
{
	double		memory = maintenance_work_mem * 1024.0;
	double		rows = Max(build->sample.total, build->sample.count);
	double		needed = rows * (point_bytes(build) + VECIDX_ROLL_BYTES);
	double		points = Max(memory - rows * VECIDX_ROLL_BYTES, memory / 4) / point_bytes(build);
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
prepare_truth(VecIdxBuild *build)
{
	const VecIdxTableSample *sample = &build->sample;
	int			count = Min(Min(VECIDX_CALIBRATE_QUERIES, sample->count), (int) (sample->total / HELD_SHARE));

	if (sample->seen >= VECIDX_CALIBRATE_MIN_ROWS)
		build->plan.truth = vecidx_sample_queries(sample, build->plan.type->metric, count);
}

void
vecidx_build_prepare(VecIdxBuild *build)
{
	vecidx_build_fixed(build->index, build->sample.dimensions, &build->fixed);
	compute_centroid(build);
	choose_quantizer(build);
	choose_sketcher(build);
	vecidx_build_derive(&build->plan, &build->fixed, build->index);
	cut_space(build);
	prepare_truth(build);
}
