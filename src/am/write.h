/*
 * write.h
 *	  From rows and their graph to pages: the base extent of a new index.
 */
#ifndef VECIDX_WRITE_H
#define VECIDX_WRITE_H

#include "am/load.h"
#include "graph/levels.h"
#include "page/handle.h"

/* Who is who: rows by number, nodes by id. */
typedef struct VecIdxRoll
{
	uint32		rows;
	uint32		nodes;			/* ids given out so far */
	uint32	   *ids;			/* of each row's node */
	uint32	   *twins;			/* the next row of each row's node, or none */
	uint32	   *firsts;			/* the first row of each node */
	ItemPointerData *tids;		/* of each row; shared with the team */
	uint32	   *ends;			/* of each cell: the first id behind those of its nodes */
	uint8	   *groups;			/* bit for each row: the last of those of its node with the same filter row; or NULL */
} VecIdxRoll;

extern void vecidx_roll_init(VecIdxRoll *roll, uint32 rows, int cells, ItemPointerData *tids);

/* Gives ids to the nodes of a cell, in the order given: of points. */
extern void vecidx_roll_enter(VecIdxRoll *roll, int cell, const VecIdxPoints *points, const uint32 *order, uint32 nodes);
extern void vecidx_roll_free(VecIdxRoll *roll);

/* What is to be written. */
typedef struct VecIdxWritePlan
{
	Relation	index;
	const float *centroid;
	VecIdxLoad *load;			/* for rows and lists */
	VecIdxRoll *roll;			/* rows of a node come to be ordered by their filter rows */
	const VecIdxLevels *levels; /* above the lowest */
	uint32		reserve;		/* room for so many more nodes */
	Size		memory;			/* that may be used, about */
} VecIdxWritePlan;

/*
 * Writes the metapage, the centroid and all nodes to an empty fork, without
 * WAL.  Fills in the rest of *fixed.
 */
extern void vecidx_write_index(const VecIdxWritePlan *plan, VecIdxMetaFixed *fixed);

/* The metapage alone, for an index without rows. */
extern void vecidx_write_empty(Relation index, ForkNumber fork, const VecIdxMetaFixed *fixed, bool logged);

#endif							/* VECIDX_WRITE_H */
