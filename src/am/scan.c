/*
 * scan.c
 *	  amgettuple: rows by distance, as many as are asked for.
 *
 * The access method is not told how many rows the query wants.  It returns
 * them in batches of growing size; for each, the search goes on with the beam
 * that reaches the recall target for all rows so far, and the best of what it
 * has met is ranked by rerank vectors.  When the graph has no more to give,
 * or has given so much that walking costs more than looking at every code,
 * a sweep (graph/sweep.h) goes over all nodes that were not returned.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "am/am.h"
#include "compat.h"
#include "graph/calibrate.h"
#include "graph/rank.h"
#include "graph/search.h"
#include "graph/sweep.h"
#include "options.h"

/* Rows of the first batch; each next one doubles the rows returned. */
#define FIRST_BATCH			10

/* Rows that a sweep ranks at a time, at most. */
#define SWEEP_BATCH			4096

/* Up to this many nodes a sweep is as fast as a walk, and exact. */
#define SWEEP_NODES			1000

/* A walk that has met more than this share of all nodes gives way to a sweep. */
#define SWEEP_SHARE			8

/* Number of times that a chain of TIDs is read when it changes meanwhile. */
#define CHAIN_TRIES			1000

typedef enum DistancePhase
{
	SCAN_BEGIN,
	SCAN_WALK,
	SCAN_SWEEP,
	SCAN_DONE
} DistancePhase;

typedef struct DistanceScan
{
	/* fixed */
	MemoryContext context;		/* lives as long as the scan */
	MemoryContext work;			/* reset at each rescan */
	const VecIdxType *type;

	/* from rescan to rescan */
	VecIdxScanOptions options;
	DistancePhase	phase;
	VecIdxHandle *handle;		/* held by the work context */
	VecIdxStore store;
	VecIdxSearch search;
	VecIdxRank	rank;
	VecIdxSweep sweep;			/* once the phase is SCAN_SWEEP */
	uint32		swept;			/* nodes given out since the sweep began */
	uint32	   *returned;		/* nodes given out before the sweep began */
	uint32		returned_count;
	uint32		returned_room;
	uint32		batch_end;		/* nodes to have been given out when the batch ends */
	uint32		rank_next;		/* ranked nodes of the batch: the next one, */
	uint32		rank_left;		/* and how many are left */

	/* rows of the node at hand */
	ItemPointerData *tids;
	uint32		tid_count;
	uint32		tid_room;
	uint32		tid_next;
	VecIdxAdjacencySlot *adjacency;
} DistanceScan;

IndexScanDesc
vecidx_beginscan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx scan", ALLOCSET_DEFAULT_SIZES);
	DistanceScan *state = MemoryContextAllocZero(context, sizeof(DistanceScan));

	state->context = context;
	state->work = AllocSetContextCreate(context, "vecidx scan work", ALLOCSET_DEFAULT_SIZES);
	state->type = vecidx_row_type(index);
	scan->opaque = state;
	return scan;
}

