/*
 * back.h
 *	  Links back: the neighbours of a new node name it in turn.
 */
#ifndef VECIDX_BACK_H
#define VECIDX_BACK_H

#include "am/inserter.h"

/*
 * Adds a node that has been written, with its first upper slot or none, to the
 * lists of the nearest of its neighbours, where it belongs there: some pages a
 * record, each list only while it is as it was when that was worked out.
 */
extern void vecidx_back_link(VecIdxInserter *inserter, uint32 node, uint32 upper);

#endif							/* VECIDX_BACK_H */
