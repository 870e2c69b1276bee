/*
 * graph.h
 *	  A graph of rows in memory, as a build of one process makes it.
 */
#ifndef FUZZ_GRAPH_H
#define FUZZ_GRAPH_H

#include "postgres.h"

#include "am/write.h"
#include "graph/levels.h"
#include "page/layout.h"

#define FUZZ_DIMENSIONS	64

typedef struct FuzzGraph
{
	float		centroid[FUZZ_DIMENSIONS];
	VecIdxLoad	load;			/* without files: all rows are kept */
	char	   *rows;			/* records, as a build has them */
	ItemPointerData *tids;
	VecIdxPoints points;
	Size		compared;		/* bytes by which twins are told */
	VecIdxLevelPlan plan;
	VecIdxLevels levels;
} FuzzGraph;

/*
 * Makes points of count normalized rows, without TIDs, and finds the twins.
 * The centroid is set.
 */
extern void fuzz_graph_points(FuzzGraph *graph, const VecIdxMetaFixed *fixed, const float *rows, int count);

/* Makes the graph; in another order, as if several processes had, if that is wanted. */
extern void fuzz_graph_weave(FuzzGraph *graph, bool shuffled);

/* Writes an index of it. */
extern void fuzz_graph_write(FuzzGraph *graph, Relation index, VecIdxMetaFixed *fixed);

#endif							/* FUZZ_GRAPH_H */
