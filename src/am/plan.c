/*
 * plan.c
 *	  What a build decides before it reads the whole table, by a sample.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "am/load.h"
#include "am/plan.h"
#include "am/roll.h"
#include "graph/calibrate.h"
#include "graph/levels.h"
#include "page/layout.h"

/* Seed of the rotation.  Part of the format only through the metapage, so it may change. */
#define ROTATION_SEED		UINT64CONST(0x9E3779B97F4A7C15)

/* Cells may have so many times more points than the sample makes believe. */
#define CELL_SLACK			1.15

/* Points of a cell at least, on average. */
#define CELL_POINTS			1000

/* One row in so many is held back at most. */
#define HELD_SHARE			16

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

void
vecidx_plan_fixed(const VecIdxOptions *options, VecIdxMetric metric, const VecIdxFilterShape *shape,
				  int dimensions, VecIdxMetaFixed *fixed)
{
	memset(fixed, 0, sizeof(VecIdxMetaFixed));
	fixed->filter_columns = shape->columns;
	fixed->filter_size = shape->size;
	fixed->metric = metric;
	fixed->m = options->m;
	fixed->ef_construction = options->ef_construction;
	fixed->growth = VECIDX_MIN_GROWTH;
	fixed->seed = ROTATION_SEED;
	if (!pg_strong_random(&fixed->build, sizeof(fixed->build)))
		elog(ERROR, "could not generate random build number");
	fixed->dimensions = dimensions;
	fixed->rerank = choose_rerank(metric, options->rerank, dimensions);
	fixed->bits = options->quantizer;
	if (metric == VECIDX_HAMMING)
		fixed->bits = 1;
	else if (dimensions > 0 && options->quantizer == VECIDX_QUANTIZER_AUTO)
	{
		VecIdxSample nothing = {metric, dimensions, NULL, 0, 0, NULL};
		VecIdxEvidence evidence;

		vecidx_quant_choose(&nothing, &evidence);
		take_evidence(fixed, &evidence);
	}
}

int
vecidx_plan_queries(double rows)
{
	return (int) Min(VECIDX_CALIBRATE_QUERIES, rows / HELD_SHARE);
}

float *
vecidx_plan_centroid(const VecIdxTableSample *sample)
{
	int			dimensions = sample->dimensions;
	float	   *centroid = palloc0(dimensions * sizeof(float));
	double	   *sum = palloc0(dimensions * sizeof(double));

	for (int i = 0; i < sample->count; i++)
	{
		for (int j = 0; j < dimensions; j++)
			sum[j] += sample->rows[(Size) i * dimensions + j];
	}
	for (int j = 0; j < dimensions; j++)
		centroid[j] = (float) (sum[j] / sample->count);
	pfree(sum);
	return centroid;
}

void
vecidx_plan_bits(const VecIdxTableSample *sample, const float *centroid, VecIdxMetaFixed *fixed)
{
	VecIdxSample rows = {fixed->metric, fixed->dimensions, sample->rows, sample->count, sample->total, centroid};
	VecIdxEvidence evidence;

	if (fixed->metric == VECIDX_HAMMING)
		return;
	vecidx_quant_choose(&rows, &evidence);
	take_evidence(fixed, &evidence);
}

static VecIdxSketcher *
make_sketcher(const VecIdxTableSample *sample, VecIdxMetric metric, int width)
{
	void	   *scratch = palloc_extended(vecidx_sketcher_scratch(sample->dimensions, width, sample->count), MCXT_ALLOC_HUGE);
	VecIdxSketcher *sketcher = palloc_extended(vecidx_sketcher_size(sample->dimensions, width), MCXT_ALLOC_HUGE);

	vecidx_sketcher_init(sketcher, metric, sample->dimensions, width, sample->rows, sample->count, scratch);
	pfree(scratch);
	return sketcher;
}

VecIdxSketcher *
vecidx_plan_sketcher(const VecIdxTableSample *sample, VecIdxMetric metric)
{
	VecIdxSketcher *sketcher = make_sketcher(sample, metric, vecidx_sketcher_width(sample->dimensions));

	if (!vecidx_sketcher_suffices(sketcher))
	{
		int			width = 2 * sketcher->width;

		pfree(sketcher);
		sketcher = make_sketcher(sample, metric, width);
	}
	return sketcher;
}

int8 *
vecidx_plan_sketches(const VecIdxTableSample *sample, const VecIdxSketcher *sketcher, VecIdxSketchKey **keys)
{
	int			width = sketcher->width;
	float	   *products = palloc_extended((Size) sample->count * width * sizeof(float), MCXT_ALLOC_HUGE);
	int8	   *sketches = palloc_extended((Size) sample->count * width, MCXT_ALLOC_HUGE);
	VecIdxSketchKey *made = palloc(sample->count * sizeof(VecIdxSketchKey));

	vecidx_sketch_rows(sketcher, sample->rows, sample->count, products, sketches, made);
	pfree(products);
	if (keys != NULL)
		*keys = made;
	else
		pfree(made);
	return sketches;
}

/* Bytes of memory for a point while level 0 is made, with sketches of that width and lists up to a level. */
static double
point_bytes(const VecIdxMetaFixed *fixed, int width, int highest)
{
	VecIdxLevelPlan levels = {.m = fixed->m,.effort = vecidx_weave_effort(fixed->m, fixed->ef_construction)};
	uint32		many = 65536;

	vecidx_levels_expect(&levels, many, highest);
	return (double) (vecidx_points_size(width, many) + vecidx_levels_list_size(&levels) +
					 vecidx_levels_pool_size(&levels)) / many;
}

/* As few cells as leave none, by the sample, with more than "points" points; one more at a time, then many. */
static void
choose_cells(const int8 *sketches, int count, double rows, double points, VecIdxCells *cells)
{
	int			most = Max(1, (int) Min(Min(rows / CELL_POINTS, VECIDX_CELLS), count / 2));
	int8	   *centres = palloc((Size) most * cells->width);

	cells->count = rows <= points ? 1 : Min((int) ceil(rows / points) + 1, most);
	for (;;)
	{
		vecidx_cells_choose(sketches, count, cells, centres);
		if (cells->count == 1 || cells->count == most ||
			vecidx_cells_largest(sketches, count, cells) * rows * CELL_SLACK <= points)
			break;
		cells->count = Min(cells->count + 1 + cells->count / 8, most);
	}
	cells->centres = centres;
}

double
vecidx_plan_cells(const VecIdxTableSample *sample, const VecIdxSketcher *sketcher, const VecIdxMetaFixed *fixed,
				  VecIdxCells *cells)
{
	double		memory = maintenance_work_mem * 1024.0;
	double		rows = Max(sample->total, sample->count);
	double		needed = rows * (point_bytes(fixed, sketcher->width, VECIDX_MAX_LEVEL) + VECIDX_ROLL_BYTES);
	double		points = Max(memory - rows * VECIDX_ROLL_BYTES, memory / 4) / point_bytes(fixed, sketcher->width, 0);
	int8	   *sketches = vecidx_plan_sketches(sample, sketcher, NULL);

	cells->width = sketcher->width;
	choose_cells(sketches, sample->count, rows, needed <= memory ? rows : points, cells);
	pfree(sketches);
	return needed;
}
