/*
 * interval.c
 *	  What the recalls of some queries tell of the recall of all.
 */
#include "postgres.h"

#include <math.h>

#include "monitor/interval.h"

/* The quantile of the normal distribution for an interval at 95 %. */
#define NORMAL_QUANTILE		1.959964

/* What the query that the sample may have missed finds (see src/README.md). */
#define MISSED_RECALL		0.5

/* Quantile of Student's distribution: Fisher's and Cornish's expansion of the normal one, good to 0.01 from 8 on. */
static double
student_quantile(double freedom)
{
	double		z = NORMAL_QUANTILE;

	return z + (z * z * z + z) / (4 * freedom) + (5 * pow(z, 5) + 16 * z * z * z + 3 * z) / (96 * freedom * freedom);
}

/* One query that misses half is added. */
VecIdxInterval
vecidx_interval(double queries, double sum, double squares)
{
	VecIdxInterval result;
	double		n = queries + 1;
	double		mean = (sum + MISSED_RECALL) / n;
	double		variance = Max(0.0, (squares + MISSED_RECALL * MISSED_RECALL) / n - mean * mean) * n / (n - 1);
	double		half = student_quantile(n - 1) * sqrt(variance / n);

	result.mean = rint(sum / queries * 1e12) / 1e12;	/* sums of tenths are a little off */
	result.low = Max(0.0, Min(mean - half, result.mean));
	result.high = Min(1.0, Max(mean + half, result.mean));
	return result;
}
