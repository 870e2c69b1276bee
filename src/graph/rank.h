/*
 * rank.h
 *	  The order of results: nodes met by a search, best first, by distances
 *	  that are as good as need be: from rerank vectors where codes leave a
 *	  doubt, from rows where these do.
 */
#ifndef VECIDX_RANK_H
#define VECIDX_RANK_H

#include "graph/heap.h"
#include "graph/search.h"
#include "graph/store.h"

/* A node whose distance is not known. */
typedef struct VecIdxOffered
{
	uint32		node;
	float		estimate;
} VecIdxOffered;

/* A node whose distance is known and that has not been given out. */
typedef struct VecIdxRanked
{
	uint32		node;
	uint32		offered;		/* its place in offered[] */
	VecIdxDistance distance;
} VecIdxRanked;

typedef struct VecIdxRank
{
	/* fixed */
	VecIdxStore *store;
	MemoryContext context;

	float		factor;			/* share of an estimate's bound that is believed; may change between calls */
	float		guess;			/* nodes nearer than that will likely be asked for */

	/*
	 * nodes met whose distance is not known; a heap of them by lower bound (no
	 * nearer than that, as far as bounds are believed): indexes into offered[]
	 */
	VecIdxOffered *offered;
	uint32		offered_count;
	uint32		offered_room;
	VecIdxHeap	pending;

	/* of these, such as are too far to be asked for soon: in no order, none nearer than later_lower */
	VecIdxHeapItem *later;
	uint32		later_count;
	uint32		later_room;
	float		later_lower;

	/* nodes whose distance is known, and a max-heap of the best of these distances */
	VecIdxRanked *ready;
	uint32		ready_count;
	uint32		ready_room;
	float	   *best;
	uint32		best_room;
	uint32		taken;			/* nodes of the search that were taken over */
} VecIdxRank;

/*
 * The exact distance of a node, from a row.  Returns false if no row of it can
 * be seen.
 */
typedef bool (*VecIdxExactDistance) (void *state, const VecIdxRanked *ranked, float *distance);

extern void vecidx_rank_init(VecIdxRank *rank, VecIdxStore *store, MemoryContext context);

/* Forgets all nodes. */
extern void vecidx_rank_reset(VecIdxRank *rank);

/* Takes over the nodes that a search has met since the last time. */
extern void vecidx_rank_take(VecIdxRank *rank, const VecIdxSearch *search);

/* Offers one node. */
extern void vecidx_rank_offer(VecIdxRank *rank, uint32 node, float estimate, float bound);

/*
 * Reads distances until the "count" nearest of all nodes offered and not given
 * out are known, up to the certainty of the bounds.  They stand first in
 * ready[], sorted; returns how many there are, at most count.
 */
extern uint32 vecidx_rank_best(VecIdxRank *rank, uint32 count);

/*
 * Has the exact distances of those computed of whom rerank vectors cannot tell
 * whether they are among the count nearest, and sorts again.
 */
extern void vecidx_rank_settle(VecIdxRank *rank, uint32 count, VecIdxExactDistance exact, void *state);

/* Gives out the first "count" of ready[]: removes them. */
extern void vecidx_rank_drop(VecIdxRank *rank, uint32 count);

#endif							/* VECIDX_RANK_H */
