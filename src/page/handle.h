/*
 * handle.h
 *	  What a backend remembers of an open index: the metapage, the extent
 *	  directory, the quantizer, and in which buffer it last saw each block.
 *
 * Everything here is derived from the index's pages.  A handle outlives the
 * scan that made it and is checked against the metapage each time it is
 * acquired.
 */
#ifndef VECIDX_HANDLE_H
#define VECIDX_HANDLE_H

#include "filter/shape.h"
#include "page/buffer.h"
#include "page/layout.h"

typedef struct VecIdxEntries VecIdxEntries; /* graph/entry.h */
typedef struct VecIdxZones VecIdxZones; /* filter/zone.h */
typedef struct VecIdxRoster VecIdxRoster;	/* am/roster.h */

/* How a search reaches the pages that steer it. */
typedef enum VecIdxPageAccess
{
	VECIDX_ACCESS_UNPINNED,		/* looks without a pin (peek.h) */
	VECIDX_ACCESS_RECENT,		/* pins, through the buffer where the page was last seen */
	VECIDX_ACCESS_PINNED		/* pins, through the buffer mapping table */
} VecIdxPageAccess;

/*
 * One visit in so many goes the way that keeps pages in shared buffers: more
 * of them for a while after pages had to be read, when buffers are short and
 * what searches visit most must not be what is evicted.  Powers of two.
 */
#define VECIDX_TOUCH			256
#define VECIDX_TOUCH_PRESSED	8
#define VECIDX_PRESSED_SCANS	100

typedef struct VecIdxHandle
{
	/* fixed while the handle is in use */
	Relation	index;			/* open as long as somebody holds the handle */
	MemoryContext context;		/* of all that is derived from the fixed part */
	bool		ready;			/* false while that is being derived */
	uint32		version;		/* of the format */
	VecIdxMetaFixed fixed;
	VecIdxLayout layout;
	VecIdxFilterShape shape;	/* of filter rows, by the index's columns */
	VecIdxQuantizer *quantizer; /* NULL while dimensions are unknown */
	VecIdxPageAccess access;	/* always PINNED for temporary tables */

	/* changes as the index does */
	VecIdxMetaTuning tuning;	/* as of the last acquire or refresh */
	VecIdxMetaState state;		/* likewise */
	uint32		extents;		/* entries of extent[] */
	BlockNumber *extent;		/* first block of each */
	BlockNumber base[VECIDX_RUNS];	/* first block of each run of extent 0 */
	Buffer	   *map;			/* block -> buffer that last held it, a hint */
	BlockNumber mapped;			/* entries of map[] */
	BlockNumber present;		/* blocks that the file is known to have: it never gets shorter */
	uint32		touch;			/* one visit in so many is a full one */
	uint32		pressed;		/* scans left until it is seldom again; 0: all pages wanted of late were there */
	uint32		visits;			/* counts visits that the buffer manager does not, so that some of them do */
	VecIdxEntries *entries;		/* entry nodes, made by the graph layer in context */
	VecIdxRoster *roster;		/* where TIDs are, likewise by the access method */
	VecIdxZones *zones;			/* what values filter pages hold, likewise by the filter layer */

	/* bookkeeping */
	Oid			relid;
	int			users;
	bool		shaped;			/* the shape has been made */
	bool		stale;			/* the relcache entry changed: look again before use */
} VecIdxHandle;

/* Gets the index's handle, made or brought up to date.  Reads the metapage under share lock. */
extern VecIdxHandle *vecidx_handle_acquire(Relation index);
extern void vecidx_handle_release(VecIdxHandle *handle);

/* Reads the metapage again. */
extern void vecidx_handle_refresh(VecIdxHandle *handle);

/* Takes over a metapage that the caller holds locked. */
extern void vecidx_handle_take(VecIdxHandle *handle, const VecIdxMeta *meta);

/* Releases the handle when the memory context goes away, also on error. */
extern void vecidx_handle_release_with(VecIdxHandle *handle, MemoryContext context);

/* The same as the next for slots of extents behind the base, and for those that span pages. */
extern BlockNumber vecidx_handle_locate_behind(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, uint32 *offset);

/* The block of a slot, and its byte there. */
static inline BlockNumber
vecidx_handle_locate(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, uint32 *offset)
{
	const VecIdxLayout *layout = &handle->layout;
	const VecIdxRun *r = &layout->run[run];
	uint32		page;

	if (slot >= (run == VECIDX_RUN_UPPER ? layout->base_upper : layout->base_capacity) || r->per_page == 0)
		return vecidx_handle_locate_behind(handle, run, slot, offset);
	page = vecidx_layout_page(r, slot);
	*offset = VECIDX_PAGE_START + (slot - page * r->per_page) * r->size;
	return handle->base[run] + page;
}

/*
 * Pins a block through the buffer where it was last seen, if the handle's kind
 * of access allows that; now and then the long way, which tells the buffer
 * manager that the page is in use.  Remembers where the block is.
 */
extern Buffer vecidx_handle_pin(VecIdxHandle *handle, BlockNumber block);

/* Is it known where the block was last seen? */
static inline bool
vecidx_handle_knows(const VecIdxHandle *handle, BlockNumber block)
{
	return block < handle->mapped && handle->map[block] != InvalidBuffer;
}

/* The buffer where the block was last seen, now and then none, so that the buffer manager learns of visits. */
extern Buffer vecidx_handle_recent(VecIdxHandle *handle, BlockNumber block);

/*
 * Says that a block will be read, if it is not known where it is: remembers
 * where it is, or has it read in the background.
 */
extern void vecidx_handle_announce(VecIdxHandle *handle, BlockNumber block);

/* The same for the page of a slot. */
extern void vecidx_handle_announce_slot(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot);

/* Counts a visit; true if it is one of those that the buffer manager shall know of. */
static inline bool
vecidx_handle_touches(VecIdxHandle *handle)
{
	return (++handle->visits & (handle->touch - 1)) == 0;
}

/* The block is no longer where it was last seen. */
static inline void
vecidx_handle_forget(VecIdxHandle *handle, BlockNumber block)
{
	handle->map[block] = InvalidBuffer;
}

/* TIDs that an adjacency slot has room for: a node's own or an extension's. */
static inline uint32
vecidx_handle_tid_room(const VecIdxHandle *handle, const VecIdxAdjacencySlot *slot)
{
	return slot->state == VECIDX_EXTENSION ? VecIdxExtensionTids(handle->fixed.m) : VECIDX_INLINE_TIDS;
}

/* First slot of the page that holds a slot: what the page's tail says. */
extern uint32 vecidx_handle_first(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot);

/* Of the page that begins with slot "first": how many slots below "end" it holds. */
extern uint32 vecidx_handle_page_slots(VecIdxHandle *handle, VecIdxRunKind run, uint32 first, uint32 end);

/* What handles acquired from now on do; set by the setting of the same name. */
extern VecIdxPageAccess vecidx_page_access;

#endif							/* VECIDX_HANDLE_H */
