/*
 * gather.c
 *	  The rows of nodes.
 *
 * All rows of a slot have the slot's filter row, which stays as long as a
 * snapshot can see one of them.  The TIDs are read first: if there is one
 * that the scan can see, the filter row that is read then is its own.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/gather.h"
#include "page/filter.h"

/* Number of times that a chain of TIDs is read when it changes meanwhile. */
#define CHAIN_TRIES			1000

void
vecidx_gather_init(VecIdxGather *gather, VecIdxStore *store, VecIdxPredicate *predicate)
{
	memset(gather, 0, sizeof(VecIdxGather));
	gather->store = store;
	gather->predicate = predicate;
	gather->adjacency = palloc(store->handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	gather->room = 64;
	gather->tids = palloc(gather->room * sizeof(ItemPointerData));
	if (predicate == NULL)
		return;
	gather->filter = palloc(VECIDX_FILTER_ROOM);
	gather->extension_room = 64;
	gather->extension = palloc(gather->extension_room * sizeof(uint32));
}

void
vecidx_gather_clear(VecIdxGather *gather)
{
	gather->count = gather->next = gather->extensions = 0;
	gather->recheck = false;
}

static void
add_tids(VecIdxGather *gather, uint32 most)
{
	const VecIdxAdjacencySlot *slot = gather->adjacency;
	uint32		count = Min(slot->tids, most);

	while (gather->count + count > gather->room)
	{
		gather->room *= 2;
		gather->tids = repalloc_huge(gather->tids, (Size) gather->room * sizeof(ItemPointerData));
	}
	memcpy(gather->tids + gather->count, (const char *) slot->tid, count * sizeof(ItemPointerData));
	gather->count += count;
}

/* Does the filter want the rows of the slot at hand? */
static bool
is_wanted(VecIdxGather *gather, uint32 slot)
{
	uint8		verdict;

	if (gather->predicate == NULL)
		return true;
	if (gather->adjacency->tids == 0)
		return false;
	vecidx_filter_read(gather->store->handle, slot, gather->filter);
	verdict = vecidx_predicate_row(gather->predicate, gather->filter, 1, 0);
	gather->recheck |= verdict == VECIDX_MAYBE;
	return verdict != VECIDX_NO;
}

static void
note_extension(VecIdxGather *gather, uint32 slot)
{
	if (gather->predicate == NULL)
		return;
	if (gather->extensions == gather->extension_room)
	{
		gather->extension_room *= 2;
		gather->extension = repalloc_huge(gather->extension, (Size) gather->extension_room * sizeof(uint32));
	}
	gather->extension[gather->extensions++] = slot;
}

/*
 * Gathers the TIDs of the chain that starts at "next".  TIDs never move
 * between slots, so that one that the snapshot can see is met; if the chain
 * changes under us because vacuum frees an empty link, the caller begins
 * again.
 */
static bool
gather_chain(VecIdxGather *gather, uint32 owner, uint32 next, bool any)
{
	VecIdxHandle *handle = gather->store->handle;
	const VecIdxAdjacencySlot *slot = gather->adjacency;
	uint32		links = 0;

	while (next != VECIDX_NONE)
	{
		uint32		link = next;

		CHECK_FOR_INTERRUPTS();
		if (links++ > handle->state.nodes)
			vecidx_damaged(handle->index, psprintf("The chain of extensions of node %u has no end", owner));
		vecidx_store_check_node(gather->store, link, "A chain of extensions");
		vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, link, gather->adjacency);
		if (slot->state != VECIDX_EXTENSION || slot->upper != owner)
			return false;
		next = slot->next;
		if (!any && !is_wanted(gather, link))
			continue;
		add_tids(gather, VecIdxExtensionTids(handle->fixed.m));
		note_extension(gather, link);
	}
	return true;
}

static bool
is_version(const VecIdxAdjacencySlot *slot, uint32 version)
{
	return version == VECIDX_NONE || slot->version == version;
}

void
vecidx_gather_node(VecIdxGather *gather, uint32 node, uint32 version, bool any)
{
	VecIdxHandle *handle = gather->store->handle;
	const VecIdxAdjacencySlot *slot = gather->adjacency;
	uint32		before = gather->count;
	uint32		extensions_before = gather->extensions;
	uint32		next;
	int			tries = 0;

	do
	{
		if (++tries > CHAIN_TRIES)
			vecidx_corrupted(handle->index, VECIDX_METAPAGE_BLOCK, "A chain of extensions does not end");
		gather->count = before;
		gather->extensions = extensions_before;
		vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, node, gather->adjacency);
		if (slot->state != VECIDX_LIVE || !is_version(slot, version))
			return;
		next = slot->next;
		if (any || is_wanted(gather, node))
			add_tids(gather, VECIDX_INLINE_TIDS);
	} while (!gather_chain(gather, node, next, any));
}

void
vecidx_gather_slot(VecIdxGather *gather, uint32 slot, uint32 version)
{
	VecIdxHandle *handle = gather->store->handle;
	const VecIdxAdjacencySlot *copy = gather->adjacency;

	vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, slot, gather->adjacency);
	if ((copy->state != VECIDX_LIVE && copy->state != VECIDX_EXTENSION) || !is_version(copy, version) ||
		!is_wanted(gather, slot))
		return;
	add_tids(gather, vecidx_handle_tid_room(handle, copy));
}
