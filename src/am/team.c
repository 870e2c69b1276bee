/*
 * team.c
 *	  The processes that build an index together.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/dsm.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "am/team.h"
#include "compat.h"
#include "shared/state.h"

#define KEY_STATE		UINT64CONST(0x5645434944580001)

/* What a process waits for at a barrier. */
typedef enum Wait
{
	WAIT_FOR_STEP,				/* a helper, for the leader: the next step */
	WAIT_FOR_TEAM				/* the others' share of a step */
} Wait;

/* Meets the others at the barrier. */
static void
meet_team(VecIdxTeam *team, Wait wait)
{
	static uint32 events[2];

	if (events[wait] == 0)
		events[wait] = wait == WAIT_FOR_STEP ? VecIdxWaitEvent("VecidxBuildStep") : VecIdxWaitEvent("VecidxBuildTeam");
	BarrierArriveAndWait(&team->state->barrier, events[wait]);
}

static Size
state_size(void)
{
	return MAXALIGN(sizeof(VecIdxTeamState));
}

void *
vecidx_team_shared(VecIdxTeamState *state)
{
	return (char *) state + state_size();
}

void
vecidx_team_join(VecIdxTeam *team, shm_toc *toc)
{
	memset(team, 0, sizeof(VecIdxTeam));
	team->state = shm_toc_lookup(toc, KEY_STATE, false);
	team->size = team->state->size;
	team->number = ParallelWorkerNumber + 1;
	for (int i = 0; i < VECIDX_TEAM_PIECES; i++)
		team->handle[i] = DSM_HANDLE_INVALID;
}

static void
tell_shortage(Size size)
{
	ereport(NOTICE,
			(errmsg("not enough shared memory to build the index with parallel workers"),
			 errdetail("%zu MB are needed; one process builds it alone.", size / (1024 * 1024) + 1),
			 errhint("Enlarge /dev/shm (for Docker: --shm-size).")));
}

static void
init_state(VecIdxTeamState *state)
{
	BarrierInit(&state->barrier, 0);
	pg_atomic_init_u64(&state->deal.next, 0);
	for (int i = 0; i < VECIDX_TEAM_PIECES; i++)
		state->pieces[i] = DSM_HANDLE_INVALID;
}

