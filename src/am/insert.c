/*
 * insert.c
 *	  aminsert: a row's way into the pages.
 *
 * A row whose vector is there already becomes one more TID of that node.
 * Otherwise a node is made in WAL records that each leave a usable graph: its
 * rerank and code slots (nothing leads there yet), then its adjacency slot
 * together with the metapage that gives out its id, then its upper slots, then
 * the links back, one page at a time.  A crash between these loses links, no
 * rows.
 */
#include "postgres.h"

#include <math.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "am/am.h"
#include "page/meta.h"

struct VecIdxInserter
{
	/* fixed */
	VecIdxHandle *handle;
	bool		logged;
	MemoryContext context;
	MemoryContext work;			/* reset after each row */
	double		level_scale;
	Size		vector_size;

	/* the row under way */
	VecIdxStore store;
	VecIdxSearch search;
	void	   *query_memory;
	void	   *scratch;
	VecIdxCodeSlot *code;
	VecIdxRerankSlot *rerank;
	VecIdxAdjacencySlot *adjacency;
	VecIdxAdjacencySlot *extension;
	VecIdxUpperSlot *upper;
	VecIdxArrival arrival;
	uint32		epoch;			/* of the metapage when the search began */
};

VecIdxInserter *
vecidx_inserter_create(VecIdxHandle *handle, bool logged)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx insert", ALLOCSET_DEFAULT_SIZES);
	VecIdxInserter *inserter = MemoryContextAllocZero(context, sizeof(VecIdxInserter));
	VecIdxQuantParams params = vecidx_layout_quant(&handle->fixed);
	const VecIdxRun *run = handle->layout.run;
	Size		rerank = vecidx_quant_rerank_size(&params);

	inserter->handle = handle;
	inserter->logged = logged;
	inserter->context = context;
	inserter->work = AllocSetContextCreate(context, "vecidx insert work", ALLOCSET_DEFAULT_SIZES);
	inserter->level_scale = 1.0 / log(handle->fixed.m);
	inserter->vector_size = rerank > 0 ? rerank : vecidx_quant_code_size(&params);
	vecidx_store_init(&inserter->store, handle, context);
	vecidx_search_init(&inserter->search, &inserter->store.source, context);
	inserter->query_memory = MemoryContextAlloc(context, vecidx_query_size(&params));
	inserter->scratch = MemoryContextAlloc(context, vecidx_quant_scratch_size(&params));
	inserter->code = MemoryContextAlloc(context, run[VECIDX_RUN_CODE].size);
	inserter->rerank = MemoryContextAlloc(context, Max(run[VECIDX_RUN_RERANK].size, sizeof(VecIdxRerankSlot)));
	inserter->adjacency = MemoryContextAlloc(context, run[VECIDX_RUN_ADJACENCY].size);
	inserter->extension = MemoryContextAlloc(context, run[VECIDX_RUN_ADJACENCY].size);
	inserter->upper = MemoryContextAlloc(context, run[VECIDX_RUN_UPPER].size);
	return inserter;
}

void
vecidx_inserter_free(VecIdxInserter *inserter)
{
	MemoryContextDelete(inserter->context);
}

static uint8 *
own_vector(VecIdxInserter *inserter)
{
	if (inserter->handle->layout.run[VECIDX_RUN_RERANK].span == 0)
		return (uint8 *) (inserter->code + 1);
	return (uint8 *) (inserter->rerank + 1);
}

