/*
 * phases.h
 *	  What a build or a vacuum spends its time with: a message for each phase.
 */
#ifndef VECIDX_PHASES_H
#define VECIDX_PHASES_H

#include "postgres.h"

#include "portability/instr_time.h"
#include "utils/rel.h"

typedef struct VecIdxPhases
{
	Relation	index;
	int			level;			/* of the messages */
	const char *name;			/* of the phase under way, or NULL */
	instr_time	began;
} VecIdxPhases;

extern void vecidx_phases_init(VecIdxPhases *phases, Relation index, int level);

/* The phase under way is over and told of; the next begins, or none (NULL).  Names must stay. */
extern void vecidx_phases_next(VecIdxPhases *phases, const char *name);

#endif							/* VECIDX_PHASES_H */
