/*
 * state.c
 *	  Memory that all sessions of a server share.
 */
#include "postgres.h"

#include <sys/statvfs.h>

#include "miscadmin.h"
#include "storage/dsm_impl.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/dsa.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "shared/state.h"

#ifdef VECIDX_HAS_DSM_REGISTRY
#include "storage/dsm_registry.h"
#endif

#define STATE_NAME		"vecidx"

/* Dynamic shared memory that is left to others. */
#define MEMORY_SLACK	((Size) 4 * 1024 * 1024)

/* What the first piece of an area takes. */
#define AREA_BYTES		((Size) 1024 * 1024)

/* At the place that every session finds. */
typedef struct SharedState
{
	/* fixed once it is made */
	int			tranche;		/* of the lock */
	int			area_tranche;	/* of the area's */
	TimestampTz since;
	LWLock		lock;			/* for all that follows, and for who calls vecidx_shared_lock() */

	bool		has_area;
	dsa_handle	area;
	dsa_pointer section[VECIDX_SECTIONS];	/* InvalidDsaPointer: not made yet */
	Size		size[VECIDX_SECTIONS];
} SharedState;

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

/* As this session sees it. */
static SharedState *reserved = NULL;	/* set aside at the start of the server */
static SharedState *state = NULL;	/* NULL: not looked for, or the session is on its own */
static dsa_area *area = NULL;
static VecIdxSharedPlace place = VECIDX_PLACE_UNKNOWN;
static void *sections[VECIDX_SECTIONS];

/* Sections that are the session's own. */
static bool own[VECIDX_SECTIONS];
static Size own_bytes = 0;
static TimestampTz own_since = 0;	/* when shared memory was sought in vain */
static char why_own[256] = "";

bool
vecidx_shared_has_room(Size size)
{
	struct statvfs fs;

	if (dynamic_shared_memory_type != DSM_IMPL_POSIX || statvfs("/dev/shm", &fs) != 0)
		return true;
	return (double) fs.f_bavail * fs.f_frsize >= (double) size + MEMORY_SLACK;
}

static void
init_state(void *address)
{
	SharedState *made = address;

	memset(made, 0, sizeof(SharedState));
	made->tranche = LWLockNewTrancheId();
	made->area_tranche = LWLockNewTrancheId();
	made->since = GetCurrentTimestamp();
	LWLockInitialize(&made->lock, made->tranche);
}

/* At the start of the server. */

static void
request_memory(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(SharedState)));
}

/* In main shared memory.  Errors if there is no room. */
static SharedState *
find_in_main(void)
{
	SharedState *found;
	bool		present;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	found = ShmemInitStruct(STATE_NAME, sizeof(SharedState), &present);
	if (!present)
		init_state(found);
	LWLockRelease(AddinShmemInitLock);
	return found;
}

static void
reserve_memory(void)
{
	if (previous_startup != NULL)
		previous_startup();
	reserved = find_in_main();
}

void
vecidx_shared_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = reserve_memory;
}

/* In a session. */

/*
 * What fails here leaves an entry half made in the registry.  The next session
 * makes it whole; early releases of 17 and 18 refuse it until the server is
 * started again, and so long each session is on its own.
 */
static SharedState *
find_state(void)
{
	bool		present PG_USED_FOR_ASSERTS_ONLY;

	if (reserved != NULL)
		return reserved;
#ifdef VECIDX_HAS_DSM_REGISTRY
	return GetNamedDSMSegment(STATE_NAME, sizeof(SharedState), init_state, &present);
#else
	return find_in_main();
#endif
}

static void
attach_area(dsa_handle handle)
{
	area = dsa_attach(handle);
	dsa_pin_mapping(area);
}

/* No lock is held while an area is made, which may fail.  If another session has been faster, that one's is taken. */
static void
make_area(void)
{
	dsa_area   *made = dsa_create(state->area_tranche);
	dsa_handle	other;
	bool		late;

	dsa_set_size_limit(made, VECIDX_SHARED_LIMIT);
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	late = state->has_area;
	other = state->area;
	if (!late)
	{
		dsa_pin(made);
		dsa_pin_mapping(made);
		state->area = dsa_get_handle(made);
		state->has_area = true;
		area = made;
	}
	LWLockRelease(&state->lock);
	if (!late)
		return;
	dsa_detach(made);
	attach_area(other);
}

static void
require_room(Size size)
{
	if (!vecidx_shared_has_room(size))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("not enough dynamic shared memory: %zu kB are needed", size / 1024)));
}

