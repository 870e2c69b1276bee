/*
 * raise.c
 *	  The levels above: a new node's upper slots; and that its neighbours, on
 *	  all levels, still live when they are named.
 */
#include "postgres.h"

#include "am/raise.h"
#include "page/meta.h"
#include "page/peek.h"

/* Is the upper slot still that node's?  Both may have had another life since it was found. */
static bool
has_upper(VecIdxInserter *inserter, const VecIdxNeighbour *neighbour, int level)
{
	VecIdxUpperSlot *slot = inserter->upper;

	if (level == 0)
		return true;
	vecidx_peek_slot(inserter->handle, VECIDX_RUN_UPPER, neighbour->upper, slot);
	return slot->state == VECIDX_LIVE && slot->node == neighbour->node && slot->level == level;
}

/*
 * Drops neighbours, of all levels, that are dead or are not what they were when
 * they were found.  What it keeps cannot be freed before the epoch changes again.
 */
static void
drop_dead_neighbours(VecIdxInserter *inserter)
{
	VecIdxArrival *arrival = &inserter->arrival;
	VecIdxAdjacencySlot *slot = inserter->adjacency;

	inserter->epoch = inserter->handle->state.epoch;
	for (int level = 0; level <= arrival->top; level++)
	{
		int			kept = 0;

		for (int i = 0; i < arrival->count[level]; i++)
		{
			VecIdxNeighbour neighbour = arrival->neighbours[level][i];

			vecidx_slot_read(inserter->handle, VECIDX_RUN_ADJACENCY, neighbour.node, slot);
			if (slot->state == VECIDX_LIVE && has_upper(inserter, &neighbour, level))
				arrival->neighbours[level][kept++] = neighbour;
		}
		arrival->count[level] = kept;
	}
}

VecIdxMeta *
vecidx_raise_settle(VecIdxInserter *inserter, VecIdxEdit *edit)
{
	for (;;)
	{
		VecIdxMeta *meta;

		vecidx_edit_begin(edit, inserter->handle->index, inserter->logged);
		meta = vecidx_meta_edit(edit, inserter->handle);
		if (meta->state.epoch == inserter->epoch)
			return meta;
		vecidx_edit_abandon(edit);
		drop_dead_neighbours(inserter);
	}
}

/* Upper slots for a node: consecutive ones, from the list of free ones or from the end. */
typedef struct UpperRun
{
	int			count;
	uint32		first;
	bool		freed;			/* they are on the list of free ones */
	uint32		before;			/* there, the slot that names the first, or none: the metapage does */
	uint32		after;			/* there, what the last of them names */
} UpperRun;

/* As many as there are, at most VECIDX_MAX_LEVEL, from the list's slot "first" on. */
static UpperRun
read_free_run(VecIdxInserter *inserter, uint32 first, uint32 before)
{
	UpperRun	run = {.first = first, .freed = true, .before = before};
	VecIdxUpperSlot *slot = inserter->upper;

	do
	{
		vecidx_peek_slot(inserter->handle, VECIDX_RUN_UPPER, first + run.count, slot);
		if (slot->state != VECIDX_FREE)
			vecidx_damaged(inserter->handle->index,
						   psprintf("Upper slot %u is on the free list but in use", first + run.count));
		run.after = slot->node;
		run.count++;
	} while (run.count < VECIDX_MAX_LEVEL && run.after == first + run.count);
	return run;
}

/* Can the run and what names it be written together with the metapage and a node's adjacency slot? */
static bool
fits_record(VecIdxHandle *handle, const UpperRun *run)
{
	uint32		first = vecidx_handle_first(handle, VECIDX_RUN_UPPER, run->first);
	uint32		last = vecidx_handle_first(handle, VECIDX_RUN_UPPER, run->first + run->count - 1);
	uint32		before = first;

	if (run->before != VECIDX_NONE)
		before = vecidx_handle_first(handle, VECIDX_RUN_UPPER, run->before);
	return first == last || before == first || before == last;
}

/* Free upper slots that are looked at for a run of the right length. */
#define UPPER_WALK	64

/*
 * The shortest run of free slots that is as long as wanted, or else the
 * longest; of a longer run the first slots.  Longer ones are for nodes of more
 * levels, which would find none if all were taken apart.
 */
static UpperRun
find_free_run(VecIdxInserter *inserter, const VecIdxMeta *meta, int wanted)
{
	UpperRun	best = {.count = 0, .first = VECIDX_NONE};
	int			length = 0;		/* of the run that best is the beginning of */
	int			walked = 0;
	uint32		at = meta->state.free_upper;
	uint32		before = VECIDX_NONE;

	while (at != VECIDX_NONE && walked < UPPER_WALK && length != wanted)
	{
		UpperRun	run = read_free_run(inserter, at, before);
		int			count = run.count;

		walked += count;
		before = at + count - 1;
		at = run.after;
		if (count > wanted)
		{
			run.count = wanted;
			run.after = run.first + wanted;
		}
		if (fits_record(inserter->handle, &run) && (length < wanted ? count > length : count >= wanted && count < length))
		{
			best = run;
			length = count;
		}
	}
	return best;
}

