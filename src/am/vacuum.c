/*
 * vacuum.c
 *	  ambulkdelete and amvacuumcleanup.
 *
 * ambulkdelete takes dead TIDs out of the adjacency slots; a node without any
 * becomes a tombstone, which still routes searches.  amvacuumcleanup repairs:
 *
 *	1	it notes all tombstones in a bitmap;
 *	2	it raises the metapage's epoch: an insert that began its search
 *		before looks again whether its neighbours live (insert.c), so no
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

#include "commands/vacuum.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "am/am.h"
#include "am/pause.h"
#include "am/phases.h"
#include "am/reconnect.h"
#include "am/tally.h"
#include "am/twin.h"
#include "compat.h"
#include "page/filter.h"
#include "page/meta.h"
#include "page/peek.h"

/* Replacements taken from each tombstone's neighbours. */
#define SPLICE_CANDIDATES	3

/* A TID to be taken out of a slot of the page at hand. */
typedef struct DeadTid
{
	uint32		slot;
	ItemPointerData tid;
} DeadTid;

typedef struct Vacuum
{
	/* fixed */
	VecIdxHandle *handle;
	MemoryContext context;
	uint32		nodes;			/* ids that there were at the start */
	uint32		uppers;
	VecIdxStatsRef counted;		/* where the work is counted when the vacuum is over */

	VecIdxPhases phases;
	VecIdxVacuumed done;
	instr_time	began;

	/* dead TIDs */
	IndexBulkDeleteResult *stats;
	IndexBulkDeleteCallback callback;
	void	   *callback_state;
	DeadTid    *dead_tids;		/* of the page at hand, by slot */
	uint32		dead_tid_count;
	uint32		dead_tid_room;

	/* repair */
	MemoryContext work;			/* reset after each page of lists */
	VecIdxStore store;
	uint8	   *dead;			/* bitmap of tombstones */
	uint32		dead_count;
	uint32		heir;			/* live node of the highest level, or none */
	uint32		heir_upper;
	int			heir_level;
	char	   *page;			/* copy of the page at hand */
	VecIdxAdjacencySlot *adjacency;
	VecIdxEdge	beyond;			/* a tombstone's list, to be looked at */
} Vacuum;

/* What it has done counts also if an error ends it. */
static void
count_vacuum(void *arg)
{
	Vacuum	   *vacuum = arg;

	INSTR_TIME_SET_CURRENT(vacuum->done.time);
	INSTR_TIME_SUBTRACT(vacuum->done.time, vacuum->began);
	vecidx_tally_vacuum(&vacuum->counted, &vacuum->done);
}

static void
begin_counting(Vacuum *vacuum, const IndexVacuumInfo *info)
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

static Vacuum *
begin_vacuum(const IndexVacuumInfo *info)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx vacuum", ALLOCSET_DEFAULT_SIZES);
	Vacuum	   *vacuum = MemoryContextAllocZero(context, sizeof(Vacuum));
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
	vacuum->dead_tids = MemoryContextAlloc(context, vacuum->dead_tid_room * sizeof(DeadTid));
	return vacuum;
}

static inline bool
is_dead(const Vacuum *vacuum, uint32 node)
{
	return node < vacuum->nodes && (vacuum->dead[node / 8] & 1 << node % 8) != 0;
}

/*
 * Copies the page of a run that starts with slot "first", which must be the
 * first of its page; returns how many slots below "end" it holds.
 */
static uint32
copy_page(Vacuum *vacuum, VecIdxRunKind run, uint32 first, uint32 end)
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

static void *
copied_slot(Vacuum *vacuum, VecIdxRunKind run, uint32 i)
{
	return vacuum->page + VECIDX_PAGE_START + i * vacuum->handle->layout.run[run].size;
}

/* Dead TIDs. */

static uint32
slot_tids(const Vacuum *vacuum, const VecIdxAdjacencySlot *slot)
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
note_dead_tids(Vacuum *vacuum, const VecIdxAdjacencySlot *slot)
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
			vacuum->dead_tids = repalloc(vacuum->dead_tids, vacuum->dead_tid_room * sizeof(DeadTid));
		}
		vacuum->dead_tids[vacuum->dead_tid_count].slot = slot->node;
		vacuum->dead_tids[vacuum->dead_tid_count++].tid = tid;
	}
}

static bool
is_noted(const DeadTid *dead, uint32 count, ItemPointerData tid)
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
remove_tids(Vacuum *vacuum, VecIdxAdjacencySlot *slot, const DeadTid *dead, uint32 dead_count)
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

