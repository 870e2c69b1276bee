/*
 * parts.c
 *	  Parts of a level that no link connects.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "graph/parts.h"

/* How often each point is named, up to the most that a byte holds. */
static uint8 *
count_named(const VecIdxWeave *weave)
{
	uint8	   *named = palloc_extended(weave->points->count, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 member = 0; member < weave->count; member++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < weave->list_counts[member]; i++)
		{
			uint32		point = weave->lists[(Size) member * weave->room + i];

			named[point] += named[point] < PG_UINT8_MAX;
		}
	}
	return named;
}

/* Puts a point into a list not at its end, whose places may go to others. */
static void
place_point(uint32 *list, int at, int room, uint32 point)
{
	int			middle = Min(at, room / 2);

	list[at] = list[middle];
	list[middle] = point;
}

/* Names a point in the list of a member, if that can be done without anybody else being forgotten. */
static bool
name_point(VecIdxWeave *weave, uint32 member, uint32 point, uint8 *named)
{
	uint32	   *list = weave->lists + (Size) member * weave->room;
	int			count = weave->list_counts[member];

	if (count < weave->room)
	{
		place_point(list, count, weave->room, point);
		weave->list_counts[member]++;
		named[point]++;
		return true;
	}
	for (int i = count; i-- > 0;)
	{
		/* what counts as the most may be more, and stays */
		if (named[list[i]] < 2 || named[list[i]] == PG_UINT8_MAX)
			continue;
		named[list[i]]--;
		named[point]++;
		place_point(list, i, weave->room, point);
		return true;
	}
	return false;
}

void
vecidx_parts_rescue(VecIdxLevels *levels, int level)
{
	VecIdxWeave *weave = &levels->level[level];
	uint8	   *named = count_named(weave);

	for (uint32 member = 0; member < weave->count; member++)
	{
		uint32		point = vecidx_weave_point(weave, member);
		bool		done = named[point] > 0;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < weave->list_counts[member] && !done; i++)
			done = name_point(weave, vecidx_levels_member(levels, level, weave->lists[(Size) member * weave->room + i]),
							  point, named);
	}
	pfree(named);
}

/* Union and find, with halved paths. */
static uint32
find_root(uint32 *parents, uint32 point)
{
	while (parents[point] != point)
	{
		parents[point] = parents[parents[point]];
		point = parents[point];
	}
	return point;
}

/* Joins what links connect; returns the number of parts. */
static uint32
join_parts(const VecIdxWeave *weave, uint32 *parents)
{
	uint32		parts = weave->count;

	for (uint32 member = 0; member < weave->count; member++)
	{
		uint32		root = find_root(parents, vecidx_weave_point(weave, member));

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < weave->list_counts[member]; i++)
		{
			uint32		other = find_root(parents, weave->lists[(Size) member * weave->room + i]);

			if (other == root)
				continue;
			parents[other] = root;
			parts--;
		}
	}
	return parts;
}

uint32
vecidx_parts_find(const VecIdxLevels *levels, int level, uint32 home, uint32 most, uint32 *points)
{
	const VecIdxWeave *weave = &levels->level[level];
	Size		count = levels->points->count;
	uint32	   *parents = palloc_extended(count * sizeof(uint32), MCXT_ALLOC_HUGE);
	bool	   *reached = palloc_extended(count * sizeof(bool), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		found = 0;

	for (Size point = 0; point < count; point++)
		parents[point] = point;
	if (join_parts(weave, parents) > 1)
	{
		for (uint32 member = 0; member < weave->count; member++)
		{
			uint32		point = vecidx_weave_point(weave, member);

			if (levels->points->levels[point] > level)
				reached[find_root(parents, point)] = true;
		}
		for (uint32 member = 0; member < weave->count && found < most; member++)
		{
			uint32		point = vecidx_weave_point(weave, member);
			uint32		root = find_root(parents, point);

			if (point >= home || reached[root])
				continue;
			reached[root] = true;
			points[found++] = point;
		}
	}
	pfree(parents);
	pfree(reached);
	return found;
}
