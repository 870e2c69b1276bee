/*
 * lot.c
 *	  Codes of nodes in ascending order.
 */
#include "postgres.h"

#include "graph/lot.h"

void
vecidx_shelf_init(VecIdxShelf *shelf, VecIdxStore *store)
{
	shelf->store = store;
	shelf->size = store->handle->layout.run[VECIDX_RUN_CODE].size;
	shelf->first = shelf->end = 0;
	shelf->slots = NULL;
}

/* Which nodes have their codes on the page with that of a node. */
static void
find_range(VecIdxShelf *shelf, uint32 node)
{
	VecIdxHandle *handle = shelf->store->handle;
	const VecIdxRun *run = &handle->layout.run[VECIDX_RUN_CODE];

	if (likely(node < handle->layout.base_capacity))
	{
		shelf->first = vecidx_layout_page(run, node) * run->per_page;
		shelf->end = Min(shelf->first + run->per_page, handle->layout.base_capacity);
		return;
	}
	shelf->first = vecidx_handle_first(handle, VECIDX_RUN_CODE, node);
	shelf->end = shelf->first + vecidx_handle_page_slots(handle, VECIDX_RUN_CODE, shelf->first, handle->state.nodes);
}

void
vecidx_shelf_turn(VecIdxShelf *shelf, uint32 node)
{
	VecIdxHandle *handle = shelf->store->handle;
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, VECIDX_RUN_CODE, node, &offset);
	VecIdxPeek	peek = vecidx_peek_wanted(handle, block);

	/* who goes the long way may find out for the next */
	shelf->first = node;
	shelf->end = node + 1;
	shelf->slots = NULL;
	if (peek.page == NULL || handle->layout.run[VECIDX_RUN_CODE].span != 1)
		return;
	find_range(shelf, node);
	shelf->slots = peek.page + VECIDX_PAGE_START;
}

/* Keeps, in front, those whose codes are where they are expected; the others are missed.  Returns their number. */
static uint32
keep_present(VecIdxLot *lot, VecIdxStore *store, uint32 *missed)
{
	uint32		present = 0;

	for (uint32 i = 0; i < lot->count; i++)
	{
		uint32		node = lot->node[i];
		const VecIdxCodeSlot *code = lot->code[i];

		if (likely(code != NULL && vecidx_store_is_code(store, code, node)))
		{
			lot->node[present] = node;
			lot->code[present++] = code;
			continue;
		}
		if (code != NULL)
			vecidx_store_lose_code(store, node);
		missed[i - present] = node;
	}
	return present;
}

/* Drops those whose page has made way for another while they were estimated: they are missed, too. */
static uint32
keep_valid(VecIdxLot *lot, VecIdxStore *store, uint32 *missed)
{
	uint32		valid = 0;

	for (uint32 i = 0; i < lot->count; i++)
	{
		if (unlikely(!vecidx_store_is_code(store, lot->code[i], lot->node[i])))
		{
			missed[i - valid] = lot->node[i];
			continue;
		}
		lot->node[valid] = lot->node[i];
		lot->estimate[valid] = lot->estimate[i];
		lot->bound[valid++] = lot->bound[i];
	}
	return valid;
}

void
vecidx_lot_estimate(VecIdxLot *lot, VecIdxStore *store)
{
	uint32		missed[VECIDX_LOT_ROOM];
	uint32		asked = lot->count;
	uint32		missing;

	store->estimates += asked;
	lot->count = keep_present(lot, store, missed);
	missing = asked - lot->count;
	vecidx_visits.hit[VECIDX_VISIT_CODE] += lot->count;
	vecidx_store_estimates(store, lot->code, lot->count, lot->estimate, lot->bound);
	lot->count = keep_valid(lot, store, missed + missing);
	missing = asked - lot->count;
	for (uint32 i = 0; i < missing; i++)
	{
		VecIdxCandidate candidate;

		if (!vecidx_store_estimate(store, missed[i], &candidate))
			continue;
		lot->node[lot->count] = missed[i];
		lot->estimate[lot->count] = candidate.estimate;
		lot->bound[lot->count++] = candidate.bound;
	}
}
