/*
 * count.c
 *	  What is in an index, slot by slot.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "monitor/monitor.h"
#include "page/slot.h"

typedef struct Counter
{
	VecIdxHandle *handle;
	uint32		nodes;			/* given out when the call began */
	VecIdxCount *count;
	uint8	   *live;			/* bitmaps by node id */
	uint8	   *reached;
	VecIdxDrift drift;
} Counter;

static void
visit_adjacency(void *state, uint32 id, const void *bytes)
{
	Counter    *counter = state;
	const VecIdxAdjacencySlot *slot = bytes;

	if (slot->state > VECIDX_EXTENSION)
		return;
	counter->count->states[slot->state]++;
	vecidx_drift_note(&counter->drift, counter->handle, slot);
	if (slot->state == VECIDX_LIVE)
		counter->live[id / 8] |= 1 << id % 8;
	if (slot->state == VECIDX_LIVE || slot->state == VECIDX_EXTENSION)
		counter->count->tids += slot->tids;
}

/* Marks a node; returns false if it was marked before, or is younger than the call. */
static bool
mark_reached(Counter *counter, uint32 node)
{
	if (node >= counter->nodes || (counter->reached[node / 8] & 1 << node % 8) != 0)
		return false;
	counter->reached[node / 8] |= 1 << node % 8;
	return true;
}

/* Goes from the entry node along all links of level 0. */
static void
reach_nodes(Counter *counter)
{
	VecIdxHandle *handle = counter->handle;
	uint32	   *queue = palloc_extended((Size) counter->nodes * sizeof(uint32), MCXT_ALLOC_HUGE);
	VecIdxAdjacencySlot *slot = palloc(handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	const uint32 *neighbours = VecIdxAdjacencyNeighbours(slot);
	uint32		count = 0;

	if (mark_reached(counter, handle->state.entry))
		queue[count++] = handle->state.entry;
	for (uint32 done = 0; done < count; done++)
	{
		CHECK_FOR_INTERRUPTS();
		vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, queue[done], slot);
		if (slot->state != VECIDX_LIVE && slot->state != VECIDX_TOMBSTONE)
			continue;
		for (uint32 i = 0; i < Min(slot->neighbours, 2 * handle->fixed.m); i++)
		{
			if (mark_reached(counter, neighbours[i]))
				queue[count++] = neighbours[i];
		}
	}
	pfree(slot);
	pfree(queue);
}

static uint32
count_unreached(const Counter *counter)
{
	uint32		count = 0;

	for (uint32 id = 0; id < counter->nodes; id++)
		count += (counter->live[id / 8] & ~counter->reached[id / 8] & 1 << id % 8) != 0;
	return count;
}

void
vecidx_count(VecIdxHandle *handle, VecIdxCount *count)
{
	Counter    *counter = palloc0(sizeof(Counter));
	Size		size = handle->state.nodes / 8 + 1;

	memset(count, 0, sizeof(VecIdxCount));
	count->drift = NAN;
	counter->handle = handle;
	counter->nodes = handle->state.nodes;
	counter->count = count;
	if (counter->nodes == 0)
		return;
	counter->live = palloc_extended(size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	counter->reached = palloc_extended(size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	counter->drift.stride = 1;
	vecidx_monitor_visit(handle, VECIDX_RUN_ADJACENCY, counter->nodes, visit_adjacency, counter);
	reach_nodes(counter);
	count->unreached = count_unreached(counter);
	if (counter->drift.count >= VECIDX_DRIFT_LEAST && handle->fixed.metric != VECIDX_HAMMING)
		count->drift = vecidx_drift_measure(&counter->drift, handle);
	pfree(counter->live);
	pfree(counter->reached);
	pfree(counter);
}
