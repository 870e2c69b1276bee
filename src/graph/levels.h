/*
 * levels.h
 *	  A graph in memory: the levels that were made of one set of points.
 */
#ifndef VECIDX_LEVELS_H
#define VECIDX_LEVELS_H

#include "graph/weave.h"

typedef struct VecIdxLevels
{
	const VecIdxPoints *points;
	int			top;			/* highest level */
	VecIdxWeave level[VECIDX_MAX_LEVEL + 1];
} VecIdxLevels;

/* What a graph will be made of. */
typedef struct VecIdxLevelPlan
{
	int			m;
	VecIdxWeaveEffort effort;
	uint32		nodes[VECIDX_MAX_LEVEL + 1];
} VecIdxLevelPlan;

/* Counts nodes; m and effort are set. */
extern void vecidx_levels_count(VecIdxLevelPlan *plan, const VecIdxPoints *points);

/*
 * A graph takes two pieces of memory: the ground holds level 0.  The loft
 * holds the pools while level 0 is made, then all levels above.
 */
extern Size vecidx_levels_ground_size(const VecIdxLevelPlan *plan, const VecIdxPoints *points);
extern Size vecidx_levels_loft_size(const VecIdxLevelPlan *plan);

/* A process's view of them. */
extern void vecidx_levels_map(VecIdxLevels *levels, const VecIdxLevelPlan *plan, const VecIdxPoints *points,
							  slock_t *locks, void *ground, void *loft);

/* Writes down who stands on a level; to be done by one process, before the level is made, from 0 up. */
extern void vecidx_levels_enlist(VecIdxLevels *levels, int level);

/* The place of a point among a level's members; it must be one. */
extern uint32 vecidx_levels_member(const VecIdxLevels *levels, int level, uint32 point);

/* Neighbours of a point on a level, as points; returns their number. */
static inline int
vecidx_levels_neighbours(const VecIdxLevels *levels, int level, uint32 point, const uint32 **neighbours)
{
	const VecIdxWeave *weave = &levels->level[level];
	uint32		member = vecidx_levels_member(levels, level, point);

	*neighbours = weave->lists + (Size) member * weave->room;
	return weave->list_counts[member];
}

#endif							/* VECIDX_LEVELS_H */
