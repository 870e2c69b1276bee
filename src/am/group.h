/*
 * group.h
 *	  Rows of a node by their filter rows: in a build, those with the same one
 *	  are a group, and a slot has rows of one group.
 */
#ifndef VECIDX_GROUP_H
#define VECIDX_GROUP_H

#include "am/roll.h"

/* Gives a row's filter row, which stays until the next call. */
typedef const uint8 *(*VecIdxGroupFetch) (void *state, uint32 row);

/*
 * Puts the rows of each node in an order in which groups lie together, and
 * notes where they end.  Does nothing if filter rows have no size.
 */
extern void vecidx_group_rows(VecIdxRoll *roll, Size size, VecIdxGroupFetch fetch, void *state);

/* Is the row the last of its group?  Never so without filter columns. */
static inline bool
vecidx_group_ends(const VecIdxRoll *roll, uint32 row)
{
	return roll->groups != NULL && (roll->groups[row / 8] & 1 << row % 8) != 0;
}

#endif							/* VECIDX_GROUP_H */
