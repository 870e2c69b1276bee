/*
 * calibrate.c
 *	  Which effort reaches which recall.
 *
 * For each number of results the queries run with growing slack; what each run
 * has met is ranked with growing shares of the bounds believed, and once more
 * with exact distances where rerank vectors leave a doubt.  Of all ways to
 * reach a target the cheapest goes into the table.
 */
#include "postgres.h"

#include <math.h>

#include "graph/calibrate.h"

/*
 * Queries that come later differ from the sample: aim some of the permitted
 * misses higher, but not much; and by so many standard errors of the share of
 * neighbours that the sample's queries found.
 */
#define SAFETY			0.5
#define SAFETY_MOST		0.025
#define SAFETY_ERRORS	0.75

/*
 * A search may expand so many times what the others did with a little less
 * slack: a query far from all rows finds half the index within its slack.
 */
#define LIMIT_TIMES		5
#define LIMIT_LEAST		100

/* All runs for one number of results. */
typedef struct Series
{
	double		neighbours;		/* sought, by all queries together */
	int			runs;			/* slacks tried */
	double		limit[VECIDX_SLACKS];	/* nodes that a search may expand */
	VecIdxRuns	average;
} Series;

/* A calibration under way. */
typedef struct Calibration
{
	const VecIdxTruth *truth;
	const VecIdxAsking *asking;
	uint64		nodes;			/* of the index */
	int			m;
	Series		series;
} Calibration;

/* Asks every stride-th of the queries that are used. */
static int
ask_queries(const VecIdxTruth *truth, VecIdxSheet *sheet, int stride)
{
	int			seen = 0;
	int			asked = 0;

	for (int query = 0; query < truth->count; query++)
	{
		sheet->answers[query].asked = !truth->skipped[query] && seen++ % stride == 0;
		asked += sheet->answers[query].asked;
	}
	return asked;
}

/* Adds a query's answer to the sums. */
static void
add_answer(VecIdxRuns *sums, const VecIdxRuns *answer, int from, int to)
{
	for (int run = from; run < to; run++)
	{
		sums->expanded[run] += answer->expanded[run];
		sums->walked[run] += answer->walked[run];
		for (int i = 0; i < VECIDX_FACTORS; i++)
		{
			for (int exact = 0; exact <= 1; exact++)
			{
				sums->outcome[run][i].recall[exact] += answer->outcome[run][i].recall[exact];
				sums->outcome[run][i].cost[exact] += answer->outcome[run][i].cost[exact];
			}
		}
	}
}

static void
divide_sums(VecIdxRuns *sums, int from, int to, int count)
{
	for (int run = from; run < to; run++)
	{
		sums->expanded[run] /= count;
		sums->walked[run] /= count;
		for (int i = 0; i < VECIDX_FACTORS; i++)
		{
			for (int exact = 0; exact <= 1; exact++)
			{
				sums->outcome[run][i].recall[exact] /= count;
				sums->outcome[run][i].cost[exact] /= count;
			}
		}
	}
}

/* Has every stride-th of the queries run, from slack "first" on; sums, made in the queries' order, become averages. */
static void
run_queries(Calibration *calibration, int stride, int first)
{
	Series	   *series = &calibration->series;
	VecIdxSheet *sheet = calibration->asking->sheet;
	VecIdxRuns *average = &series->average;
	int			asked = ask_queries(calibration->truth, sheet, stride);

	sheet->first = first;
	sheet->runs = series->runs;
	memcpy(sheet->limit, series->limit, sizeof(sheet->limit));
	calibration->asking->run(calibration->asking->state);
	memset(average->expanded + first, 0, (VECIDX_SLACKS - first) * sizeof(double));
	memset(average->walked + first, 0, (VECIDX_SLACKS - first) * sizeof(double));
	memset(average->outcome + first, 0, (VECIDX_SLACKS - first) * sizeof(average->outcome[0]));
	for (int query = 0; query < calibration->truth->count; query++)
	{
		if (sheet->answers[query].asked)
			add_answer(average, &sheet->answers[query], first, series->runs);
	}
	divide_sums(average, first, series->runs, asked);
}

double
vecidx_calibrate_aim(double target, double neighbours)
{
	return target + Min((1 - target) * SAFETY, SAFETY_MOST) +
		SAFETY_ERRORS * sqrt(target * (1 - target) / neighbours);
}

/* A way to reach a target. */
typedef struct Way
{
	VecIdxMetaEffort effort;
	double		cost;
} Way;

static double
mix(const double *values, int low, int high, double share)
{
	return values[low] + share * (values[high] - values[low]);
}

/* The least slack that reaches the aim with the given factor, between the slacks tried; false if none does. */
static bool
find_way(const Series *series, double aim, int factor, int exact, Way *way)
{
	double		recall[VECIDX_SLACKS];
	double		cost[VECIDX_SLACKS];
	double		share = 0;
	int			run = -1;
	int			before;

	do
	{
		if (++run == series->runs)
			return false;
		recall[run] = series->average.outcome[run][factor].recall[exact];
		cost[run] = series->average.outcome[run][factor].cost[exact];
	} while (recall[run] < aim);
	before = Max(run - 1, 0);
	if (recall[run] > recall[before])
		share = (aim - recall[before]) / (recall[run] - recall[before]);
	way->effort.slack = (float) mix(vecidx_trial_slacks, before, run, share);
	way->effort.factor = vecidx_trial_factors[factor];
	way->effort.expanded = (float) mix(series->average.expanded, before, run, share);
	way->effort.limit = (uint32) mix(series->limit, before, run, share);
	way->effort.exact = exact;
	way->cost = mix(cost, before, run, share);
	return true;
}

