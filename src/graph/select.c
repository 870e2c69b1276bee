/*
 * select.c
 *	  The nearest of many candidates.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "graph/select.h"

static int
compare_estimates(const void *a, const void *b)
{
	const VecIdxCandidate *x = a;
	const VecIdxCandidate *y = b;

	if (x->estimate != y->estimate)
		return x->estimate < y->estimate ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

static inline void
swap(VecIdxCandidate *a, VecIdxCandidate *b)
{
	VecIdxCandidate c = *a;

	*a = *b;
	*b = c;
}

/* Of three places the one whose candidate is neither the nearest nor the farthest. */
static uint32
middle_of(const VecIdxCandidate *candidate, uint32 a, uint32 b, uint32 c)
{
	if (compare_estimates(&candidate[a], &candidate[b]) > 0)
	{
		uint32		d = a;

		a = b;
		b = d;
	}
	if (compare_estimates(&candidate[b], &candidate[c]) <= 0)
		return b;
	return compare_estimates(&candidate[a], &candidate[c]) > 0 ? a : c;
}

/* Moves those nearer than one of them, which comes to stand behind these, to the front; returns its place. */
static uint32
split(VecIdxCandidate *candidate, uint32 count)
{
	uint32		nearer = 0;

	swap(&candidate[middle_of(candidate, 0, count / 2, count - 1)], &candidate[count - 1]);
	for (uint32 i = 0; i < count - 1; i++)
	{
		if (compare_estimates(&candidate[i], &candidate[count - 1]) < 0)
			swap(&candidate[i], &candidate[nearer++]);
	}
	swap(&candidate[nearer], &candidate[count - 1]);
	return nearer;
}

void
vecidx_select_nearest(VecIdxCandidate *candidate, uint32 count, uint32 wanted)
{
	while (count > 1)
	{
		uint32		place;

		CHECK_FOR_INTERRUPTS();
		place = split(candidate, count);
		if (place == wanted - 1)
			return;
		if (place >= wanted)
		{
			count = place;
			continue;
		}
		candidate += place + 1;
		count -= place + 1;
		wanted -= place + 1;
	}
}
