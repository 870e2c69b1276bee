/*
 * search.h
 *	  Beam search over a source (Malkov & Yashunin, algorithm 2), resumable,
 *	  that stops by distance.
 */
#ifndef VECIDX_SEARCH_H
#define VECIDX_SEARCH_H

#include "graph/graph.h"
#include "graph/heap.h"
#include "graph/nearest.h"

/*
 * When a search is done: when the nearest unexpanded node is farther than the
 * width-th nearest met, its distance stretched by a factor (Al-Jazzazi et al.,
 * arXiv 2505.15636).  A stretch of 1 gives the plain beam of HNSW.
 *
 * The rule speaks of squared Euclidean distances.  shift is what makes them
 * (or a multiple of them) of order distances: 0 for L2, 1 for cosine, whose
 * order distance -<o, q> is half the squared distance of unit vectors less 1;
 * vecidx_stop_shift() knows.
 */
typedef struct VecIdxStop
{
	uint32		width;
	float		stretch;		/* of squared distances, >= 1 */
	float		shift;
	uint32		limit;			/* nodes to expand at most */
} VecIdxStop;

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
	VecIdxHeap	frontier;		/* those to be expanded, by estimate: indexes into found[] */
	uint32		expanded;		/* nodes expanded */

	/* the rule in force; its width is 0 before the first run */
	VecIdxStop	stop;
	VecIdxNearest beam;			/* the best estimates; its room is the width */
	uint32		beam_room;		/* allocated */
	float		threshold;		/* nodes beyond it are not expanded */
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
 * Searches on until the rule says stop.  May be called again with another rule
 * to go on.  Returns false when fewer nodes than the rule's width can be
 * reached, all of which have been met.
 */
extern bool vecidx_search_run(VecIdxSearch *search, int level, const VecIdxStop *stop);

/*
 * The steps of a search, for one that is led in another way (sift.h): puts a
 * rule in force; takes the nearest node to be expanded, false if the rule says
 * stop; meets a node that has not been visited, and tells if it is worth
 * expanding.
 */
extern void vecidx_search_rule(VecIdxSearch *search, const VecIdxStop *stop);
extern bool vecidx_search_next(VecIdxSearch *search, VecIdxCandidate *nearest);
extern bool vecidx_search_meet(VecIdxSearch *search, const VecIdxCandidate *candidate);

/* The same with a beam of ef and no stretch. */
extern bool vecidx_search_beam(VecIdxSearch *search, int level, uint32 ef);

/* The nearest node met, or NULL. */
extern const VecIdxCandidate *vecidx_search_nearest(const VecIdxSearch *search);

/*
 * Makes the best "count" nodes met the seeds of the level below: resets the
 * search.  Their upper slots go one level down with them.
 */
extern void vecidx_search_lower(VecIdxSearch *search, int level, uint32 count);

#endif							/* VECIDX_SEARCH_H */
