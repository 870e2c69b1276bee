/*
 * survey.h
 *	  The share of nodes that pass a filter, by a look at some of their rows.
 */
#ifndef VECIDX_SURVEY_H
#define VECIDX_SURVEY_H

#include "filter/predicate.h"
#include "page/handle.h"

#define VECIDX_SURVEY_SEEDS		64

/* What a look at some of all filter rows tells. */
typedef struct VecIdxSurvey
{
	uint32		rows;			/* looked at */
	uint32		passed;
	double		share;			/* of nodes that pass, about */
	double		open;			/* part of filter rows at which a pass has to look, about, by their zones */
	bool		zones_tell;		/* a pass should go by zones, or learn them */
	uint32		seeds;
	uint32		seed[VECIDX_SURVEY_SEEDS];	/* some that pass */
} VecIdxSurvey;

extern void vecidx_survey_take(VecIdxHandle *handle, VecIdxPredicate *predicate, VecIdxSurvey *sample);

#endif							/* VECIDX_SURVEY_H */
