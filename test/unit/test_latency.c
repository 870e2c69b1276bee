/*
 * test_latency.c
 *	  Histograms of times: each time is in the step that it belongs to, and
 *	  quantiles are as near as they are said to be.
 */
#include "c.h"

#include <math.h>

#include "shared/latency.h"
#include "unit.h"

/* the system's: the server's is not linked in */
#undef qsort

#define TIMES		10000

static int
compare_times(const void *a, const void *b)
{
	uint64		one = *(const uint64 *) a;
	uint64		other = *(const uint64 *) b;

	return one < other ? -1 : one > other;
}

/* Steps ascend with times, one at a time. */
static void
check_steps(void)
{
	int			last = 0;

	unit_case("latency: steps");
	for (double time = 1; time < 1e13; time *= 1.01)
	{
		int			step = vecidx_latency_step((uint64) time);

		unit_check(step == last || step == last + 1, "step %d after %d, at %.0f ns", step, last, time);
		last = step;
	}
	unit_check(last == VECIDX_LATENCY_STEPS - 1, "the last step is %d", last);
	unit_check(vecidx_latency_step(0) == 0 && vecidx_latency_step(8191) == 0 && vecidx_latency_step(8192) == 1, "where the first step ends");
	unit_check(vecidx_latency_step(PG_UINT64_MAX) == VECIDX_LATENCY_STEPS - 1, "a time without end");
}

/* Times from "least" on, over so many powers of ten. */
static void
check_quantiles(double least, double decades)
{
	static const double parts[] = {0.01, 0.5, 0.95, 0.99, 1};
	uint64	   *times;
	uint64	   *counts;

	unit_case("latency: quantiles from %.0f ns over %.1f decades", least, decades);
	times = unit_alloc(TIMES * sizeof(uint64), 0);
	counts = unit_alloc(VECIDX_LATENCY_STEPS * sizeof(uint64), 0);
	memset(counts, 0, VECIDX_LATENCY_STEPS * sizeof(uint64));
	for (int i = 0; i < TIMES; i++)
	{
		times[i] = (uint64) (least * pow(10, decades * unit_random_below(1000000) / 1e6));
		counts[vecidx_latency_step(times[i])]++;
	}
	qsort(times, TIMES, sizeof(uint64), compare_times);
	for (int i = 0; i < (int) lengthof(parts); i++)
	{
		double		found = vecidx_latency_quantile(counts, parts[i]) * 1e6;
		double		exact = times[(int) (parts[i] * TIMES) - 1];

		unit_check(fabs(found / exact - 1) <= 0.25, "quantile %.2f: %.0f ns for %.0f", parts[i], found, exact);
	}
}

/* First times of one length, later ones of another, with or without the first ones among them. */
static double
grow(uint64 first_time, uint32 first_total, uint64 later_time, uint32 later_total, bool apart)
{
	VecIdxLatencyFirst first = {.total = first_total, .apart = apart};
	uint64		counts[VECIDX_LATENCY_STEPS] = {0};

	first.counts[vecidx_latency_step(first_time)] = (uint16) first_total;
	if (!apart)
		counts[vecidx_latency_step(first_time)] = first_total;
	counts[vecidx_latency_step(later_time)] += later_total;
	return vecidx_latency_growth(&first, counts);
}

static void
check_growth(void)
{
	unit_case("latency: growth");
	for (int apart = 0; apart <= 1; apart++)
	{
		unit_check(grow(1000000, 1000, 1000000, 1000, apart) == 1, "none, apart: %d", apart);
		unit_check(fabs(grow(1000000, 1000, 4000000, 100000, apart) - 4) < 0.001, "fourfold, apart: %d", apart);
		unit_check(fabs(grow(4000000, 1000, 1000000, 1000, apart) - 0.25) < 0.001, "less, apart: %d", apart);
		unit_check(isnan(grow(1000000, 999, 4000000, 1000, apart)), "too few first ones, apart: %d", apart);
		unit_check(isnan(grow(1000000, 1000, 4000000, 999, apart)), "too few later ones, apart: %d", apart);
	}
}

void
suite_latency(void)
{
	uint64	   *counts;

	check_steps();
	check_quantiles(10000, 0.5);
	check_quantiles(10000, 4);
	check_quantiles(200000, 0);
	check_growth();
	unit_case("latency: quantile of nothing");
	counts = unit_alloc(VECIDX_LATENCY_STEPS * sizeof(uint64), 0);
	memset(counts, 0, VECIDX_LATENCY_STEPS * sizeof(uint64));
	unit_check(isnan(vecidx_latency_quantile(counts, 0.5)), "there is none");
}
