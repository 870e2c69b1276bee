/*
 * truth.c
 *	  Queries and their true neighbours.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "utils/memutils.h"

#include "graph/screen.h"
#include "graph/truth.h"
#include "kernel/kernel.h"

/* Ties: how far beyond the k-th true distance still counts, and the same where that is zero. */
#define RELATIVE_TOLERANCE	1e-6
#define ABSOLUTE_TOLERANCE	1e-9

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
	truth->own = palloc0(count * sizeof(float));
	truth->squares = palloc0(count * sizeof(float));
	truth->skipped = palloc0(count * sizeof(bool));
	truth->kept = palloc0(count * sizeof(int));
	truth->neighbours = palloc(count * VECIDX_TRUTH_KEPT * sizeof(VecIdxTrueNeighbour));
	return truth;
}


typedef struct Place
{
	ItemPointerData tid;		/* hash key */
	int			query;
} Place;

static void
create_places(VecIdxTruth *truth)
{
	HASHCTL		control = {.keysize = sizeof(ItemPointerData), .entrysize = sizeof(Place), .hcxt = GetMemoryChunkContext(truth)};

	truth->places = hash_create("vecidx queries", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < truth->count; i++)
	{
		if (ItemPointerIsValid(&truth->tids[i]))
			((Place *) hash_search(truth->places, &truth->tids[i], HASH_ENTER, NULL))->query = i;
	}
}

int
vecidx_truth_find(VecIdxTruth *truth, ItemPointer tid)
{
	const Place *place;

	if (truth->places == NULL)
		create_places(truth);
	place = hash_search(truth->places, tid, HASH_FIND, NULL);
	return place != NULL ? place->query : -1;
}

float
vecidx_truth_distance(VecIdxMetric metric, const float *a, const float *b, int dimensions)
{
	if (metric == VECIDX_L2 || metric == VECIDX_HAMMING)
		return vecidx_kernels()->l2sq(a, b, dimensions);
	return -vecidx_kernels()->dot(a, b, dimensions);
}

void
vecidx_truth_query(VecIdxTruth *truth, int query, const float *row, const ItemPointerData *tid)
{
	memcpy(truth->rows + (Size) query * truth->dimensions, row, truth->dimensions * sizeof(float));
	truth->own[query] = vecidx_truth_distance(truth->metric, row, row, truth->dimensions);
	truth->squares[query] = vecidx_kernels()->dot(row, row, truth->dimensions);
	if (tid != NULL)
		truth->tids[query] = *tid;
}

/* Offers a neighbour to a query's heap; a node that is there already is left out. */
static void
offer_neighbour(VecIdxTrueNeighbour *heap, int *kept, const VecIdxTrueNeighbour *offered)
{
	int			at;

	if (*kept == VECIDX_TRUTH_KEPT && offered->distance >= heap[0].distance)
		return;
	for (int i = 0; i < *kept && offered->node != VECIDX_NONE; i++)
	{
		if (heap[i].node == offered->node)
			return;
	}
	if (*kept < VECIDX_TRUTH_KEPT)
	{
		at = (*kept)++;
		while (at > 0 && heap[(at - 1) / 2].distance < offered->distance)
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
			if (offered->distance >= heap[child].distance)
				break;
			heap[at] = heap[child];
			at = child;
		}
	}
	heap[at] = *offered;
}

/* Is the row another one that equals the query? */
static bool
is_twin(const VecIdxTruth *truth, int query, const float *row, ItemPointer tid)
{
	return ItemPointerIsValid(&truth->tids[query]) && !ItemPointerEquals(&truth->tids[query], tid) &&
		memcmp(truth->rows + (Size) query * truth->dimensions, row, truth->dimensions * sizeof(float)) == 0;
}

/* Notes a row for one query. */
static void
note_row(VecIdxTruth *truth, int query, const float *row, const ItemPointerData *tid, uint32 node)
{
	const float *sought = truth->rows + (Size) query * truth->dimensions;
	VecIdxTrueNeighbour neighbour = {node, 0, *tid};

	neighbour.distance = vecidx_truth_distance(truth->metric, sought, row, truth->dimensions);
	if (neighbour.distance == truth->own[query] && is_twin(truth, query, row, unconstify(ItemPointerData *, tid)))
		truth->skipped[query] = true;
	offer_neighbour(truth->neighbours + query * VECIDX_TRUTH_KEPT, &truth->kept[query], &neighbour);
}