/* Encodes the row and makes a query of it. */
static void
prepare_row(VecIdxInserter *inserter, const float *row)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxArrival *arrival = &inserter->arrival;
	VecIdxFactors factors;

	memset(inserter->code, 0, handle->layout.run[VECIDX_RUN_CODE].size);
	memset(inserter->rerank, 0, Max(handle->layout.run[VECIDX_RUN_RERANK].size, sizeof(VecIdxRerankSlot)));
	vecidx_quant_encode(handle->quantizer, row, inserter->scratch, (uint8 *) (inserter->code + 1),
						&factors, (uint8 *) (inserter->rerank + 1));
	inserter->code->f0 = factors.f0;
	inserter->code->f1 = factors.f1;
	inserter->code->error = vecidx_error_pack(factors.error);

	arrival->query = vecidx_query_init(inserter->query_memory, handle->quantizer, row, inserter->scratch);
	arrival->quantizer = handle->quantizer;
	arrival->vector = own_vector(inserter);
	arrival->vector_size = inserter->vector_size;
	arrival->m = handle->fixed.m;
	arrival->ef = handle->fixed.ef_construction;
	vecidx_store_query(&inserter->store, arrival->query);
}

static void
find_place(VecIdxInserter *inserter)
{
	const VecIdxMetaState *state = &inserter->handle->state;

	inserter->epoch = state->epoch;
	vecidx_link_find(&inserter->search, &inserter->arrival,
					 state->entry == VECIDX_NONE ? -1 : (int) state->entry_level);
}

/* Giving out ids: the metapage is locked in the edit. */

/* Takes an id from the free list or from the end; the version for its next life.  False: no room. */
static bool
take_node(VecIdxInserter *inserter, VecIdxMeta *meta, uint32 *node, uint32 *version)
{
	VecIdxHandle *handle = inserter->handle;

	if (meta->state.free_node != VECIDX_NONE)
	{
		*node = meta->state.free_node;
		vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, *node, inserter->extension);
		if (inserter->extension->state != VECIDX_FREE)
			vecidx_damaged(handle->index, psprintf("Node %u is on the free list but in use", *node));
		*version = inserter->extension->version + 1;
		meta->state.free_node = inserter->extension->next;
		meta->state.free_nodes--;
		return true;
	}
	if (meta->state.nodes >= vecidx_meta_node_room(handle))
		return false;
	*node = meta->state.nodes++;
	*version = 1;
	return true;
}

/* Writes the code and rerank slots of a node whose id is being given out. */
static void
write_vectors(VecIdxInserter *inserter, uint32 node, uint32 version, VecIdxState state)
{
	inserter->code->mark = vecidx_layout_mark(&inserter->handle->layout, node);
	inserter->code->state = state;
	vecidx_slot_write(inserter->handle, VECIDX_RUN_CODE, node, inserter->code, inserter->logged);
	if (inserter->handle->layout.run[VECIDX_RUN_RERANK].span == 0)
		return;
	inserter->rerank->node = node;
	inserter->rerank->version = version;
	vecidx_slot_write(inserter->handle, VECIDX_RUN_RERANK, node, inserter->rerank, inserter->logged);
}

/* Is the upper slot still that node's?  Both may have had another life since it was found. */
static bool
has_upper(VecIdxInserter *inserter, const VecIdxNeighbour *neighbour, int level)
{
	VecIdxUpperSlot *slot = inserter->upper;

	if (level == 0)
		return true;
	vecidx_slot_read(inserter->handle, VECIDX_RUN_UPPER, neighbour->upper, slot);
	return slot->state == VECIDX_LIVE && slot->node == neighbour->node && slot->level == level;
}

/*
 * Drops neighbours that are dead or are not what they were when they were
 * found.  What it keeps cannot be freed before the epoch changes again.
 */
static void
drop_dead_neighbours(VecIdxInserter *inserter)
{
	VecIdxArrival *arrival = &inserter->arrival;

	vecidx_handle_refresh(inserter->handle);
	inserter->epoch = inserter->handle->state.epoch;
	for (int level = 0; level <= arrival->top; level++)
	{
		int			kept = 0;

		for (int i = 0; i < arrival->count[level]; i++)
		{
			VecIdxNeighbour neighbour = arrival->neighbours[level][i];

			vecidx_slot_read(inserter->handle, VECIDX_RUN_ADJACENCY, neighbour.node, inserter->extension);
			if (inserter->extension->state == VECIDX_LIVE && has_upper(inserter, &neighbour, level))
				arrival->neighbours[level][kept++] = neighbour;
		}
		arrival->count[level] = kept;
	}
}

