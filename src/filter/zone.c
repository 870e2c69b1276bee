/*
 * zone.c
 *	  What values there are on a filter page.
 */
#include "postgres.h"

#include "storage/bufpage.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "common/hashfn.h"
#include "filter/zone.h"

/* What is known of a page. */
typedef struct ZonePage
{
	BlockNumber block;
	char		status;			/* of the table's slot */
	uint32		known;			/* columns, a bit each */
	XLogRecPtr	lsn;			/* of the page that it is known of */
	VecIdxZone *zone;			/* of each column */
} ZonePage;

#define SH_PREFIX			zonepages
#define SH_ELEMENT_TYPE		ZonePage
#define SH_KEY_TYPE			BlockNumber
#define SH_KEY				block
#define SH_HASH_KEY(tb, key) murmurhash32(key)
#define SH_EQUAL(tb, a, b)	((a) == (b))
#define SH_SCOPE			static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Pages that are known, at most: 16 MB for each column. */
#define PAGES_MOST		(512 * 1024)

/*
 * Where of this many pages asked for not one in so many was closed, values do not
 * go by where rows lie: the next so many passes with a condition on that column
 * do not ask.
 */
#define PATIENCE_PAGES	64
#define PATIENCE_PART	32
#define PATIENCE_PASSES	15

struct VecIdxZones
{
	zonepages_hash *pages;		/* NULL before the second pass */
	int			columns;
	VecIdxZone	looked[VECIDX_FILTER_COLUMNS];	/* scratch: of the page that is being read */

	/* the pass under way */
	int			first;			/* column of its first test */
	uint32		asked;			/* pages of which something is known */
	uint32		closed;
	uint32		idle[VECIDX_FILTER_COLUMNS];	/* passes that do not ask, by their first column */
};

static inline uint64
mark_of(uint64 key)
{
	return UINT64CONST(1) << ((key * UINT64CONST(0x9E3779B97F4A7C15)) >> 58);
}

static inline uint64
bytes_key(const uint8 *stored)
{
	uint64		half[2];

	memcpy(half, stored, sizeof(half));
	return half[0] ^ (half[1] << 23 | half[1] >> 41);
}

/* Can a zone say no to a test? */
static inline bool
is_zonal(const VecIdxTest *test)
{
	return test->kind == VECIDX_TEST_NUMBER || test->kind == VECIDX_TEST_BYTES;
}

/* The columns that are tested so. */
static uint32
zonal_columns(const VecIdxPredicate *predicate)
{
	uint32		columns = 0;

	for (int i = 0; i < predicate->tests; i++)
	{
		if (is_zonal(&predicate->test[i]))
			columns |= 1U << predicate->test[i].column;
	}
	return columns;
}

static VecIdxZones *
make_zones(VecIdxHandle *handle)
{
	VecIdxZones *zones = MemoryContextAllocZero(handle->context, sizeof(VecIdxZones));

	zones->columns = handle->shape.columns;
	return zones;
}

void
vecidx_zones_begin(VecIdxHandle *handle, const VecIdxPredicate *predicate)
{
	VecIdxZones *zones = handle->zones;

	if (zones == NULL)
	{
		handle->zones = make_zones(handle);
		return;
	}
	if (zones->pages == NULL)
		zones->pages = zonepages_create(handle->context, 256, NULL);
	if (zones->asked >= PATIENCE_PAGES && zones->closed < zones->asked / PATIENCE_PART)
		zones->idle[zones->first] = PATIENCE_PASSES;
	zones->asked = zones->closed = 0;
	zones->first = vecidx_predicate_field(predicate);
	if (zones->idle[zones->first] > 0)
		zones->idle[zones->first]--;
}

VecIdxZones *
vecidx_zones_get(VecIdxHandle *handle, const VecIdxPredicate *predicate)
{
	VecIdxZones *zones = handle->zones;

	if (zones == NULL || zones->pages == NULL || zones->idle[vecidx_predicate_field(predicate)] > 0 ||
		zonal_columns(predicate) == 0 || predicate->calling ||
		handle->access == VECIDX_ACCESS_PINNED || !RelationNeedsWAL(handle->index))
		return NULL;
	return zones;
}

static bool
number_closed(const VecIdxTest *test, const VecIdxZone *zone)
{
	for (int i = 0; i < test->intervals.count; i++)
	{
		VecIdxInterval interval = test->intervals.interval[i];

		if (interval.low <= zone->high && interval.high >= zone->low &&
			(interval.low != interval.high || (zone->marks & mark_of(interval.low)) != 0))
			return false;
	}
	return true;
}

static bool
bytes_closed(const VecIdxTest *test, const VecIdxZone *zone)
{
	for (int i = 0; i < test->arguments; i++)
	{
		if ((zone->marks & mark_of(bytes_key(test->argument[i].stored))) != 0)
			return false;
	}
	return true;
}

