/*
 * roll.c
 *	  Who is who in a build.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/roll.h"

/* Bits in bytes. */
static Size
groups_size(uint32 rows)
{
	return rows / 8 + 1;
}

Size
vecidx_roll_size(uint32 rows, int cells, bool grouped)
{
	return (Size) rows * VECIDX_ROLL_BYTES + cells * sizeof(uint32) + (grouped ? groups_size(rows) : 0) +
		7 * VECIDX_POINTS_ALIGNMENT;
}

void
vecidx_roll_map(VecIdxRoll *roll, uint32 rows, int cells, bool grouped, void *memory)
{
	char	   *at = memory;

	roll->rows = rows;
	roll->cells = cells;
	roll->ids = vecidx_points_carve(&at, (Size) rows * sizeof(uint32));
	roll->twins = vecidx_points_carve(&at, (Size) rows * sizeof(uint32));
	roll->firsts = vecidx_points_carve(&at, (Size) rows * sizeof(uint32));
	roll->tids = vecidx_points_carve(&at, (Size) rows * sizeof(ItemPointerData));
	roll->ends = vecidx_points_carve(&at, cells * sizeof(uint32));
	roll->groups = grouped ? vecidx_points_carve(&at, groups_size(rows)) : NULL;
}

/* Rows of a node are all at home in the same cell, as their sketches are equal. */
void
vecidx_roll_enter(VecIdxRoll *roll, int cell, const VecIdxPoints *points, const uint32 *order, uint32 nodes)
{
	uint32		id = vecidx_roll_start(roll, cell);

	for (uint32 i = 0; i < nodes; i++, id++)
	{
		CHECK_FOR_INTERRUPTS();
		roll->firsts[id] = points->numbers[order[i]];
		for (uint32 point = order[i]; point != VECIDX_NONE; point = points->twins[point])
		{
			uint32		twin = points->twins[point];

			roll->ids[points->numbers[point]] = id;
			roll->twins[points->numbers[point]] = twin != VECIDX_NONE ? points->numbers[twin] : VECIDX_NONE;
		}
	}
	roll->ends[cell] = id;
}
