/*
 * survey.c
 *	  The share of nodes that pass a filter, by a look at some of their rows.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

#include "filter/zone.h"
#include "graph/survey.h"
#include "graph/sweep.h"
#include "page/filter.h"
#include "page/peek.h"

/* Runs of consecutive rows that a survey looks at, and rows of each. */
#define SURVEY_RUNS		32
#define SURVEY_ROWS		64

/*
 * Zones are asked, of so many pages, where not more than this share of all rows
 * passes, and are gone by where not more than that part of strips is open.
 */
#define ZONES_ASKED		8
#define ZONES_SHARE		0.1
#define ZONES_OPEN		0.5

/* Has the page of a run and the first field of its rows on their way. */
static void
prefetch_run(VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 node)
{
	uint32		rows = handle->layout.run[VECIDX_RUN_FILTER].per_page;
	int			field = vecidx_predicate_field(predicate);
	uint32		at;
	VecIdxPeek	peek = vecidx_filter_wanted(handle, node, &at);
	const char *from;

	if (peek.page == NULL)
		return;
	vecidx_peek_prefetch_page(&peek);
	from = peek.page + VECIDX_PAGE_START + vecidx_filter_place(&handle->shape, field, rows, at);
	for (uint32 byte = 0; byte < SURVEY_ROWS * handle->shape.field[field].width; byte += 64)
		__builtin_prefetch(from + byte);
}

static void
survey_run(VecIdxHandle *handle, VecIdxPredicate *predicate, uint32 node, VecIdxSurvey *survey)
{
	uint32		first = vecidx_handle_first(handle, VECIDX_RUN_FILTER, node);
	uint8		verdict[SURVEY_ROWS];
	uint32		count = vecidx_pass_page(handle, predicate, first, node - first, SURVEY_ROWS, verdict);
	uint32		seeds = 0;

	for (uint32 i = 0; i < count; i++)
	{
		if (verdict[i] == VECIDX_NO)
			continue;
		survey->passed++;
		if (seeds++ < VECIDX_SURVEY_SEEDS / SURVEY_RUNS)
			survey->seed[survey->seeds++] = node + i;
	}
	survey->rows += count;
}

/*
 * Asks the zones of some pages what part of their rows a pass would have to look
 * at.  It goes by zones where that is small, and learns them where they are not
 * known.  Where many rows pass, hardly any would be left out.
 */
static void
ask_zones(VecIdxHandle *handle, const VecIdxPredicate *predicate, VecIdxSurvey *survey)
{
	const VecIdxZones *zones = vecidx_zones_get(handle, predicate);
	double		open = 0.5;
	uint32		zoned = 0;

	survey->open = 1;
	survey->zones_tell = survey->share < ZONES_SHARE;
	if (zones == NULL || !survey->zones_tell)
		return;
	for (uint32 i = 0; i < ZONES_ASKED; i++)
	{
		uint32		node = (uint32) ((uint64) handle->state.nodes * i / ZONES_ASKED);
		uint32		first = vecidx_handle_first(handle, VECIDX_RUN_FILTER, node);

		open += (double) pg_popcount64(vecidx_zones_open(zones, handle, predicate, first)) / vecidx_strips(handle);
		zoned += vecidx_zones_know(zones, handle, predicate, first);
	}
	survey->open = open / (ZONES_ASKED + 0.5);
	survey->zones_tell = survey->open < ZONES_OPEN || zoned < ZONES_ASKED / 2;
}

void
vecidx_survey_take(VecIdxHandle *handle, VecIdxPredicate *predicate, VecIdxSurvey *survey)
{
	uint32		nodes = handle->state.nodes;

	memset(survey, 0, sizeof(VecIdxSurvey));
	for (uint32 i = 0; i < SURVEY_RUNS; i++)
		prefetch_run(handle, predicate, (uint32) ((uint64) nodes * i / SURVEY_RUNS));
	for (uint32 i = 0; i < SURVEY_RUNS; i++)
		survey_run(handle, predicate, (uint32) ((uint64) nodes * i / SURVEY_RUNS), survey);
	survey->share = (survey->passed + 0.25) / (survey->rows + 0.5);
	ask_zones(handle, predicate, survey);
}
