/*
 * search.h
 *	  Beam search over a source (Malkov & Yashunin, algorithm 2), resumable.
 */
#ifndef VECIDX_SEARCH_H
#define VECIDX_SEARCH_H

#include "graph/graph.h"
#include "graph/nearest.h"

typedef struct VecIdxSearch
{
	/* fixed */
	VecIdxSource *source;
	MemoryContext context;
	uint32		avoided;		/* a node that the search must not meet, or none */

	/* the level's state */
	VecIdxVisited visited;
	VecIdxCandidate *found;		/* every node met on the level, in order of meeting */
	bool	   *queued;			/* for each: is or was it in the frontier? */
	uint32		found_count;
	uint32		found_room;
	uint32	   *frontier;		/* min-heap by estimate of indexes into found[] */
	uint32		frontier_count;
	uint32		frontier_room;
	VecIdxNearest beam;			/* the best estimates; its room is ef, 0 before the first run */
	uint32		beam_room;		/* allocated */
} VecIdxSearch;

/* context holds all that the search allocates. */
extern void vecidx_search_init(VecIdxSearch *search, VecIdxSource *source, MemoryContext context);

/* Forgets all nodes met, to start on another level or with another query. */
extern void vecidx_search_reset(VecIdxSearch *search);

/*
 * Goes from the source's entry to "level" with a beam of one on each level
 * above, and seeds the search there.  Returns false for an empty graph.
 */
extern bool vecidx_search_descend(VecIdxSearch *search, int level);

/* Adds a starting node to the level's search. */
extern void vecidx_search_seed(VecIdxSearch *search, const VecIdxCandidate *candidate);

/*
 * Searches on until no unexpanded node can improve the ef best.  May be called
 * again with a larger ef to go on.  Returns false once the frontier is empty:
 * all that can be reached has been met.
 */
extern bool vecidx_search_run(VecIdxSearch *search, int level, uint32 ef);

/* The nearest node met, or NULL. */
extern const VecIdxCandidate *vecidx_search_nearest(const VecIdxSearch *search);

/*
 * Makes the best "count" nodes met the seeds of the level below: resets the
 * search.  Their upper slots go one level down with them.
 */
extern void vecidx_search_lower(VecIdxSearch *search, int level, uint32 count);

#endif							/* VECIDX_SEARCH_H */
