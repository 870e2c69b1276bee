/*
 * options.h
 *	  Index options and settings, and nothing that decides what they mean to
 *	  an algorithm: those get plain numbers.
 */
#ifndef VECIDX_OPTIONS_H
#define VECIDX_OPTIONS_H

#include "postgres.h"

#include "utils/rel.h"

#include "quant/quant.h"

/* quantizer = auto: the build looks at the data. */
#define VECIDX_QUANTIZER_AUTO	0

/* rerank = auto: by the number of dimensions. */
#define VECIDX_RERANK_AUTO		(-1)

/* WITH (...) of an index, as stored in pg_class.reloptions. */
typedef struct VecIdxOptions
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	int			m;
	int			ef_construction;
	int			quantizer;		/* bits, or VECIDX_QUANTIZER_AUTO */
	int			rerank;			/* VecIdxRerank, or VECIDX_RERANK_AUTO */
	int			dimensions;		/* 0: from the column's type or the rows */
} VecIdxOptions;

/* What a scan takes from the session. */
typedef struct VecIdxScanOptions
{
	double		target_recall;
	int			ef_search;		/* 0: from target_recall */
	bool		track;			/* its work is counted in the statistics */
	int			log_min_duration;	/* milliseconds from which on it is logged, -1: never */
	double		audit_rate;		/* chance that it is audited */
	int			audit_interval; /* milliseconds from one audit of the session to the next, at least; 0: audits do not wait */
} VecIdxScanOptions;

/* Slots of the statistics (shared/stats.h), if the session is the one that makes them. */
#define VECIDX_DEFAULT_STATISTICS_SLOTS	1024

extern void vecidx_options_init(void);
extern bytea *vecidx_options_parse(Datum reloptions, bool validate);

/* The index's options, or the defaults. */
extern VecIdxOptions vecidx_options_of(Relation index);
extern VecIdxScanOptions vecidx_options_scan(void);

/* Is what inserts and vacuums do counted in the statistics? */
extern bool vecidx_options_track(void);
extern uint32 vecidx_options_statistics_slots(void);

#endif							/* VECIDX_OPTIONS_H */
