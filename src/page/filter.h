/*
 * filter.h
 *	  Filter rows: the values of filter columns that all rows of a slot share.
 *
 * A filter page holds the rows of consecutive ids, field by field (see
 * filter/shape.h).  A row is written before its id is given out, and then
 * stays, but for its flags, as long as the slot's version does; a node without
 * TIDs of its own may get other values, under lock of its adjacency slot.  So
 * who has read an adjacency slot with a row that he can see, and the filter
 * row under lock, has the values of that row.
 *
 * Locks of filter pages come last: who holds one waits for no other.
 */
#ifndef VECIDX_FILTER_H
#define VECIDX_FILTER_H

#include "page/handle.h"
#include "page/peek.h"

/* Bytes of the largest filter row. */
#define VECIDX_FILTER_ROOM		(VECIDX_FILTER_COLUMNS * 16 + (VECIDX_FILTER_COLUMNS + 7) / 8 + 1)

static inline bool
vecidx_filter_exists(const VecIdxHandle *handle)
{
	return handle->layout.run[VECIDX_RUN_FILTER].size > 0;
}

/* The block of a node's row, and which row of the page it is. */
static inline BlockNumber
vecidx_filter_locate(VecIdxHandle *handle, uint32 node, uint32 *row)
{
	const VecIdxRun *run = &handle->layout.run[VECIDX_RUN_FILTER];
	uint32		page;

	if (node >= handle->layout.base_capacity)
	{
		*row = node - vecidx_handle_first(handle, VECIDX_RUN_FILTER, node);
		return vecidx_handle_locate_behind(handle, VECIDX_RUN_FILTER, node, &page);
	}
	page = vecidx_layout_page(run, node);
	*row = node - page * run->per_page;
	return handle->base[VECIDX_RUN_FILTER] + page;
}

/* Flags of a row in memory. */
static inline uint8 *
vecidx_filter_flags(const VecIdxHandle *handle, uint8 *row)
{
	return row + handle->shape.size - 1;
}

/* Does a node's row say that its chain may have other values? */
static inline bool
vecidx_filter_twins(const VecIdxHandle *handle, const uint8 *row)
{
	return (row[handle->shape.size - 1] & VECIDX_FILTER_TWINS) != 0;
}

/* Are the values of two rows the same, bit by bit? */
static inline bool
vecidx_filter_equal(const VecIdxHandle *handle, const uint8 *a, const uint8 *b)
{
	return memcmp(a, b, handle->shape.size - 1) == 0;
}

/* Sets the checksum of a row in memory, and its flag. */
extern void vecidx_filter_seal(const VecIdxFilterShape *shape, uint32 node, bool twins, uint8 *row);

/* Is the checksum right? */
extern bool vecidx_filter_sealed(const VecIdxFilterShape *shape, uint32 node, const uint8 *row);

/* Copies a row of a page of "rows" rows, and back. */
extern void vecidx_filter_gather(const VecIdxFilterShape *shape, const char *page, uint32 rows, uint32 at, uint8 *row);
extern void vecidx_filter_scatter(const VecIdxFilterShape *shape, char *page, uint32 rows, uint32 at, const uint8 *row);

/*
 * Copies a node's row the cheap way: unpinned if that can be done and the
 * checksum is right, else under share lock.  For what steers, no more.
 */
extern void vecidx_filter_peek(VecIdxHandle *handle, uint32 node, uint8 *row);

/* The same under share lock.  Errors when the row is damaged. */
extern void vecidx_filter_read(VecIdxHandle *handle, uint32 node, uint8 *row);

/*
 * Where a node's row lies, for a test in its place, and which row of the page it
 * is; nowhere, if the page is not known to be what it should be.
 */
extern VecIdxPeek vecidx_filter_wanted(VecIdxHandle *handle, uint32 node, uint32 *at);

/*
 * For a pass over all nodes: ahead has pages on their way that come behind the
 * one that begins with a node's row.
 *
 * lock share-locks that one, and tells how many rows of ids below "end" it holds
 * and where their fields are (vecidx_filter_place).  Does not look at checksums.
 * Until it is closed nothing may be called that is not known to be short.
 *
 * open does the same without pin and lock, if that can be done.  What was read
 * then counts only if close says so; if not, the page is to be opened again.
 * A row that is being written meanwhile may be half the one and half the other;
 * it belongs to TIDs that no snapshot sees which was there before.  So a test
 * may give any verdict on it, but no function may be called with its values.
 */
typedef struct VecIdxFilterPage
{
	const uint8 *fields;
	uint32		count;
	Buffer		buffer;			/* pinned and share-locked, or invalid: peeked at */
	VecIdxPeek	peek;
} VecIdxFilterPage;

extern void vecidx_filter_ahead(VecIdxHandle *handle, uint32 first, uint32 end);
extern void vecidx_filter_lock(VecIdxHandle *handle, uint32 first, uint32 end, VecIdxFilterPage *page);
extern void vecidx_filter_open(VecIdxHandle *handle, uint32 first, uint32 end, VecIdxFilterPage *page);
extern bool vecidx_filter_close(VecIdxHandle *handle, VecIdxFilterPage *page);

/* Writes a row, sealed, in a record of its own. */
extern void vecidx_filter_write(VecIdxHandle *handle, uint32 node, bool twins, uint8 *row, bool logged);

/* The same as a part of an edit; its page is to be the last. */
extern void vecidx_filter_edit(VecIdxEdit *edit, VecIdxHandle *handle, uint32 node, bool twins, uint8 *row);

#endif							/* VECIDX_FILTER_H */
