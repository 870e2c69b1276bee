/*
 * store.c
 *	  The graph in the index's pages.
 *
 * A search walks on peeks (page/peek.h).  What it returns is decided by
 * rerank slots, whose checksum is verified on a copy, and by the adjacency
 * slot that gives the TIDs, which is read under pin and lock.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "graph/entry.h"
#include "graph/store.h"
#include "page/meta.h"
#include "page/peek.h"

void
vecidx_store_recheck_node(VecIdxStore *store, uint32 node, const char *where)
{
	vecidx_handle_refresh(store->handle);
	if (node >= store->handle->state.nodes)
		vecidx_damaged(store->handle->index, psprintf("%s refers to node %u of %u", where, node, store->handle->state.nodes));
}

static inline void
set_estimate(VecIdxStore *store, const VecIdxCodeSlot *slot, VecIdxCandidate *candidate)
{
	candidate->estimate = vecidx_query_estimate(store->query, (const uint8 *) (slot + 1), slot->f0, slot->f1);
	candidate->bound = vecidx_query_bound(store->query, vecidx_error_unpack(slot->error));
}

bool
vecidx_store_estimate(VecIdxStore *store, uint32 node, VecIdxCandidate *candidate)
{
	if (!vecidx_slot_read_vector(store->handle, VECIDX_RUN_CODE, node, store->code))
		return false;
	candidate->node = node;
	set_estimate(store, store->code, candidate);
	return true;
}

/* Unvisited neighbours with their places resolved and on their way into the cache. */
typedef struct Gather
{
	int			count;
	VecIdxPeek	peek[VECIDX_BATCH_MAX];
	uint32		offset[VECIDX_BATCH_MAX];
} Gather;

static inline void
gather_node(VecIdxStore *store, uint32 node, VecIdxPeek *peek, uint32 *offset)
{
	VecIdxHandle *handle = store->handle;
	BlockNumber block = vecidx_handle_locate(handle, VECIDX_RUN_CODE, node, offset);

	if (unlikely(handle->layout.run[VECIDX_RUN_CODE].span != 1))
	{
		peek->page = NULL;
		return;
	}
	*peek = vecidx_peek(handle, block);
	if (likely(peek->page != NULL))
		vecidx_peek_prefetch_slot(peek, *offset, Min(handle->layout.run[VECIDX_RUN_CODE].size, 512));
	else
		vecidx_handle_announce(handle, block);
}

static void
gather_batch(VecIdxStore *store, Gather *gather, const VecIdxCandidate *batch, int count)
{
	gather->count = count;
	for (int i = 0; i < count; i++)
		gather_node(store, batch[i].node, &gather->peek[i], &gather->offset[i]);
}

/* What a batch of estimates is made from: codes in shared buffers, looked at without a pin. */
typedef struct Codes
{
	int			count;
	int			place[VECIDX_BATCH_MAX];	/* in the batch */
	const uint8 *bits[VECIDX_BATCH_MAX];
	float		f0[VECIDX_BATCH_MAX];
	float		f1[VECIDX_BATCH_MAX];
	uint16		error[VECIDX_BATCH_MAX];
} Codes;

/* Adds those gathered that are where they were last seen; has the others read ahead. */
static void
collect_codes(VecIdxStore *store, Gather *gather, const VecIdxCandidate *batch, Codes *codes)
{
	codes->count = 0;
	for (int i = 0; i < gather->count; i++)
	{
		VecIdxPeek *peek = &gather->peek[i];
		const VecIdxCodeSlot *slot;
		int			n = codes->count;

		if (peek->page == NULL)
			continue;
		slot = (const VecIdxCodeSlot *) (peek->page + gather->offset[i]);
		if (unlikely(slot->mark != vecidx_layout_mark(&store->handle->layout, batch[i].node)))
		{
			vecidx_handle_forget(store->handle, peek->block);
			vecidx_handle_announce(store->handle, peek->block);
			peek->page = NULL;
			continue;
		}
		codes->place[n] = i;
		codes->bits[n] = (const uint8 *) (slot + 1);
		codes->f0[n] = slot->f0;
		codes->f1[n] = slot->f1;
		codes->error[n] = slot->error;
		codes->count++;
	}
}

/* The slot that has these bits. */
static inline const VecIdxCodeSlot *
code_of(const uint8 *bits)
{
	return (const VecIdxCodeSlot *) bits - 1;
}

