/*
 * test_advice.c
 *	  Each piece of advice is given beyond its threshold, not at it, and gives
 *	  way to what matters more.
 */
#include "postgres.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utils/builtins.h"

#include "graph/calibrate.h"
#include "monitor/advice.h"
#include "unit.h"

/* The system's: the server's is not linked in. */
#undef vsnprintf

/* The server's, as far as advice needs them. */
char *
psprintf(const char *format,...)
{
	char	   *text = unit_alloc(1000, 0);
	va_list		args;

	va_start(args, format);
	vsnprintf(text, 1000, format, args);
	va_end(args);
	return text;
}

char *
quote_literal_cstr(const char *text)
{
	return psprintf("'%s'", text);
}

#define REINDEX		"REINDEX INDEX CONCURRENTLY s.i;"
#define VACUUM		"VACUUM s.t;"
#define CALIBRATE	"SELECT vecidx_calibrate('s.i');"
#define PREWARM		"SELECT vecidx_prewarm('s.i');"

/* An index that needs nothing. */
static VecIdxHealth
sound(void)
{
	VecIdxHealth health = {
		.index = "s.i",
		.table = "s.t",
		.valid = true,
		.nodes = 10000,
		.built = 10000,
		.entries = 10000,
		.drift = NAN,
		.calibrated = 10000,
		.version = VECIDX_FORMAT_VERSION,
		.latency_growth = NAN,
		.resident = NAN,
		.target = 0.95,
	};

	return health;
}

/* NULL: none is expected. */
static void
check(const VecIdxHealth *health, const char *reason, const char *command)
{
	const char *advice = vecidx_advice(health);

	if (reason == NULL)
		unit_check(advice == NULL, "nothing is to be done, but: %s", advice);
	else
		unit_check(advice != NULL && strstr(advice, reason) != NULL && strstr(advice, command) != NULL,
				   "\"%s\" and \"%s\" are missing: %s", reason, command, advice == NULL ? "no advice" : advice);
}

static void
check_rebuild(void)
{
	VecIdxHealth health = sound();

	unit_case("advice: a new build");
	check(&health, NULL, NULL);
	health.valid = false;
	check(&health, "not valid", REINDEX);

	health = sound();
	health.drift = 0.1;
	check(&health, NULL, NULL);
	health.drift = nextafter(0.1, 1);
	check(&health, "drift 0.100, at most 0.1", REINDEX);

	health = sound();
	health.unreached = 100;
	check(&health, NULL, NULL);
	health.unreached = 101;
	check(&health, "101 of 10000 nodes are led to by no link", REINDEX);

	health = sound();
	health.built = 2500;
	check(&health, NULL, NULL);
	health.built = 2499;
	check(&health, "4.0 times", REINDEX);
}

static void
check_small(void)
{
	VecIdxHealth health = sound();

	unit_case("advice: few nodes");
	health.nodes = VECIDX_CALIBRATE_MIN_ROWS;
	health.built = 0;
	health.calibrated = 0;
	check(&health, NULL, NULL);
	health.built = 10;
	check(&health, NULL, NULL);
	health.nodes++;
	check(&health, "has grown to 100.1 times", REINDEX);
	health.built = 0;
	check(&health, "built without rows", REINDEX);
	health.exact = true;
	check(&health, "no calibration", CALIBRATE);
}

static void
check_vacuum(void)
{
	VecIdxHealth health = sound();

	unit_case("advice: a vacuum");
	health.dead = 2000;
	check(&health, NULL, NULL);
	health.dead = 2001;
	check(&health, "2001 of 10000 entries", VACUUM);

	health = sound();
	health.tombstones = 2500;
	check(&health, NULL, NULL);
	health.tombstones = 2501;
	check(&health, "left 2501 tombstones", VACUUM);
}

static void
check_calibration(void)
{
	VecIdxHealth health = sound();

	unit_case("advice: a calibration");
	health.calibrated = 5000;
	check(&health, NULL, NULL);
	health.calibrated = 4999;
	check(&health, "of 4999 nodes", CALIBRATE);
	health.calibrated = 0;
	check(&health, "no calibration", CALIBRATE);

	health = sound();
	health.recall = (VecIdxRecall) {.queries = 50, .recall = 0.9, .low = 0.85, .high = 0.95};
	check(&health, NULL, NULL);
	health.recall.high = nextafter(0.95, 0);
	check(&health, "Recall is 0.900", CALIBRATE);
	health.target = NAN;
	check(&health, NULL, NULL);
	health.target = 0.95;
	health.recall.queries = 0;
	check(&health, NULL, NULL);
}

static void
check_latency(void)
{
	VecIdxHealth health = sound();

	unit_case("advice: scans that take longer");
	health.latency_growth = VECIDX_LATENCY_BAD;
	health.resident = 0;
	check(&health, NULL, NULL);
	health.latency_growth = nextafter(VECIDX_LATENCY_BAD, 3);
	health.resident = 0.98;
	check(&health, "Scans take 2.0 times", REINDEX);
	health.resident = nextafter(0.98, 0);
	check(&health, "2 % of the pages", PREWARM);
	health.resident = NAN;
	check(&health, "Scans take 2.0 times", REINDEX);
}

/* All at once; then one after the other is taken away. */
static void
check_order(void)
{
	VecIdxHealth health = sound();

	unit_case("advice: what matters most");
	health.version = VECIDX_FORMAT_VERSION - 1;
	check(&health, "format version", REINDEX);
	health.latency_growth = 10;
	health.resident = 0.5;
	check(&health, "Scans take", PREWARM);
	health.calibrated = 0;
	check(&health, "no calibration", CALIBRATE);
	health.dead = 5000;
	check(&health, "entries", VACUUM);
	health.drift = 0.5;
	check(&health, "drift", REINDEX);
	health.valid = false;
	check(&health, "not valid", REINDEX);
}

void
suite_advice(void)
{
	check_rebuild();
	check_small();
	check_vacuum();
	check_calibration();
	check_latency();
	check_order();
}
