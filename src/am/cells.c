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
 * A row is a guest of those of the next nearest cells that are, by squared
 * distances, at most so many times as far as its own.
 */
#define GUEST_REACH		1.3f

void
vecidx_cells_find(const VecIdxCells *cells, const int8 *sketch, VecIdxCellVisit *visit)
{
	float		nearest[VECIDX_GUESTS + 1];
	int			found[VECIDX_GUESTS + 1] = {0};
	int			count = 0;

	for (int cell = 0; cell < cells->count; cell++)
	{
		const int8 *centre = cells->centres + (Size) cell * cells->width;
		int32		square = 0;
		int			at;

		for (int k = 0; k < cells->width; k++)
			square += (sketch[k] - centre[k]) * (sketch[k] - centre[k]);
		if (count < VECIDX_GUESTS + 1)
			at = count++;
		else if (square < nearest[count - 1])
			at = count - 1;
		else
			continue;
		for (; at > 0 && nearest[at - 1] > square; at--)
		{
			nearest[at] = nearest[at - 1];
			found[at] = found[at - 1];
		}
		nearest[at] = square;
		found[at] = cell;
	}
	visit->home = found[0];
	visit->guests = 0;
	while (visit->guests + 1 < count && nearest[visit->guests + 1] <= GUEST_REACH * nearest[0])
	{
		visit->guest[visit->guests] = found[visit->guests + 1];
		visit->guests++;
	}
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
		VecIdxCellVisit visit;

		CHECK_FOR_INTERRUPTS();
		vecidx_cells_find(cells, sketch, &visit);
		members[visit.home]++;
		for (int k = 0; k < width; k++)
			sums[(Size) visit.home * width + k] += sketch[k];
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
		VecIdxCellVisit visit;

		vecidx_cells_find(cells, sketches + (Size) i * cells->width, &visit);
		members[visit.home]++;
		for (int j = 0; j < visit.guests; j++)
			members[visit.guest[j]]++;
	}
	for (int cell = 0; cell < cells->count; cell++)
		largest = Max(largest, members[cell]);
	pfree(members);
	return (double) largest / count;
}