/* Estimates all that was gathered; nodes whose slots turn out to be free are left out. */
static int
estimate_gathered(VecIdxStore *store, Gather *gather, VecIdxCandidate *batch)
{
	Codes		codes;
	float		estimates[VECIDX_BATCH_MAX];
	int			kept = 0;

	collect_codes(store, gather, batch, &codes);
	if (codes.count > 0)
		vecidx_query_estimates(store->query, codes.bits, codes.f0, codes.f1, codes.count, estimates);
	for (int i = 0; i < codes.count; i++)
	{
		VecIdxCandidate *candidate = &batch[codes.place[i]];

		candidate->estimate = estimates[i];
		candidate->bound = vecidx_query_bound(store->query, vecidx_error_unpack(codes.error[i]));
		/* the page may have made way for another meanwhile */
		if (unlikely(code_of(codes.bits[i])->mark != vecidx_layout_mark(&store->handle->layout, candidate->node)))
			gather->peek[codes.place[i]].page = NULL;
	}
	store->estimates += gather->count;
	for (int i = 0; i < gather->count; i++)
	{
		VecIdxCandidate candidate = batch[i];

		if (gather->peek[i].page != NULL || vecidx_store_estimate(store, candidate.node, &candidate))
			batch[kept++] = candidate;
	}
	return kept;
}

static int
expand_ground(VecIdxStore *store, uint32 node, VecIdxVisited *visited, VecIdxCandidate *batch)
{
	VecIdxAdjacencySlot *slot = store->adjacency;
	const uint32 *neighbours = VecIdxAdjacencyNeighbours(slot);
	Gather		gather;
	int			count;
	int			fresh = 0;

	vecidx_peek_slot(store->handle, VECIDX_RUN_ADJACENCY, node, slot);
	if (slot->node != node || (slot->state != VECIDX_LIVE && slot->state != VECIDX_TOMBSTONE))
		return 0;
	count = Min(slot->neighbours, 2 * store->handle->fixed.m);
	vecidx_visited_reserve(visited, count);
	for (int i = 0; i < count; i++)
	{
		vecidx_store_check_node(store, neighbours[i], "A list of neighbours");
		batch[fresh].node = neighbours[i];
		batch[fresh].upper = VECIDX_NONE;
		fresh += vecidx_visited_add(visited, neighbours[i]);
	}
	gather_batch(store, &gather, batch, fresh);
	return estimate_gathered(store, &gather, batch);
}

static int
expand_upper(VecIdxStore *store, const VecIdxCandidate *from, int level,
			 VecIdxVisited *visited, VecIdxCandidate *batch)
{
	VecIdxUpperSlot *slot = store->upper;
	const VecIdxUpperLink *links = VecIdxUpperLinks(slot);
	Gather		gather;
	int			count;
	int			fresh = 0;

	vecidx_peek_slot(store->handle, VECIDX_RUN_UPPER, from->upper, slot);
	if (slot->state != VECIDX_LIVE || slot->node != from->node || slot->level != level)
		return 0;
	count = Min(slot->links, store->handle->fixed.m);
	vecidx_visited_reserve(visited, count);
	for (int i = 0; i < count; i++)
	{
		vecidx_store_check_node(store, links[i].node, "A list of upper neighbours");
		batch[fresh].node = links[i].node;
		batch[fresh].upper = links[i].upper;
		fresh += vecidx_visited_add(visited, links[i].node);
	}
	gather_batch(store, &gather, batch, fresh);
	return estimate_gathered(store, &gather, batch);
}

static int
store_expand(VecIdxSource *source, const VecIdxCandidate *from, int level,
			 VecIdxVisited *visited, VecIdxCandidate *batch)
{
	VecIdxStore *store = (VecIdxStore *) source;

	if (level == 0)
		return expand_ground(store, from->node, visited, batch);
	return expand_upper(store, from, level, visited, batch);
}

static void
store_prefetch(VecIdxSource *source, const VecIdxCandidate *candidate, int level)
{
	VecIdxHandle *handle = ((VecIdxStore *) source)->handle;
	VecIdxRunKind run = level == 0 ? VECIDX_RUN_ADJACENCY : VECIDX_RUN_UPPER;
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, run, level == 0 ? candidate->node : candidate->upper, &offset);
	VecIdxPeek	peek = vecidx_peek(handle, block);

	if (likely(peek.page != NULL))
		vecidx_peek_prefetch(&peek, offset, handle->layout.run[run].size);
	else
		vecidx_handle_announce(handle, block);
}

