/*
 * cells.c
 *	  Parts of space, for builds that cannot hold all points at once.
 */
#include "postgres.h"

#include <float.h>

#include "miscadmin.h"

#include "am/cells.h"

#define ITERATIONS	6

/*
 * A row is a guest of the second nearest cell if that is, by squared
 * distances, at most so many times as far as its own.
 */
#define GUEST_REACH		1.3f

int
vecidx_cells_find(const VecIdxCells *cells, const int8 *sketch, int *guest)
{
	float		nearest[2] = {FLT_MAX, FLT_MAX};
	int			found[2] = {0, -1};

	for (int cell = 0; cell < cells->count; cell++)
	{
		const int8 *centre = cells->centres + (Size) cell * cells->width;
		int32		square = 0;

		for (int k = 0; k < cells->width; k++)
			square += (sketch[k] - centre[k]) * (sketch[k] - centre[k]);
		if (square < nearest[0])
		{
			nearest[1] = nearest[0];
			found[1] = found[0];
			nearest[0] = square;
			found[0] = cell;
		}
		else if (square < nearest[1])
		{
			nearest[1] = square;
			found[1] = cell;
		}
	}
	*guest = nearest[1] <= GUEST_REACH * nearest[0] ? found[1] : -1;
	return found[0];
}

/* Moves each centre to the mean of the sketches that are nearest to it, if there are any. */
static void
move_centres(const int8 *sketches, int count, const VecIdxCells *cells, int8 *centres)
{
	int			width = cells->width;
	int32	   *sums = palloc0((Size) cells->count * width * sizeof(int32));
	int		   *members = palloc0(cells->count * sizeof(int));

	for (int i = 0; i < count; i++)
	{
		const int8 *sketch = sketches + (Size) i * width;
		int			guest;
		int			cell = vecidx_cells_find(cells, sketch, &guest);

		CHECK_FOR_INTERRUPTS();
		members[cell]++;
		for (int k = 0; k < width; k++)
			sums[(Size) cell * width + k] += sketch[k];
	}
	for (int cell = 0; cell < cells->count; cell++)
	{
		for (int k = 0; k < width && members[cell] > 0; k++)
			centres[(Size) cell * width + k] = (int8) (sums[(Size) cell * width + k] / members[cell]);
	}
	pfree(sums);
	pfree(members);
}

void
vecidx_cells_choose(const int8 *sketches, int count, VecIdxCells *cells, int8 *centres)
{
	int			width = cells->width;

	cells->centres = centres;
	for (int cell = 0; cell < cells->count; cell++)
		memcpy(centres + (Size) cell * width, sketches + ((Size) cell * count / cells->count) * width, width);
	for (int i = 0; i < ITERATIONS && cells->count > 1; i++)
		move_centres(sketches, count, cells, centres);
}

double
vecidx_cells_largest(const int8 *sketches, int count, const VecIdxCells *cells)
{
	int		   *members = palloc0(cells->count * sizeof(int));
	int			largest = 0;

	for (int i = 0; i < count; i++)
	{
		int			guest;
		int			cell = vecidx_cells_find(cells, sketches + (Size) i * cells->width, &guest);

		members[cell]++;
		if (guest >= 0)
			members[guest]++;
	}
	for (int cell = 0; cell < cells->count; cell++)
		largest = Max(largest, members[cell]);
	pfree(members);
	return (double) largest / count;
}
