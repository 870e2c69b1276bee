/*
 * select.h
 *	  The nearest of many candidates.
 */
#ifndef VECIDX_SELECT_H
#define VECIDX_SELECT_H

#include "graph/graph.h"

/*
 * Moves the nearest "wanted" of count candidates, 0 < wanted <= count, to the
 * front, in any order, the farthest of them to the last place (Hoare's find);
 * of equally near ones those of lower ids.  Time grows as count does.
 */
extern void vecidx_select_nearest(VecIdxCandidate *candidate, uint32 count, uint32 wanted);

#endif							/* VECIDX_SELECT_H */
