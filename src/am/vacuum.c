/*
 * vacuum.c
 *	  ambulkdelete and amvacuumcleanup.
 *
 * ambulkdelete takes dead TIDs out of the adjacency slots; a node without any
 * becomes a tombstone, which still routes searches.  amvacuumcleanup repairs:
 *
 *	1	it notes all tombstones in a bitmap;
 *	2	it raises the metapage's epoch: an insert that began its search
 *		before looks again whether its neighbours live (raise.c), so no
 *		list that is written from now on names a tombstone;
 *	3	one pass over all lists replaces tombstones by their own neighbours
 *		(after FreshDiskANN's consolidation, arXiv 2105.09613, and the cap of
 *		IP-DiskANN, arXiv 2502.13826);
 *	4	if the entry node is a tombstone, a live one takes its place;
 *	5	parts of the graph that have come apart are joined (reconnect.c);
 *	6	the tombstones' slots go to the free lists.
 *
 * Each step leaves a usable graph, and an interrupted vacuum is taken up by
 * the next.  Scans need no interlock: a slot's next life has another version,
 * and rows of nodes born after a scan's snapshot are invisible to it.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "am/pause.h"
#include "am/reconnect.h"
#include "am/vacuum.h"
#include "compat.h"
#include "page/meta.h"

/* What it has done counts also if an error ends it. */
static void
count_vacuum(void *arg)
{
	VecIdxVacuum *vacuum = arg;

	INSTR_TIME_SET_CURRENT(vacuum->done.time);
	INSTR_TIME_SUBTRACT(vacuum->done.time, vacuum->began);
	vecidx_tally_vacuum(&vacuum->counted, &vacuum->done);
}

static void
begin_counting(VecIdxVacuum *vacuum, const IndexVacuumInfo *info)
{
	MemoryContextCallback *callback = MemoryContextAlloc(vacuum->context, sizeof(MemoryContextCallback));

	INSTR_TIME_SET_CURRENT(vacuum->began);
	vacuum->counted = vecidx_tally_find(info->index);
	callback->func = count_vacuum;
	callback->arg = vacuum;
	MemoryContextRegisterResetCallback(vacuum->context, callback);
	/* as VACUUM VERBOSE has it, else for whoever looks closely */
	vecidx_phases_init(&vacuum->phases, info->index, Max(info->message_level, DEBUG1));
}

static VecIdxVacuum *
begin_vacuum(const IndexVacuumInfo *info)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx vacuum", ALLOCSET_DEFAULT_SIZES);
	VecIdxVacuum *vacuum = MemoryContextAllocZero(context, sizeof(VecIdxVacuum));
	VecIdxHandle *handle = vecidx_handle_acquire(info->index);
	Size		slot_room;

	vecidx_handle_release_with(handle, context);
	vacuum->handle = handle;
	vacuum->context = context;
	begin_counting(vacuum, info);
	vacuum->nodes = handle->state.nodes;
	vacuum->uppers = handle->state.uppers;
	if (vacuum->nodes == 0)
		return vacuum;
	slot_room = Max(handle->layout.run[VECIDX_RUN_ADJACENCY].size, handle->layout.run[VECIDX_RUN_UPPER].size);
	vacuum->page = MemoryContextAlloc(context, BLCKSZ);
	vacuum->adjacency = MemoryContextAlloc(context, handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	vacuum->beyond.seen = MemoryContextAlloc(context, slot_room);
	vacuum->beyond.wanted = MemoryContextAlloc(context, slot_room);
	vacuum->dead_tid_room = 64;
	vacuum->dead_tids = MemoryContextAlloc(context, vacuum->dead_tid_room * sizeof(VecIdxDeadTid));
	return vacuum;
}

uint32
vecidx_vacuum_copy(VecIdxVacuum *vacuum, VecIdxRunKind run, uint32 first, uint32 end)
{
	VecIdxHandle *handle = vacuum->handle;
	const VecIdxRun *r = &handle->layout.run[run];
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, run, first, &offset);
	uint32		count = vecidx_handle_page_slots(handle, run, first, end);
	Page		page;
	Buffer		buffer;

	VecIdxVacuumDelayPoint(false);
	buffer = vecidx_buffer_share(handle->index, block, r->kind, vecidx_handle_first(handle, run, first), &page);
	memcpy(vacuum->page, page, BLCKSZ);
	vecidx_buffer_release(buffer);
	for (uint32 i = 0; i < count; i++)
	{
		if (!vecidx_slot_sealed(&handle->layout, run, vacuum->page + offset + i * r->size))
			vecidx_corrupted(handle->index, block, "The checksum of a slot is wrong");
	}
	return count;
}

/* Dead TIDs. */

static uint32
slot_tids(const VecIdxVacuum *vacuum, const VecIdxAdjacencySlot *slot)
{
	if (slot->state == VECIDX_LIVE)
		return Min(slot->tids, VECIDX_INLINE_TIDS);
	if (slot->state == VECIDX_EXTENSION)
		return Min(slot->tids, VecIdxExtensionTids(vacuum->handle->fixed.m));
	return 0;
}

