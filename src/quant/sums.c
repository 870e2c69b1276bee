/*
 * sums.c
 *	  Sums whose results are equal on every machine.
 *
 * Bytes on disk depend on them, so they use no kernel.  The product of two
 * floats is exact in double, so a compiler that fuses multiplication and
 * addition changes nothing; the lanes fix the order of additions.
 */
#include "c.h"

#include "quant/quant_internal.h"

#define LANES 8

static inline double
sum_lanes(const double *lane)
{
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
		((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

double
vecidx_sum_dot(const float *a, const float *b, int n)
{
	double		lane[LANES] = {0};
	int			i;

	for (i = 0; i + LANES <= n; i += LANES)
	{
		for (int j = 0; j < LANES; j++)
			lane[j] += (double) a[i + j] * (double) b[i + j];
	}
	for (; i < n; i++)
		lane[i % LANES] += (double) a[i] * (double) b[i];
	return sum_lanes(lane);
}

double
vecidx_sum_squares(const float *a, int n)
{
	return vecidx_sum_dot(a, a, n);
}

double
vecidx_sum(const float *a, int n)
{
	double		lane[LANES] = {0};
	int			i;

	for (i = 0; i + LANES <= n; i += LANES)
	{
		for (int j = 0; j < LANES; j++)
			lane[j] += (double) a[i + j];
	}
	for (; i < n; i++)
		lane[i % LANES] += (double) a[i];
	return sum_lanes(lane);
}
