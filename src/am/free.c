/*
 * free.c
 *	  Slots that hold nothing any more go to the free lists: those of empty
 *	  extensions and of tombstones.
 */
#include "postgres.h"

#include "am/twin.h"
#include "am/vacuum.h"
#include "compat.h"
#include "page/filter.h"
#include "page/meta.h"
#include "page/peek.h"

/* Puts a slot on the free list; its adjacency slot and the metapage are locked. */
static void
free_slot(VecIdxVacuum *vacuum, VecIdxMeta *meta, VecIdxAdjacencySlot *slot)
{
	uint32		node = slot->node;
	uint32		version = slot->version;

	memset(slot, 0, vacuum->handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	slot->node = node;
	slot->version = version + 1;
	slot->state = VECIDX_FREE;
	slot->upper = VECIDX_NONE;
	slot->next = meta->state.free_node;
	vecidx_slot_seal(&vacuum->handle->layout, VECIDX_RUN_ADJACENCY, slot);
	meta->state.free_node = node;
	meta->state.free_nodes++;
}

/* Says in the code slot that there is neither node nor extension, so that passes over all codes pass over it. */
static void
fill_blank(VecIdxVacuum *vacuum, VecIdxCodeSlot *slot, uint32 node)
{
	const VecIdxLayout *layout = &vacuum->handle->layout;

	memset(slot, 0, layout->run[VECIDX_RUN_CODE].size);
	slot->mark = vecidx_layout_mark(layout, node);
	slot->state = VECIDX_FREE;
	vecidx_slot_seal(layout, VECIDX_RUN_CODE, slot);
}

/* The same in a record of its own. */
static void
blank_code(VecIdxVacuum *vacuum, uint32 node)
{
	fill_blank(vacuum, vacuum->store.code, node);
	vecidx_slot_write(vacuum->handle, VECIDX_RUN_CODE, node, vacuum->store.code, true);
}

/*
 * Takes an empty extension out of its chain, if it still is one; "before"
 * leads to it.  Buries the owner if that was all it had.  A code that spans
 * pages stays: one that says less than the chain would, after a crash, hide a
 * row from a pass over all codes.
 */
static bool
unlink_extension(VecIdxVacuum *vacuum, uint32 owner, uint32 before, uint32 extension)
{
	VecIdxHandle *handle = vacuum->handle;
	bool		together = handle->layout.run[VECIDX_RUN_CODE].span == 1;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, before, NULL}, {VECIDX_RUN_ADJACENCY, extension, NULL},
	{VECIDX_RUN_CODE, extension, NULL}};
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	VecIdxAdjacencySlot *slot_before;
	VecIdxAdjacencySlot *slot;
	uint32		buried = 0;

	vecidx_edit_begin(&edit, handle->index, true);
	meta = vecidx_meta_edit(&edit, handle);
	vecidx_edit_slots(&edit, handle, refs, together ? 3 : 2);
	slot_before = refs[0].image;
	slot = refs[1].image;
	if (slot_before->next != extension || slot->state != VECIDX_EXTENSION || slot->upper != owner || slot->tids > 0)
	{
		vecidx_edit_abandon(&edit);
		return false;
	}
	slot_before->next = slot->next;
	vecidx_vacuum_bury(slot_before, &buried);
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot_before);
	if (together)
		fill_blank(vacuum, refs[2].image, extension);
	free_slot(vacuum, meta, slot);
	meta->state.extensions--;
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	vacuum->done.made += buried;
	return true;
}

/* Walks a node's chain and frees empty extensions. */
static void
clean_chain(VecIdxVacuum *vacuum, uint32 owner)
{
	VecIdxAdjacencySlot *slot = vacuum->adjacency;
	uint32		before = owner;
	uint32		next;

	vecidx_slot_read(vacuum->handle, VECIDX_RUN_ADJACENCY, owner, slot);
	for (next = slot->next; next != VECIDX_NONE;)
	{
		uint32		extension = next;

		VecIdxVacuumDelayPoint(false);
		vecidx_slot_read(vacuum->handle, VECIDX_RUN_ADJACENCY, extension, slot);
		next = slot->next;
		if (slot->tids > 0 || !unlink_extension(vacuum, owner, before, extension))
			before = extension;
	}
	if (vecidx_filter_exists(vacuum->handle))
		vecidx_twin_settle(vacuum->handle, owner, slot);
}

void
vecidx_free_chains(VecIdxVacuum *vacuum)
{
	uint32		first = 0;

	while (first < vacuum->nodes && vacuum->handle->state.extensions > 0)
	{
		uint32		count = vecidx_vacuum_copy(vacuum, VECIDX_RUN_ADJACENCY, first, vacuum->nodes);

		for (uint32 i = 0; i < count; i++)
		{
			const VecIdxAdjacencySlot *slot = vecidx_vacuum_slot(vacuum, VECIDX_RUN_ADJACENCY, i);

			if (slot->state == VECIDX_LIVE && slot->next != VECIDX_NONE)
				clean_chain(vacuum, slot->node);
		}
		first += count;
	}
}

