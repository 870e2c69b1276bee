/*
 * sift.c
 *	  Searching under a filter.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "graph/sift.h"
#include "page/filter.h"
#include "page/peek.h"

/* Bridges that a narrow sift expands one after the other without finding a node as near as the nearest ones. */
#define VAIN_MOST		8

/* Neighbours that pass, as a share of the most that a list has, which an expansion looks for. */
#define FAN_OUT			1.0

/* Neighbours of the index's share of nodes that pass, as which it counts in the estimate of a list's share. */
#define SHARE_WEIGHT	8

/*
 * A sift becomes narrow when, of at least so many nodes that it has tested,
 * less than this part of the index's share has passed.
 */
#define NARROW_TESTS	400
#define NARROW_PART		0.25

/*
 * What passes elsewhere is as near as the boundary is to what does not, and
 * lies all around: nodes that pass lead less well to each other than the
 * nearest nodes do.  So a narrow sift has this many times the slack, and more.
 */
#define NARROW_SLACK	1.5
#define NARROW_MORE		0.015

/*
 * Where it is not known how much slack is wanted, so much is added at the end,
 * at most so many times, for as long as that brings more than this part of the
 * nearest.
 */
#define SURE_SLACK		0.012
#define SURE_TIMES		4
#define SURE_PART		0.04

/* Nodes that a sift tests to learn whether what passes is near. */
#define PROBE_TESTS		160

/* Who has looked around has to promise to cost only this many times less than a pass. */
#define PROMISE			1.5

/* Seeds of a survey that a sift begins with. */
#define SEEDS_MOST		4

/* Lists of neighbours that fail, which are read to find enough behind them. */
static double
expected_hops(const VecIdxStore *store, double share)
{
	double		most = 2.0 * store->handle->fixed.m;

	return Min(Max(FAN_OUT / Max(share, 1e-9) - 1, 0), most * (1 - share));
}

static double
cost_up_to_now(const VecIdxSift *sift)
{
	return sift->store->estimates * sift->prices->estimate + sift->tests * sift->prices->test + sift->lists * sift->prices->list;
}

double
vecidx_sift_probe_cost(const VecIdxPrices *prices)
{
	return vecidx_price_probe(prices, PROBE_TESTS);
}

/* What passes and is elsewhere takes so many times the expansions of what is near. */
#define NARROW_TIMES	40

/* Is a narrow sift worth while? */
static bool
narrow_promises(const VecIdxSift *sift, double cost)
{
	double		lists = 1 + expected_hops(sift->store, sift->share);

	return PROMISE * vecidx_price_narrow(sift->prices, NARROW_TIMES * sift->expansions, lists, sift->share) < cost;
}

/* Tests */

/*
 * Tests a node's row where it lies; false if that cannot be done.  A page that
 * makes way for another meanwhile is found out afterwards.
 */
static inline bool
test_in_place(VecIdxSift *sift, uint32 node, uint8 *verdict)
{
	VecIdxHandle *handle = sift->store->handle;
	uint32		rows = handle->layout.run[VECIDX_RUN_FILTER].per_page;
	uint32		at;
	VecIdxPeek	peek = vecidx_peek(handle, vecidx_filter_locate(handle, node, &at));
	const uint8 *fields = (const uint8 *) peek.page + VECIDX_PAGE_START;

	if (unlikely(sift->predicate->calling || peek.page == NULL))
		return false;
	*verdict = vecidx_predicate_row(sift->predicate, fields, rows, at);
	if (sift->twins &&
		(fields[vecidx_filter_place(&handle->shape, VecIdxFilterFlagField(&handle->shape), rows, at)] & VECIDX_FILTER_TWINS) != 0)
		*verdict |= VECIDX_MAYBE;
	if (!vecidx_peek_valid(handle, &peek))
		return false;
	vecidx_visits.hit[VECIDX_VISIT_FILTER]++;
	return true;
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

/* Has what tests look at first on its way. */
static inline void
prefetch_row(VecIdxSift *sift, uint32 node)
{
	VecIdxHandle *handle = sift->store->handle;
	uint32		rows = handle->layout.run[VECIDX_RUN_FILTER].per_page;
	uint32		at;
	VecIdxPeek	peek = vecidx_filter_wanted(handle, node, &at);

	if (unlikely(peek.page == NULL))
		return;
	__builtin_prefetch(peek.buffer);
	__builtin_prefetch(peek.page + VECIDX_PAGE_START + vecidx_filter_place(&handle->shape, sift->first_field, rows, at));
}

/* Expansion */

/* Copies a node's list; returns the number of neighbours. */
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
		vecidx_store_check_node(store, list[i], "A list of neighbours");
	return count;
}

