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
#include "port/pg_bitutils.h"
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

/* They are on their way into the cache then. */
void
vecidx_store_locate(VecIdxStore *store, VecIdxBatch *batch)
{
	VecIdxHandle *handle = store->handle;
	const VecIdxRun *run = &handle->layout.run[VECIDX_RUN_CODE];
	VecIdxPeek	peek = {NULL, NULL, InvalidBlockNumber};

	for (int i = 0; i < batch->count; i++)
	{
		uint32		offset;
		BlockNumber block = vecidx_handle_locate(handle, VECIDX_RUN_CODE, batch->candidate[i].node, &offset);

		/* nodes that are near each other often lie on the same page */
		if (block != peek.block || peek.page == NULL)
			peek = vecidx_peek_wanted(handle, block);
		batch->code[i] = store->nowhere;
		if (likely(peek.page != NULL && run->span == 1))
		{
			batch->code[i] = (const VecIdxCodeSlot *) (peek.page + offset);
			vecidx_peek_prefetch_slot(&peek, offset, Min(run->size, 512));
		}
	}
}

static void
begin_ground(VecIdxStore *store, uint32 node, VecIdxVisited *visited, VecIdxBatch *batch)
{
	VecIdxAdjacencySlot *slot = store->adjacency;
	const uint32 *neighbours = VecIdxAdjacencyNeighbours(slot);
	int			count;

	vecidx_peek_slot(store->handle, VECIDX_RUN_ADJACENCY, node, slot);
	if (slot->node != node || (slot->state != VECIDX_LIVE && slot->state != VECIDX_TOMBSTONE))
		return;
	count = Min(slot->neighbours, 2 * store->handle->fixed.m);
	vecidx_visited_reserve(visited, count);
	for (int i = 0; i < count; i++)
	{
		vecidx_store_check_node(store, neighbours[i], "A list of neighbours");
		batch->candidate[batch->count].node = neighbours[i];
		batch->candidate[batch->count].upper = VECIDX_NONE;
		batch->count += vecidx_visited_add(visited, neighbours[i]);
	}
}

static void
begin_upper(VecIdxStore *store, const VecIdxCandidate *from, int level,
			VecIdxVisited *visited, VecIdxBatch *batch)
{
	VecIdxUpperSlot *slot = store->upper;
	const VecIdxUpperLink *links = VecIdxUpperLinks(slot);
	int			count;

	vecidx_peek_slot(store->handle, VECIDX_RUN_UPPER, from->upper, slot);
	if (slot->state != VECIDX_LIVE || slot->node != from->node || slot->level != level)
		return;
	count = Min(slot->links, store->handle->fixed.m);
	vecidx_visited_reserve(visited, count);
	for (int i = 0; i < count; i++)
	{
		vecidx_store_check_node(store, links[i].node, "A list of upper neighbours");
		batch->candidate[batch->count].node = links[i].node;
		batch->candidate[batch->count].upper = links[i].upper;
		batch->count += vecidx_visited_add(visited, links[i].node);
	}
}

static void
store_begin(VecIdxSource *source, const VecIdxCandidate *from, int level,
			VecIdxVisited *visited, VecIdxBatch *batch)
{
	VecIdxStore *store = (VecIdxStore *) source;

	batch->count = 0;
	if (level == 0)
		begin_ground(store, from->node, visited, batch);
	else
		begin_upper(store, from, level, visited, batch);
	vecidx_store_locate(store, batch);
}

/*
 * Is this, in a buffer that is not pinned, the node's code?  If it is before and
 * after it was looked at, the worst is that it was being written meanwhile.
 */
static inline bool
is_code(const VecIdxStore *store, const VecIdxCodeSlot *code, uint32 node)
{
	return code->mark == vecidx_layout_mark(&store->handle->layout, node);
}