/*
 * Takes a dead node off the upper levels and frees its upper slots.  The list
 * of free ones names them in ascending order afterwards, so that a node of as
 * many levels finds them as they are.
 */
static void
lower_node(VecIdxVacuum *vacuum, uint32 node, uint32 upper, int levels)
{
	VecIdxHandle *handle = vacuum->handle;
	VecIdxSlotRef refs[VECIDX_MAX_LEVEL + 1];
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	VecIdxAdjacencySlot *slot;

	for (int level = 1; level <= levels; level++)
		refs[level] = (VecIdxSlotRef) {VECIDX_RUN_UPPER, upper + level - 1, NULL};
	refs[0] = (VecIdxSlotRef) {VECIDX_RUN_ADJACENCY, node, NULL};
	vecidx_edit_begin(&edit, handle->index, true);
	meta = vecidx_meta_edit(&edit, handle);
	vecidx_edit_slots(&edit, handle, refs, levels + 1);
	slot = refs[0].image;
	slot->level = 0;
	slot->upper = VECIDX_NONE;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot);
	for (int level = levels; level >= 1; level--)
	{
		VecIdxUpperSlot *freed = refs[level].image;

		memset(freed, 0, handle->layout.run[VECIDX_RUN_UPPER].size);
		freed->state = VECIDX_FREE;
		freed->node = meta->state.free_upper;
		vecidx_slot_seal(&handle->layout, VECIDX_RUN_UPPER, freed);
		meta->state.free_upper = upper + level - 1;
		meta->state.free_uppers++;
		meta->state.level_nodes[level]--;
	}
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
}

/* Frees the tombstones from first to last, which share a page of lists and one of codes, unless these span pages. */
static void
free_nodes(VecIdxVacuum *vacuum, uint32 first, uint32 last)
{
	VecIdxHandle *handle = vacuum->handle;
	bool		together = handle->layout.run[VECIDX_RUN_CODE].span == 1;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, last, NULL}, {VECIDX_RUN_CODE, last, NULL}};
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	uint32		freed = 0;

	for (uint32 node = first; node <= last && !together; node++)
	{
		if (vecidx_vacuum_dead(vacuum, node))
			blank_code(vacuum, node);
	}
	vecidx_edit_begin(&edit, handle->index, true);
	meta = vecidx_meta_edit(&edit, handle);
	vecidx_edit_slots(&edit, handle, refs, together ? 2 : 1);
	for (uint32 node = last + 1; node-- > first;)
	{
		if (!vecidx_vacuum_dead(vacuum, node))
			continue;
		if (together)
			fill_blank(vacuum, vecidx_edit_slot(&edit, handle, VECIDX_RUN_CODE, node), node);
		free_slot(vacuum, meta, vecidx_edit_slot(&edit, handle, VECIDX_RUN_ADJACENCY, node));
		freed++;
		meta->state.tombstones -= Min(meta->state.tombstones, 1);
	}
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	vacuum->done.freed += freed;
}

/* The first of the slots that share with this one the page of lists and the page of codes. */
static uint32
first_together(VecIdxVacuum *vacuum, uint32 node)
{
	VecIdxHandle *handle = vacuum->handle;
	uint32		first = vecidx_handle_first(handle, VECIDX_RUN_ADJACENCY, node);

	if (handle->layout.run[VECIDX_RUN_CODE].span == 1)
		first = Max(first, vecidx_handle_first(handle, VECIDX_RUN_CODE, node));
	return first;
}

/*
 * From the last node to the first: the lists of free slots name them in
 * ascending order afterwards, so that what is inserted together comes to lie
 * together.
 */
void
vecidx_free_tombstones(VecIdxVacuum *vacuum)
{
	uint32		end = vacuum->nodes;

	while (end > 0)
	{
		uint32		first = first_together(vacuum, end - 1);
		bool		any = false;

		VecIdxVacuumDelayPoint(false);
		for (uint32 node = end; node-- > first;)
		{
			if (!vecidx_vacuum_dead(vacuum, node))
				continue;
			any = true;
			vecidx_peek_slot(vacuum->handle, VECIDX_RUN_ADJACENCY, node, vacuum->adjacency);
			if (vacuum->adjacency->level > 0)
				lower_node(vacuum, node, vacuum->adjacency->upper, vacuum->adjacency->level);
		}
		if (any)
			free_nodes(vacuum, first, end - 1);
		end = first;
	}
}