/* Finds as many as wanted, or what there is. */
static UpperRun
find_uppers(VecIdxInserter *inserter, const VecIdxMeta *meta, int wanted)
{
	uint32		room = vecidx_meta_upper_room(inserter->handle) - meta->state.uppers;
	UpperRun	end = {.count = Min((uint32) wanted, room), .first = meta->state.uppers};
	UpperRun	freed = find_free_run(inserter, meta, wanted);

	return freed.count > 0 && freed.count >= end.count ? freed : end;
}

/* Takes the run off the list of free slots or off the end; named_by is the image of the slot that leads to it, or NULL. */
static void
take_uppers(VecIdxInserter *inserter, VecIdxMeta *meta, const UpperRun *run, VecIdxUpperSlot *named_by)
{
	if (!run->freed)
	{
		meta->state.uppers += run->count;
		return;
	}
	meta->state.free_uppers -= run->count;
	if (named_by == NULL)
	{
		meta->state.free_upper = run->after;
		return;
	}
	named_by->node = run->after;
	vecidx_slot_seal(&inserter->handle->layout, VECIDX_RUN_UPPER, named_by);
}

static void
fill_upper(VecIdxInserter *inserter, VecIdxUpperSlot *slot, uint32 node, int level)
{
	const VecIdxArrival *arrival = &inserter->arrival;
	VecIdxUpperLink *links = VecIdxUpperLinks(slot);

	memset(slot, 0, inserter->handle->layout.run[VECIDX_RUN_UPPER].size);
	slot->node = node;
	slot->state = VECIDX_LIVE;
	slot->level = level;
	slot->links = level <= arrival->top ? arrival->count[level] : 0;
	for (int i = 0; i < slot->links; i++)
	{
		links[i].node = arrival->neighbours[level][i].node;
		links[i].upper = arrival->neighbours[level][i].upper;
	}
	vecidx_slot_seal(&inserter->handle->layout, VECIDX_RUN_UPPER, slot);
}

/*
 * Drops upper neighbours that do not live: a search may have met them through
 * a link that a tombstone kept while what it led to was freed.
 */
static void
drop_stale_links(VecIdxInserter *inserter)
{
	VecIdxArrival *arrival = &inserter->arrival;

	for (int level = 1; level <= arrival->top; level++)
	{
		int			kept = 0;

		for (int i = 0; i < arrival->count[level]; i++)
		{
			VecIdxNeighbour neighbour = arrival->neighbours[level][i];

			if (has_upper(inserter, &neighbour, level))
				arrival->neighbours[level][kept++] = neighbour;
		}
		arrival->count[level] = kept;
	}
}

uint32
vecidx_raise_node(VecIdxInserter *inserter, uint32 node)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxSlotRef refs[VECIDX_MAX_LEVEL + 2] = {{VECIDX_RUN_ADJACENCY, node, NULL}};
	bool		named;
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	UpperRun	run;
	VecIdxAdjacencySlot *slot;

	drop_stale_links(inserter);
	meta = vecidx_raise_settle(inserter, &edit);
	run = find_uppers(inserter, meta, inserter->arrival.level);
	inserter->arrival.level = run.count;
	if (run.count == 0)
	{
		vecidx_edit_abandon(&edit);
		return VECIDX_NONE;
	}
	named = run.freed && run.before != VECIDX_NONE;
	for (int i = 1; i <= run.count; i++)
		refs[i] = (VecIdxSlotRef) {VECIDX_RUN_UPPER, run.first + i - 1, NULL};
	refs[run.count + 1] = (VecIdxSlotRef) {VECIDX_RUN_UPPER, run.before, NULL};
	vecidx_edit_slots(&edit, handle, refs, run.count + 1 + named);
	take_uppers(inserter, meta, &run, named ? refs[run.count + 1].image : NULL);
	for (int i = 1; i <= run.count; i++)
	{
		fill_upper(inserter, refs[i].image, node, i);
		meta->state.level_nodes[i]++;
	}
	slot = refs[0].image;
	slot->level = run.count;
	slot->upper = run.first;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot);
	if (run.count > (int) meta->state.entry_level)
	{
		meta->state.entry = node;
		meta->state.entry_upper = run.first + run.count - 1;
		meta->state.entry_level = run.count;
	}
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	return run.first;
}
