/*
 * write.h
 *	  From points and their graph to pages: the base extent of a new index.
 */
#ifndef VECIDX_WRITE_H
#define VECIDX_WRITE_H

#include "graph/levels.h"
#include "page/handle.h"

/*
 * Writes the metapage, the centroid and all nodes to an
 * empty fork, without WAL, and leaves room for "reserve" more in the base
 * extent.  Fills in the rest of *fixed.  Returns the id of each point's node.
 */
extern uint32 *vecidx_write_index(Relation index, VecIdxMetaFixed *fixed, const float *centroid,
								  const VecIdxLevels *levels, uint32 reserve);

/* The metapage alone, for an index without rows. */
extern void vecidx_write_empty(Relation index, ForkNumber fork, const VecIdxMetaFixed *fixed, bool logged);

#endif							/* VECIDX_WRITE_H */