void
vecidx_rescan(IndexScanDesc scan, ScanKey keys, int nkeys pg_attribute_unused(), ScanKey orderbys, int norderbys pg_attribute_unused())
{
	DistanceScan *state = scan->opaque;

	if (keys != NULL && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
	if (orderbys != NULL && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys, scan->numberOfOrderBys * sizeof(ScanKeyData));
	MemoryContextReset(state->work);
	state->phase = SCAN_BEGIN;
	state->handle = NULL;
	state->swept = 0;
	state->returned_count = state->returned_room = 0;
	state->tid_count = state->tid_next = state->tid_room = 0;
	state->batch_end = 0;
	state->rank_next = state->rank_left = 0;
}

void
vecidx_endscan(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;

	MemoryContextDelete(state->context);
	scan->opaque = NULL;
}

/* The decoder for the right-hand side of the ordering operator. */
static const VecIdxDecoder *
query_decoder(IndexScanDesc scan)
{
	const DistanceScan *state = scan->opaque;
	Oid			type = scan->orderByData->sk_subtype;
	const VecIdxDecoder *decoder;

	if (!OidIsValid(type) || type == scan->indexRelation->rd_opcintype[0])
		return &state->type->decoder;
	decoder = vecidx_type_array_decoder(type);
	if (decoder == NULL)
		elog(ERROR, "no decoder for queries of type %u", type);
	return decoder;
}

/*
 * Prepares the query.  A NULL query, or one without a direction under cosine,
 * is at no distance from any row: rows come in any order, so the origin
 * stands in for it.
 */
static const VecIdxQuery *
prepare_query(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;
	VecIdxHandle *handle = state->handle;
	ScanKey		key = scan->orderByData;
	VecIdxQuantParams params = vecidx_layout_quant(&handle->fixed);
	float	   *row = NULL;
	int			dimensions;

	if ((key->sk_flags & SK_ISNULL) == 0)
		row = vecidx_row_decode(scan->indexRelation, query_decoder(scan), state->type->metric,
								key->sk_argument, handle->fixed.dimensions, &dimensions);
	if (row == NULL)
		row = palloc0(params.dimensions * sizeof(float));
	return vecidx_query_init(palloc(vecidx_query_size(&params)), handle->quantizer, row,
							 palloc(vecidx_quant_scratch_size(&params)));
}

static void
begin_sweep(DistanceScan *state)
{
	vecidx_sweep_init(&state->sweep, &state->store, state->work, (Size) work_mem * 1024 / 2);
	for (uint32 i = 0; i < state->returned_count; i++)
		vecidx_sweep_mark(&state->sweep, state->returned[i]);
	vecidx_rank_reset(&state->rank);
	state->phase = SCAN_SWEEP;
}

static void
begin_scan(IndexScanDesc scan)
{
	DistanceScan *state = scan->opaque;

	if (scan->numberOfOrderBys != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" can only be scanned in order of distance", RelationGetRelationName(scan->indexRelation))));
	if (!IsMVCCSnapshot(scan->xs_snapshot))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" cannot be scanned with a non-MVCC snapshot",
						RelationGetRelationName(scan->indexRelation))));
	pgstat_count_index_scan(scan->indexRelation);
	VecIdxCountSearch(scan);
	state->options = vecidx_options_scan();
	state->handle = vecidx_handle_acquire(scan->indexRelation);
	vecidx_handle_release_with(state->handle, state->work);
	state->phase = SCAN_DONE;
	if (state->handle->state.nodes == 0)
		return;
	vecidx_store_init(&state->store, state->handle, state->work);
	vecidx_rank_init(&state->rank, &state->store, state->work);
	state->adjacency = palloc(state->handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	vecidx_store_query(&state->store, prepare_query(scan));
	if (state->handle->state.nodes <= SWEEP_NODES)
	{
		begin_sweep(state);
		return;
	}
	vecidx_search_init(&state->search, &state->store.source, state->work);
	if (vecidx_search_descend(&state->search, 0))
		state->phase = SCAN_WALK;
	else
		begin_sweep(state);
}

static uint32
choose_beam(const DistanceScan *state)
{
	if (state->options.ef_search > 0)
		return Max((uint32) state->options.ef_search, state->batch_end);
	return vecidx_calibrate_beam(&state->handle->fixed, state->options.target_recall, state->batch_end);
}

/* Widens the search for the next batch; turns to the sweep when the walk has had its time. */
static void
walk_on(DistanceScan *state)
{
	bool		more;

	state->batch_end = state->batch_end == 0 ? FIRST_BATCH : state->batch_end * 2;
	if (state->batch_end > state->handle->state.nodes / SWEEP_SHARE)
	{
		begin_sweep(state);
		return;
	}
	more = vecidx_search_run(&state->search, 0, choose_beam(state));
	if (!more || state->search.found_count > state->handle->state.nodes / SWEEP_SHARE)
		begin_sweep(state);
	else
		vecidx_rank_take(&state->rank, &state->search);
}

static void
note_returned(DistanceScan *state, uint32 node)
{
	if (state->phase == SCAN_SWEEP)
	{
		vecidx_sweep_mark(&state->sweep, node);
		state->swept++;
		return;
	}
	if (state->returned_count == state->returned_room)
	{
		state->returned_room = Max(64, state->returned_room * 2);
		if (state->returned == NULL || state->returned_count == 0)
			state->returned = palloc(state->returned_room * sizeof(uint32));
		else
			state->returned = repalloc_huge(state->returned, (Size) state->returned_room * sizeof(uint32));
	}
	state->returned[state->returned_count++] = node;
}

/* Rows of a node. */

