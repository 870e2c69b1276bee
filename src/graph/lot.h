/*
 * lot.h
 *	  Codes of nodes in ascending order, for passes: those of a lot come into
 *	  the processor's caches together, while those of another are estimated.
 */
#ifndef VECIDX_LOT_H
#define VECIDX_LOT_H

#include "graph/store.h"
#include "page/peek.h"

#define VECIDX_LOT_ROOM		16

typedef struct VecIdxLot
{
	uint32		count;
	uint32		node[VECIDX_LOT_ROOM];
	const VecIdxCodeSlot *code[VECIDX_LOT_ROOM];	/* where it is expected */

	/* once they are estimated */
	float		estimate[VECIDX_LOT_ROOM];
	float		bound[VECIDX_LOT_ROOM];
} VecIdxLot;

/* The page of codes at hand. */
typedef struct VecIdxShelf
{
	VecIdxStore *store;
	uint32		size;			/* bytes of a slot */
	uint32		first;			/* nodes on it, */
	uint32		end;			/* up to there */
	const char *slots;			/* NULL: it is not known where they are */
} VecIdxShelf;

extern void vecidx_shelf_init(VecIdxShelf *shelf, VecIdxStore *store);

/* Turns to the page with the code of a node. */
extern void vecidx_shelf_turn(VecIdxShelf *shelf, uint32 node);

/* Adds a node to a lot that has room for it, and has its code on its way.  Nodes come in ascending order. */
static inline void
vecidx_lot_add(VecIdxLot *lot, VecIdxShelf *shelf, uint32 node)
{
	const char *slot = (const char *) shelf->store->nowhere;

	if (unlikely(node >= shelf->end))
		vecidx_shelf_turn(shelf, node);
	if (likely(shelf->slots != NULL))
	{
		slot = shelf->slots + (node - shelf->first) * shelf->size;
		for (uint32 at = 0; at < shelf->size; at += 64)
			__builtin_prefetch(slot + at);
		__builtin_prefetch(slot + shelf->size - 1);
	}
	lot->node[lot->count] = node;
	lot->code[lot->count++] = (const VecIdxCodeSlot *) slot;
}

/* Estimates the nodes of a lot.  Those that are gone drop out; the order may change. */
extern void vecidx_lot_estimate(VecIdxLot *lot, VecIdxStore *store);

#endif							/* VECIDX_LOT_H */
