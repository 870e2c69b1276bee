/*
 * roll.h
 *	  Who is who in a build: rows by number, nodes by id.
 */
#ifndef VECIDX_ROLL_H
#define VECIDX_ROLL_H

#include "postgres.h"

#include "storage/itemptr.h"

#include "graph/points.h"

/* In memory that the processes of a build share. */
typedef struct VecIdxRoll
{
	uint32		rows;
	int			cells;
	uint32	   *ids;			/* of each row's node */
	uint32	   *twins;			/* the next row of each row's node, or none */
	uint32	   *firsts;			/* the first row of each node */
	ItemPointerData *tids;		/* of each row */
	uint32	   *ends;			/* of each cell: the first id behind those of its nodes */
	uint8	   *groups;			/* bit for each row: the last of those of its node with the same filter row; or NULL */
} VecIdxRoll;

/* Bytes for a row, about. */
#define VECIDX_ROLL_BYTES	(3 * sizeof(uint32) + sizeof(ItemPointerData))

/* grouped: rows have filter rows. */
extern Size vecidx_roll_size(uint32 rows, int cells, bool grouped);

/* Sets up a process's view. */
extern void vecidx_roll_map(VecIdxRoll *roll, uint32 rows, int cells, bool grouped, void *memory);

/* Gives ids to the nodes of a cell, in the order given: of points.  Cells come in order. */
extern void vecidx_roll_enter(VecIdxRoll *roll, int cell, const VecIdxPoints *points, const uint32 *order, uint32 nodes);

/* The first id of a cell's nodes. */
static inline uint32
vecidx_roll_start(const VecIdxRoll *roll, int cell)
{
	return cell == 0 ? 0 : roll->ends[cell - 1];
}

/* Ids given out, once all cells have been entered. */
static inline uint32
vecidx_roll_nodes(const VecIdxRoll *roll)
{
	return roll->ends[roll->cells - 1];
}

#endif							/* VECIDX_ROLL_H */
