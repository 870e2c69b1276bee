/*
 * reconnect.c
 *	  Joins parts of a graph that vacuum has left apart.
 *
 * Vacuum replaces a dead neighbour by that one's neighbours.  Where a whole
 * region dies at once these are dead as well, and what lies beyond the gap may
 * be left without a link from the rest.  So all that the entry node leads to
 * on level 0 is looked up; a live node that is not there gets links from and
 * to the nearest nodes that are, and all that it leads to is there from then
 * on.
 *
 * Pruning a list could cut off what only that list leads to.  So a list of a
 * node that is reached gets one link more, or, if it is full, one of its links
 * is led through the new node: a -> b becomes a -> node -> b.  Whatever was
 * reached stays reached, but for what inserts prune at the same time.
 */
#include "postgres.h"

#include <math.h>

#include "commands/vacuum.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "am/am.h"
#include "am/reconnect.h"
#include "compat.h"
#include "page/peek.h"

/* Number of times that a list is tried when others change it meanwhile. */
#define LIST_TRIES		16

typedef struct Reconnect
{
	/* fixed */
	VecIdxHandle *handle;
	MemoryContext context;
	MemoryContext work;			/* reset after each node */
	uint32		nodes;			/* ids that there were at the start */
	uint32		entry;
	int			room;			/* of a list */

	/* what the entry node leads to: bitmaps by node */
	uint64	   *reached;
	uint64	   *pending;		/* of these, the ones whose lists have not been looked at */
	uint32		pending_count;

	/* the node to be joined */
	VecIdxStore store;
	VecIdxSearch search;
	void	   *query_memory;
	void	   *scratch;
	float	   *row;
	const uint8 *vector;
	VecIdxNeighbour *nearest;	/* reached nodes, nearest first */
	int			nearest_count;

	/* copies of lists */
	VecIdxAdjacencySlot *slot;
	VecIdxAdjacencySlot *full;
	VecIdxAdjacencySlot *wanted;
} Reconnect;

