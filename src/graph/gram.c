/*
 * gram.c
 *	  Distances among members of a level by their sketches.
 */
#include "postgres.h"

#include "graph/gram.h"

/* Sketches that are on their way while others are laid out. */
#define AHEAD	8

void
vecidx_gram_init(VecIdxGram *gram, const VecIdxWeave *weave, uint32 rows, uint32 columns)
{
	gram->weave = weave;
	gram->kernels = vecidx_kernels();
	gram->width = weave->points->width;
	gram->room = VECIDX_PANELS(columns) * VECIDX_PANEL;
	gram->rows = palloc((Size) rows * gram->width * sizeof(int16));
	gram->panels = palloc((Size) gram->room * gram->width * sizeof(int16));
	gram->products = palloc((Size) VECIDX_GRAM_ROWS * gram->room * sizeof(int32));
}

void
vecidx_gram_free(VecIdxGram *gram)
{
	pfree(gram->rows);
	pfree(gram->panels);
	pfree(gram->products);
}

static void
widen(const int8 *pg_restrict sketch, int width, int16 *pg_restrict row)
{
	/* a fixed number at a time, so that any compiler makes vectors of it */
	for (int k = 0; k < width; k += 16)
	{
		for (int j = 0; j < 16; j++)
			row[k + j] = sketch[k + j];
	}
}

void
vecidx_gram_lay_rows(VecIdxGram *gram, const uint32 *members, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
	{
		for (int k = 0; k < gram->width && i + AHEAD < count; k += 64)
			__builtin_prefetch(vecidx_gram_sketch(gram->weave, members[i + AHEAD]) + k);
		widen(vecidx_gram_sketch(gram->weave, members[i]), gram->width, gram->rows + (Size) i * gram->width);
	}
}

/* Pairs of four rows, turned: what stands in a column of the rows comes to stand in a row. */
static inline void
turn_pairs(const int16 *pg_restrict rows, int width, int16 *pg_restrict panel)
{
	for (int k = 0; k < width; k += 8)
	{
		uint32		in[4][4];
		uint32		out[4][4];

		for (int j = 0; j < 4; j++)
			memcpy(in[j], rows + (Size) j * width + k, sizeof(in[j]));
		for (int i = 0; i < 4; i++)
		{
			for (int j = 0; j < 4; j++)
				out[i][j] = in[j][i];
		}
		for (int i = 0; i < 4; i++)
			memcpy(panel + (k + 2 * i) * VECIDX_PANEL, out[i], sizeof(out[i]));
	}
}

/* Lays at most VECIDX_PANEL rows out as a panel. */
static void
lay_panel(const int16 *rows, int count, int width, int16 *panel)
{
	if (count == VECIDX_PANEL)
	{
		for (int j = 0; j < VECIDX_PANEL; j += 4)
			turn_pairs(rows + (Size) j * width, width, panel + 2 * j);
		return;
	}
	memset(panel, 0, VECIDX_PANEL * width * sizeof(int16));
	for (int k = 0; k < width; k += 2)
	{
		for (int j = 0; j < count; j++)
			memcpy(panel + k * VECIDX_PANEL + 2 * j, rows + (Size) j * width + k, 2 * sizeof(int16));
	}
}

void
vecidx_gram_lay_columns(VecIdxGram *gram, const int16 *rows, uint32 count, uint32 first)
{
	for (uint32 i = 0; i < count; i += VECIDX_PANEL)
		lay_panel(rows + (Size) i * gram->width, Min(VECIDX_PANEL, count - i), gram->width,
				  gram->panels + (Size) (first + i) * gram->width);
}
