/*
 * monitor.h
 *	  What the functions that look at a whole index share.
 */
#ifndef VECIDX_MONITOR_H
#define VECIDX_MONITOR_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "storage/lockdefs.h"
#include "utils/array.h"
#include "utils/rel.h"

#include "page/handle.h"
#include "type/type.h"

/* An index and its table, opened and locked. */
typedef struct VecIdxTarget
{
	Relation	table;
	Relation	index;
	LOCKMODE	lock;			/* on the table */
} VecIdxTarget;

/* The table of a vecidx index; errors for anything else.  Takes no lock, so that rights can be looked at first. */
extern Oid	vecidx_monitor_table(Oid index);

/* Errors unless the user may read the table (or owns it): who may, may also know of its index and have it in memory. */
extern void vecidx_monitor_check_reader(Oid table);

/*
 * Locks the table, then the index (AccessShareLock).  Errors for another
 * session's temporary index, whose pages cannot be seen, and for one without
 * pages.
 */
extern void vecidx_monitor_open(VecIdxTarget *target, Oid index, Oid table, LOCKMODE lock);

/*
 * What most set-returning functions begin with: the index that is the first
 * argument, for who may read its table, opened with AccessShareLock, and where
 * the rows go.
 */
extern ReturnSetInfo *vecidx_monitor_begin(FunctionCallInfo fcinfo, VecIdxTarget *target);
extern void vecidx_monitor_close(VecIdxTarget *target);

/* Errors where policies hide rows of the table from the caller, or from its owner; "detail" is a sentence that says why that matters. */
extern void vecidx_monitor_require_all_rows(Relation table, const char *detail);

/* names.c: what options call what an index has. */
extern const char *vecidx_rerank_name(const VecIdxMetaFixed *fixed);
extern const char *vecidx_quantizer_name(const VecIdxMetaFixed *fixed);

/* Errors unless queries may use the index. */
extern void vecidx_monitor_require_valid(const VecIdxTarget *target);

/*
 * The functions in an index's expressions and predicate are run as the table's
 * owner, as CREATE INDEX does.  What is set between take and drop is undone;
 * an error drops by itself.
 */
typedef struct VecIdxGuise
{
	Oid			user;
	int			security;
	int			settings;		/* nesting level */
} VecIdxGuise;

extern void vecidx_guise_take(VecIdxGuise *guise, Relation table);
extern void vecidx_guise_drop(const VecIdxGuise *guise);

/* given.c: queries that the user gives, as an array. */
typedef struct VecIdxGiven
{
	ArrayType  *array;
	const VecIdxDecoder *decoder;	/* of a query */
	Oid			type;			/* of a query */
	int			slice;			/* dimensions of the array that make one query */
	int			count;
} VecIdxGiven;

/* Errors unless the array has the type and shape of queries for the index. */
extern VecIdxGiven vecidx_given_look(Relation index, ArrayType *array);

/* Called in a memory context that is reset afterwards; an error tells which query it was. */
typedef void (*VecIdxGivenVisitor) (void *state, Datum value, const VecIdxGiven *given);

/* Visits at most so many of the queries, evenly spread.  Errors on NULLs among them. */
extern void vecidx_given_visit(const VecIdxGiven *given, int most, VecIdxGivenVisitor visit, void *state);

/* What a pass does with a slot; bytes is a copy, and aligned as on the page (but for a filter row, put together). */
typedef void (*VecIdxSlotVisitor) (void *state, uint32 slot, const void *bytes);

/*
 * Visits the slots of a run below "end", in order.  Each page is copied under
 * share lock, and its header is checked; checksums are the visitor's business.
 */
extern void vecidx_monitor_visit(VecIdxHandle *handle, VecIdxRunKind run, uint32 end,
								 VecIdxSlotVisitor visit, void *state);

/* ranges.c: which blocks hold what. */
typedef struct VecIdxRange
{
	BlockNumber first;
	BlockNumber count;
} VecIdxRange;

/* Zero but for "file" before the first range is added; grows in CurrentMemoryContext. */
typedef struct VecIdxRanges
{
	BlockNumber file;			/* blocks of the file: a crash may have cut off pages that nothing was written to yet */
	VecIdxRange *range;
	uint32		count;
	uint32		room;
	uint64		total;			/* blocks in all ranges */
} VecIdxRanges;

/* The pages of a run, in each extent, that hold its slots below "end". */
extern void vecidx_ranges_add_run(VecIdxRanges *ranges, const VecIdxHandle *handle, VecIdxRunKind run, uint32 end);

/* Metapage, centroid and directory. */
extern void vecidx_ranges_add_meta(VecIdxRanges *ranges, const VecIdxHandle *handle);

/* Of the pages that all searches need (all but rerank vectors): the share that is in shared buffers. */
extern double vecidx_hot_resident(const VecIdxHandle *handle);

/* What the file has ahead of its use. */
extern void vecidx_ranges_add_spare(VecIdxRanges *ranges, const VecIdxHandle *handle);

/*
 * drift.c: how far the rows that came after the build lie from its centroid.
 * A sample of them, evenly spread, is noted in a pass over all adjacency
 * slots; stride is 1 and all else 0 before.
 */
#define VECIDX_DRIFT_SAMPLE		2048
#define VECIDX_DRIFT_LEAST		100	/* fewer tell nothing */

typedef struct VecIdxDrift
{
	uint64		met;			/* nodes born after the build */
	uint32		stride;			/* one in so many is noted */
	uint32		count;
	uint32		nodes[VECIDX_DRIFT_SAMPLE];
} VecIdxDrift;

extern void vecidx_drift_note(VecIdxDrift *drift, const VecIdxHandle *handle, const VecIdxAdjacencySlot *slot);

/* 0: their centre is the build's centroid; 1: they are all in one place, and elsewhere. */
extern double vecidx_drift_measure(const VecIdxDrift *drift, VecIdxHandle *handle);

/* count.c: what a pass over all adjacency slots, and a walk along all links, tell of an index. */
typedef struct VecIdxCount
{
	uint32		states[VECIDX_EXTENSION + 1];	/* slots in each state */
	uint64		tids;
	uint32		unreached;		/* live nodes that no link of level 0 leads to from the entry */
	double		drift;			/* NAN: too few rows to tell */
} VecIdxCount;

/* The numbers are of one moment only if nobody writes meanwhile.  Nodes younger than the handle's state do not count. */
extern void vecidx_count(VecIdxHandle *handle, VecIdxCount *count);

#endif							/* VECIDX_MONITOR_H */
