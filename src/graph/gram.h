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

#define VECIDX_PANELS(count)	(((count) + VECIDX_PANEL - 1) / VECIDX_PANEL)

typedef struct VecIdxGram
{
	/* fixed */
	const VecIdxWeave *weave;
	const VecIdxKernels *kernels;
	int			width;			/* of a sketch */
	uint32		room;			/* columns */

	/* what was laid out last */
	int16	   *rows;			/* sketches, row after row */
	int16	   *panels;			/* of columns */
	int32	   *products;		/* VECIDX_GRAM_ROWS times room */
} VecIdxGram;

/* Room for so many rows and columns, in the current memory context. */
extern void vecidx_gram_init(VecIdxGram *gram, const VecIdxWeave *weave, uint32 rows, uint32 columns);
extern void vecidx_gram_free(VecIdxGram *gram);

/* Lays sketches of members out as rows. */
extern void vecidx_gram_lay_rows(VecIdxGram *gram, const uint32 *members, uint32 count);

/* Lays count rows out as columns, from column "first" on, a multiple of VECIDX_PANEL; zeros fill the last panel up. */
extern void vecidx_gram_lay_columns(VecIdxGram *gram, const int16 *rows, uint32 count, uint32 first);

/* Products of rows with columns from..to - 1 (from rounded down to its panel): row i's are products + i * room. */
static inline void
vecidx_gram_multiply(VecIdxGram *gram, const int16 *rows, int count, uint32 from, uint32 to)
{
	for (uint32 p = from / VECIDX_PANEL; p < VECIDX_PANELS(to); p++)
		gram->kernels->panel_i16(rows, count, gram->panels + (Size) p * VECIDX_PANEL * gram->width, gram->width,
								 gram->products + p * VECIDX_PANEL, gram->room);
}

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
