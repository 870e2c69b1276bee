/*
 * sift.c
 *	  Searching under a filter.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "graph/sift.h"
#include "graph/sweep.h"
#include "page/filter.h"
#include "page/peek.h"

/* Runs of consecutive rows that a sample consists of, and rows of each. */
#define SAMPLE_RUNS		32
#define SAMPLE_ROWS		64

/* Bridges that may be expanded one after the other without finding a node worth expanding. */
#define VAIN_MOST		16

/* Neighbours that pass, as a share of the most that a list has, which an expansion looks for. */
#define FAN_OUT			1.0

/* Neighbours of the index's share of nodes that pass, as which it counts in the estimate of a list's share. */
#define SHARE_WEIGHT	8

/* Seeds of a sample that a sift begins with. */
#define SEEDS_MOST		4

/* Nanoseconds. */
#define COST_ESTIMATE	40.0
#define COST_TEST		15.0
#define COST_LIST		150.0
#define COST_PASS_ROW	0.4		/* of a pass: per row and test of the cheap kinds */
#define COST_PASS_CALL	15.0	/* of the others */
#define COST_PASS_MATCH	80.0

double
vecidx_sift_cost(const VecIdxSift *sift)
{
	return sift->store->estimates * COST_ESTIMATE + sift->tests * COST_TEST + sift->lists * COST_LIST;
}

/* Lists of neighbours that fail, which are read to find enough behind them. */
static double
expected_hops(const VecIdxStore *store, double share)
{
	double		most = 2.0 * store->handle->fixed.m;

	return Min(Max(FAN_OUT / Max(share, 1e-9) - 1, 0), most * (1 - share));
}

/* Fewer neighbours than that make a search lose its way, so that it will have to look at more. */
#define NEIGHBOURS_ENOUGH	8.0

double
vecidx_sift_expected(const VecIdxStore *store, double expansions, double share)
{
	double		most = 2.0 * store->handle->fixed.m;
	double		lists = 1 + expected_hops(store, share);
	double		found = lists * most * share;
	double		times = Max(NEIGHBOURS_ENOUGH / Max(found, 1e-9), 1);

	return expansions * times * times *
		(lists * (COST_LIST + most * COST_TEST) + (most + Min(found, most)) * COST_ESTIMATE / 2);
}

double
vecidx_pass_expected(const VecIdxStore *store, const VecIdxPredicate *predicate, double share)
{
	double		row = 0;

	for (int i = 0; i < predicate->tests; i++)
		row += predicate->test[i].kind == VECIDX_TEST_CALL ? COST_PASS_CALL : COST_PASS_ROW;
	return store->handle->state.nodes * (row + share * COST_PASS_MATCH);
}

/* Sampling */

static void
sample_run(VecIdxHandle *handle, VecIdxPredicate *predicate, uint32 node, VecIdxShare *sample)
{
	uint32		first = vecidx_handle_first(handle, VECIDX_RUN_FILTER, node);
	uint8		verdict[SAMPLE_ROWS];
	uint32		count = vecidx_pass_page(handle, predicate, first, node - first, SAMPLE_ROWS, verdict);
	uint32		seeds = 0;

	for (uint32 i = 0; i < count; i++)
	{
		if (verdict[i] == VECIDX_NO)
			continue;
		sample->passed++;
		if (seeds++ < VECIDX_SAMPLE_SEEDS / SAMPLE_RUNS)
			sample->seed[sample->seeds++] = node + i;
	}
	sample->rows += count;
}

void
vecidx_share_take(VecIdxHandle *handle, VecIdxPredicate *predicate, VecIdxShare *sample)
{
	uint32		nodes = handle->state.nodes;

	memset(sample, 0, sizeof(VecIdxShare));
	for (uint32 i = 0; i < SAMPLE_RUNS; i++)
		sample_run(handle, predicate, (uint32) ((uint64) nodes * i / SAMPLE_RUNS), sample);
	sample->share = (sample->passed + 0.25) / (sample->rows + 0.5);
}

/* Tests */

/* Tests a node's row where it lies; false if that cannot be done. */
static inline bool
test_in_place(VecIdxSift *sift, uint32 node, uint8 *verdict)
{
	VecIdxHandle *handle = sift->store->handle;
	uint32		rows = handle->layout.run[VECIDX_RUN_FILTER].per_page;
	uint32		at;
	VecIdxPeek	peek = vecidx_peek(handle, vecidx_filter_locate(handle, node, &at));
	const uint8 *fields = (const uint8 *) peek.page + VECIDX_PAGE_START;

	if (sift->predicate->calling || !vecidx_peek_valid(handle, &peek))
		return false;
	*verdict = vecidx_predicate_row(sift->predicate, fields, rows, at);
	if (fields[vecidx_filter_place(&handle->shape, VecIdxFilterFlagField(&handle->shape), rows, at)] & VECIDX_FILTER_TWINS)
		*verdict |= VECIDX_MAYBE;
	return vecidx_peek_valid(handle, &peek);
}

