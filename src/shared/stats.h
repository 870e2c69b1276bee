/*
 * stats.h
 *	  What has been done with each index, by all sessions together.
 *
 * An index has a slot with counters, found by database, index and file, so
 * that an index that was built anew begins anew.  Slots are as many as the
 * section was made with; when all are taken, the one that was unused longest
 * goes to the next index.
 */
#ifndef VECIDX_SHARED_STATS_H
#define VECIDX_SHARED_STATS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "compat.h"
#include "shared/latency.h"

/* In the order of the view's columns, and what it does not show.  Times are in nanoseconds. */
typedef enum VecIdxCounter
{
	VECIDX_COUNT_SCANS,
	VECIDX_COUNT_ABORTED,		/* scans that an error ended */
	VECIDX_COUNT_ROWS,
	VECIDX_COUNT_EXPANDED,
	VECIDX_COUNT_ESTIMATES,
	VECIDX_COUNT_RERANKED,
	VECIDX_COUNT_EXACT,
	VECIDX_COUNT_RESTARTS,		/* further batches */
	VECIDX_COUNT_WALK,			/* strategies: the order of the next six is that of VecIdxStrategy */
	VECIDX_COUNT_SWEEP,
	VECIDX_COUNT_WALK_SWEEP,
	VECIDX_COUNT_SIFT,
	VECIDX_COUNT_PASS,
	VECIDX_COUNT_SIFT_PASS,
	VECIDX_COUNT_TESTS,
	VECIDX_COUNT_PASSES,
	VECIDX_COUNT_BRIDGED,
	VECIDX_COUNT_DEAR,			/* why walks under filters gave way: that of VecIdxSwitch */
	VECIDX_COUNT_DRY,
	VECIDX_COUNT_MUCH,
	VECIDX_COUNT_HIT,			/* pages by kind: that of VecIdxVisit; for each kind, hit and read */
	VECIDX_COUNT_SCAN_TIME = VECIDX_COUNT_HIT + 12,
	VECIDX_COUNT_INSERTS,
	VECIDX_COUNT_ATTACHED,
	VECIDX_COUNT_DELETES,
	VECIDX_COUNT_TOMBSTONES_MADE,
	VECIDX_COUNT_TOMBSTONES_FREED,
	VECIDX_COUNT_VACUUMS,
	VECIDX_COUNT_VACUUM_TIME,
	VECIDX_COUNTERS_SHOWN,
	VECIDX_COUNT_AUDITS = VECIDX_COUNTERS_SHOWN,
	VECIDX_COUNT_WANTED,		/* rows that audited scans should have returned */
	VECIDX_COUNT_RIGHT,			/* of these, such as they did */
	VECIDX_COUNT_SHARES,		/* sum of what is right of each scan, in units */
	VECIDX_COUNT_SQUARES,		/* the same, of squares */
	VECIDX_COUNTERS
} VecIdxCounter;

/* Units in which a share is counted: 1 is so many. */
#define VECIDX_SHARE_UNITS	1e9

typedef struct VecIdxStats
{
	TimestampTz since;			/* when the counters were all zero */
	uint64		count[VECIDX_COUNTERS];
	uint64		latency[VECIDX_LATENCY_STEPS];
	VecIdxLatencyFirst first;	/* since the index was built, or the server started */
} VecIdxStats;

/* An index's slot, as long as it is that index's. */
typedef struct VecIdxStatsSlot VecIdxStatsSlot;

typedef struct VecIdxStatsRef
{
	VecIdxStatsSlot *slot;		/* NULL: nothing is counted */
	uint64		life;			/* of the slot */
} VecIdxStatsRef;

/*
 * Finds or makes the slot of an index; "room" is the number of slots, if there
 * are none yet.  Takes a lock only where this session has not met the index of
 * late.  No lightweight lock may be held.
 */
extern VecIdxStatsRef vecidx_stats_find(Relation index, uint32 room);

/*
 * Adds to counters, and to the histogram unless latency is negative
 * (nanoseconds).  Allocates nothing and cannot fail, so it may be called while a
 * transaction is rolled back.  If the slot has become another index's, what
 * would be added is lost.
 */
extern void vecidx_stats_add(const VecIdxStatsRef *ref, const uint64 *count, int64 latency);

/* Copies what there is of an index of this database; false if it has no slot. */
extern bool vecidx_stats_read(Oid index, VecIdxFileNumber file, uint32 room, VecIdxStats *stats);

/*
 * Zeroes the counters of an index of this database, or of all its indexes
 * (InvalidOid), but keeps the first latencies once they are all there.
 */
extern void vecidx_stats_reset(Oid index, uint32 room);

typedef struct VecIdxStatsUse
{
	uint32		room;
	uint32		used;
	uint64		evictions;
	Size		slot_bytes;
} VecIdxStatsUse;

extern void vecidx_stats_use(uint32 room, VecIdxStatsUse *use);

#endif							/* VECIDX_SHARED_STATS_H */
