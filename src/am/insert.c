/*
 * insert.c
 *	  A row's way into the pages.
 *
 * A row whose vector is there already becomes one more TID of that node.
 * Otherwise a node is made in WAL records that each leave a usable graph: its
 * slots together with the metapage that gives out its id, then its upper
 * slots, then the links back, four pages at a time.  A crash between these
 * loses links, no rows.
 */
#include "postgres.h"

#include <math.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "am/inserter.h"
#include "am/pause.h"
#include "am/roster.h"
#include "am/twin.h"
#include "page/filter.h"
#include "page/meta.h"
#include "page/peek.h"

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
	inserter->code = MemoryContextAllocZero(context, run[VECIDX_RUN_CODE].size);
	inserter->rerank = MemoryContextAllocZero(context, Max(run[VECIDX_RUN_RERANK].size, sizeof(VecIdxRerankSlot)));
	inserter->adjacency = MemoryContextAlloc(context, run[VECIDX_RUN_ADJACENCY].size);
	inserter->filter = MemoryContextAlloc(context, VECIDX_FILTER_ROOM);
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

static void
prepare_search(VecIdxInserter *inserter)
{
	VecIdxQuantParams params = vecidx_layout_quant(&inserter->handle->fixed);

	vecidx_search_init(&inserter->search, &inserter->store.source, inserter->context);
	inserter->query_memory = MemoryContextAlloc(inserter->context, vecidx_query_size(&params));
	inserter->scratch = MemoryContextAlloc(inserter->context, vecidx_quant_scratch_size(&params));
}

/* Encodes the row and makes a query of it. */
static void
prepare_row(VecIdxInserter *inserter, const float *row)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxArrival *arrival = &inserter->arrival;
	VecIdxFactors factors;

	if (inserter->scratch == NULL)
		prepare_search(inserter);
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

bool
vecidx_inserter_take(VecIdxInserter *inserter, VecIdxMeta *meta, uint32 *node, uint32 *version)
{
	VecIdxHandle *handle = inserter->handle;

	if (meta->state.free_node != VECIDX_NONE)
	{
		*node = meta->state.free_node;
		vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, *node, inserter->adjacency);
		if (inserter->adjacency->state != VECIDX_FREE)
			vecidx_damaged(handle->index, psprintf("Node %u is on the free list but in use", *node));
		*version = inserter->adjacency->version + 1;
		meta->state.free_node = inserter->adjacency->next;
		meta->state.free_nodes--;
		return true;
	}
	if (meta->state.nodes >= vecidx_meta_node_room(handle))
		return false;
	*node = meta->state.nodes++;
	*version = 1;
	return true;
}

void
vecidx_inserter_seal(VecIdxInserter *inserter, uint32 node, uint32 version, VecIdxState state)
{
	const VecIdxLayout *layout = &inserter->handle->layout;

	inserter->code->mark = vecidx_layout_mark(layout, node);
	inserter->code->state = state;
	vecidx_slot_seal(layout, VECIDX_RUN_CODE, inserter->code);
	inserter->rerank->node = node;
	inserter->rerank->version = version;
	if (layout->run[VECIDX_RUN_RERANK].span > 0)
		vecidx_slot_seal(layout, VECIDX_RUN_RERANK, inserter->rerank);
}

/* Both slots, which do not span pages, in one record. */
static void
write_vectors(VecIdxInserter *inserter, uint32 node)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_CODE, node, NULL}, {VECIDX_RUN_RERANK, node, NULL}};
	VecIdxEdit	edit;

	vecidx_edit_begin(&edit, handle->index, inserter->logged);
	vecidx_edit_slots(&edit, handle, refs, 2);
	memcpy(refs[0].image, inserter->code, handle->layout.run[VECIDX_RUN_CODE].size);
	memcpy(refs[1].image, inserter->rerank, handle->layout.run[VECIDX_RUN_RERANK].size);
	vecidx_edit_finish(&edit);
}

