/*
 * entry.c
 *	  Where searches of an index start.
 *
 * The list is gathered by following links from the metapage's entry node,
 * level by level, down to the lowest level with at most VECIDX_ENTRY_MAX
 * nodes.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "graph/entry.h"
#include "page/meta.h"
#include "page/peek.h"

/* The lowest level above 0 that is small enough, or the highest there is. */
static int
choose_level(const VecIdxMetaState *state)
{
	int			level = state->entry_level;

	while (level > 1 && state->level_nodes[level - 1] <= VECIDX_ENTRY_MAX)
		level--;
	return level;
}

/* Has the index changed enough to gather the list again? */
static bool
is_outdated(const VecIdxEntries *entries, const VecIdxMetaState *state)
{
	uint32		now = state->level_nodes[entries->level];

	return entries->epoch != state->epoch || entries->entry != state->entry ||
		entries->level != choose_level(state) ||
		now > entries->level_nodes + entries->level_nodes / 4 + 8;
}

/* Adds to batch all nodes of the level that can be reached from its first "count" ones; returns their number. */
static uint32
gather_level(VecIdxStore *store, int level, VecIdxCandidate *batch, uint32 count, uint32 room)
{
	VecIdxVisited visited;
	uint32		done;

	vecidx_visited_init(&visited, CurrentMemoryContext, room);
	for (uint32 i = 0; i < count; i++)
		vecidx_visited_add(&visited, batch[i].node);
	for (done = 0; done < count; done++)
	{
		VecIdxUpperSlot *slot = store->upper;
		const VecIdxUpperLink *links = VecIdxUpperLinks(slot);

		vecidx_peek_slot(store->handle, VECIDX_RUN_UPPER, batch[done].upper, slot);
		if (slot->state != VECIDX_LIVE || slot->node != batch[done].node || slot->level != level)
			continue;
		for (int i = 0; i < Min(slot->links, store->handle->fixed.m) && count < room; i++)
		{
			vecidx_store_check_node(store, links[i].node, "A list of upper neighbours");
			if (!vecidx_visited_add(&visited, links[i].node))
				continue;
			batch[count].node = links[i].node;
			batch[count].upper = links[i].upper;
			vecidx_handle_announce_slot(store->handle, VECIDX_RUN_UPPER, links[i].upper);
			count++;
		}
	}
	pfree(visited.entries);
	return count;
}

/* Copies the code slots of the list's nodes; leaves out those that are no longer there. */
static void
copy_codes(VecIdxStore *store, VecIdxEntries *entries)
{
	Size		stride = store->handle->layout.run[VECIDX_RUN_CODE].size;
	uint32		kept = 0;

	for (uint32 i = 0; i < entries->count; i++)
		vecidx_handle_announce_slot(store->handle, VECIDX_RUN_CODE, entries->batch[i].node);
	for (uint32 i = 0; i < entries->count; i++)
	{
		if (!vecidx_slot_read_vector(store->handle, VECIDX_RUN_CODE, entries->batch[i].node, entries->codes + kept * stride))
			continue;
		entries->batch[kept++] = entries->batch[i];
	}
	for (uint32 i = 0; i < kept; i++)
	{
		const VecIdxCodeSlot *slot = (const VecIdxCodeSlot *) (entries->codes + i * stride);

		entries->bits[i] = (const uint8 *) (slot + 1);
		entries->f0[i] = slot->f0;
		entries->f1[i] = slot->f1;
		entries->error[i] = vecidx_error_unpack(slot->error);
	}
	entries->count = kept;
}

static VecIdxEntries *
make_entries(VecIdxStore *store)
{
	VecIdxHandle *handle = store->handle;
	const VecIdxMetaState *state = &handle->state;
	uint32		room = VECIDX_ENTRY_MAX * 2;
	VecIdxCandidate *batch = palloc(room * sizeof(VecIdxCandidate));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx entries", ALLOCSET_DEFAULT_SIZES);
	VecIdxEntries *entries;
	int			target = choose_level(state);
	uint32		count = 1;

	batch[0].node = state->entry;
	batch[0].upper = state->entry_upper;
	for (int level = state->entry_level; level >= Max(target, 1); level--)
	{
		count = gather_level(store, level, batch, count, room);
		for (uint32 i = 0; level > target && i < count; i++)
			batch[i].upper--;
	}
	entries = MemoryContextAllocZero(context, sizeof(VecIdxEntries));
	entries->context = context;
	entries->epoch = state->epoch;
	entries->entry = state->entry;
	entries->level = target;
	entries->level_nodes = state->level_nodes[target];
	entries->count = count;
	entries->batch = MemoryContextAlloc(context, count * sizeof(VecIdxCandidate));
	memcpy(entries->batch, batch, count * sizeof(VecIdxCandidate));
	entries->codes = MemoryContextAllocHuge(context, (Size) count * handle->layout.run[VECIDX_RUN_CODE].size);
	entries->bits = MemoryContextAlloc(context, count * sizeof(uint8 *));
	entries->f0 = MemoryContextAlloc(context, 5 * count * sizeof(float));
	entries->f1 = entries->f0 + count;
	entries->error = entries->f1 + count;
	entries->estimates = entries->error + count;
	entries->bounds = entries->estimates + count;
	copy_codes(store, entries);
	/* whatever failed before, took it along */
	MemoryContextSetParent(context, handle->context);
	pfree(batch);
	return entries;
}

VecIdxEntries *
vecidx_entries_get(VecIdxStore *store)
{
	VecIdxHandle *handle = store->handle;

	if (handle->state.entry == VECIDX_NONE)
		return NULL;
	if (handle->entries != NULL && is_outdated(handle->entries, &handle->state))
	{
		VecIdxEntries *old = handle->entries;

		handle->entries = NULL;
		MemoryContextDelete(old->context);
	}
	if (handle->entries == NULL)
		handle->entries = make_entries(store);
	return handle->entries;
}