static void
fill_adjacency(VecIdxInserter *inserter, VecIdxAdjacencySlot *slot, uint32 node, uint32 version, ItemPointer tid)
{
	const VecIdxArrival *arrival = &inserter->arrival;
	uint32	   *neighbours = VecIdxAdjacencyNeighbours(slot);

	memset(slot, 0, inserter->handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	slot->node = node;
	slot->version = version;
	slot->state = VECIDX_LIVE;
	slot->upper = VECIDX_NONE;
	slot->next = VECIDX_NONE;
	slot->tid[0] = *tid;
	slot->tids = 1;
	slot->neighbours = arrival->top >= 0 ? arrival->count[0] : 0;
	for (int i = 0; i < slot->neighbours; i++)
		neighbours[i] = arrival->neighbours[0][i].node;
	vecidx_slot_seal(&inserter->handle->layout, VECIDX_RUN_ADJACENCY, slot);
}

/*
 * Makes the node on level 0.  Returns VECIDX_NONE when the graph has changed
 * so much that the search has to be done again: it was empty and is not now.
 */
static uint32
create_node(VecIdxInserter *inserter, ItemPointer tid)
{
	VecIdxHandle *handle = inserter->handle;

	for (;;)
	{
		VecIdxEdit	edit;
		VecIdxMeta *meta;
		uint32		node;
		uint32		version;

		vecidx_meta_grow(handle, inserter->logged);
		vecidx_edit_begin(&edit, handle->index, inserter->logged);
		meta = vecidx_meta_edit(&edit, handle);
		if (meta->state.entry != VECIDX_NONE && inserter->arrival.top < 0)
		{
			vecidx_edit_abandon(&edit);
			return VECIDX_NONE;
		}
		if (meta->state.epoch != inserter->epoch)
		{
			vecidx_edit_abandon(&edit);
			drop_dead_neighbours(inserter);
			continue;
		}
		if (!take_node(inserter, meta, &node, &version))
		{
			vecidx_edit_abandon(&edit);
			continue;
		}
		write_vectors(inserter, node, version, VECIDX_LIVE);
		fill_adjacency(inserter, vecidx_edit_slot(&edit, handle, VECIDX_RUN_ADJACENCY, node), node, version, tid);
		if (meta->state.entry == VECIDX_NONE)
		{
			meta->state.entry = node;
			meta->state.entry_upper = VECIDX_NONE;
			meta->state.entry_level = 0;
		}
		vecidx_meta_changed(meta, handle);
		vecidx_edit_finish(&edit);
		return node;
	}
}

/*
 * Takes consecutive upper slots, as many as *level, or fewer levels if there
 * is no room: one slot may come from the free list, more only from the end.
 * Returns the first, or VECIDX_NONE and level 0.
 */
static uint32
take_uppers(VecIdxInserter *inserter, VecIdxMeta *meta, int *level)
{
	uint32		room = vecidx_meta_upper_room(inserter->handle) - meta->state.uppers;
	uint32		upper = meta->state.uppers;

	if ((uint32) *level > room)
		*level = room;
	if (*level <= 1 && meta->state.free_upper != VECIDX_NONE)
	{
		*level = 1;
		upper = meta->state.free_upper;
		vecidx_slot_read(inserter->handle, VECIDX_RUN_UPPER, upper, inserter->upper);
		if (inserter->upper->state != VECIDX_FREE)
			vecidx_damaged(inserter->handle->index, psprintf("Upper slot %u is on the free list but in use", upper));
		meta->state.free_upper = inserter->upper->node;
		meta->state.free_uppers--;
		return upper;
	}
	meta->state.uppers += *level;
	return *level > 0 ? upper : VECIDX_NONE;
}

static void
fill_upper(VecIdxInserter *inserter, VecIdxUpperSlot *slot, uint32 node, int level)
{
	const VecIdxArrival *arrival = &inserter->arrival;
	VecIdxUpperLink *links = VecIdxUpperLinks(slot);

	memset(slot, 0, inserter->handle->layout.run[VECIDX_RUN_UPPER].size);
	slot->node = node;
	slot->state = VECIDX_LIVE;
	slot->level = level;
	slot->links = level <= arrival->top ? arrival->count[level] : 0;
	for (int i = 0; i < slot->links; i++)
	{
		links[i].node = arrival->neighbours[level][i].node;
		links[i].upper = arrival->neighbours[level][i].upper;
	}
	vecidx_slot_seal(&inserter->handle->layout, VECIDX_RUN_UPPER, slot);
}

/* Locks the metapage once the neighbours found are sure to live as long as it is locked. */
static VecIdxMeta *
edit_settled(VecIdxInserter *inserter, VecIdxEdit *edit)
{
	for (;;)
	{
		VecIdxMeta *meta;

		drop_dead_neighbours(inserter);
		vecidx_edit_begin(edit, inserter->handle->index, inserter->logged);
		meta = vecidx_meta_edit(edit, inserter->handle);
		if (meta->state.epoch == inserter->epoch)
			return meta;
		vecidx_edit_abandon(edit);
	}
}

/*
 * Lifts a node that is on level 0 to its level, or as high as there is room.
 * The slot of level 1 may come from the free list, so it is written in the
 * record that takes it off; those above were never used before.  Returns the
 * upper slot of level 1, or none; arrival.level tells the level reached.
 */
static uint32
raise_node(VecIdxInserter *inserter, uint32 node)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, node, NULL}, {VECIDX_RUN_UPPER, VECIDX_NONE, NULL}};
	VecIdxEdit	edit;
	VecIdxMeta *meta = edit_settled(inserter, &edit);
	int			level = inserter->arrival.level;
	uint32		upper = take_uppers(inserter, meta, &level);
	VecIdxAdjacencySlot *slot;

	inserter->arrival.level = level;
	if (level == 0)
	{
		vecidx_edit_abandon(&edit);
		return VECIDX_NONE;
	}
	for (int i = 2; i <= level; i++)
	{
		fill_upper(inserter, inserter->upper, node, i);
		vecidx_slot_write(handle, VECIDX_RUN_UPPER, upper + i - 1, inserter->upper, inserter->logged);
	}
	refs[1].slot = upper;
	vecidx_edit_slots(&edit, handle, refs, 2);
	fill_upper(inserter, refs[1].image, node, 1);
	slot = refs[0].image;
	slot->level = level;
	slot->upper = upper;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot);
	for (int i = 1; i <= level; i++)
		meta->state.level_nodes[i]++;
	if (level > (int) meta->state.entry_level)
	{
		meta->state.entry = node;
		meta->state.entry_upper = upper + level - 1;
		meta->state.entry_level = level;
	}
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	return upper;
}

