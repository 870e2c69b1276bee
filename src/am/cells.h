/*
 * cells.h
 *	  Parts of space, for builds that cannot hold all points at once.
 */
#ifndef VECIDX_CELLS_H
#define VECIDX_CELLS_H

#include "postgres.h"

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

/* The cell that a sketch is at home in; *guest becomes the one that it is a guest of, or -1. */
extern int	vecidx_cells_find(const VecIdxCells *cells, const int8 *sketch, int *guest);

/* Of the fullest cell, guests included: its share of so many sketches. */
extern double vecidx_cells_largest(const int8 *sketches, int count, const VecIdxCells *cells);

#endif							/* VECIDX_CELLS_H */
