/*
 * trial.h
 *	  Queries whose true neighbours are known, run through an index: what each
 *	  slack, and each share of the bounds, would bring.
 *
 * Any number of processes share the queries of a sheet; what one of them finds
 * does not depend on who asks it, nor on what was asked before.
 */
#ifndef VECIDX_TRIAL_H
#define VECIDX_TRIAL_H

#include "graph/deal.h"
#include "graph/store.h"
#include "graph/truth.h"

/* Slacks that are tried, growing, and shares of the bounds that are believed. */
#define VECIDX_SLACKS		13
#define VECIDX_FACTORS		6
extern const double vecidx_trial_slacks[VECIDX_SLACKS];
extern const float vecidx_trial_factors[VECIDX_FACTORS];

/* What a way to search brings: without exact distances, and with. */
typedef struct VecIdxOutcome
{
	double		recall[2];
	double		cost[2];		/* about ns */
} VecIdxOutcome;

/* What a query was asked, and what came of it. */
typedef struct VecIdxRuns
{
	bool		asked;
	double		expanded[VECIDX_SLACKS];	/* nodes */
	double		walked[VECIDX_SLACKS];	/* the part of all costs that the search has */
	VecIdxOutcome outcome[VECIDX_SLACKS][VECIDX_FACTORS];
} VecIdxRuns;

/* What is asked, and the answers of all queries of a truth; for all processes the same. */
typedef struct VecIdxSheet
{
	uint32		count;			/* results wanted */
	int			first;			/* slacks from this one on */
	int			runs;			/* to before this one */
	double		limit[VECIDX_SLACKS];	/* nodes that a search may expand with each */
	VecIdxRuns	answers[FLEXIBLE_ARRAY_MEMBER];
} VecIdxSheet;

extern Size vecidx_sheet_size(int queries);

/* What a process runs queries with. */
typedef struct VecIdxTrial VecIdxTrial;

/* The truth is settled, and stays; so does the handle.  In the current memory context. */
extern VecIdxTrial *vecidx_trial_create(VecIdxHandle *handle, const VecIdxTruth *truth);

/* Runs those queries of a sheet that no other process has taken. */
extern void vecidx_trial_run(VecIdxTrial *trial, VecIdxSheet *sheet, VecIdxDeal *deal);

#endif							/* VECIDX_TRIAL_H */