static int
store_enter(VecIdxSource *source, int floor, int *level, VecIdxCandidate **batch)
{
	VecIdxStore *store = (VecIdxStore *) source;
	VecIdxEntries *entries = vecidx_entries_get(store);

	if (entries == NULL)
		return 0;
	if (floor > entries->level)
	{
		const VecIdxMetaState *state = &store->handle->state;

		if (floor > (int) state->entry_level || !vecidx_store_estimate(store, state->entry, &store->entrance))
			return 0;
		store->entrance.upper = state->entry_upper;
		*level = state->entry_level;
		*batch = &store->entrance;
		return 1;
	}
	vecidx_query_estimates(store->query, entries->bits, entries->f0, entries->f1, entries->count, entries->estimates);
	for (uint32 i = 0; i < entries->count; i++)
		entries->batch[i].estimate = entries->estimates[i];
	store->estimates += entries->count;
	*level = entries->level;
	*batch = entries->batch;
	return entries->count;
}

/* Reads the vector under lock, together with the state that says whether the node is live. */
static const uint8 *
store_vector(VecIdxSource *source, uint32 node)
{
	VecIdxStore *store = (VecIdxStore *) source;
	VecIdxHandle *handle = store->handle;
	bool		exact = handle->layout.run[VECIDX_RUN_RERANK].span == 0;
	VecIdxRunKind run = exact ? VECIDX_RUN_CODE : VECIDX_RUN_RERANK;
	char	   *copy;

	vecidx_peek_slot(handle, VECIDX_RUN_ADJACENCY, node, store->adjacency);
	if (store->adjacency->state != VECIDX_LIVE)
		return NULL;
	copy = MemoryContextAlloc(store->copies, handle->layout.run[run].size);
	if (!vecidx_slot_read_vector(handle, run, node, copy))
		return NULL;
	return (uint8 *) copy + (exact ? sizeof(VecIdxCodeSlot) : sizeof(VecIdxRerankSlot));
}

void
vecidx_store_prefetch_rows(VecIdxStore *store, uint32 node)
{
	VecIdxHandle *handle = store->handle;
	uint32		offset;
	VecIdxPeek	peek = vecidx_peek(handle, vecidx_handle_locate(handle, VECIDX_RUN_ADJACENCY, node, &offset));

	if (unlikely(peek.page == NULL))
	{
		vecidx_handle_announce(handle, peek.block);
		return;
	}
	vecidx_peek_prefetch_page(&peek);
	vecidx_peek_prefetch(&peek, offset, sizeof(VecIdxAdjacencySlot));
}

void
vecidx_store_prefetch(VecIdxStore *store, uint32 node)
{
	VecIdxHandle *handle = store->handle;
	const VecIdxRun *run = &handle->layout.run[VECIDX_RUN_RERANK];
	uint32		offset;
	VecIdxPeek	peek;

	if (run->span != 1)
		return;
	peek = vecidx_peek(handle, vecidx_handle_locate(handle, VECIDX_RUN_RERANK, node, &offset));
	if (likely(peek.page != NULL))
		vecidx_peek_prefetch(&peek, offset, run->size);
	else
		store->cold |= vecidx_handle_announce(handle, peek.block);
}

void
vecidx_store_settle(VecIdxStore *store, uint32 node)
{
	VecIdxHandle *handle = store->handle;
	uint32		offset;
	VecIdxPeek	peek;

	if (handle->layout.run[VECIDX_RUN_RERANK].span != 1)
		return;
	peek = vecidx_peek(handle, vecidx_handle_locate(handle, VECIDX_RUN_RERANK, node, &offset));
	if (peek.page == NULL || vecidx_peek_valid(handle, &peek))
		return;
	vecidx_handle_forget(handle, peek.block);
	store->cold |= vecidx_handle_announce(handle, peek.block);
}

/*
 * Reads a rerank slot.  Its checksum covers node and version as well: a copy
 * made without a pin that passes is what stood there at some moment, no less
 * than one made under lock.
 */
