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

#include "miscadmin.h"

#include "graph/calibrate.h"
#include "graph/rank.h"
#include "graph/search.h"

static const double slacks[] = {0, 0.02, 0.04, 0.06, 0.08, 0.11, 0.15, 0.20, 0.27, 0.36, 0.5, 0.7, 1.0};
static const float factors[] = {0.3f, 0.45f, 0.6f, 0.8f, 1.0f, 1.3f};

#define SLACKS		((int) lengthof(slacks))
#define FACTORS		((int) lengthof(factors))

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

/*
 * About how long things take, to tell the cheaper of two ways (ns, measured on
 * 768 to 1,024 dimensions).
 */
#define COST_EXPANDED	350.0
#define COST_ESTIMATE	25.0
#define COST_RERANKED	220.0
#define COST_EXACT		8000.0

/* What a way to search has brought, over all queries: without exact distances, and with. */
typedef struct Outcome
{
	double		recall[2];
	double		cost[2];
} Outcome;

/* All runs for one number of results. */
typedef struct Series
{
	double		neighbours;		/* sought, by all queries together */
	int			runs;			/* slacks tried */
	double		expanded[SLACKS];	/* nodes, on average */
	double		limit[SLACKS];	/* nodes, at most */
	Outcome		outcome[SLACKS][FACTORS];
} Series;

typedef struct Trial
{
	/* fixed */
	const VecIdxTruth *truth;
	VecIdxHandle *handle;
	float		norm;			/* largest of a row */
	void	   *query_memory;
	void	   *scratch;

	/* changes */
	VecIdxStore store;
	VecIdxSearch search;
	VecIdxRank	rank;
	int			query;			/* the one under way */
	struct Known *known;		/* nodes with distances, and the best of these */
	struct Known *chosen;		/* those that a share of the bounds asks for, as many at most */
	uint32		known_count;
	uint32		known_room;
	Series		series;
} Trial;

/* The true neighbour that a node is, among the first "count", or NULL. */
static const VecIdxTrueNeighbour *
find_true(const Trial *trial, uint32 node, uint32 count)
{
	const VecIdxTrueNeighbour *neighbours = trial->truth->neighbours + trial->query * VECIDX_TRUTH_KEPT;

	for (uint32 i = 0; i < count; i++)
	{
		if (neighbours[i].node == node)
			return &neighbours[i];
	}
	return NULL;
}

/* A node whose distance is known. */
typedef struct Known
{
	uint32		node;
	float		estimate;
	float		estimate_bound;
	float		distance;
	float		bound;
} Known;

/* Nearest first, the lower id among equals. */
static inline bool
comes_later(const Known *a, const Known *b)
{
	return a->distance != b->distance ? a->distance > b->distance : a->node > b->node;
}

static int
compare_known(const void *a, const void *b)
{
	return comes_later(a, b) ? 1 : comes_later(b, a) ? -1 : 0;
}

/* Sorts what is nearly sorted. */
static void
sort_nearly(Known *known, uint32 count)
{
	for (uint32 i = 1; i < count; i++)
	{
		Known		moved = known[i];
		uint32		at = i;

		for (; at > 0 && comes_later(&known[at - 1], &moved); at--)
			known[at] = known[at - 1];
		known[at] = moved;
	}
}

/* Share of the query's "count" true neighbours that are first among those chosen, which are sorted. */
static double
measure_recall(const Trial *trial, uint32 count, uint32 chosen)
{
	uint32		wanted = Min(count, (uint32) trial->truth->kept[trial->query]);
	bool		exact = trial->handle->fixed.rerank == VECIDX_RERANK_NONE;
	uint32		right = 0;
	float		worst;

	if (wanted == 0)
		return 1.0;
	worst = trial->truth->neighbours[trial->query * VECIDX_TRUTH_KEPT + wanted - 1].distance;
	for (uint32 i = 0; i < Min(chosen, wanted); i++)
	{
		if ((exact && trial->chosen[i].distance <= worst) || find_true(trial, trial->chosen[i].node, wanted) != NULL)
			right++;
	}
	return (double) right / wanted;
}

