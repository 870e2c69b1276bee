/*
 * prepare.c
 *	  What a build decides before it reads the rows, by a sample of them.
 */
#include "postgres.h"

#include "am/build.h"
#include "am/plan.h"
#include "options.h"
#include "page/filter.h"

/* Fills in all that can be known without rows; the bits are chosen by the dimensions alone. */
void
vecidx_build_fixed(Relation index, int dimensions, VecIdxMetaFixed *fixed)
{
	VecIdxOptions options = vecidx_options_of(index);
	VecIdxFilterShape shape;

	vecidx_filter_shape(index, &shape);
	vecidx_plan_fixed(&options, vecidx_row_type(index)->metric, &shape, dimensions, fixed);
}

static void
choose_quantizer(VecIdxBuild *build)
{
	VecIdxMetaFixed *fixed = &build->fixed;
	VecIdxQuantParams params;

	if (vecidx_options_of(build->index).quantizer == VECIDX_QUANTIZER_AUTO)
		vecidx_plan_bits(&build->sample, build->centroid, fixed);
	params = vecidx_layout_quant(fixed);
	build->plan.quantizer = vecidx_quantizer_init(palloc(vecidx_quantizer_size(&params)), &params, build->centroid);
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

/* How many cells it takes to stay within maintenance_work_mem, and where they are. */
static void
cut_space(VecIdxBuild *build)
{
	VecIdxCells cells;
	double		needed = vecidx_plan_cells(&build->sample, build->plan.sketcher, &build->fixed, &cells);

	build->plan.cells = cells.count;
	build->plan.centres = cells.centres;
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
	int			count = Min(vecidx_plan_queries(sample->total), sample->count);

	if (sample->seen >= VECIDX_CALIBRATE_MIN_ROWS)
		build->plan.truth = vecidx_sample_queries(sample, build->plan.type->metric, count);
}

void
vecidx_build_prepare(VecIdxBuild *build)
{
	vecidx_build_fixed(build->index, build->sample.dimensions, &build->fixed);
	build->centroid = vecidx_plan_centroid(&build->sample);
	choose_quantizer(build);
	build->plan.sketcher = vecidx_plan_sketcher(&build->sample, build->plan.type->metric);
	vecidx_build_derive(&build->plan, &build->fixed, build->index);
	cut_space(build);
	prepare_truth(build);
}
