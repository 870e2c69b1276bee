/*
 * edge.c
 *	  Changes of neighbour lists.
 *
 * A new list is worked out from a copy, without a lock; it is written only if
 * the slot still says what the copy said.  Thus no lock is held while
 * distances are computed, and no change of another backend is lost.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/am.h"
#include "page/buffer.h"
#include "page/peek.h"

/* The list of a slot: how many it names, and where. */
static uint8 *
list_count(VecIdxRunKind run, void *slot)
{
	return run == VECIDX_RUN_ADJACENCY ? &((VecIdxAdjacencySlot *) slot)->neighbours : &((VecIdxUpperSlot *) slot)->links;
}

static char *
list_start(VecIdxRunKind run, void *slot)
{
	return (char *) slot + (run == VECIDX_RUN_ADJACENCY ? sizeof(VecIdxAdjacencySlot) : sizeof(VecIdxUpperSlot));
}

static Size
list_bytes(VecIdxRunKind run, void *slot)
{
	return *list_count(run, slot) * (run == VECIDX_RUN_ADJACENCY ? sizeof(uint32) : sizeof(VecIdxUpperLink));
}

/* The same life of the same node, on the same level? */
static bool
is_same_owner(VecIdxRunKind run, const void *slot, const void *seen)
{
	const VecIdxAdjacencySlot *a = slot;
	const VecIdxAdjacencySlot *b = seen;
	const VecIdxUpperSlot *c = slot;
	const VecIdxUpperSlot *d = seen;

	if (run == VECIDX_RUN_ADJACENCY)
		return a->node == b->node && a->version == b->version && a->state == b->state;
	return c->node == d->node && c->state == d->state && c->level == d->level;
}

static bool
is_as_seen(const VecIdxEdge *edge, void *slot)
{
	return is_same_owner(edge->run, slot, edge->seen) &&
		*list_count(edge->run, slot) == *list_count(edge->run, edge->seen) &&
		memcmp(list_start(edge->run, slot), list_start(edge->run, edge->seen), list_bytes(edge->run, slot)) == 0;
}

void
vecidx_edge_look(VecIdxHandle *handle, VecIdxEdge *edge)
{
	uint32		offset;
	uint32		size = handle->layout.run[edge->run].size;

	edge->block = vecidx_handle_locate(handle, edge->run, edge->slot, &offset);
	edge->written = false;
	vecidx_peek_slot(handle, edge->run, edge->slot, edge->seen);
	memcpy(edge->wanted, edge->seen, size);
}

bool
vecidx_edge_lives(const VecIdxEdge *edge, int level)
{
	const VecIdxAdjacencySlot *slot = edge->seen;
	const VecIdxUpperSlot *upper = edge->seen;

	if (edge->run == VECIDX_RUN_ADJACENCY)
		return slot->node == edge->owner && slot->state == VECIDX_LIVE;
	return upper->node == edge->owner && upper->state == VECIDX_LIVE && upper->level == level;
}

int
vecidx_edge_list(const VecIdxEdge *edge, VecIdxNeighbour *neighbours, int room)
{
	const uint32 *ids = (const uint32 *) list_start(edge->run, edge->seen);
	int			stride = edge->run == VECIDX_RUN_ADJACENCY ? 1 : 2;
	int			count = Min(*list_count(edge->run, edge->seen), room);

	for (int i = 0; i < count; i++)
	{
		neighbours[i].node = ids[i * stride];
		neighbours[i].upper = stride == 1 ? VECIDX_NONE : ids[i * stride + 1];
		neighbours[i].vector = NULL;
	}
	return count;
}

/*
 * Entries that stay keep their places, so that WAL has little to tell; what
 * fills the places of the others comes from behind or is new.
 */
void
vecidx_edge_want(VecIdxEdge *edge, const VecIdxNeighbour *neighbours, int count)
{
	uint32	   *ids = (uint32 *) list_start(edge->run, edge->wanted);
	int			stride = edge->run == VECIDX_RUN_ADJACENCY ? 1 : 2;
	int			had = *list_count(edge->run, edge->seen);
	bool		placed[VECIDX_LIST_MAX] = {false};
	bool		taken[VECIDX_LIST_MAX] = {false};
	int			at = 0;

	Assert(count <= VECIDX_LIST_MAX);
	for (int i = 0; i < Min(had, count); i++)
	{
		for (int j = 0; j < count && !taken[i]; j++)
		{
			if (neighbours[j].node == ids[i * stride] && !placed[j] &&
				(stride == 1 || neighbours[j].upper == ids[i * stride + 1]))
				placed[j] = taken[i] = true;
		}
	}
	for (int j = 0; j < count; j++)
	{
		if (placed[j])
			continue;
		while (at < Min(had, count) && taken[at])
			at++;
		ids[at * stride] = neighbours[j].node;
		if (stride == 2)
			ids[at * stride + 1] = neighbours[j].upper;
		at++;
	}
	*list_count(edge->run, edge->wanted) = count;
}

static int
compare_edges(const void *a, const void *b)
{
	const VecIdxEdge *x = a;
	const VecIdxEdge *y = b;

	return (x->block > y->block) - (x->block < y->block);
}

/* Writes edges on up to four pages in one record; returns how many edges it has been through. */
static int
write_record(VecIdxHandle *handle, VecIdxEdge *edges, int count, bool logged)
{
	VecIdxEdit	edit;
	bool		changed = false;
	int			i;

	vecidx_edit_begin(&edit, handle->index, logged);
	for (i = 0; i < count; i++)
	{
		VecIdxEdge *edge = &edges[i];
		void	   *slot;

		if (edit.pages == VECIDX_EDIT_PAGES && edge->block != edges[i - 1].block)
			break;
		slot = vecidx_edit_slot(&edit, handle, edge->run, edge->slot);
		edge->written = is_as_seen(edge, slot);
		if (!edge->written)
			continue;
		*list_count(edge->run, slot) = *list_count(edge->run, edge->wanted);
		memcpy(list_start(edge->run, slot), list_start(edge->run, edge->wanted), list_bytes(edge->run, slot));
		vecidx_slot_seal(&handle->layout, edge->run, slot);
		changed = true;
	}
	if (changed)
		vecidx_edit_finish(&edit);
	else
		vecidx_edit_abandon(&edit);
	return i;
}

int
vecidx_edges_write(VecIdxHandle *handle, VecIdxEdge *edges, int count, bool logged)
{
	int			missed = 0;

	qsort(edges, count, sizeof(VecIdxEdge), compare_edges);
	for (int done = 0; done < count;)
	{
		CHECK_FOR_INTERRUPTS();
		done += write_record(handle, edges + done, count - done, logged);
	}
	for (int i = 0; i < count; i++)
	{
		if (!edges[i].written)
			edges[missed++] = edges[i];
	}
	return missed;
}
