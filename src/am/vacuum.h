/*
 * vacuum.h
 *	  A vacuum under way: what vacuum.c, splice.c and free.c share.
 */
#ifndef VECIDX_VACUUM_H
#define VECIDX_VACUUM_H

#include "commands/vacuum.h"

#include "am/am.h"
#include "am/phases.h"
#include "am/tally.h"
#include "graph/store.h"

/* A TID to be taken out of a slot of the page at hand. */
typedef struct VecIdxDeadTid
{
	uint32		slot;
	ItemPointerData tid;
} VecIdxDeadTid;

typedef struct VecIdxVacuum
{
	/* fixed */
	VecIdxHandle *handle;
	MemoryContext context;
	uint32		nodes;			/* ids that there were at the start */
	uint32		uppers;
	VecIdxStatsRef counted;		/* where the work is counted when the vacuum is over */

	VecIdxPhases phases;
	VecIdxVacuumed done;
	instr_time	began;

	/* dead TIDs */
	IndexBulkDeleteResult *stats;
	IndexBulkDeleteCallback callback;
	void	   *callback_state;
	VecIdxDeadTid *dead_tids;	/* of the page at hand, by slot */
	uint32		dead_tid_count;
	uint32		dead_tid_room;

	/* repair */
	MemoryContext work;			/* reset after each page of lists */
	VecIdxStore store;
	uint8	   *dead;			/* bitmap of tombstones */
	uint32		dead_count;
	uint32		heir;			/* live node of the highest level, or none */
	uint32		heir_upper;
	int			heir_level;
	char	   *page;			/* copy of the page at hand */
	VecIdxAdjacencySlot *adjacency;
	VecIdxEdge	beyond;			/* a tombstone's list, to be looked at */
} VecIdxVacuum;

/* Is the node, which was there at the start, a tombstone that was noted? */
static inline bool
vecidx_vacuum_dead(const VecIdxVacuum *vacuum, uint32 node)
{
	return node < vacuum->nodes && (vacuum->dead[node / 8] & 1 << node % 8) != 0;
}

/*
 * Copies the page of a run that starts with slot "first", which must be the
 * first of its page; returns how many slots below "end" it holds.
 */
extern uint32 vecidx_vacuum_copy(VecIdxVacuum *vacuum, VecIdxRunKind run, uint32 first, uint32 end);

/* The i-th slot of the copy. */
static inline void *
vecidx_vacuum_slot(VecIdxVacuum *vacuum, VecIdxRunKind run, uint32 i)
{
	return vacuum->page + VECIDX_PAGE_START + i * vacuum->handle->layout.run[run].size;
}

/* Makes a tombstone of a node that has lost its last row, and counts it; its slot is being edited. */
static inline void
vecidx_vacuum_bury(VecIdxAdjacencySlot *slot, uint32 *buried)
{
	if (slot->state == VECIDX_LIVE && slot->tids == 0 && slot->next == VECIDX_NONE)
	{
		slot->state = VECIDX_TOMBSTONE;
		(*buried)++;
	}
}

/*
 * splice.c: brings lists of neighbours past tombstones.  All those that
 * there were "before"; notes the heir.
 */
extern void vecidx_splice_lists(VecIdxVacuum *vacuum, const VecIdxMetaState *before);

/*
 * Searches must not start at a node that is about to be freed: the heir takes
 * its place.  False if there is none, but nodes have been born since "before"
 * that may be one.
 */
extern bool vecidx_splice_entry(VecIdxVacuum *vacuum, const VecIdxMetaState *before);

/* free.c: gives back slots.  Those of empty extensions, of all chains; */
extern void vecidx_free_chains(VecIdxVacuum *vacuum);

/* those of tombstones, which no list names. */
extern void vecidx_free_tombstones(VecIdxVacuum *vacuum);

#endif							/* VECIDX_VACUUM_H */
