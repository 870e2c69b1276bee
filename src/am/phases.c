/*
 * phases.c
 *	  A message for each phase of a build or a vacuum.
 */
#include "postgres.h"

#include "am/phases.h"

void
vecidx_phases_init(VecIdxPhases *phases, Relation index, int level)
{
	phases->index = index;
	phases->level = level;
	phases->name = NULL;
}

void
vecidx_phases_next(VecIdxPhases *phases, const char *name)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	if (phases->name != NULL)
	{
		instr_time	spent = now;

		INSTR_TIME_SUBTRACT(spent, phases->began);
		ereport(phases->level,
				(errmsg("index \"%s\": %s took %.3f ms", RelationGetRelationName(phases->index), phases->name,
						INSTR_TIME_GET_MILLISEC(spent))));
	}
	phases->name = name;
	phases->began = now;
}