static void
bury_node(VecIdxAdjacencySlot *slot, uint32 *buried)
{
	if (slot->state == VECIDX_LIVE && slot->tids == 0 && slot->next == VECIDX_NONE)
	{
		slot->state = VECIDX_TOMBSTONE;
		(*buried)++;
	}
}

/* Takes the noted TIDs out of the page itself, under lock. */
static void
clean_page(Vacuum *vacuum)
{
	VecIdxEdit	edit;
	uint32		buried = 0;
	uint32		removed = 0;

	vecidx_edit_begin(&edit, vacuum->handle->index, true);
	for (uint32 from = 0; from < vacuum->dead_tid_count;)
	{
		const DeadTid *dead = &vacuum->dead_tids[from];
		VecIdxAdjacencySlot *slot = vecidx_edit_slot(&edit, vacuum->handle, VECIDX_RUN_ADJACENCY, dead->slot);
		uint32		count = 1;

		while (from + count < vacuum->dead_tid_count && dead[count].slot == dead->slot)
			count++;
		removed += remove_tids(vacuum, slot, dead, count);
		bury_node(slot, &buried);
		vecidx_slot_seal(&vacuum->handle->layout, VECIDX_RUN_ADJACENCY, slot);
		from += count;
	}
	vecidx_edit_finish(&edit);
	vacuum->stats->tuples_removed += removed;
	vacuum->done.deletes += removed;
	vacuum->done.made += buried;
}

static void
remove_dead_tids(Vacuum *vacuum)
{
	uint32		first = 0;

	while (first < vacuum->nodes)
	{
		uint32		count = copy_page(vacuum, VECIDX_RUN_ADJACENCY, first, vacuum->nodes);

		vacuum->dead_tid_count = 0;
		for (uint32 i = 0; i < count; i++)
			note_dead_tids(vacuum, copied_slot(vacuum, VECIDX_RUN_ADJACENCY, i));
		if (vacuum->dead_tid_count > 0)
			clean_page(vacuum);
		first += count;
	}
	vacuum->stats->num_index_tuples -= vacuum->stats->tuples_removed;
}

/* Empty extensions. */

/* Puts a slot on the free list; its adjacency slot and the metapage are locked. */
static void
free_slot(Vacuum *vacuum, VecIdxMeta *meta, VecIdxAdjacencySlot *slot)
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
fill_blank(Vacuum *vacuum, VecIdxCodeSlot *slot, uint32 node)
{
	const VecIdxLayout *layout = &vacuum->handle->layout;

	memset(slot, 0, layout->run[VECIDX_RUN_CODE].size);
	slot->mark = vecidx_layout_mark(layout, node);
	slot->state = VECIDX_FREE;
	vecidx_slot_seal(layout, VECIDX_RUN_CODE, slot);
}

/* The same in a record of its own. */
static void
blank_code(Vacuum *vacuum, uint32 node)
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
unlink_extension(Vacuum *vacuum, uint32 owner, uint32 before, uint32 extension)
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
	bury_node(slot_before, &buried);
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
clean_chain(Vacuum *vacuum, uint32 owner)
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

static void
clean_chains(Vacuum *vacuum)
{
	uint32		first = 0;

	while (first < vacuum->nodes && vacuum->handle->state.extensions > 0)
	{
		uint32		count = copy_page(vacuum, VECIDX_RUN_ADJACENCY, first, vacuum->nodes);

		for (uint32 i = 0; i < count; i++)
		{
			const VecIdxAdjacencySlot *slot = copied_slot(vacuum, VECIDX_RUN_ADJACENCY, i);

			if (slot->state == VECIDX_LIVE && slot->next != VECIDX_NONE)
				clean_chain(vacuum, slot->node);
		}
		first += count;
	}
}

