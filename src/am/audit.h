/*
 * audit.h
 *	  What a scan has returned, compared with what a sweep finds: recall of an
 *	  index in use, by a sample of the scans themselves.
 */
#ifndef VECIDX_AUDIT_H
#define VECIDX_AUDIT_H

#include "am/exact.h"
#include "filter/predicate.h"
#include "graph/store.h"
#include "options.h"
#include "shared/stats.h"

/* The first rows of a scan, as many as are compared at most. */
#define VECIDX_AUDIT_ROWS	100

typedef struct VecIdxAudit
{
	uint32		count;
	ItemPointerData tid[VECIDX_AUDIT_ROWS];
} VecIdxAudit;

/* A scan that has ended, with what it still has. */
typedef struct VecIdxAudited
{
	IndexScanDesc scan;
	const VecIdxType *type;
	VecIdxStore *store;			/* its query is the scan's */
	VecIdxPredicate *predicate; /* NULL: no filter */
	const float *row;			/* the query, normalized */
	MemoryContext work;			/* reset soon */
} VecIdxAudited;

/* Draws whether the scan that begins will be audited; NULL if not.  In CurrentMemoryContext. */
extern VecIdxAudit *vecidx_audit_draw(const VecIdxScanOptions *options);

/* The scan returns a row. */
static inline void
vecidx_audit_note(VecIdxAudit *audit, const ItemPointerData *tid)
{
	if (audit->count < VECIDX_AUDIT_ROWS)
		audit->tid[audit->count++] = *tid;
}

/* Is this the time: neither too soon after the last audit, nor where it could not be undone if it failed? */
extern bool vecidx_audit_is_due(const VecIdxAudit *audit, const VecIdxScanOptions *options);

/*
 * Finds the nearest rows that the scan's snapshot can see by a sweep, as many
 * as were noted and can be seen, and counts how many of those noted are as
 * near.  An error in it is logged, and harms nobody; a cancel ends it, and then
 * the query, if that goes on.
 */
extern void vecidx_audit_run(const VecIdxAudit *audit, const VecIdxAudited *scan, const VecIdxScanOptions *options,
							 const VecIdxStatsRef *ref);

#endif							/* VECIDX_AUDIT_H */