/* What "upper" of a candidate of level 0 says here. */
#define PASSES	VECIDX_NONE
#define FAILS	0

static inline void
add_to_batch(VecIdxBatch *batch, uint32 node, uint32 verdict)
{
	batch->candidate[batch->count].node = node;
	batch->candidate[batch->count].upper = verdict;
	batch->count++;
}

static void
estimate(VecIdxSift *sift, VecIdxBatch *batch)
{
	vecidx_store_locate(sift->store, batch);
	sift->store->source.finish(&sift->store->source, batch);
}

/* Puts the neighbours that are new into the batch, estimated. */
static void
look_around(VecIdxSift *sift, uint32 node, VecIdxBatch *batch)
{
	VecIdxVisited *visited = &sift->search->visited;
	uint32		list[VECIDX_LIST_MAX];
	int			count = read_list(sift, node, list);

	batch->count = 0;
	vecidx_visited_reserve(visited, 2 * VECIDX_LIST_MAX);
	for (int i = 0; i < count; i++)
	{
		if (vecidx_visited_add(visited, list[i]))
			add_to_batch(batch, list[i], PASSES);
	}
	estimate(sift, batch);
}

/* Tests all of a batch; returns how many pass. */
static int
test_around(VecIdxSift *sift, VecIdxBatch *batch)
{
	int			passed = 0;

	for (int i = 0; i < batch->count; i++)
		prefetch_row(sift, batch->candidate[i].node);
	for (int i = 0; i < batch->count; i++)
	{
		if (passes(sift, batch->candidate[i].node))
			passed++;
		else
			batch->candidate[i].upper = FAILS;
	}
	return passed;
}

static void
put_aside(VecIdxSift *sift, const VecIdxCandidate *failing)
{
	VecIdxHeapItem item = {failing->estimate, failing->node};

	if (sift->spare_count == sift->spare_room)
	{
		sift->spare_room *= 2;
		sift->spare = repalloc_huge(sift->spare, (Size) sift->spare_room * sizeof(VecIdxHeapItem));
	}
	sift->spare[sift->spare_count++] = item;
}

static void
add_bridge(VecIdxSift *sift, const VecIdxCandidate *failing)
{
	VecIdxHeapItem item = {failing->estimate, failing->node};

	if (failing->estimate < sift->search->threshold)
		vecidx_heap_push(&sift->bridges, item);
	else
		put_aside(sift, failing);
}

static void
recall_spare(VecIdxSift *sift)
{
	while (sift->spare_count > 0)
		vecidx_heap_push(&sift->bridges, sift->spare[--sift->spare_count]);
}

/* Takes over a node that passes; tells if it is among the nearest. */
static bool
meet_one(VecIdxSift *sift, const VecIdxCandidate *candidate)
{
	const VecIdxNearest *beam = &sift->search->beam;
	bool		gained = !vecidx_nearest_full(beam) || candidate->estimate < beam->heap[0];

	sift->gains += gained;
	if (vecidx_search_meet(sift->search, candidate))
		sift->store->source.prefetch(&sift->store->source, candidate, 0);
	return gained;
}

/* Takes over those of a batch that pass; tells if one of them is among the nearest. */
static bool
meet(VecIdxSift *sift, const VecIdxBatch *batch)
{
	bool		gained = false;

	for (int i = 0; i < batch->count; i++)
	{
		if (batch->candidate[i].upper == PASSES && meet_one(sift, &batch->candidate[i]))
			gained = true;
	}
	return gained;
}

