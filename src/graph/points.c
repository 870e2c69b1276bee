/*
 * points.c
 *	  Rows in memory while a graph is made of them.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "miscadmin.h"

#include "graph/points.h"

Size
vecidx_points_size(int width, uint32 count)
{
	Size		each = width + sizeof(VecIdxSketchKey) + sizeof(uint64) + 2 * sizeof(uint32) + 2 * sizeof(uint8);

	return count * each + 8 * VECIDX_POINTS_ALIGNMENT;
}

void
vecidx_points_map(VecIdxPoints *points, int width, uint32 count, void *memory)
{
	char	   *at = memory;

	points->width = width;
	points->count = count;
	points->sketches = vecidx_points_carve(&at, (Size) count * width);
	points->keys = vecidx_points_carve(&at, (Size) count * sizeof(VecIdxSketchKey));
	points->hashes = vecidx_points_carve(&at, (Size) count * sizeof(uint64));
	points->numbers = vecidx_points_carve(&at, (Size) count * sizeof(uint32));
	points->homes = vecidx_points_carve(&at, (Size) count * sizeof(uint8));
	points->twins = vecidx_points_carve(&at, (Size) count * sizeof(uint32));
	points->levels = vecidx_points_carve(&at, (Size) count * sizeof(uint8));
}

uint64
vecidx_points_hash(const void *vector, Size size)
{
	return hash_bytes_extended(vector, (int) size, UINT64CONST(0x7665636964780001));
}

int
vecidx_points_level(uint64 hash, int m)
{
	double		u = ((double) (hash >> 11) + 1) / (double) (UINT64CONST(1) << 53);

	return Min((int) (-log(u) / log(m)), VECIDX_MAX_LEVEL);
}

uint32
vecidx_points_table(uint32 count)
{
	uint32		size = 64;

	while (size / 2 < count)
		size *= 2;
	return size;
}

/* The node with that hash, which is the point itself if there was none. */
static uint32
find_node(const VecIdxPoints *points, uint32 *table, uint32 mask, uint32 point)
{
	uint64		hash = points->hashes[point];
	uint32		at = (uint32) hash & mask;

	for (; table[at] != VECIDX_NONE; at = (at + 1) & mask)
	{
		if (points->hashes[table[at]] == hash)
			return table[at];
	}
	table[at] = point;
	return point;
}

void
vecidx_points_match(VecIdxPoints *points, uint32 *table)
{
	uint32		size = vecidx_points_table(points->count);

	memset(table, 0xFF, size * sizeof(uint32));
	for (uint32 point = 0; point < points->count; point++)
	{
		uint32		node = find_node(points, table, size - 1, point);

		CHECK_FOR_INTERRUPTS();
		points->twins[point] = VECIDX_NONE;
		if (node == point)
			continue;
		points->levels[point] = VECIDX_TWIN;
		points->twins[point] = points->twins[node];
		points->twins[node] = point;
	}
}
