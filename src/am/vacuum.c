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
#include "am/reconnect.h"
#include "compat.h"
#include "page/meta.h"

/* Replacements taken from each tombstone's neighbours. */
#define SPLICE_CANDIDATES	3

typedef struct Vacuum
{
	/* fixed */
	VecIdxHandle *handle;
	MemoryContext context;
	uint32		nodes;			/* ids that there were at the start */
	uint32		uppers;

	/* dead TIDs */
	IndexBulkDeleteResult *stats;
	IndexBulkDeleteCallback callback;
	void	   *callback_state;

	/* repair */
	MemoryContext work;			/* reset after each list */
	VecIdxStore store;
	uint8	   *dead;			/* bitmap of tombstones */
	uint32		dead_count;
	uint32		heir;			/* live node of the highest level, or none */
	uint32		heir_upper;
	int			heir_level;
	char	   *page;			/* copy of the page at hand */
	VecIdxAdjacencySlot *adjacency;
	VecIdxUpperSlot *upper;
} Vacuum;

static Vacuum *
begin_vacuum(Relation index)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx vacuum", ALLOCSET_DEFAULT_SIZES);
	Vacuum	   *vacuum = MemoryContextAllocZero(context, sizeof(Vacuum));
	VecIdxHandle *handle = vecidx_handle_acquire(index);

	vecidx_handle_release_with(handle, context);
	vacuum->handle = handle;
	vacuum->context = context;
	vacuum->nodes = handle->state.nodes;
	vacuum->uppers = handle->state.uppers;
	if (vacuum->nodes == 0)
		return vacuum;
	vacuum->page = MemoryContextAlloc(context, BLCKSZ);
	vacuum->adjacency = MemoryContextAlloc(context, handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	vacuum->upper = MemoryContextAlloc(context, handle->layout.run[VECIDX_RUN_UPPER].size);
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
	uint32		count = r->per_page;
	Page		page;
	Buffer		buffer;

	VecIdxVacuumDelayPoint(false);
	buffer = vecidx_buffer_share(handle->index, block, r->kind, vecidx_handle_first(handle, run, first), &page);
	memcpy(vacuum->page, page, BLCKSZ);
	vecidx_buffer_release(buffer);
	while (count > 1 && (first + count > end || vecidx_handle_first(handle, run, first + count - 1) != first))
		count--;
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

/* Takes dead TIDs out of a slot; returns their number. */
static uint32
remove_tids(Vacuum *vacuum, VecIdxAdjacencySlot *slot)
{
	uint32		count = slot_tids(vacuum, slot);
	uint32		kept = 0;

	for (uint32 i = 0; i < count; i++)
	{
		ItemPointerData tid = get_tid(slot, i);

		if (vacuum->callback(&tid, vacuum->callback_state))
			continue;
		memcpy((char *) slot->tid + kept++ * sizeof(ItemPointerData), &tid, sizeof(ItemPointerData));
	}
	slot->tids = kept;
	return count - kept;
}

static bool
has_dead_tids(Vacuum *vacuum, const VecIdxAdjacencySlot *slot)
{
	uint32		count = slot_tids(vacuum, slot);

	for (uint32 i = 0; i < count; i++)
	{
		ItemPointerData tid = get_tid(slot, i);

		if (vacuum->callback(&tid, vacuum->callback_state))
			return true;
	}
	return false;
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

/* Does the same again on the page itself, under lock. */
static void
clean_page(Vacuum *vacuum, uint32 first, uint32 count)
{
	VecIdxEdit	edit;
	uint32		buried = 0;

	vecidx_edit_begin(&edit, vacuum->handle->index, true);
	for (uint32 i = 0; i < count; i++)
	{
		VecIdxAdjacencySlot *slot = vecidx_edit_slot(&edit, vacuum->handle, VECIDX_RUN_ADJACENCY, first + i);
		uint32		removed = remove_tids(vacuum, slot);

		if (removed == 0)
			continue;
		vacuum->stats->tuples_removed += removed;
		bury_node(slot, &buried);
		vecidx_slot_seal(&vacuum->handle->layout, VECIDX_RUN_ADJACENCY, slot);
	}
	vecidx_edit_finish(&edit);
	vacuum->dead_count += buried;
}

static void
remove_dead_tids(Vacuum *vacuum)
{
	uint32		first = 0;

	while (first < vacuum->nodes)
	{
		uint32		count = copy_page(vacuum, VECIDX_RUN_ADJACENCY, first, vacuum->nodes);
		bool		dirty = false;

		for (uint32 i = 0; i < count; i++)
		{
			const VecIdxAdjacencySlot *slot = copied_slot(vacuum, VECIDX_RUN_ADJACENCY, i);

			vacuum->stats->num_index_tuples += slot_tids(vacuum, slot);
			dirty = dirty || has_dead_tids(vacuum, slot);
		}
		if (dirty)
			clean_page(vacuum, first, count);
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

/* Says in the code slot that there is no node, so that sweeps pass over it. */
static void
blank_code(Vacuum *vacuum, uint32 node)
{
	VecIdxHandle *handle = vacuum->handle;

	memset(vacuum->store.code, 0, handle->layout.run[VECIDX_RUN_CODE].size);
	vacuum->store.code->mark = vecidx_layout_mark(&handle->layout, node);
	vacuum->store.code->state = VECIDX_FREE;
	vecidx_slot_write(handle, VECIDX_RUN_CODE, node, vacuum->store.code, true);
}

/*
 * Takes an empty extension out of its chain, if it still is one; "before"
 * leads to it.  Buries the owner if that was all it had.
 */
static bool
unlink_extension(Vacuum *vacuum, uint32 owner, uint32 before, uint32 extension)
{
	VecIdxHandle *handle = vacuum->handle;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, before, NULL}, {VECIDX_RUN_ADJACENCY, extension, NULL}};
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	VecIdxAdjacencySlot *slot_before;
	VecIdxAdjacencySlot *slot;

	vecidx_edit_begin(&edit, handle->index, true);
	meta = vecidx_meta_edit(&edit, handle);
	vecidx_edit_slots(&edit, handle, refs, 2);
	slot_before = refs[0].image;
	slot = refs[1].image;
	if (slot_before->next != extension || slot->state != VECIDX_EXTENSION || slot->upper != owner || slot->tids > 0)
	{
		vecidx_edit_abandon(&edit);
		return false;
	}
	slot_before->next = slot->next;
	bury_node(slot_before, &vacuum->dead_count);
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot_before);
	blank_code(vacuum, extension);
	free_slot(vacuum, meta, slot);
	meta->state.extensions--;
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
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

IndexBulkDeleteResult *
vecidx_bulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
				  IndexBulkDeleteCallback callback, void *state)
{
	Vacuum	   *vacuum = begin_vacuum(info->index);

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	vacuum->stats = palloc0(sizeof(IndexBulkDeleteResult));
	vacuum->callback = callback;
	vacuum->callback_state = state;
	remove_dead_tids(vacuum);
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
leads_there(Vacuum *vacuum, uint32 node, uint32 upper, int level)
{
	VecIdxUpperSlot *slot = vacuum->store.upper;

	if (level == 0)
		return true;
	vecidx_slot_read(vacuum->handle, VECIDX_RUN_UPPER, upper, slot);
	return slot->state == VECIDX_LIVE && slot->node == node && slot->level == level;
}

/* Adds a neighbour unless it is dead, the owner, or there already. */
static void
add_neighbour(Vacuum *vacuum, uint32 owner, const uint8 *vector, VecIdxNeighbour *neighbours, int *count,
			  uint32 node, uint32 upper)
{
	VecIdxNeighbour *neighbour = &neighbours[*count];

	if (node == owner || is_dead(vacuum, node))
		return;
	for (int i = 0; i < *count; i++)
	{
		if (neighbours[i].node == node)
			return;
	}
	neighbour->vector = vacuum->store.source.vector(&vacuum->store.source, node);
	if (neighbour->vector == NULL)
		return;
	neighbour->node = node;
	neighbour->upper = upper;
	neighbour->distance = vecidx_quant_pair(vacuum->handle->quantizer, vector, neighbour->vector);
	(*count)++;
}

/* Leaves only the nearest few of those added since "from". */
static void
cap_added(VecIdxNeighbour *neighbours, int from, int *count)
{
	qsort(neighbours + from, *count - from, sizeof(VecIdxNeighbour), vecidx_prune_compare);
	*count = Min(*count, from + SPLICE_CANDIDATES);
}

/* The live neighbours of a list on level 0, with replacements for the dead ones; pruned to what fits. */
static int
splice_list(Vacuum *vacuum, const VecIdxAdjacencySlot *seen, VecIdxNeighbour *neighbours)
{
	VecIdxHandle *handle = vacuum->handle;
	const uint32 *ids = VecIdxAdjacencyNeighbours(seen);
	const uint8 *vector = vacuum->store.source.vector(&vacuum->store.source, seen->node);
	int			count = 0;

	if (vector == NULL)
		return -1;
	for (int i = 0; i < seen->neighbours; i++)
		add_neighbour(vacuum, seen->node, vector, neighbours, &count, ids[i], VECIDX_NONE);
	for (int i = 0; i < seen->neighbours; i++)
	{
		int			from = count;

		if (!is_dead(vacuum, ids[i]))
			continue;
		vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, ids[i], vacuum->adjacency);
		for (int j = 0; j < vacuum->adjacency->neighbours; j++)
			add_neighbour(vacuum, seen->node, vector, neighbours, &count,
						  VecIdxAdjacencyNeighbours(vacuum->adjacency)[j], VECIDX_NONE);
		cap_added(neighbours, from, &count);
	}
	if (count > vecidx_link_room(handle->fixed.m, 0))
		count = vecidx_prune(handle->quantizer, neighbours, count, vecidx_link_room(handle->fixed.m, 0));
	return count;
}

/* Room for a list with replacements: all that is left, and a few for each. */
#define SPLICE_ROOM		(VECIDX_LIST_MAX * (1 + SPLICE_CANDIDATES) + VECIDX_LIST_MAX)

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

/* Repeats until the list it worked from is still the one on the page. */
static void
splice_node(Vacuum *vacuum, uint32 node)
{
	VecIdxHandle *handle = vacuum->handle;
	VecIdxAdjacencySlot *seen = MemoryContextAlloc(vacuum->work, handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	VecIdxNeighbour *neighbours = MemoryContextAlloc(vacuum->work, SPLICE_ROOM * sizeof(VecIdxNeighbour));
	uint32		ids[VECIDX_LIST_MAX];
	int			count;

	do
	{
		VecIdxVacuumDelayPoint(false);
		vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, node, seen);
		if (!names_dead(vacuum, seen))
			break;
		count = splice_list(vacuum, seen, neighbours);
		for (int i = 0; i < count; i++)
			ids[i] = neighbours[i].node;
	} while (count >= 0 && !vecidx_edge_replace(handle, seen, ids, count, true));
	vecidx_store_query(&vacuum->store, NULL);
	MemoryContextReset(vacuum->work);
}

static void
splice_ground(Vacuum *vacuum, uint32 nodes)
{
	uint32		first = 0;

	while (first < nodes)
	{
		uint32		count = copy_page(vacuum, VECIDX_RUN_ADJACENCY, first, nodes);

		for (uint32 i = 0; i < count; i++)
		{
			const VecIdxAdjacencySlot *slot = copied_slot(vacuum, VECIDX_RUN_ADJACENCY, i);

			if (slot->state == VECIDX_LIVE && vacuum->heir == VECIDX_NONE)
				vacuum->heir = slot->node;
			if (names_dead(vacuum, slot))
				splice_node(vacuum, slot->node);
		}
		first += count;
	}
}

/* The same for a list on an upper level. */
static int
splice_upper_list(Vacuum *vacuum, const VecIdxUpperSlot *seen, VecIdxNeighbour *neighbours)
{
	VecIdxHandle *handle = vacuum->handle;
	const VecIdxUpperLink *links = VecIdxUpperLinks(seen);
	const uint8 *vector = vacuum->store.source.vector(&vacuum->store.source, seen->node);
	int			count = 0;

	if (vector == NULL)
		return -1;
	for (int i = 0; i < seen->links; i++)
		add_neighbour(vacuum, seen->node, vector, neighbours, &count, links[i].node, links[i].upper);
	for (int i = 0; i < seen->links; i++)
	{
		const VecIdxUpperLink *beyond = VecIdxUpperLinks(vacuum->upper);
		int			from = count;

		if (!is_dead(vacuum, links[i].node))
			continue;
		vecidx_slot_read(handle, VECIDX_RUN_UPPER, links[i].upper, vacuum->upper);
		if (vacuum->upper->node != links[i].node || vacuum->upper->level != seen->level)
			continue;
		for (int j = 0; j < vacuum->upper->links; j++)
		{
			if (leads_there(vacuum, beyond[j].node, beyond[j].upper, seen->level))
				add_neighbour(vacuum, seen->node, vector, neighbours, &count, beyond[j].node, beyond[j].upper);
		}
		cap_added(neighbours, from, &count);
	}
	if (count > handle->fixed.m)
		count = vecidx_prune(handle->quantizer, neighbours, count, handle->fixed.m);
	return count;
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

static void
splice_upper(Vacuum *vacuum, uint32 upper)
{
	VecIdxHandle *handle = vacuum->handle;
	VecIdxUpperSlot *seen = MemoryContextAlloc(vacuum->work, handle->layout.run[VECIDX_RUN_UPPER].size);
	VecIdxNeighbour *neighbours = MemoryContextAlloc(vacuum->work, SPLICE_ROOM * sizeof(VecIdxNeighbour));
	VecIdxUpperLink links[VECIDX_MAX_M];
	int			count;

	do
	{
		VecIdxVacuumDelayPoint(false);
		vecidx_slot_read(handle, VECIDX_RUN_UPPER, upper, seen);
		if (!upper_names_dead(vacuum, seen))
			break;
		count = splice_upper_list(vacuum, seen, neighbours);
		for (int i = 0; i < count; i++)
		{
			links[i].node = neighbours[i].node;
			links[i].upper = neighbours[i].upper;
		}
	} while (count >= 0 && !vecidx_edge_replace_upper(handle, upper, seen, links, count, true));
	vecidx_store_query(&vacuum->store, NULL);
	MemoryContextReset(vacuum->work);
}

static void
splice_uppers(Vacuum *vacuum, uint32 uppers)
{
	uint32		first = 0;

	while (first < uppers)
	{
		uint32		count = copy_page(vacuum, VECIDX_RUN_UPPER, first, uppers);

		for (uint32 i = 0; i < count; i++)
		{
			const VecIdxUpperSlot *slot = copied_slot(vacuum, VECIDX_RUN_UPPER, i);

			if (slot->state == VECIDX_LIVE && !is_dead(vacuum, slot->node) && slot->level > vacuum->heir_level)
			{
				vacuum->heir = slot->node;
				vacuum->heir_upper = first + i;
				vacuum->heir_level = slot->level;
			}
			if (upper_names_dead(vacuum, slot))
				splice_upper(vacuum, first + i);
		}
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

/* Takes the highest level off a dead node and frees its upper slot. */
static void
lower_node(Vacuum *vacuum, uint32 node, uint32 upper, int level)
{
	VecIdxHandle *handle = vacuum->handle;
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	VecIdxAdjacencySlot *slot;
	VecIdxUpperSlot *freed;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, node, NULL}, {VECIDX_RUN_UPPER, upper, NULL}};

	vecidx_edit_begin(&edit, handle->index, true);
	meta = vecidx_meta_edit(&edit, handle);
	vecidx_edit_slots(&edit, handle, refs, 2);
	slot = refs[0].image;
	freed = refs[1].image;
	slot->level = level - 1;
	if (level == 1)
		slot->upper = VECIDX_NONE;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot);
	memset(freed, 0, handle->layout.run[VECIDX_RUN_UPPER].size);
	freed->state = VECIDX_FREE;
	freed->node = meta->state.free_upper;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_UPPER, freed);
	meta->state.free_upper = upper;
	meta->state.free_uppers++;
	meta->state.level_nodes[level]--;
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
}