/* Puts those behind a neighbour that pass into the batch. */
static void
hop(VecIdxSift *sift, uint32 node, int most, VecIdxBatch *behind)
{
	VecIdxVisited *visited = &sift->search->visited;
	uint32		list[VECIDX_LIST_MAX];
	int			count = read_list(sift, node, list);

	for (int i = 0; i < count; i++)
		prefetch_row(sift, list[i]);
	for (int i = 0; i < count && behind->count < most; i++)
	{
		if (vecidx_visited_holds(visited, list[i]) || !passes(sift, list[i]))
			continue;
		vecidx_visited_add(visited, list[i]);
		add_to_batch(behind, list[i], PASSES);
	}
}

static int
compare_estimates(const void *a, const void *b)
{
	float		x = ((const VecIdxCandidate *) a)->estimate;
	float		y = ((const VecIdxCandidate *) b)->estimate;

	return (x > y) - (x < y);
}

/* Goes on behind as many of the neighbours that fail as it takes; tells if one of the nearest is there. */
static bool
go_behind(VecIdxSift *sift, VecIdxBatch *around, int passed)
{
	int			most = 2 * sift->store->handle->fixed.m;
	double		share = (passed + SHARE_WEIGHT * sift->share) / (around->count + SHARE_WEIGHT);
	int			hops = (int) rint(expected_hops(sift->store, share));
	VecIdxBatch behind;

	behind.count = 0;
	qsort(around->candidate, around->count, sizeof(VecIdxCandidate), compare_estimates);
	for (int i = 0; i < around->count; i++)
	{
		const VecIdxCandidate *candidate = &around->candidate[i];

		if (candidate->upper == PASSES)
			continue;
		if (hops-- > 0 && passed + behind.count < most)
		{
			hop(sift, candidate->node, most - passed, &behind);
			put_aside(sift, candidate);
		}
		else
			add_bridge(sift, candidate);
	}
	estimate(sift, &behind);
	return meet(sift, &behind);
}

/* Keeps a node for later: it may be that whether it passes never matters. */
static void
leave_untested(VecIdxSift *sift, const VecIdxCandidate *candidate)
{
	if (sift->untested_count == sift->untested_room)
	{
		sift->untested_room *= 2;
		sift->untested = repalloc_huge(sift->untested, (Size) sift->untested_room * sizeof(VecIdxCandidate));
	}
	sift->untested[sift->untested_count++] = *candidate;
}

/* May the node be worth expanding, or be among the nearest, if it passes? */
static inline bool
matters(const VecIdxSift *sift, const VecIdxCandidate *candidate)
{
	return candidate->estimate - sift->factor * candidate->bound < sift->search->threshold;
}

/* Tests a node, and takes it over as what it is; tells if it passes and is among the nearest. */
static bool
test_one(VecIdxSift *sift, VecIdxCandidate *candidate)
{
	if (passes(sift, candidate->node))
		return meet_one(sift, candidate);
	add_bridge(sift, candidate);
	return false;
}

/* Tests those left untested that matter by now. */
static void
test_rest(VecIdxSift *sift)
{
	uint32		left = 0;

	for (uint32 i = 0; i < sift->untested_count; i++)
	{
		VecIdxCandidate candidate = sift->untested[i];

		CHECK_FOR_INTERRUPTS();
		if (matters(sift, &candidate))
			test_one(sift, &candidate);
		else
			sift->untested[left++] = candidate;
	}
	sift->untested_count = left;
}

/* Expands a node, be it one that passes or a bridge; tells if it leads to one of the nearest. */
static bool
expand(VecIdxSift *sift, uint32 node)
{
	VecIdxBatch around;
	bool		gained = false;

	look_around(sift, node, &around);
	if (sift->narrow)
	{
		int			passed = test_around(sift, &around);

		gained = meet(sift, &around);
		return go_behind(sift, &around, passed) || gained;
	}
	for (int i = 0; i < around.count; i++)
	{
		if (matters(sift, &around.candidate[i]))
			prefetch_row(sift, around.candidate[i].node);
	}
	for (int i = 0; i < around.count; i++)
	{
		if (!matters(sift, &around.candidate[i]))
			leave_untested(sift, &around.candidate[i]);
		else if (test_one(sift, &around.candidate[i]))
			gained = true;
	}
	return gained;
}