/* Links back. */

/* Vectors and distances of a node's neighbours as seen from it; those that are gone are left out. */
static int
measure_neighbours(VecIdxInserter *inserter, uint32 owner, VecIdxNeighbour *neighbours, int count)
{
	VecIdxSource *source = &inserter->store.source;
	const uint8 *vector = source->vector(source, owner);
	int			kept = 0;

	if (vector == NULL)
		return 0;
	for (int i = 0; i < count; i++)
	{
		neighbours[kept] = neighbours[i];
		neighbours[kept].vector = source->vector(source, neighbours[i].node);
		if (neighbours[kept].vector == NULL)
			continue;
		neighbours[kept].distance = vecidx_quant_pair(inserter->handle->quantizer, vector, neighbours[kept].vector);
		kept++;
	}
	return kept;
}

/* Number of times that a link back is tried when others change the same list. */
#define LINK_TRIES	16

static void
link_back(VecIdxInserter *inserter, uint32 owner, uint32 node)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxAdjacencySlot *seen = inserter->adjacency;
	const uint32 *ids = VecIdxAdjacencyNeighbours(seen);
	int			room = vecidx_link_room(handle->fixed.m, 0);

	for (int try = 0; try < LINK_TRIES; try++)
	{
		VecIdxNeighbour neighbours[VECIDX_LIST_MAX + 1];
		uint32		kept[VECIDX_LIST_MAX + 1];
		int			count;

		vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, owner, seen);
		if (seen->state != VECIDX_LIVE)
			return;
		count = Min(seen->neighbours, room);
		for (int i = 0; i < count; i++)
		{
			if (ids[i] == node)
				return;
			neighbours[i].node = ids[i];
		}
		neighbours[count++].node = node;
		if (count > room)
		{
			count = measure_neighbours(inserter, owner, neighbours, count);
			count = vecidx_prune(handle->quantizer, neighbours, count, room);
		}
		for (int i = 0; i < count; i++)
			kept[i] = neighbours[i].node;
		if (vecidx_edge_replace(handle, seen, kept, count, inserter->logged))
			return;
		CHECK_FOR_INTERRUPTS();
	}
}

