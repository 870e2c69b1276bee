/*
 * levels.c
 *	  Levels of a graph in memory.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "graph/levels.h"
#include "graph/link.h"

/* One in so many nodes of a level can be raised to the next at most. */
#define RAISED_SHARE	4

/* Room for the nodes that are there, and on upper levels for those that will be raised. */
static void
make_room(VecIdxLevelPlan *plan, int highest)
{
	plan->room[plan->lowest] = plan->nodes[plan->lowest];
	for (int level = plan->lowest + 1; level <= highest; level++)
		plan->room[level] = plan->nodes[level] + plan->room[level - 1] / RAISED_SHARE;
}

void
vecidx_levels_expect(VecIdxLevelPlan *plan, uint32 points, int highest)
{
	uint32		nodes = points;

	memset(plan->nodes, 0, sizeof(plan->nodes));
	memset(plan->room, 0, sizeof(plan->room));
	plan->lowest = 0;
	plan->highest = -1;
	for (int level = 0; level <= highest && nodes > 0; level++)
	{
		plan->nodes[level] = nodes;
		plan->highest = level;
		nodes /= plan->m;
	}
	make_room(plan, highest);
}

void
vecidx_levels_count(VecIdxLevelPlan *plan, const VecIdxPoints *points, int lowest, int highest)
{
	memset(plan->nodes, 0, sizeof(plan->nodes));
	memset(plan->room, 0, sizeof(plan->room));
	plan->lowest = lowest;
	plan->highest = lowest - 1;
	for (uint32 point = 0; point < points->count; point++)
	{
		CHECK_FOR_INTERRUPTS();
		if (points->levels[point] == VECIDX_TWIN)
			continue;
		for (int level = lowest; level <= Min(points->levels[point], highest); level++)
		{
			plan->nodes[level]++;
			plan->highest = Max(plan->highest, level);
		}
	}
	make_room(plan, highest);
}

bool
vecidx_levels_raise(VecIdxLevelPlan *plan, VecIdxPoints *points, uint32 point)
{
	int			level = points->levels[point] + 1;

	if (level > VECIDX_MAX_LEVEL || plan->nodes[level] == plan->room[level])
		return false;
	points->levels[point] = level;
	plan->nodes[level]++;
	plan->highest = Max(plan->highest, level);
	return true;
}

/* Members, then lists, of each level. */
Size
vecidx_levels_list_size(const VecIdxLevelPlan *plan)
{
	Size		size = VECIDX_POINTS_ALIGNMENT;

	for (int level = plan->lowest; level <= VECIDX_MAX_LEVEL && plan->room[level] > 0; level++)
		size += (Size) plan->room[level] * sizeof(uint32) + 2 * VECIDX_POINTS_ALIGNMENT +
			vecidx_weave_list_size(plan->room[level], vecidx_link_room(plan->m, level));
	return size;
}

Size
vecidx_levels_pool_size(const VecIdxLevelPlan *plan)
{
	/* no level above can have more nodes */
	return vecidx_weave_pool_size(plan->nodes[plan->lowest], &plan->effort) + VECIDX_POINTS_ALIGNMENT;
}

void
vecidx_levels_map(VecIdxLevels *levels, const VecIdxLevelPlan *plan, const VecIdxPoints *points,
				  slock_t *locks, void *lists, void *pools)
{
	char	   *at = lists;

	levels->points = points;
	levels->lowest = plan->lowest;
	levels->highest = plan->highest;
	for (int level = plan->lowest; level <= plan->highest; level++)
	{
		VecIdxWeave *weave = &levels->level[level];
		int			room = vecidx_link_room(plan->m, level);
		void	   *own;

		weave->points = points;
		weave->count = plan->nodes[level];
		weave->locks = locks;
		weave->members = vecidx_points_carve(&at, (Size) plan->room[level] * sizeof(uint32));
		own = vecidx_points_carve(&at, vecidx_weave_list_size(plan->room[level], room));
		vecidx_weave_map(weave, room, &plan->effort, own, pools);
	}
}

void
vecidx_levels_enlist(VecIdxLevels *levels, int level)
{
	const VecIdxPoints *points = levels->points;
	uint32	   *members = unconstify(uint32 *, levels->level[level].members);
	uint32		count = 0;

	for (uint32 point = 0; point < points->count; point++)
	{
		CHECK_FOR_INTERRUPTS();
		if (points->levels[point] != VECIDX_TWIN && points->levels[point] >= level)
			members[count++] = point;
	}
	Assert(count == levels->level[level].count);
}

uint32
vecidx_levels_member(const VecIdxLevels *levels, int level, uint32 point)
{
	const VecIdxWeave *weave = &levels->level[level];
	uint32		low = 0;
	uint32		high = weave->count;

	if (point < weave->count && weave->members[point] == point)
		return point;
	while (high - low > 1)
	{
		uint32		middle = low + (high - low) / 2;

		if (weave->members[middle] <= point)
			low = middle;
		else
			high = middle;
	}
	Assert(weave->members[low] == point);
	return low;
}

int
vecidx_levels_neighbours(const VecIdxLevels *levels, int level, uint32 point, const uint32 **neighbours)
{
	const VecIdxWeave *weave = &levels->level[level];
	uint32		member = vecidx_levels_member(levels, level, point);

	*neighbours = weave->lists + (Size) member * weave->room;
	return weave->list_counts[member];
}