static void
note_norm(VecIdxTruth *truth, float square)
{
	if (truth->metric == VECIDX_IP)
		truth->norm = Max(truth->norm, sqrtf(square));
}

void
vecidx_truth_note(VecIdxTruth *truth, const float *row, ItemPointer tid, uint32 node)
{
	for (int i = 0; i < truth->count; i++)
		note_row(truth, i, row, tid, node);
	note_norm(truth, vecidx_kernels()->dot(row, row, truth->dimensions));
}

#define PANELS(count)	(((count) + VECIDX_PANEL - 1) / VECIDX_PANEL)

/* Lays the queries out in panels; the last one is filled up with zeros. */
static void
lay_panels(VecIdxTruth *truth)
{
	MemoryContext context = GetMemoryChunkContext(truth);
	int			columns = PANELS(truth->count) * VECIDX_PANEL;
	Size		dimensions = truth->dimensions;

	truth->panels = MemoryContextAllocExtended(context, columns * dimensions * sizeof(float), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	truth->products = MemoryContextAlloc(context, VECIDX_TRUTH_ROWS * columns * sizeof(float));
	for (int i = 0; i < truth->count; i++)
	{
		float	   *panel = truth->panels + i / VECIDX_PANEL * VECIDX_PANEL * dimensions + i % VECIDX_PANEL;

		for (Size k = 0; k < dimensions; k++)
			panel[k * VECIDX_PANEL] = truth->rows[i * dimensions + k];
	}
}

/*
 * Could a row with that product be among a query's neighbours?  The product
 * is off by no more than n units of float's rounding of the norms' product.
 */
static inline bool
may_be_near(const VecIdxTruth *truth, int query, float product, double square)
{
	const VecIdxTrueNeighbour *worst = truth->neighbours + query * VECIDX_TRUTH_KEPT;
	double		margin = truth->dimensions * (double) FLT_EPSILON * sqrt(square * truth->squares[query]);

	if (truth->kept[query] < VECIDX_TRUTH_KEPT)
		return true;
	if (truth->metric == VECIDX_L2 || truth->metric == VECIDX_HAMMING)
		return square + truth->squares[query] - 2.0 * (product + margin) <= worst->distance;
	return -(product + margin) <= worst->distance;
}

/* By products of the rows with all queries. */
static void
note_near(VecIdxTruth *truth, const VecIdxTruthBatch *batch, const float *squares)
{
	const VecIdxKernels *kernels = vecidx_kernels();
	int			dimensions = truth->dimensions;
	int			stride = PANELS(truth->count) * VECIDX_PANEL;

	if (truth->panels == NULL)
		lay_panels(truth);
	for (int p = 0; p < PANELS(truth->count); p++)
		kernels->panel_f32(batch->rows, batch->count, truth->panels + (Size) p * VECIDX_PANEL * dimensions, dimensions,
						   truth->products + p * VECIDX_PANEL, stride);
	for (int i = 0; i < batch->count; i++)
	{
		for (int query = 0; query < truth->count; query++)
		{
			if (may_be_near(truth, query, truth->products[i * stride + query], squares[i]))
				note_row(truth, query, batch->rows + (Size) i * dimensions, &batch->tids[i], VECIDX_NONE);
		}
	}
}

/*
 * The squared distance beyond which no row whose square is not larger can be
 * among a query's neighbours; distances are off by no more than n units of
 * float's rounding of the norms' product.
 */
static double
far_from(const VecIdxTruth *truth, int query, double square)
{
	double		worst = truth->neighbours[query * VECIDX_TRUTH_KEPT].distance;
	double		rounding = truth->dimensions * (double) FLT_EPSILON;

	if (truth->kept[query] < VECIDX_TRUTH_KEPT)
		return INFINITY;
	if (truth->metric == VECIDX_L2 || truth->metric == VECIDX_HAMMING)
		return worst * (1 + 4 * rounding);
	return 2 * worst + (square + truth->squares[query]) * (1 + 4 * rounding);
}

/* By their sketches; false if these are of no help. */
static bool
note_screened(VecIdxTruth *truth, const VecIdxTruthBatch *batch, const float *squares)
{
	VecIdxScreen *screen = truth->screen;
	uint32		passed = 0;
	double		largest = 0;

	if (!vecidx_screen_helps(screen))
		return false;
	for (int i = 0; i < batch->count; i++)
		largest = Max(largest, squares[i]);
	for (int query = 0; query < truth->count; query++)
		vecidx_screen_reach(screen, query, far_from(truth, query, largest), sqrt(Max(largest, truth->squares[query])));
	vecidx_screen_take(screen, batch->sketches, batch->count);
	for (int i = 0; i < batch->count; i++)
	{
		int			hits = vecidx_screen_row(screen, i);

		for (int j = 0; j < hits; j++)
			note_row(truth, screen->hits[j].place, batch->rows + (Size) i * truth->dimensions, &batch->tids[i], VECIDX_NONE);
		passed += hits;
	}
	vecidx_screen_tell(screen, batch->count, passed);
	return true;
}

void
vecidx_truth_note_rows(VecIdxTruth *truth, const VecIdxSketcher *sketcher, const VecIdxTruthBatch *batch)
{
	float		squares[VECIDX_TRUTH_ROWS];

	Assert(batch->count <= VECIDX_TRUTH_ROWS);
	for (int i = 0; i < batch->count; i++)
	{
		const float *row = batch->rows + (Size) i * truth->dimensions;

		squares[i] = vecidx_kernels()->dot(row, row, truth->dimensions);
		note_norm(truth, squares[i]);
	}
	if (truth->screen == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(truth));

		truth->screen = vecidx_screen_create(sketcher, truth->rows, truth->count, VECIDX_TRUTH_ROWS);
		MemoryContextSwitchTo(old);
	}
	if (!note_screened(truth, batch, squares))
		note_near(truth, batch, squares);
}