static void
link_back_upper(VecIdxInserter *inserter, const VecIdxNeighbour *owner, int level, VecIdxUpperLink link)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxUpperSlot *seen = inserter->upper;
	const VecIdxUpperLink *links = VecIdxUpperLinks(seen);
	int			room = handle->fixed.m;

	for (int try = 0; try < LINK_TRIES; try++)
	{
		VecIdxNeighbour neighbours[VECIDX_MAX_M + 1];
		VecIdxUpperLink kept[VECIDX_MAX_M + 1];
		int			count;

		vecidx_slot_read(handle, VECIDX_RUN_UPPER, owner->upper, seen);
		if (seen->state != VECIDX_LIVE || seen->node != owner->node || seen->level != level)
			return;
		count = Min(seen->links, room);
		for (int i = 0; i < count; i++)
		{
			if (links[i].node == link.node)
				return;
			neighbours[i].node = links[i].node;
			neighbours[i].upper = links[i].upper;
		}
		neighbours[count].node = link.node;
		neighbours[count++].upper = link.upper;
		if (count > room)
		{
			count = measure_neighbours(inserter, owner->node, neighbours, count);
			count = vecidx_prune(handle->quantizer, neighbours, count, room);
		}
		for (int i = 0; i < count; i++)
		{
			kept[i].node = neighbours[i].node;
			kept[i].upper = neighbours[i].upper;
		}
		if (vecidx_edge_replace_upper(handle, owner->upper, seen, kept, count, inserter->logged))
			return;
		CHECK_FOR_INTERRUPTS();
	}
}

static void
link_neighbours(VecIdxInserter *inserter, uint32 node, uint32 upper)
{
	const VecIdxArrival *arrival = &inserter->arrival;

	for (int i = 0; arrival->top >= 0 && i < arrival->count[0]; i++)
		link_back(inserter, arrival->neighbours[0][i].node, node);
	for (int level = 1; upper != VECIDX_NONE && level <= Min(arrival->top, arrival->level); level++)
	{
		VecIdxUpperLink link = {node, upper + level - 1};

		for (int i = 0; i < arrival->count[level]; i++)
			link_back_upper(inserter, &arrival->neighbours[level][i], level, link);
	}
}

/* Attaching a TID to the twin. */