static void
attach_state(Size size)
{
	SharedState *found;
	bool		has_area;
	dsa_handle	handle;

	found = find_state();
	LWLockRegisterTranche(found->tranche, "VecidxState");
	LWLockRegisterTranche(found->area_tranche, "VecidxArea");
	state = found;
	LWLockAcquire(&state->lock, LW_SHARED);
	has_area = state->has_area;
	handle = state->area;
	LWLockRelease(&state->lock);
	if (has_area)
		attach_area(handle);
	else
	{
		require_room(AREA_BYTES + size);
		make_area();
	}
	place = reserved != NULL ? VECIDX_PLACE_RESERVED : VECIDX_PLACE_TAKEN;
}

static dsa_pointer
look_section(VecIdxSection section)
{
	dsa_pointer found;

	LWLockAcquire(&state->lock, LW_SHARED);
	found = state->section[section];
	LWLockRelease(&state->lock);
	return found;
}

/* Makes a section, unless another session has been faster. */
static dsa_pointer
make_section(VecIdxSection section, Size size, void (*init) (void *address, Size size))
{
	dsa_pointer made;
	dsa_pointer found;

	require_room(size);
	made = dsa_allocate_extended(area, size, DSA_ALLOC_HUGE | DSA_ALLOC_ZERO);
	init(dsa_get_address(area, made), size);
	LWLockAcquire(&state->lock, LW_EXCLUSIVE);
	if (!DsaPointerIsValid(state->section[section]))
	{
		state->section[section] = made;
		state->size[section] = size;
	}
	found = state->section[section];
	LWLockRelease(&state->lock);
	if (found != made)
		dsa_free(area, made);
	return found;
}

static void
find_section(VecIdxSection section, Size size, void (*init) (void *address, Size size))
{
	dsa_pointer found;

	if (place == VECIDX_PLACE_UNKNOWN)
		attach_state(size);
	found = look_section(section);
	if (!DsaPointerIsValid(found))
		found = make_section(section, size, init);
	sections[section] = dsa_get_address(area, found);
}

/* What has failed for want of shared memory is undone. */
static void
recover(uint32 holdoff)
{
	ErrorData  *error;

	/* what was locked on the way down is still; whoever called holds none */
	LWLockReleaseAll();
	InterruptHoldoffCount = holdoff;
	MemoryContextSwitchTo(TopMemoryContext);
	error = CopyErrorData();
	FlushErrorState();
	strlcpy(why_own, error->message, sizeof(why_own));
	FreeErrorData(error);
	if (place == VECIDX_PLACE_UNKNOWN)
	{
		place = VECIDX_PLACE_SESSION;
		state = NULL;
	}
	own_since = GetCurrentTimestamp();
}

/* Shared memory belongs to the session, not to the transaction: there is no owner to give it back. */
static void
try_section(VecIdxSection section, Size size, void (*init) (void *address, Size size))
{
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	uint32		holdoff;

	HOLD_INTERRUPTS();
	holdoff = InterruptHoldoffCount;
	CurrentResourceOwner = NULL;
	PG_TRY();
	{
		find_section(section, size, init);
	}
	PG_CATCH();
	{
		recover(holdoff);
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(old);
	RESUME_INTERRUPTS();
}

void *
vecidx_shared_try(VecIdxSection section, Size size, void (*init) (void *address, Size size))
{
	if (sections[section] == NULL && place != VECIDX_PLACE_SESSION)
		try_section(section, size, init);
	return sections[section];
}

void *
vecidx_shared_section(VecIdxSection section, Size size, void (*init) (void *address, Size size))
{
	if (vecidx_shared_try(section, size, init) == NULL)
	{
		void	   *made = MemoryContextAllocExtended(TopMemoryContext, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

		init(made, size);
		own_bytes += size;
		own[section] = true;
		sections[section] = made;
	}
	return sections[section];
}

void
vecidx_shared_lock(VecIdxSection section, LWLockMode mode)
{
	if (!own[section])
		LWLockAcquire(&state->lock, mode);
}

void
vecidx_shared_unlock(VecIdxSection section)
{
	if (!own[section])
		LWLockRelease(&state->lock);
}

void
vecidx_shared_status(VecIdxSection section, VecIdxSharedStatus *status)
{
	status->place = own[section] ? VECIDX_PLACE_SESSION : place;
	status->reason = own[section] ? why_own : NULL;
	status->since = own_since;
	status->used = own_bytes;
	if (own[section])
		return;
	status->since = state->since;
	status->used = sizeof(SharedState);
	LWLockAcquire(&state->lock, LW_SHARED);
	for (int i = 0; i < VECIDX_SECTIONS; i++)
		status->used += state->size[i];
	LWLockRelease(&state->lock);
}
