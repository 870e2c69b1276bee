/*
 * team.h
 *	  The processes that build an index together.
 *
 * The leader is the backend that runs CREATE INDEX; helpers are PostgreSQL's
 * parallel workers.  Work comes in steps: the leader begins one, all do it
 * until it is done, and between steps the leader is alone.  Helpers may come
 * late, or never.  Without helpers the same code runs in the leader alone, in
 * memory of its own.
 */
#ifndef VECIDX_TEAM_H
#define VECIDX_TEAM_H

#include "postgres.h"

#include "access/parallel.h"
#include "storage/barrier.h"
#include "storage/dsm.h"
#include "storage/sharedfileset.h"

#include "graph/weave.h"

/* Pieces of memory that a team can have beside the first. */
#define VECIDX_TEAM_PIECES		8

/* Leader and helpers at most. */
#define VECIDX_TEAM_MAX			64

/* At the start of the team's first piece of memory. */
typedef struct VecIdxTeamState
{
	Barrier		barrier;		/* in odd phases there is work */
	int			size;			/* as every process's */
	int			step;			/* the work at hand, or VECIDX_TEAM_QUIT */
	VecIdxDeal	deal;			/* of the work at hand */
	dsm_handle	pieces[VECIDX_TEAM_PIECES];
	SharedFileSet files;
} VecIdxTeamState;

#define VECIDX_TEAM_QUIT		(-1)

typedef struct VecIdxTeam
{
	VecIdxTeamState *state;
	ParallelContext *parallel;	/* the leader's; NULL: no helpers were asked for */
	int			size;			/* processes that may take part, the leader among them */
	int			helpers;		/* launched */
	bool		alone;			/* helpers, if any, have been sent home */
	int			number;			/* of this process: 0 is the leader */
	void	   *piece[VECIDX_TEAM_PIECES];	/* as this process sees them, or NULL */
	dsm_segment *segment[VECIDX_TEAM_PIECES];
	dsm_handle	handle[VECIDX_TEAM_PIECES]; /* of the segment */
} VecIdxTeam;

/* What a process does in a step. */
typedef void (*VecIdxTeamWork) (void *self, int step);

/*
 * Makes a team with at most so many helpers; *size bytes of zeroed memory that
 * all share follow the state.  If there is too little shared memory, the team
 * is the leader alone.  Enters parallel mode if there are to be helpers.
 */
extern void vecidx_team_create(VecIdxTeam *team, int helpers, Size size);

/* Starts the helpers: what they need of the shared memory must be there. */
extern void vecidx_team_launch(VecIdxTeam *team);

/* The memory behind the state. */
extern void *vecidx_team_shared(VecIdxTeamState *state);

/*
 * Gets another piece of shared memory, not zeroed.  If there is not enough,
 * sends the helpers home, and the leader goes on alone.
 */
extern void *vecidx_team_allocate(VecIdxTeam *team, int piece, Size size);

/* Would there be enough? */
extern bool vecidx_team_has_memory(const VecIdxTeam *team, Size size);

/* That piece, in any process; NULL if it has been freed. */
extern void *vecidx_team_piece(VecIdxTeam *team, int piece);
extern void vecidx_team_free(VecIdxTeam *team, int piece);

/* Does a step, in the leader and with all helpers; returns when all is done. */
extern void vecidx_team_run(VecIdxTeam *team, int step, VecIdxTeamWork work, void *self);

/* A helper's life: does each step until it is sent home. */
extern void vecidx_team_help(VecIdxTeam *team, dsm_segment *segment, VecIdxTeamWork work, void *self);

/* Finds the team, in a helper. */
extern void vecidx_team_join(VecIdxTeam *team, shm_toc *toc);

/* Sends the helpers home, and waits until they are gone. */
extern void vecidx_team_rest(VecIdxTeam *team);

/* The same, and leaves parallel mode; pieces of memory stay, the state and all shared files go. */
extern void vecidx_team_dismiss(VecIdxTeam *team);

#endif							/* VECIDX_TEAM_H */