/* What passes and is nearest of what the survey has seen; once. */
static void
begin_with_survey(VecIdxSift *sift)
{
	VecIdxBatch batch;

	batch.count = 0;
	for (uint32 i = 0; i < sift->survey->seeds; i++)
	{
		if (!vecidx_visited_holds(&sift->search->visited, sift->survey->seed[i]))
			add_to_batch(&batch, sift->survey->seed[i], PASSES);
	}
	estimate(sift, &batch);
	qsort(batch.candidate, batch.count, sizeof(VecIdxCandidate), compare_estimates);
	for (int i = 0; i < Min(batch.count, SEEDS_MOST); i++)
		vecidx_search_seed(sift->search, &batch.candidate[i]);
	sift->surveyed = true;
}

/* Is the nearest bridge to be looked at before the nearest node that passes? */
static bool
bridge_leads(const VecIdxSift *sift)
{
	const VecIdxHeap *frontier = &sift->search->frontier;

	if (sift->bridges.count == 0 || (sift->narrow && sift->vain >= VAIN_MOST))
		return false;
	if (frontier->count > 0 && frontier->item[0].key < sift->bridges.item[0].key)
		return false;
	return sift->bridges.item[0].key <= sift->search->threshold;
}

static void
expand_bridge(VecIdxSift *sift)
{
	sift->bridged++;
	if (expand(sift, vecidx_heap_pop(&sift->bridges).index))
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
	if (!sift->surveyed)
	{
		begin_with_survey(sift);
		return true;
	}
	if (sift->bridges.count == 0)
		recall_spare(sift);
	if (sift->bridges.count == 0)
		return false;
	expand_bridge(sift);
	return true;
}

/*
 * How far what passes near the query is from being all (0) towards being as
 * rare as elsewhere (1), in magnitudes, if so many tests were passed.
 */
static double
rareness(const VecIdxSift *sift, double passes)
{
	double		local = (passes + SHARE_WEIGHT * sift->share) / (sift->tests + SHARE_WEIGHT);

	return sift->share < 1 ? Min(log(Min(local, 1)) / log(sift->share), 1) : 0;
}

/*
 * The stretch for as many nodes as the wanted ones are among, near the query:
 * between that for as many as are wanted, where all pass, and that for as many
 * as their share of all nodes takes.
 */
static float
local_stretch(const VecIdxSift *sift, float sparse)
{
	double		rare = rareness(sift, sift->passes);

	/* what was tested on the way to the query was less near, and so passed less */
	return sift->dense + (float) (rare * rare) * (sparse - sift->dense);
}

/* Sets the rule for what has been met up to now, and tests what matters under it; tells if the search goes farther. */
static bool
set_rule(VecIdxSift *sift, const VecIdxStop *stop)
{
	VecIdxStop	rule = *stop;
	float		before = sift->search->stop.stretch;

	if (sift->narrow)
	{
		rule.stretch = (float) pow(1 + NARROW_MORE + NARROW_SLACK * (sqrt(Max(stop->stretch, sift->dense)) - 1), 2);
		rule.limit = PG_UINT32_MAX;
	}
	else
		rule.stretch = local_stretch(sift, stop->stretch);
	rule.stretch = (float) pow(sqrt(rule.stretch) + sift->added * SURE_SLACK, 2);
	vecidx_search_rule(sift->search, &rule);
	test_rest(sift);
	return rule.stretch > before;
}

/* Goes on a little farther, unless that was in vain the last time; tells if it does. */
static bool
make_sure(VecIdxSift *sift, const VecIdxStop *stop)
{
	if (!sift->unsure || sift->added == SURE_TIMES ||
		(sift->added > 0 && sift->gains <= SURE_PART * sift->search->beam.room))
		return false;
	sift->added++;
	sift->gains = 0;
	set_rule(sift, stop);
	recall_spare(sift);
	return true;
}

