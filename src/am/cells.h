/*
 * cells.h
 *	  Parts of space, for builds that cannot hold all points at once.
 */
#ifndef VECIDX_CELLS_H
#define VECIDX_CELLS_H

#include "postgres.h"

/*
 * Chooses the centres of so many cells for count sketches, count >= cells, by
 * k-means.  Writes cells sketches.
 */
extern void vecidx_cells_choose(const int8 *sketches, int count, int width, int cells, int8 *centres);

#endif							/* VECIDX_CELLS_H */
