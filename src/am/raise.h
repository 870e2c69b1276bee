/*
 * raise.h
 *	  The levels above: a new node's neighbours there, and its upper slots.
 */
#ifndef VECIDX_RAISE_H
#define VECIDX_RAISE_H

#include "am/inserter.h"

/*
 * Drops neighbours, of all levels, that are dead or are not what they were when
 * they were found.  What it keeps cannot be freed before the epoch changes again.
 */
extern void vecidx_raise_drop_dead(VecIdxInserter *inserter);

/*
 * Lifts a node that is on level 0 to its level, or as high as there is room,
 * in one record.  Returns the upper slot of level 1, or none; arrival.level
 * tells the level reached.
 */
extern uint32 vecidx_raise_node(VecIdxInserter *inserter, uint32 node);

#endif							/* VECIDX_RAISE_H */