static bool
zone_closed(const ZonePage *page, const VecIdxPredicate *predicate)
{
	for (int i = 0; i < predicate->tests; i++)
	{
		const VecIdxTest *test = &predicate->test[i];

		if (!is_zonal(test) || (page->known & 1U << test->column) == 0)
			continue;
		if (test->kind == VECIDX_TEST_NUMBER ? number_closed(test, &page->zone[test->column]) : bytes_closed(test, &page->zone[test->column]))
			return true;
	}
	return false;
}

bool
vecidx_zones_closed(VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first)
{
	uint32		at;
	BlockNumber block = vecidx_filter_locate(handle, first, &at);
	const ZonePage *page = zonepages_lookup(zones->pages, block);
	VecIdxPeek	peek;
	XLogRecPtr	lsn;

	if (page == NULL)
		return false;
	zones->asked++;
	if (!zone_closed(page, predicate))
		return false;
	peek = vecidx_peek(handle, block);
	if (!vecidx_peek_valid(handle, &peek))
		return false;
	lsn = PageGetLSN((Page) peek.page);
	if (!vecidx_peek_valid(handle, &peek) || lsn != page->lsn)
		return false;
	vecidx_visits.hit[VECIDX_VISIT_FILTER]++;
	zones->closed++;
	return true;
}

static VecIdxZone
look_at_numbers(const VecIdxNumber *number, const uint8 *values, uint32 rows)
{
	VecIdxZone	zone = {PG_UINT64_MAX, 0, 0};

	for (uint32 i = 0; i < rows; i++)
	{
		uint64		key = vecidx_number_key(number, values + i * number->width);

		zone.low = Min(zone.low, key);
		zone.high = Max(zone.high, key);
		zone.marks |= mark_of(key);
	}
	return zone;
}

static VecIdxZone
look_at_bytes(const uint8 *values, uint32 rows)
{
	VecIdxZone	zone = {0, PG_UINT64_MAX, 0};

	for (uint32 i = 0; i < rows; i++)
		zone.marks |= mark_of(bytes_key(values + i * VECIDX_SHORT_SIZE));
	return zone;
}

/* Looks at all rows of a page, for columns that are tested and not known. */
static uint32
look_at_page(VecIdxZones *zones, const VecIdxHandle *handle, const VecIdxPredicate *predicate, const uint8 *fields, uint32 known)
{
	uint32		rows = handle->layout.run[VECIDX_RUN_FILTER].per_page;
	uint32		looked_at = 0;

	for (int i = 0; i < predicate->tests; i++)
	{
		const VecIdxTest *test = &predicate->test[i];
		const uint8 *values = fields + vecidx_filter_place(&handle->shape, test->column, rows, 0);

		if (!is_zonal(test) || ((known | looked_at) & 1U << test->column) != 0)
			continue;
		zones->looked[test->column] = test->kind == VECIDX_TEST_NUMBER ? look_at_numbers(test->number, values, rows) : look_at_bytes(values, rows);
		looked_at |= 1U << test->column;
	}
	return looked_at;
}

static void
remember(VecIdxZones *zones, const VecIdxHandle *handle, const ZonePage *looked)
{
	ZonePage   *page;
	bool		found;

	if (zones->pages->members >= PAGES_MOST && zonepages_lookup(zones->pages, looked->block) == NULL)
		return;
	page = zonepages_insert(zones->pages, looked->block, &found);
	if (!found)
		page->zone = MemoryContextAlloc(handle->context, zones->columns * sizeof(VecIdxZone));
	if (!found || page->lsn != looked->lsn)
		page->known = 0;
	page->lsn = looked->lsn;
	page->known |= looked->known;
	for (int column = 0; column < zones->columns; column++)
	{
		if ((looked->known & 1U << column) != 0)
			page->zone[column] = zones->looked[column];
	}
}

/*
 * All rows that the page has room for are looked at: one that is there and that
 * this scan does not know of yet will be of a later scan's, at the same LSN.
 */
void
vecidx_zones_learn(VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first)
{
	uint32		at;
	ZonePage	looked = {.block = vecidx_filter_locate(handle, first, &at)};
	const ZonePage *page = zonepages_lookup(zones->pages, looked.block);
	VecIdxFilterPage filter;

	do
	{
		uint32		known;

		vecidx_filter_open(handle, first, handle->state.nodes, &filter);
		looked.lsn = PageGetLSN((Page) (filter.fields - VECIDX_PAGE_START));
		pg_read_barrier();
		known = page != NULL && page->lsn == looked.lsn ? page->known : 0;
		looked.known = look_at_page(zones, handle, predicate, filter.fields, known);
	} while (!vecidx_filter_close(handle, &filter));
	if (looked.known != 0)
		remember(zones, handle, &looked);
}