/* Which codes are not where they are expected, a bit each. */
static inline uint32
find_missing(const VecIdxStore *store, const uint32 *nodes, const VecIdxCodeSlot *const *codes, int count)
{
	uint32		differ = 0;
	uint32		missing = 0;

	/* most often none is: to learn as much takes no look at each */
	for (int i = 0; i < count; i++)
		differ |= codes[i]->mark ^ vecidx_layout_mark(&store->handle->layout, nodes[i]);
	for (int i = 0; i < count && unlikely(differ != 0); i++)
		missing |= (uint32) !is_code(store, codes[i], nodes[i]) << i;
	return missing;
}

static void
estimate_in_place(VecIdxStore *store, const VecIdxCodeSlot *const *codes, int count, float *estimates, float *bounds)
{
	const uint8 *bits[VECIDX_TOGETHER_MOST];
	float		f0[VECIDX_TOGETHER_MOST];
	float		f1[VECIDX_TOGETHER_MOST];
	float		error[VECIDX_TOGETHER_MOST];

	for (int i = 0; i < count; i++)
	{
		const VecIdxCodeSlot *code = codes[i];

		bits[i] = (const uint8 *) (code + 1);
		f0[i] = code->f0;
		f1[i] = code->f1;
		error[i] = vecidx_error_unpack(code->error);
	}
	vecidx_query_estimates(store->query, bits, f0, f1, count, estimates);
	vecidx_query_bounds(store->query, error, count, bounds);
}

/* The node's code is not where it was last seen: has its page read ahead. */
static void
lose_code(VecIdxStore *store, uint32 node)
{
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(store->handle, VECIDX_RUN_CODE, node, &offset);

	vecidx_handle_forget(store->handle, block);
	vecidx_handle_announce(store->handle, block);
}

/* Estimates those that were missing; returns which of them are gone. */
static uint32
estimate_missing(VecIdxStore *store, const uint32 *nodes, const VecIdxCodeSlot *const *codes, uint32 missing,
				 float *estimates, float *bounds)
{
	uint32		gone = 0;

	for (uint32 left = missing; left != 0; left &= left - 1)
	{
		int			i = pg_rightmost_one_pos32(left);

		if (codes[i] != store->nowhere)
			lose_code(store, nodes[i]);
	}
	for (uint32 left = missing; left != 0; left &= left - 1)
	{
		int			i = pg_rightmost_one_pos32(left);
		VecIdxCandidate candidate;

		if (!vecidx_store_estimate(store, nodes[i], &candidate))
		{
			gone |= (uint32) 1 << i;
			continue;
		}
		estimates[i] = candidate.estimate;
		bounds[i] = candidate.bound;
	}
	return gone;
}

uint32
vecidx_store_estimates(VecIdxStore *store, const uint32 *nodes, const VecIdxCodeSlot *const *codes, int count,
					   float *estimates, float *bounds)
{
	uint32		all = count == VECIDX_TOGETHER_MOST ? PG_UINT32_MAX : ((uint32) 1 << count) - 1;
	uint32		missing = find_missing(store, nodes, codes, count);

	if (likely(missing != all))
	{
		estimate_in_place(store, codes, count, estimates, bounds);
		/* a page may have made way for another meanwhile */
		missing |= find_missing(store, nodes, codes, count);
	}
	store->estimates += count;
	vecidx_visits.hit[VECIDX_VISIT_CODE] += count;
	if (likely(missing == 0))
		return 0;
	vecidx_visits.hit[VECIDX_VISIT_CODE] -= pg_popcount32(missing);
	return estimate_missing(store, nodes, codes, missing, estimates, bounds);
}

