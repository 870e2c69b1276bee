/*
 * sample.c
 *	  Rows drawn from a table by chance.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/sampling.h"

#include "am/am.h"
#include "am/sample.h"

#define SAMPLE_ROWS			2048
#define SAMPLE_BLOCKS		1024

typedef struct Draw
{
	const VecIdxSampleSource *source;
	VecIdxTableSample *sample;
} Draw;

/* Where the next row goes so that all have the same chance to stay, or -1 (Vitter's algorithm R). */
static int
choose_place(VecIdxTableSample *sample)
{
	sample->seen++;
	if (sample->room == 0 || sample->count < sample->room)
		return sample->count;
	if (pg_prng_double(&sample->prng) * sample->seen >= sample->room)
		return -1;
	return (int) pg_prng_uint64_range(&sample->prng, 0, sample->room - 1);
}

/* A row that takes a place. */
static void
keep_row(VecIdxTableSample *sample, int place, const float *row, ItemPointer tid)
{
	int			dimensions = sample->dimensions;

	if (sample->room == 0)
	{
		Size		memory = (Size) maintenance_work_mem * 1024 / 4;

		sample->room = Max(16, Min(SAMPLE_ROWS, memory / (dimensions * sizeof(float))));
		sample->rows = palloc_extended((Size) sample->room * dimensions * sizeof(float), MCXT_ALLOC_HUGE);
		sample->tids = palloc(sample->room * sizeof(ItemPointerData));
	}
	if (place == sample->count)
		sample->count++;
	memcpy(sample->rows + (Size) place * dimensions, row, dimensions * sizeof(float));
	sample->tids[place] = *tid;
}

static void
sample_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive pg_attribute_unused(), void *state)
{
	const VecIdxSampleSource *source = ((Draw *) state)->source;
	VecIdxTableSample *sample = ((Draw *) state)->sample;
	MemoryContext old;
	int			dimensions;
	float	   *row;
	int			place;

	if (isnull[0])
		return;
	place = choose_place(sample);
	if (place < 0)
		return;
	old = MemoryContextSwitchTo(source->row_context);
	row = vecidx_row_decode(index, &source->type->decoder, source->type->metric, values[0],
							sample->dimensions, &dimensions);
	MemoryContextSwitchTo(old);
	if (row == NULL)
		return;
	sample->dimensions = dimensions;
	keep_row(sample, place, row, tid);
	MemoryContextReset(source->row_context);
}

double
vecidx_sample_table(const VecIdxSampleSource *source, VecIdxTableSample *sample)
{
	Draw		draw = {source, sample};
	BlockNumber blocks = RelationGetNumberOfBlocks(source->heap);
	BlockSamplerData sampler;
	double		heap_rows = 0;

	BlockSampler_Init(&sampler, blocks, SAMPLE_BLOCKS, 1);
	pg_prng_seed(&sample->prng, 1);
	while (BlockSampler_HasMore(&sampler))
	{
		CHECK_FOR_INTERRUPTS();
		heap_rows += table_index_build_range_scan(source->heap, source->index, source->info, false, true, false,
												  BlockSampler_Next(&sampler), 1, sample_row, &draw, NULL);
	}
	sample->total = sample->seen * ((double) blocks / Max(Min(blocks, SAMPLE_BLOCKS), 1));
	if (sample->count == 0 && blocks > SAMPLE_BLOCKS)
		heap_rows = table_index_build_scan(source->heap, source->index, source->info, false, false,
										   sample_row, &draw, NULL);
	return heap_rows;
}

VecIdxTruth *
vecidx_sample_queries(const VecIdxTableSample *sample, VecIdxMetric metric, int count)
{
	VecIdxTruth *truth = vecidx_truth_create(metric, sample->dimensions, count);

	for (int i = 0; i < count; i++)
	{
		Size		place = (Size) i * sample->count / count;

		vecidx_truth_query(truth, i, sample->rows + place * sample->dimensions, &sample->tids[place]);
	}
	return truth;
}
