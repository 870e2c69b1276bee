/*
 * filter.h
 *	  A scan's filter: what its keys ask for, and which way is the cheaper to
 *	  the nearest rows that pass.
 */
#ifndef VECIDX_SCAN_FILTER_H
#define VECIDX_SCAN_FILTER_H

#include "access/relscan.h"

#include "am/explain.h"
#include "graph/effort.h"
#include "graph/sift.h"

typedef struct VecIdxScanFilter
{
	VecIdxPredicate *predicate;
	VecIdxSurvey survey;
	VecIdxSift	sift;			/* if it is sifted */
	VecIdxPrices prices;
	double		pass_cost;		/* of a pass over all filter rows */
	bool		probing;		/* a sift is worth while only if what passes is near the query */
} VecIdxScanFilter;

/*
 * In CurrentMemoryContext; NULL for a scan whose keys let all rows pass.
 * Unless "outlives" is set it is good as long as the values of the keys, which
 * the executor frees before it ends the scan.
 */
extern VecIdxScanFilter *vecidx_scan_filter_make(IndexScanDesc scan, const VecIdxHandle *handle, bool outlives);

/* Looks at some filter rows. */
extern void vecidx_scan_filter_survey(VecIdxScanFilter *filter, VecIdxStore *store);

/*
 * Says whether to begin with a sift for so many rows, be it to see whether it
 * is worth while; effort is that for the nodes among which they are.
 */
extern bool vecidx_scan_filter_choose(VecIdxScanFilter *filter, VecIdxStore *store, const VecIdxEffort *effort, uint32 wanted);

/* Nodes among which so many pass, about: a walk to them is what an unfiltered search for as many is. */
extern uint32 vecidx_scan_filter_among(const VecIdxScanFilter *filter, const VecIdxStore *store, uint32 wanted);

/* Begins the sift; false if there is nowhere to begin. */
extern bool vecidx_scan_filter_begin(VecIdxScanFilter *filter, VecIdxSearch *search, VecIdxStore *store);

/* Sifts for so many rows with that effort, and with the slack of that for the nodes among which they are; if it comes to nothing, says why. */
extern VecIdxSwitch vecidx_scan_filter_sift(VecIdxScanFilter *filter, const VecIdxEffort *effort, const VecIdxEffort *among, uint32 wanted);

#endif							/* VECIDX_SCAN_FILTER_H */
