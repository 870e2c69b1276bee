/*
 * options.c
 *	  Index options and settings.
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "utils/guc.h"

#include "kernel/kernel.h"
#include "options.h"
#include "page/handle.h"
#include "vecidx.h"

static relopt_kind option_kind;

static relopt_enum_elt_def quantizer_values[] = {
	{"auto", VECIDX_QUANTIZER_AUTO},
	{"rabitq1", 1},
	{"rabitq2", 2},
	{"rabitq4", 4},
	{"rabitq8", 8},
	{NULL, 0}
};

static relopt_enum_elt_def rerank_values[] = {
	{"auto", VECIDX_RERANK_AUTO},
	{"sq4", VECIDX_RERANK_SQ4},
	{"sq8", VECIDX_RERANK_SQ8},
	{"half", VECIDX_RERANK_HALF},
	{"float", VECIDX_RERANK_FLOAT},
	{"pg_catalog.float8", VECIDX_RERANK_FLOAT}, /* what the grammar makes of float without quotes */
	{NULL, 0}
};

static const struct config_enum_entry access_values[] = {
	{"unpinned", VECIDX_ACCESS_UNPINNED, false},
	{"recent", VECIDX_ACCESS_RECENT, false},
	{"pinned", VECIDX_ACCESS_PINNED, false},
	{NULL, 0, false}
};

static double target_recall = 0.95;
static int	ef_search = 0;
static int	page_access = VECIDX_ACCESS_UNPINNED;
static char *kernel = NULL;
static bool track_statistics = true;
static int	log_min_duration = -1;
static double recall_sample_rate = 0;
static int	recall_sample_interval = 1000;
static int	statistics_slots = VECIDX_DEFAULT_STATISTICS_SLOTS;

static void
define_index_options(void)
{
	option_kind = add_reloption_kind();
	add_int_reloption(option_kind, "m", "Neighbours of a node on each upper level; twice as many on the lowest",
					  VECIDX_DEFAULT_M, VECIDX_MIN_M, VECIDX_MAX_M, AccessExclusiveLock);
	add_int_reloption(option_kind, "ef_construction", "Beam width of the searches that place a new node",
					  VECIDX_DEFAULT_EF_CONSTRUCTION, VECIDX_MIN_EF_CONSTRUCTION, VECIDX_MAX_EF_CONSTRUCTION,
					  AccessExclusiveLock);
	add_enum_reloption(option_kind, "quantizer", "Form of the codes that steer a search",
					   quantizer_values, VECIDX_QUANTIZER_AUTO,
					   "Valid values are \"auto\", \"rabitq1\", \"rabitq2\", \"rabitq4\" and \"rabitq8\".",
					   AccessExclusiveLock);
	add_enum_reloption(option_kind, "rerank", "Form of the vectors that decide the order of results",
					   rerank_values, VECIDX_RERANK_AUTO,
					   "Valid values are \"auto\", \"sq4\", \"sq8\", \"half\" and \"float\".",
					   AccessExclusiveLock);
	add_int_reloption(option_kind, "dimensions", "Dimensions, where neither the column's type nor a row tells",
					  0, 0, VECIDX_MAX_DIMENSIONS, AccessExclusiveLock);
}

static void
assign_page_access(int value, void *extra pg_attribute_unused())
{
	vecidx_page_access = (VecIdxPageAccess) value;
}

static bool
check_kernel(char **value, void **extra pg_attribute_unused(), GucSource source pg_attribute_unused())
{
	const VecIdxKernels *sets[8];
	int			count = vecidx_kernels_available(sets, lengthof(sets));

	if (strcmp(*value, "auto") == 0)
		return true;
	for (int i = 0; i < count; i++)
	{
		if (strcmp(*value, sets[i]->name) == 0)
			return true;
	}
	GUC_check_errdetail("This processor runs no kernel set of that name.");
	GUC_check_errhint("\"auto\" and \"scalar\" are always there.");
	return false;
}

static void
assign_kernel(const char *value, void *extra pg_attribute_unused())
{
	vecidx_kernels_force(value);
}