static bool
read_rerank(VecIdxStore *store, uint32 node)
{
	VecIdxHandle *handle = store->handle;
	const VecIdxRun *run = &handle->layout.run[VECIDX_RUN_RERANK];
	uint32		offset;
	VecIdxPeek	peek;

	if (likely(run->span == 1))
	{
		peek = vecidx_peek(handle, vecidx_handle_locate(handle, VECIDX_RUN_RERANK, node, &offset));
		if (vecidx_peek_copy(handle, &peek, VECIDX_RUN_RERANK, offset, store->rerank) && store->rerank->node == node)
			return true;
	}
	return vecidx_slot_read_vector(handle, VECIDX_RUN_RERANK, node, store->rerank);
}

bool
vecidx_store_distance(VecIdxStore *store, uint32 node, VecIdxDistance *distance)
{
	const uint8 *vector = (const uint8 *) (store->rerank + 1);

	if (!read_rerank(store, node))
		return false;
	store->reranked++;
	distance->version = store->rerank->version;
	distance->order = vecidx_query_distance(store->query, vector);
	distance->bound = vecidx_query_distance_bound(store->query, vector);
	return true;
}

void
vecidx_store_rewind(VecIdxStore *store)
{
	store->block = InvalidBlockNumber;
	if (store->page == NULL)
		store->page = MemoryContextAlloc(store->context, BLCKSZ);
}

/* Pages that a pass over all nodes has read ahead. */
#define PASS_AHEAD		32

static void
copy_code_page(VecIdxStore *store, uint32 node, BlockNumber block)
{
	VecIdxHandle *handle = store->handle;
	uint32		later = node + PASS_AHEAD * handle->layout.run[VECIDX_RUN_CODE].per_page;
	Page		page;
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	if (later < handle->state.nodes)
		vecidx_handle_announce_slot(handle, VECIDX_RUN_CODE, later);
	buffer = vecidx_buffer_share(handle->index, block, VECIDX_PAGE_CODE,
								 vecidx_handle_first(handle, VECIDX_RUN_CODE, node), &page);
	memcpy(store->page, page, BLCKSZ);
	vecidx_buffer_release(buffer);
	store->block = block;
}

bool
vecidx_store_next(VecIdxStore *store, uint32 node, VecIdxCandidate *candidate)
{
	VecIdxHandle *handle = store->handle;
	const VecIdxCodeSlot *slot = store->code;
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, VECIDX_RUN_CODE, node, &offset);

	if (handle->layout.run[VECIDX_RUN_CODE].span != 1)
	{
		CHECK_FOR_INTERRUPTS();
		if (!vecidx_slot_read_vector(handle, VECIDX_RUN_CODE, node, store->code))
			return false;
	}
	else
	{
		if (block != store->block)
			copy_code_page(store, node, block);
		slot = (const VecIdxCodeSlot *) (store->page + offset);
		if (slot->mark != vecidx_layout_mark(&handle->layout, node) || !vecidx_slot_sealed(&handle->layout, VECIDX_RUN_CODE, slot))
			vecidx_corrupted(handle->index, block, "The checksum of a code is wrong");
	}
	if (slot->state != VECIDX_LIVE)
		return false;
	candidate->node = node;
	candidate->upper = VECIDX_NONE;
	set_estimate(store, slot, candidate);
	return true;
}

void
vecidx_store_query(VecIdxStore *store, const VecIdxQuery *query)
{
	store->query = query;
	MemoryContextReset(store->copies);
}

void
vecidx_store_init(VecIdxStore *store, VecIdxHandle *handle, MemoryContext context)
{
	const VecIdxRun *run = handle->layout.run;

	memset(store, 0, sizeof(VecIdxStore));
	store->source.expand = store_expand;
	store->source.prefetch = store_prefetch;
	store->source.enter = store_enter;
	store->source.vector = store_vector;
	store->handle = handle;
	store->context = context;
	store->copies = AllocSetContextCreate(context, "vecidx vectors", ALLOCSET_DEFAULT_SIZES);
	store->adjacency = MemoryContextAlloc(context, run[VECIDX_RUN_ADJACENCY].size);
	store->upper = MemoryContextAlloc(context, run[VECIDX_RUN_UPPER].size);
	store->code = MemoryContextAlloc(context, run[VECIDX_RUN_CODE].size);
	store->rerank = MemoryContextAlloc(context, Max(run[VECIDX_RUN_RERANK].size, sizeof(VecIdxRerankSlot)));
}
