/*
 * edge.c
 *	  Changes of neighbour lists.
 *
 * A new list is worked out from a copy, without a lock; it is written only if
 * the slot still says what the copy said.  Thus no lock is held while
 * distances are computed, and no change of another backend is lost.
 */
#include "postgres.h"

#include "am/am.h"
#include "page/buffer.h"

bool
vecidx_edge_replace(VecIdxHandle *handle, const VecIdxAdjacencySlot *seen,
					const uint32 *neighbours, int count, bool logged)
{
	VecIdxEdit	edit;
	VecIdxAdjacencySlot *slot;

	vecidx_edit_begin(&edit, handle->index, logged);
	slot = vecidx_edit_slot(&edit, handle, VECIDX_RUN_ADJACENCY, seen->node);
	if (slot->node != seen->node || slot->version != seen->version || slot->state != seen->state ||
		slot->neighbours != seen->neighbours ||
		memcmp(VecIdxAdjacencyNeighbours(slot), VecIdxAdjacencyNeighbours(seen), seen->neighbours * sizeof(uint32)) != 0)
	{
		vecidx_edit_abandon(&edit);
		return false;
	}
	memcpy(VecIdxAdjacencyNeighbours(slot), neighbours, count * sizeof(uint32));
	slot->neighbours = count;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot);
	vecidx_edit_finish(&edit);
	return true;
}

bool
vecidx_edge_replace_upper(VecIdxHandle *handle, uint32 upper, const VecIdxUpperSlot *seen,
						  const VecIdxUpperLink *links, int count, bool logged)
{
	VecIdxEdit	edit;
	VecIdxUpperSlot *slot;

	vecidx_edit_begin(&edit, handle->index, logged);
	slot = vecidx_edit_slot(&edit, handle, VECIDX_RUN_UPPER, upper);
	if (slot->node != seen->node || slot->state != seen->state || slot->level != seen->level ||
		slot->links != seen->links ||
		memcmp(VecIdxUpperLinks(slot), VecIdxUpperLinks(seen), seen->links * sizeof(VecIdxUpperLink)) != 0)
	{
		vecidx_edit_abandon(&edit);
		return false;
	}
	memcpy(VecIdxUpperLinks(slot), links, count * sizeof(VecIdxUpperLink));
	slot->links = count;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_UPPER, slot);
	vecidx_edit_finish(&edit);
	return true;
}
