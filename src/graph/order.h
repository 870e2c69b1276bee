/*
 * order.h
 *	  Which ids the nodes of a build get: neighbours near each other.
 */
#ifndef VECIDX_ORDER_H
#define VECIDX_ORDER_H

#include "graph/levels.h"

/*
 * Returns, for each new id, the point that gets it, and how many: level 0 is there,
 * and only points below "home" get ids.  Nodes that fill a
 * code page together are chosen to have many links among them.
 */
extern uint32 *vecidx_order_nodes(const VecIdxLevels *levels, uint32 home, uint32 per_page, uint32 *nodes);

#endif							/* VECIDX_ORDER_H */