static void
define_monitoring(void)
{
	DefineCustomBoolVariable("vecidx.track_statistics",
							 "Counts what is done with vecidx indexes.",
							 "The view pg_stat_vecidx shows it.",
							 &track_statistics, true, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vecidx.log_min_duration",
							"Time from which on a scan of a vecidx index is logged.",
							"What counts is time spent in the index. -1 turns it off, 0 logs all scans.",
							&log_min_duration, -1, -1, INT_MAX, PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomRealVariable("vecidx.recall_sample_rate",
							 "Share of scans whose recall is measured when they end.",
							 "The view vecidx_recall_stats shows it. Each takes a look at all codes of the index.",
							 &recall_sample_rate, 0, 0, 1, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vecidx.recall_sample_interval",
							"Time from one scan whose recall is measured to the next in the same session, at least.",
							"It is also ten times as long as the measurement took, at least, but for 0, which does not wait at all.",
							&recall_sample_interval, 1000, 0, INT_MAX, PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("vecidx.statistics_slots",
							"Indexes whose statistics are kept at a time, in all databases.",
							"Counts when statistics are first kept after the server has started.",
							&statistics_slots, VECIDX_DEFAULT_STATISTICS_SLOTS, 16, 32768, PGC_SIGHUP, 0,
							NULL, NULL, NULL);
}

static void
define_settings(void)
{
	DefineCustomRealVariable("vecidx.target_recall",
							 "Share of the true nearest rows that a search shall find.",
							 "The beam width that reaches it was measured when the index was built.",
							 &target_recall, 0.95, 0.5, 0.999, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("vecidx.ef_search",
							"Beam width of a search.",
							"Zero lets vecidx.target_recall choose it.",
							&ef_search, 0, 0, VECIDX_MAX_EF_SEARCH, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("vecidx.page_access",
							 "How a search reaches the pages that steer it.",
							 "For measurements and for ruling out a cause; results are the same.",
							 &page_access, VECIDX_ACCESS_UNPINNED, access_values, PGC_USERSET, 0,
							 NULL, assign_page_access, NULL);
	DefineCustomStringVariable("vecidx.kernel",
							   "Instruction set of the distance kernels.",
							   "For measurements and for ruling out a cause; \"auto\" takes the best.",
							   &kernel, "auto", PGC_USERSET, 0, check_kernel, assign_kernel, NULL);
	define_monitoring();
	MarkGUCPrefixReserved("vecidx");
}

void
vecidx_options_init(void)
{
	define_index_options();
	define_settings();
}

bytea *
vecidx_options_parse(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		{.optname = "m", .opttype = RELOPT_TYPE_INT, .offset = offsetof(VecIdxOptions, m)},
		{.optname = "ef_construction", .opttype = RELOPT_TYPE_INT, .offset = offsetof(VecIdxOptions, ef_construction)},
		{.optname = "quantizer", .opttype = RELOPT_TYPE_ENUM, .offset = offsetof(VecIdxOptions, quantizer)},
		{.optname = "rerank", .opttype = RELOPT_TYPE_ENUM, .offset = offsetof(VecIdxOptions, rerank)},
		{.optname = "dimensions", .opttype = RELOPT_TYPE_INT, .offset = offsetof(VecIdxOptions, dimensions)},
	};

	return (bytea *) build_reloptions(reloptions, validate, option_kind,
									  sizeof(VecIdxOptions), table, lengthof(table));
}

VecIdxOptions
vecidx_options_of(Relation index)
{
	VecIdxOptions defaults = {0};

	if (index->rd_options != NULL)
		return *(VecIdxOptions *) index->rd_options;
	defaults.m = VECIDX_DEFAULT_M;
	defaults.ef_construction = VECIDX_DEFAULT_EF_CONSTRUCTION;
	defaults.quantizer = VECIDX_QUANTIZER_AUTO;
	defaults.rerank = VECIDX_RERANK_AUTO;
	return defaults;
}

VecIdxScanOptions
vecidx_options_scan(void)
{
	VecIdxScanOptions options;

	options.target_recall = target_recall;
	options.ef_search = ef_search;
	options.track = track_statistics;
	options.log_min_duration = log_min_duration;
	options.audit_rate = recall_sample_rate;
	options.audit_interval = recall_sample_interval;
	return options;
}

bool
vecidx_options_track(void)
{
	return track_statistics;
}

uint32
vecidx_options_statistics_slots(void)
{
	return statistics_slots;
}