/* The metapage counts tombstones from here on: if no repair follows, the next vacuum sees that one is due. */
static void
count_tombstones(Vacuum *vacuum, uint32 buried)
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
	Vacuum	   *vacuum = begin_vacuum(info);

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
note_tombstones(Vacuum *vacuum)
{
	uint32		first = 0;

	vacuum->dead = MemoryContextAllocExtended(vacuum->context, vacuum->nodes / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	vacuum->dead_count = 0;
	while (first < vacuum->nodes)
	{
		uint32		count = copy_page(vacuum, VECIDX_RUN_ADJACENCY, first, vacuum->nodes);

		for (uint32 i = 0; i < count; i++)
		{
			const VecIdxAdjacencySlot *slot = copied_slot(vacuum, VECIDX_RUN_ADJACENCY, i);

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
raise_epoch(Vacuum *vacuum)
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
 * Does a link that a tombstone names still lead to that node?  An interrupted
 * vacuum may have freed the node or its upper slot, and an insert may have
 * given either another life.
 */
static bool
leads_there(Vacuum *vacuum, const VecIdxNeighbour *link, int level)
{
	VecIdxUpperSlot *slot = vacuum->store.upper;

	if (level == 0)
		return true;
	vecidx_peek_slot(vacuum->handle, VECIDX_RUN_UPPER, link->upper, slot);
	return slot->state == VECIDX_LIVE && slot->node == link->node && slot->level == level;
}

/* Room for a list with replacements: all that is left, a few for each, and those among whom these are chosen. */
#define SPLICE_ROOM		(VECIDX_LIST_MAX * (1 + SPLICE_CANDIDATES) + VECIDX_LIST_MAX)

/* A list without its tombstones, as it grows. */
typedef struct Splice
{
	uint32		owner;
	int			level;
	const uint8 *vector;		/* the owner's */
	int			count;
	VecIdxNeighbour neighbours[SPLICE_ROOM];
} Splice;

/* Adds a neighbour unless it is dead, the owner, or there already. */
static void
add_neighbour(Vacuum *vacuum, Splice *splice, const VecIdxNeighbour *added)
{
	VecIdxNeighbour *neighbour = &splice->neighbours[splice->count];

	if (added->node == splice->owner || is_dead(vacuum, added->node))
		return;
	for (int i = 0; i < splice->count; i++)
	{
		if (splice->neighbours[i].node == added->node)
			return;
	}
	*neighbour = *added;
	neighbour->vector = vacuum->store.source.vector(&vacuum->store.source, added->node);
	if (neighbour->vector == NULL)
		return;
	neighbour->distance = vecidx_quant_pair(vacuum->handle->quantizer, splice->vector, neighbour->vector);
	splice->count++;
}

/* Adds the nearest few of a tombstone's own neighbours. */
static void
add_replacements(Vacuum *vacuum, Splice *splice, const VecIdxNeighbour *dead)
{
	VecIdxEdge *beyond = &vacuum->beyond;
	const VecIdxUpperSlot *upper = beyond->seen;
	VecIdxNeighbour links[VECIDX_LIST_MAX];
	int			from = splice->count;
	int			count;

	beyond->run = splice->level == 0 ? VECIDX_RUN_ADJACENCY : VECIDX_RUN_UPPER;
	beyond->slot = splice->level == 0 ? dead->node : dead->upper;
	vecidx_edge_look(vacuum->handle, beyond);
	if (splice->level > 0 && (upper->node != dead->node || upper->level != splice->level))
		return;
	count = vecidx_edge_list(beyond, links, vecidx_link_room(vacuum->handle->fixed.m, splice->level));
	for (int i = 0; i < count; i++)
	{
		if (leads_there(vacuum, &links[i], splice->level))
			add_neighbour(vacuum, splice, &links[i]);
	}
	qsort(splice->neighbours + from, splice->count - from, sizeof(VecIdxNeighbour), vecidx_prune_compare);
	splice->count = Min(splice->count, from + SPLICE_CANDIDATES);
}

/* The live neighbours of a list, with replacements for the dead ones, pruned to what fits; false if nothing has to be done. */
static bool
splice_list(Vacuum *vacuum, VecIdxEdge *edge, int level, Splice *splice)
{
	VecIdxHandle *handle = vacuum->handle;
	int			room = vecidx_link_room(handle->fixed.m, level);
	VecIdxNeighbour list[VECIDX_LIST_MAX];
	int			count;
	bool		any_dead = false;

	vecidx_edge_look(handle, edge);
	if (!vecidx_edge_lives(edge, level))
		return false;
	count = vecidx_edge_list(edge, list, room);
	splice->owner = edge->owner;
	splice->level = level;
	splice->count = 0;
	splice->vector = vacuum->store.source.vector(&vacuum->store.source, edge->owner);
	if (splice->vector == NULL)
		return false;
	for (int i = 0; i < count; i++)
		add_neighbour(vacuum, splice, &list[i]);
	for (int i = 0; i < count; i++)
	{
		if (!is_dead(vacuum, list[i].node))
			continue;
		any_dead = true;
		add_replacements(vacuum, splice, &list[i]);
	}
	if (!any_dead)
		return false;
	if (splice->count > room)
		splice->count = vecidx_prune(handle->quantizer, splice->neighbours, splice->count, room);
	vecidx_edge_want(edge, splice->neighbours, splice->count);
	return true;
}

static bool
names_dead(const Vacuum *vacuum, const VecIdxAdjacencySlot *slot)
{
	const uint32 *ids = VecIdxAdjacencyNeighbours(slot);

	if (slot->state != VECIDX_LIVE)
		return false;
	for (int i = 0; i < slot->neighbours; i++)
	{
		if (is_dead(vacuum, ids[i]))
			return true;
	}
	return false;
}

static bool
upper_names_dead(const Vacuum *vacuum, const VecIdxUpperSlot *slot)
{
	const VecIdxUpperLink *links = VecIdxUpperLinks(slot);

	if (slot->state != VECIDX_LIVE || is_dead(vacuum, slot->node))
		return false;
	for (int i = 0; i < slot->links; i++)
	{
		if (is_dead(vacuum, links[i].node))
			return true;
	}
	return false;
}

/* Lists of a page that name tombstones. */
typedef struct Lists
{
	VecIdxEdge *edges;
	int		   *levels;			/* by slot of the page */
	uint32		first;			/* first slot of the page */
	int			count;
} Lists;

static void
begin_lists(Vacuum *vacuum, Lists *lists, uint32 first, uint32 slots)
{
	lists->edges = MemoryContextAlloc(vacuum->work, slots * sizeof(VecIdxEdge));
	lists->levels = MemoryContextAlloc(vacuum->work, slots * sizeof(int));
	lists->first = first;
	lists->count = 0;
}

static void
add_list(Vacuum *vacuum, Lists *lists, VecIdxRunKind run, uint32 slot, uint32 owner)
{
	VecIdxEdge *edge = &lists->edges[lists->count++];
	Size		size = vacuum->handle->layout.run[run].size;

	edge->run = run;
	edge->slot = slot;
	edge->owner = owner;
	edge->seen = MemoryContextAlloc(vacuum->work, size);
	edge->wanted = MemoryContextAlloc(vacuum->work, size);
}

/* Repeats until each list that it worked from is still the one on the page. */
static void
splice_lists(Vacuum *vacuum, Lists *lists)
{
	Splice	   *splice = MemoryContextAlloc(vacuum->work, sizeof(Splice));

	while (lists->count > 0)
	{
		int			planned = 0;

		for (int i = 0; i < lists->count; i++)
		{
			VecIdxEdge	edge = lists->edges[i];

			VecIdxVacuumDelayPoint(false);
			if (splice_list(vacuum, &edge, lists->levels[edge.slot - lists->first], splice))
				lists->edges[planned++] = edge;
		}
		vecidx_pause("vacuum-planned");
		lists->count = vecidx_edges_write(vacuum->handle, lists->edges, planned, true);
		vecidx_store_query(&vacuum->store, NULL);
	}
	MemoryContextReset(vacuum->work);
}

static void
splice_ground(Vacuum *vacuum, uint32 nodes)
{
	uint32		first = 0;

	while (first < nodes)
	{
		uint32		count = copy_page(vacuum, VECIDX_RUN_ADJACENCY, first, nodes);
		Lists		lists;

		begin_lists(vacuum, &lists, first, count);
		for (uint32 i = 0; i < count; i++)
		{
			const VecIdxAdjacencySlot *slot = copied_slot(vacuum, VECIDX_RUN_ADJACENCY, i);

			lists.levels[i] = 0;
			if (slot->state == VECIDX_LIVE && vacuum->heir == VECIDX_NONE)
				vacuum->heir = slot->node;
			if (names_dead(vacuum, slot))
				add_list(vacuum, &lists, VECIDX_RUN_ADJACENCY, slot->node, slot->node);
		}
		splice_lists(vacuum, &lists);
		first += count;
	}
}

static void
splice_uppers(Vacuum *vacuum, uint32 uppers)
{
	uint32		first = 0;

	while (first < uppers)
	{
		uint32		count = copy_page(vacuum, VECIDX_RUN_UPPER, first, uppers);
		Lists		lists;

		begin_lists(vacuum, &lists, first, count);
		for (uint32 i = 0; i < count; i++)
		{
			const VecIdxUpperSlot *slot = copied_slot(vacuum, VECIDX_RUN_UPPER, i);

			lists.levels[i] = slot->level;
			if (slot->state == VECIDX_LIVE && !is_dead(vacuum, slot->node) && slot->level > vacuum->heir_level)
			{
				vacuum->heir = slot->node;
				vacuum->heir_upper = first + i;
				vacuum->heir_level = slot->level;
			}
			if (upper_names_dead(vacuum, slot))
				add_list(vacuum, &lists, VECIDX_RUN_UPPER, first + i, slot->node);
		}
		splice_lists(vacuum, &lists);
		first += count;
	}
}

/*
 * Searches must not start at a node that is about to be freed.  Returns false
 * if there is no heir, but nodes have been born since "before" that may be one.
 */
static bool
replace_entry(Vacuum *vacuum, const VecIdxMetaState *before)
{
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	bool		settled = true;

	vecidx_edit_begin(&edit, vacuum->handle->index, true);
	meta = vecidx_meta_edit(&edit, vacuum->handle);
	if (vacuum->heir == VECIDX_NONE)
		settled = meta->state.nodes == before->nodes && meta->state.free_nodes == before->free_nodes;
	if (meta->state.entry == VECIDX_NONE || !is_dead(vacuum, meta->state.entry) || !settled)
	{
		vecidx_edit_abandon(&edit);
		return settled;
	}
	meta->state.entry = vacuum->heir;
	meta->state.entry_upper = vacuum->heir_upper;
	meta->state.entry_level = vacuum->heir_level;
	vecidx_meta_changed(meta, vacuum->handle);
	vecidx_edit_finish(&edit);
	return true;
}

/*
 * Takes a dead node off the upper levels and frees its upper slots.  The list
 * of free ones names them in ascending order afterwards, so that a node of as
 * many levels finds them as they are.
 */
static void
lower_node(Vacuum *vacuum, uint32 node, uint32 upper, int levels)
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
free_nodes(Vacuum *vacuum, uint32 first, uint32 last)
{
	VecIdxHandle *handle = vacuum->handle;
	bool		together = handle->layout.run[VECIDX_RUN_CODE].span == 1;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, last, NULL}, {VECIDX_RUN_CODE, last, NULL}};
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	uint32		freed = 0;

	for (uint32 node = first; node <= last && !together; node++)
	{
		if (is_dead(vacuum, node))
			blank_code(vacuum, node);
	}
	vecidx_edit_begin(&edit, handle->index, true);
	meta = vecidx_meta_edit(&edit, handle);
	vecidx_edit_slots(&edit, handle, refs, together ? 2 : 1);
	for (uint32 node = last + 1; node-- > first;)
	{
		if (!is_dead(vacuum, node))
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
first_together(Vacuum *vacuum, uint32 node)
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
static void
free_tombstones(Vacuum *vacuum)
{
	uint32		end = vacuum->nodes;

	while (end > 0)
	{
		uint32		first = first_together(vacuum, end - 1);
		bool		any = false;

		VecIdxVacuumDelayPoint(false);
		for (uint32 node = end; node-- > first;)
		{
			if (!is_dead(vacuum, node))
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

/*
 * To look at all lists takes about as long as to free a node in a hundred, so
 * it is done when at least as many have died.  In a small graph it takes a few
 * milliseconds.
 */
static bool
reconnect_pays(const Vacuum *vacuum)
{
	return vacuum->nodes < 10000 || vacuum->dead_count >= vacuum->nodes / 100;
}

static void
repair_graph(Vacuum *vacuum)
{
	VecIdxMetaState before;

	vecidx_store_init(&vacuum->store, vacuum->handle, vacuum->context);
	vacuum->work = AllocSetContextCreate(vacuum->context, "vecidx vacuum work", ALLOCSET_DEFAULT_SIZES);
	vecidx_phases_next(&vacuum->phases, "looking for nodes without rows");
	clean_chains(vacuum);
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
		vacuum->heir = VECIDX_NONE;
		vacuum->heir_upper = VECIDX_NONE;
		vacuum->heir_level = 0;
		splice_ground(vacuum, before.nodes);
		splice_uppers(vacuum, before.uppers);
	} while (!replace_entry(vacuum, &before));
	/* while there are tombstones: if it is interrupted, the next vacuum does it */
	vecidx_phases_next(&vacuum->phases, "joining what came apart");
	if (reconnect_pays(vacuum))
		vecidx_reconnect(vacuum->handle);
	vecidx_pause("vacuum-spliced");
	vecidx_phases_next(&vacuum->phases, "freeing nodes");
	free_tombstones(vacuum);
}

static void
tell_result(const Vacuum *vacuum)
{
	ereport(vacuum->phases.level,
			(errmsg("index \"%s\": freed " UINT64_FORMAT " of %u nodes", RelationGetRelationName(vacuum->handle->index),
					vacuum->done.freed, vacuum->nodes)));
}

/* Repairs after rows have died; or, if none had (stats is NULL), what a vacuum that was interrupted has left. */
IndexBulkDeleteResult *
vecidx_vacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	Vacuum	   *vacuum;

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