/*
 * Will a wide sift cost less, even if a deviation fewer would have passed?  Its
 * expansions grow with a power of the number of nodes that the wanted ones are
 * among.
 */
static bool
wide_promises(const VecIdxSift *sift, double cost)
{
	double		rare = rareness(sift, Max(sift->passes - sqrt(sift->passes), 0));
	double		expansions = sift->expansions * pow(sift->expansions_among / sift->expansions, rare);

	return PROMISE * vecidx_price_wide(sift->prices, expansions) < cost;
}

/* Is a sift that probes to give up?  It asks again whenever it has tested twice as many. */
static bool
probe_fails(VecIdxSift *sift, double cost)
{
	if (!sift->probing || sift->tests < sift->probe_at)
		return false;
	sift->probe_at = 2 * sift->tests;
	return !wide_promises(sift, cost);
}

/* What passes is elsewhere. */
static bool
is_lost(const VecIdxSift *sift)
{
	return !sift->narrow && sift->tests >= NARROW_TESTS && sift->passes < NARROW_PART * sift->share * sift->tests;
}

VecIdxSifted
vecidx_sift_run(VecIdxSift *sift, const VecIdxStop *stop, double cost)
{
	VecIdxSearch *search = sift->search;
	VecIdxCandidate nearest;

	set_rule(sift, stop);
	recall_spare(sift);
	sift->vain = 0;
	sift->added = 0;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (cost_up_to_now(sift) > cost || probe_fails(sift, cost))
			return VECIDX_SIFT_DEAR;
		if (is_lost(sift))
		{
			if (!narrow_promises(sift, cost))
				return VECIDX_SIFT_DEAR;
			sift->narrow = true;
			if (!sift->surveyed)
				begin_with_survey(sift);
			set_rule(sift, stop);
		}
		if (bridge_leads(sift))
			expand_bridge(sift);
		else if (vecidx_search_next(search, &nearest))
			expand(sift, nearest.node);
		else if (!expand_rest(sift) && !set_rule(sift, stop) && !make_sure(sift, stop))
			break;
	}
	return vecidx_nearest_full(&search->beam) ? VECIDX_SIFTED : VECIDX_SIFT_DRY;
}

void
vecidx_sift_init(VecIdxSift *sift, VecIdxSearch *search, VecIdxStore *store, VecIdxPredicate *predicate,
				 const VecIdxSurvey *survey)
{
	memset(sift, 0, sizeof(VecIdxSift));
	sift->search = search;
	sift->store = store;
	sift->predicate = predicate;
	sift->survey = survey;
	sift->share = Min(survey->share, 1);
	sift->probe_at = PROBE_TESTS;
	sift->twins = store->handle->state.extensions > 0;
	sift->first_field = vecidx_predicate_field(predicate);
	sift->row = MemoryContextAlloc(search->context, VECIDX_FILTER_ROOM);
	sift->untested_room = 512;
	sift->untested = MemoryContextAlloc(search->context, sift->untested_room * sizeof(VecIdxCandidate));
	sift->spare_room = 256;
	sift->spare = MemoryContextAlloc(search->context, sift->spare_room * sizeof(VecIdxHeapItem));
	vecidx_heap_init(&sift->bridges, search->context, 256);
}

/* Where an unfiltered search would start becomes a bridge if it fails. */
static void
begin_at(VecIdxSift *sift, const VecIdxCandidate *entry)
{
	if (passes(sift, entry->node))
		vecidx_search_seed(sift->search, entry);
	else if (vecidx_visited_add(&sift->search->visited, entry->node))
		add_bridge(sift, entry);
}

bool
vecidx_sift_begin(VecIdxSift *sift)
{
	VecIdxCandidate entry;

	if (!vecidx_search_descend(sift->search, 0))
		return false;
	entry = sift->search->found[0];
	vecidx_search_reset(sift->search);
	begin_at(sift, &entry);
	return true;
}
