/*
 * sweep.h
 *	  All nodes of an index in the order of their codes: what makes a scan
 *	  complete.
 *
 * A pass estimates every node that the scan has not returned and offers the
 * nearest ones, as many as memory allows, to the ranking; passes repeat until
 * one finds no node left.
 */
#ifndef VECIDX_SWEEP_H
#define VECIDX_SWEEP_H

#include "graph/rank.h"
#include "graph/store.h"

typedef struct VecIdxSweep
{
	VecIdxStore *store;
	uint32		room;			/* candidates that a pass may keep */
	uint8	   *returned;		/* bitmap of nodes given out */
	uint32		nodes;			/* its size; nodes born later cannot be visible to the scan */
} VecIdxSweep;

/* memory: bytes for the candidates of a pass. */
extern void vecidx_sweep_init(VecIdxSweep *sweep, VecIdxStore *store, MemoryContext context, Size memory);

/* Tells that a node has been given out. */
extern void vecidx_sweep_mark(VecIdxSweep *sweep, uint32 node);

/* One pass; returns the number of candidates offered, 0 when all nodes have been given out. */
extern uint32 vecidx_sweep_pass(VecIdxSweep *sweep, VecIdxRank *rank);

#endif							/* VECIDX_SWEEP_H */
