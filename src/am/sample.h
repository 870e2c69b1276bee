/*
 * sample.h
 *	  Rows drawn from a table by chance, as an index sees them.
 */
#ifndef VECIDX_SAMPLE_H
#define VECIDX_SAMPLE_H

#include "postgres.h"

#include "common/pg_prng.h"
#include "nodes/execnodes.h"
#include "storage/itemptr.h"
#include "utils/rel.h"

#include "graph/truth.h"
#include "type/type.h"

/* Whose rows they are. */
typedef struct VecIdxSampleSource
{
	Relation	heap;
	Relation	index;			/* or the table, where there is no index yet */
	IndexInfo  *info;			/* ii_Concurrent: the rows that a snapshot sees */
	const VecIdxType *type;
	MemoryContext row_context;	/* reset after each row */
} VecIdxSampleSource;

typedef struct VecIdxTableSample
{
	int			dimensions;		/* those expected, or 0 before the first row */
	int			room;
	int			count;
	double		seen;			/* rows offered */
	double		total;			/* rows of the table, estimated */
	float	   *rows;			/* count x dimensions, normalized */
	ItemPointerData *tids;
	pg_prng_state prng;
} VecIdxTableSample;

/*
 * Draws the same rows each time as long as the table stays the same.  The
 * sample is zero but for its dimensions; its rows go into the current memory
 * context.  Returns the number of heap rows if all blocks were looked at:
 * always so when no row was found.
 */
extern double vecidx_sample_table(const VecIdxSampleSource *source, VecIdxTableSample *sample);

/* Takes so many of the rows, evenly spread, as queries. */
extern VecIdxTruth *vecidx_sample_queries(const VecIdxTableSample *sample, VecIdxMetric metric, int count);

#endif							/* VECIDX_SAMPLE_H */
