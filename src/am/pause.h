/*
 * pause.h
 *	  Points in the middle of an operation where a test can hold it up.
 *
 * A session whose setting vecidx.debug_wait names a point waits there, each
 * time it comes by, for the advisory lock VECIDX_PAUSE_KEY, and gives it back
 * at once.  For developers: PostgreSQL has injection points from version 17 on.
 */
#ifndef VECIDX_PAUSE_H
#define VECIDX_PAUSE_H

#include "postgres.h"

#define VECIDX_PAUSE_KEY	837

/* Sets up the setting. */
extern void vecidx_pause_init(void);

/* The point's name, or an empty string. */
extern char *vecidx_pause_point;

extern void vecidx_pause_at(const char *point);

/* To be called without any lock on a page. */
static inline void
vecidx_pause(const char *point)
{
	if (unlikely(vecidx_pause_point[0] != '\0'))
		vecidx_pause_at(point);
}

#endif							/* VECIDX_PAUSE_H */
