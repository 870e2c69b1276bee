/*
 * truth.h
 *	  Queries and their true neighbours, by exact distance, noted while the
 *	  rows of a table pass by.
 */
#ifndef VECIDX_TRUTH_H
#define VECIDX_TRUTH_H

#include "postgres.h"

#include "storage/itemptr.h"
#include "utils/hsearch.h"

#include "quant/quant.h"
#include "quant/sketch.h"
#include "vecidx.h"

/*
 * Neighbours kept of each query: the largest count that is measured, the
 * query itself, and some for its duplicates.
 */
#define VECIDX_TRUTH_KEPT	112

/* Rows noted at once, at most. */
#define VECIDX_TRUTH_ROWS	64

typedef struct VecIdxTrueNeighbour
{
	uint32		node;			/* none until vecidx_truth_resolve */
	float		distance;
	ItemPointerData tid;
} VecIdxTrueNeighbour;

typedef struct VecIdxTruth
{
	/* fixed */
	VecIdxMetric metric;
	int			dimensions;
	int			count;

	/* filled in */
	float	   *rows;			/* the queries, normalized */
	ItemPointerData *tids;		/* where each comes from; invalid: not from the table */
	uint32	   *self;			/* the node of each; none where it is not in the index */
	float	   *own;			/* order distance of each to itself */
	float	   *squares;		/* squared norm of each */
	bool	   *skipped;		/* for each: not to be measured with */
	int			used;			/* queries that are not skipped, once settled */
	int		   *kept;			/* number of true neighbours of each */
	VecIdxTrueNeighbour *neighbours;	/* VECIDX_TRUTH_KEPT of each: a max-heap, sorted once settled */
	float		norm;			/* largest norm of a row (inner product) */
	struct VecIdxScreen *screen;	/* NULL before it is wanted */
	float	   *panels;			/* of the queries (kernel.h); NULL before they are wanted */
	float	   *products;		/* of rows with them */
	HTAB	   *places;			/* number of each query, by TID; NULL before the first look */
	HTAB	   *unresolved;		/* rows whose node is not known, by TID; NULL before the first resolve */
} VecIdxTruth;

extern VecIdxTruth *vecidx_truth_create(VecIdxMetric metric, int dimensions, int count);

/* Sets a query: a normalized row and where it came from (NULL: from outside). */
extern void vecidx_truth_query(VecIdxTruth *truth, int query, const float *row, const ItemPointerData *tid);

/* The query that comes from that row, -1 if none does. */
extern int	vecidx_truth_find(VecIdxTruth *truth, ItemPointer tid);

/* A row of the table went to a node; VECIDX_NONE if that is not known yet. */
extern void vecidx_truth_note(VecIdxTruth *truth, const float *row, ItemPointer tid, uint32 node);

/* Rows that come together: row after row, normalized, with their sketches. */
typedef struct VecIdxTruthBatch
{
	const float *rows;
	const int8 *sketches;
	const ItemPointerData *tids;
	int			count;			/* at most VECIDX_TRUTH_ROWS */
} VecIdxTruthBatch;

/*
 * The same for rows that come together, whose nodes are not known yet; in less
 * time, as most are seen to be far by their sketches, or by products made
 * together.
 */
extern void vecidx_truth_note_rows(VecIdxTruth *truth, const VecIdxSketcher *sketcher, const VecIdxTruthBatch *batch);

/* What was noted, as bytes that another process can join to what it noted of the same queries. */
extern Size vecidx_truth_notes_size(int count);
extern void vecidx_truth_store_notes(const VecIdxTruth *truth, void *notes);
extern void vecidx_truth_join_notes(VecIdxTruth *truth, const void *notes);

/* Takes over what another process has settled of the same queries. */
extern void vecidx_truth_take_notes(VecIdxTruth *truth, const void *notes);

/* Tells the node of a row, for all that were noted without. */
extern void vecidx_truth_resolve(VecIdxTruth *truth, ItemPointer tid, uint32 node);

/*
 * All rows have passed: sorts each query's neighbours and takes the query
 * itself out.  Queries from the table that have an equal row there are skipped
 * if enough others remain: new queries seldom have one, and it leads straight
 * to the others.
 */
extern void vecidx_truth_settle(VecIdxTruth *truth);

/*
 * How many of the distances found are right: no farther than the last of
 * true_count true ones, give or take rounding; at most true_count.
 */
extern int	vecidx_truth_right(const double *found, int count, double last, int true_count);

/* The exact order distance of two normalized rows. */
extern float vecidx_truth_distance(VecIdxMetric metric, const float *a, const float *b, int dimensions);

#endif							/* VECIDX_TRUTH_H */
