/*
 * kept.h
 *	  What a pass keeps of all that it estimates: the nearest, and what may be among them.
 */
#ifndef VECIDX_KEPT_H
#define VECIDX_KEPT_H

#include <math.h>

#include "graph/graph.h"
#include "graph/nearest.h"

typedef struct VecIdxKept
{
	/* fixed */
	uint32		most;			/* candidates that may be kept in the end */
	float		factor;			/* share of a bound that is believed */

	VecIdxCandidate *candidate;
	uint32		count;
	uint32		room;
	float		worst;			/* once there were too many: estimates beyond are not kept */

	/* where only so many are wanted */
	VecIdxNearest upper;		/* the smallest upper bounds; no room for any: all are wanted */
	float		cut;			/* lower bounds beyond are not kept */
	float		left_out;		/* the smallest of those, or infinity */
} VecIdxKept;

/* wanted: the nearest so many suffice; 0: as many as "most". */
extern void vecidx_kept_init(VecIdxKept *kept, uint32 most, float factor, uint32 wanted);

/* When there is no room left: makes some. */
extern void vecidx_kept_make_room(VecIdxKept *kept);

/* After the last offer: drops what is known by now not to be wanted. */
extern void vecidx_kept_finish(VecIdxKept *kept);

extern void vecidx_kept_free(VecIdxKept *kept);

static inline float
vecidx_kept_lower(const VecIdxKept *kept, float estimate, float bound)
{
	return estimate - kept->factor * bound;
}

static inline void
vecidx_kept_offer(VecIdxKept *kept, uint32 node, float estimate, float bound)
{
	float		lower = vecidx_kept_lower(kept, estimate, bound);
	VecIdxCandidate *candidate;

	if (lower > kept->cut)
	{
		kept->left_out = Min(kept->left_out, lower);
		return;
	}
	if (estimate > kept->worst)
		return;
	if (kept->upper.room > 0 && vecidx_nearest_offer(&kept->upper, estimate + bound) && vecidx_nearest_full(&kept->upper))
		kept->cut = kept->upper.heap[0];
	candidate = &kept->candidate[kept->count];
	candidate->node = node;
	candidate->upper = VECIDX_NONE;
	candidate->estimate = estimate;
	candidate->bound = bound;
	if (++kept->count == kept->room)
		vecidx_kept_make_room(kept);
}

/* Lower bounds that are compared side by side. */
#define VECIDX_KEPT_LANES	4

/*
 * Is every one of the candidates beyond the cut?  If so, they have been left
 * out.  count: a multiple of the lanes.
 */
static inline bool
vecidx_kept_all_beyond(VecIdxKept *kept, const float *estimate, const float *bound, int count)
{
	float		least[VECIDX_KEPT_LANES] = {INFINITY, INFINITY, INFINITY, INFINITY};
	float		lower;

	for (int i = 0; i < count; i += VECIDX_KEPT_LANES)
	{
		for (int lane = 0; lane < VECIDX_KEPT_LANES; lane++)
		{
			lower = vecidx_kept_lower(kept, estimate[i + lane], bound[i + lane]);
			least[lane] = lower < least[lane] ? lower : least[lane];
		}
	}
	lower = Min(Min(least[0], least[1]), Min(least[2], least[3]));
	if (lower <= kept->cut)
		return false;
	kept->left_out = Min(kept->left_out, lower);
	return true;
}

#endif							/* VECIDX_KEPT_H */