static void
add_tids(DistanceScan *state, const char *tids, uint32 count)
{
	while (state->tid_count + count > state->tid_room)
	{
		state->tid_room = Max(64, state->tid_room * 2);
		if (state->tid_room == 64)
			state->tids = palloc(state->tid_room * sizeof(ItemPointerData));
		else
			state->tids = repalloc_huge(state->tids, (Size) state->tid_room * sizeof(ItemPointerData));
	}
	memcpy(state->tids + state->tid_count, tids, count * sizeof(ItemPointerData));
	state->tid_count += count;
}

/*
 * Gathers the TIDs of the chain that starts at "next".  TIDs never move
 * between slots, so that one that the snapshot can see is met; if the chain
 * changes under us because vacuum frees an empty link, the caller begins
 * again.
 */
static bool
gather_chain(DistanceScan *state, uint32 owner, uint32 next)
{
	VecIdxAdjacencySlot *slot = state->adjacency;
	uint32		room = VecIdxExtensionTids(state->handle->fixed.m);
	uint32		links = 0;

	while (next != VECIDX_NONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (links++ > state->handle->state.nodes)
			vecidx_damaged(state->handle->index, psprintf("The chain of extensions of node %u has no end", owner));
		vecidx_store_check_node(&state->store, next, "A chain of extensions");
		vecidx_slot_read(state->handle, VECIDX_RUN_ADJACENCY, next, slot);
		if (slot->state != VECIDX_EXTENSION || slot->upper != owner)
			return false;
		add_tids(state, (char *) slot->tid, Min(slot->tids, room));
		next = slot->next;
	}
	return true;
}

/* Gathers the rows of a node; none if it has been freed or has become another node since it was ranked. */
static void
gather_tids(DistanceScan *state, uint32 node, uint32 version)
{
	VecIdxAdjacencySlot *slot = state->adjacency;
	bool		whole;
	int			tries = 0;

	do
	{
		if (++tries > CHAIN_TRIES)
			vecidx_corrupted(state->handle->index, VECIDX_METAPAGE_BLOCK, "A chain of extensions does not end");
		state->tid_count = state->tid_next = 0;
		vecidx_slot_read(state->handle, VECIDX_RUN_ADJACENCY, node, slot);
		if (slot->state != VECIDX_LIVE || (version != VECIDX_NONE && slot->version != version))
			return;
		add_tids(state, (char *) slot->tid, Min(slot->tids, VECIDX_INLINE_TIDS));
		whole = gather_chain(state, node, slot->next);
	} while (!whole);
}

/* Brings the next node's rows to hand; false when there is none. */
static bool
next_node(DistanceScan *state)
{
	while (state->phase != SCAN_DONE)
	{
		uint32		wanted = state->batch_end > state->returned_count ? state->batch_end - state->returned_count : 0;

		CHECK_FOR_INTERRUPTS();
		if (state->phase == SCAN_SWEEP)
			wanted = Max(FIRST_BATCH, Min(state->swept, SWEEP_BATCH));
		if (state->rank_left == 0 && wanted > 0)
			state->rank_left = vecidx_rank_best(&state->rank, wanted);
		if (state->rank_left > 0)
		{
			VecIdxRanked ranked = state->rank.ready[state->rank_next++];

			state->rank_left--;
			note_returned(state, ranked.node);
			gather_tids(state, ranked.node, ranked.version);
			if (state->rank_left == 0)
			{
				vecidx_rank_drop(&state->rank, state->rank_next);
				state->rank_next = 0;
			}
			if (state->tid_count > 0)
				return true;
			continue;
		}
		if (state->phase == SCAN_WALK)
			walk_on(state);
		else if (vecidx_sweep_pass(&state->sweep, &state->rank) == 0)
			state->phase = SCAN_DONE;
	}
	return false;
}

bool
vecidx_gettuple(IndexScanDesc scan, ScanDirection direction)
{
	DistanceScan *state = scan->opaque;
	MemoryContext old = MemoryContextSwitchTo(state->work);
	bool		found = true;

	if (!ScanDirectionIsForward(direction))
		elog(ERROR, "vecidx indexes are scanned forward only");
	if (state->phase == SCAN_BEGIN)
		begin_scan(scan);
	if (state->tid_next >= state->tid_count)
		found = next_node(state);
	if (found)
	{
		scan->xs_heaptid = state->tids[state->tid_next++];
		scan->xs_recheck = false;
		scan->xs_recheckorderby = false;
	}
	MemoryContextSwitchTo(old);
	return found;
}