void
vecidx_inserter_write(VecIdxInserter *inserter, uint32 node, uint32 smallest_span)
{
	VecIdxHandle *handle = inserter->handle;
	const VecIdxRun *run = handle->layout.run;

	if (smallest_span == 1 && run[VECIDX_RUN_CODE].span == 1 && run[VECIDX_RUN_RERANK].span == 1)
	{
		write_vectors(inserter, node);
		return;
	}
	if (run[VECIDX_RUN_CODE].span >= smallest_span)
		vecidx_slot_write(handle, VECIDX_RUN_CODE, node, inserter->code, inserter->logged);
	if (run[VECIDX_RUN_RERANK].span >= smallest_span)
		vecidx_slot_write(handle, VECIDX_RUN_RERANK, node, inserter->rerank, inserter->logged);
}

/* Is the upper slot still that node's?  Both may have had another life since it was found. */
static bool
has_upper(VecIdxInserter *inserter, const VecIdxNeighbour *neighbour, int level)
{
	VecIdxUpperSlot *slot = inserter->upper;

	if (level == 0)
		return true;
	vecidx_peek_slot(inserter->handle, VECIDX_RUN_UPPER, neighbour->upper, slot);
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
	VecIdxAdjacencySlot *slot = inserter->adjacency;

	inserter->epoch = inserter->handle->state.epoch;
	for (int level = 0; level <= arrival->top; level++)
	{
		int			kept = 0;

		for (int i = 0; i < arrival->count[level]; i++)
		{
			VecIdxNeighbour neighbour = arrival->neighbours[level][i];

			vecidx_slot_read(inserter->handle, VECIDX_RUN_ADJACENCY, neighbour.node, slot);
			if (slot->state == VECIDX_LIVE && has_upper(inserter, &neighbour, level))
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

/* Writes the slots of an id that is being given out, those that do not span pages together with the metapage. */
static void
write_node(VecIdxInserter *inserter, VecIdxEdit *edit, uint32 node, uint32 version, ItemPointer tid)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxSlotRef refs[3] = {{VECIDX_RUN_ADJACENCY, node, NULL}};
	const void *bytes[3];
	int			count = 1;

	vecidx_inserter_seal(inserter, node, version, VECIDX_LIVE);
	vecidx_inserter_write(inserter, node, 2);
	if (vecidx_filter_exists(handle))
		vecidx_filter_write(handle, node, false, inserter->filter, inserter->logged);
	if (handle->layout.run[VECIDX_RUN_CODE].span == 1)
	{
		bytes[count] = inserter->code;
		refs[count++] = (VecIdxSlotRef) {VECIDX_RUN_CODE, node, NULL};
	}
	if (handle->layout.run[VECIDX_RUN_RERANK].span == 1)
	{
		bytes[count] = inserter->rerank;
		refs[count++] = (VecIdxSlotRef) {VECIDX_RUN_RERANK, node, NULL};
	}
	vecidx_edit_slots(edit, handle, refs, count);
	fill_adjacency(inserter, refs[0].image, node, version, tid);
	for (int i = 1; i < count; i++)
		memcpy(refs[i].image, bytes[i], handle->layout.run[refs[i].run].size);
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
		if (!vecidx_inserter_take(inserter, meta, &node, &version))
		{
			vecidx_edit_abandon(&edit);
			continue;
		}
		write_node(inserter, &edit, node, version, tid);
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

/* Upper slots for a node: consecutive ones, from the list of free ones or from the end. */
typedef struct UpperRun
{
	int			count;
	uint32		first;
	bool		freed;			/* they are on the list of free ones */
	uint32		before;			/* there, the slot that names the first, or none: the metapage does */
	uint32		after;			/* there, what the last of them names */
} UpperRun;

/* As many as there are, at most VECIDX_MAX_LEVEL, from the list's slot "first" on. */
static UpperRun
read_free_run(VecIdxInserter *inserter, uint32 first, uint32 before)
{
	UpperRun	run = {.first = first, .freed = true, .before = before};
	VecIdxUpperSlot *slot = inserter->upper;

	do
	{
		vecidx_peek_slot(inserter->handle, VECIDX_RUN_UPPER, first + run.count, slot);
		if (slot->state != VECIDX_FREE)
			vecidx_damaged(inserter->handle->index,
						   psprintf("Upper slot %u is on the free list but in use", first + run.count));
		run.after = slot->node;
		run.count++;
	} while (run.count < VECIDX_MAX_LEVEL && run.after == first + run.count);
	return run;
}

/* Can the run and what names it be written together with the metapage and a node's adjacency slot? */
static bool
fits_record(VecIdxHandle *handle, const UpperRun *run)
{
	uint32		first = vecidx_handle_first(handle, VECIDX_RUN_UPPER, run->first);
	uint32		last = vecidx_handle_first(handle, VECIDX_RUN_UPPER, run->first + run->count - 1);
	uint32		before = first;

	if (run->before != VECIDX_NONE)
		before = vecidx_handle_first(handle, VECIDX_RUN_UPPER, run->before);
	return first == last || before == first || before == last;
}

/* Free upper slots that are looked at for a run of the right length. */
#define UPPER_WALK	64

/*
 * The shortest run of free slots that is as long as wanted, or else the
 * longest; of a longer run the first slots.  Longer ones are for nodes of more
 * levels, which would find none if all were taken apart.
 */
static UpperRun
find_free_run(VecIdxInserter *inserter, const VecIdxMeta *meta, int wanted)
{
	UpperRun	best = {.count = 0, .first = VECIDX_NONE};
	int			length = 0;		/* of the run that best is the beginning of */
	int			walked = 0;
	uint32		at = meta->state.free_upper;
	uint32		before = VECIDX_NONE;

	while (at != VECIDX_NONE && walked < UPPER_WALK && length != wanted)
	{
		UpperRun	run = read_free_run(inserter, at, before);
		int			count = run.count;

		walked += count;
		before = at + count - 1;
		at = run.after;
		if (count > wanted)
		{
			run.count = wanted;
			run.after = run.first + wanted;
		}
		if (fits_record(inserter->handle, &run) && (length < wanted ? count > length : count >= wanted && count < length))
		{
			best = run;
			length = count;
		}
	}
	return best;
}

/* Finds as many as wanted, or what there is. */
static UpperRun
find_uppers(VecIdxInserter *inserter, const VecIdxMeta *meta, int wanted)
{
	uint32		room = vecidx_meta_upper_room(inserter->handle) - meta->state.uppers;
	UpperRun	end = {.count = Min((uint32) wanted, room), .first = meta->state.uppers};
	UpperRun	freed = find_free_run(inserter, meta, wanted);

	return freed.count > 0 && freed.count >= end.count ? freed : end;
}

/* Takes the run off the list of free slots or off the end; named_by is the image of the slot that leads to it, or NULL. */
static void
take_uppers(VecIdxInserter *inserter, VecIdxMeta *meta, const UpperRun *run, VecIdxUpperSlot *named_by)
{
	if (!run->freed)
	{
		meta->state.uppers += run->count;
		return;
	}
	meta->state.free_uppers -= run->count;
	if (named_by == NULL)
	{
		meta->state.free_upper = run->after;
		return;
	}
	named_by->node = run->after;
	vecidx_slot_seal(&inserter->handle->layout, VECIDX_RUN_UPPER, named_by);
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

		vecidx_edit_begin(edit, inserter->handle->index, inserter->logged);
		meta = vecidx_meta_edit(edit, inserter->handle);
		if (meta->state.epoch == inserter->epoch)
			return meta;
		vecidx_edit_abandon(edit);
		drop_dead_neighbours(inserter);
	}
}

/*
 * Drops upper neighbours that do not live: a search may have met them through
 * a link that a tombstone kept while what it led to was freed.
 */
static void
drop_stale_links(VecIdxInserter *inserter)
{
	VecIdxArrival *arrival = &inserter->arrival;

	for (int level = 1; level <= arrival->top; level++)
	{
		int			kept = 0;

		for (int i = 0; i < arrival->count[level]; i++)
		{
			VecIdxNeighbour neighbour = arrival->neighbours[level][i];

			if (has_upper(inserter, &neighbour, level))
				arrival->neighbours[level][kept++] = neighbour;
		}
		arrival->count[level] = kept;
	}
}

/*
 * Lifts a node that is on level 0 to its level, or as high as there is room,
 * in one record.  Returns the upper slot of level 1, or none; arrival.level
 * tells the level reached.
 */
static uint32
raise_node(VecIdxInserter *inserter, uint32 node)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxSlotRef refs[VECIDX_MAX_LEVEL + 2] = {{VECIDX_RUN_ADJACENCY, node, NULL}};
	bool		named;
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	UpperRun	run;
	VecIdxAdjacencySlot *slot;

	drop_stale_links(inserter);
	meta = edit_settled(inserter, &edit);
	run = find_uppers(inserter, meta, inserter->arrival.level);
	inserter->arrival.level = run.count;
	if (run.count == 0)
	{
		vecidx_edit_abandon(&edit);
		return VECIDX_NONE;
	}
	named = run.freed && run.before != VECIDX_NONE;
	for (int i = 1; i <= run.count; i++)
		refs[i] = (VecIdxSlotRef) {VECIDX_RUN_UPPER, run.first + i - 1, NULL};
	refs[run.count + 1] = (VecIdxSlotRef) {VECIDX_RUN_UPPER, run.before, NULL};
	vecidx_edit_slots(&edit, handle, refs, run.count + 1 + named);
	take_uppers(inserter, meta, &run, named ? refs[run.count + 1].image : NULL);
	for (int i = 1; i <= run.count; i++)
	{
		fill_upper(inserter, refs[i].image, node, i);
		meta->state.level_nodes[i]++;
	}
	slot = refs[0].image;
	slot->level = run.count;
	slot->upper = run.first;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot);
	if (run.count > (int) meta->state.entry_level)
	{
		meta->state.entry = node;
		meta->state.entry_upper = run.first + run.count - 1;
		meta->state.entry_level = run.count;
	}
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	return run.first;
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
		if (neighbours[kept].vector == NULL)
			neighbours[kept].vector = source->vector(source, neighbours[i].node);
		if (neighbours[kept].vector == NULL)
			continue;
		neighbours[kept].distance = vecidx_quant_pair(inserter->handle->quantizer, vector, neighbours[kept].vector);
		kept++;
	}
	return kept;
}

