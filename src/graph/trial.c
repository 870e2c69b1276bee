/*
 * trial.c
 *	  Queries whose true neighbours are known, run through an index.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "graph/effort.h"
#include "graph/rank.h"
#include "graph/search.h"
#include "graph/trial.h"

const double vecidx_trial_slacks[VECIDX_SLACKS] = {0, 0.02, 0.04, 0.06, 0.08, 0.11, 0.15, 0.20, 0.27, 0.36, 0.5, 0.7, 1.0};
const float vecidx_trial_factors[VECIDX_FACTORS] = {0.3f, 0.45f, 0.6f, 0.8f, 1.0f, 1.3f};

/*
 * About how long things take, to tell the cheaper of two ways (ns, measured on
 * 768 to 1,024 dimensions).
 */
#define COST_EXPANDED	350.0
#define COST_ESTIMATE	25.0
#define COST_RERANKED	220.0
#define COST_EXACT		8000.0

struct VecIdxTrial
{
	/* fixed */
	const VecIdxTruth *truth;
	VecIdxHandle *handle;
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
};

/* The true neighbour that a node is, among the first "count", or NULL. */
static const VecIdxTrueNeighbour *
find_true(const VecIdxTrial *trial, uint32 node, uint32 count)
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
measure_recall(const VecIdxTrial *trial, uint32 count, uint32 chosen)
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
begin_query(VecIdxTrial *trial, int query)
{
	const VecIdxTruth *truth = trial->truth;
	const float *row = truth->rows + (Size) query * truth->dimensions;

	trial->query = query;
	vecidx_store_query(&trial->store, vecidx_query_init(trial->query_memory, trial->handle->quantizer, row, trial->scratch));
	trial->search.avoided = truth->self[query];
	return vecidx_search_descend(&trial->search, 0);
}

static void
reserve_known(VecIdxTrial *trial, uint32 count)
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
know_found(VecIdxTrial *trial, uint32 count)
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
choose_below(VecIdxTrial *trial, float factor, float limit)
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
choose_known(VecIdxTrial *trial, uint32 count, float factor)
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
settle_chosen(VecIdxTrial *trial, uint32 count, uint32 chosen)
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
rank_found(VecIdxTrial *trial, uint32 count, float factor, double walked, VecIdxOutcome *outcome)
{
	uint32		chosen = choose_known(trial, count, factor);
	double		cost = walked + chosen * COST_RERANKED;

	outcome->recall[0] = measure_recall(trial, count, chosen);
	outcome->cost[0] = cost;
	cost += settle_chosen(trial, count, chosen) * COST_EXACT;
	outcome->recall[1] = measure_recall(trial, count, chosen);
	outcome->cost[1] = cost;
}

/* Runs a query with one slack after the other, as a sheet asks: each search goes on where the one before stopped. */
static void
run_query(VecIdxTrial *trial, int query, const VecIdxSheet *sheet, VecIdxRuns *runs)
{
	const VecIdxTruth *truth = trial->truth;
	const float *row = truth->rows + (Size) query * truth->dimensions;
	float		norm = sqrtf(-vecidx_truth_distance(VECIDX_IP, row, row, truth->dimensions));
	uint64		estimates;

	memset(runs->outcome, 0, sizeof(runs->outcome));
	memset(runs->expanded, 0, sizeof(runs->expanded));
	memset(runs->walked, 0, sizeof(runs->walked));
	if (!begin_query(trial, query))
		return;
	vecidx_rank_reset(&trial->rank);
	trial->rank.factor = vecidx_trial_factors[VECIDX_FACTORS - 1];
	estimates = trial->store.estimates;
	for (int run = sheet->first; run < sheet->runs; run++)
	{
		VecIdxStop	stop = vecidx_effort_stop(sheet->count, vecidx_trial_slacks[run], sheet->limit[run]);
		double	   *walked = &runs->walked[run];

		CHECK_FOR_INTERRUPTS();
		stop.shift = vecidx_effort_shift(truth->metric, truth->norm, norm);
		vecidx_search_run(&trial->search, 0, &stop);
		*walked = trial->search.expanded * COST_EXPANDED + (trial->store.estimates - estimates) * COST_ESTIMATE;
		runs->expanded[run] = trial->search.expanded;
		know_found(trial, sheet->count);
		for (int i = 0; i < VECIDX_FACTORS; i++)
			rank_found(trial, sheet->count, vecidx_trial_factors[i], *walked, &runs->outcome[run][i]);
	}
}

Size
vecidx_sheet_size(int queries)
{
	return offsetof(VecIdxSheet, answers) + queries * sizeof(VecIdxRuns);
}

VecIdxTrial *
vecidx_trial_create(VecIdxHandle *handle, const VecIdxTruth *truth)
{
	VecIdxTrial *trial = palloc0(sizeof(VecIdxTrial));
	VecIdxQuantParams params = vecidx_layout_quant(&handle->fixed);

	trial->truth = truth;
	trial->handle = handle;
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
vecidx_trial_run(VecIdxTrial *trial, VecIdxSheet *sheet, VecIdxDeal *deal)
{
	uint32		query;
	uint32		end;

	while (vecidx_deal_take(deal, 1, trial->truth->count, &query, &end))
	{
		if (sheet->answers[query].asked)
			run_query(trial, query, sheet, &sheet->answers[query]);
	}
}
