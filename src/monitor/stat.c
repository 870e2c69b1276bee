/*
 * stat.c
 *	  vecidx_stat(), vecidx_recall_stat(), vecidx_stat_reset() and
 *	  vecidx_status(): what has been done with indexes, and where that is kept.
 *
 * The view pg_stat_vecidx calls vecidx_stat() for each index, and an index may
 * be dropped between its snapshot and that: then there is just nothing to say.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/index.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "monitor/interval.h"
#include "monitor/monitor.h"
#include "options.h"
#include "shared/state.h"
#include "shared/stats.h"

/* Behind the counters: three quantiles of latency, and the time of the last reset. */
#define STAT_COLUMNS		(VECIDX_COUNTERS_SHOWN + 4)

/* Scans, rows wanted and right, recall with its interval, time of the last reset. */
#define RECALL_COLUMNS		7

PG_FUNCTION_INFO_V1(vecidx_stat);
PG_FUNCTION_INFO_V1(vecidx_recall_stat);
PG_FUNCTION_INFO_V1(vecidx_stat_reset_all);
PG_FUNCTION_INFO_V1(vecidx_stat_reset_index);
PG_FUNCTION_INFO_V1(vecidx_status);

/* May the user see what others do with the table: has he a right to read some of it, or to read all statistics? */
static bool
may_see(Oid table)
{
	Oid			role = GetUserId();

	return pg_class_aclcheck(table, role, ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck_all(table, role, ACL_SELECT, ACLMASK_ANY) == ACLCHECK_OK ||
		VecIdxOwnsRelation(table, role) ||
		has_privs_of_role(role, ROLE_PG_READ_ALL_STATS);
}

/* The file of an index; false if there is no such index or the user may not know of its use. */
static bool
find_file(Oid index, VecIdxFileNumber *file)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	Oid			table;
	char		kind;

	if (!HeapTupleIsValid(tuple))
		return false;
	kind = ((Form_pg_class) GETSTRUCT(tuple))->relkind;
	*file = ((Form_pg_class) GETSTRUCT(tuple))->relfilenode;
	ReleaseSysCache(tuple);
	if (kind != RELKIND_INDEX)
		return false;
	table = IndexGetRelation(index, true);
	return OidIsValid(table) && SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table)) && may_see(table);
}

static bool
is_time(int counter)
{
	return counter == VECIDX_COUNT_SCAN_TIME || counter == VECIDX_COUNT_VACUUM_TIME;
}

static void
fill_columns(const VecIdxStats *stats, Datum *values, bool *nulls)
{
	static const double parts[] = {0.5, 0.95, 0.99};

	for (int i = 0; i < VECIDX_COUNTERS_SHOWN; i++)
	{
		if (is_time(i))
			values[i] = Float8GetDatum(stats->count[i] / 1e6);
		else
			values[i] = Int64GetDatum((int64) stats->count[i]);
	}
	for (int i = 0; i < (int) lengthof(parts); i++)
	{
		double		quantile = vecidx_latency_quantile(stats->latency, parts[i]);

		nulls[VECIDX_COUNTERS_SHOWN + i] = isnan(quantile);
		/* microseconds are all that there is to tell */
		values[VECIDX_COUNTERS_SHOWN + i] = Float8GetDatum(rint(quantile * 1000) / 1000);
	}
	nulls[STAT_COLUMNS - 1] = stats->since == 0;
	values[STAT_COLUMNS - 1] = TimestampTzGetDatum(stats->since);
}

static void
fill_recall(const VecIdxStats *stats, Datum *values, bool *nulls)
{
	const uint64 *count = stats->count;
	VecIdxInterval interval = {0};

	if (count[VECIDX_COUNT_AUDITS] > 0)
		interval = vecidx_interval(count[VECIDX_COUNT_AUDITS], count[VECIDX_COUNT_SHARES] / VECIDX_SHARE_UNITS,
								   count[VECIDX_COUNT_SQUARES] / VECIDX_SHARE_UNITS);
	nulls[3] = nulls[4] = nulls[5] = count[VECIDX_COUNT_AUDITS] == 0;
	nulls[6] = stats->since == 0;
	values[0] = Int64GetDatum((int64) count[VECIDX_COUNT_AUDITS]);
	values[1] = Int64GetDatum((int64) count[VECIDX_COUNT_WANTED]);
	values[2] = Int64GetDatum((int64) count[VECIDX_COUNT_RIGHT]);
	values[3] = Float8GetDatum(interval.mean);
	values[4] = Float8GetDatum(interval.low);
	values[5] = Float8GetDatum(interval.high);
	values[6] = TimestampTzGetDatum(stats->since);
}

