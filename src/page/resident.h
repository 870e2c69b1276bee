/*
 * resident.h
 *	  Which blocks of an index are in memory, without bringing any there.
 */
#ifndef VECIDX_RESIDENT_H
#define VECIDX_RESIDENT_H

#include "postgres.h"

#include "storage/block.h"
#include "utils/rel.h"

/*
 * Sets buffered[block] for each block below "blocks" that is in shared buffers
 * (for a temporary index: in the session's own).  Looks at the header of every
 * buffer once, without its lock: a buffer that changes hands meanwhile counts
 * as what it was or as what it becomes.
 */
extern void vecidx_resident_buffers(Relation index, BlockNumber blocks, bool *buffered);

/*
 * Sets cached[block] to the bytes of each block below "blocks" that the
 * operating system has in its cache.  False where it does not tell.
 */
extern bool vecidx_resident_cache(Relation index, BlockNumber blocks, uint32 *cached);

#endif							/* VECIDX_RESIDENT_H */