/* Does the node, whose adjacency slot the caller has locked, live and have our vector? */
static bool
is_twin(VecIdxInserter *inserter, const VecIdxAdjacencySlot *slot, uint32 node)
{
	VecIdxHandle *handle = inserter->handle;
	bool		exact = handle->layout.run[VECIDX_RUN_RERANK].span == 0;
	const char *vector;

	if (slot->node != node || slot->state != VECIDX_LIVE)
		return false;
	if (exact)
	{
		vecidx_slot_read(handle, VECIDX_RUN_CODE, node, inserter->store.code);
		vector = (const char *) (inserter->store.code + 1);
	}
	else
	{
		vecidx_slot_read(handle, VECIDX_RUN_RERANK, node, inserter->store.rerank);
		vector = (const char *) (inserter->store.rerank + 1);
	}
	return memcmp(vector, inserter->arrival.vector, inserter->vector_size) == 0;
}

static void
append_tid(VecIdxHandle *handle, VecIdxAdjacencySlot *slot, ItemPointer tid)
{
	/* in an extension the TIDs go on over the neighbours' space */
	memcpy((char *) slot->tid + slot->tids * sizeof(ItemPointerData), tid, sizeof(ItemPointerData));
	slot->tids++;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot);
}

typedef enum AttachResult
{
	ATTACHED,
	NOT_A_TWIN,
	NO_ROOM
} AttachResult;

/* Tries the node's own slot and its first extension. */
static AttachResult
attach_to_present(VecIdxInserter *inserter, uint32 node, uint32 extension, ItemPointer tid)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, node, NULL}, {VECIDX_RUN_ADJACENCY, extension, NULL}};
	VecIdxEdit	edit;
	VecIdxAdjacencySlot *owner;
	VecIdxAdjacencySlot *more;
	AttachResult result = NO_ROOM;

	vecidx_edit_begin(&edit, handle->index, inserter->logged);
	vecidx_edit_slots(&edit, handle, refs, extension != VECIDX_NONE ? 2 : 1);
	owner = refs[0].image;
	more = refs[1].image;

	if (!is_twin(inserter, owner, node))
		result = NOT_A_TWIN;
	else if (owner->tids < VECIDX_INLINE_TIDS)
	{
		append_tid(handle, owner, tid);
		result = ATTACHED;
	}
	else if (more != NULL && owner->next == extension && more->state == VECIDX_EXTENSION &&
			 more->upper == node && more->tids < VecIdxExtensionTids(handle->fixed.m))
	{
		append_tid(handle, more, tid);
		result = ATTACHED;
	}
	if (result == ATTACHED)
		vecidx_edit_finish(&edit);
	else
		vecidx_edit_abandon(&edit);
	return result;
}

/* Puts a new extension in front of the node's chain. */
static AttachResult
attach_to_new(VecIdxInserter *inserter, uint32 node, ItemPointer tid)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, node, NULL}, {VECIDX_RUN_ADJACENCY, VECIDX_NONE, NULL}};
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	VecIdxAdjacencySlot *owner;
	VecIdxAdjacencySlot *more;
	uint32		extension;
	uint32		version;

	vecidx_meta_grow(handle, inserter->logged);
	vecidx_edit_begin(&edit, handle->index, inserter->logged);
	meta = vecidx_meta_edit(&edit, handle);
	if (!take_node(inserter, meta, &extension, &version))
	{
		vecidx_edit_abandon(&edit);
		return NO_ROOM;
	}
	refs[1].slot = extension;
	vecidx_edit_slots(&edit, handle, refs, 2);
	owner = refs[0].image;
	more = refs[1].image;
	if (!is_twin(inserter, owner, node))
	{
		vecidx_edit_abandon(&edit);
		return NOT_A_TWIN;
	}
	write_vectors(inserter, extension, version, VECIDX_EXTENSION);
	memset(more, 0, handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	more->node = extension;
	more->version = version;
	more->state = VECIDX_EXTENSION;
	more->upper = node;
	more->next = owner->next;
	append_tid(handle, more, tid);
	owner->next = extension;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, owner);
	meta->state.extensions++;
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	return ATTACHED;
}

