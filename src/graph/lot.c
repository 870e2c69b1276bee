/*
 * lot.c
 *	  Codes of nodes in ascending order.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

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

void
vecidx_lot_estimate(VecIdxLot *lot, VecIdxStore *store)
{
	uint32		gone = vecidx_store_estimates(store, lot->node, lot->code, lot->count, lot->estimate, lot->bound);

	while (unlikely(gone != 0))
	{
		int			i = pg_leftmost_one_pos32(gone);
		uint32		last = --lot->count;

		lot->node[i] = lot->node[last];
		lot->estimate[i] = lot->estimate[last];
		lot->bound[i] = lot->bound[last];
		gone ^= (uint32) 1 << i;
	}
}
