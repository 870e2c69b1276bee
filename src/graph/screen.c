/*
 * screen.c
 *	  Which queries a row may be near to, told by sketches.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "graph/screen.h"

/* More of the pairs than one in so many are better told by products of the rows themselves. */
#define PASSED_SHARE	8

/* Batches until a screen that did not help is tried again: rows that came since may have drawn limits closer. */
#define IDLE_BATCHES	16

/* Axes are perpendicular and of the same length up to that. */
#define AXES_SLACK		1e-3

/* Queries that are multiplied at a time: their sketches stay in the first cache. */
#define TILE			64

static float
square_of(const int8 *sketch, int width)
{
	int32		square = 0;

	for (int k = 0; k < width; k++)
		square += sketch[k] * sketch[k];
	return square;
}

VecIdxScreen *
vecidx_screen_create(const VecIdxSketcher *sketcher, const float *queries, int count, int batch)
{
	VecIdxScreen *screen = palloc0(sizeof(VecIdxScreen));
	int			width = sketcher->width;
	float	   *products = palloc((Size) count * width * sizeof(float));
	int8	   *sketches = palloc((Size) count * width);
	VecIdxSketchKey *keys = palloc(count * sizeof(VecIdxSketchKey));

	vecidx_sketch_rows(sketcher, queries, count, products, sketches, keys);
	screen->sketcher = sketcher;
	screen->count = count;
	screen->centre = sqrt(vecidx_kernels()->dot_wide(sketcher->data, sketcher->data, sketcher->dimensions));
	screen->columns = palloc(count * sizeof(int8 *));
	screen->sums = palloc(count * sizeof(int32));
	screen->lengths = palloc(count * sizeof(float));
	screen->reaches = palloc(count * sizeof(float));
	screen->limits = palloc(count * sizeof(float));
	screen->rows = palloc((Size) batch * width);
	screen->squares = palloc(batch * sizeof(float));
	screen->products = palloc((Size) batch * count * sizeof(int32));
	screen->hits = palloc(count * sizeof(VecIdxHit));
	for (int i = 0; i < count; i++)
	{
		screen->columns[i] = sketches + (Size) i * width;
		screen->sums[i] = keys[i].sum;
		screen->lengths[i] = square_of(screen->columns[i], width);
	}
	pfree(products);
	pfree(keys);
	return screen;
}

/*
 * Both sketches are off by half a step at most in each coordinate, which
 * clamping brings no farther apart; and by what float leaves of products of
 * rows with axes.
 */
void
vecidx_screen_reach(VecIdxScreen *screen, int query, double squared, double norm)
{
	const VecIdxSketcher *sketcher = screen->sketcher;
	double		rounding = sketcher->dimensions * (double) FLT_EPSILON * sketcher->scale * (norm + screen->centre);
	double		reach = sketcher->scale * (1 + AXES_SLACK) * sqrt(Max(squared, 0)) +
		sqrt(sketcher->width) * (1 + 4 * rounding);

	reach *= reach * (1 + AXES_SLACK);
	screen->reaches[query] = reach < FLT_MAX ? (float) reach : INFINITY;
}

void
vecidx_screen_take(VecIdxScreen *screen, const int8 *sketches, int count)
{
	int			width = screen->sketcher->width;

	for (int i = 0; i < count; i++)
	{
		const int8 *sketch = sketches + (Size) i * width;
		uint8	   *row = screen->rows + (Size) i * width;

		for (int k = 0; k < width; k++)
			row[k] = (uint8) (sketch[k] + VECIDX_CROSS_LIFT);
		screen->squares[i] = square_of(sketch, width);
	}
	for (int j = 0; j < screen->count; j += TILE)
	{
		VecIdxCross cross = {width, screen->rows, screen->columns + j, screen->sums + j};

		vecidx_kernels()->cross(&cross, count, Min(TILE, screen->count - j), screen->products + j, screen->count);
	}
}

int
vecidx_screen_row(VecIdxScreen *screen, int row)
{
	const int32 *products = screen->products + (Size) row * screen->count;

	for (int i = 0; i < screen->count; i++)
		screen->limits[i] = screen->reaches[i] - screen->squares[row];
	return vecidx_kernels()->below(products, screen->lengths, screen->limits, 2, screen->count, screen->hits);
}

bool
vecidx_screen_helps(VecIdxScreen *screen)
{
	return screen->idle == 0 || --screen->idle == 0;
}

void
vecidx_screen_tell(VecIdxScreen *screen, uint32 rows, uint32 passed)
{
	if ((uint64) passed * PASSED_SHARE > (uint64) rows * screen->count)
		screen->idle = IDLE_BATCHES;
}