/*
 * A row of what there is of the index that is the argument, filled in by
 * "fill".  All zeroes, and no time of reset, for an index that has no slot.
 */
static Datum
show_stats(FunctionCallInfo fcinfo, int count, void (*fill) (const VecIdxStats *stats, Datum *values, bool *nulls))
{
	Oid			index = PG_GETARG_OID(0);
	Datum		values[STAT_COLUMNS];
	bool		nulls[STAT_COLUMNS] = {false};
	VecIdxStats stats = {0};
	TupleDesc	columns;
	VecIdxFileNumber file;

	StaticAssertStmt(RECALL_COLUMNS <= STAT_COLUMNS, "there is room for either row");
	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE || columns->natts != count)
		elog(ERROR, "function %u was declared with other columns", fcinfo->flinfo->fn_oid);
	if (!find_file(index, &file))
		PG_RETURN_NULL();
	vecidx_stats_read(index, file, vecidx_options_statistics_slots(), &stats);
	fill(&stats, values, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}

Datum
vecidx_stat(PG_FUNCTION_ARGS)
{
	return show_stats(fcinfo, STAT_COLUMNS, fill_columns);
}

Datum
vecidx_recall_stat(PG_FUNCTION_ARGS)
{
	return show_stats(fcinfo, RECALL_COLUMNS, fill_recall);
}

Datum
vecidx_stat_reset_all(PG_FUNCTION_ARGS pg_attribute_unused())
{
	vecidx_stats_reset(InvalidOid, vecidx_options_statistics_slots());
	PG_RETURN_VOID();
}

Datum
vecidx_stat_reset_index(PG_FUNCTION_ARGS)
{
	Oid			index = PG_GETARG_OID(0);

	/* errors for what is no vecidx index */
	(void) vecidx_monitor_table(index);
	vecidx_stats_reset(index, vecidx_options_statistics_slots());
	PG_RETURN_VOID();
}

static void
put(ReturnSetInfo *result, const char *property, const char *value)
{
	Datum		values[2] = {CStringGetTextDatum(property), (Datum) 0};
	bool		nulls[2] = {false, value == NULL};

	if (value != NULL)
		values[1] = CStringGetTextDatum(value);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static const char *
describe_place(const VecIdxSharedStatus *status)
{
	switch (status->place)
	{
		case VECIDX_PLACE_RESERVED:
			return "shared memory, set aside at the start of the server";
		case VECIDX_PLACE_TAKEN:
			return "shared memory, taken when it was first needed";
		default:
			return "memory of this session alone";
	}
}

Datum
vecidx_status(PG_FUNCTION_ARGS)
{
	VecIdxSharedStatus status;
	VecIdxStatsUse use;
	ReturnSetInfo *result;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	/* this is what makes the state, if there was none */
	vecidx_stats_use(vecidx_options_statistics_slots(), &use);
	vecidx_shared_status(VECIDX_SECTION_STATS, &status);
	put(result, "state", describe_place(&status));
	put(result, "state since", timestamptz_to_str(status.since));
	put(result, "why not shared", status.reason);
	put(result, "bytes used", psprintf("%zu", status.used));
	put(result, "bytes at most", status.place == VECIDX_PLACE_SESSION ? NULL : psprintf("%zu", VECIDX_SHARED_LIMIT));
	put(result, "statistics", vecidx_options_track() ? "on" : "off");
	put(result, "statistics slots", psprintf("%u", use.room));
	put(result, "statistics slots used", psprintf("%u", use.used));
	put(result, "statistics evictions", psprintf(UINT64_FORMAT, use.evictions));
	put(result, "bytes of a slot", psprintf("%zu", use.slot_bytes));
	return (Datum) 0;
}
