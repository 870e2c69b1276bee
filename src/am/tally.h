/*
 * tally.h
 *	  What a scan, a statement's inserts or a vacuum have done, added to the
 *	  statistics that all sessions share; slow scans in the log.
 */
#ifndef VECIDX_TALLY_H
#define VECIDX_TALLY_H

#include "am/explain.h"
#include "shared/stats.h"

/* Where an index's work is counted; nowhere if the setting says so.  No lightweight lock may be held. */
extern VecIdxStatsRef vecidx_tally_find(Relation index);

/* Those that follow cannot fail, and allocate nothing. */

/* A scan, or a rescan, that is over; "aborted": by an error. */
extern void vecidx_tally_scan(const VecIdxStatsRef *ref, const VecIdxScanStats *stats, bool aborted);

/* Rows that were inserted, and how many of them belong to a node that there was. */
extern void vecidx_tally_inserts(const VecIdxStatsRef *ref, uint64 rows, uint64 attached);

/* A scan was audited: of so many rows that it should have returned, so many were right. */
extern void vecidx_tally_audit(const VecIdxStatsRef *ref, int wanted, int right);

typedef struct VecIdxVacuumed
{
	uint64		deletes;		/* TIDs taken out */
	uint64		made;			/* tombstones */
	uint64		freed;
	bool		finished;		/* the last part of a vacuum */
	instr_time	time;
} VecIdxVacuumed;

extern void vecidx_tally_vacuum(const VecIdxStatsRef *ref, const VecIdxVacuumed *vacuumed);

/* Logs a scan that took at least so many milliseconds (negative: none).  Without the query or its text. */
extern void vecidx_tally_log(Relation index, const VecIdxScanStats *stats, int least);

#endif							/* VECIDX_TALLY_H */
