/*
 * store.h
 *	  The graph in the index's pages, as a source for searches.
 */
#ifndef VECIDX_STORE_H
#define VECIDX_STORE_H

#include "graph/graph.h"
#include "page/handle.h"
#include "page/slot.h"

/* A rerank vector that has been copied. */
typedef struct VecIdxCopied
{
	uint32		node;
	uint32		version;
	const uint8 *vector;
} VecIdxCopied;

#define VECIDX_COPIED	1024	/* a power of two */

typedef struct VecIdxStore
{
	VecIdxSource source;		/* must come first */

	/* fixed */
	VecIdxHandle *handle;		/* held by whoever made the store */
	MemoryContext context;

	/* the query under way */
	const VecIdxQuery *query;
	MemoryContext copies;		/* rerank vectors given out by vector(); NULL before the first */
	VecIdxCopied *copied;		/* those given out last, by the lowest bits of their node */

	uint64		estimates;		/* counts, since init */
	uint64		reranked;

	VecIdxCandidate entrance;	/* where a search from the top starts */

	/* scratch, a slot each */
	VecIdxAdjacencySlot *adjacency;
	VecIdxUpperSlot *upper;
	VecIdxCodeSlot *code;
	VecIdxRerankSlot *rerank;

	/* where a code is expected of which it is not known where it lies: it is no node's */
	VecIdxCodeSlot *nowhere;

	/* the page that a pass over all nodes is at */
	char	   *page;
	BlockNumber block;
} VecIdxStore;

extern void vecidx_store_init(VecIdxStore *store, VecIdxHandle *handle, MemoryContext context);

/* The query that estimates are for from now on.  Frees vectors given out before. */
extern void vecidx_store_query(VecIdxStore *store, const VecIdxQuery *query);

/*
 * A node's rerank vector (code, where there is none) and the version of its
 * slot, or NULL if it does not live.  Good until the next query, and what the
 * node was at some moment since the last.
 */
extern const uint8 *vecidx_store_vector(VecIdxStore *store, uint32 node, uint32 *version);

/* A distance by a rerank vector. */
typedef struct VecIdxDistance
{
	uint32		version;		/* which life of the slot it belongs to */
	float		order;
	float		bound;			/* half-width of the interval around it; 0 if it is exact */
} VecIdxDistance;

/* Distance of a node by its rerank vector; false if the node has been freed. */
extern bool vecidx_store_distance(VecIdxStore *store, uint32 node, VecIdxDistance *distance);

/*
 * Says that a node's rerank vector will be wanted: has it on its way into the
 * processor's cache, or its page into memory.  settle, some time later, looks
 * whether the page still is where it was thought to be, and else has it read.
 */
extern void vecidx_store_prefetch(VecIdxStore *store, uint32 node);
extern void vecidx_store_settle(VecIdxStore *store, uint32 node);

/* The same for the slot with a node's rows, which will be read under lock. */
extern void vecidx_store_prefetch_rows(VecIdxStore *store, uint32 node);

/* Errors unless the metapage, looked at again, has given out that id. */
extern void vecidx_store_recheck_node(VecIdxStore *store, uint32 node, const char *where);

/* Errors unless the id is one that the index has given out. */
static inline void
vecidx_store_check_node(VecIdxStore *store, uint32 node, const char *where)
{
	if (unlikely(node >= store->handle->state.nodes))
		vecidx_store_recheck_node(store, node, where);
}

/* Resolves where the codes of a batch are, before source.finish estimates them. */
extern void vecidx_store_locate(VecIdxStore *store, VecIdxBatch *batch);

/* Nodes that are estimated together at most. */
#define VECIDX_TOGETHER_MOST	32

/*
 * Estimates nodes by their codes where they are expected, each whatever way it
 * takes.  Returns those that are gone, a bit each; what is said of them is void.
 */
extern uint32 vecidx_store_estimates(VecIdxStore *store, const uint32 *nodes, const VecIdxCodeSlot *const *codes, int count,
									 float *estimates, float *bounds);

/* Estimates a node whatever way it takes; false if its code slot is free. */
extern bool vecidx_store_estimate(VecIdxStore *store, uint32 node, VecIdxCandidate *candidate);

/*
 * Estimates nodes in ascending order, page by page, for a pass over all of
 * them; false for a slot that holds no node.  Copies each page under lock and
 * keeps no pin.  rewind before and after.
 */
extern void vecidx_store_rewind(VecIdxStore *store);
extern bool vecidx_store_next(VecIdxStore *store, uint32 node, VecIdxCandidate *candidate);

#endif							/* VECIDX_STORE_H */
