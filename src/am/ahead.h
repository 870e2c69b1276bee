/*
 * ahead.h
 *	  Rows that will be fetched next.
 */
#ifndef VECIDX_AHEAD_H
#define VECIDX_AHEAD_H

#include "storage/itemptr.h"
#include "utils/rel.h"

/* Rows looked at in one call, at most. */
#define VECIDX_AHEAD_ROWS	32

/*
 * Says that these rows of a table will be fetched: has their pages read in the
 * background, and what is in shared buffers on its way into the processor's
 * cache.  count is at most VECIDX_AHEAD_ROWS.
 */
extern void vecidx_ahead_rows(Relation table, const ItemPointerData *tids, int count);

#endif							/* VECIDX_AHEAD_H */
