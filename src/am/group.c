/*
 * group.c
 *	  Rows of a node by their filter rows.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/group.h"

/* The rows of the node at hand. */
typedef struct Rows
{
	Size		size;			/* of a filter row */
	uint32		count;
	uint32		room;
	uint32	   *numbers;
	uint8	   *filters;
	uint32	   *order;
} Rows;

static void
grow_rows(Rows *rows)
{
	bool		first = rows->room == 0;

	rows->room = Max(64, rows->room * 2);
	if (first)
	{
		rows->numbers = palloc(rows->room * sizeof(uint32));
		rows->filters = palloc(rows->room * rows->size);
		rows->order = palloc(rows->room * sizeof(uint32));
		return;
	}
	rows->numbers = repalloc_huge(rows->numbers, rows->room * sizeof(uint32));
	rows->filters = repalloc_huge(rows->filters, rows->room * rows->size);
	rows->order = repalloc_huge(rows->order, rows->room * sizeof(uint32));
}

static void
read_rows(Rows *rows, const VecIdxRoll *roll, uint32 first, VecIdxGroupFetch fetch, void *state)
{
	rows->count = 0;
	for (uint32 row = first; row != VECIDX_NONE; row = roll->twins[row])
	{
		CHECK_FOR_INTERRUPTS();
		if (rows->count == rows->room)
			grow_rows(rows);
		rows->numbers[rows->count] = row;
		rows->order[rows->count] = rows->count;
		memcpy(rows->filters + rows->count * rows->size, fetch(state, row), rows->size);
		rows->count++;
	}
}

static inline const uint8 *
filter_of(const Rows *rows, uint32 i)
{
	return rows->filters + (Size) i * rows->size;
}

static int
compare_rows(const void *a, const void *b, void *state)
{
	const Rows *rows = state;
	uint32		i = *(const uint32 *) a;
	uint32		j = *(const uint32 *) b;
	int			difference = memcmp(filter_of(rows, i), filter_of(rows, j), rows->size);

	return difference != 0 ? difference : (i > j) - (i < j);
}

/* Links the rows of a node in their new order. */
static void
link_rows(const Rows *rows, VecIdxRoll *roll, uint32 node)
{
	roll->firsts[node] = rows->numbers[rows->order[0]];
	for (uint32 i = 0; i < rows->count; i++)
	{
		uint32		row = rows->numbers[rows->order[i]];
		bool		last = i + 1 == rows->count;

		roll->twins[row] = last ? VECIDX_NONE : rows->numbers[rows->order[i + 1]];
		if (last || memcmp(filter_of(rows, rows->order[i]), filter_of(rows, rows->order[i + 1]), rows->size) != 0)
			roll->groups[row / 8] |= 1 << row % 8;
	}
}

void
vecidx_group_rows(VecIdxRoll *roll, Size size, VecIdxGroupFetch fetch, void *state)
{
	Rows		rows = {.size = size};

	if (size == 0)
		return;
	memset(roll->groups, 0, roll->rows / 8 + 1);
	for (uint32 node = 0; node < vecidx_roll_nodes(roll); node++)
	{
		CHECK_FOR_INTERRUPTS();
		if (roll->twins[roll->firsts[node]] == VECIDX_NONE)
			continue;
		read_rows(&rows, roll, roll->firsts[node], fetch, state);
		qsort_arg(rows.order, rows.count, sizeof(uint32), compare_rows, &rows);
		link_rows(&rows, roll, node);
	}
	if (rows.room > 0)
	{
		pfree(rows.numbers);
		pfree(rows.filters);
		pfree(rows.order);
	}
}
