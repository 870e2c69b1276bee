/*
 * deal.h
 *	  Work dealt out among processes.
 */
#ifndef VECIDX_DEAL_H
#define VECIDX_DEAL_H

#include "postgres.h"

#include "port/atomics.h"

/* The next piece that nobody has taken. */
typedef struct VecIdxDeal
{
	pg_atomic_uint64 next;
} VecIdxDeal;

/* Takes at most "piece" of "total" things; false when nothing is left. */
static inline bool
vecidx_deal_take(VecIdxDeal *deal, uint32 piece, uint32 total, uint32 *from, uint32 *to)
{
	uint64		start = pg_atomic_fetch_add_u64(&deal->next, piece);

	if (start >= total)
		return false;
	*from = (uint32) start;
	*to = (uint32) Min(start + piece, total);
	return true;
}

#endif							/* VECIDX_DEAL_H */
