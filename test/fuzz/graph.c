/*
 * graph.c
 *	  Graphs in memory, and what holds of each of them.
 *
 * Every input makes a graph of rows that come from the number: many and few,
 * equal ones, clusters, extreme ones.
 */
#include "postgres.h"

#include <math.h>

#include "fuzz.h"
#include "graph.h"
#include "am/group.h"
#include "am/write.h"
#include "graph/link.h"
#include "graph/order.h"
#include "graph/parts.h"
#include "page/slot.h"

#define MOST_ROWS		1500

static void *
record_of(const FuzzGraph *graph, uint32 row)
{
	return graph->rows + row * graph->load.sizes[VECIDX_LOAD_ROW];
}

/* Encodes rows as a build has them in files. */
static void
encode_rows(FuzzGraph *graph, const VecIdxMetaFixed *fixed, const VecIdxQuantizer *quantizer, const float *rows, int count)
{
	VecIdxQuantParams params = vecidx_layout_quant(fixed);
	VecIdxLoad *load = &graph->load;
	void	   *scratch = palloc(vecidx_quant_scratch_size(&params));
	VecIdxLayout layout;

	vecidx_layout_init(&layout, fixed);
	load->room = vecidx_link_room(fixed->m, 0);
	load->plan.m = fixed->m;
	load->plan.code_size = layout.run[VECIDX_RUN_CODE].size;
	load->plan.vector_size = MAXALIGN(vecidx_quant_rerank_size(&params));
	vecidx_filter_shape(NULL, &load->plan.shape);
	load->sizes[VECIDX_LOAD_ROW] = MAXALIGN(load->plan.code_size + load->plan.vector_size + load->plan.shape.size);
	graph->rows = palloc0(count * load->sizes[VECIDX_LOAD_ROW]);
	for (int i = 0; i < count; i++)
	{
		VecIdxCodeSlot *code = vecidx_load_code(record_of(graph, i));
		VecIdxFactors factors;

		vecidx_quant_encode(quantizer, rows + i * params.dimensions, scratch, (uint8 *) (code + 1), &factors,
							vecidx_load_vector(load, code));
		code->f0 = factors.f0;
		code->f1 = factors.f1;
		code->error = vecidx_error_pack(factors.error);
		code->state = VECIDX_LIVE;
		if (load->plan.shape.columns > 0)
			vecidx_filter_encode(&load->plan.shape, (Datum[]) {0, Int32GetDatum(FUZZ_FILTER(i))}, (bool[]) {false, false},
								 vecidx_load_filter(load, code));
	}
}

static Size
compared_size(const FuzzGraph *graph, const VecIdxMetaFixed *fixed)
{
	VecIdxQuantParams params = vecidx_layout_quant(fixed);

	return graph->load.plan.vector_size > 0 ? graph->load.plan.vector_size : vecidx_quant_code_size(&params);
}

void
fuzz_graph_points(FuzzGraph *graph, const VecIdxMetaFixed *fixed, const float *rows, int count)
{
	VecIdxQuantParams params = vecidx_layout_quant(fixed);
	VecIdxQuantizer *quantizer = vecidx_quantizer_init(palloc(vecidx_quantizer_size(&params)), &params, graph->centroid);
	int			width = vecidx_sketcher_width(params.dimensions);
	VecIdxSketcher *sketcher = palloc(vecidx_sketcher_size(params.dimensions, width));
	VecIdxPoints *points = &graph->points;

	vecidx_sketcher_init(sketcher, params.metric, params.dimensions, width, rows, count,
						 palloc(vecidx_sketcher_scratch(params.dimensions, width, count)));
	encode_rows(graph, fixed, quantizer, rows, count);
	graph->compared = compared_size(graph, fixed);
	graph->tids = palloc0(count * sizeof(ItemPointerData));
	vecidx_points_map(points, width, count, palloc(vecidx_points_size(width, count)));
	points->weight = sketcher->weight;
	vecidx_sketch_rows(sketcher, rows, count, palloc(count * width * sizeof(float)), points->sketches, points->keys);
	for (int i = 0; i < count; i++)
	{
		points->numbers[i] = i;
		points->homes[i] = 0;
		points->hashes[i] = vecidx_points_hash(vecidx_load_vector(&graph->load, record_of(graph, i)), graph->compared);
		points->levels[i] = vecidx_points_level(points->hashes[i], fixed->m);
	}
	vecidx_points_match(points, palloc(vecidx_points_table(count) * sizeof(uint32)));
	graph->plan.m = fixed->m;
	graph->plan.effort = vecidx_weave_effort(fixed->m, fixed->ef_construction);
}

