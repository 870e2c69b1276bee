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

#include "am/back.h"
#include "am/inserter.h"
#include "am/pause.h"
#include "am/raise.h"
#include "am/roster.h"
#include "am/twin.h"
#include "page/filter.h"
#include "page/meta.h"

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
		meta = vecidx_raise_settle(inserter, &edit);
		if (meta->state.entry != VECIDX_NONE && inserter->arrival.top < 0)
		{
			vecidx_edit_abandon(&edit);
			return VECIDX_NONE;
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
				vecidx_back_link(inserter, node, arrival->level > 0 ? vecidx_raise_node(inserter, node) : VECIDX_NONE);
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
