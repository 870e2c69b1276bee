/*
 * cells.h
 *	  Parts of space, for builds that cannot hold all points at once.
 */
#ifndef VECIDX_CELLS_H
#define VECIDX_CELLS_H

#include "postgres.h"

/*
 * Cells that a row is a guest of, at most.  With one, in 30 cells of 200,000
 * rows, two of three near pairs are together in one of them; with two, in the
 * 44 that memory then asks for, four of five.
 */
#define VECIDX_GUESTS	2

typedef struct VecIdxCells
{
	int			count;
	int			width;			/* of a sketch */
	const int8 *centres;		/* a sketch for each cell */
} VecIdxCells;

/*
 * Chooses the centres of as many cells as are set, by k-means, for count
 * sketches, at least as many; centres has room for them.
 */
extern void vecidx_cells_choose(const int8 *sketches, int count, VecIdxCells *cells, int8 *centres);

/* Where a sketch belongs: the cell that it is at home in, and those that it is a guest of. */
typedef struct VecIdxCellVisit
{
	int			home;
	int			guests;
	int			guest[VECIDX_GUESTS];
} VecIdxCellVisit;

extern void vecidx_cells_find(const VecIdxCells *cells, const int8 *sketch, VecIdxCellVisit *visit);

/* Of the fullest cell, guests included: its share of so many sketches. */
extern double vecidx_cells_largest(const int8 *sketches, int count, const VecIdxCells *cells);

#endif							/* VECIDX_CELLS_H */
