/*
 * number.c
 *	  Which upper slots and which extensions the nodes of a build get.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/group.h"
#include "am/number.h"
#include "page/page.h"

uint32
vecidx_numbers_slot(const VecIdxRoll *roll, uint32 *row, uint32 room)
{
	uint32		count = 0;
	bool		last = false;

	for (; *row != VECIDX_NONE && count < room && !last; count++)
	{
		last = vecidx_group_ends(roll, *row);
		*row = roll->twins[*row];
	}
	return count;
}

/* Extensions that a node needs for the heap rows that do not go into its own slot. */
static uint32
count_extensions(const VecIdxRoll *roll, uint32 id, int m)
{
	uint32		row = roll->firsts[id];
	uint32		count = 0;

	for (vecidx_numbers_slot(roll, &row, VECIDX_INLINE_TIDS); row != VECIDX_NONE; count++)
		vecidx_numbers_slot(roll, &row, VecIdxExtensionTids(m));
	return count;
}

static inline bool
is_tall(const VecIdxPoints *points, uint32 point)
{
	return points->levels[point] != VECIDX_TWIN && points->levels[point] > 0;
}

struct VecIdxNumbered
vecidx_numbers_count(const VecIdxRoll *roll, const VecIdxLevels *levels, int m)
{
	const VecIdxPoints *points = levels->points;
	struct VecIdxNumbered numbered = {.nodes = vecidx_roll_nodes(roll)};

	numbered.capacity = numbered.nodes;
	for (uint32 id = 0; id < numbered.nodes; id++)
	{
		CHECK_FOR_INTERRUPTS();
		numbered.capacity += count_extensions(roll, id, m);
	}
	for (uint32 point = 0; point < points->count; point++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_tall(points, point))
			continue;
		numbered.tall++;
		numbered.uppers += points->levels[point];
	}
	return numbered;
}

Size
vecidx_numbers_size(const struct VecIdxNumbered *numbered)
{
	return sizeof(struct VecIdxNumbered) + 7 * VECIDX_POINTS_ALIGNMENT +
		((Size) 3 * numbered->tall + numbered->uppers + 2 * (numbered->capacity - numbered->nodes)) * sizeof(uint32);
}

void
vecidx_numbers_map(VecIdxNumbers *numbers, void *memory)
{
	char	   *at = (char *) memory + sizeof(struct VecIdxNumbered);
	uint32		extensions;

	numbers->numbered = memory;
	extensions = numbers->numbered->capacity - numbers->numbered->nodes;
	numbers->tall_ids = vecidx_points_carve(&at, numbers->numbered->tall * sizeof(uint32));
	numbers->tall_points = vecidx_points_carve(&at, numbers->numbered->tall * sizeof(uint32));
	numbers->tall_uppers = vecidx_points_carve(&at, numbers->numbered->tall * sizeof(uint32));
	numbers->upper_points = vecidx_points_carve(&at, numbers->numbered->uppers * sizeof(uint32));
	numbers->extension_owner = vecidx_points_carve(&at, extensions * sizeof(uint32));
	numbers->extension_row = vecidx_points_carve(&at, extensions * sizeof(uint32));
}

/* Gives ids behind the nodes' to the extensions. */
static void
number_extensions(VecIdxNumbers *numbers, const VecIdxRoll *roll, int m)
{
	uint32		next = 0;

	for (uint32 id = 0; id < numbers->numbered->nodes; id++)
	{
		uint32		row = roll->firsts[id];

		CHECK_FOR_INTERRUPTS();
		vecidx_numbers_slot(roll, &row, VECIDX_INLINE_TIDS);
		while (row != VECIDX_NONE)
		{
			numbers->extension_owner[next] = id;
			numbers->extension_row[next++] = row;
			vecidx_numbers_slot(roll, &row, VecIdxExtensionTids(m));
		}
	}
}

/* For qsort_arg. */
typedef struct Ids
{
	const VecIdxRoll *roll;
	const VecIdxPoints *points;
} Ids;

static inline uint32
id_of(const Ids *ids, uint32 point)
{
	return ids->roll->ids[ids->points->numbers[point]];
}

static int
compare_ids(const void *a, const void *b, void *state)
{
	uint32		x = id_of(state, *(const uint32 *) a);
	uint32		y = id_of(state, *(const uint32 *) b);

	return (x > y) - (x < y);
}

/* Gives numbers to upper slots, in the order of their nodes' ids. */
static void
number_uppers(VecIdxNumbers *numbers, const VecIdxRoll *roll, const VecIdxLevels *levels)
{
	const VecIdxPoints *points = levels->points;
	Ids			ids = {roll, points};
	uint32		tall = 0;
	uint32		next = 0;

	for (uint32 point = 0; point < points->count; point++)
	{
		if (is_tall(points, point))
			numbers->tall_points[tall++] = point;
	}
	qsort_arg(numbers->tall_points, tall, sizeof(uint32), compare_ids, &ids);
	for (uint32 i = 0; i < tall; i++)
	{
		uint32		point = numbers->tall_points[i];

		numbers->tall_ids[i] = id_of(&ids, point);
		numbers->tall_uppers[i] = next;
		for (int level = 1; level <= points->levels[point]; level++)
			numbers->upper_points[next++] = point;
	}
}

void
vecidx_numbers_fill(VecIdxNumbers *numbers, const VecIdxRoll *roll, const VecIdxLevels *levels, int m)
{
	number_extensions(numbers, roll, m);
	number_uppers(numbers, roll, levels);
}

/* The place of an id among ascending ones, its first; none if it is not there. */
static uint32
find_id(const uint32 *ids, uint32 count, uint32 id)
{
	uint32		low = 0;
	uint32		high = count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && ids[low] == id ? low : VECIDX_NONE;
}

uint32
vecidx_numbers_tall(const VecIdxNumbers *numbers, uint32 id)
{
	return find_id(numbers->tall_ids, numbers->numbered->tall, id);
}

uint32
vecidx_numbers_extension(const VecIdxNumbers *numbers, uint32 id)
{
	uint32		nodes = numbers->numbered->nodes;
	uint32		extension = find_id(numbers->extension_owner, numbers->numbered->capacity - nodes, id);

	return extension != VECIDX_NONE ? nodes + extension : VECIDX_NONE;
}
