/*
 * store.c
 *	  The graph in the index's pages.
 *
 * A search walks on peeks (page/peek.h).  What it returns is decided by
 * vecidx_store_distance and by the adjacency slot that gives the TIDs, which
 * are read under pin and lock.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "graph/entry.h"
#include "graph/store.h"
#include "page/meta.h"
#include "page/peek.h"

void
vecidx_store_check_node(VecIdxStore *store, uint32 node, const char *where)
{
	if (likely(node < store->handle->state.nodes))
		return;
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

/* Estimates from a page in shared buffers without a pin; false: do it the other way. */
static inline bool
estimate_peek(VecIdxStore *store, const VecIdxPeek *peek, uint32 offset, uint32 node, VecIdxCandidate *candidate)
{
	const VecIdxCodeSlot *slot;

	if (!vecidx_peek_valid(store->handle, peek))
		return false;
	slot = (const VecIdxCodeSlot *) (peek->page + offset);
	if (slot->node != node)
		return false;
	set_estimate(store, slot, candidate);
	if (!vecidx_peek_valid(store->handle, peek))
		return false;
	return true;
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

/* Ids of unvisited neighbours, with their places resolved and on their way into the cache. */
typedef struct Gather
{
	int			count;
	VecIdxPeek	peek[VECIDX_BATCH_MAX];
	uint32		offset[VECIDX_BATCH_MAX];
} Gather;

static inline void
gather_node(VecIdxStore *store, Gather *gather, uint32 node)
{
	VecIdxHandle *handle = store->handle;
	int			i = gather->count++;
	BlockNumber block = vecidx_handle_locate(handle, VECIDX_RUN_CODE, node, &gather->offset[i]);

	if (unlikely(handle->layout.run[VECIDX_RUN_CODE].span != 1))
	{
		gather->peek[i].page = NULL;
		return;
	}
	gather->peek[i] = vecidx_peek(handle, block);
	if (gather->peek[i].page != NULL)
		vecidx_peek_prefetch(&gather->peek[i], gather->offset[i], Min(handle->layout.run[VECIDX_RUN_CODE].size, 512));
}

/* Estimates all that was gathered; nodes whose slots turn out to be free are left out. */
static int
estimate_gathered(VecIdxStore *store, Gather *gather, VecIdxCandidate *batch)
{
	int			kept = 0;

	for (int i = 0; i < gather->count; i++)
	{
		VecIdxCandidate candidate = batch[i];

		if (estimate_peek(store, &gather->peek[i], gather->offset[i], candidate.node, &candidate) ||
			vecidx_store_estimate(store, candidate.node, &candidate))
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

	gather.count = 0;
	vecidx_peek_slot(store->handle, VECIDX_RUN_ADJACENCY, node, slot);
	if (slot->node != node || (slot->state != VECIDX_LIVE && slot->state != VECIDX_TOMBSTONE))
		return 0;
	for (int i = 0; i < Min(slot->neighbours, 2 * store->handle->fixed.m); i++)
	{
		vecidx_store_check_node(store, neighbours[i], "A list of neighbours");
		if (!vecidx_visited_add(visited, neighbours[i]))
			continue;
		batch[gather.count].node = neighbours[i];
		batch[gather.count].upper = VECIDX_NONE;
		gather_node(store, &gather, neighbours[i]);
	}
	return estimate_gathered(store, &gather, batch);
}

static int
expand_upper(VecIdxStore *store, const VecIdxCandidate *from, int level,
			 VecIdxVisited *visited, VecIdxCandidate *batch)
{
	VecIdxUpperSlot *slot = store->upper;
	const VecIdxUpperLink *links = VecIdxUpperLinks(slot);
	Gather		gather;

	gather.count = 0;
	vecidx_peek_slot(store->handle, VECIDX_RUN_UPPER, from->upper, slot);
	if (slot->state != VECIDX_LIVE || slot->node != from->node || slot->level != level)
		return 0;
	for (int i = 0; i < Min(slot->links, store->handle->fixed.m); i++)
	{
		vecidx_store_check_node(store, links[i].node, "A list of upper neighbours");
		if (!vecidx_visited_add(visited, links[i].node))
			continue;
		batch[gather.count].node = links[i].node;
		batch[gather.count].upper = links[i].upper;
		gather_node(store, &gather, links[i].node);
	}
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

static int
store_enter(VecIdxSource *source, int floor, int *level, VecIdxCandidate **batch)
{
	VecIdxStore *store = (VecIdxStore *) source;
	VecIdxEntries *entries = vecidx_entries_get(store);
	Size		stride = store->handle->layout.run[VECIDX_RUN_CODE].size;

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
	for (uint32 i = 0; i < entries->count; i++)
		set_estimate(store, (VecIdxCodeSlot *) (entries->codes + i * stride), &entries->batch[i]);
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
vecidx_store_prefetch(VecIdxStore *store, uint32 node)
{
	VecIdxHandle *handle = store->handle;
	const VecIdxRun *run = &handle->layout.run[VECIDX_RUN_RERANK];
	uint32		offset;
	VecIdxPeek	peek;

	if (run->span != 1)
		return;
	peek = vecidx_peek(handle, vecidx_handle_locate(handle, VECIDX_RUN_RERANK, node, &offset));
	if (peek.page == NULL)
		return;
	__builtin_prefetch(peek.page);
	__builtin_prefetch(peek.page + BLCKSZ - sizeof(VecIdxPageTail));
	vecidx_peek_prefetch(&peek, offset, run->size);
}

bool
vecidx_store_distance(VecIdxStore *store, const VecIdxCandidate *candidate, float *distance, uint32 *version)
{
	if (store->handle->layout.run[VECIDX_RUN_RERANK].span == 0)
	{
		*version = VECIDX_NONE;
		*distance = candidate->estimate;
		return true;
	}
	if (!vecidx_slot_read_vector(store->handle, VECIDX_RUN_RERANK, candidate->node, store->rerank))
		return false;
	*version = store->rerank->version;
	*distance = vecidx_query_distance(store->query, (uint8 *) (store->rerank + 1));
	return true;
}

void
vecidx_store_rewind(VecIdxStore *store)
{
	store->block = InvalidBlockNumber;
	if (store->page == NULL)
		store->page = MemoryContextAlloc(store->context, BLCKSZ);
}

static void
copy_code_page(VecIdxStore *store, uint32 node, BlockNumber block)
{
	VecIdxHandle *handle = store->handle;
	Page		page;
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
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
		if (slot->node != node || !vecidx_slot_sealed(&handle->layout, VECIDX_RUN_CODE, slot))
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
