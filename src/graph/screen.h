/*
 * screen.h
 *	  Which queries a row may be near to, told by sketches.
 *
 * A sketch is a row's projection on some axes, rounded: the distance of two
 * sketches is never much above that of their rows.  How much at most is known,
 * so what is screened out is sure to be far.
 */
#ifndef VECIDX_SCREEN_H
#define VECIDX_SCREEN_H

#include "postgres.h"

#include "kernel/kernel.h"
#include "quant/sketch.h"

typedef struct VecIdxScreen
{
	/* fixed */
	const VecIdxSketcher *sketcher;
	int			count;			/* queries */
	double		centre;			/* norm of what sketches are taken from */
	const int8 **columns;		/* the queries' sketches, */
	int32	   *sums;			/* VECIDX_CROSS_LIFT times the sum of each, */
	float	   *lengths;		/* squared */

	/* changes */
	float	   *reaches;		/* a row may be near a query whose sketch is no farther, squared */
	float	   *limits;			/* the same for one row */
	uint8	   *rows;			/* sketches of a batch, lifted, */
	float	   *squares;		/* the squared length of each, */
	int32	   *products;		/* and of each with all queries */
	VecIdxHit  *hits;
	int			idle;			/* batches to go without being asked */
} VecIdxScreen;

/* For count normalized queries, row after row, and batches of so many rows; in the current memory context. */
extern VecIdxScreen *vecidx_screen_create(const VecIdxSketcher *sketcher, const float *queries, int count, int batch);

/*
 * Says how far (squared) a row may be from a query, as far as it matters; norm:
 * no longer is either of them.
 */
extern void vecidx_screen_reach(VecIdxScreen *screen, int query, double squared, double norm);

/* Takes a batch of rows, by their sketches. */
extern void vecidx_screen_take(VecIdxScreen *screen, const int8 *sketches, int count);

/* The queries that a row of the batch may be near to: into hits.  Returns how many. */
extern int	vecidx_screen_row(VecIdxScreen *screen, int row);

/* Is it worth being asked for the next batch?  That goes by what was told of the last one that it was asked for. */
extern bool vecidx_screen_helps(VecIdxScreen *screen);
extern void vecidx_screen_tell(VecIdxScreen *screen, uint32 rows, uint32 passed);

#endif							/* VECIDX_SCREEN_H */