/* Estimates those of a batch from one place on; returns to where they are kept. */
static int
finish_some(VecIdxStore *store, VecIdxBatch *batch, int from, int kept)
{
	VecIdxCandidate *candidate = &batch->candidate[from];
	int			count = Min(batch->count - from, VECIDX_TOGETHER_MOST);
	uint32		nodes[VECIDX_TOGETHER_MOST] = {0};
	float		estimates[VECIDX_TOGETHER_MOST];
	float		bounds[VECIDX_TOGETHER_MOST];
	uint32		gone;

	for (int i = 0; i < count; i++)
		nodes[i] = candidate[i].node;
	gone = vecidx_store_estimates(store, nodes, batch->code + from, count, estimates, bounds);
	for (int i = 0; i < count; i++)
	{
		if (unlikely((gone & (uint32) 1 << i) != 0))
			continue;
		batch->candidate[kept] = candidate[i];
		batch->candidate[kept].estimate = estimates[i];
		batch->candidate[kept++].bound = bounds[i];
	}
	return kept;
}

static void
store_finish(VecIdxSource *source, VecIdxBatch *batch)
{
	int			kept = 0;

	for (int from = 0; from < batch->count; from += VECIDX_TOGETHER_MOST)
		kept = finish_some((VecIdxStore *) source, batch, from, kept);
	batch->count = kept;
}

static void
store_prefetch(VecIdxSource *source, const VecIdxCandidate *candidate, int level)
{
	VecIdxHandle *handle = ((VecIdxStore *) source)->handle;
	VecIdxRunKind run = level == 0 ? VECIDX_RUN_ADJACENCY : VECIDX_RUN_UPPER;
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, run, level == 0 ? candidate->node : candidate->upper, &offset);
	VecIdxPeek	peek = vecidx_peek_wanted(handle, block);

	if (likely(peek.page != NULL))
		vecidx_peek_prefetch(&peek, offset, handle->layout.run[run].size);
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
	vecidx_query_bounds(store->query, entries->error, entries->count, entries->bounds);
	for (uint32 i = 0; i < entries->count; i++)
	{
		entries->batch[i].estimate = entries->estimates[i];
		entries->batch[i].bound = entries->bounds[i];
	}
	store->estimates += entries->count;
	*level = entries->level;
	*batch = entries->batch;
	return entries->count;
}

/*
 * Reads a rerank slot.  Its checksum covers node and version as well: a copy
 * made without a pin that passes is what stood there at some moment, no less
 * than one made under lock.
 */
static bool
read_rerank(VecIdxStore *store, uint32 node, VecIdxRerankSlot *copy)
{
	VecIdxHandle *handle = store->handle;

	if (likely(handle->layout.run[VECIDX_RUN_RERANK].span == 1))
	{
		uint32		offset;
		VecIdxPeek	peek = vecidx_peek(handle, vecidx_handle_locate(handle, VECIDX_RUN_RERANK, node, &offset));

		if (vecidx_peek_copy(handle, &peek, VECIDX_RUN_RERANK, offset, copy) && copy->node == node)
			return true;
	}
	return vecidx_slot_read_vector(handle, VECIDX_RUN_RERANK, node, copy);
}

/* Bytes that stay allocated for copies: what an insert needs. */
#define COPIES_KEPT		(256 * 1024)

static void
prepare_copies(VecIdxStore *store)
{
	store->copies = AllocSetContextCreate(store->context, "vecidx vectors", COPIES_KEPT, COPIES_KEPT, ALLOCSET_DEFAULT_MAXSIZE);
	store->copied = MemoryContextAlloc(store->context, VECIDX_COPIED * sizeof(VecIdxCopied));
	memset(store->copied, 0xFF, VECIDX_COPIED * sizeof(VecIdxCopied));
}

/*
 * The checksum of a code is too short to trust a copy that was made without a
 * lock.  A rerank slot of another version is that of another life: the two
 * slots of a node are written a moment apart.
 */