/* The cheapest way to reach the aim; its cost is below zero if none does. */
static Way
find_cheapest(const Series *series, double aim)
{
	Way			best = {.cost = -1};

	for (int exact = 0; exact <= 1; exact++)
	{
		for (int i = 0; i < VECIDX_FACTORS; i++)
		{
			Way			way;

			if (find_way(series, aim, i, exact, &way) && (best.cost < 0 || way.cost < best.cost))
				best = way;
		}
	}
	return best;
}

/* Runs that need not find more than the one before them. */
#define PATIENCE	4

/* The best that a run has reached. */
static double
run_recall(const Series *series, int run)
{
	const VecIdxOutcome *widest = &series->average.outcome[run][VECIDX_FACTORS - 1];

	return Max(widest->recall[0], widest->recall[1]);
}

/*
 * Has the last run found all that there is to find, or no more than some
 * before, or met so much that a sweep would be cheaper?  Or does its search
 * alone cost as much as a way that reaches all targets?  Each later way would
 * cost more.
 */
static bool
is_enough(const Calibration *calibration, int run)
{
	const Series *series = &calibration->series;
	double		aim = vecidx_calibrate_aim(vecidx_effort_targets[VECIDX_TARGETS - 1], series->neighbours);
	Way			known = find_cheapest(series, aim);

	return (known.cost >= 0 && known.cost <= series->average.walked[run]) ||
		series->average.outcome[run][VECIDX_FACTORS - 1].recall[0] >= aim ||
		series->average.outcome[run][VECIDX_FACTORS - 2].recall[1] >= aim ||
		(run >= PATIENCE && run_recall(series, run) <= run_recall(series, run - PATIENCE)) ||
		series->average.expanded[run] * calibration->m > calibration->nodes;
}

/* So many queries find out how far the others have to go. */
#define SCOUTS		64

/* From so many results a query on, every other query is enough. */
#define MANY_RESULTS	100

/*
 * Some of the queries, with one slack more each time, tell how many slacks are
 * wanted and how many nodes a search may expand; then all run.
 */
static void
run_series(Calibration *calibration, uint32 count)
{
	Series	   *series = &calibration->series;
	int			stride = count < MANY_RESULTS || calibration->truth->used < SCOUTS ? 1 : 2;

	memset(series, 0, sizeof(Series));
	calibration->asking->sheet->count = count;
	series->neighbours = (double) (calibration->truth->used / stride) * count;
	do
	{
		double		before = series->runs == 0 ? count : series->average.expanded[series->runs - 1];

		series->limit[series->runs++] = LIMIT_LEAST + before * LIMIT_TIMES;
		run_queries(calibration, stride * Max(1, calibration->truth->used / SCOUTS), series->runs - 1);
	} while (series->runs < VECIDX_SLACKS && !is_enough(calibration, series->runs - 1));
	run_queries(calibration, stride, 0);
}

/* The best that was reached, for targets beyond it. */
static double
best_recall(const Series *series)
{
	double		best = 0;

	for (int run = 0; run < series->runs; run++)
	{
		for (int i = 0; i < VECIDX_FACTORS; i++)
			best = Max(best, Max(series->average.outcome[run][i].recall[0], series->average.outcome[run][i].recall[1]));
	}
	return best;
}

static VecIdxMetaEffort
choose_effort(const Series *series, double target)
{
	Way			best = find_cheapest(series, Min(vecidx_calibrate_aim(target, series->neighbours), best_recall(series) - 0.0005));

	Assert(best.cost >= 0);
	return best.effort;
}

void
vecidx_calibrate(VecIdxHandle *handle, const VecIdxTruth *truth, const VecIdxAsking *asking,
				 VecIdxTuningSource source, VecIdxMetaTuning *tuning)
{
	Calibration calibration = {.truth = truth,.asking = asking,.nodes = handle->state.nodes,.m = handle->fixed.m};

	memset(tuning, 0, sizeof(VecIdxMetaTuning));
	if (truth->count == 0 || handle->state.nodes == 0)
		return;
	tuning->source = source;
	tuning->queries = truth->used;
	tuning->nodes = handle->state.nodes;
	tuning->norm = truth->norm;
	for (int column = 0; column < VECIDX_TARGET_KS; column++)
	{
		run_series(&calibration, vecidx_effort_counts[column]);
		for (int row = 0; row < VECIDX_TARGETS; row++)
			tuning->effort[row][column] = choose_effort(&calibration.series, vecidx_effort_targets[row]);
	}
}

/* For one process. */
typedef struct Alone
{
	VecIdxTrial *trial;
	VecIdxSheet *sheet;
} Alone;

static void
run_alone(void *state)
{
	Alone	   *alone = state;
	VecIdxDeal	deal;

	pg_atomic_init_u64(&deal.next, 0);
	vecidx_trial_run(alone->trial, alone->sheet, &deal);
}

void
vecidx_calibrate_alone(VecIdxHandle *handle, const VecIdxTruth *truth, VecIdxTuningSource source, VecIdxMetaTuning *tuning)
{
	Alone		alone = {vecidx_trial_create(handle, truth), palloc0(vecidx_sheet_size(truth->count))};
	VecIdxAsking asking = {alone.sheet, run_alone, &alone};

	vecidx_calibrate(handle, truth, &asking, source, tuning);
	pfree(alone.sheet);
}