/* Prepares a query for running; false for an empty graph. */
static bool
begin_query(Trial *trial, int query)
{
	const VecIdxTruth *truth = trial->truth;
	const float *row = truth->rows + (Size) query * truth->dimensions;

	trial->query = query;
	vecidx_store_query(&trial->store, vecidx_query_init(trial->query_memory, trial->handle->quantizer, row, trial->scratch));
	trial->search.avoided = truth->self[query];
	return vecidx_search_descend(&trial->search, 0);
}

static void
reserve_known(Trial *trial, uint32 count)
{
	if (count <= trial->known_room)
		return;
	trial->known_room = 2 * count;
	trial->known = repalloc_huge(trial->known, (Size) trial->known_room * sizeof(Known));
	trial->chosen = repalloc_huge(trial->chosen, (Size) trial->known_room * sizeof(Known));
}

/*
 * Reads the distances that the largest share of the bounds asks for, of what
 * the search has met: no smaller share asks for many others.
 */
static void
know_found(Trial *trial, uint32 count)
{
	VecIdxRank *rank = &trial->rank;

	vecidx_rank_take(rank, &trial->search);
	vecidx_rank_best(rank, count);
	reserve_known(trial, rank->ready_count);
	for (uint32 i = 0; i < rank->ready_count; i++)
	{
		const VecIdxRanked *ready = &rank->ready[i];
		const VecIdxCandidate *found = &trial->search.found[ready->offered];
		Known	   *known = &trial->known[i];

		known->node = ready->node;
		known->estimate = found->estimate;
		known->estimate_bound = found->bound;
		known->distance = ready->distance.order;
		known->bound = ready->distance.bound;
	}
	trial->known_count = rank->ready_count;
	qsort(trial->known, trial->known_count, sizeof(Known), compare_known);
}

static uint32
choose_below(Trial *trial, float factor, float limit)
{
	uint32		chosen = 0;

	for (uint32 i = 0; i < trial->known_count; i++)
	{
		const Known *known = &trial->known[i];

		if (known->estimate - factor * known->estimate_bound <= limit)
			trial->chosen[chosen++] = *known;
	}
	return chosen;
}

/*
 * Chooses the nodes whose distances vecidx_rank_best reads that believes so
 * much of the bounds: those with a lower bound within the count-th nearest
 * distance of them.  Each guess at that distance is too small until it is
 * right.
 */
static uint32
choose_known(Trial *trial, uint32 count, float factor)
{
	float		limit = trial->known_count < count ? INFINITY : trial->known[count - 1].distance;
	uint32		chosen;

	for (;;)
	{
		float		farthest;

		chosen = choose_below(trial, factor, limit);
		farthest = chosen < count ? INFINITY : trial->chosen[count - 1].distance;
		if (farthest <= limit)
			return chosen;
		limit = farthest;
	}
}

/*
 * Decides as vecidx_rank_settle does; the true neighbours stand in for rows,
 * and nodes beyond those kept are not among the nearest.  Returns how many
 * exact distances it asks for.
 */
static uint32
settle_chosen(Trial *trial, uint32 count, uint32 chosen)
{
	uint32		asked = 0;
	float		boundary;

	if (chosen <= count)
		return 0;
	boundary = 0.5f * (trial->chosen[count - 1].distance + trial->chosen[count].distance);
	for (uint32 i = 0; i < chosen; i++)
	{
		Known	   *known = &trial->chosen[i];
		const VecIdxTrueNeighbour *neighbour;

		if (fabsf(known->distance - boundary) >= known->bound)
			continue;
		asked++;
		neighbour = find_true(trial, known->node, trial->truth->kept[trial->query]);
		if (neighbour != NULL)
			known->distance = neighbour->distance;
	}
	sort_nearly(trial->chosen, chosen);
	return asked;
}

/* What one share of the bounds would bring. */
static void
rank_found(Trial *trial, uint32 count, float factor, double walked, Outcome *outcome)
{
	uint32		chosen = choose_known(trial, count, factor);
	double		cost = walked + chosen * COST_RERANKED;

	outcome->recall[0] += measure_recall(trial, count, chosen);
	outcome->cost[0] += cost;
	cost += settle_chosen(trial, count, chosen) * COST_EXACT;
	outcome->recall[1] += measure_recall(trial, count, chosen);
	outcome->cost[1] += cost;
}

