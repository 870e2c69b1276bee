/*
 * spool.h
 *	  Records that the processes of a team write to temporary files and read
 *	  back.
 *
 * Each process writes to a file of its own; what all wrote is then read as
 * one sequence, the leader's records first.
 */
#ifndef VECIDX_SPOOL_H
#define VECIDX_SPOOL_H

#include "postgres.h"

#include "storage/buffile.h"

#include "am/team.h"

typedef struct VecIdxSpool
{
	/* fixed */
	VecIdxTeam *team;
	Size		size;			/* of a record */
	uint64	   *counts;			/* records of each process; shared */
	int			kind;			/* these two name its files */
	int			cell;
	bool		keeps;			/* files that were read stay open; false until set */

	/* changes */
	BufFile   **read;			/* those, one for each process; or NULL */
	BufFile    *file;			/* this process's, while it is open for writing; the leader of a team of one keeps it */
} VecIdxSpool;

/* counts: zero, one for each process. */
extern void vecidx_spool_init(VecIdxSpool *spool, VecIdxTeam *team, Size size, uint64 *counts, int kind, int cell);

extern void vecidx_spool_write(VecIdxSpool *spool, void *record);

/* This process has written all that it will; others may read once that is known to be so. */
extern void vecidx_spool_finish(VecIdxSpool *spool);

/* Records of all processes; of those before a process. */
extern uint64 vecidx_spool_total(const VecIdxSpool *spool);
extern uint64 vecidx_spool_before(const VecIdxSpool *spool, int process);

/* Called for each record, with its number in the sequence. */
typedef void (*VecIdxSpoolTake) (void *state, uint64 number, const void *record);

/* Reads records from..to - 1 of the sequence; record is scratch of the record's size. */
extern void vecidx_spool_read(VecIdxSpool *spool, uint64 from, uint64 to, void *record, VecIdxSpoolTake take, void *state);

extern void vecidx_spool_close(VecIdxSpool *spool);

#endif							/* VECIDX_SPOOL_H */
