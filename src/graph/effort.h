/*
 * effort.h
 *	  How much a search must do to reach a recall target: by the table in the
 *	  metapage, which calibrate.c has measured.
 */
#ifndef VECIDX_EFFORT_H
#define VECIDX_EFFORT_H

#include "graph/search.h"
#include "page/page.h"

typedef struct VecIdxEffort
{
	VecIdxStop	stop;
	float		factor;			/* share of an estimate's bound that is believed */
	bool		exact;			/* rows decide what rerank vectors leave open */
	double		expanded;		/* nodes that a search will expand, about */
} VecIdxEffort;

/* The rows and columns of the table. */
extern const double vecidx_effort_targets[VECIDX_TARGETS];
extern const uint32 vecidx_effort_counts[VECIDX_TARGET_KS];

/* The last of these: beyond it nothing was measured. */
#define VECIDX_CALIBRATED_MOST		100

/* What makes squared Euclidean distances of order distances to a normalized query of that norm. */
extern float vecidx_effort_shift(VecIdxMetric metric, float largest_norm, float query_norm);

/*
 * The effort for a number of results: that of a plain beam ef wide, or, where
 * ef is 0, what reaches the recall.  stop.shift is left 0.
 */
extern VecIdxEffort vecidx_effort_choose(const VecIdxMetaTuning *tuning, uint32 ef, double recall, uint32 count);

/* What a slack comes to in a stop rule. */
extern VecIdxStop vecidx_effort_stop(uint32 width, double slack, double limit);

/* And back: the share by which Euclidean distances may lie beyond the beam. */
extern double vecidx_effort_slack(const VecIdxEffort *effort);

#endif							/* VECIDX_EFFORT_H */
