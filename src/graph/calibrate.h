/*
 * calibrate.h
 *	  Which effort reaches which recall: measured by running queries whose true
 *	  neighbours are known through the finished index.
 *
 * Where rows of the table serve as queries, a query's own node is hidden from
 * the search: it would lead straight to the answer, which no new query has.
 */
#ifndef VECIDX_CALIBRATE_H
#define VECIDX_CALIBRATE_H

#include "graph/effort.h"
#include "graph/trial.h"

#define VECIDX_CALIBRATE_QUERIES	256

/* With fewer rows nothing is calibrated: searches look at all of them. */
#define VECIDX_CALIBRATE_MIN_ROWS	1000

/* The recall that is aimed at for a target, where it is measured by that many neighbours. */
extern double vecidx_calibrate_aim(double target, double neighbours);

/* How queries are asked: run has all processes run those of the sheet that are asked (vecidx_trial_run). */
typedef struct VecIdxAsking
{
	VecIdxSheet *sheet;
	void		(*run) (void *state);
	void	   *state;
} VecIdxAsking;

/*
 * Fills in the tuning; its source stays "not" if there is nothing to go by.
 * The truth is settled.
 */
extern void vecidx_calibrate(VecIdxHandle *handle, const VecIdxTruth *truth, const VecIdxAsking *asking,
							 VecIdxTuningSource source, VecIdxMetaTuning *tuning);

/* The same by this process alone. */
extern void vecidx_calibrate_alone(VecIdxHandle *handle, const VecIdxTruth *truth, VecIdxTuningSource source,
								   VecIdxMetaTuning *tuning);

#endif							/* VECIDX_CALIBRATE_H */
