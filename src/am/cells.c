/*
 * cells.c
 *	  Parts of space, for builds that cannot hold all points at once.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/cells.h"

#define ITERATIONS	6

static int
nearest_centre(const int8 *sketch, const int8 *centres, int cells, int width)
{
	int32		best = PG_INT32_MAX;
	int			nearest = 0;

	for (int cell = 0; cell < cells; cell++)
	{
		const int8 *centre = centres + (Size) cell * width;
		int32		square = 0;

		for (int k = 0; k < width; k++)
			square += (sketch[k] - centre[k]) * (sketch[k] - centre[k]);
		if (square < best)
		{
			best = square;
			nearest = cell;
		}
	}
	return nearest;
}

/* Moves each centre to the mean of the sketches that are nearest to it, if there are any. */
static void
move_centres(const int8 *sketches, int count, int width, int cells, int8 *centres)
{
	int32	   *sums = palloc0((Size) cells * width * sizeof(int32));
	int		   *members = palloc0(cells * sizeof(int));

	for (int i = 0; i < count; i++)
	{
		const int8 *sketch = sketches + (Size) i * width;
		int			cell = nearest_centre(sketch, centres, cells, width);

		CHECK_FOR_INTERRUPTS();
		members[cell]++;
		for (int k = 0; k < width; k++)
			sums[(Size) cell * width + k] += sketch[k];
	}
	for (int cell = 0; cell < cells; cell++)
	{
		for (int k = 0; k < width && members[cell] > 0; k++)
			centres[(Size) cell * width + k] = (int8) (sums[(Size) cell * width + k] / members[cell]);
	}
	pfree(sums);
	pfree(members);
}

void
vecidx_cells_choose(const int8 *sketches, int count, int width, int cells, int8 *centres)
{
	for (int cell = 0; cell < cells; cell++)
		memcpy(centres + (Size) cell * width, sketches + ((Size) cell * count / cells) * width, width);
	for (int i = 0; i < ITERATIONS && cells > 1; i++)
		move_centres(sketches, count, width, cells, centres);
}
