/*
 * health.c
 *	  vecidx_health: how an index has fared since it was built, in one row.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "monitor/advice.h"
#include "options.h"
#include "shared/stats.h"

PG_FUNCTION_INFO_V1(vecidx_health);

/* A cheap measurement: rows used as queries, and neighbours asked for. */
#define RECALL_QUERIES	50
#define RECALL_K		10

/*
 * Entries of rows that vacuum would take away, as far as statistics tell:
 * those that there are more of than rows alive.  In a partial index, or one of
 * a column with many NULLs, they tell of none.
 */
static uint64
dead_entries(Oid table, uint64 entries)
{
	int64		live = DatumGetInt64(DirectFunctionCall1(pg_stat_get_live_tuples, ObjectIdGetDatum(table)));
	int64		dead = DatumGetInt64(DirectFunctionCall1(pg_stat_get_dead_tuples, ObjectIdGetDatum(table)));

	return (uint64) Max(0, Min(dead, (int64) entries - live));
}

static double
latency_growth(Relation index)
{
	VecIdxStats stats;

	if (!vecidx_stats_read(RelationGetRelid(index), VecIdxRelationFile(index), vecidx_options_statistics_slots(), &stats))
		return NAN;
	return vecidx_latency_growth(&stats.first, stats.latency);
}

static const char *
qualified_name(Relation relation)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)), RelationGetRelationName(relation));
}

void
vecidx_health_look(VecIdxHealth *health, const VecIdxTarget *target, VecIdxHandle *handle, VecIdxCount *count)
{
	VecIdxScanOptions options = vecidx_options_scan();

	memset(health, 0, sizeof(VecIdxHealth));
	health->latency_growth = latency_growth(target->index);
	health->resident = health->latency_growth > VECIDX_LATENCY_BAD ? vecidx_hot_resident(handle) : NAN;
	vecidx_count(handle, count);
	health->index = qualified_name(target->index);
	health->table = qualified_name(target->table);
	health->valid = target->index->rd_index->indisvalid;
	health->exact = handle->fixed.metric == VECIDX_HAMMING;
	health->nodes = count->states[VECIDX_LIVE];
	health->built = handle->fixed.base_capacity;
	health->tombstones = count->states[VECIDX_TOMBSTONE];
	health->unreached = count->unreached;
	health->entries = count->tids;
	health->dead = dead_entries(RelationGetRelid(target->table), count->tids);
	health->drift = count->drift;
	health->calibrated = handle->tuning.source == VECIDX_TUNED_NOT ? 0 : handle->tuning.nodes;
	health->version = handle->version;
	health->target = options.ef_search > 0 ? NAN : options.target_recall;
}

/* A row of the result under way. */
typedef struct Row
{
	Datum		values[17];
	bool		nulls[17];
	int			count;
} Row;

static void
add(Row *row, Datum value, bool isnull)
{
	row->values[row->count] = isnull ? (Datum) 0 : value;
	row->nulls[row->count++] = isnull;
}

static void
add_count(Row *row, uint64 count)
{
	add(row, Int64GetDatum((int64) count), false);
}

/* NAN is NULL. */
static void
add_number(Row *row, double number)
{
	add(row, Float8GetDatum(number), isnan(number));
}

static double
share(uint64 part, uint64 whole)
{
	return whole == 0 ? NAN : (double) part / whole;
}

static void
put_health(ReturnSetInfo *result, Oid index, const VecIdxHealth *health)
{
	bool		measured = health->recall.queries > 0;
	const char *advice = vecidx_advice(health);
	Row			row = {.count = 0};

	add(&row, ObjectIdGetDatum(index), false);
	add_count(&row, health->nodes);
	add_count(&row, health->built);
	add_number(&row, share(health->nodes, health->built));
	add_count(&row, health->tombstones);
	add_number(&row, share(health->tombstones, health->nodes + health->tombstones));
	add_number(&row, share(health->dead, health->entries));
	add_count(&row, health->unreached);
	add_number(&row, health->drift);
	add(&row, Int64GetDatum((int64) health->calibrated), health->calibrated == 0);
	add_number(&row, health->target);
	add_number(&row, measured ? health->recall.recall : NAN);
	add_number(&row, measured ? health->recall.low : NAN);
	add_number(&row, measured ? health->recall.high : NAN);
	add_number(&row, health->latency_growth);
	add(&row, Int32GetDatum((int32) health->version), false);
	add(&row, advice != NULL ? CStringGetTextDatum(advice) : (Datum) 0, advice == NULL);
	tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
}

static void
measure_recall(const VecIdxTarget *target, VecIdxHealth *health)
{
	VecIdxMeasure *measure = vecidx_measure_begin(target, RECALL_K);

	if (vecidx_measure_draw(measure, RECALL_QUERIES) > 0)
		health->recall = vecidx_measure_recall(measure, 0, NULL);
	vecidx_measure_end(measure);
}

static void
look_at_index(const VecIdxTarget *target, bool recall, ReturnSetInfo *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx health", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	VecIdxHandle *handle = vecidx_handle_acquire(target->index);
	VecIdxHealth health;
	VecIdxCount count;

	vecidx_handle_release_with(handle, context);
	vecidx_health_look(&health, target, handle, &count);
	if (recall && health.valid)
		measure_recall(target, &health);
	put_health(result, RelationGetRelid(target->index), &health);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

Datum
vecidx_health(PG_FUNCTION_ARGS)
{
	VecIdxTarget target;
	ReturnSetInfo *result = vecidx_monitor_begin(fcinfo, &target);

	look_at_index(&target, PG_GETARG_BOOL(1), result);
	vecidx_monitor_close(&target);
	return (Datum) 0;
}
