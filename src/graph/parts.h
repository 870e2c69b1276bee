/*
 * parts.h
 *	  Parts of a level that no link connects.
 */
#ifndef VECIDX_PARTS_H
#define VECIDX_PARTS_H

#include "graph/levels.h"

/*
 * Sees to it that every member is in somebody's list: one that is in none goes
 * into that of the nearest of those it has chosen, where there is room, or
 * in the place of one that others name, too.
 */
extern void vecidx_parts_rescue(VecIdxLevels *levels, int level);

/*
 * A level of tight groups falls apart: whoever searches it must come from
 * above to each of its parts.  Finds, if there is more than one, those parts
 * none of whose members stands on a higher level, and names a member of each
 * that shall: a point below "home".  Returns how many points, at most "most".
 */
extern uint32 vecidx_parts_find(const VecIdxLevels *levels, int level, uint32 home, uint32 most, uint32 *points);

#endif							/* VECIDX_PARTS_H */
