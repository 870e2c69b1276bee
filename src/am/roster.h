/*
 * roster.h
 *	  In which slot a TID was last seen: by this session, or by others.
 */
#ifndef VECIDX_ROSTER_H
#define VECIDX_ROSTER_H

#include "page/handle.h"

/* The slot that held the TID when it was noted, or VECIDX_NONE.  A hint: it may not hold it any more. */
extern uint32 vecidx_roster_find(const VecIdxHandle *handle, const ItemPointerData *tid);

/* The same, by what sessions post to each other: where a TID went of late.  The slot may be one that the index has not. */
extern uint32 vecidx_roster_ask(const VecIdxHandle *handle, const ItemPointerData *tid);

/*
 * A TID will be noted soon, and another dropped: has their places on their way
 * into the processor's cache.  No lightweight lock may be held.
 */
extern void vecidx_roster_expect(const VecIdxHandle *handle, const ItemPointerData *former, const ItemPointerData *tid);

/* Notes where a TID is now, if there is a roster, and posts it to other sessions. */
extern void vecidx_roster_note(VecIdxHandle *handle, const ItemPointerData *tid, uint32 slot);

/* The TID will not be asked for again, in all likelihood: its place is for others. */
extern void vecidx_roster_drop(VecIdxHandle *handle, const ItemPointerData *tid);

/*
 * A TID of the index was not found.  When looking for such by their vectors
 * has cost as much as a pass over all slots would, makes the pass; true if the
 * roster is new.  It takes no more than "memory" bytes, as long as the handle
 * lives.
 */
extern bool vecidx_roster_missed(VecIdxHandle *handle, Size memory);

#endif							/* VECIDX_ROSTER_H */
