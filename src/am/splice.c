/*
 * splice.c
 *	  Lists of neighbours are brought past tombstones.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "am/pause.h"
#include "am/vacuum.h"
#include "compat.h"
#include "page/meta.h"
#include "page/peek.h"

/* Replacements taken from each tombstone's neighbours. */
#define SPLICE_CANDIDATES	3

/*
 * Does a link that a tombstone names still lead to that node?  An interrupted
 * vacuum may have freed the node or its upper slot, and an insert may have
 * given either another life.
 */
static bool
leads_there(VecIdxVacuum *vacuum, const VecIdxNeighbour *link, int level)
{
	VecIdxUpperSlot *slot = vacuum->store.upper;

	if (level == 0)
		return true;
	vecidx_peek_slot(vacuum->handle, VECIDX_RUN_UPPER, link->upper, slot);
	return slot->state == VECIDX_LIVE && slot->node == link->node && slot->level == level;
}

/* Room for a list with replacements: all that is left, a few for each, and those among whom these are chosen. */
#define SPLICE_ROOM		(VECIDX_LIST_MAX * (1 + SPLICE_CANDIDATES) + VECIDX_LIST_MAX)

/* A list without its tombstones, as it grows. */
typedef struct Splice
{
	uint32		owner;
	int			level;
	const uint8 *vector;		/* the owner's */
	int			count;
	VecIdxNeighbour neighbours[SPLICE_ROOM];
} Splice;

/* Adds a neighbour unless it is dead, the owner, or there already. */
static void
add_neighbour(VecIdxVacuum *vacuum, Splice *splice, const VecIdxNeighbour *added)
{
	VecIdxNeighbour *neighbour = &splice->neighbours[splice->count];

	if (added->node == splice->owner || vecidx_vacuum_dead(vacuum, added->node))
		return;
	for (int i = 0; i < splice->count; i++)
	{
		if (splice->neighbours[i].node == added->node)
			return;
	}
	*neighbour = *added;
	neighbour->vector = vacuum->store.source.vector(&vacuum->store.source, added->node);
	if (neighbour->vector == NULL)
		return;
	neighbour->distance = vecidx_quant_pair(vacuum->handle->quantizer, splice->vector, neighbour->vector);
	splice->count++;
}

/* Adds the nearest few of a tombstone's own neighbours. */
static void
add_replacements(VecIdxVacuum *vacuum, Splice *splice, const VecIdxNeighbour *dead)
{
	VecIdxEdge *beyond = &vacuum->beyond;
	const VecIdxUpperSlot *upper = beyond->seen;
	VecIdxNeighbour links[VECIDX_LIST_MAX];
	int			from = splice->count;
	int			count;

	beyond->run = splice->level == 0 ? VECIDX_RUN_ADJACENCY : VECIDX_RUN_UPPER;
	beyond->slot = splice->level == 0 ? dead->node : dead->upper;
	vecidx_edge_look(vacuum->handle, beyond);
	if (splice->level > 0 && (upper->node != dead->node || upper->level != splice->level))
		return;
	count = vecidx_edge_list(beyond, links, vecidx_link_room(vacuum->handle->fixed.m, splice->level));
	for (int i = 0; i < count; i++)
	{
		if (leads_there(vacuum, &links[i], splice->level))
			add_neighbour(vacuum, splice, &links[i]);
	}
	qsort(splice->neighbours + from, splice->count - from, sizeof(VecIdxNeighbour), vecidx_prune_compare);
	splice->count = Min(splice->count, from + SPLICE_CANDIDATES);
}

/* The live neighbours of a list, with replacements for the dead ones, pruned to what fits; false if nothing has to be done. */
static bool
splice_list(VecIdxVacuum *vacuum, VecIdxEdge *edge, int level, Splice *splice)
{
	VecIdxHandle *handle = vacuum->handle;
	int			room = vecidx_link_room(handle->fixed.m, level);
	VecIdxNeighbour list[VECIDX_LIST_MAX];
	int			count;
	bool		any_dead = false;

	vecidx_edge_look(handle, edge);
	if (!vecidx_edge_lives(edge, level))
		return false;
	count = vecidx_edge_list(edge, list, room);
	splice->owner = edge->owner;
	splice->level = level;
	splice->count = 0;
	splice->vector = vacuum->store.source.vector(&vacuum->store.source, edge->owner);
	if (splice->vector == NULL)
		return false;
	for (int i = 0; i < count; i++)
		add_neighbour(vacuum, splice, &list[i]);
	for (int i = 0; i < count; i++)
	{
		if (!vecidx_vacuum_dead(vacuum, list[i].node))
			continue;
		any_dead = true;
		add_replacements(vacuum, splice, &list[i]);
	}
	if (!any_dead)
		return false;
	if (splice->count > room)
		splice->count = vecidx_prune(handle->quantizer, splice->neighbours, splice->count, room);
	vecidx_edge_want(edge, splice->neighbours, splice->count);
	return true;
}

static bool
names_dead(const VecIdxVacuum *vacuum, const VecIdxAdjacencySlot *slot)
{
	const uint32 *ids = VecIdxAdjacencyNeighbours(slot);

	if (slot->state != VECIDX_LIVE)
		return false;
	for (int i = 0; i < slot->neighbours; i++)
	{
		if (vecidx_vacuum_dead(vacuum, ids[i]))
			return true;
	}
	return false;
}

static bool
upper_names_dead(const VecIdxVacuum *vacuum, const VecIdxUpperSlot *slot)
{
	const VecIdxUpperLink *links = VecIdxUpperLinks(slot);

	if (slot->state != VECIDX_LIVE || vecidx_vacuum_dead(vacuum, slot->node))
		return false;
	for (int i = 0; i < slot->links; i++)
	{
		if (vecidx_vacuum_dead(vacuum, links[i].node))
			return true;
	}
	return false;
}

