/*
 * explain.h
 *	  What scans have done: vecidx_last_scan(), and EXPLAIN where it can be
 *	  extended.
 */
#ifndef VECIDX_EXPLAIN_H
#define VECIDX_EXPLAIN_H

#include "access/genam.h"
#include "portability/instr_time.h"

#include "page/buffer.h"

/* Why a search under a filter gave way to a pass over all filter rows. */
typedef enum VecIdxSwitch
{
	VECIDX_SWITCH_NONE,
	VECIDX_SWITCH_DEAR,			/* it had cost more than that */
	VECIDX_SWITCH_DRY,			/* it found no more nodes */
	VECIDX_SWITCH_MUCH			/* a large part of what passes was asked for */
} VecIdxSwitch;

/* How a scan finds its rows. */
typedef enum VecIdxStrategy
{
	VECIDX_STRATEGY_NOTHING,		/* there were none to look at */
	VECIDX_STRATEGY_WALK,
	VECIDX_STRATEGY_SWEEP,
	VECIDX_STRATEGY_WALK_SWEEP,
	VECIDX_STRATEGY_SIFT,
	VECIDX_STRATEGY_PASS,
	VECIDX_STRATEGY_SIFT_PASS
} VecIdxStrategy;

/* One scan, from its first row to its end or to the next rescan. */
typedef struct VecIdxScanStats
{
	Oid			index;
	int64		k;				/* rows that will be asked for, -1 if unknown */
	double		target_recall;	/* what the beam was chosen for */
	uint32		ef;				/* width of the beam, at last; 0 without a walk */
	double		slack;			/* walk goes on for as much farther than the beam */
	double		rerank_factor;	/* share of the bound of an estimate that is believed */
	bool		walked;
	bool		swept;
	uint64		expanded;		/* nodes whose neighbours were looked at */
	uint64		estimates;		/* distances from codes */
	uint64		reranked;		/* distances from rerank vectors */
	uint64		exact;			/* distances from rows */
	uint64		rows;			/* rows returned */
	bool		filtered;		/* by keys */
	double		share;			/* of filter rows looked at that passed; negative: none was */
	uint64		tests;			/* filter rows looked at */
	uint64		passes;			/* and found to pass, perhaps */
	uint64		bridged;		/* nodes expanded that do not pass */
	VecIdxSwitch switched;
	uint64		restarts;		/* times that more was asked for than had been searched for */
	VecIdxVisits visits;		/* pages looked at */
	instr_time	time;			/* spent in the index, up to the last row given out */
} VecIdxScanStats;

/* The most recent scan of this backend; without an index before the first. */
extern VecIdxScanStats vecidx_last_scan_stats;

extern VecIdxStrategy vecidx_scan_strategy(const VecIdxScanStats *stats);

/* In words; NULL for none. */
extern const char *vecidx_strategy_name(VecIdxStrategy strategy);
extern const char *vecidx_switch_name(VecIdxSwitch why);

/* Makes this the most recent scan: of scans that have begun, when they end and when they are rescanned. */
extern void vecidx_scan_stats_publish(const VecIdxScanStats *stats);

/* Adds the counters of a part; other members become those of the part. */
extern void vecidx_scan_stats_add(VecIdxScanStats *sum, const VecIdxScanStats *part);

/* What the scan has done up to now, earlier rescans included (in scan.c). */
extern void vecidx_scan_stats_get(IndexScanDesc scan, VecIdxScanStats *sum);

/* Puts the EXPLAIN hook in place, where there is one. */
extern void vecidx_explain_init(void);

#endif							/* VECIDX_EXPLAIN_H */
