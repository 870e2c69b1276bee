/*
 * gram.h
 *	  Distances among members of a level by their sketches, many at a time.
 */
#ifndef VECIDX_GRAM_H
#define VECIDX_GRAM_H

#include "graph/weave.h"
#include "kernel/kernel.h"

/* Rows whose products are made at a time at most. */
#define VECIDX_GRAM_ROWS	16

/* Columns that rows meet one after the other: so many stay in the fastest cache. */
#define VECIDX_GRAM_TILE	64

typedef struct VecIdxGram
{
	/* fixed */
	const VecIdxWeave *weave;
	const VecIdxKernels *kernels;
	int			width;			/* of a sketch */
	uint32		room;			/* columns */

	/* what was laid out last */
	uint8	   *rows;			/* sketches, lifted, row after row */
	const int8 **columns;		/* sketches where they are */
	int32	   *sums;			/* of the columns (VecIdxCross) */
	int32	   *products;		/* VECIDX_GRAM_ROWS times room */
} VecIdxGram;

/* Room for so many rows and columns, in the current memory context. */
extern void vecidx_gram_init(VecIdxGram *gram, const VecIdxWeave *weave, uint32 rows, uint32 columns);
extern void vecidx_gram_free(VecIdxGram *gram);

/* Copies sketches of members, to be rows. */
extern void vecidx_gram_lay_rows(VecIdxGram *gram, const uint32 *members, uint32 count);

/* Makes members the columns. */
extern void vecidx_gram_lay_columns(VecIdxGram *gram, const uint32 *members, uint32 count);

/* Products of rows first..first + count - 1 with columns from..to - 1: column j's with the first of them is products[j]. */
extern void vecidx_gram_multiply(VecIdxGram *gram, uint32 first, int count, uint32 from, uint32 to);

static inline const int8 *
vecidx_gram_sketch(const VecIdxWeave *weave, uint32 member)
{
	return vecidx_points_sketch(weave->points, vecidx_weave_point(weave, member));
}

static inline const VecIdxSketchKey *
vecidx_gram_key(const VecIdxWeave *weave, uint32 member)
{
	return &weave->points->keys[vecidx_weave_point(weave, member)];
}

#endif							/* VECIDX_GRAM_H */