/* The new node, as its neighbours on a level shall name it. */
static VecIdxNeighbour
own_link(const VecIdxInserter *inserter, int level, uint32 node, uint32 upper)
{
	VecIdxNeighbour link = {.node = node, .upper = VECIDX_NONE, .vector = inserter->arrival.vector};

	if (level > 0)
		link.upper = upper + level - 1;
	return link;
}

/*
 * Works out a neighbour's list with a link back; false if nothing has to be
 * written: it is gone, or the link is there, or does not belong there.
 */
static bool
plan_link(VecIdxInserter *inserter, VecIdxEdge *edge, int level, VecIdxNeighbour link)
{
	VecIdxHandle *handle = inserter->handle;
	int			room = vecidx_link_room(handle->fixed.m, level);
	VecIdxNeighbour neighbours[VECIDX_LIST_MAX + 1];
	int			count;
	bool		linked = false;

	vecidx_edge_look(handle, edge);
	if (!vecidx_edge_lives(edge, level))
		return false;
	count = vecidx_edge_list(edge, neighbours, room);
	for (int i = 0; i < count; i++)
	{
		if (neighbours[i].node == link.node)
			return false;
	}
	neighbours[count++] = link;
	if (count > room)
	{
		count = measure_neighbours(inserter, edge->owner, neighbours, count);
		count = vecidx_prune(handle->quantizer, neighbours, count, room);
		for (int i = 0; i < count; i++)
			linked = linked || neighbours[i].node == link.node;
		if (!linked)
			return false;
	}
	vecidx_edge_want(edge, neighbours, count);
	return true;
}

