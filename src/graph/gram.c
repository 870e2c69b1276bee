/*
 * gram.c
 *	  Distances among members of a level by their sketches.
 */
#include "postgres.h"

#include "graph/gram.h"

/* Sketches that are on their way while others are copied. */
#define AHEAD	8

void
vecidx_gram_init(VecIdxGram *gram, const VecIdxWeave *weave, uint32 rows, uint32 columns)
{
	gram->weave = weave;
	gram->kernels = vecidx_kernels();
	gram->width = weave->points->width;
	gram->room = columns;
	gram->rows = palloc((Size) rows * gram->width);
	gram->columns = palloc(columns * sizeof(int8 *));
	gram->sums = palloc(columns * sizeof(int32));
	gram->products = palloc((Size) VECIDX_GRAM_ROWS * columns * sizeof(int32));
}

void
vecidx_gram_free(VecIdxGram *gram)
{
	pfree(gram->rows);
	pfree(gram->columns);
	pfree(gram->sums);
	pfree(gram->products);
}

static inline void
lift(const int8 *pg_restrict sketch, int width, uint8 *pg_restrict row)
{
	/* a fixed number at a time, so that any compiler makes vectors of it */
	for (int k = 0; k < width; k += 16)
	{
		for (int j = 0; j < 16; j++)
			row[k + j] = (uint8) (sketch[k + j] + VECIDX_CROSS_LIFT);
	}
}

void
vecidx_gram_lay_rows(VecIdxGram *gram, const uint32 *members, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
	{
		for (int k = 0; k < gram->width && i + AHEAD < count; k += 64)
			__builtin_prefetch(vecidx_gram_sketch(gram->weave, members[i + AHEAD]) + k);
		lift(vecidx_gram_sketch(gram->weave, members[i]), gram->width, gram->rows + (Size) i * gram->width);
	}
}

void
vecidx_gram_lay_columns(VecIdxGram *gram, const uint32 *members, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
	{
		gram->columns[i] = vecidx_gram_sketch(gram->weave, members[i]);
		gram->sums[i] = vecidx_gram_key(gram->weave, members[i])->sum;
	}
}

void
vecidx_gram_multiply(VecIdxGram *gram, uint32 first, int count, uint32 from, uint32 to)
{
	for (uint32 j = from; j < to; j += VECIDX_GRAM_TILE)
	{
		VecIdxCross cross = {gram->width, gram->rows + (Size) first * gram->width, gram->columns + j, gram->sums + j};

		gram->kernels->cross(&cross, count, Min(VECIDX_GRAM_TILE, to - j), gram->products + j, gram->room);
	}
}
