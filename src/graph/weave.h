/*
 * weave.h
 *	  One level of a graph, made of points all at once.
 *
 * The level is cut into overlapping leaves of near points (partition.c); in
 * each, every point and its nearest are offered to each other's pools of
 * candidates.  Then each pool is pruned to a list, and links go back
 * (weave.c).  This is PiPNN's way (arXiv 2602.21247), with other pools:
 * the nearest candidates, however they lie.
 *
 * Any number of processes share the work of a step; each step must be done
 * everywhere before the next begins.  The result does not depend on who did
 * what.  "Member" is a place in the level, "point" one in its points.
 */
#ifndef VECIDX_WEAVE_H
#define VECIDX_WEAVE_H

#include "postgres.h"

#include "storage/spin.h"

#include "graph/deal.h"
#include "graph/graph.h"
#include "graph/points.h"

/* Candidates of a member at most, whatever the effort. */
#define VECIDX_POOL_MAX		248

/* Members of a leaf at most. */
#define VECIDX_LEAF			384

/* In the partition's first step each member goes to so many leaders, of so many at most. */
#define VECIDX_FAN			8
#define VECIDX_LEADERS		1000

#define VECIDX_POOL_LOCKS	4096

/* How much is done for each member. */
typedef struct VecIdxWeaveEffort
{
	int			pool;			/* candidates kept, at most VECIDX_POOL_MAX */
	int			nearest;		/* of them that each leaf offers */
} VecIdxWeaveEffort;

/* By the options that HNSW has. */
extern VecIdxWeaveEffort vecidx_weave_effort(int m, int ef_construction);

typedef struct VecIdxWeave
{
	/* fixed */
	const VecIdxPoints *points;
	const uint32 *members;		/* member -> point, ascending */
	uint32		count;			/* members */
	int			room;			/* of a list */
	VecIdxWeaveEffort effort;
	slock_t    *locks;			/* of pools, VECIDX_POOL_LOCKS; shared */

	/* partition; the arrays lie where lists come later */
	uint32		leaders;		/* 0: all members are one leaf */
	uint16	   *assigned;		/* VECIDX_FAN leaders of each member */
	uint64	   *group_start;	/* of each leader, and the end */
	uint32	   *group;			/* members by leader */
	uint32	   *order;			/* members by nearest leader */

	/* pools: the nearest candidates by sketches, the farthest first once full */
	uint32	   *pool_members;
	int16	   *pool_keys;
	uint8	   *pool_counts;

	/* lists: points, nearest first, those that linked back behind them */
	uint32	   *lists;
	uint8	   *list_counts;
} VecIdxWeave;

/* Bytes for the lists of so many members, which stay, and for what is needed until they are done. */
extern Size vecidx_weave_list_size(uint32 count, int room);
extern Size vecidx_weave_pool_size(uint32 count, const VecIdxWeaveEffort *effort);

/* Sets up a process's view; points, members, count and locks are set. */
extern void vecidx_weave_map(VecIdxWeave *weave, int room, const VecIdxWeaveEffort *effort, void *lists, void *pools);

/* Steps; those without a deal are for one process alone. */
extern void vecidx_weave_assign(VecIdxWeave *weave, VecIdxDeal *deal);
extern void vecidx_weave_group(VecIdxWeave *weave);
extern void vecidx_weave_fill(VecIdxWeave *weave, VecIdxDeal *deal);
extern void vecidx_weave_prune(VecIdxWeave *weave, VecIdxDeal *deal);
extern void vecidx_weave_back(VecIdxWeave *weave, VecIdxDeal *deal);
extern void vecidx_weave_finish(VecIdxWeave *weave, VecIdxDeal *deal);

/* A member's list when all is done, with the distances: points, nearest first. */
typedef struct VecIdxWoven
{
	uint32		point;			/* whose list it is */
	int			count;
	uint32		neighbours[VECIDX_LIST_MAX];	/* points */
	float		distances[VECIDX_LIST_MAX];
} VecIdxWoven;

/* Called for each list, in one process or another. */
typedef void (*VecIdxWovenTake) (void *state, const VecIdxWoven *woven);
extern void vecidx_weave_tell(VecIdxWeave *weave, VecIdxDeal *deal, VecIdxWovenTake take, void *state);

/* Offers a candidate to a member's pool. */
extern void vecidx_weave_offer(VecIdxWeave *weave, uint32 member, uint32 candidate, float distance);

/* Has a member's pool on its way. */
static inline void
vecidx_weave_prefetch(const VecIdxWeave *weave, uint32 member)
{
	const char *members = (const char *) (weave->pool_members + (Size) member * weave->effort.pool);
	const char *keys = (const char *) (weave->pool_keys + (Size) member * weave->effort.pool);

	for (Size i = 0; i < weave->effort.pool * sizeof(uint32); i += 64)
		__builtin_prefetch(members + i, 1);
	for (Size i = 0; i < weave->effort.pool * sizeof(int16); i += 64)
		__builtin_prefetch(keys + i, 1);
	__builtin_prefetch(weave->pool_counts + member, 1);
}

static inline uint32
vecidx_weave_point(const VecIdxWeave *weave, uint32 member)
{
	return weave->members[member];
}

#endif							/* VECIDX_WEAVE_H */
