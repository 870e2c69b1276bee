/*
 * write.h
 *	  From the arena to pages: the base extent of a new index.
 */
#ifndef VECIDX_WRITE_H
#define VECIDX_WRITE_H

#include "graph/arena.h"
#include "page/handle.h"

/*
 * Writes the metapage, the centroid and all nodes of a finished arena to an
 * empty fork, without WAL, and leaves room for "reserve" more in the base
 * extent.  Fills in the rest of *fixed.  Returns the new id of each arena node.
 */
extern uint32 *vecidx_write_index(Relation index, VecIdxMetaFixed *fixed, const float *centroid,
								  const VecIdxArena *arena, uint32 reserve);

/* The metapage alone, for an index without rows. */
extern void vecidx_write_empty(Relation index, ForkNumber fork, const VecIdxMetaFixed *fixed, bool logged);

#endif							/* VECIDX_WRITE_H */
