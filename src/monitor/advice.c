/*
 * advice.c
 *	  What is wrong with an index, and what to do about it: the only place that
 *	  decides.
 *
 * What only a new build mends comes first, since a new build mends all else.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "graph/calibrate.h"
#include "monitor/advice.h"
#include "options.h"
#include "shared/stats.h"

/*
 * Codes are relative to the centroid of the rows that the build saw.  A drift
 * of 0.1 makes residuals of later rows, and with them the errors of estimates,
 * 1 / sqrt(1 - 0.1), or 5 %, larger than they need be.
 */
#define DRIFT_BAD			0.1

/*
 * A node that no link leads to is found by sweeps only.  1 in 100 is a fifth
 * of the misses that the default target of 0.95 permits.
 */
#define UNREACHED_BAD		0.01

/*
 * The bits of a code are chosen for the rows at the build, and nodes near each
 * other are on the same pages only as the build has put them.  When three in
 * four nodes came later, neither holds for most of what a search visits.
 */
#define GROWTH_BAD			4.0

/* Without rows the build has no centroid, and chooses bits by the dimensions; up to so many nodes, sweeps find all. */
#define UNBUILT_BAD			VECIDX_CALIBRATE_MIN_ROWS

/* Where autovacuum begins by default.  Searches meet what is dead, and have to go on for what lives. */
#define DEAD_BAD			0.2

/* Effort that was measured at half the nodes misses what has come between: beyond that it is to be measured again. */
#define CALIBRATION_STALE	2.0

/*
 * A histogram may be off by a quarter, once up and once down; and what is asked
 * for changes from day to day.  Twice as long is neither.
 */
#define LATENCY_BAD			2.0

/* Of the hundred pages and more that a search visits, it is to wait for two at most. */
#define RESIDENT_GOOD		0.98

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
vecidx_health_begin(VecIdxHealth *health, const VecIdxTarget *target, const VecIdxHandle *handle, const VecIdxCount *count)
{
	VecIdxScanOptions options = vecidx_options_scan();

	memset(health, 0, sizeof(VecIdxHealth));
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
	health->latency_growth = latency_growth(target->index);
	health->resident = health->latency_growth > LATENCY_BAD ? vecidx_hot_resident(handle) : NAN;
	health->target = options.ef_search > 0 ? NAN : options.target_recall;
}

/* Reasons to build the index anew, or NULL. */
static const char *
rebuild_reason(const VecIdxHealth *health)
{
	if (!health->valid)
		return "The index is not valid, and queries do not use it";
	if (!isnan(health->drift) && health->drift > DRIFT_BAD)
		return psprintf("Codes are relative to the centre of other rows (drift %.3f, at most %.1f is good)",
						health->drift, DRIFT_BAD);
	if (health->built == 0 && health->nodes > UNBUILT_BAD && !health->exact)
		return "The index was built without rows, and its codes were chosen by the dimensions alone";
	if (health->unreached > UNREACHED_BAD * health->nodes)
		return psprintf(UINT64_FORMAT " of " UINT64_FORMAT " nodes are led to by no link", health->unreached, health->nodes);
	if (health->built > 0 && health->nodes > Max(GROWTH_BAD * health->built, UNBUILT_BAD))
		return psprintf("The index has grown to %.1f times what it was built for", (double) health->nodes / health->built);
	return NULL;
}

/* Reasons to vacuum the table, or NULL. */
static const char *
vacuum_reason(const VecIdxHealth *health)
{
	if (health->dead > DEAD_BAD * health->entries)
		return psprintf("About " UINT64_FORMAT " of " UINT64_FORMAT " entries are of rows that are gone",
						health->dead, health->entries);
	if (health->tombstones > DEAD_BAD * (health->nodes + health->tombstones))
		return psprintf("A vacuum was interrupted and has left " UINT64_FORMAT " tombstones", health->tombstones);
	return NULL;
}

/* Reasons to calibrate the index, or NULL. */
static const char *
calibration_reason(const VecIdxHealth *health)
{
	if (health->nodes <= VECIDX_CALIBRATE_MIN_ROWS)
		return NULL;
	if (health->calibrated == 0)
		return "Searches go by no calibration";
	if (health->nodes > CALIBRATION_STALE * health->calibrated)
		return psprintf("The calibration is of " UINT64_FORMAT " nodes, and there are " UINT64_FORMAT " now",
						health->calibrated, health->nodes);
	if (health->recall.queries > 0 && health->recall.high < health->target)
		return psprintf("Recall is %.3f (%.3f at most) where %.3f is asked for",
						health->recall.recall, health->recall.high, health->target);
	return NULL;
}

/* Scans take longer than they did, and nothing else tells why. */
static const char *
latency_advice(const VecIdxHealth *health)
{
	const char *reason;

	if (isnan(health->latency_growth) || health->latency_growth <= LATENCY_BAD)
		return NULL;
	reason = psprintf("Scans take %.1f times as long as the first ones did", health->latency_growth);
	if (health->resident < RESIDENT_GOOD)
		return psprintf("%s, and %.0f %% of the pages that all of them need are not in shared buffers: SELECT vecidx_prewarm(%s);",
						reason, 100 * (1 - health->resident), quote_literal_cstr(health->index));
	return psprintf("%s: REINDEX INDEX CONCURRENTLY %s;", reason, health->index);
}

const char *
vecidx_advice(const VecIdxHealth *health)
{
	const char *reason = rebuild_reason(health);

	if (reason != NULL)
		return psprintf("%s: REINDEX INDEX CONCURRENTLY %s;", reason, health->index);
	reason = vacuum_reason(health);
	if (reason != NULL)
		return psprintf("%s: VACUUM %s;", reason, health->table);
	reason = calibration_reason(health);
	if (reason != NULL)
		return psprintf("%s: SELECT vecidx_calibrate(%s);", reason, quote_literal_cstr(health->index));
	reason = latency_advice(health);
	if (reason == NULL && health->version < VECIDX_FORMAT_VERSION)
		reason = psprintf("The index has format version %u, which later releases may not read (new ones have %d): "
						  "REINDEX INDEX CONCURRENTLY %s;", health->version, VECIDX_FORMAT_VERSION, health->index);
	return reason;
}
