/*
 * layout.c
 *	  Where a slot lies.
 */
#include "postgres.h"

#include "page/layout.h"

static VecIdxRun
make_run(Size size, VecIdxPageKind kind)
{
	VecIdxRun	run;

	run.size = (uint32) size;
	run.kind = kind;
	if (size == 0)
	{
		run.per_page = 0;
		run.span = 0;
	}
	else if (size <= VECIDX_PAGE_USABLE)
	{
		run.per_page = VECIDX_PAGE_USABLE / size;
		run.span = 1;
	}
	else
	{
		run.per_page = 0;
		run.span = (size + VECIDX_PAGE_USABLE - 1) / VECIDX_PAGE_USABLE;
	}
	run.inverse = run.per_page > 1 ? PG_UINT64_MAX / run.per_page + 1 : 0;
	return run;
}

/* Pages that hold that many slots. */
static BlockNumber
pages_for(const VecIdxRun *run, uint32 slots)
{
	if (run->per_page > 0)
		return (slots + run->per_page - 1) / run->per_page;
	return slots * run->span;
}

VecIdxQuantParams
vecidx_layout_quant(const VecIdxMetaFixed *fixed)
{
	VecIdxQuantParams params;

	params.metric = (VecIdxMetric) fixed->metric;
	params.rerank = (VecIdxRerank) fixed->rerank;
	params.dimensions = (int) fixed->dimensions;
	params.bits = fixed->bits;
	params.seed = fixed->seed;
	return params;
}

/*
 * A node reaches level i with probability m^-i, so a node has 1 / (m - 1)
 * upper slots on average.  An extent that runs out of them makes its nodes
 * stay on level 0, which costs little.
 */
uint32
vecidx_layout_uppers(uint32 m, uint32 nodes)
{
	return (uint32) ((uint64) nodes * 5 / (4 * (m - 1))) + 1;
}

void
vecidx_layout_init(VecIdxLayout *layout, const VecIdxMetaFixed *fixed)
{
	VecIdxQuantParams params = vecidx_layout_quant(fixed);
	Size		rerank = vecidx_quant_rerank_size(&params);
	uint32		capacity = fixed->growth;

	layout->run[VECIDX_RUN_CODE] = make_run(MAXALIGN(sizeof(VecIdxCodeSlot) + vecidx_quant_code_size(&params)), VECIDX_PAGE_CODE);
	layout->run[VECIDX_RUN_ADJACENCY] = make_run(VecIdxAdjacencySize(fixed->m), VECIDX_PAGE_ADJACENCY);
	layout->run[VECIDX_RUN_UPPER] = make_run(VecIdxUpperSize(fixed->m), VECIDX_PAGE_UPPER);
	layout->run[VECIDX_RUN_RERANK] = make_run(rerank == 0 ? 0 : INTALIGN(sizeof(VecIdxRerankSlot) + rerank), VECIDX_PAGE_RERANK);
	layout->run[VECIDX_RUN_FILTER] = make_run(fixed->filter_size, VECIDX_PAGE_FILTER);
	layout->salt = (uint32) (fixed->build ^ fixed->build >> 32);
	layout->base_capacity = fixed->base_capacity;
	layout->base_upper = fixed->base_upper;
	layout->m = fixed->m;

	layout->first_node[0] = fixed->base_capacity;
	layout->first_upper[0] = fixed->base_upper;
	for (layout->steps = 0; layout->steps < VECIDX_GROWTH_STEPS; layout->steps++)
	{
		int			i = layout->steps;
		const VecIdxRun *upper = &layout->run[VECIDX_RUN_UPPER];

		layout->capacity[i] = capacity;
		layout->uppers[i] = pages_for(upper, vecidx_layout_uppers(fixed->m, capacity)) * upper->per_page;
		layout->first_node[i + 1] = layout->first_node[i] + layout->capacity[i];
		layout->first_upper[i + 1] = layout->first_upper[i] + layout->uppers[i];
		if (capacity >= VECIDX_MAX_GROWTH)
		{
			layout->steps++;
			break;
		}
		capacity *= 2;
	}
}

uint32
vecidx_layout_capacity(const VecIdxLayout *layout, uint32 extent, VecIdxRunKind run)
{
	int			step;

	if (extent == 0)
		return run == VECIDX_RUN_UPPER ? layout->base_upper : layout->base_capacity;
	step = Min(extent, (uint32) layout->steps) - 1;
	return run == VECIDX_RUN_UPPER ? layout->uppers[step] : layout->capacity[step];
}

uint32
vecidx_layout_first(const VecIdxLayout *layout, uint32 extent, VecIdxRunKind run)
{
	const uint32 *first = run == VECIDX_RUN_UPPER ? layout->first_upper : layout->first_node;
	uint32		behind;

	if (extent == 0)
		return 0;
	if (extent <= (uint32) layout->steps)
		return first[extent - 1];
	behind = extent - layout->steps - 1;
	return first[layout->steps] + behind * vecidx_layout_capacity(layout, extent, run);
}

BlockNumber
vecidx_layout_run_pages(const VecIdxLayout *layout, uint32 extent, VecIdxRunKind run)
{
	return pages_for(&layout->run[run], vecidx_layout_capacity(layout, extent, run));
}

BlockNumber
vecidx_layout_run_start(const VecIdxLayout *layout, uint32 extent, VecIdxRunKind run)
{
	BlockNumber start = 0;
	int			before;

	for (before = 0; before < (int) run; before++)
		start += vecidx_layout_run_pages(layout, extent, before);
	return start;
}

BlockNumber
vecidx_layout_extent_pages(const VecIdxLayout *layout, uint32 extent)
{
	return vecidx_layout_run_start(layout, extent, VECIDX_RUNS);
}

/* The extent of a slot that is not in the base. */
static uint32
growth_extent(const VecIdxLayout *layout, VecIdxRunKind run, uint32 slot)
{
	const uint32 *first = run == VECIDX_RUN_UPPER ? layout->first_upper : layout->first_node;
	int			step;

	for (step = 0; step < layout->steps; step++)
	{
		if (slot < first[step + 1])
			return step + 1;
	}
	return layout->steps + 1 +
		(slot - first[layout->steps]) / vecidx_layout_capacity(layout, layout->steps, run);
}

VecIdxPlace
vecidx_layout_place(const VecIdxLayout *layout, VecIdxRunKind run, uint32 slot)
{
	const VecIdxRun *r = &layout->run[run];
	uint32		base = run == VECIDX_RUN_UPPER ? layout->base_upper : layout->base_capacity;
	VecIdxPlace place;
	uint32		within = slot;

	place.extent = 0;
	if (slot >= base)
	{
		place.extent = growth_extent(layout, run, slot);
		within = slot - vecidx_layout_first(layout, place.extent, run);
	}
	place.block = vecidx_layout_run_start(layout, place.extent, run);
	if (r->per_page > 0)
	{
		place.block += within / r->per_page;
		place.offset = VECIDX_PAGE_START + within % r->per_page * r->size;
	}
	else
	{
		place.block += within * r->span;
		place.offset = VECIDX_PAGE_START;
	}
	return place;
}
