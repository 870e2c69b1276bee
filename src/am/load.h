/*
 * load.h
 *	  From rows of the table to points in memory, by way of temporary files.
 *
 * How many points there will be is known only when the table has been read.
 * So each process of a build writes what it reads, encoded, to files of its
 * own; then memory is made to measure, and the files are read into it.  A file
 * holds the records of one cell: a build that has memory for all points at
 * once has one cell.
 */
#ifndef VECIDX_LOAD_H
#define VECIDX_LOAD_H

#include "postgres.h"

#include "access/tableam.h"
#include "nodes/execnodes.h"
#include "storage/buffile.h"

#include "am/am.h"
#include "am/team.h"
#include "graph/calibrate.h"
#include "graph/truth.h"

/* What all processes of a build know; fixed once they start. */
typedef struct VecIdxLoadPlan
{
	const VecIdxType *type;
	const VecIdxQuantizer *quantizer;
	const VecIdxSketcher *sketcher;
	VecIdxPointShape shape;
	VecIdxTruth *truth;			/* each process's own; NULL: nothing to calibrate */
} VecIdxLoadPlan;

/* What they tell each other. */
typedef struct VecIdxLoadCounts
{
	pg_atomic_uint64 rows;		/* of all processes, to report progress by */
	double		heap_rows[VECIDX_TEAM_MAX];
	uint64		records[VECIDX_TEAM_MAX];
	bool		loaded[VECIDX_TEAM_MAX];	/* the process took part */
	bool		held[VECIDX_CALIBRATE_QUERIES]; /* queries that are rows to be indexed later */
} VecIdxLoadCounts;

typedef struct VecIdxLoad VecIdxLoad;

extern VecIdxLoad *vecidx_load_create(const VecIdxLoadPlan *plan, VecIdxLoadCounts *counts, VecIdxTeam *team);

/* Reads this process's share of the table (scan NULL: all of it). */
extern void vecidx_load_table(VecIdxLoad *load, Relation heap, Relation index, IndexInfo *info, TableScanDesc scan);

/* Reads pieces of what all processes wrote into points, which have room for all; hashes as vecidx_points_hash. */
extern void vecidx_load_points(VecIdxLoad *load, VecIdxPoints *points, uint64 *hashes, VecIdxDeal *deal);

/* Records that all processes wrote. */
extern uint64 vecidx_load_total(const VecIdxLoadCounts *counts);

extern void vecidx_load_free(VecIdxLoad *load);

#endif							/* VECIDX_LOAD_H */