static inline ItemPointerData
get_tid(const VecIdxAdjacencySlot *slot, uint32 i)
{
	ItemPointerData tid;

	memcpy(&tid, (const char *) slot->tid + i * sizeof(ItemPointerData), sizeof(ItemPointerData));
	return tid;
}

/* Notes the dead TIDs of a slot; a TID that is dead stays so until all indexes have been vacuumed. */
static void
note_dead_tids(VecIdxVacuum *vacuum, const VecIdxAdjacencySlot *slot)
{
	uint32		count = slot_tids(vacuum, slot);

	vacuum->stats->num_index_tuples += count;
	for (uint32 i = 0; i < count; i++)
	{
		ItemPointerData tid = get_tid(slot, i);

		if (!vacuum->callback(&tid, vacuum->callback_state))
			continue;
		if (vacuum->dead_tid_count == vacuum->dead_tid_room)
		{
			vacuum->dead_tid_room *= 2;
			vacuum->dead_tids = repalloc(vacuum->dead_tids, vacuum->dead_tid_room * sizeof(VecIdxDeadTid));
		}
		vacuum->dead_tids[vacuum->dead_tid_count].slot = slot->node;
		vacuum->dead_tids[vacuum->dead_tid_count++].tid = tid;
	}
}

static bool
is_noted(const VecIdxDeadTid *dead, uint32 count, ItemPointerData tid)
{
	for (uint32 i = 0; i < count; i++)
	{
		ItemPointerData noted = dead[i].tid;

		if (ItemPointerEquals(&noted, &tid))
			return true;
	}
	return false;
}

/* Takes noted TIDs out of a slot; returns their number. */
static uint32
remove_tids(VecIdxVacuum *vacuum, VecIdxAdjacencySlot *slot, const VecIdxDeadTid *dead, uint32 dead_count)
{
	uint32		count = slot_tids(vacuum, slot);
	uint32		kept = 0;

	for (uint32 i = 0; i < count; i++)
	{
		ItemPointerData tid = get_tid(slot, i);

		if (!is_noted(dead, dead_count, tid))
			memcpy((char *) slot->tid + kept++ * sizeof(ItemPointerData), &tid, sizeof(ItemPointerData));
	}
	slot->tids = kept;
	return count - kept;
}

/* Takes the noted TIDs out of the page itself, under lock. */
static void
clean_page(VecIdxVacuum *vacuum)
{
	VecIdxEdit	edit;
	uint32		buried = 0;
	uint32		removed = 0;

	vecidx_edit_begin(&edit, vacuum->handle->index, true);
	for (uint32 from = 0; from < vacuum->dead_tid_count;)
	{
		const VecIdxDeadTid *dead = &vacuum->dead_tids[from];
		VecIdxAdjacencySlot *slot = vecidx_edit_slot(&edit, vacuum->handle, VECIDX_RUN_ADJACENCY, dead->slot);
		uint32		count = 1;

		while (from + count < vacuum->dead_tid_count && dead[count].slot == dead->slot)
			count++;
		removed += remove_tids(vacuum, slot, dead, count);
		vecidx_vacuum_bury(slot, &buried);
		vecidx_slot_seal(&vacuum->handle->layout, VECIDX_RUN_ADJACENCY, slot);
		from += count;
	}
	vecidx_edit_finish(&edit);
	vacuum->stats->tuples_removed += removed;
	vacuum->done.deletes += removed;
	vacuum->done.made += buried;
}

static void
remove_dead_tids(VecIdxVacuum *vacuum)
{
	uint32		first = 0;

	while (first < vacuum->nodes)
	{
		uint32		count = vecidx_vacuum_copy(vacuum, VECIDX_RUN_ADJACENCY, first, vacuum->nodes);

		vacuum->dead_tid_count = 0;
		for (uint32 i = 0; i < count; i++)
			note_dead_tids(vacuum, vecidx_vacuum_slot(vacuum, VECIDX_RUN_ADJACENCY, i));
		if (vacuum->dead_tid_count > 0)
			clean_page(vacuum);
		first += count;
	}
	vacuum->stats->num_index_tuples -= vacuum->stats->tuples_removed;
}

/* The metapage counts tombstones from here on: if no repair follows, the next vacuum sees that one is due. */
static void
count_tombstones(VecIdxVacuum *vacuum, uint32 buried)
{
	VecIdxEdit	edit;
	VecIdxMeta *meta;

	vecidx_edit_begin(&edit, vacuum->handle->index, true);
	meta = vecidx_meta_edit(&edit, vacuum->handle);
	meta->state.tombstones += buried;
	vecidx_meta_changed(meta, vacuum->handle);
	vecidx_edit_finish(&edit);
}

