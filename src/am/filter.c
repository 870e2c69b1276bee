/*
 * filter.c
 *	  A scan's filter.
 */
#include "postgres.h"

#include "utils/datum.h"
#include "utils/lsyscache.h"

#include "am/filter.h"

/* A sift gives way to a pass when it has cost so many times what that would. */
#define PATIENCE		1.0

/* And when so large a part of what passes is asked for. */
#define PASS_PART		4

/* What a pass costs is sure; what a sift will is not, so it has to promise to cost this many times less. */
#define PROMISE			2.5

/* A pass that costs no more nanoseconds is always made: it finds more than a sift, and who waits for it does not notice. */
#define PASS_CHEAP		100000.0

/* Up to so many times the most results that are calibrated for, what their slack is said to be is relied on. */
#define SURE_UP_TO		2

/* A look at whether what passes is near the query is worth while before a pass that costs so many times as much. */
#define PROBE_WORTH		5.0

/* The scan's keys, with values of their own. */
static ScanKey
copy_keys(IndexScanDesc scan)
{
	ScanKey		keys = palloc(scan->numberOfKeys * sizeof(ScanKeyData));

	memcpy(keys, scan->keyData, scan->numberOfKeys * sizeof(ScanKeyData));
	for (int i = 0; i < scan->numberOfKeys; i++)
	{
		Oid			own = scan->indexRelation->rd_opcintype[keys[i].sk_attno - 1];
		int16		length = -1;
		bool		by_value = false;

		if (keys[i].sk_flags & SK_ISNULL)
			continue;
		if ((keys[i].sk_flags & SK_SEARCHARRAY) == 0)
			get_typlenbyval(OidIsValid(keys[i].sk_subtype) ? keys[i].sk_subtype : own, &length, &by_value);
		keys[i].sk_argument = datumCopy(keys[i].sk_argument, by_value, length);
	}
	return keys;
}

VecIdxScanFilter *
vecidx_scan_filter_make(IndexScanDesc scan, const VecIdxHandle *handle, bool outlives)
{
	ScanKey		keys = scan->keyData;
	VecIdxScanFilter *filter;

	if (scan->numberOfKeys == 0)
		return NULL;
	if (outlives)
		keys = copy_keys(scan);
	filter = palloc0(sizeof(VecIdxScanFilter));
	filter->predicate = vecidx_predicate_compile(scan->indexRelation, &handle->shape, keys, scan->numberOfKeys);
	filter->survey.share = filter->predicate->never ? 0 : -1;
	/* "vector IS NOT NULL" leaves nothing to test */
	return filter->predicate->never || filter->predicate->tests > 0 ? filter : NULL;
}

static bool
is_much(const VecIdxScanFilter *filter, const VecIdxStore *store, uint32 wanted)
{
	return (double) wanted * PASS_PART > filter->survey.share * store->handle->state.nodes;
}

void
vecidx_scan_filter_survey(VecIdxScanFilter *filter, VecIdxStore *store)
{
	vecidx_survey_take(store->handle, filter->predicate, &filter->survey);
	filter->prices = vecidx_prices_of(store->handle);
	filter->pass_cost = vecidx_price_pass(&filter->prices, store->handle, filter->predicate, filter->survey.share, filter->survey.open);
}

uint32
vecidx_scan_filter_among(const VecIdxScanFilter *filter, const VecIdxStore *store, uint32 wanted)
{
	return (uint32) Min(wanted / filter->survey.share, store->handle->state.nodes);
}

bool
vecidx_scan_filter_choose(VecIdxScanFilter *filter, VecIdxStore *store, const VecIdxEffort *effort, uint32 wanted)
{
	if (is_much(filter, store, wanted) || filter->pass_cost <= PASS_CHEAP)
		return false;
	filter->probing = PROMISE * vecidx_price_wide(&filter->prices, effort->expanded) >= filter->pass_cost;
	return !filter->probing || PROBE_WORTH * vecidx_sift_probe_cost(&filter->prices) < filter->pass_cost;
}

bool
vecidx_scan_filter_begin(VecIdxScanFilter *filter, VecIdxSearch *search, VecIdxStore *store)
{
	vecidx_sift_init(&filter->sift, search, store, filter->predicate, &filter->survey);
	filter->sift.prices = &filter->prices;
	filter->sift.probing = filter->probing;
	return vecidx_sift_begin(&filter->sift);
}

VecIdxSwitch
vecidx_scan_filter_sift(VecIdxScanFilter *filter, const VecIdxEffort *effort, const VecIdxEffort *among, uint32 wanted)
{
	VecIdxStop	stop = effort->stop;

	stop.stretch = among->stop.stretch;
	stop.limit = among->stop.limit;
	if (is_much(filter, filter->sift.store, wanted))
		return VECIDX_SWITCH_MUCH;
	filter->sift.factor = effort->factor;
	filter->sift.dense = effort->stop.stretch;
	filter->sift.unsure = vecidx_scan_filter_among(filter, filter->sift.store, wanted) > SURE_UP_TO * VECIDX_CALIBRATED_MOST;
	filter->sift.expansions = effort->expanded;
	filter->sift.expansions_among = among->expanded;
	switch (vecidx_sift_run(&filter->sift, &stop, PATIENCE * filter->pass_cost))
	{
		case VECIDX_SIFT_DRY:
			return VECIDX_SWITCH_DRY;
		case VECIDX_SIFT_DEAR:
			return VECIDX_SWITCH_DEAR;
		default:
			return VECIDX_SWITCH_NONE;
	}
}
