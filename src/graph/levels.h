/*
 * levels.h
 *	  Levels of a graph in memory, made of one set of points.
 */
#ifndef VECIDX_LEVELS_H
#define VECIDX_LEVELS_H

#include "graph/weave.h"

/* Which levels, and how many nodes stand on each. */
typedef struct VecIdxLevelPlan
{
	int			m;
	VecIdxWeaveEffort effort;
	int			lowest;
	int			highest;		/* below lowest if there is no node */
	uint32		nodes[VECIDX_MAX_LEVEL + 1];
	uint32		room[VECIDX_MAX_LEVEL + 1]; /* for nodes, as some are raised to levels above the lowest */
} VecIdxLevelPlan;

typedef struct VecIdxLevels
{
	const VecIdxPoints *points;
	int			lowest;
	int			highest;
	VecIdxWeave level[VECIDX_MAX_LEVEL + 1];
} VecIdxLevels;

/* As many nodes from level 0 to at most highest as so many points are likely to make; m and effort are set. */
extern void vecidx_levels_expect(VecIdxLevelPlan *plan, uint32 points, int highest);

/* Counts the nodes from level lowest to at most highest; m and effort are set. */
extern void vecidx_levels_count(VecIdxLevelPlan *plan, const VecIdxPoints *points, int lowest, int highest);

/* Bytes for the lists of all levels, and for the pools, which each level uses in its turn. */
extern Size vecidx_levels_list_size(const VecIdxLevelPlan *plan);
extern Size vecidx_levels_pool_size(const VecIdxLevelPlan *plan);

/* A process's view of them. */
extern void vecidx_levels_map(VecIdxLevels *levels, const VecIdxLevelPlan *plan, const VecIdxPoints *points,
							  slock_t *locks, void *lists, void *pools);

/* Writes down who stands on a level; to be done by one process, before the level is made. */
extern void vecidx_levels_enlist(VecIdxLevels *levels, int level);

/* Raises a point to the level above its own, if there is room; to be done by one process, before that level is made. */
extern bool vecidx_levels_raise(VecIdxLevelPlan *plan, VecIdxPoints *points, uint32 point);

/* The place of a point among the members of a level; it must stand there. */
extern uint32 vecidx_levels_member(const VecIdxLevels *levels, int level, uint32 point);

/* Neighbours of a point on a level where it stands, as points; returns their number. */
extern int	vecidx_levels_neighbours(const VecIdxLevels *levels, int level, uint32 point, const uint32 **neighbours);

#endif							/* VECIDX_LEVELS_H */
