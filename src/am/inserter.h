/*
 * inserter.h
 *	  A row's way into the pages: what insert.c, twin.c, raise.c and back.c share.
 */
#ifndef VECIDX_INSERTER_H
#define VECIDX_INSERTER_H

#include "am/am.h"
#include "graph/search.h"

struct VecIdxInserter
{
	/* fixed */
	VecIdxHandle *handle;
	bool		logged;
	MemoryContext context;
	MemoryContext work;			/* reset after each row */
	double		level_scale;
	Size		vector_size;

	/* the row under way */
	VecIdxStore store;
	VecIdxSearch search;		/* set up, like the next two, for the first row that is encoded */
	void	   *query_memory;
	void	   *scratch;
	VecIdxCodeSlot *code;
	VecIdxRerankSlot *rerank;
	VecIdxAdjacencySlot *adjacency;
	VecIdxUpperSlot *upper;
	uint8	   *filter;			/* its filter row */
	VecIdxArrival arrival;
	uint32		epoch;			/* of the metapage when the search began, or later */
	uint32		twin_version;	/* which life of the twin has our vector */

	uint64		attached;		/* rows, so far, that belong to a node that there was */
};

/* Takes an id from the free list or from the end; the version for its next life.  False: no room. */
extern bool vecidx_inserter_take(VecIdxInserter *inserter, VecIdxMeta *meta, uint32 *node, uint32 *version);

/* Fills in what the code and rerank slots have to say of the id. */
extern void vecidx_inserter_seal(VecIdxInserter *inserter, uint32 node, uint32 version, VecIdxState state);

/*
 * Writes the code and rerank slots of an id that is being given out, sealed, by
 * records of their own: both, or those that span pages.
 */
extern void vecidx_inserter_write(VecIdxInserter *inserter, uint32 node, uint32 smallest_span);

#endif							/* VECIDX_INSERTER_H */