/* Attaches the TID to the twin; false if that has died or changed meanwhile. */
static bool
attach_tid(VecIdxInserter *inserter, uint32 node, ItemPointer tid)
{
	for (;;)
	{
		AttachResult result;

		CHECK_FOR_INTERRUPTS();
		vecidx_slot_read(inserter->handle, VECIDX_RUN_ADJACENCY, node, inserter->adjacency);
		result = attach_to_present(inserter, node, inserter->adjacency->next, tid);
		if (result == NO_ROOM)
			result = attach_to_new(inserter, node, tid);
		if (result != NO_ROOM)
			return result == ATTACHED;
	}
}

/* Number of searches for a place when each finds that the graph has changed too much. */
#define PLACE_TRIES		100

uint32
vecidx_inserter_add(VecIdxInserter *inserter, const float *row, ItemPointer tid)
{
	MemoryContext old = MemoryContextSwitchTo(inserter->work);
	double		u = 1.0 - pg_prng_double(&pg_global_prng_state);
	uint32		node = VECIDX_NONE;
	int			tries = 0;

	inserter->arrival.level = Min((int) (-log(u) * inserter->level_scale), VECIDX_MAX_LEVEL);
	prepare_row(inserter, row);
	while (node == VECIDX_NONE)
	{
		find_place(inserter);
		if (inserter->arrival.twin == VECIDX_NONE)
			node = create_node(inserter, tid);
		else if (attach_tid(inserter, inserter->arrival.twin, tid))
			node = inserter->arrival.twin;
		if (node != VECIDX_NONE)
			break;
		if (++tries > PLACE_TRIES)
			vecidx_damaged(inserter->handle->index, psprintf("A search from its entry node %u leads nowhere", inserter->handle->state.entry));
		CHECK_FOR_INTERRUPTS();
		vecidx_handle_refresh(inserter->handle);
	}
	if (inserter->arrival.twin == VECIDX_NONE)
	{
		uint32		upper = VECIDX_NONE;

		if (inserter->arrival.level > 0)
			upper = raise_node(inserter, node);
		link_neighbours(inserter, node, upper);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(inserter->work);
	vecidx_store_query(&inserter->store, NULL);
	return node;
}

/*
 * The first row of an index that knew no dimensions fixes them, and with them
 * the layout.  There is nothing to choose codes by.
 */
static void
fix_dimensions(VecIdxHandle *handle, int dimensions)
{
	VecIdxEdit	edit;
	VecIdxMeta *meta;

	vecidx_edit_begin(&edit, handle->index, true);
	meta = vecidx_meta_edit(&edit, handle);
	if (meta->fixed.dimensions != 0)
	{
		vecidx_edit_abandon(&edit);
		return;
	}
	vecidx_build_fixed(handle->index, dimensions, &meta->fixed);
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	vecidx_handle_refresh(handle);
}

bool
vecidx_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap pg_attribute_unused(),
			  IndexUniqueCheck unique pg_attribute_unused(), bool unchanged pg_attribute_unused(), IndexInfo *info pg_attribute_unused())
{
	const VecIdxType *type = vecidx_row_type(index);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx aminsert", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	VecIdxHandle *handle;
	float	   *row;
	int			dimensions;

	if (isnull[0])
	{
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		return false;
	}
	handle = vecidx_handle_acquire(index);
	vecidx_handle_release_with(handle, context);
	row = vecidx_row_decode(index, &type->decoder, type->metric, values[0], handle->fixed.dimensions, &dimensions);
	if (row != NULL)
	{
		if (handle->fixed.dimensions == 0)
			fix_dimensions(handle, dimensions);
		if (handle->fixed.dimensions != (uint32) dimensions)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("vector has %d dimensions, but index \"%s\" has %u",
							dimensions, RelationGetRelationName(index), handle->fixed.dimensions)));
		vecidx_inserter_add(vecidx_inserter_create(handle, true), row, tid);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return false;
}
