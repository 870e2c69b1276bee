/*
 * calibrate.c
 *	  Which beam width reaches which recall.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "graph/calibrate.h"
#include "graph/rank.h"
#include "graph/search.h"
#include "kernel/kernel.h"

const double vecidx_calibrate_targets[VECIDX_TARGETS] = {0.80, 0.90, 0.95, 0.98, 0.99, 0.995};
const uint32 vecidx_calibrate_counts[VECIDX_TARGET_KS] = {1, 10, 100};

/* Beam widths tried, in this order. */
static const uint32 beams[] = {8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024};

/* True neighbours kept of each query: the largest count, the query itself, and some for its duplicates. */
#define TRUTH_KEPT		112

/* Sampled queries are few: aim this share of the permitted misses higher. */
#define SAFETY			0.4

typedef struct TrueNeighbour
{
	uint32		node;
	float		distance;
} TrueNeighbour;

struct VecIdxTruth
{
	VecIdxMetric metric;
	int			dimensions;
	int			count;
	float	   *rows;
	ItemPointerData *tids;
	uint32	   *self;			/* the node of each query, or none */
	int		   *kept;			/* true neighbours of each */
	TrueNeighbour *neighbours;	/* TRUTH_KEPT of each: a max-heap, sorted for use */
};

VecIdxTruth *
vecidx_truth_create(VecIdxMetric metric, int dimensions, int count)
{
	VecIdxTruth *truth = palloc0(sizeof(VecIdxTruth));

	truth->metric = metric;
	truth->dimensions = dimensions;
	truth->count = count;
	truth->rows = palloc_extended((Size) count * dimensions * sizeof(float), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	truth->tids = palloc0(count * sizeof(ItemPointerData));
	truth->self = palloc(count * sizeof(uint32));
	memset(truth->self, 0xFF, count * sizeof(uint32));
	truth->kept = palloc0(count * sizeof(int));
	truth->neighbours = palloc(count * TRUTH_KEPT * sizeof(TrueNeighbour));
	return truth;
}

void
vecidx_truth_query(VecIdxTruth *truth, int query, const float *row, const ItemPointerData *tid)
{
	memcpy(truth->rows + (Size) query * truth->dimensions, row, truth->dimensions * sizeof(float));
	truth->tids[query] = *tid;
}

static float
exact_distance(const VecIdxTruth *truth, const float *a, const float *b)
{
	if (truth->metric == VECIDX_L2 || truth->metric == VECIDX_HAMMING)
		return vecidx_kernels()->l2sq(a, b, truth->dimensions);
	return -vecidx_kernels()->dot(a, b, truth->dimensions);
}

/* Offers a neighbour to a query's heap; a node that is there already is left out. */
static void
offer_neighbour(TrueNeighbour *heap, int *kept, uint32 node, float distance)
{
	int			at;

	if (*kept == TRUTH_KEPT && distance >= heap[0].distance)
		return;
	for (int i = 0; i < *kept; i++)
	{
		if (heap[i].node == node)
			return;
	}
	if (*kept < TRUTH_KEPT)
	{
		at = (*kept)++;
		while (at > 0 && heap[(at - 1) / 2].distance < distance)
		{
			heap[at] = heap[(at - 1) / 2];
			at = (at - 1) / 2;
		}
	}
	else
	{
		at = 0;
		while (at * 2 + 1 < *kept)
		{
			int			child = at * 2 + 1;

			if (child + 1 < *kept && heap[child + 1].distance > heap[child].distance)
				child++;
			if (distance >= heap[child].distance)
				break;
			heap[at] = heap[child];
			at = child;
		}
	}
	heap[at].node = node;
	heap[at].distance = distance;
}

void
vecidx_truth_note(VecIdxTruth *truth, const float *row, ItemPointer tid, uint32 node)
{
	for (int i = 0; i < truth->count; i++)
	{
		const float *query = truth->rows + (Size) i * truth->dimensions;

		if (ItemPointerEquals(&truth->tids[i], tid))
			truth->self[i] = node;
		offer_neighbour(truth->neighbours + i * TRUTH_KEPT, &truth->kept[i], node, exact_distance(truth, query, row));
	}
}

void
vecidx_truth_renumber(VecIdxTruth *truth, const uint32 *ids)
{
	for (int i = 0; i < truth->count; i++)
	{
		if (truth->self[i] != VECIDX_NONE)
			truth->self[i] = ids[truth->self[i]];
		for (int j = 0; j < truth->kept[i]; j++)
			truth->neighbours[i * TRUTH_KEPT + j].node = ids[truth->neighbours[i * TRUTH_KEPT + j].node];
	}
}

static int
compare_true(const void *a, const void *b)
{
	float		x = ((const TrueNeighbour *) a)->distance;
	float		y = ((const TrueNeighbour *) b)->distance;

	return (x > y) - (x < y);
}

/* Sorts each query's neighbours and takes the query itself out. */
static void
settle_truth(VecIdxTruth *truth)
{
	for (int i = 0; i < truth->count; i++)
	{
		TrueNeighbour *neighbours = truth->neighbours + i * TRUTH_KEPT;
		int			kept = 0;

		for (int j = 0; j < truth->kept[i]; j++)
		{
			if (neighbours[j].node != truth->self[i])
				neighbours[kept++] = neighbours[j];
		}
		truth->kept[i] = kept;
		qsort(neighbours, kept, sizeof(TrueNeighbour), compare_true);
	}
}

/* What a measuring run works with. */
typedef struct Trial
{
	const VecIdxTruth *truth;
	VecIdxHandle *handle;
	VecIdxStore store;
	VecIdxSearch search;
	VecIdxRank	rank;
	void	   *query_memory;
	void	   *scratch;
	double		recall[lengthof(beams)][VECIDX_TARGET_KS];
} Trial;

/* Share of a query's "count" true neighbours that are first among those found. */
static double
query_recall(Trial *trial, int query, uint32 count)
{
	const VecIdxTruth *truth = trial->truth;
	const TrueNeighbour *neighbours = truth->neighbours + query * TRUTH_KEPT;
	bool		exact = trial->handle->fixed.rerank == VECIDX_RERANK_NONE;
	uint32		wanted = Min(count, (uint32) truth->kept[query]);
	uint32		found = vecidx_rank_best(&trial->rank, count);
	uint32		looked = 0;
	uint32		right = 0;

	if (wanted == 0)
		return 1.0;
	for (uint32 i = 0; i < found && looked < wanted; i++)
	{
		const VecIdxRanked *ranked = &trial->rank.ready[i];

		looked++;
		if (exact && ranked->distance <= neighbours[wanted - 1].distance)
		{
			right++;
			continue;
		}
		for (uint32 j = 0; j < wanted; j++)
		{
			if (neighbours[j].node == ranked->node)
			{
				right++;
				break;
			}
		}
	}
	return (double) right / wanted;
}

static void
run_query(Trial *trial, int query, int beam)
{
	const VecIdxTruth *truth = trial->truth;
	const float *row = truth->rows + (Size) query * truth->dimensions;

	CHECK_FOR_INTERRUPTS();
	vecidx_store_query(&trial->store, vecidx_query_init(trial->query_memory, trial->handle->quantizer, row, trial->scratch));
	vecidx_rank_reset(&trial->rank);
	trial->search.avoided = truth->self[query];
	if (!vecidx_search_descend(&trial->search, 0))
		return;
	vecidx_search_run(&trial->search, 0, beams[beam]);
	vecidx_rank_take(&trial->rank, &trial->search);
	for (int k = 0; k < VECIDX_TARGET_KS; k++)
		trial->recall[beam][k] += query_recall(trial, query, vecidx_calibrate_counts[k]) / truth->count;
}

/* The narrowest beam that reaches the recall, between the widths tried; the best there is if none does. */
static uint32
choose_beam(const Trial *trial, int tried, int k, double target)
{
	double		aim = target + (1 - target) * SAFETY;
	double		best = 0;

	for (int i = 0; i < tried; i++)
		best = Max(best, trial->recall[i][k]);
	aim = Min(aim, best - 0.0005);
	for (int i = 0; i < tried; i++)
	{
		double		before;
		double		share;

		if (trial->recall[i][k] < aim)
			continue;
		if (i == 0 || trial->recall[i - 1][k] >= trial->recall[i][k])
			return beams[i];
		before = trial->recall[i - 1][k];
		share = (aim - before) / (trial->recall[i][k] - before);
		return beams[i - 1] + (uint32) ceil(Max(share, 0) * (beams[i] - beams[i - 1]));
	}
	return beams[tried - 1];
}

/* Has the last beam reached all there is to reach? */
static bool
is_enough(const Trial *trial, int beam)
{
	double		highest = vecidx_calibrate_targets[VECIDX_TARGETS - 1];

	for (int k = 0; k < VECIDX_TARGET_KS; k++)
	{
		if (trial->recall[beam][k] < highest + (1 - highest) * SAFETY)
			return false;
	}
	return true;
}

void
vecidx_calibrate(VecIdxHandle *handle, VecIdxTruth *truth, VecIdxMetaFixed *fixed)
{
	Trial	   *trial = palloc0(sizeof(Trial));
	VecIdxQuantParams params = vecidx_layout_quant(&handle->fixed);
	int			tried = 0;

	settle_truth(truth);
	trial->truth = truth;
	trial->handle = handle;
	vecidx_store_init(&trial->store, handle, CurrentMemoryContext);
	vecidx_search_init(&trial->search, &trial->store.source, CurrentMemoryContext);
	vecidx_rank_init(&trial->rank, &trial->store, CurrentMemoryContext);
	trial->query_memory = palloc(vecidx_query_size(&params));
	trial->scratch = palloc(vecidx_quant_scratch_size(&params));
	while (tried < (int) lengthof(beams))
	{
		for (int query = 0; query < truth->count; query++)
			run_query(trial, query, tried);
		if (is_enough(trial, tried++))
			break;
	}
	for (int target = 0; target < VECIDX_TARGETS; target++)
	{
		for (int k = 0; k < VECIDX_TARGET_KS; k++)
			fixed->beam[target][k] = Max(choose_beam(trial, tried, k, vecidx_calibrate_targets[target]),
										 vecidx_calibrate_counts[k]);
	}
	fixed->calibrated = truth->count;
}

/* The table's value for a target between its rows. */
static double
beam_at(const VecIdxMetaFixed *fixed, double recall, int k)
{
	const double *targets = vecidx_calibrate_targets;
	int			i = 0;
	double		share;

	if (recall <= targets[0])
		return fixed->beam[0][k];
	while (i < VECIDX_TARGETS - 2 && recall > targets[i + 1])
		i++;
	share = (recall - targets[i]) / (targets[i + 1] - targets[i]);
	return fixed->beam[i][k] + share * ((double) fixed->beam[i + 1][k] - fixed->beam[i][k]);
}

uint32
vecidx_calibrate_beam(const VecIdxMetaFixed *fixed, double recall, uint32 count)
{
	const uint32 *counts = vecidx_calibrate_counts;
	uint32		last = counts[VECIDX_TARGET_KS - 1];
	double		beam;
	int			k = 0;

	if (fixed->calibrated == 0)
		return (uint32) Min((2.0 * count + 64) * 0.05 / (1 - Min(recall, 0.999)), VECIDX_MAX_EF_SEARCH) + count;
	if (count >= last)
		beam = beam_at(fixed, recall, VECIDX_TARGET_KS - 1) * ((double) count / last);
	else
	{
		double		low;
		double		high;

		while (count > counts[k + 1])
			k++;
		low = beam_at(fixed, recall, k);
		high = beam_at(fixed, recall, k + 1);
		beam = low + (high - low) * (log(count) - log(counts[k])) / (log(counts[k + 1]) - log(counts[k]));
	}
	return (uint32) Max(Min(ceil(beam), VECIDX_MAX_EF_SEARCH), Max(count, 1));
}
