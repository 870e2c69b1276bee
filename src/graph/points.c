/*
 * points.c
 *	  Rows in memory while a graph is made of them.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "graph/points.h"
#include "page/buffer.h"
#include "page/slot.h"

VecIdxPointShape
vecidx_points_shape(const VecIdxQuantizer *quantizer, const VecIdxLayout *layout, int width)
{
	VecIdxPointShape shape;

	shape.code_size = layout->run[VECIDX_RUN_CODE].size;
	shape.vector_size = MAXALIGN(vecidx_quant_rerank_size(vecidx_quantizer_params(quantizer)));
	shape.width = width;
	return shape;
}

Size
vecidx_points_size(const VecIdxPointShape *shape, uint32 count)
{
	Size		each = shape->code_size + shape->vector_size + shape->width + sizeof(VecIdxSketchKey) +
		sizeof(ItemPointerData) + sizeof(uint32) + sizeof(uint8);

	return count * each + 8 * VECIDX_POINTS_ALIGNMENT;
}

void
vecidx_points_map(VecIdxPoints *points, const VecIdxPointShape *shape, uint32 count, void *memory)
{
	char	   *at = memory;

	points->shape = *shape;
	points->count = count;
	points->codes = vecidx_points_carve(&at, (Size) count * shape->code_size);
	points->vectors = vecidx_points_carve(&at, (Size) count * shape->vector_size);
	points->sketches = vecidx_points_carve(&at, (Size) count * shape->width);
	points->keys = vecidx_points_carve(&at, (Size) count * sizeof(VecIdxSketchKey));
	points->tids = vecidx_points_carve(&at, (Size) count * sizeof(ItemPointerData));
	points->twins = vecidx_points_carve(&at, (Size) count * sizeof(uint32));
	points->levels = vecidx_points_carve(&at, (Size) count * sizeof(uint8));
}

void
vecidx_points_encode(const VecIdxQuantizer *quantizer, const VecIdxPointShape *shape, const float *row,
					 void *scratch, VecIdxCodeSlot *code, uint8 *vector)
{
	VecIdxFactors factors;

	memset(code, 0, shape->code_size);
	memset(vector, 0, shape->vector_size);
	vecidx_quant_encode(quantizer, row, scratch, (uint8 *) (code + 1), &factors, vector);
	code->f0 = factors.f0;
	code->f1 = factors.f1;
	code->error = vecidx_error_pack(factors.error);
	code->state = VECIDX_LIVE;
}

/* Bytes that tell vectors apart. */
static Size
compared_size(const VecIdxPoints *points)
{
	if (points->shape.vector_size == 0)
		return vecidx_quant_code_size(vecidx_quantizer_params(points->quantizer));
	return points->shape.vector_size;
}

/* Mixes a number so that each of its bits counts for each of the result's (Steele et al., OOPSLA 2014). */
static uint64
mix(uint64 x)
{
	x = (x ^ x >> 30) * UINT64CONST(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64CONST(0x94D049BB133111EB);
	return x ^ x >> 31;
}

/* Two checksums, of all bytes and of the first half, make 64 bits. */
void
vecidx_points_hash(const VecIdxPoints *points, uint32 from, uint32 to, uint64 *hashes)
{
	Size		size = compared_size(points);

	for (uint32 point = from; point < to; point++)
	{
		const uint8 *vector = vecidx_points_vector(points, point);

		hashes[point] = mix((uint64) vecidx_crc(vector, size) << 32 | vecidx_crc(vector, size / 2));
	}
}

/* Level i with probability m^-i. */
static uint8
level_of(uint64 hash, int m)
{
	double		u = ((double) (hash >> 11) + 1) / (double) (UINT64CONST(1) << 53);

	return (uint8) Min((int) (-log(u) / log(m)), VECIDX_MAX_LEVEL);
}

uint32
vecidx_points_table(uint32 count)
{
	uint32		size = 64;

	while (size / 2 < count)
		size *= 2;
	return size;
}

/* The node with that vector, which is the point itself if there was none. */
static uint32
find_node(const VecIdxPoints *points, const uint64 *hashes, uint32 *table, uint32 mask, uint32 point)
{
	Size		size = compared_size(points);
	uint32		at = (uint32) hashes[point] & mask;

	for (; table[at] != VECIDX_NONE; at = (at + 1) & mask)
	{
		uint32		other = table[at];

		if (hashes[other] == hashes[point] &&
			memcmp(vecidx_points_vector(points, other), vecidx_points_vector(points, point), size) == 0)
			return other;
	}
	table[at] = point;
	return point;
}

uint32
vecidx_points_match(VecIdxPoints *points, const uint64 *hashes, int m, uint32 *table)
{
	uint32		size = vecidx_points_table(points->count);
	uint32		nodes = 0;

	memset(table, 0xFF, size * sizeof(uint32));
	for (uint32 point = 0; point < points->count; point++)
	{
		uint32		node = find_node(points, hashes, table, size - 1, point);

		CHECK_FOR_INTERRUPTS();
		points->twins[point] = VECIDX_NONE;
		if (node == point)
		{
			points->levels[point] = level_of(hashes[point], m);
			nodes++;
			continue;
		}
		points->levels[point] = VECIDX_TWIN;
		points->twins[point] = points->twins[node];
		points->twins[node] = point;
	}
	return nodes;
}