/*
 * How many of its neighbours, the nearest ones, name the new node in turn.
 * Each costs a page in WAL after a checkpoint.
 */
static inline int
links_back(int m)
{
	return Max(m, 2);
}

/* Number of times that links back are tried when others change the same lists. */
#define LINK_TRIES	16

static void
link_back(VecIdxInserter *inserter, int level, uint32 node, uint32 upper)
{
	const VecIdxArrival *arrival = &inserter->arrival;
	VecIdxRunKind run = level == 0 ? VECIDX_RUN_ADJACENCY : VECIDX_RUN_UPPER;
	Size		size = MAXALIGN(inserter->handle->layout.run[run].size);
	int			count = Min(arrival->count[level], links_back(inserter->handle->fixed.m));
	VecIdxNeighbour link = own_link(inserter, level, node, upper);
	VecIdxEdge *edges = palloc(count * sizeof(VecIdxEdge));
	char	   *copies = palloc(2 * count * size);

	for (int i = 0; i < count; i++)
	{
		edges[i].run = run;
		edges[i].slot = level == 0 ? arrival->neighbours[level][i].node : arrival->neighbours[level][i].upper;
		edges[i].seen = copies + 2 * i * size;
		edges[i].wanted = copies + (2 * i + 1) * size;
		edges[i].owner = arrival->neighbours[level][i].node;
	}
	for (int try = 0; try < LINK_TRIES && count > 0; try++)
	{
		int			planned = 0;

		for (int i = 0; i < count; i++)
		{
			VecIdxEdge	edge = edges[i];

			if (plan_link(inserter, &edge, level, link))
				edges[planned++] = edge;
		}
		vecidx_pause("insert-planned");
		count = vecidx_edges_write(inserter->handle, edges, planned, inserter->logged);
	}
}

