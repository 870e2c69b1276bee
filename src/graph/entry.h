/*
 * entry.h
 *	  Where searches of an index start: all nodes of one upper level.
 */
#ifndef VECIDX_ENTRY_H
#define VECIDX_ENTRY_H

#include "graph/store.h"

/* A level of up to this many nodes is looked at as a whole. */
#define VECIDX_ENTRY_MAX	512

/*
 * The entry nodes with a copy of their code slots, kept with the handle.
 * They only steer: a node of the list may have been freed since.
 */
struct VecIdxEntries
{
	MemoryContext context;		/* holds all of it */

	/* the metapage when the list was made */
	uint32		epoch;
	uint32		entry;
	uint32		level_nodes;	/* on the list's level */

	int			level;
	uint32		count;
	VecIdxCandidate *batch;		/* node and upper slot of each */
	char	   *codes;			/* their code slots, one after the other, */
	const uint8 **bits;			/* and what estimates need of each */
	float	   *f0;
	float	   *f1;
	float	   *error;
	float	   *estimates;		/* for the query under way */
	float	   *bounds;
};

/* The list, made if need be; NULL for an empty graph. */
extern VecIdxEntries *vecidx_entries_get(VecIdxStore *store);

#endif							/* VECIDX_ENTRY_H */
