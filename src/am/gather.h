/*
 * gather.h
 *	  The rows of nodes: TIDs read under lock, and what a filter says of them
 *	  then.
 */
#ifndef VECIDX_GATHER_H
#define VECIDX_GATHER_H

#include "filter/predicate.h"
#include "graph/store.h"

typedef struct VecIdxGather
{
	/* fixed */
	VecIdxStore *store;
	VecIdxPredicate *predicate; /* NULL: all rows are wanted */
	VecIdxAdjacencySlot *adjacency;
	uint8	   *filter;

	/* rows at hand */
	ItemPointerData *tids;
	uint32		count;
	uint32		room;
	uint32		next;			/* for the reader's use */
	bool		recheck;		/* some may not be what the filter wants */

	/* under a filter, the extensions from which some of them are */
	uint32	   *extension;
	uint32		extensions;
	uint32		extension_room;
} VecIdxGather;

extern void vecidx_gather_init(VecIdxGather *gather, VecIdxStore *store, VecIdxPredicate *predicate);

/* Forgets the rows at hand. */
extern void vecidx_gather_clear(VecIdxGather *gather);

/*
 * Gathers the rows of a node, extensions included, behind those at hand; none
 * if it has been freed or has become another node since "version" (if that is
 * not VECIDX_NONE) was seen.  "any" takes those that the filter does not want
 * as well.
 */
extern void vecidx_gather_node(VecIdxGather *gather, uint32 node, uint32 version, bool any);

/* The same for the rows of one slot, be it a node's or an extension. */
extern void vecidx_gather_slot(VecIdxGather *gather, uint32 slot, uint32 version);

#endif							/* VECIDX_GATHER_H */