typedef void (*Step) (VecIdxWeave *weave, VecIdxDeal *deal);

static void
run_step(Step step, VecIdxWeave *weave, uint64 from)
{
	VecIdxDeal	deal;

	pg_atomic_init_u64(&deal.next, from);
	step(weave, &deal);
}

/* A step that may be done twice: the later part before all of it, so that pools meet candidates in another order. */
static void
run_offers(Step step, VecIdxWeave *weave, bool shuffled)
{
	if (shuffled)
	{
		run_step(step, weave, fuzz_below(weave->count));
		run_step(step, weave, fuzz_below(Max(weave->leaders, 1)));
	}
	run_step(step, weave, 0);
}

void
fuzz_graph_weave(FuzzGraph *graph, bool shuffled)
{
	VecIdxLevels *levels = &graph->levels;
	slock_t    *locks = palloc(VECIDX_POOL_LOCKS * sizeof(slock_t));

	for (int i = 0; i < VECIDX_POOL_LOCKS; i++)
		SpinLockInit(&locks[i]);
	vecidx_levels_count(&graph->plan, &graph->points, 0, VECIDX_MAX_LEVEL);
	vecidx_levels_map(levels, &graph->plan, &graph->points, locks,
					  palloc(vecidx_levels_list_size(&graph->plan)), palloc(vecidx_levels_pool_size(&graph->plan)));
	for (int level = 0; level <= levels->highest; level++)
	{
		VecIdxWeave *weave = &levels->level[level];

		vecidx_levels_enlist(levels, level);
		run_step(vecidx_weave_assign, weave, 0);
		vecidx_weave_group(weave);
		run_offers(vecidx_weave_fill, weave, shuffled);
		run_step(vecidx_weave_prune, weave, 0);
		run_offers(vecidx_weave_back, weave, shuffled);
		run_step(vecidx_weave_finish, weave, 0);
		vecidx_parts_rescue(levels, level);
	}
}

static const uint8 *
fetch_filter(void *state, uint32 row)
{
	FuzzGraph  *graph = state;

	return vecidx_load_filter(&graph->load, record_of(graph, row));
}

static void
roll_rows(FuzzGraph *graph, VecIdxRoll *roll)
{
	uint32		rows = graph->points.count;
	bool		grouped = graph->load.plan.shape.size > 0;
	uint32		nodes;
	uint32	   *order = vecidx_order_nodes(&graph->levels, rows, 8, &nodes);

	vecidx_roll_map(roll, rows, 1, grouped, palloc0(vecidx_roll_size(rows, 1, grouped)));
	memcpy(roll->tids, graph->tids, rows * sizeof(ItemPointerData));
	vecidx_roll_enter(roll, 0, &graph->points, order, nodes);
	vecidx_group_rows(roll, graph->load.plan.shape.size, fetch_filter, graph);
}

static void
number_nodes(const FuzzGraph *graph, const VecIdxRoll *roll, VecIdxNumbers *numbers)
{
	struct VecIdxNumbered numbered = vecidx_numbers_count(roll, &graph->levels, graph->plan.m);
	void	   *memory = palloc0(vecidx_numbers_size(&numbered));

	*(struct VecIdxNumbered *) memory = numbered;
	vecidx_numbers_map(numbers, memory);
	vecidx_numbers_fill(numbers, roll, &graph->levels, graph->plan.m);
}

