/*
 * advice.c
 *	  What is wrong with an index, and what to do about it: the only place that
 *	  decides.
 *
 * What only a new build mends comes first, since a new build mends all else.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"

#include "graph/calibrate.h"
#include "monitor/advice.h"

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

/* Of the hundred pages and more that a search visits, it is to wait for two at most. */
#define RESIDENT_GOOD		0.98

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

	if (isnan(health->latency_growth) || health->latency_growth <= VECIDX_LATENCY_BAD)
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
