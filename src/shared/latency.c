/*
 * latency.c
 *	  A histogram of times.
 */
#include "c.h"

#include <math.h>

#include "port/pg_bitutils.h"

#include "shared/latency.h"

/* Time is counted in units of 8.192 microseconds, the first step. */
#define UNIT_SHIFT		13

int
vecidx_latency_step(uint64 nanoseconds)
{
	uint64		quarters = nanoseconds >> (UNIT_SHIFT - 2);
	int			octave;

	if (quarters < 4)
		return 0;
	octave = pg_leftmost_one_pos64(quarters) - 2;
	if (octave >= VECIDX_LATENCY_OCTAVES)
		return VECIDX_LATENCY_STEPS - 1;
	return 1 + 4 * octave + (int) (quarters >> octave & 3);
}

/* Where a step begins, in nanoseconds. */
static double
step_start(int step)
{
	if (step == 0)
		return 0;
	return ldexp(4 + (step - 1) % 4, UNIT_SHIFT - 2 + (step - 1) / 4);
}

double
vecidx_latency_quantile(const uint64 *counts, double part)
{
	double		total = 0;
	double		before = 0;
	double		wanted;

	for (int i = 0; i < VECIDX_LATENCY_STEPS; i++)
		total += counts[i];
	wanted = total * part;
	for (int i = 0; i < VECIDX_LATENCY_STEPS; i++)
	{
		double		start = step_start(i);
		double		end = i + 1 < VECIDX_LATENCY_STEPS ? step_start(i + 1) : start;

		if (counts[i] > 0 && before + counts[i] >= wanted)
			return (start + (end - start) * (wanted - before) / counts[i]) / 1e6;
		before += counts[i];
	}
	return NAN;
}

double
vecidx_latency_growth(const VecIdxLatencyFirst *first, const uint64 *counts)
{
	uint64		before[VECIDX_LATENCY_STEPS];
	uint64		later[VECIDX_LATENCY_STEPS];
	uint64		total = 0;

	for (int i = 0; i < VECIDX_LATENCY_STEPS; i++)
	{
		before[i] = first->counts[i];
		later[i] = counts[i] - (first->apart ? 0 : first->counts[i]);
		total += later[i];
	}
	if (first->total < VECIDX_LATENCY_FIRST || total < VECIDX_LATENCY_FIRST)
		return NAN;
	return vecidx_latency_quantile(later, 0.5) / vecidx_latency_quantile(before, 0.5);
}
