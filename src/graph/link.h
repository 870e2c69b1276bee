/*
 * link.h
 *	  Where a new node goes: its twin, if there is one, or its neighbours.
 */
#ifndef VECIDX_LINK_H
#define VECIDX_LINK_H

#include "graph/search.h"

/* A row on its way into a graph. */
typedef struct VecIdxArrival
{
	/* fixed */
	const VecIdxQuantizer *quantizer;
	const VecIdxQuery *query;	/* the row as a query */
	const uint8 *vector;		/* its rerank vector (code, where there is none) */
	Size		vector_size;
	int			m;
	uint32		ef;				/* beam width */
	int			level;			/* highest level that the node shall reach */

	/* found by vecidx_link_find */
	uint32		twin;			/* a live node with an equal vector, or none */
	int			top;			/* highest level with neighbours: min(level, the graph's) */
	int			count[VECIDX_MAX_LEVEL + 1];
	VecIdxNeighbour *neighbours[VECIDX_MAX_LEVEL + 1];
} VecIdxArrival;

/* Most neighbours of a node on a level. */
static inline int
vecidx_link_room(int m, int level)
{
	return level == 0 ? 2 * m : m;
}

/*
 * Searches the graph for the arrival's neighbours on each of its levels.
 * Allocates in CurrentMemoryContext.  graph_level is the graph's highest
 * level; -1 for an empty graph.
 */
extern void vecidx_link_find(VecIdxSearch *search, VecIdxArrival *arrival, int graph_level);

#endif							/* VECIDX_LINK_H */
