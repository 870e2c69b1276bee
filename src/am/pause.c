/*
 * pause.c
 *	  Points in the middle of an operation where a test can hold it up.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"

#include "am/pause.h"

char	   *vecidx_pause_point = "";

void
vecidx_pause_init(void)
{
	DefineCustomStringVariable("vecidx.debug_wait",
							   "Where a session waits for an advisory lock, for tests of races.",
							   NULL, &vecidx_pause_point, "", PGC_SUSET, GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL,
							   NULL, NULL, NULL);
}

void
vecidx_pause_at(const char *point)
{
	if (strcmp(point, vecidx_pause_point) != 0)
		return;
	DirectFunctionCall1(pg_advisory_lock_int8, Int64GetDatum(VECIDX_PAUSE_KEY));
	DirectFunctionCall1(pg_advisory_unlock_int8, Int64GetDatum(VECIDX_PAUSE_KEY));
}