/* Runs a query with one slack after the other, from run "first" on: each search goes on where the one before stopped. */
static void
run_query(Trial *trial, int query, uint32 count, int first)
{
	Series	   *series = &trial->series;
	const VecIdxTruth *truth = trial->truth;
	const float *row = truth->rows + (Size) query * truth->dimensions;
	float		norm = sqrtf(-vecidx_truth_distance(VECIDX_IP, row, row, truth->dimensions));
	uint64		estimates;

	if (!begin_query(trial, query))
		return;
	vecidx_rank_reset(&trial->rank);
	trial->rank.factor = factors[FACTORS - 1];
	estimates = trial->store.estimates;
	for (int run = first; run < series->runs; run++)
	{
		VecIdxStop	stop = vecidx_effort_stop(count, slacks[run], series->limit[run]);
		double		walked;

		CHECK_FOR_INTERRUPTS();
		stop.shift = vecidx_effort_shift(truth->metric, trial->norm, norm);
		vecidx_search_run(&trial->search, 0, &stop);
		walked = trial->search.expanded * COST_EXPANDED + (trial->store.estimates - estimates) * COST_ESTIMATE;
		series->expanded[run] += trial->search.expanded;
		know_found(trial, count);
		for (int i = 0; i < FACTORS; i++)
			rank_found(trial, count, factors[i], walked, &series->outcome[run][i]);
	}
}

/* Runs every stride-th of the queries that are used, from run "first" on; sums become averages. */
static void
run_queries(Trial *trial, uint32 count, int stride, int first)
{
	Series	   *series = &trial->series;
	int			seen = 0;
	int			run_count = 0;

	memset(series->expanded + first, 0, (SLACKS - first) * sizeof(double));
	memset(series->outcome + first, 0, (SLACKS - first) * sizeof(series->outcome[0]));
	for (int query = 0; query < trial->truth->count; query++)
	{
		if (trial->truth->skipped[query] || seen++ % stride != 0)
			continue;
		run_query(trial, query, count, first);
		run_count++;
	}
	for (int run = first; run < series->runs; run++)
	{
		series->expanded[run] /= run_count;
		for (int i = 0; i < FACTORS; i++)
		{
			for (int exact = 0; exact <= 1; exact++)
			{
				series->outcome[run][i].recall[exact] /= run_count;
				series->outcome[run][i].cost[exact] /= run_count;
			}
		}
	}
}

double
vecidx_calibrate_aim(double target, double neighbours)
{
	return target + Min((1 - target) * SAFETY, SAFETY_MOST) +
		SAFETY_ERRORS * sqrt(target * (1 - target) / neighbours);
}

/* Runs that need not find more than the one before them. */
#define PATIENCE	4

/* The best that a run has reached. */
static double
run_recall(const Series *series, int run)
{
	return Max(series->outcome[run][FACTORS - 1].recall[0], series->outcome[run][FACTORS - 1].recall[1]);
}

/*
 * Has the last run found all that there is to find, or no more than some
 * before, or met so much that a sweep would be cheaper?
 */
