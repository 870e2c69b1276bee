/*
 * raise.h
 *	  The levels above: a new node's neighbours there, and its upper slots.
 */
#ifndef VECIDX_RAISE_H
#define VECIDX_RAISE_H

#include "am/inserter.h"

/*
 * Begins an edit and locks the metapage in it once the neighbours found are sure
 * to live as long as it is locked: those that do not are dropped.
 */
extern VecIdxMeta *vecidx_raise_settle(VecIdxInserter *inserter, VecIdxEdit *edit);

/*
 * Lifts a node that is on level 0 to its level, or as high as there is room,
 * in one record.  Returns the upper slot of level 1, or none; arrival.level
 * tells the level reached.
 */
extern uint32 vecidx_raise_node(VecIdxInserter *inserter, uint32 node);

#endif							/* VECIDX_RAISE_H */