/* May the node, or a twin of it, pass? */
static bool
passes(VecIdxSift *sift, uint32 node)
{
	uint8		verdict;

	sift->tests++;
	if (!test_in_place(sift, node, &verdict))
	{
		vecidx_filter_read(sift->store->handle, node, sift->row);
		verdict = vecidx_predicate_row(sift->predicate, sift->row, 1, 0);
		if (vecidx_filter_twins(sift->store->handle, sift->row))
			verdict |= VECIDX_MAYBE;
	}
	sift->passes += verdict != VECIDX_NO;
	return verdict != VECIDX_NO;
}

/* Expansion */

/* Copies a node's list, and has the neighbours' filter rows on their way; returns their number. */
static int
read_list(VecIdxSift *sift, uint32 node, uint32 *list)
{
	VecIdxStore *store = sift->store;
	const VecIdxAdjacencySlot *slot = store->adjacency;
	int			count;

	sift->lists++;
	vecidx_peek_slot(store->handle, VECIDX_RUN_ADJACENCY, node, store->adjacency);
	if (slot->node != node || (slot->state != VECIDX_LIVE && slot->state != VECIDX_TOMBSTONE))
		return 0;
	count = Min(slot->neighbours, 2 * store->handle->fixed.m);
	memcpy(list, VecIdxAdjacencyNeighbours(slot), count * sizeof(uint32));
	for (int i = 0; i < count; i++)
	{
		vecidx_store_check_node(store, list[i], "A list of neighbours");
		vecidx_filter_prefetch(store->handle, list[i]);
	}
	return count;
}

static inline void
add_to_batch(VecIdxBatch *batch, uint32 node)
{
	batch->candidate[batch->count].node = node;
	batch->candidate[batch->count].upper = VECIDX_NONE;
	batch->count++;
}

/* What the expansion of a node has come to. */
typedef struct Expansion
{
	VecIdxBatch passing;
	VecIdxBatch failing;		/* neighbours only */
	int			tested;
	int			passed;
} Expansion;

static void
look_around(VecIdxSift *sift, uint32 node, Expansion *expansion)
{
	VecIdxVisited *visited = &sift->search->visited;
	uint32		list[VECIDX_LIST_MAX];
	int			count = read_list(sift, node, list);

	vecidx_visited_reserve(visited, 2 * VECIDX_LIST_MAX);
	for (int i = 0; i < count; i++)
	{
		bool		passed;

		if (!vecidx_visited_add(visited, list[i]))
			continue;
		passed = passes(sift, list[i]);
		add_to_batch(passed ? &expansion->passing : &expansion->failing, list[i]);
		expansion->tested++;
		expansion->passed += passed;
	}
}

/* What lies behind a neighbour that fails. */
static void
hop(VecIdxSift *sift, uint32 node, int most, Expansion *expansion)
{
	VecIdxVisited *visited = &sift->search->visited;
	uint32		list[VECIDX_LIST_MAX];
	int			count = read_list(sift, node, list);

	for (int i = 0; i < count && expansion->passing.count < most; i++)
	{
		if (vecidx_visited_holds(visited, list[i]))
			continue;
		expansion->tested++;
		if (!passes(sift, list[i]))
			continue;
		expansion->passed++;
		vecidx_visited_add(visited, list[i]);
		add_to_batch(&expansion->passing, list[i]);
	}
}

static int
compare_failing(const void *a, const void *b)
{
	float		x = ((const VecIdxCandidate *) a)->estimate;
	float		y = ((const VecIdxCandidate *) b)->estimate;

	return (x > y) - (x < y);
}

static void
estimate(VecIdxSift *sift, VecIdxBatch *batch)
{
	vecidx_store_locate(sift->store, batch);
	sift->store->source.finish(&sift->store->source, batch);
}

/* A neighbour that fails and was not led through becomes a bridge, one that was is kept for the end. */
static void
keep_failing(VecIdxSift *sift, const VecIdxCandidate *failing, bool used)
{
	VecIdxHeapItem item = {failing->estimate, failing->node};

	if (!used)
	{
		vecidx_heap_push(&sift->bridges, item);
		return;
	}
	if (sift->hopped_count == sift->hopped_room)
	{
		sift->hopped_room *= 2;
		sift->hopped = repalloc_huge(sift->hopped, (Size) sift->hopped_room * sizeof(uint32));
	}
	sift->hopped[sift->hopped_count++] = failing->node;
}

/* Goes on behind as many of those that fail as it takes. */
static void
go_behind(VecIdxSift *sift, Expansion *expansion)
{
	VecIdxBatch *failing = &expansion->failing;
	int			most = 2 * sift->store->handle->fixed.m;
	double		share = (expansion->passed + SHARE_WEIGHT * sift->share) / (expansion->tested + SHARE_WEIGHT);
	int			hops = (int) rint(expected_hops(sift->store, share));

	qsort(failing->candidate, failing->count, sizeof(VecIdxCandidate), compare_failing);
	hops = Min(hops, failing->count);
	for (int i = 0; i < hops; i++)
		sift->store->source.prefetch(&sift->store->source, &failing->candidate[i], 0);
	for (int i = 0; i < failing->count; i++)
	{
		bool		used = i < hops && expansion->passing.count < most;

		if (used)
			hop(sift, failing->candidate[i].node, most, expansion);
		keep_failing(sift, &failing->candidate[i], used);
	}
}

