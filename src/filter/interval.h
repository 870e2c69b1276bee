/*
 * interval.h
 *	  Sets of numbers as intervals of keys.
 *
 * A key is an unsigned integer in whose order a type's values stand: for
 * floats as PostgreSQL compares them (both zeros are equal, NaN is equal to
 * itself and above all others).
 */
#ifndef VECIDX_FILTER_INTERVAL_H
#define VECIDX_FILTER_INTERVAL_H

#include "postgres.h"

#include "access/stratnum.h"

/* btree's strategies, and this. */
#define VECIDX_STRATEGY_NONE	0
#define VECIDX_STRATEGY_NE		(BTMaxStrategyNumber + 1)

typedef enum VecIdxNumberKind
{
	VECIDX_NUMBER_SIGNED,
	VECIDX_NUMBER_UNSIGNED,
	VECIDX_NUMBER_FLOAT
} VecIdxNumberKind;

/* A type that is a number to the processor. */
typedef struct VecIdxNumber
{
	Oid			type;
	VecIdxNumberKind kind;
	int			width;
	int			family;			/* types of one family are compared as numbers */
} VecIdxNumber;

/* NULL for any other type. */
extern const VecIdxNumber *vecidx_number_find(Oid type);

/* The key of a value, given as it lies in memory. */
extern uint64 vecidx_number_key(const VecIdxNumber *number, const void *value);

/* And of a datum. */
extern uint64 vecidx_number_datum_key(const VecIdxNumber *number, Datum value);

/* The greatest float that a key stands for or is above, and the least that it stands for or is below; not for NaN's key. */
extern double vecidx_float_at_most(uint64 key);
extern double vecidx_float_at_least(uint64 key);

#define VECIDX_KEY_NAN		PG_UINT64_MAX

typedef struct VecIdxInterval
{
	uint64		low;
	uint64		high;			/* both included */
} VecIdxInterval;

/* Disjoint intervals in ascending order. */
typedef struct VecIdxIntervals
{
	VecIdxInterval *interval;
	int			count;
	int			room;
} VecIdxIntervals;

/* An empty set with room for a number of keys' intervals, in the current memory context. */
extern VecIdxIntervals vecidx_intervals_make(int keys);

/* Adds the values v for which "v strategy key" holds; normalize when all have been added. */
extern void vecidx_intervals_add(VecIdxIntervals *set, int strategy, uint64 key);
extern void vecidx_intervals_normalize(VecIdxIntervals *set);

extern VecIdxIntervals vecidx_intervals_intersect(const VecIdxIntervals *a, const VecIdxIntervals *b);

/* Cuts off what no value of the type can be. */
extern void vecidx_intervals_clamp(VecIdxIntervals *set, const VecIdxNumber *number);

extern bool vecidx_intervals_contain(const VecIdxIntervals *set, uint64 key);

#endif							/* VECIDX_FILTER_INTERVAL_H */
