/*
 * twin.h
 *	  Rows with equal vectors: TIDs of one node, in its own slot and in those
 *	  of its chain.  All rows of a slot have the same filter row.
 */
#ifndef VECIDX_TWIN_H
#define VECIDX_TWIN_H

#include "am/inserter.h"

/* Attaches the TID of the row under way to a node; false if that has not its vector, or not any more. */
extern bool vecidx_twin_attach(VecIdxInserter *inserter, uint32 node, ItemPointer tid);

/*
 * Attaches the TID to the node that holds another, of a row with the same
 * values which stays there meanwhile; only the filter row of the row under way
 * need be known.  False if it is not known which node that is.
 */
extern bool vecidx_twin_follow(VecIdxInserter *inserter, const ItemPointerData *former, ItemPointer tid);

/*
 * For vacuum, which alone takes slots out of chains: if all TIDs of a node are
 * of rows with the same filter row, makes that the node's own and takes the
 * flag away that says that they may differ.  "scratch" has room for an
 * adjacency slot.
 */
extern void vecidx_twin_settle(VecIdxHandle *handle, uint32 node, VecIdxAdjacencySlot *scratch);

#endif							/* VECIDX_TWIN_H */
