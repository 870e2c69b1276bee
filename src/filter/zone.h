/*
 * zone.h
 *	  Zones: what values there are on a filter page, so that a pass need not
 *	  look at a page of which no row can pass.
 *
 * A session keeps them, for columns on which there are conditions, as its
 * passes find them.  They cost no byte on disk and no write anything: a zone
 * holds as long as the LSN of its page is what it was when the page was read.
 * Each change of a filter page that is logged sets its LSN after it has changed
 * the page, under lock; a reader has the LSN before the page.  So a zone that
 * still holds knows of all rows but such as are being written, which no snapshot
 * sees that was there before.
 *
 * Filter pages of relations without WAL keep their LSN, and have no zones.
 */
#ifndef VECIDX_FILTER_ZONE_H
#define VECIDX_FILTER_ZONE_H

#include "access/xlogdefs.h"

#include "filter/predicate.h"
#include "page/filter.h"

/* The values of a column on a page. */
typedef struct VecIdxZone
{
	uint64		low;			/* the least and the greatest key, of numbers (interval.h) */
	uint64		high;
	uint64		marks;			/* of each key a bit, by its hash */
} VecIdxZone;

/* Says that a pass over the index begins: a session's second one makes zones. */
extern void vecidx_zones_begin(VecIdxHandle *handle, const VecIdxPredicate *predicate);

/* The session's zones, or NULL if there are none or they are of no use to the predicate. */
extern VecIdxZones *vecidx_zones_get(VecIdxHandle *handle, const VecIdxPredicate *predicate);

/* Is it known that no row of the page that begins with a node's passes?  Neither pins nor locks. */
extern bool vecidx_zones_closed(VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first);

/* Looks at the rows of that page for what is not known of it. */
extern void vecidx_zones_learn(VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first);

#endif							/* VECIDX_FILTER_ZONE_H */
