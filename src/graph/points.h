/*
 * points.h
 *	  Rows in memory while a graph is made of them.
 *
 * A point is what a graph is made by: a row's sketch, and which row it is.
 * Points of equal vectors are twins: the first of them stands for the node,
 * the others hang on it.  All arrays lie in one piece of memory that may be
 * shared between processes; what points to them is each process's own.
 */
#ifndef VECIDX_POINTS_H
#define VECIDX_POINTS_H

#include "postgres.h"

#include "quant/sketch.h"
#include "vecidx.h"

/* The level of a point that is another's twin: it is no node. */
#define VECIDX_TWIN		PG_UINT8_MAX

typedef struct VecIdxPoints
{
	/* fixed */
	int			width;			/* of a sketch */
	float		weight;			/* of products of sketches */
	uint32		count;

	/* arrays */
	int8	   *sketches;
	VecIdxSketchKey *keys;
	uint64	   *hashes;			/* of the vectors */
	uint32	   *numbers;		/* of the rows */
	uint8	   *homes;			/* the cells where they are at home (am/load.h) */
	uint32	   *twins;			/* the next twin, or none */
	uint8	   *levels;			/* highest level, or VECIDX_TWIN */
} VecIdxPoints;

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
extern Size vecidx_points_size(int width, uint32 count);
extern void vecidx_points_map(VecIdxPoints *points, int width, uint32 count, void *memory);

static inline int8 *
vecidx_points_sketch(const VecIdxPoints *points, uint32 point)
{
	return points->sketches + (Size) point * points->width;
}

/* A number that equal vectors share, and others hardly ever: the build finds out when they do. */
extern uint64 vecidx_points_hash(const void *vector, Size size);

/* The level of a vector's node: i with probability m^-i, the same in every build. */
extern int	vecidx_points_level(uint64 hash, int m);

/* Finds the twins; levels are set.  table is scratch of vecidx_points_table entries. */
extern uint32 vecidx_points_table(uint32 count);
extern void vecidx_points_match(VecIdxPoints *points, uint32 *table);

#endif							/* VECIDX_POINTS_H */
