/*
 * sketch.h
 *	  Short integer images of rows, by which a build finds out who is near whom.
 *
 * A sketch is a row's residual in the subspace of most variance (found by
 * subspace iteration on a sample: Halko, Martinsson & Tropp, SIAM Review 2011,
 * arXiv 0909.4061), mixed so that all its coordinates vary alike, and rounded
 * to integers of magnitude VECIDX_CROSS_MOST at most.  What it leaves out of the row's length is known, so that
 *
 *		distance(a, b) ~ a.own + b.other - weight * <a.sketch, b.sketch>
 *
 * in units of 1 / scale^2.  A sketcher has no
 * pointers: it may be copied and shared between processes byte by byte.
 * Sketches are not on disk.
 */
#ifndef VECIDX_SKETCH_H
#define VECIDX_SKETCH_H

#include "quant/quant.h"

#define VECIDX_SKETCH_MAX		512

/* Rows of a sample that are looked at, at most. */
#define VECIDX_SKETCH_SAMPLE	2048

typedef struct VecIdxSketcher
{
	VecIdxMetric metric;
	int			dimensions;
	int			width;			/* coordinates of a sketch: 64, 128, 256 or 512 */
	float		weight;
	float		scale;
	float		reach;			/* no row is longer (inner product; a guess) */
	float		captured;		/* share of the sample's variance that sketches see */
	/* centre (dimensions), what it takes off each coordinate (width), panels of axes (width * dimensions) */
	float		data[FLEXIBLE_ARRAY_MEMBER];
} VecIdxSketcher;

/* What is known of a point beside its sketch. */
typedef struct VecIdxSketchKey
{
	float		own;			/* as the one from which distances are measured */
	float		other;			/* as one of the others */
	float		lift;			/* that much added, no distance is below zero, or not by much */
	int32		sum;			/* VECIDX_CROSS_LIFT times the sum of the sketch's coordinates */
} VecIdxSketchKey;

extern Size vecidx_sketcher_size(int dimensions, int width);

/* The width to try first, and whether another, twice as wide, may be wanted. */
extern int	vecidx_sketcher_width(int dimensions);

/* Bytes of scratch for init. */
extern Size vecidx_sketcher_scratch(int dimensions, int width, int count);

/*
 * Makes a sketcher of a sample of count >= 1 normalized rows, row after row;
 * at most VECIDX_SKETCH_SAMPLE of them are looked at.
 */
extern VecIdxSketcher *vecidx_sketcher_init(void *memory, VecIdxMetric metric, int dimensions, int width,
											const float *rows, int count, void *scratch);

/* Do sketches of that width see enough? */
extern bool vecidx_sketcher_suffices(const VecIdxSketcher *sketcher);

/*
 * Sketches count normalized rows: width bytes each.  products is scratch of
 * count * width floats.
 */
extern void vecidx_sketch_rows(const VecIdxSketcher *sketcher, const float *rows, int count, float *products,
							   int8 *sketches, VecIdxSketchKey *keys);

#endif							/* VECIDX_SKETCH_H */
