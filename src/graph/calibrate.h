/*
 * calibrate.h
 *	  Which beam width reaches which recall: measured when an index is built.
 *
 * Rows of a sample serve as queries.  While the build reads the table it
 * notes the true neighbours of each, by exact distance; afterwards it runs
 * them through the finished index with beams of growing width.  A query's own
 * node is hidden from the search: it would lead straight to the answer, which
 * no new query has.
 */
#ifndef VECIDX_CALIBRATE_H
#define VECIDX_CALIBRATE_H

#include "storage/itemptr.h"

#include "graph/store.h"

#define VECIDX_CALIBRATE_QUERIES	256

/* Queries and what is known of their true neighbours. */
typedef struct VecIdxTruth VecIdxTruth;

extern VecIdxTruth *vecidx_truth_create(VecIdxMetric metric, int dimensions, int count);

/* Sets a query: a normalized row and where it came from. */
extern void vecidx_truth_query(VecIdxTruth *truth, int query, const float *row, const ItemPointerData *tid);

/* A row of the table went to a node. */
extern void vecidx_truth_note(VecIdxTruth *truth, const float *row, ItemPointer tid, uint32 node);

/* Nodes have got other ids: new = ids[old]. */
extern void vecidx_truth_renumber(VecIdxTruth *truth, const uint32 *ids);

/* Fills in fixed->beam and fixed->calibrated. */
extern void vecidx_calibrate(VecIdxHandle *handle, VecIdxTruth *truth, VecIdxMetaFixed *fixed);

/* The beam width for a recall target and a number of results, by the table. */
extern uint32 vecidx_calibrate_beam(const VecIdxMetaFixed *fixed, double recall, uint32 count);

/* The rows and columns of the table. */
extern const double vecidx_calibrate_targets[VECIDX_TARGETS];
extern const uint32 vecidx_calibrate_counts[VECIDX_TARGET_KS];

#endif							/* VECIDX_CALIBRATE_H */