/* Expands a node that passes, or a bridge; returns the number of nodes found that are worth expanding. */
static int
expand(VecIdxSift *sift, uint32 node)
{
	Expansion	expansion;
	int			queued = 0;

	expansion.passing.count = expansion.failing.count = 0;
	expansion.tested = expansion.passed = 0;
	look_around(sift, node, &expansion);
	if (expansion.failing.count > 0)
	{
		estimate(sift, &expansion.failing);
		go_behind(sift, &expansion);
	}
	estimate(sift, &expansion.passing);
	for (int i = 0; i < expansion.passing.count; i++)
	{
		const VecIdxCandidate *candidate = &expansion.passing.candidate[i];

		if (vecidx_search_meet(sift->search, candidate))
		{
			sift->store->source.prefetch(&sift->store->source, candidate, 0);
			queued++;
		}
	}
	return queued;
}

/* Is the nearest bridge worth a look before the nearest node that passes? */
static bool
bridge_leads(const VecIdxSift *sift)
{
	const VecIdxHeap *frontier = &sift->search->frontier;

	if (sift->bridges.count == 0 || sift->vain >= VAIN_MOST)
		return false;
	return sift->bridges.item[0].key < (frontier->count > 0 ? frontier->item[0].key : sift->search->threshold);
}

static void
expand_bridge(VecIdxSift *sift)
{
	sift->bridged++;
	if (expand(sift, vecidx_heap_pop(&sift->bridges).index) > 0)
		sift->vain = 0;
	else
		sift->vain++;
}

/* Where too little has been found, all that is left may lead on; false if nothing is. */
static bool
expand_rest(VecIdxSift *sift)
{
	if (vecidx_nearest_full(&sift->search->beam))
		return false;
	if (sift->bridges.count > 0)
		expand_bridge(sift);
	else if (sift->hopped_count > 0)
		expand(sift, sift->hopped[--sift->hopped_count]);
	else
		return false;
	return true;
}

VecIdxSifted
vecidx_sift_run(VecIdxSift *sift, const VecIdxStop *stop, double cost)
{
	VecIdxSearch *search = sift->search;
	VecIdxCandidate nearest;

	vecidx_search_rule(search, stop);
	sift->vain = 0;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (vecidx_sift_cost(sift) > cost)
			return VECIDX_SIFT_DEAR;
		if (bridge_leads(sift))
			expand_bridge(sift);
		else if (vecidx_search_next(search, &nearest))
			expand(sift, nearest.node);
		else if (!expand_rest(sift))
			break;
	}
	return vecidx_nearest_full(&search->beam) ? VECIDX_SIFTED : VECIDX_SIFT_DRY;
}

void
vecidx_sift_init(VecIdxSift *sift, VecIdxSearch *search, VecIdxStore *store, VecIdxPredicate *predicate,
				 const VecIdxShare *sample)
{
	memset(sift, 0, sizeof(VecIdxSift));
	sift->search = search;
	sift->store = store;
	sift->predicate = predicate;
	sift->share = sample->share;
	sift->row = MemoryContextAlloc(search->context, VECIDX_FILTER_ROOM);
	sift->hopped_room = 256;
	sift->hopped = MemoryContextAlloc(search->context, sift->hopped_room * sizeof(uint32));
	vecidx_heap_init(&sift->bridges, search->context, 256);
}

/* Where an unfiltered search would start becomes a bridge if it fails. */
static void
begin_at(VecIdxSift *sift, const VecIdxCandidate *entry)
{
	if (passes(sift, entry->node))
		vecidx_search_seed(sift->search, entry);
	else if (vecidx_visited_add(&sift->search->visited, entry->node))
		keep_failing(sift, entry, false);
}

/* The nearest of the sample. */
static void
begin_with_sample(VecIdxSift *sift, const VecIdxShare *sample)
{
	VecIdxBatch batch;

	batch.count = 0;
	for (uint32 i = 0; i < sample->seeds; i++)
		add_to_batch(&batch, sample->seed[i]);
	estimate(sift, &batch);
	qsort(batch.candidate, batch.count, sizeof(VecIdxCandidate), compare_failing);
	for (int i = 0; i < Min(batch.count, SEEDS_MOST); i++)
		vecidx_search_seed(sift->search, &batch.candidate[i]);
}

bool
vecidx_sift_begin(VecIdxSift *sift, const VecIdxShare *sample)
{
	VecIdxCandidate entry;

	if (!vecidx_search_descend(sift->search, 0))
		return false;
	entry = sift->search->found[0];
	vecidx_search_reset(sift->search);
	begin_at(sift, &entry);
	begin_with_sample(sift, sample);
	return true;
}