static void
free_node(Vacuum *vacuum, uint32 node)
{
	VecIdxHandle *handle = vacuum->handle;
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	VecIdxAdjacencySlot *slot;

	VecIdxVacuumDelayPoint(false);
	vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, node, vacuum->adjacency);
	for (int level = vacuum->adjacency->level; level > 0; level--)
		lower_node(vacuum, node, vacuum->adjacency->upper + level - 1, level);
	blank_code(vacuum, node);
	vecidx_edit_begin(&edit, handle->index, true);
	meta = vecidx_meta_edit(&edit, handle);
	slot = vecidx_edit_slot(&edit, handle, VECIDX_RUN_ADJACENCY, node);
	free_slot(vacuum, meta, slot);
	meta->state.tombstones -= Min(meta->state.tombstones, 1);
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
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
	clean_chains(vacuum);
	note_tombstones(vacuum);
	if (vacuum->dead_count == 0)
		return;
	raise_epoch(vacuum);
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
	if (reconnect_pays(vacuum))
		vecidx_reconnect(vacuum->handle);
	for (uint32 node = 0; node < vacuum->nodes; node++)
	{
		if (is_dead(vacuum, node))
			free_node(vacuum, node);
	}
}

IndexBulkDeleteResult *
vecidx_vacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	Vacuum	   *vacuum;

	/* stats is NULL when no row had died */
	if (info->analyze_only || stats == NULL)
		return stats;
	vacuum = begin_vacuum(info->index);
	if (vacuum->nodes > 0)
		repair_graph(vacuum);
	stats->num_pages = RelationGetNumberOfBlocks(info->index);
	MemoryContextDelete(vacuum->context);
	return stats;
}
