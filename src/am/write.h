/*
 * write.h
 *	  From rows and their graph to pages: the base extent of a new index.
 *
 * The leader begins: fixes what the extent holds, writes what lies before it.
 * Then any number of processes write its pages, each with a writer of its own.
 * In the end the leader writes the metapage.
 */
#ifndef VECIDX_WRITE_H
#define VECIDX_WRITE_H

#include "am/join.h"
#include "am/load.h"
#include "am/number.h"
#include "am/roll.h"
#include "graph/levels.h"
#include "page/handle.h"

/* What is to be written; for all processes the same. */
typedef struct VecIdxWritePlan
{
	Relation	index;
	const VecIdxMetaFixed *fixed;	/* as vecidx_write_begin left it */
	VecIdxLoad *load;			/* for rows */
	const VecIdxRoll *roll;
	const VecIdxNumbers *numbers;
	const VecIdxLevels *levels; /* all, or those above the lowest; */
	const VecIdxJoined *joined; /* then lists of the lowest are here */
} VecIdxWritePlan;

/* Units of each run: pages, or slots where these span pages. */
typedef struct VecIdxWriteTask
{
	uint32		from[VECIDX_RUNS];
	uint32		to[VECIDX_RUNS];
} VecIdxWriteTask;

typedef struct VecIdxWriter VecIdxWriter;

/*
 * Writes a metapage and the centroid to an empty fork, without WAL; reserve: room
 * for so many more nodes is wanted.  Fills in the rest of *fixed.
 */
extern void vecidx_write_begin(const struct VecIdxNumbered *numbered, Relation index, const float *centroid,
							   uint32 reserve, VecIdxMetaFixed *fixed);

extern VecIdxWriter *vecidx_writer_create(const VecIdxWritePlan *plan);

/* All units. */
extern void vecidx_write_all(const VecIdxWriter *writer, VecIdxWriteTask *task);

/* Slots on a page of adjacency slots. */
extern uint32 vecidx_writer_per_page(const VecIdxWriter *writer);

/* Writes those units of a task that no other process has taken. */
extern void vecidx_write_units(VecIdxWriter *writer, const VecIdxWriteTask *task, VecIdxDeal *deal);

/* Writes the metapage again, as all nodes are there. */
extern void vecidx_write_meta(VecIdxWriter *writer);

/* The metapage alone, for an index without rows. */
extern void vecidx_write_empty(Relation index, ForkNumber fork, const VecIdxMetaFixed *fixed, bool logged);

#endif							/* VECIDX_WRITE_H */