/* Lists of a page that name tombstones. */
typedef struct Lists
{
	VecIdxEdge *edges;
	int		   *levels;			/* by slot of the page */
	uint32		first;			/* first slot of the page */
	int			count;
} Lists;

static void
begin_lists(VecIdxVacuum *vacuum, Lists *lists, uint32 first, uint32 slots)
{
	lists->edges = MemoryContextAlloc(vacuum->work, slots * sizeof(VecIdxEdge));
	lists->levels = MemoryContextAlloc(vacuum->work, slots * sizeof(int));
	lists->first = first;
	lists->count = 0;
}

static void
add_list(VecIdxVacuum *vacuum, Lists *lists, VecIdxRunKind run, uint32 slot, uint32 owner)
{
	VecIdxEdge *edge = &lists->edges[lists->count++];
	Size		size = vacuum->handle->layout.run[run].size;

	edge->run = run;
	edge->slot = slot;
	edge->owner = owner;
	edge->seen = MemoryContextAlloc(vacuum->work, size);
	edge->wanted = MemoryContextAlloc(vacuum->work, size);
}

/* Repeats until each list that it worked from is still the one on the page. */
static void
splice_lists(VecIdxVacuum *vacuum, Lists *lists)
{
	Splice	   *splice = MemoryContextAlloc(vacuum->work, sizeof(Splice));

	while (lists->count > 0)
	{
		int			planned = 0;

		for (int i = 0; i < lists->count; i++)
		{
			VecIdxEdge	edge = lists->edges[i];

			VecIdxVacuumDelayPoint(false);
			if (splice_list(vacuum, &edge, lists->levels[edge.slot - lists->first], splice))
				lists->edges[planned++] = edge;
		}
		vecidx_pause("vacuum-planned");
		lists->count = vecidx_edges_write(vacuum->handle, lists->edges, planned, true);
		vecidx_store_query(&vacuum->store, NULL);
	}
	MemoryContextReset(vacuum->work);
}

/* What a pass does with the slot at a place of the page that has been copied: adds its list, if that names tombstones. */
typedef void (*VisitSlot) (VecIdxVacuum *vacuum, Lists *lists, uint32 place);

static void
visit_ground(VecIdxVacuum *vacuum, Lists *lists, uint32 place)
{
	const VecIdxAdjacencySlot *slot = vecidx_vacuum_slot(vacuum, VECIDX_RUN_ADJACENCY, place);

	lists->levels[place] = 0;
	if (slot->state == VECIDX_LIVE && vacuum->heir == VECIDX_NONE)
		vacuum->heir = slot->node;
	if (names_dead(vacuum, slot))
		add_list(vacuum, lists, VECIDX_RUN_ADJACENCY, slot->node, slot->node);
}

static void
visit_upper(VecIdxVacuum *vacuum, Lists *lists, uint32 place)
{
	const VecIdxUpperSlot *slot = vecidx_vacuum_slot(vacuum, VECIDX_RUN_UPPER, place);

	lists->levels[place] = slot->level;
	if (slot->state == VECIDX_LIVE && !vecidx_vacuum_dead(vacuum, slot->node) && slot->level > vacuum->heir_level)
	{
		vacuum->heir = slot->node;
		vacuum->heir_upper = lists->first + place;
		vacuum->heir_level = slot->level;
	}
	if (upper_names_dead(vacuum, slot))
		add_list(vacuum, lists, VECIDX_RUN_UPPER, lists->first + place, slot->node);
}

/* Page by page, the slots below "end". */
static void
splice_run(VecIdxVacuum *vacuum, VecIdxRunKind run, uint32 end, VisitSlot visit)
{
	uint32		first = 0;

	while (first < end)
	{
		uint32		count = vecidx_vacuum_copy(vacuum, run, first, end);
		Lists		lists;

		begin_lists(vacuum, &lists, first, count);
		for (uint32 i = 0; i < count; i++)
			visit(vacuum, &lists, i);
		splice_lists(vacuum, &lists);
		first += count;
	}
}

void
vecidx_splice_lists(VecIdxVacuum *vacuum, const VecIdxMetaState *before)
{
	vacuum->heir = VECIDX_NONE;
	vacuum->heir_upper = VECIDX_NONE;
	vacuum->heir_level = 0;
	splice_run(vacuum, VECIDX_RUN_ADJACENCY, before->nodes, visit_ground);
	splice_run(vacuum, VECIDX_RUN_UPPER, before->uppers, visit_upper);
}

bool
vecidx_splice_entry(VecIdxVacuum *vacuum, const VecIdxMetaState *before)
{
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	bool		settled = true;

	vecidx_edit_begin(&edit, vacuum->handle->index, true);
	meta = vecidx_meta_edit(&edit, vacuum->handle);
	if (vacuum->heir == VECIDX_NONE)
		settled = meta->state.nodes == before->nodes && meta->state.free_nodes == before->free_nodes;
	if (meta->state.entry == VECIDX_NONE || !vecidx_vacuum_dead(vacuum, meta->state.entry) || !settled)
	{
		vecidx_edit_abandon(&edit);
		return settled;
	}
	meta->state.entry = vacuum->heir;
	meta->state.entry_upper = vacuum->heir_upper;
	meta->state.entry_level = vacuum->heir_level;
	vecidx_meta_changed(meta, vacuum->handle);
	vecidx_edit_finish(&edit);
	return true;
}