static void
create_alone(VecIdxTeam *team, Size size)
{
	team->state = palloc_extended(state_size() + size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	team->alone = true;
	init_state(team->state);
}

void
vecidx_team_create(VecIdxTeam *team, int helpers, Size size)
{
	Size		total = state_size() + size;
	ParallelContext *parallel;

	memset(team, 0, sizeof(VecIdxTeam));
	team->size = 1;
	if (helpers > 0 && !vecidx_shared_has_room(total))
	{
		tell_shortage(total);
		helpers = 0;
	}
	if (helpers == 0)
	{
		create_alone(team, size);
		return;
	}
	EnterParallelMode();
	parallel = CreateParallelContext("vecidx", "vecidx_build_help", Min(helpers, VECIDX_TEAM_MAX - 1));
	shm_toc_estimate_chunk(&parallel->estimator, total);
	shm_toc_estimate_keys(&parallel->estimator, 1);
	InitializeParallelDSM(parallel);
	if (parallel->seg == NULL)
	{
		DestroyParallelContext(parallel);
		ExitParallelMode();
		create_alone(team, size);
		return;
	}
	team->parallel = parallel;
	team->size = parallel->nworkers + 1;
	team->state = shm_toc_allocate(parallel->toc, total);
	memset(team->state, 0, total);
	init_state(team->state);
	team->state->size = team->size;
	shm_toc_insert(parallel->toc, KEY_STATE, team->state);
	SharedFileSetInit(&team->state->files, parallel->seg);
	BarrierAttach(&team->state->barrier);
}

void
vecidx_team_launch(VecIdxTeam *team)
{
	if (team->parallel == NULL)
		return;
	LaunchParallelWorkers(team->parallel);
	team->helpers = team->parallel->nworkers_launched;
}

/* Helpers that wait for work, and those that come later, find that there is none. */
static void
send_home(VecIdxTeam *team)
{
	if (team->alone)
		return;
	team->state->step = VECIDX_TEAM_QUIT;
	meet_team(team, WAIT_FOR_TEAM);
	BarrierDetach(&team->state->barrier);
	team->alone = true;
}

void *
vecidx_team_allocate(VecIdxTeam *team, int piece, Size size)
{
	if (!team->alone && !vecidx_shared_has_room(size))
	{
		tell_shortage(size);
		send_home(team);
	}
	if (team->alone)
		team->piece[piece] = palloc_extended(size, MCXT_ALLOC_HUGE);
	else
	{
		team->segment[piece] = dsm_create(size, 0);
		team->handle[piece] = dsm_segment_handle(team->segment[piece]);
		team->state->pieces[piece] = team->handle[piece];
		team->piece[piece] = dsm_segment_address(team->segment[piece]);
	}
	return team->piece[piece];
}

bool
vecidx_team_has_memory(const VecIdxTeam *team, Size size)
{
	return team->alone || vecidx_shared_has_room(size);
}

void *
vecidx_team_piece(VecIdxTeam *team, int piece)
{
	dsm_handle	handle = team->state->pieces[piece];

	if (team->number == 0 || handle == team->handle[piece])
		return team->piece[piece];
	if (team->segment[piece] != NULL)
		dsm_detach(team->segment[piece]);
	team->segment[piece] = NULL;
	team->piece[piece] = NULL;
	team->handle[piece] = handle;
	if (handle == DSM_HANDLE_INVALID)
		return NULL;
	team->segment[piece] = dsm_attach(handle);
	if (team->segment[piece] == NULL)
		elog(ERROR, "could not attach to shared memory of index build");
	team->piece[piece] = dsm_segment_address(team->segment[piece]);
	return team->piece[piece];
}

void
vecidx_team_free(VecIdxTeam *team, int piece)
{
	if (team->segment[piece] != NULL)
		dsm_detach(team->segment[piece]);
	else if (team->piece[piece] != NULL)
		pfree(team->piece[piece]);
	team->segment[piece] = NULL;
	team->handle[piece] = DSM_HANDLE_INVALID;
	team->piece[piece] = NULL;
	if (team->state != NULL)
		team->state->pieces[piece] = DSM_HANDLE_INVALID;
}

void
vecidx_team_run(VecIdxTeam *team, int step, VecIdxTeamWork work, void *self)
{
	VecIdxTeamState *state = team->state;

	state->step = step;
	pg_atomic_write_u64(&state->deal.next, 0);
	if (!team->alone)
		meet_team(team, WAIT_FOR_TEAM);
	work(self, step);
	if (!team->alone)
		meet_team(team, WAIT_FOR_TEAM);
}

/* A leader that was interrupted may be gone before the helper has come. */
static bool
has_files(SharedFileSet *files)
{
	bool		present;

	SpinLockAcquire(&files->mutex);
	present = files->refcnt > 0;
	SpinLockRelease(&files->mutex);
	return present;
}

void
vecidx_team_help(VecIdxTeam *team, dsm_segment *segment, VecIdxTeamWork work, void *self)
{
	VecIdxTeamState *state = team->state;
	int			phase;

	if (!has_files(&state->files))
		return;
	SharedFileSetAttach(&state->files, segment);
	phase = BarrierAttach(&state->barrier);
	for (;;)
	{
		if (phase % 2 == 0)
			meet_team(team, WAIT_FOR_STEP);
		if (state->step == VECIDX_TEAM_QUIT)
			break;
		work(self, state->step);
		meet_team(team, WAIT_FOR_TEAM);
		phase = 0;
	}
	BarrierDetach(&state->barrier);
	for (int i = 0; i < VECIDX_TEAM_PIECES; i++)
	{
		if (team->segment[i] != NULL)
			dsm_detach(team->segment[i]);
	}
}

void
vecidx_team_rest(VecIdxTeam *team)
{
	send_home(team);
	if (team->parallel != NULL)
		WaitForParallelWorkersToFinish(team->parallel);
}

void
vecidx_team_dismiss(VecIdxTeam *team)
{
	vecidx_team_rest(team);
	if (team->parallel == NULL)
		return;
	DestroyParallelContext(team->parallel);
	ExitParallelMode();
	team->parallel = NULL;
	team->state = NULL;
}