static Reconnect *
begin_reconnect(VecIdxHandle *handle)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx reconnect", ALLOCSET_DEFAULT_SIZES);
	Reconnect  *reconnect = MemoryContextAllocZero(context, sizeof(Reconnect));
	VecIdxQuantParams params = vecidx_layout_quant(&handle->fixed);
	Size		slot = handle->layout.run[VECIDX_RUN_ADJACENCY].size;
	Size		words = handle->state.nodes / 64 + 1;

	reconnect->handle = handle;
	reconnect->context = context;
	reconnect->work = AllocSetContextCreate(context, "vecidx reconnect work", ALLOCSET_DEFAULT_SIZES);
	reconnect->nodes = handle->state.nodes;
	reconnect->entry = handle->state.entry;
	reconnect->room = vecidx_link_room(handle->fixed.m, 0);
	reconnect->reached = MemoryContextAllocExtended(context, words * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	reconnect->pending = MemoryContextAllocExtended(context, words * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	vecidx_store_init(&reconnect->store, handle, context);
	vecidx_search_init(&reconnect->search, &reconnect->store.source, context);
	reconnect->query_memory = MemoryContextAlloc(context, vecidx_query_size(&params));
	reconnect->scratch = MemoryContextAlloc(context, vecidx_quant_scratch_size(&params));
	reconnect->row = MemoryContextAlloc(context, params.dimensions * sizeof(float));
	reconnect->slot = MemoryContextAlloc(context, slot);
	reconnect->full = MemoryContextAlloc(context, slot);
	reconnect->wanted = MemoryContextAlloc(context, slot);
	return reconnect;
}

/* What is reached. */

/* Nodes born since the start count as not reached: their inserts link them. */
static inline bool
is_reached(const Reconnect *reconnect, uint32 node)
{
	return node < reconnect->nodes && (reconnect->reached[node / 64] >> node % 64 & 1) != 0;
}

static void
mark_reached(Reconnect *reconnect, uint32 node)
{
	uint64		bit = UINT64CONST(1) << node % 64;

	if (node >= reconnect->nodes || (reconnect->reached[node / 64] & bit) != 0)
		return;
	reconnect->reached[node / 64] |= bit;
	reconnect->pending[node / 64] |= bit;
	reconnect->pending_count++;
}

static void
mark_neighbours(Reconnect *reconnect, uint32 node)
{
	VecIdxAdjacencySlot *slot = reconnect->slot;
	const uint32 *ids = VecIdxAdjacencyNeighbours(slot);

	VecIdxVacuumDelayPoint(false);
	vecidx_peek_slot(reconnect->handle, VECIDX_RUN_ADJACENCY, node, slot);
	if (slot->state != VECIDX_LIVE)
		return;
	for (int i = 0; i < Min(slot->neighbours, reconnect->room); i++)
		mark_reached(reconnect, ids[i]);
}

/*
 * Follows links until all are followed.  Not in order of distance but of ids,
 * round and round: that is the order of pages, and needs no queue.
 */
static void
follow_links(Reconnect *reconnect, uint32 from)
{
	uint32		last = reconnect->nodes / 64;

	for (uint32 word = from / 64; reconnect->pending_count > 0; word = word < last ? word + 1 : 0)
	{
		while (reconnect->pending[word] != 0)
		{
			int			bit = pg_rightmost_one_pos64(reconnect->pending[word]);

			reconnect->pending[word] &= reconnect->pending[word] - 1;
			reconnect->pending_count--;
			mark_neighbours(reconnect, word * 64 + bit);
		}
	}
}

/* What is near. */

/* Makes the node a query; false if it has died. */
static bool
seek_node(Reconnect *reconnect, uint32 node)
{
	VecIdxQuantizer *quantizer = reconnect->handle->quantizer;
	VecIdxSource *source = &reconnect->store.source;
	const uint8 *vector = source->vector(source, node);

	if (vector == NULL)
		return false;
	vecidx_quant_decode(quantizer, vector, reconnect->scratch, reconnect->row);
	vecidx_store_query(&reconnect->store, vecidx_query_init(reconnect->query_memory, quantizer,
															reconnect->row, reconnect->scratch));
	/* again, because a vector is good until the next query */
	reconnect->vector = source->vector(source, node);
	return reconnect->vector != NULL;
}

/*
 * Starts a search on level 0 from those of the usual entry nodes that are
 * reached: all that it meets is reached, then.  A descent from the upper
 * levels could end in the node's own part of the graph and never leave it.
 */
static void
seed_search(Reconnect *reconnect)
{
	VecIdxSource *source = &reconnect->store.source;
	VecIdxCandidate entry = {.upper = VECIDX_NONE};
	VecIdxCandidate *batch;
	int			level;
	int			count = source->enter(source, 0, &level, &batch);

	vecidx_search_reset(&reconnect->search);
	for (int i = 0; i < count; i++)
	{
		if (is_reached(reconnect, batch[i].node))
			vecidx_search_seed(&reconnect->search, &batch[i]);
	}
	if (vecidx_store_estimate(&reconnect->store, reconnect->entry, &entry))
		vecidx_search_seed(&reconnect->search, &entry);
}

/* Fills nearest[]; false if it stays empty. */
static bool
find_nearest(Reconnect *reconnect)
{
	VecIdxSearch *search = &reconnect->search;
	VecIdxSource *source = &reconnect->store.source;

	seed_search(reconnect);
	vecidx_search_beam(search, 0, reconnect->handle->fixed.ef_construction);
	reconnect->nearest = palloc(search->found_count * sizeof(VecIdxNeighbour));
	reconnect->nearest_count = 0;
	for (uint32 i = 0; i < search->found_count; i++)
	{
		const VecIdxCandidate *found = &search->found[i];
		VecIdxNeighbour *neighbour = &reconnect->nearest[reconnect->nearest_count];

		if (found->estimate > search->beam.heap[0] || !is_reached(reconnect, found->node))
			continue;
		neighbour->vector = source->vector(source, found->node);
		if (neighbour->vector == NULL)
			continue;
		neighbour->node = found->node;
		neighbour->upper = VECIDX_NONE;
		neighbour->distance = vecidx_quant_pair(reconnect->handle->quantizer, reconnect->vector, neighbour->vector);
		reconnect->nearest_count++;
	}
	qsort(reconnect->nearest, reconnect->nearest_count, sizeof(VecIdxNeighbour), vecidx_prune_compare);
	return reconnect->nearest_count > 0;
}

/* Links. */

static bool
names(const Reconnect *reconnect, const VecIdxAdjacencySlot *slot, uint32 node)
{
	const uint32 *ids = VecIdxAdjacencyNeighbours(slot);

	for (int i = 0; i < Min(slot->neighbours, reconnect->room); i++)
	{
		if (ids[i] == node)
			return true;
	}
	return false;
}

/* Names a node at some place of a list that is still as it was copied. */
static bool
write_link(Reconnect *reconnect, VecIdxAdjacencySlot *seen, int at, uint32 node)
{
	VecIdxAdjacencySlot *wanted = reconnect->wanted;
	VecIdxEdge	edge = {.run = VECIDX_RUN_ADJACENCY, .slot = seen->node, .owner = seen->node, .seen = seen, .wanted = wanted};
	uint32		offset;

	memcpy(wanted, seen, reconnect->handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	VecIdxAdjacencyNeighbours(wanted)[at] = node;
	wanted->neighbours = Max(wanted->neighbours, at + 1);
	edge.block = vecidx_handle_locate(reconnect->handle, VECIDX_RUN_ADJACENCY, seen->node, &offset);
	return vecidx_edges_write(reconnect->handle, &edge, 1, true) == 0;
}

/* Adds a link if there is room; true if it is there now. */
static bool
append_link(Reconnect *reconnect, uint32 owner, uint32 node)
{
	VecIdxAdjacencySlot *slot = reconnect->slot;

	for (int try = 0; try < LIST_TRIES; try++)
	{
		vecidx_peek_slot(reconnect->handle, VECIDX_RUN_ADJACENCY, owner, slot);
		if (slot->state != VECIDX_LIVE)
			return false;
		if (names(reconnect, slot, node))
			return true;
		if (slot->neighbours >= reconnect->room)
			return false;
		if (write_link(reconnect, slot, slot->neighbours, node))
			return true;
	}
	return false;
}

/* Which link of a list leads farthest from the node to be joined, or nearest to it? */
static int
pick_link(Reconnect *reconnect, const VecIdxAdjacencySlot *slot, bool farthest)
{
	VecIdxSource *source = &reconnect->store.source;
	float		best = farthest ? -HUGE_VALF : HUGE_VALF;
	int			picked = 0;

	for (int i = 0; i < Min(slot->neighbours, reconnect->room); i++)
	{
		const uint8 *vector = source->vector(source, VecIdxAdjacencyNeighbours(slot)[i]);
		float		distance = HUGE_VALF;

		if (vector != NULL)
			distance = vecidx_quant_pair(reconnect->handle->quantizer, reconnect->vector, vector);
		if (farthest ? distance > best : distance < best)
		{
			best = distance;
			picked = i;
		}
	}
	return picked;
}

/*
 * Adds a link to the node to be joined, in place of its farthest neighbour if
 * there is no room.  It is not reached itself, so nothing that is loses a link.
 */
static bool
force_link(Reconnect *reconnect, uint32 joined, uint32 node)
{
	VecIdxAdjacencySlot *slot = reconnect->slot;

	for (int try = 0; try < LIST_TRIES; try++)
	{
		if (append_link(reconnect, joined, node))
			return true;
		if (slot->state != VECIDX_LIVE)
			return false;
		if (slot->neighbours >= reconnect->room &&
			write_link(reconnect, slot, pick_link(reconnect, slot, true), node))
			return true;
	}
	return false;
}

/* Leads a link of a full list through the node to be joined. */
static bool
divert_link(Reconnect *reconnect, uint32 owner, uint32 joined)
{
	VecIdxAdjacencySlot *full = reconnect->full;

	for (int try = 0; try < LIST_TRIES; try++)
	{
		int			at;

		vecidx_peek_slot(reconnect->handle, VECIDX_RUN_ADJACENCY, owner, full);
		if (full->state != VECIDX_LIVE || full->neighbours == 0)
			return false;
		if (names(reconnect, full, joined))
			return true;
		at = pick_link(reconnect, full, false);
		if (!force_link(reconnect, joined, VecIdxAdjacencyNeighbours(full)[at]))
			return false;
		if (write_link(reconnect, full, at, joined))
			return true;
	}
	return false;
}

/*
 * Links to and from the node to be joined, with up to m near ones that an
 * insert would choose.  Its own list comes first, so that no diverted link is
 * pushed out of it.  Returns whether a link leads there.
 */
static bool
join_node(Reconnect *reconnect, uint32 node)
{
	Size		size = reconnect->nearest_count * sizeof(VecIdxNeighbour);
	VecIdxNeighbour *chosen = memcpy(palloc(size), reconnect->nearest, size);
	int			count = vecidx_prune(reconnect->handle->quantizer, chosen, reconnect->nearest_count,
									 reconnect->handle->fixed.m);
	bool		joined = false;

	if (!force_link(reconnect, node, chosen[0].node))
		return false;
	for (int i = 1; i < count && append_link(reconnect, node, chosen[i].node); i++)
		continue;
	for (int i = 0; i < count; i++)
		joined = append_link(reconnect, chosen[i].node, node) || joined;
	for (int i = 0; i < reconnect->nearest_count && !joined; i++)
		joined = append_link(reconnect, reconnect->nearest[i].node, node);
	for (int i = 0; i < reconnect->nearest_count && !joined; i++)
		joined = divert_link(reconnect, reconnect->nearest[i].node, node);
	return joined;
}

void
vecidx_reconnect(VecIdxHandle *handle)
{
	Reconnect  *reconnect;
	MemoryContext old;

	vecidx_handle_refresh(handle);
	if (handle->state.entry == VECIDX_NONE)
		return;
	reconnect = begin_reconnect(handle);
	old = MemoryContextSwitchTo(reconnect->work);
	mark_reached(reconnect, reconnect->entry);
	follow_links(reconnect, reconnect->entry);
	for (uint32 node = 0; node < reconnect->nodes; node++)
	{
		if (is_reached(reconnect, node))
			continue;
		VecIdxVacuumDelayPoint(false);
		vecidx_peek_slot(handle, VECIDX_RUN_ADJACENCY, node, reconnect->slot);
		if (reconnect->slot->state != VECIDX_LIVE)
			continue;
		if (seek_node(reconnect, node) && find_nearest(reconnect) && join_node(reconnect, node))
		{
			mark_reached(reconnect, node);
			follow_links(reconnect, node);
		}
		MemoryContextReset(reconnect->work);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(reconnect->context);
}