static bool
is_enough(const Trial *trial, int run)
{
	const Series *series = &trial->series;
	double		aim = vecidx_calibrate_aim(vecidx_effort_targets[VECIDX_TARGETS - 1], series->neighbours);

	return series->outcome[run][FACTORS - 1].recall[0] >= aim ||
		series->outcome[run][FACTORS - 2].recall[1] >= aim ||
		(run >= PATIENCE && run_recall(series, run) <= run_recall(series, run - PATIENCE)) ||
		series->expanded[run] * trial->handle->fixed.m > trial->handle->state.nodes;
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
run_series(Trial *trial, uint32 count)
{
	Series	   *series = &trial->series;
	int			stride = count < MANY_RESULTS || trial->truth->used < SCOUTS ? 1 : 2;

	memset(series, 0, sizeof(Series));
	series->neighbours = (double) (trial->truth->used / stride) * count;
	do
	{
		double		before = series->runs == 0 ? count : series->expanded[series->runs - 1];

		series->limit[series->runs++] = LIMIT_LEAST + before * LIMIT_TIMES;
		run_queries(trial, count, stride * Max(1, trial->truth->used / SCOUTS), series->runs - 1);
	} while (series->runs < SLACKS && !is_enough(trial, series->runs - 1));
	run_queries(trial, count, stride, 0);
}

/* A way to reach a target. */
typedef struct Way
{
	VecIdxMetaEffort effort;
	double		cost;
} Way;

/* The least slack that reaches the aim with the given factor, between the slacks tried; false if none does. */
static bool
find_way(const Series *series, double aim, int factor, int exact, Way *way)
{
	int			run = 0;
	int			before;
	double		share = 0;
	double		low;
	double		high;

	while (run < series->runs && series->outcome[run][factor].recall[exact] < aim)
		run++;
	if (run == series->runs)
		return false;
	before = Max(run - 1, 0);
	low = series->outcome[before][factor].recall[exact];
	high = series->outcome[run][factor].recall[exact];
	if (high > low)
		share = (aim - low) / (high - low);
	way->effort.slack = (float) (slacks[before] + share * (slacks[run] - slacks[before]));
	way->effort.factor = factors[factor];
	way->effort.expanded = (float) (series->expanded[before] + share * (series->expanded[run] - series->expanded[before]));
	way->effort.limit = (uint32) (series->limit[before] + share * (series->limit[run] - series->limit[before]));
	way->effort.exact = exact;
	way->cost = series->outcome[before][factor].cost[exact] +
		share * (series->outcome[run][factor].cost[exact] - series->outcome[before][factor].cost[exact]);
	return true;
}

/* The best that was reached, for targets beyond it. */
static double
best_recall(const Series *series)
{
	double		best = 0;

	for (int run = 0; run < series->runs; run++)
	{
		for (int i = 0; i < FACTORS; i++)
			best = Max(best, Max(series->outcome[run][i].recall[0], series->outcome[run][i].recall[1]));
	}
	return best;
}

static VecIdxMetaEffort
choose_effort(const Series *series, double target)
{
	double		aim = Min(vecidx_calibrate_aim(target, series->neighbours), best_recall(series) - 0.0005);
	Way			best = {.cost = -1};

	for (int exact = 0; exact <= 1; exact++)
	{
		for (int i = 0; i < FACTORS; i++)
		{
			Way			way;

			if (find_way(series, aim, i, exact, &way) && (best.cost < 0 || way.cost < best.cost))
				best = way;
		}
	}
	Assert(best.cost >= 0);
	return best.effort;
}

static Trial *
create_trial(VecIdxHandle *handle, const VecIdxTruth *truth, float norm)
{
	Trial	   *trial = palloc0(sizeof(Trial));
	VecIdxQuantParams params = vecidx_layout_quant(&handle->fixed);

	trial->truth = truth;
	trial->handle = handle;
	trial->norm = norm;
	vecidx_store_init(&trial->store, handle, CurrentMemoryContext);
	vecidx_search_init(&trial->search, &trial->store.source, CurrentMemoryContext);
	vecidx_rank_init(&trial->rank, &trial->store, CurrentMemoryContext);
	trial->known_room = 1024;
	trial->known = palloc(trial->known_room * sizeof(Known));
	trial->chosen = palloc(trial->known_room * sizeof(Known));
	trial->query_memory = palloc(vecidx_query_size(&params));
	trial->scratch = palloc(vecidx_quant_scratch_size(&params));
	return trial;
}

void
vecidx_calibrate(VecIdxHandle *handle, VecIdxTruth *truth, VecIdxTuningSource source, VecIdxMetaTuning *tuning)
{
	Trial	   *trial;

	memset(tuning, 0, sizeof(VecIdxMetaTuning));
	if (truth->count == 0 || handle->state.nodes == 0)
		return;
	vecidx_truth_settle(truth);
	tuning->source = source;
	tuning->queries = truth->used;
	tuning->nodes = handle->state.nodes;
	tuning->norm = truth->norm;
	trial = create_trial(handle, truth, truth->norm);
	for (int column = 0; column < VECIDX_TARGET_KS; column++)
	{
		run_series(trial, vecidx_effort_counts[column]);
		for (int row = 0; row < VECIDX_TARGETS; row++)
			tuning->effort[row][column] = choose_effort(&trial->series, vecidx_effort_targets[row]);
	}
}
