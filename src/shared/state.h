/*
 * state.h
 *	  Memory that all sessions of a server share: where it is, and the one way
 *	  to get some.
 *
 * A few hundred bytes at a place that every session finds lead to an area of
 * dynamic shared memory, and in it to sections, one for each part of the
 * extension that keeps something there.  It takes no preloading: the first
 * session that needs the place makes it.  With shared_preload_libraries the
 * server sets the place aside when it starts.  A section for which no shared
 * memory can be had is this session's own until it ends, and the same code works
 * on it.  Nothing survives the end or the crash of a server.
 */
#ifndef VECIDX_SHARED_STATE_H
#define VECIDX_SHARED_STATE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "storage/lwlock.h"

/* The area grows no larger than this many bytes. */
#define VECIDX_SHARED_LIMIT		((Size) 64 * 1024 * 1024)

/* What is kept. */
typedef enum VecIdxSection
{
	VECIDX_SECTION_STATS,		/* shared/stats.h */
	VECIDX_SECTION_BOARD,		/* shared/board.h */
	VECIDX_SECTIONS
} VecIdxSection;

typedef enum VecIdxSharedPlace
{
	VECIDX_PLACE_UNKNOWN,		/* nothing has been asked for yet */
	VECIDX_PLACE_RESERVED,		/* shared, set aside when the server started */
	VECIDX_PLACE_TAKEN,			/* shared, made by the first session that needed it */
	VECIDX_PLACE_SESSION		/* this session's alone */
} VecIdxSharedPlace;

typedef struct VecIdxSharedStatus
{
	VecIdxSharedPlace place;
	const char *reason;			/* why it is the session's alone, or NULL */
	TimestampTz since;			/* when it was made */
	Size		used;			/* bytes */
} VecIdxSharedStatus;

/* To be called when the module is loaded: sets a place aside if that is at the start of the server. */
extern void vecidx_shared_init(void);

/*
 * The address of a section, good until the session ends.  The first session to
 * ask makes it: "size" zeroed bytes, given to init before others see them; who
 * comes later gets it as it was made.  Errors only when this session is out of
 * memory.  No lightweight lock may be held.
 */
extern void *vecidx_shared_section(VecIdxSection section, Size size, void (*init) (void *address, Size size));

/* The same for what is of no use to one session alone: NULL where memory cannot be shared. */
extern void *vecidx_shared_try(VecIdxSection section, Size size, void (*init) (void *address, Size size));

/*
 * The lock for what is looked up or changed seldom in a section that is there;
 * one for all of them.  A section of the session's own needs none.
 */
extern void vecidx_shared_lock(VecIdxSection section, LWLockMode mode);
extern void vecidx_shared_unlock(VecIdxSection section);

/* Of a section that is there; but bytes are those of all that are kept in the same place. */
extern void vecidx_shared_status(VecIdxSection section, VecIdxSharedStatus *status);

/*
 * Is there so much dynamic shared memory?  POSIX shared memory is a file system
 * of limited size, in containers often 64 MB; to be told by an error in the
 * middle of something would be late.
 */
extern bool vecidx_shared_has_room(Size size);

#endif							/* VECIDX_SHARED_STATE_H */