/* As a build of one process does that has all in memory. */
void
fuzz_graph_write(FuzzGraph *graph, Relation index, VecIdxMetaFixed *fixed)
{
	VecIdxRoll	roll;
	VecIdxNumbers numbers;
	VecIdxJoined none = {0};
	VecIdxWritePlan plan = {index, fixed, &graph->load, &roll, &numbers, &graph->levels, &none};
	VecIdxWriter *writer;
	VecIdxWriteTask task;
	VecIdxDeal	deal;

	graph->load.kept = (char *) graph->rows;
	graph->load.record = palloc(BLCKSZ);
	roll_rows(graph, &roll);
	number_nodes(graph, &roll, &numbers);
	vecidx_write_begin(numbers.numbered, index, graph->centroid, 0, fixed);
	writer = vecidx_writer_create(&plan);
	vecidx_write_all(writer, &task);
	pg_atomic_init_u64(&deal.next, 0);
	vecidx_write_units(writer, &task, &deal);
	vecidx_write_meta(writer);
}

/* Random rows. */

static void
choose_fixed(VecIdxMetaFixed *fixed)
{
	static const uint32 efforts[] = {4, 24, 64, 200, 1000};
	static const uint32 rooms[] = {2, 3, 6, 16, 100};

	fixed->metric = 1 + fuzz_below(4);
	fixed->rerank = fixed->metric == VECIDX_HAMMING ? VECIDX_RERANK_NONE : 1 + fuzz_below(4);
	fixed->bits = fixed->metric == VECIDX_HAMMING ? 1 : 1 << fuzz_below(4);
	fixed->m = rooms[fuzz_below(lengthof(rooms))];
	fixed->ef_construction = Max(fixed->m, efforts[fuzz_below(lengthof(efforts))]);
	fixed->dimensions = 1 + fuzz_below(fuzz_below(2) ? 4 : FUZZ_DIMENSIONS);
	fixed->growth = VECIDX_MIN_GROWTH;
	fixed->seed = 42;
	fixed->build = 1;
}

/* Around the sizes at which a level is made otherwise, or any. */
static int
choose_count(void)
{
	static const int counts[] = {1, 2, 3, 15, 16, 17, 255, 256, 257, 258, 512};

	if (fuzz_below(2))
		return counts[fuzz_below(lengthof(counts))];
	return 1 + fuzz_below(fuzz_below(3) ? 300 : MOST_ROWS);
}

static float
random_unit(void)
{
	return (fuzz_random() >> 40) * 0x1p-23f - 1;
}

static void
make_row(const VecIdxMetaFixed *fixed, float spread, float *row)
{
	int			dimensions = fixed->dimensions;
	/* few, so that rows are equal or lie in clusters */
	int			cluster = fuzz_below(8);
	bool		extreme = fuzz_below(200) == 0;

	for (int i = 0; i < dimensions; i++)
	{
		row[i] = (cluster * (i + 3)) % 5 + spread * random_unit();
		if (extreme)
			row[i] *= 1e30f;
		if (fixed->metric == VECIDX_HAMMING)
			row[i] = row[i] > 2;
	}
	if (fixed->metric == VECIDX_COSINE && !vecidx_quant_unit(row, dimensions))
		row[0] = 1;
}

static float *
make_rows(const VecIdxMetaFixed *fixed, int count)
{
	static const float spreads[] = {0, 1e-6f, 0.1f, 10};
	float	   *rows = palloc(count * fixed->dimensions * sizeof(float));
	float		spread = spreads[fuzz_below(lengthof(spreads))];

	for (int i = 0; i < count; i++)
		make_row(fixed, spread, rows + i * fixed->dimensions);
	return rows;
}

/* What holds. */

static bool
are_equal(const FuzzGraph *graph, uint32 a, uint32 b)
{
	return memcmp(vecidx_load_vector(&graph->load, record_of(graph, a)),
				  vecidx_load_vector(&graph->load, record_of(graph, b)), graph->compared) == 0;
}