static void
link_neighbours(VecIdxInserter *inserter, uint32 node, uint32 upper)
{
	const VecIdxArrival *arrival = &inserter->arrival;
	int			top = upper == VECIDX_NONE ? 0 : Min(arrival->top, arrival->level);

	for (int level = 0; level <= Min(top, arrival->top); level++)
		link_back(inserter, level, node, upper);
}

/* Number of searches for a place when each finds that the graph has changed too much. */
#define PLACE_TRIES		100

/* Searches, and puts the row where it belongs; returns its node. */
static uint32
place_row(VecIdxInserter *inserter, ItemPointer tid)
{
	VecIdxArrival *arrival = &inserter->arrival;

	for (int tries = 0; tries < PLACE_TRIES; tries++)
	{
		uint32		node;

		find_place(inserter);
		vecidx_pause("insert-found");
		if (arrival->twin != VECIDX_NONE)
		{
			if (vecidx_twin_attach(inserter, arrival->twin, tid))
			{
				inserter->attached++;
				return arrival->twin;
			}
		}
		else
		{
			node = create_node(inserter, tid);
			if (node != VECIDX_NONE)
			{
				vecidx_roster_note(inserter->handle, tid, node);
				vecidx_pause("insert-created");
				link_neighbours(inserter, node, arrival->level > 0 ? raise_node(inserter, node) : VECIDX_NONE);
				return node;
			}
		}
		CHECK_FOR_INTERRUPTS();
		vecidx_handle_refresh(inserter->handle);
		vecidx_store_query(&inserter->store, arrival->query);
	}
	vecidx_damaged(inserter->handle->index,
				   psprintf("A search from its entry node %u leads nowhere", inserter->handle->state.entry));
}

/*
 * A row whose vector is in the index already, in all likelihood: a narrow
 * search, which is widened while it meets no such node.  Equal vectors have
 * equal codes, and so the same estimate to the bit.
 */
static uint32
attach_row(VecIdxInserter *inserter, ItemPointer tid)
{
	static const uint32 widths[] = {1, 4, 16};
	VecIdxSearch *search = &inserter->search;
	const VecIdxCodeSlot *code = inserter->code;
	float		own = vecidx_query_estimate(inserter->arrival.query, (const uint8 *) (code + 1), code->f0, code->f1);
	uint32		looked = 0;

	if (!vecidx_search_descend(search, 0))
		return VECIDX_NONE;
	for (int i = 0; i < (int) lengthof(widths); i++)
	{
		vecidx_search_beam(search, 0, widths[i]);
		for (; looked < search->found_count; looked++)
		{
			const VecIdxCandidate *found = &search->found[looked];

			if (found->estimate == own && vecidx_twin_attach(inserter, found->node, tid))
			{
				inserter->attached++;
				return found->node;
			}
		}
	}
	return VECIDX_NONE;
}

uint32
vecidx_inserter_add(VecIdxInserter *inserter, const float *row, const uint8 *filter, ItemPointer tid, bool attached)
{
	MemoryContext old = MemoryContextSwitchTo(inserter->work);
	double		u = 1.0 - pg_prng_double(&pg_global_prng_state);
	uint32		node = VECIDX_NONE;

	inserter->arrival.level = Min((int) (-log(u) * inserter->level_scale), VECIDX_MAX_LEVEL);
	prepare_row(inserter, row);
	if (vecidx_filter_exists(inserter->handle))
		memcpy(inserter->filter, filter, inserter->handle->shape.size);
	if (attached)
		node = attach_row(inserter, tid);
	if (node == VECIDX_NONE)
		node = place_row(inserter, tid);
	MemoryContextSwitchTo(old);
	MemoryContextReset(inserter->work);
	vecidx_store_query(&inserter->store, NULL);
	return node;
}