static const uint8 *
copy_vector(VecIdxStore *store, uint32 node, uint32 *version)
{
	VecIdxHandle *handle = store->handle;
	bool		exact = handle->layout.run[VECIDX_RUN_RERANK].span == 0;
	char	   *copy;

	vecidx_peek_slot(handle, VECIDX_RUN_ADJACENCY, node, store->adjacency);
	if (store->adjacency->state != VECIDX_LIVE)
		return NULL;
	*version = store->adjacency->version;
	copy = MemoryContextAlloc(store->copies, handle->layout.run[exact ? VECIDX_RUN_CODE : VECIDX_RUN_RERANK].size);
	if (exact)
		return vecidx_slot_read_vector(handle, VECIDX_RUN_CODE, node, copy) ? (uint8 *) copy + sizeof(VecIdxCodeSlot) : NULL;
	if (!read_rerank(store, node, (VecIdxRerankSlot *) copy) || ((VecIdxRerankSlot *) copy)->version != *version)
		return NULL;
	return (uint8 *) copy + sizeof(VecIdxRerankSlot);
}

const uint8 *
vecidx_store_vector(VecIdxStore *store, uint32 node, uint32 *version)
{
	VecIdxCopied *copied;

	if (store->copies == NULL)
		prepare_copies(store);
	copied = &store->copied[node % VECIDX_COPIED];
	if (copied->node != node)
	{
		const uint8 *vector = copy_vector(store, node, version);

		if (vector == NULL)
			return NULL;
		copied->node = node;
		copied->version = *version;
		copied->vector = vector;
	}
	*version = copied->version;
	return copied->vector;
}

static const uint8 *
store_vector(VecIdxSource *source, uint32 node)
{
	uint32		version;

	return vecidx_store_vector((VecIdxStore *) source, node, &version);
}

void
vecidx_store_prefetch_rows(VecIdxStore *store, uint32 node)
{
	VecIdxHandle *handle = store->handle;
	uint32		offset;
	VecIdxPeek	peek = vecidx_peek_wanted(handle, vecidx_handle_locate(handle, VECIDX_RUN_ADJACENCY, node, &offset));

	if (unlikely(peek.page == NULL))
		return;
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
	peek = vecidx_peek_wanted(handle, vecidx_handle_locate(handle, VECIDX_RUN_RERANK, node, &offset));
	if (likely(peek.page != NULL))
		vecidx_peek_prefetch(&peek, offset, run->size);
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
	vecidx_handle_announce(handle, peek.block);
}

bool
vecidx_store_distance(VecIdxStore *store, uint32 node, VecIdxDistance *distance)
{
	const uint8 *vector = (const uint8 *) (store->rerank + 1);

	if (!read_rerank(store, node, store->rerank))
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
	store->estimates++;
	return true;
}

void
vecidx_store_query(VecIdxStore *store, const VecIdxQuery *query)
{
	store->query = query;
	if (store->copies == NULL)
		return;
	MemoryContextReset(store->copies);
	memset(store->copied, 0xFF, VECIDX_COPIED * sizeof(VecIdxCopied));
}

void
vecidx_store_init(VecIdxStore *store, VecIdxHandle *handle, MemoryContext context)
{
	const VecIdxRun *run = handle->layout.run;

	memset(store, 0, sizeof(VecIdxStore));
	store->source.begin = store_begin;
	store->source.finish = store_finish;
	store->source.prefetch = store_prefetch;
	store->source.enter = store_enter;
	store->source.vector = store_vector;
	store->handle = handle;
	store->context = context;
	store->adjacency = MemoryContextAlloc(context, run[VECIDX_RUN_ADJACENCY].size);
	store->upper = MemoryContextAlloc(context, run[VECIDX_RUN_UPPER].size);
	store->code = MemoryContextAlloc(context, run[VECIDX_RUN_CODE].size);
	store->rerank = MemoryContextAlloc(context, Max(run[VECIDX_RUN_RERANK].size, sizeof(VecIdxRerankSlot)));
	store->nowhere = MemoryContextAllocZero(context, run[VECIDX_RUN_CODE].size);
	store->nowhere->mark = vecidx_layout_mark(&handle->layout, VECIDX_NONE);
}
