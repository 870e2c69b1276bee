/*
 * levels.c
 *	  Levels of a graph in memory.
 */
#include "postgres.h"

#include "graph/levels.h"
#include "graph/link.h"

void
vecidx_levels_count(VecIdxLevelPlan *plan, const VecIdxPoints *points, int lowest, int highest)
{
	memset(plan->nodes, 0, sizeof(plan->nodes));
	plan->lowest = lowest;
	plan->highest = lowest - 1;
	for (uint32 point = 0; point < points->count; point++)
	{
		if (points->levels[point] == VECIDX_TWIN)
			continue;
		for (int level = lowest; level <= Min(points->levels[point], highest); level++)
		{
			plan->nodes[level]++;
			plan->highest = Max(plan->highest, level);
		}
	}
}

/* Members, then lists, of each level. */
Size
vecidx_levels_list_size(const VecIdxLevelPlan *plan)
{
	Size		size = VECIDX_POINTS_ALIGNMENT;

	for (int level = plan->lowest; level <= plan->highest; level++)
		size += (Size) plan->nodes[level] * sizeof(uint32) + 2 * VECIDX_POINTS_ALIGNMENT +
			vecidx_weave_list_size(plan->nodes[level], vecidx_link_room(plan->m, level));
	return size;
}

Size
vecidx_levels_pool_size(const VecIdxLevelPlan *plan)
{
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
		weave->members = vecidx_points_carve(&at, (Size) weave->count * sizeof(uint32));
		own = vecidx_points_carve(&at, vecidx_weave_list_size(weave->count, room));
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
		if (points->levels[point] != VECIDX_TWIN && points->levels[point] >= level)
			members[count++] = point;
	}
	Assert(count == levels->level[level].count);
}

/* The place of a point among a level's members. */
static uint32
find_member(const VecIdxWeave *weave, uint32 point)
{
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
	uint32		member = find_member(weave, point);

	*neighbours = weave->lists + (Size) member * weave->room;
	return weave->list_counts[member];
}