/* Every point is a node or hangs on one, once; those on a node are equal to it, other nodes are not. */
static void
check_twins(const FuzzGraph *graph)
{
	const VecIdxPoints *points = &graph->points;
	int		   *met = palloc0(points->count * sizeof(int));

	for (uint32 node = 0; node < points->count; node++)
	{
		if (points->levels[node] == VECIDX_TWIN)
			continue;
		for (uint32 point = node; point != VECIDX_NONE; point = points->twins[point])
		{
			if (point >= points->count || met[point]++ > 0)
				fuzz_fail("point %u is met twice, or does not exist", point);
			if (!are_equal(graph, node, point))
				fuzz_fail("point %u is unlike its node %u", point, node);
		}
		for (uint32 other = 0; other < node; other++)
		{
			if (points->levels[other] != VECIDX_TWIN && are_equal(graph, node, other))
				fuzz_fail("nodes %u and %u are equal", other, node);
		}
	}
	for (uint32 point = 0; point < points->count; point++)
	{
		if (met[point] != 1)
			fuzz_fail("point %u hangs on no node", point);
	}
}

static void
check_list(const FuzzGraph *graph, int level, uint32 node)
{
	const VecIdxPoints *points = &graph->points;
	const uint32 *neighbours;
	int			count = vecidx_levels_neighbours(&graph->levels, level, node, &neighbours);

	if (count > vecidx_link_room(graph->plan.m, level))
		fuzz_fail("node %u has %d neighbours on level %d", node, count, level);
	if (count == 0 && graph->plan.nodes[level] > 1)
		fuzz_fail("node %u of %u has no neighbour on level %d", node, graph->plan.nodes[level], level);
	for (int i = 0; i < count; i++)
	{
		uint32		other = neighbours[i];

		if (other >= points->count || points->levels[other] == VECIDX_TWIN || points->levels[other] < level)
			fuzz_fail("node %u has neighbour %u on level %d, which does not stand there", node, other, level);
		if (other == node)
			fuzz_fail("node %u is its own neighbour on level %d", node, level);
		for (int j = 0; j < i; j++)
		{
			if (neighbours[j] == other)
				fuzz_fail("node %u has neighbour %u twice on level %d", node, other, level);
		}
	}
}

static void
check_lists(const FuzzGraph *graph)
{
	const VecIdxPoints *points = &graph->points;
	int			top = 0;

	for (uint32 node = 0; node < points->count; node++)
	{
		if (points->levels[node] == VECIDX_TWIN)
			continue;
		top = Max(top, points->levels[node]);
		for (int level = 0; level <= points->levels[node]; level++)
			check_list(graph, level, node);
	}
	if (graph->levels.highest != top)
		fuzz_fail("the highest node stands on level %d, the graph has %d", top, graph->levels.highest);
}

static int
compare_members(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

/* Neighbours are the same, in whatever order. */
static void
check_same(FuzzGraph *a, FuzzGraph *b)
{
	for (int level = 0; level <= a->levels.highest; level++)
	{
		VecIdxWeave *x = &a->levels.level[level];
		VecIdxWeave *y = &b->levels.level[level];

		for (uint32 i = 0; i < x->count; i++)
		{
			uint32	   *list_x = x->lists + i * x->room;
			uint32	   *list_y = y->lists + i * y->room;

			qsort(list_x, x->list_counts[i], sizeof(uint32), compare_members);
			qsort(list_y, y->list_counts[i], sizeof(uint32), compare_members);
			if (x->list_counts[i] != y->list_counts[i] ||
				memcmp(list_x, list_y, x->list_counts[i] * sizeof(uint32)) != 0)
				fuzz_fail("the list of member %u of %u on level %d depends on the order of the work", i, x->count, level);
		}
	}
}

static void
do_weave(void *argument)
{
	VecIdxMetaFixed fixed = {0};
	FuzzGraph  *graph = palloc0(sizeof(FuzzGraph));
	FuzzGraph  *shuffled = palloc0(sizeof(FuzzGraph));
	int			count = choose_count();

	choose_fixed(&fixed);
	fuzz_graph_points(graph, &fixed, make_rows(&fixed, count), count);
	*shuffled = *graph;
	fuzz_graph_weave(graph, false);
	fuzz_graph_weave(shuffled, true);
	check_twins(graph);
	check_lists(graph);
	check_same(graph, shuffled);
}

static void
run_weave(uint64 input)
{
	FuzzError	error = fuzz_try(do_weave, NULL);

	if (error.code != 0)
		fuzz_fail("%s", error.message);
	fuzz_reset();
}

const FuzzTarget fuzz_weave = {"weave", NULL, run_weave};
