/*
 * build.h
 *	  What the files that build an index share.
 *
 * build.c is the order of things; prepare.c decides what cannot change later;
 * share.c brings it to the helpers; step.c is what all processes do; make.c
 * leads them to a graph, finish.c to pages.
 */
#ifndef VECIDX_BUILD_H
#define VECIDX_BUILD_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "am/am.h"
#include "am/load.h"
#include "am/phases.h"
#include "am/sample.h"
#include "am/team.h"
#include "am/write.h"
#include "graph/calibrate.h"
#include "graph/levels.h"

/* Phases of a build, as progress is reported. */
typedef enum VecIdxBuildPhase
{
	VECIDX_PHASE_SAMPLE = 2,
	VECIDX_PHASE_LOAD,
	VECIDX_PHASE_PARTITION,
	VECIDX_PHASE_LINK,
	VECIDX_PHASE_WRITE,
	VECIDX_PHASE_CALIBRATE,
	VECIDX_PHASE_INSERT,
	VECIDX_PHASE_LOG
} VecIdxBuildPhase;

/* Pieces of the team's memory. */
typedef enum VecIdxBuildPiece
{
	VECIDX_PIECE_ROLL,
	VECIDX_PIECE_POINTS,
	VECIDX_PIECE_LISTS,
	VECIDX_PIECE_POOLS,
	VECIDX_PIECE_ROWS,
	VECIDX_PIECE_NUMBERS,
	VECIDX_PIECE_JOINED,
	VECIDX_PIECE_SHEET
} VecIdxBuildPiece;

/* Steps of the team's work. */
typedef enum VecIdxBuildStep
{
	VECIDX_STEP_LOAD,
	VECIDX_STEP_CELL,
	VECIDX_STEP_UPPER,
	VECIDX_STEP_ASSIGN,
	VECIDX_STEP_FILL,
	VECIDX_STEP_PRUNE,
	VECIDX_STEP_BACK,
	VECIDX_STEP_FINISH,
	VECIDX_STEP_TELL,
	VECIDX_STEP_END_LISTS,
	VECIDX_STEP_KEEP,
	VECIDX_STEP_JOIN,
	VECIDX_STEP_WRITE,
	VECIDX_STEP_CALIBRATE
} VecIdxBuildStep;

/* What the team shares; then the quantizer, the sketcher, and what the offsets tell. */
typedef struct VecIdxBuildShared
{
	/* fixed once helpers start */
	Oid			heap;
	Oid			index;
	bool		concurrent;
	int			queries;
	int			cells;
	Size		quantizer;		/* where that begins, from here; likewise: */
	Size		sketcher;
	Size		centres;
	Size		load;
	Size		query_rows;
	Size		query_tids;
	Size		query_filters;
	Size		notes;			/* one for each process, vecidx_truth_notes_size bytes */
	Size		scan;

	/* changes */
	VecIdxMetaFixed fixed;		/* complete before pages are written */
	bool		broken_chain;	/* see ii_BrokenHotChain */
	uint32		rows;			/* once all have been loaded */
	int			cell;			/* that is being made, or written */
	uint32		points;			/* of it */
	VecIdxLevelPlan plan;
	int			level;			/* likewise */
	uint32		joined_first;	/* the window of lists, */
	uint32		joined_count;
	VecIdxWriteTask task;		/* and what is written */
	slock_t		locks[VECIDX_POOL_LOCKS];
} VecIdxBuildShared;

/* A process's view of the build. */
typedef struct VecIdxBuild
{
	/* fixed */
	Relation	heap;
	Relation	index;
	IndexInfo  *info;
	VecIdxLoadPlan plan;
	VecIdxTeam	team;
	VecIdxBuildShared *shared;

	/* changes */
	VecIdxLoad	load;
	VecIdxPoints points;
	VecIdxLevels levels;
	VecIdxRoll	roll;
	VecIdxNumbers numbers;
	VecIdxJoined joined;
	VecIdxWriter *writer;		/* once pages are written */
	VecIdxHandle *handle;		/* once there are pages */
	VecIdxTrial *trial;			/* once queries are run */

	/* the leader's */
	VecIdxPhases phases;
	VecIdxMetaFixed fixed;
	float	   *centroid;
	VecIdxTableSample sample;
	double		heap_rows;
	double		rows;			/* indexed */
} VecIdxBuild;

/* build.c */
extern void vecidx_build_report(VecIdxBuild *build, VecIdxBuildPhase phase);

/* prepare.c */

/* From the sample: all that is fixed, and the plan. */
extern void vecidx_build_prepare(VecIdxBuild *build);

/* What follows from the fixed part and the index, in every process. */
extern void vecidx_build_derive(VecIdxLoadPlan *plan, const VecIdxMetaFixed *fixed, Relation index);

/* share.c */

/* Makes a team with at most so many helpers, and the memory that it shares. */
extern void vecidx_build_share(VecIdxBuild *build, int helpers, Snapshot snapshot);

/* The same in a helper. */
extern void vecidx_build_see(VecIdxBuild *build);

static inline void *
vecidx_build_part(VecIdxBuildShared *shared, Size at)
{
	return (char *) shared + at;
}

extern void *vecidx_build_notes(VecIdxBuildShared *shared, int number);

/* step.c */

/* Has all processes do a step. */
extern void vecidx_build_run(VecIdxBuild *build, VecIdxBuildStep step);

/* Brings this process's view of the pieces of memory up to what there is. */
extern void vecidx_build_map(VecIdxBuild *build);

extern void vecidx_build_open(VecIdxBuild *build);

/* A writer of this process. */
extern VecIdxWriter *vecidx_build_writer(VecIdxBuild *build);

/* make.c */
extern void vecidx_build_graph(VecIdxBuild *build);

/* finish.c */
extern void vecidx_build_pages(VecIdxBuild *build);
extern void vecidx_build_calibrate(VecIdxBuild *build);

#endif							/* VECIDX_BUILD_H */
