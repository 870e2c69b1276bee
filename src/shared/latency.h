/*
 * latency.h
 *	  How long things take: a histogram of times, in steps of a quarter of an
 *	  octave or less.
 */
#ifndef VECIDX_SHARED_LATENCY_H
#define VECIDX_SHARED_LATENCY_H

#include "c.h"

/* Steps: the first is below 8 microseconds, then four an octave, the last from about 275 seconds on. */
#define VECIDX_LATENCY_OCTAVES	25
#define VECIDX_LATENCY_STEPS	(2 + 4 * VECIDX_LATENCY_OCTAVES)

/* The step that a time is in. */
extern int	vecidx_latency_step(uint64 nanoseconds);

/*
 * The time, in milliseconds, that the share "part" of all is no longer than;
 * NAN if there are none.  Within a step, times are taken to be spread evenly,
 * so the result is off by a quarter at most, beyond the first step.
 */
extern double vecidx_latency_quantile(const uint64 *counts, double part);

/* The first times, as many as those that follow are compared with. */
#define VECIDX_LATENCY_FIRST	1000

typedef struct VecIdxLatencyFirst
{
	uint32		total;			/* at most VECIDX_LATENCY_FIRST */
	bool		apart;			/* none of them is in the histogram that goes on */
	uint16		counts[VECIDX_LATENCY_STEPS];
} VecIdxLatencyFirst;

/*
 * How many times as long as the first ones half of the others take at least:
 * medians of the histogram that goes on, without the first ones, and of these.
 * NAN while either are fewer than VECIDX_LATENCY_FIRST.
 */
extern double vecidx_latency_growth(const VecIdxLatencyFirst *first, const uint64 *counts);

#endif							/* VECIDX_SHARED_LATENCY_H */
