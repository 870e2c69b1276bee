/*
 * graph.h
 *	  What a search sees of a graph, wherever it lies: candidates, and a source
 *	  that expands them.
 */
#ifndef VECIDX_GRAPH_H
#define VECIDX_GRAPH_H

#include "postgres.h"

#include "graph/visited.h"
#include "page/page.h"
#include "quant/quant.h"
#include "vecidx.h"

/* A node met by a search. */
typedef struct VecIdxCandidate
{
	uint32		node;
	uint32		upper;			/* its upper slot on the level searched; none on level 0 */
	float		estimate;		/* order distance by the code */
	float		bound;			/* half-width of the interval around it */
} VecIdxCandidate;

/* Neighbours of a node at most; a build lets lists grow to half as many again before it prunes them. */
#define VECIDX_LIST_MAX		(2 * VECIDX_MAX_M)
#define VECIDX_BATCH_MAX	(VECIDX_LIST_MAX * 3 / 2)

/* The neighbours of a node that are new to a search. */
typedef struct VecIdxBatch
{
	int			count;
	VecIdxCandidate candidate[VECIDX_BATCH_MAX];
	const VecIdxCodeSlot *code[VECIDX_BATCH_MAX];	/* the source's: where it expects each code */
} VecIdxBatch;

/*
 * A source of nodes for one query.  The arena of a build and the pages of an
 * index are the two there are.
 */
typedef struct VecIdxSource VecIdxSource;
struct VecIdxSource
{
	/*
	 * A node is expanded in two steps, so that the memory of its neighbours
	 * can come while something else is done.  begin puts the neighbours of a
	 * candidate on a level that "visited" does not hold yet into the batch,
	 * and adds them to it; finish sets their estimates, and leaves out those
	 * that are gone.
	 */
	void		(*begin) (VecIdxSource *source, const VecIdxCandidate *from, int level,
						  VecIdxVisited *visited, VecIdxBatch *batch);
	void		(*finish) (VecIdxSource *source, VecIdxBatch *batch);

	/* Says that the node is likely to be expanded soon: has what that needs on its way. */
	void		(*prefetch) (VecIdxSource *source, const VecIdxCandidate *candidate, int level);

	/*
	 * Gives the nodes from which a search starts, with estimates, and on which
	 * level they stand: floor or higher.  Returns their number; 0 for an empty
	 * graph.  *batch is the source's own memory.
	 */
	int			(*enter) (VecIdxSource *source, int floor, int *level, VecIdxCandidate **batch);

	/*
	 * The rerank vector of a node (its code, where there is none), or NULL if
	 * the node is not live.  Good until the source is given its next query.
	 */
	const uint8 *(*vector) (VecIdxSource *source, uint32 node);
};

/* A possible neighbour of a node, for pruning. */
typedef struct VecIdxNeighbour
{
	uint32		node;
	uint32		upper;
	float		distance;		/* order distance to the node whose neighbours are chosen */
	const uint8 *vector;		/* rerank vector (code, where there is none) */
} VecIdxNeighbour;

/* For qsort: nearest first, the lower id among equals. */
extern int	vecidx_prune_compare(const void *a, const void *b);

/*
 * Keeps at most "room" of count neighbours, in place, and returns how many:
 * nearest first, each only if it is nearer to the node than to any neighbour
 * kept before (HNSW's heuristic, Malkov & Yashunin, algorithm 4).
 */
extern int	vecidx_prune(const VecIdxQuantizer *quantizer, VecIdxNeighbour *neighbours, int count, int room);

#endif							/* VECIDX_GRAPH_H */
