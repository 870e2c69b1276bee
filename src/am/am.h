/*
 * am.h
 *	  What the access method's callbacks share.
 */
#ifndef VECIDX_AM_H
#define VECIDX_AM_H

#include "postgres.h"

#include "access/amapi.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "graph/link.h"
#include "graph/store.h"
#include "page/handle.h"
#include "type/type.h"

/* row.c: from datums to rows */

/* What the index's operator class says of its column. */
extern const VecIdxType *vecidx_row_type(Relation index);

/*
 * Decodes a datum into floats that may be indexed or sought: checks
 * dimensions (if expected > 0), finiteness, and normalizes for cosine.
 * Returns palloc'd floats and sets *dimensions, or NULL for a row that has no
 * place in the index (cosine of a zero vector).
 */
extern float *vecidx_row_decode(Relation index, const VecIdxDecoder *decoder, VecIdxMetric metric,
								Datum value, int expected, int *dimensions);

/* Dimensions by the column's type modifier or the option; 0 if neither tells. */
extern int	vecidx_row_declared_dimensions(Relation index);

/* build.c */
extern IndexBuildResult *vecidx_build(Relation heap, Relation index, IndexInfo *info);
extern void vecidx_build_empty(Relation index);
extern char *vecidx_build_phase(int64 phase);

/* The fixed part of a metapage as the options and the dimensions have it. */
extern void vecidx_build_fixed(Relation index, int dimensions, VecIdxMetaFixed *fixed);

/* insert.c */
extern bool vecidx_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap,
						  IndexUniqueCheck unique, bool unchanged, IndexInfo *info);

/* A row's way into the pages; also used by a build that has run out of memory. */
typedef struct VecIdxInserter VecIdxInserter;

extern VecIdxInserter *vecidx_inserter_create(VecIdxHandle *handle, bool logged);

/* Inserts a normalized row; returns its node. */
extern uint32 vecidx_inserter_add(VecIdxInserter *inserter, const float *row, ItemPointer tid);
extern void vecidx_inserter_free(VecIdxInserter *inserter);

/* edge.c: changes of neighbour lists, for insert and vacuum */

/* Replaces a node's neighbours if the slot is still as "seen"; false if it has changed. */
extern bool vecidx_edge_replace(VecIdxHandle *handle, const VecIdxAdjacencySlot *seen,
								const uint32 *neighbours, int count, bool logged);
extern bool vecidx_edge_replace_upper(VecIdxHandle *handle, uint32 upper, const VecIdxUpperSlot *seen,
									  const VecIdxUpperLink *links, int count, bool logged);

/* scan.c */

/* Rows of a scan's first batch, if the query does not tell how many it wants. */
#define VECIDX_FIRST_BATCH	10

extern IndexScanDesc vecidx_beginscan(Relation index, int nkeys, int norderbys);
extern void vecidx_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys);
extern bool vecidx_gettuple(IndexScanDesc scan, ScanDirection direction);
extern void vecidx_endscan(IndexScanDesc scan);

/* vacuum.c */
extern IndexBulkDeleteResult *vecidx_bulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
												IndexBulkDeleteCallback callback, void *state);
extern IndexBulkDeleteResult *vecidx_vacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats);

/* cost.c */
extern void vecidx_costestimate(PlannerInfo *root, IndexPath *path, double loop_count,
								Cost *startup_cost, Cost *total_cost, Selectivity *selectivity,
								double *correlation, double *pages);

#endif							/* VECIDX_AM_H */
