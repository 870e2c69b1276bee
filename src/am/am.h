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

/* What the index's operator class says of its first column, the vector. */
extern const VecIdxType *vecidx_row_type(Relation index);

/* Errors unless the first column is a vector and all others are filter columns. */
extern void vecidx_row_check_columns(Relation index);

/*
 * Decodes a datum into floats that may be indexed or sought: checks
 * dimensions (if expected > 0), finiteness, and normalizes for cosine.
 * Returns palloc'd floats and sets *dimensions, or NULL for a row that has no
 * place in the index (cosine of a zero vector).  Errors name the index, or,
 * where there is none yet, the table that is given in its place.
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

/* A row's way into the pages; also that of the rows which a build holds back. */
typedef struct VecIdxInserter VecIdxInserter;

extern VecIdxInserter *vecidx_inserter_create(VecIdxHandle *handle, bool logged);

/*
 * Inserts a normalized row with its filter row, which may be NULL in an index
 * without filter columns; returns its node.  attached: a row with an equal
 * vector is likely to be there.
 */
extern uint32 vecidx_inserter_add(VecIdxInserter *inserter, const float *row, const uint8 *filter, ItemPointer tid,
								  bool attached);
extern void vecidx_inserter_free(VecIdxInserter *inserter);

/* edge.c: changes of neighbour lists, for insert and vacuum */

/* A change of the neighbours of a node, or of the links of an upper slot. */
typedef struct VecIdxEdge
{
	VecIdxRunKind run;			/* adjacency or upper */
	uint32		slot;			/* node or upper slot */
	uint32		owner;			/* node */
	void	   *seen;			/* copy of the slot that the change was worked out from */
	void	   *wanted;			/* the same with another list */
	bool		written;		/* false if the slot is no longer as seen */
	BlockNumber block;			/* where it is */
} VecIdxEdge;

/* Copies the slot that run and slot tell into "seen" and "wanted". */
extern void vecidx_edge_look(VecIdxHandle *handle, VecIdxEdge *edge);

/* Is what was seen still a list of its owner, which lives, on that level? */
extern bool vecidx_edge_lives(const VecIdxEdge *edge, int level);

/* The list that was seen, without vectors; at most "room" of them.  Returns their number. */
extern int	vecidx_edge_list(const VecIdxEdge *edge, VecIdxNeighbour *neighbours, int room);

/* Makes these the list of "wanted", in an order that differs little from that of "seen". */
extern void vecidx_edge_want(VecIdxEdge *edge, const VecIdxNeighbour *neighbours, int count);

/*
 * Writes those lists whose slots are still as seen, with one record for up to
 * four pages.  Those that are not come first in edges[] afterwards; returns
 * their number.
 */
extern int	vecidx_edges_write(VecIdxHandle *handle, VecIdxEdge *edges, int count, bool logged);

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
