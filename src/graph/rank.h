/*
 * rank.h
 *	  The order of results: nodes met by a search, best first by the distance
 *	  of their rerank vectors, reading no more of these than can matter.
 */
#ifndef VECIDX_RANK_H
#define VECIDX_RANK_H

#include "graph/search.h"
#include "graph/store.h"

/* A node whose distance is known and that has not been given out. */
typedef struct VecIdxRanked
{
	uint32		node;
	uint32		version;		/* of its slot when the distance was read */
	float		distance;
} VecIdxRanked;

typedef struct VecIdxRank
{
	/* fixed */
	VecIdxStore *store;
	MemoryContext context;

	/* nodes met whose distance is not known: a min-heap by lower bound */
	VecIdxCandidate *pending;
	uint32		pending_count;
	uint32		pending_room;

	/* nodes whose distance is known, and a max-heap of the best of these distances */
	VecIdxRanked *ready;
	uint32		ready_count;
	uint32		ready_room;
	float	   *best;
	uint32		best_room;
	uint32		taken;			/* nodes of the search that were taken over */
} VecIdxRank;

extern void vecidx_rank_init(VecIdxRank *rank, VecIdxStore *store, MemoryContext context);
extern void vecidx_rank_reset(VecIdxRank *rank);

/* Takes over the nodes that a search has met since the last time. */
extern void vecidx_rank_take(VecIdxRank *rank, const VecIdxSearch *search);

/* Offers one node. */
extern void vecidx_rank_offer(VecIdxRank *rank, const VecIdxCandidate *candidate);

/*
 * Reads distances until the "count" nearest of all nodes offered and not given
 * out are known, up to the certainty of the bounds.  They stand first in
 * ready[], sorted; returns how many there are, at most count.
 */
extern uint32 vecidx_rank_best(VecIdxRank *rank, uint32 count);

/* Gives out the first "count" of ready[]: removes them. */
extern void vecidx_rank_drop(VecIdxRank *rank, uint32 count);

#endif							/* VECIDX_RANK_H */
