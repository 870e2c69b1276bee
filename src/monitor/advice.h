/*
 * advice.h
 *	  What is wrong with an index, and what to do about it.
 */
#ifndef VECIDX_ADVICE_H
#define VECIDX_ADVICE_H

#include "postgres.h"

#include "monitor/measure.h"
#include "monitor/monitor.h"

/*
 * How much longer scans may take than the first ones.  A histogram may be off
 * by a quarter, once up and once down; and what is asked for changes from day
 * to day.  Twice as long is neither.
 */
#define VECIDX_LATENCY_BAD	2.0

typedef struct VecIdxHealth
{
	const char *index;			/* qualified and quoted, as is */
	const char *table;
	bool		valid;
	bool		exact;			/* codes say all (Hamming): nothing about them can go stale */
	uint64		nodes;			/* live */
	uint64		built;			/* that the build made; 0: it found no rows */
	uint64		tombstones;
	uint64		unreached;
	uint64		entries;		/* TIDs */
	uint64		dead;			/* of these, of rows that vacuum would take away, as far as statistics tell; 0 on a standby */
	double		drift;			/* NAN: not known */
	uint64		calibrated;		/* nodes at the latest calibration; 0: never calibrated */
	uint32		version;		/* of the format */
	double		latency_growth; /* of scans since the statistics were reset, against the first ones; NAN: not known */
	double		resident;		/* share of hot pages in shared buffers; NAN: not looked at, as nothing asks for it */
	double		target;			/* recall asked for by this session; NAN: by ef_search instead */
	VecIdxRecall recall;		/* as measured; queries 0: not measured */
} VecIdxHealth;

/*
 * Counts what is in the index, and fills in all but the recall, which is not
 * measured.  What is in memory is asked first: counting reads pages.
 */
extern void vecidx_health_look(VecIdxHealth *health, const VecIdxTarget *target, VecIdxHandle *handle, VecIdxCount *count);

/* A sentence with a command for what matters most; NULL if there is nothing to do. */
extern const char *vecidx_advice(const VecIdxHealth *health);

#endif							/* VECIDX_ADVICE_H */