IndexBulkDeleteResult *
vecidx_bulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
				  IndexBulkDeleteCallback callback, void *state)
{
	VecIdxVacuum *vacuum = begin_vacuum(info);

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	vacuum->stats = palloc0(sizeof(IndexBulkDeleteResult));
	vacuum->callback = callback;
	vacuum->callback_state = state;
	vecidx_phases_next(&vacuum->phases, "taking out dead rows");
	remove_dead_tids(vacuum);
	if (vacuum->done.made > 0)
		count_tombstones(vacuum, vacuum->done.made);
	vecidx_phases_next(&vacuum->phases, NULL);
	stats->num_index_tuples = vacuum->stats->num_index_tuples;
	stats->tuples_removed += vacuum->stats->tuples_removed;
	MemoryContextDelete(vacuum->context);
	return stats;
}

/* Repair. */

static void
note_tombstones(VecIdxVacuum *vacuum)
{
	uint32		first = 0;

	vacuum->dead = MemoryContextAllocExtended(vacuum->context, vacuum->nodes / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	vacuum->dead_count = 0;
	while (first < vacuum->nodes)
	{
		uint32		count = vecidx_vacuum_copy(vacuum, VECIDX_RUN_ADJACENCY, first, vacuum->nodes);

		for (uint32 i = 0; i < count; i++)
		{
			const VecIdxAdjacencySlot *slot = vecidx_vacuum_slot(vacuum, VECIDX_RUN_ADJACENCY, i);

			if (slot->state != VECIDX_TOMBSTONE)
				continue;
			vacuum->dead[slot->node / 8] |= 1 << slot->node % 8;
			vacuum->dead_count++;
		}
		first += count;
	}
}

/* From now on no list that is written names a tombstone. */
static void
raise_epoch(VecIdxVacuum *vacuum)
{
	VecIdxEdit	edit;
	VecIdxMeta *meta;

	vecidx_edit_begin(&edit, vacuum->handle->index, true);
	meta = vecidx_meta_edit(&edit, vacuum->handle);
	meta->state.epoch++;
	meta->state.tombstones = vacuum->dead_count;
	vecidx_meta_changed(meta, vacuum->handle);
	vecidx_edit_finish(&edit);
}

/*
 * To look at all lists takes about as long as to free a node in a hundred, so
 * it is done when at least as many have died.  In a small graph it takes a few
 * milliseconds.
 */
static bool
reconnect_pays(const VecIdxVacuum *vacuum)
{
	return vacuum->nodes < 10000 || vacuum->dead_count >= vacuum->nodes / 100;
}

static void
repair_graph(VecIdxVacuum *vacuum)
{
	VecIdxMetaState before;

	vecidx_store_init(&vacuum->store, vacuum->handle, vacuum->context);
	vacuum->work = AllocSetContextCreate(vacuum->context, "vecidx vacuum work", ALLOCSET_DEFAULT_SIZES);
	vecidx_phases_next(&vacuum->phases, "looking for nodes without rows");
	vecidx_free_chains(vacuum);
	note_tombstones(vacuum);
	if (vacuum->dead_count == 0)
		return;
	vecidx_phases_next(&vacuum->phases, "linking past nodes without rows");
	vecidx_pause("vacuum-noted");
	raise_epoch(vacuum);
	vecidx_pause("vacuum-epoch");
	do
	{
		vecidx_handle_refresh(vacuum->handle);
		before = vacuum->handle->state;
		vecidx_splice_lists(vacuum, &before);
	} while (!vecidx_splice_entry(vacuum, &before));
	/* while there are tombstones: if it is interrupted, the next vacuum does it */
	vecidx_phases_next(&vacuum->phases, "joining what came apart");
	if (reconnect_pays(vacuum))
		vecidx_reconnect(vacuum->handle);
	vecidx_pause("vacuum-spliced");
	vecidx_phases_next(&vacuum->phases, "freeing nodes");
	vecidx_free_tombstones(vacuum);
}

static void
tell_result(const VecIdxVacuum *vacuum)
{
	ereport(vacuum->phases.level,
			(errmsg("index \"%s\": freed " UINT64_FORMAT " of %u nodes", RelationGetRelationName(vacuum->handle->index),
					vacuum->done.freed, vacuum->nodes)));
}

/* Repairs after rows have died; or, if none had (stats is NULL), what a vacuum that was interrupted has left. */
IndexBulkDeleteResult *
vecidx_vacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	VecIdxVacuum *vacuum;

	if (info->analyze_only)
		return stats;
	vacuum = begin_vacuum(info);
	if (stats != NULL || vacuum->handle->state.tombstones > 0)
	{
		if (vacuum->nodes > 0)
			repair_graph(vacuum);
		vecidx_phases_next(&vacuum->phases, NULL);
		if (stats == NULL)
		{
			stats = palloc0(sizeof(IndexBulkDeleteResult));
			stats->num_index_tuples = info->num_heap_tuples;
			stats->estimated_count = true;
		}
		vacuum->done.finished = true;
		tell_result(vacuum);
		stats->num_pages = RelationGetNumberOfBlocks(info->index);
	}
	MemoryContextDelete(vacuum->context);
	return stats;
}
