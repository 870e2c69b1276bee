/*
 * zone.h
 *	  Zones: what values the rows of a filter page have, so that a pass need not
 *	  look at rows of which none can pass.
 *
 * A session keeps them, for columns on which there are conditions, as its
 * passes find them.  They cost no byte on disk and no write anything: a zone
 * holds as long as the LSN of its page is what it was when the page was read.
 * They are learned under lock.  Each change of a filter page that is logged sets
 * its LSN, after it has changed the page; who goes by a zone compares the LSN
 * without a lock.  So a zone that holds knows of all rows but such as are being
 * written, which no snapshot sees that was there before.
 *
 * Filter pages of relations without WAL keep their LSN, and have no zones.
 */
#ifndef VECIDX_FILTER_ZONE_H
#define VECIDX_FILTER_ZONE_H

#include "filter/predicate.h"
#include "page/filter.h"

/* Rows that have a zone together: strip s of a page are rows [64 s, 64 s + 64). */
#define VECIDX_STRIP_ROWS	64

/* Strips of a page, at most: a row has a byte for a column, one for null bits and one of flags at least. */
#define VECIDX_STRIPS_MOST	((VECIDX_PAGE_USABLE / 3 + VECIDX_STRIP_ROWS - 1) / VECIDX_STRIP_ROWS)

StaticAssertDecl(VECIDX_STRIPS_MOST < 64, "the strips of a page must fit the bits of a word");

static inline uint32
vecidx_strips(const VecIdxHandle *handle)
{
	return (handle->layout.run[VECIDX_RUN_FILTER].per_page + VECIDX_STRIP_ROWS - 1) / VECIDX_STRIP_ROWS;
}

/* Says that a pass over the index begins: a session's second one makes zones, of "memory" bytes at most. */
extern void vecidx_zones_begin(VecIdxHandle *handle, Size memory);

/* The session's zones, or NULL if there are none or they are of no use to the predicate. */
extern VecIdxZones *vecidx_zones_get(VecIdxHandle *handle, const VecIdxPredicate *predicate);

/*
 * Strips, a bit each, of the page that begins with a node's row, of which rows
 * may pass; all, where nothing is known of the page.  Neither pins nor locks.
 */
extern uint64 vecidx_zones_open(const VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first);

/* Is something known of that page for all tests that zones can say no to? */
extern bool vecidx_zones_know(const VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first);

/* Looks, under lock, at the rows of that page for what is not known of it. */
extern void vecidx_zones_learn(VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first);

#endif							/* VECIDX_FILTER_ZONE_H */
