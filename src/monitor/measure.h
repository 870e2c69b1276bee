/*
 * measure.h
 *	  Recall of an index in use: what queries in SQL find by it, against what
 *	  they find without.
 */
#ifndef VECIDX_MEASURE_H
#define VECIDX_MEASURE_H

#include "postgres.h"

#include "storage/itemptr.h"

#include "monitor/monitor.h"

#define VECIDX_MEASURE_K_MOST		1000
#define VECIDX_MEASURE_QUERIES_MOST	10000

/* Classes of a filter column that are measured, at most. */
#define VECIDX_MEASURE_CLASSES		10

typedef struct VecIdxMeasure VecIdxMeasure;

/* A value of a filter column, and how it reads. */
typedef struct VecIdxClass
{
	Datum		value;
	const char *text;
} VecIdxClass;

typedef struct VecIdxRecall
{
	int			queries;		/* that have a nearest row; 0: all below is 0 */
	double		recall;			/* mean */
	double		low;			/* of its interval, 95 % */
	double		high;
	double		worst;			/* of one query */
	double		search_ms;		/* mean */
	double		exact_ms;
} VecIdxRecall;

/*
 * Begin takes the guise of the table's owner and connects to SPI; errors where
 * row level security holds for the caller.  All that is allocated between
 * begin and end goes with end.  An error ends by itself.
 */
extern VecIdxMeasure *vecidx_measure_begin(const VecIdxTarget *target, int k);
extern void vecidx_measure_end(VecIdxMeasure *measure);

/* The queries: rows of the table (the same ones each time; returns how many there are), or given ones. */
extern int	vecidx_measure_draw(VecIdxMeasure *measure, int count);
extern void vecidx_measure_take(VecIdxMeasure *measure, const VecIdxGiven *given);

/* The most frequent values of a key column; their number. */
extern int	vecidx_measure_classes(VecIdxMeasure *measure, int column, VecIdxClass *classes);

/* Recall among the rows that have a value in a key column, or among all (column 0). */
extern VecIdxRecall vecidx_measure_recall(VecIdxMeasure *measure, int column, const VecIdxClass *class);

#endif							/* VECIDX_MEASURE_H */
