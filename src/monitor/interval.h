/*
 * interval.h
 *	  What the recalls of some queries tell of the recall of all.
 */
#ifndef VECIDX_INTERVAL_H
#define VECIDX_INTERVAL_H

#include "c.h"

typedef struct VecIdxInterval
{
	double		mean;			/* of the queries */
	double		low;			/* of the interval for all queries, at 95 % */
	double		high;
} VecIdxInterval;

/* Of so many queries (at least one), by the sums of their recalls and of these squared. */
extern VecIdxInterval vecidx_interval(double queries, double sum, double squares);

#endif							/* VECIDX_INTERVAL_H */
