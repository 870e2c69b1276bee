/*
 * points.h
 *	  Rows in memory while a graph is made of them.
 *
 * A point is a row of the table, encoded.  Points with the same vector are
 * twins: the first of them stands for the node, the others hang on it.  All
 * arrays lie in one piece of memory that may be shared between processes; what
 * points to them is each process's own.
 */
#ifndef VECIDX_POINTS_H
#define VECIDX_POINTS_H

#include "postgres.h"

#include "storage/itemptr.h"

#include "page/layout.h"
#include "quant/sketch.h"
#include "vecidx.h"

/* The level of a point that is another's twin: it is no node. */
#define VECIDX_TWIN		PG_UINT8_MAX

/* What a point takes. */
typedef struct VecIdxPointShape
{
	uint32		code_size;		/* of a code slot */
	uint32		vector_size;	/* of a rerank vector; 0 where there are none */
	uint32		width;			/* of a sketch */
} VecIdxPointShape;

typedef struct VecIdxPoints
{
	/* fixed */
	VecIdxPointShape shape;
	const VecIdxQuantizer *quantizer;
	float		weight;			/* of products of sketches */
	uint32		count;

	/* arrays */
	char	   *codes;			/* VecIdxCodeSlot with its bits */
	char	   *vectors;
	int8	   *sketches;
	VecIdxSketchKey *keys;
	ItemPointerData *tids;
	uint32	   *twins;			/* the next twin, or none */
	uint8	   *levels;			/* highest level, or VECIDX_TWIN */
} VecIdxPoints;

extern VecIdxPointShape vecidx_points_shape(const VecIdxQuantizer *quantizer, const VecIdxLayout *layout, int width);

/* Arrays in shared pieces of memory start on cache lines of their own. */
#define VECIDX_POINTS_ALIGNMENT		64

/* Takes the next array from a piece of memory. */
static inline void *
vecidx_points_carve(char **at, Size size)
{
	char	   *array = (char *) TYPEALIGN(VECIDX_POINTS_ALIGNMENT, *at);

	*at = array + size;
	return array;
}

/* Bytes of so many points, and the arrays in such memory. */
extern Size vecidx_points_size(const VecIdxPointShape *shape, uint32 count);
extern void vecidx_points_map(VecIdxPoints *points, const VecIdxPointShape *shape, uint32 count, void *memory);

static inline VecIdxCodeSlot *
vecidx_points_code(const VecIdxPoints *points, uint32 point)
{
	return (VecIdxCodeSlot *) (points->codes + (Size) point * points->shape.code_size);
}

/* The rerank vector (code, where there is none). */
static inline uint8 *
vecidx_points_vector(const VecIdxPoints *points, uint32 point)
{
	if (points->shape.vector_size == 0)
		return (uint8 *) (vecidx_points_code(points, point) + 1);
	return (uint8 *) points->vectors + (Size) point * points->shape.vector_size;
}

static inline int8 *
vecidx_points_sketch(const VecIdxPoints *points, uint32 point)
{
	return points->sketches + (Size) point * points->shape.width;
}

/* Encodes a normalized row: a code slot and a rerank vector (unused where there are none). */
extern void vecidx_points_encode(const VecIdxQuantizer *quantizer, const VecIdxPointShape *shape, const float *row,
								 void *scratch, VecIdxCodeSlot *code, uint8 *vector);

/* A number that equal vectors share; for points from..to - 1. */
extern void vecidx_points_hash(const VecIdxPoints *points, uint32 from, uint32 to, uint64 *hashes);

/*
 * Finds the twins and draws the levels (from the hashes: the same vector gets
 * the same level in every build).  table is scratch of vecidx_points_table
 * entries.  Returns the number of nodes.
 */
extern uint32 vecidx_points_table(uint32 count);
extern uint32 vecidx_points_match(VecIdxPoints *points, const uint64 *hashes, int m, uint32 *table);

#endif							/* VECIDX_POINTS_H */
