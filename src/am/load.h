/*
 * load.h
 *	  The rows of a table, encoded, in temporary files.
 *
 * How many rows there are, and which id each gets, is known only when the
 * table has been read.  So each process of a build writes what it reads to
 * files of its own (spool.h): the vectors once, in order; and the sketches by
 * cell.  A cell is a part of space whose points there is memory for at a time;
 * a build with enough memory has one.  A row that lies between cells goes to all
 * of them: to all but the nearest as a guest.  Where there are several cells,
 * rows that stand on upper levels go to one more file, of all cells.
 */
#ifndef VECIDX_LOAD_H
#define VECIDX_LOAD_H

#include "postgres.h"

#include "access/tableam.h"
#include "nodes/execnodes.h"

#include "am/am.h"
#include "am/spool.h"
#include "graph/calibrate.h"
#include "graph/points.h"
#include "graph/truth.h"
#include "graph/weave.h"

/* Cells at most: each process has a file open for each. */
#define VECIDX_CELLS		250

/* What files hold. */
typedef enum VecIdxLoadKind
{
	VECIDX_LOAD_HOME,			/* VecIdxLoadPoint of the rows of a cell */
	VECIDX_LOAD_GUEST,			/* the same of its guests */
	VECIDX_LOAD_UPPER,			/* the same of rows on upper levels, of all cells; in cell 0 */
	VECIDX_LOAD_RAISED,			/* the same of rows that were raised to level 1; in cell 0 */
	VECIDX_LOAD_ROW,			/* of all rows as pages have them: code slot, rerank vector, filter row; in cell 0 */
	VECIDX_LOAD_LIST,			/* VecIdxLoadList of the rows of a cell */
	VECIDX_LOAD_KINDS
} VecIdxLoadKind;

/* A row as a graph sees it; its sketch follows. */
typedef struct VecIdxLoadPoint
{
	uint64		hash;
	VecIdxSketchKey key;
	uint32		place;			/* among the rows that its process read */
	uint16		process;
	uint16		cell;			/* where it is at home */
	ItemPointerData tid;
	uint16		level;
} VecIdxLoadPoint;

/* Neighbours of a row on level 0, by number, nearest first; the distances follow behind room of them. */
typedef struct VecIdxLoadList
{
	uint32		number;			/* whose they are */
	uint32		count;
	uint32		neighbours[FLEXIBLE_ARRAY_MEMBER];
} VecIdxLoadList;

/* What all processes of a build know; fixed once they start. */
typedef struct VecIdxLoadPlan
{
	const VecIdxType *type;
	const VecIdxQuantizer *quantizer;
	const VecIdxSketcher *sketcher;
	int			m;
	uint32		code_size;		/* of a code slot */
	uint32		vector_size;	/* of a rerank vector, or 0 */
	int			cells;
	const int8 *centres;		/* a sketch for each cell */
	VecIdxTruth *truth;			/* each process's own; NULL: nothing to calibrate */
	VecIdxFilterShape shape;
	uint8	   *held_filters;	/* filter rows of the queries of truth; shared */
} VecIdxLoadPlan;

/* What they tell each other; counts of records follow, of each kind, cell and process. */
typedef struct VecIdxLoadState
{
	pg_atomic_uint64 rows;		/* of all processes, to report progress by */
	double		heap_rows[VECIDX_TEAM_MAX];
	bool		loaded[VECIDX_TEAM_MAX];	/* the process took part */
	bool		held[VECIDX_CALIBRATE_QUERIES]; /* queries that are rows to be indexed later */
	uint64		counts[FLEXIBLE_ARRAY_MEMBER];
} VecIdxLoadState;

typedef struct VecIdxLoad
{
	/* fixed */
	VecIdxLoadPlan plan;
	VecIdxLoadState *state;
	VecIdxTeam *team;
	int			room;			/* of a list */
	Size		sizes[VECIDX_LOAD_KINDS];	/* of records */

	/* changes */
	VecIdxSpool *spools[VECIDX_LOAD_KINDS]; /* one for each cell */
	struct VecIdxLoadBatch *batch;
	void	   *record;			/* the largest */
	char	   *kept;			/* records of all rows, in shared memory; NULL: in files alone */
} VecIdxLoad;

extern Size vecidx_load_state_size(int cells, int processes);
extern void vecidx_load_init(VecIdxLoad *load, const VecIdxLoadPlan *plan, VecIdxLoadState *state, VecIdxTeam *team);

/* Reads this process's share of the table (scan NULL: all of it). */
extern void vecidx_load_table(VecIdxLoad *load, Relation heap, Relation index, IndexInfo *info, TableScanDesc scan);

/* All rows that were read. */
extern uint64 vecidx_load_total(VecIdxLoad *load);

/* Reads pieces of all rows into load->kept. */
extern void vecidx_load_keep(VecIdxLoad *load, VecIdxDeal *deal);

/* The record of a row, by number; scratch has room for one. */
extern const char *vecidx_load_fetch(VecIdxLoad *load, uint32 row, char *scratch);

/* Points of a cell, or on upper levels: of how many rows. */
extern uint64 vecidx_load_home(VecIdxLoad *load, int cell);
extern uint64 vecidx_load_guests(VecIdxLoad *load, int cell);
extern uint64 vecidx_load_uppers(VecIdxLoad *load);

/*
 * Reads pieces of a cell's points (home, then guests), or of those on upper
 * levels, into points, which have room for all; "tids" of all rows, by number.
 */
extern void vecidx_load_cell(VecIdxLoad *load, int cell, VecIdxPoints *points, ItemPointerData *tids, VecIdxDeal *deal);
extern void vecidx_load_upper_points(VecIdxLoad *load, VecIdxPoints *points, VecIdxDeal *deal);

/* Lets a point of a cell stand on level 1; the leader alone does so. */
extern void vecidx_load_raise(VecIdxLoad *load, const VecIdxPoints *points, uint32 point);

/* Writes a list for the cell that its row is at home in. */
extern void vecidx_load_put_list(VecIdxLoad *load, const VecIdxPoints *points, const VecIdxWoven *woven);

/* This process has written all lists. */
extern void vecidx_load_finish_lists(VecIdxLoad *load);

/* The parts of a row's record. */
static inline VecIdxCodeSlot *
vecidx_load_code(const void *record)
{
	return (VecIdxCodeSlot *) record;
}

static inline uint8 *
vecidx_load_vector(const VecIdxLoad *load, const void *record)
{
	if (load->plan.vector_size == 0)
		return (uint8 *) (vecidx_load_code(record) + 1);
	return (uint8 *) record + load->plan.code_size;
}

static inline uint8 *
vecidx_load_filter(const VecIdxLoad *load, const void *record)
{
	return (uint8 *) record + load->plan.code_size + load->plan.vector_size;
}

/* The distances of a list's record. */
static inline float *
vecidx_load_distances(const VecIdxLoad *load, const VecIdxLoadList *list)
{
	return (float *) (list->neighbours + load->room);
}

extern void vecidx_load_free(VecIdxLoad *load);

#endif							/* VECIDX_LOAD_H */
