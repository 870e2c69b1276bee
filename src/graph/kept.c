/*
 * kept.c
 *	  What a pass keeps of all that it estimates.
 */
#include "postgres.h"

#include "graph/kept.h"
#include "graph/select.h"

/* Candidates that there is room for at first. */
#define ROOM_FIRST		1024

void
vecidx_kept_init(VecIdxKept *kept, uint32 most, float factor, uint32 wanted)
{
	memset(kept, 0, sizeof(VecIdxKept));
	kept->most = most;
	kept->factor = factor;
	kept->room = ROOM_FIRST;
	kept->candidate = palloc(kept->room * sizeof(VecIdxCandidate));
	kept->worst = kept->cut = kept->left_out = INFINITY;
	kept->upper.room = wanted;
	if (wanted > 0)
		kept->upper.heap = palloc_extended(wanted * sizeof(float), MCXT_ALLOC_HUGE);
}

/* Drops what is known by now not to be wanted. */
static void
trim(VecIdxKept *kept)
{
	uint32		count = 0;

	if (kept->cut == INFINITY)
		return;
	for (uint32 i = 0; i < kept->count; i++)
	{
		float		lower = vecidx_kept_lower(kept, kept->candidate[i].estimate, kept->candidate[i].bound);

		if (lower > kept->cut)
			kept->left_out = Min(kept->left_out, lower);
		else
			kept->candidate[count++] = kept->candidate[i];
	}
	kept->count = count;
}

/* Keeps the nearest of those there are, which are more than may be kept; the farthest of them bounds what is kept from then on. */
static void
halve(VecIdxKept *kept)
{
	vecidx_select_nearest(kept->candidate, kept->count, kept->most);
	kept->count = kept->most;
	kept->worst = kept->candidate[kept->most - 1].estimate;
}

void
vecidx_kept_make_room(VecIdxKept *kept)
{
	trim(kept);
	if (kept->count <= kept->room / 2)
		return;
	if (kept->count > kept->most && kept->room >= 2 * (uint64) kept->most)
	{
		halve(kept);
		return;
	}
	kept->room *= 2;
	kept->candidate = repalloc_huge(kept->candidate, (Size) kept->room * sizeof(VecIdxCandidate));
}

void
vecidx_kept_finish(VecIdxKept *kept)
{
	trim(kept);
	if (kept->count > kept->most)
		halve(kept);
}

void
vecidx_kept_free(VecIdxKept *kept)
{
	pfree(kept->candidate);
	if (kept->upper.heap != NULL)
		pfree(kept->upper.heap);
}
