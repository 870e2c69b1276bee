/*
 * sweep.h
 *	  All nodes of an index in the order of their codes: what makes a scan
 *	  complete.
 *
 * A pass estimates every node that the scan has not returned and offers the
 * nearest ones, as many as memory allows, to the ranking; passes repeat until
 * one leaves no node out.
 *
 * Under a filter a pass looks at filter rows, and estimates those that pass:
 * slots, be they nodes' or extensions', each with the rows of its own.
 */
#ifndef VECIDX_SWEEP_H
#define VECIDX_SWEEP_H

#include "filter/predicate.h"
#include "graph/rank.h"
#include "graph/store.h"

/*
 * A sweep has time, and is what small tables get: its bounds are twice as wide
 * as those of a walk that believes them, so that next to none fails to hold.
 */
#define VECIDX_SWEEP_FACTOR	2.0f

typedef struct VecIdxSweep
{
	VecIdxStore *store;
	VecIdxPredicate *predicate; /* NULL: no filter */
	uint32		room;			/* candidates that a pass may keep */
	uint8	   *returned;		/* bitmap of nodes given out */
	uint32		nodes;			/* its size; nodes born later cannot be visible to the scan */
	Size		zone_memory;	/* set by the caller: bytes that the session's zones may take; 0: it does without */
	bool		cutting;		/* set by the caller: passes may leave out what is farther than those wanted */
	uint32		wanted;			/* of the last pass */
	float		cut;			/* of which nodes beyond that distance have been left out; infinity: none */
	bool		exhausted;		/* all nodes have been offered */
	uint64		passed;			/* filter rows that have passed, in all passes */
	uint64		tests;			/* filter rows looked at */
} VecIdxSweep;

/*
 * The verdicts on rows of the filter page that begins with node "first": "most"
 * of them, or as many as there are, from row "skip" on.  Returns their number.
 */
extern uint32 vecidx_pass_page(VecIdxHandle *handle, VecIdxPredicate *predicate, uint32 first, uint32 skip, uint32 most,
							   uint8 *verdicts);

/* memory: bytes for the candidates of a pass. */
extern void vecidx_sweep_init(VecIdxSweep *sweep, VecIdxStore *store, MemoryContext context, Size memory);

/* Tells that a node has been given out. */
extern void vecidx_sweep_mark(VecIdxSweep *sweep, uint32 node);

/*
 * One pass; returns the number of candidates offered, 0 when all nodes have
 * been given out.  Under a filter, "wanted" is how many will likely be asked
 * for.  If the pass before has left nodes out, the rank begins anew, and more
 * are wanted than then: the order of results holds up to sweep->cut alone.
 */
extern uint32 vecidx_sweep_pass(VecIdxSweep *sweep, VecIdxRank *rank, uint32 wanted);

#endif							/* VECIDX_SWEEP_H */