/* What one process noted: this, then the neighbours. */
typedef struct Notes
{
	float		norm;
	struct
	{
		int			kept;
		bool		skipped;
		uint32		self;
	}			query[FLEXIBLE_ARRAY_MEMBER];
} Notes;

static Size
notes_head(int count)
{
	return MAXALIGN(offsetof(Notes, query) + count * sizeof(((Notes *) NULL)->query[0]));
}

Size
vecidx_truth_notes_size(int count)
{
	return notes_head(count) + (Size) count * VECIDX_TRUTH_KEPT * sizeof(VecIdxTrueNeighbour);
}

void
vecidx_truth_store_notes(const VecIdxTruth *truth, void *memory)
{
	Notes	   *notes = memory;

	notes->norm = truth->norm;
	for (int i = 0; i < truth->count; i++)
	{
		notes->query[i].kept = truth->kept[i];
		notes->query[i].skipped = truth->skipped[i];
		notes->query[i].self = truth->self[i];
	}
	memcpy((char *) memory + notes_head(truth->count), truth->neighbours,
		   (Size) truth->count * VECIDX_TRUTH_KEPT * sizeof(VecIdxTrueNeighbour));
}

void
vecidx_truth_join_notes(VecIdxTruth *truth, const void *memory)
{
	const Notes *notes = memory;
	const VecIdxTrueNeighbour *neighbours = (const void *) ((const char *) memory + notes_head(truth->count));

	truth->norm = Max(truth->norm, notes->norm);
	for (int i = 0; i < truth->count; i++)
	{
		truth->skipped[i] |= notes->query[i].skipped;
		for (int j = 0; j < notes->query[i].kept; j++)
			offer_neighbour(truth->neighbours + i * VECIDX_TRUTH_KEPT, &truth->kept[i],
							&neighbours[i * VECIDX_TRUTH_KEPT + j]);
	}
}

void
vecidx_truth_take_notes(VecIdxTruth *truth, const void *memory)
{
	const Notes *notes = memory;

	truth->norm = notes->norm;
	truth->used = 0;
	for (int i = 0; i < truth->count; i++)
	{
		truth->kept[i] = notes->query[i].kept;
		truth->skipped[i] = notes->query[i].skipped;
		truth->self[i] = notes->query[i].self;
		truth->used += !truth->skipped[i];
	}
	memcpy(truth->neighbours, (const char *) memory + notes_head(truth->count),
		   (Size) truth->count * VECIDX_TRUTH_KEPT * sizeof(VecIdxTrueNeighbour));
}

