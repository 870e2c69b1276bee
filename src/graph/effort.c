/*
 * effort.c
 *	  How much a search must do to reach a recall target.
 */
#include "postgres.h"

#include <math.h>

#include "graph/effort.h"

const double vecidx_effort_targets[VECIDX_TARGETS] = {0.80, 0.90, 0.95, 0.98, 0.99, 0.995};
const uint32 vecidx_effort_counts[VECIDX_TARGET_KS] = {1, 10, 100};

/*
 * For inner products the rows are thought of as lifted to the norm of the
 * largest by one more dimension, and the query as scaled to it (Bachrach et
 * al., RecSys 2014): then |o - q|^2 is 2 * norm^2 - 2 * norm / |q| * <o, q>.
 */
float
vecidx_effort_shift(VecIdxMetric metric, float largest_norm, float query_norm)
{
	switch (metric)
	{
		case VECIDX_COSINE:
			return 1;
		case VECIDX_IP:
			return largest_norm * query_norm;
		default:
			return 0;
	}
}

/* The nearest estimate alone says too little about how far the nearest row may be. */
#define WIDTH_LEAST		8

VecIdxStop
vecidx_effort_stop(uint32 width, double slack, double limit)
{
	VecIdxStop	stop;

	stop.width = Max(width, WIDTH_LEAST);
	stop.stretch = (float) ((1 + slack) * (1 + slack));
	stop.shift = 0;
	stop.limit = (uint32) Min(Max(limit, 1), PG_UINT32_MAX);
	return stop;
}

double
vecidx_effort_slack(const VecIdxEffort *effort)
{
	return sqrt(effort->stop.stretch) - 1;
}

/*
 * What is added to the slack of the largest count that is calibrated for, times
 * the natural logarithm of how many times as many are wanted: of a million rows
 * recall@k under filters, which look for k among up to 1,000, fell to 0.90 with
 * the slack that gave the hundred nearest 0.98.
 */
#define SLACK_BEYOND	0.005

/* Nodes expanded there grow with this power of the count. */
#define EXPANDED_BEYOND	1.35

static VecIdxEffort
beam_effort(uint32 ef, uint32 count)
{
	VecIdxEffort effort;

	effort.stop = vecidx_effort_stop(Max(ef, count), 0, PG_UINT32_MAX);
	effort.factor = 1;
	effort.exact = false;
	effort.expanded = effort.stop.width;
	return effort;
}

/* A cell's numbers between others, as numbers can be interpolated. */
typedef struct Cell
{
	double		slack;
	double		factor;
	double		expanded;
	double		limit;
	bool		exact;
} Cell;

static Cell
read_cell(const VecIdxMetaEffort *effort)
{
	Cell		cell = {effort->slack, effort->factor, effort->expanded, effort->limit, effort->exact != 0};

	return cell;
}

/* share is that of b. */
static Cell
mix(Cell a, Cell b, double share)
{
	Cell		cell;

	cell.slack = a.slack + share * (b.slack - a.slack);
	cell.factor = a.factor + share * (b.factor - a.factor);
	cell.expanded = a.expanded + share * (b.expanded - a.expanded);
	cell.limit = a.limit + share * (b.limit - a.limit);
	cell.exact = (share < 1 && a.exact) || (share > 0 && b.exact);
	return cell;
}

/* Beyond the highest row nothing has been measured: everything grows with the share of misses that is cut. */
static Cell
cell_beyond(const VecIdxMetaTuning *tuning, double recall, int column)
{
	double		highest = vecidx_effort_targets[VECIDX_TARGETS - 1];
	Cell		cell = read_cell(&tuning->effort[VECIDX_TARGETS - 1][column]);
	double		times = 1 + (recall - highest) / (1 - highest) / 2;

	cell.slack *= times;
	cell.factor *= times;
	cell.expanded *= times * times;
	cell.limit *= times * times;
	return cell;
}

/*
 * A column at a target between its rows.  Two rows of which one relies on
 * exact distances cannot be mixed: that for the higher target is taken.
 */
static Cell
cell_at(const VecIdxMetaTuning *tuning, double recall, int column)
{
	const double *targets = vecidx_effort_targets;
	int			row = 0;
	Cell		low;
	Cell		high;

	if (recall <= targets[0])
		return read_cell(&tuning->effort[0][column]);
	if (recall > targets[VECIDX_TARGETS - 1])
		return cell_beyond(tuning, recall, column);
	while (recall > targets[row + 1])
		row++;
	low = read_cell(&tuning->effort[row][column]);
	high = read_cell(&tuning->effort[row + 1][column]);
	if (low.exact != high.exact)
		return high;
	return mix(low, high, (recall - targets[row]) / (targets[row + 1] - targets[row]));
}

static Cell
cell_for(const VecIdxMetaTuning *tuning, double recall, uint32 count)
{
	const uint32 *counts = vecidx_effort_counts;
	int			column = 0;
	double		share;

	if (count >= counts[VECIDX_TARGET_KS - 1])
	{
		Cell		cell = cell_at(tuning, recall, VECIDX_TARGET_KS - 1);
		double		times = (double) count / counts[VECIDX_TARGET_KS - 1];

		cell.slack += SLACK_BEYOND * log(times);
		cell.expanded *= pow(times, EXPANDED_BEYOND);
		cell.limit *= pow(times, EXPANDED_BEYOND);
		return cell;
	}
	while (count > counts[column + 1])
		column++;
	share = (log(Max(count, 1)) - log(counts[column])) / (log(counts[column + 1]) - log(counts[column]));
	return mix(cell_at(tuning, recall, column), cell_at(tuning, recall, column + 1), share);
}

VecIdxEffort
vecidx_effort_choose(const VecIdxMetaTuning *tuning, uint32 ef, double recall, uint32 count)
{
	VecIdxEffort effort;
	Cell		cell;

	if (ef > 0)
		return beam_effort(ef, count);
	if (tuning->source == VECIDX_TUNED_NOT)
		return beam_effort((uint32) Min((2.0 * count + 64) * 0.05 / (1 - Min(recall, 0.999)), VECIDX_MAX_EF_SEARCH) + count,
						   count);
	cell = cell_for(tuning, recall, count);
	effort.stop = vecidx_effort_stop(count, Max(cell.slack, 0), cell.limit);
	effort.factor = (float) cell.factor;
	effort.exact = cell.exact;
	effort.expanded = Max(cell.expanded, count);
	return effort;
}
