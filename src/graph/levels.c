/*
 * levels.c
 *	  A graph in memory.
 */
#include "postgres.h"

#include "graph/levels.h"
#include "graph/link.h"

void
vecidx_levels_count(VecIdxLevelPlan *plan, const VecIdxPoints *points)
{
	memset(plan->nodes, 0, sizeof(plan->nodes));
	for (uint32 point = 0; point < points->count; point++)
	{
		if (points->levels[point] == VECIDX_TWIN)
			continue;
		for (int level = 0; level <= points->levels[point]; level++)
			plan->nodes[level]++;
	}
}

/* Are there points that are no nodes, so that members have to be written down on level 0, too? */
static bool
has_twins(const VecIdxLevelPlan *plan, const VecIdxPoints *points)
{
	return plan->nodes[0] != points->count;
}

static Size
member_size(uint32 count)
{
	return (Size) count * sizeof(uint32) + VECIDX_POINTS_ALIGNMENT;
}

Size
vecidx_levels_ground_size(const VecIdxLevelPlan *plan, const VecIdxPoints *points)
{
	return vecidx_weave_list_size(plan->nodes[0], vecidx_link_room(plan->m, 0)) +
		(has_twins(plan, points) ? member_size(plan->nodes[0]) : 0) + VECIDX_POINTS_ALIGNMENT;
}

/* The loft: pools that all levels above the ground share, then members and lists of each. */
Size
vecidx_levels_loft_size(const VecIdxLevelPlan *plan)
{
	Size		above = vecidx_weave_pool_size(plan->nodes[1], &plan->effort) + VECIDX_POINTS_ALIGNMENT;

	for (int level = 1; level <= VECIDX_MAX_LEVEL && plan->nodes[level] > 0; level++)
		above += member_size(plan->nodes[level]) + VECIDX_POINTS_ALIGNMENT +
			vecidx_weave_list_size(plan->nodes[level], vecidx_link_room(plan->m, level));
	return Max(above, vecidx_weave_pool_size(plan->nodes[0], &plan->effort) + VECIDX_POINTS_ALIGNMENT);
}

void
vecidx_levels_map(VecIdxLevels *levels, const VecIdxLevelPlan *plan, const VecIdxPoints *points,
				  slock_t *locks, void *ground, void *loft)
{
	char	   *above = loft;
	void	   *pools = vecidx_points_carve(&above, vecidx_weave_pool_size(plan->nodes[1], &plan->effort));

	levels->points = points;
	levels->top = -1;
	for (int level = 0; level <= VECIDX_MAX_LEVEL && plan->nodes[level] > 0; level++)
	{
		VecIdxWeave *weave = &levels->level[level];
		char	  **at = level == 0 ? (char **) &ground : &above;
		int			room = vecidx_link_room(plan->m, level);
		void	   *lists;

		weave->points = points;
		weave->count = plan->nodes[level];
		weave->locks = locks;
		weave->members = NULL;
		if (level > 0 || has_twins(plan, points))
			weave->members = vecidx_points_carve(at, (Size) weave->count * sizeof(uint32));
		lists = vecidx_points_carve(at, vecidx_weave_list_size(weave->count, room));
		vecidx_weave_map(weave, room, &plan->effort, lists, level == 0 ? loft : pools);
		levels->top = level;
	}
}

void
vecidx_levels_enlist(VecIdxLevels *levels, int level)
{
	const VecIdxPoints *points = levels->points;
	uint32	   *members = unconstify(uint32 *, levels->level[level].members);
	uint32		count = 0;

	if (members == NULL)
		return;
	for (uint32 point = 0; point < points->count; point++)
	{
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

	if (weave->members == NULL)
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