/* Rows that are somebody's neighbours, and the rows that are queries. */
typedef struct Unresolved
{
	ItemPointerData tid;		/* hash key */
	uint32		node;
} Unresolved;

static void
enter_unresolved(VecIdxTruth *truth, const ItemPointerData *tid)
{
	Unresolved *entry = hash_search(truth->unresolved, tid, HASH_ENTER, NULL);

	entry->node = VECIDX_NONE;
}

static void
create_unresolved(VecIdxTruth *truth)
{
	HASHCTL		control = {.keysize = sizeof(ItemPointerData), .entrysize = sizeof(Unresolved), .hcxt = GetMemoryChunkContext(truth)};

	truth->unresolved = hash_create("vecidx rows without node", 4096, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (int i = 0; i < truth->count; i++)
	{
		if (ItemPointerIsValid(&truth->tids[i]))
			enter_unresolved(truth, &truth->tids[i]);
		for (int j = 0; j < truth->kept[i]; j++)
			enter_unresolved(truth, &truth->neighbours[i * VECIDX_TRUTH_KEPT + j].tid);
	}
}

void
vecidx_truth_resolve(VecIdxTruth *truth, ItemPointer tid, uint32 node)
{
	Unresolved *entry;

	if (truth->unresolved == NULL)
		create_unresolved(truth);
	entry = hash_search(truth->unresolved, tid, HASH_FIND, NULL);
	if (entry != NULL)
		entry->node = node;
}

static uint32
resolved(const VecIdxTruth *truth, const ItemPointerData *tid)
{
	Unresolved *entry = hash_search(truth->unresolved, tid, HASH_FIND, NULL);

	return entry != NULL ? entry->node : VECIDX_NONE;
}

/* Sets the nodes that were told since. */
static void
take_resolved(VecIdxTruth *truth)
{
	for (int i = 0; i < truth->count; i++)
	{
		if (ItemPointerIsValid(&truth->tids[i]))
			truth->self[i] = resolved(truth, &truth->tids[i]);
		for (int j = 0; j < truth->kept[i]; j++)
		{
			VecIdxTrueNeighbour *neighbour = &truth->neighbours[i * VECIDX_TRUTH_KEPT + j];

			neighbour->node = resolved(truth, &neighbour->tid);
		}
	}
}

static int
compare_true(const void *a, const void *b)
{
	float		x = ((const VecIdxTrueNeighbour *) a)->distance;
	float		y = ((const VecIdxTrueNeighbour *) b)->distance;

	return (x > y) - (x < y);
}

static bool
holds_node(const VecIdxTrueNeighbour *neighbours, int count, uint32 node)
{
	for (int i = 0; i < count; i++)
	{
		if (neighbours[i].node == node)
			return true;
	}
	return false;
}

/* With fewer queries than that nothing is skipped. */
#define USED_LEAST		64

static void
count_used(VecIdxTruth *truth)
{
	for (int i = 0; i < truth->count; i++)
		truth->used += !truth->skipped[i];
	if (truth->used >= USED_LEAST)
		return;
	memset(truth->skipped, 0, truth->count * sizeof(bool));
	truth->used = truth->count;
}

/* Rows without a node are not in the index (yet): nobody can find them there. */
void
vecidx_truth_settle(VecIdxTruth *truth)
{
	count_used(truth);
	if (truth->unresolved != NULL)
		take_resolved(truth);
	for (int i = 0; i < truth->count; i++)
	{
		VecIdxTrueNeighbour *neighbours = truth->neighbours + i * VECIDX_TRUTH_KEPT;
		int			kept = 0;

		qsort(neighbours, truth->kept[i], sizeof(VecIdxTrueNeighbour), compare_true);
		for (int j = 0; j < truth->kept[i]; j++)
		{
			uint32		node = neighbours[j].node;

			if (node != VECIDX_NONE && node != truth->self[i] && !holds_node(neighbours, kept, node))
				neighbours[kept++] = neighbours[j];
		}
		truth->kept[i] = kept;
	}
}

int
vecidx_truth_right(const double *found, int count, double last, int true_count)
{
	double		bound = last + RELATIVE_TOLERANCE * fabs(last) + ABSOLUTE_TOLERANCE;
	int			right = 0;

	for (int i = 0; i < count; i++)
		right += found[i] <= bound;
	return Min(right, true_count);
}
