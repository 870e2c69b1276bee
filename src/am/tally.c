/*
 * tally.c
 *	  What has been done with an index, counted and logged.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/lsyscache.h"

#include "am/tally.h"
#include "options.h"

StaticAssertDecl((int) VECIDX_COUNT_SCAN_TIME == VECIDX_COUNT_HIT + 2 * VECIDX_VISITS, "all kinds of pages are counted");

VecIdxStatsRef
vecidx_tally_find(Relation index)
{
	VecIdxStatsRef none = {NULL, 0};

	if (!vecidx_options_track())
		return none;
	return vecidx_stats_find(index, vecidx_options_statistics_slots());
}

static uint64
nanoseconds(instr_time time)
{
	return (uint64) (INSTR_TIME_GET_DOUBLE(time) * 1e9);
}

void
vecidx_tally_scan(const VecIdxStatsRef *ref, const VecIdxScanStats *stats, bool aborted)
{
	uint64		count[VECIDX_COUNTERS] = {0};
	VecIdxStrategy strategy = vecidx_scan_strategy(stats);

	if (ref->slot == NULL)
		return;
	count[VECIDX_COUNT_SCANS] = 1;
	count[VECIDX_COUNT_ABORTED] = aborted;
	count[VECIDX_COUNT_ROWS] = stats->rows;
	count[VECIDX_COUNT_EXPANDED] = stats->expanded;
	count[VECIDX_COUNT_ESTIMATES] = stats->estimates;
	count[VECIDX_COUNT_RERANKED] = stats->reranked;
	count[VECIDX_COUNT_EXACT] = stats->exact;
	count[VECIDX_COUNT_RESTARTS] = stats->restarts;
	if (strategy != VECIDX_STRATEGY_NOTHING)
		count[VECIDX_COUNT_WALK + strategy - VECIDX_STRATEGY_WALK] = 1;
	count[VECIDX_COUNT_TESTS] = stats->tests;
	count[VECIDX_COUNT_PASSES] = stats->passes;
	count[VECIDX_COUNT_BRIDGED] = stats->bridged;
	if (stats->switched != VECIDX_SWITCH_NONE)
		count[VECIDX_COUNT_DEAR + stats->switched - VECIDX_SWITCH_DEAR] = 1;
	for (int i = 0; i < VECIDX_VISITS; i++)
	{
		count[VECIDX_COUNT_HIT + 2 * i] = stats->visits.hit[i];
		count[VECIDX_COUNT_HIT + 2 * i + 1] = stats->visits.read[i];
	}
	count[VECIDX_COUNT_SCAN_TIME] = nanoseconds(stats->time);
	vecidx_stats_add(ref, count, aborted ? -1 : (int64) count[VECIDX_COUNT_SCAN_TIME]);
}

void
vecidx_tally_inserts(const VecIdxStatsRef *ref, uint64 rows, uint64 attached)
{
	uint64		count[VECIDX_COUNTERS] = {0};

	count[VECIDX_COUNT_INSERTS] = rows;
	count[VECIDX_COUNT_ATTACHED] = attached;
	vecidx_stats_add(ref, count, -1);
}

void
vecidx_tally_audit(const VecIdxStatsRef *ref, int wanted, int right)
{
	uint64		count[VECIDX_COUNTERS] = {0};
	double		share = (double) right / wanted;

	count[VECIDX_COUNT_AUDITS] = 1;
	count[VECIDX_COUNT_WANTED] = wanted;
	count[VECIDX_COUNT_RIGHT] = right;
	count[VECIDX_COUNT_SHARES] = (uint64) (share * VECIDX_SHARE_UNITS + 0.5);
	count[VECIDX_COUNT_SQUARES] = (uint64) (share * share * VECIDX_SHARE_UNITS + 0.5);
	vecidx_stats_add(ref, count, -1);
}

void
vecidx_tally_vacuum(const VecIdxStatsRef *ref, const VecIdxVacuumed *vacuumed)
{
	uint64		count[VECIDX_COUNTERS] = {0};

	count[VECIDX_COUNT_DELETES] = vacuumed->deletes;
	count[VECIDX_COUNT_TOMBSTONES_MADE] = vacuumed->made;
	count[VECIDX_COUNT_TOMBSTONES_FREED] = vacuumed->freed;
	count[VECIDX_COUNT_VACUUMS] = vacuumed->finished;
	count[VECIDX_COUNT_VACUUM_TIME] = nanoseconds(vacuumed->time);
	vecidx_stats_add(ref, count, -1);
}

/* What the scan has done, in words. */
static char *
describe_work(const VecIdxScanStats *stats)
{
	const char *strategy = vecidx_strategy_name(vecidx_scan_strategy(stats));
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s; rows: " UINT64_FORMAT ", expanded: " UINT64_FORMAT ", estimates: " UINT64_FORMAT
					 ", reranked: " UINT64_FORMAT ", exact: " UINT64_FORMAT ", restarts: " UINT64_FORMAT,
					 strategy != NULL ? strategy : "nothing to search", stats->rows, stats->expanded, stats->estimates,
					 stats->reranked, stats->exact, stats->restarts);
	if (stats->filtered)
		appendStringInfo(&text, ", filter tests: " UINT64_FORMAT ", filter passes: " UINT64_FORMAT, stats->tests, stats->passes);
	if (stats->switched != VECIDX_SWITCH_NONE)
		appendStringInfo(&text, ", walk ended: %s", vecidx_switch_name(stats->switched));
	return text.data;
}

/* Neither the statement nor what called it is logged along with it: these may hold vectors. */
void
vecidx_tally_log(Relation index, const VecIdxScanStats *stats, int least)
{
	double		milliseconds = INSTR_TIME_GET_MILLISEC(stats->time);
	char	   *work;

	if (least < 0 || milliseconds < least)
		return;
	work = describe_work(stats);
	ereport(LOG,
			(errmsg("duration: %.3f ms  scan of vecidx index \"%s.%s\": %s", milliseconds,
					get_namespace_name(RelationGetNamespace(index)), RelationGetRelationName(index), work),
			 errhidestmt(true), errhidecontext(true)));
	pfree(work);
}
