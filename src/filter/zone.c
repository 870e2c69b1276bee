/*
 * zone.c
 *	  What values the rows of a filter page have.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "port/pg_bitutils.h"
#include "storage/bufpage.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "filter/zone.h"

#define MARK_WORDS		4

/* The values of a column in a strip. */
typedef struct Zone
{
	uint64		low;			/* the least and the greatest key, of numbers (interval.h) */
	uint64		high;
	uint64		marks[MARK_WORDS];	/* of each value a bit, by its hash */
} Zone;

/* What is known of a page. */
typedef struct ZonePage
{
	BlockNumber block;
	char		status;			/* of the table's slot */
	uint32		known;			/* columns, a bit each */
	XLogRecPtr	lsn;			/* of the page that it is known of */
	Zone	  **strips;			/* of each column, or NULL */
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

/* Values that are looked for one by one; of more, only the range counts. */
#define VALUES_MOST		8

struct VecIdxZones
{
	zonepages_hash *pages;		/* NULL before the second pass */
	Size		memory;			/* that zones may take, and do */
	Size		used;
};

static inline uint64
number_hash(uint64 key)
{
	return key * UINT64CONST(0x9E3779B97F4A7C15);
}

static inline void
set_mark(Zone *zone, uint64 hash)
{
	zone->marks[hash >> 62] |= UINT64CONST(1) << ((hash >> 56) & 63);
}

static inline bool
has_mark(const Zone *zone, uint64 hash)
{
	return (zone->marks[hash >> 62] & UINT64CONST(1) << ((hash >> 56) & 63)) != 0;
}

/* Can a zone say no to a test? */
static inline bool
is_zonal(const VecIdxTest *test)
{
	return test->kind == VECIDX_TEST_NUMBER || (test->kind == VECIDX_TEST_BYTES && test->arguments <= VALUES_MOST);
}

/* Columns of which zones can say no. */
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

void
vecidx_zones_begin(VecIdxHandle *handle, Size memory)
{
	VecIdxZones *zones = handle->zones;

	if (zones == NULL)
	{
		handle->zones = MemoryContextAllocZero(handle->context, sizeof(VecIdxZones));
		return;
	}
	if (zones->pages == NULL)
		zones->pages = zonepages_create(handle->context, 256, NULL);
	zones->memory = memory;
}

VecIdxZones *
vecidx_zones_get(VecIdxHandle *handle, const VecIdxPredicate *predicate)
{
	VecIdxZones *zones = handle->zones;

	if (zones == NULL || zones->pages == NULL || zonal_columns(predicate) == 0 ||
		handle->access == VECIDX_ACCESS_PINNED || !RelationNeedsWAL(handle->index))
		return NULL;
	return zones;
}

static inline bool
interval_open(const Zone *zone, VecIdxInterval interval)
{
	return interval.low <= zone->high && interval.high >= zone->low &&
		(interval.low != interval.high || has_mark(zone, number_hash(interval.low)));
}

static uint64
numbers_open(const VecIdxIntervals *intervals, const Zone *strips, uint32 count)
{
	const VecIdxInterval *interval = intervals->interval;
	VecIdxInterval all = {interval[0].low, interval[intervals->count - 1].high};
	bool		many = intervals->count > VALUES_MOST;
	uint64		open = 0;

	for (int i = 0; i < (many ? 1 : intervals->count); i++)
	{
		for (uint32 s = 0; s < count; s++)
			open |= (uint64) interval_open(&strips[s], many ? all : interval[i]) << s;
	}
	return open;
}

static uint64
bytes_open(const VecIdxTest *test, const Zone *strips, uint32 count)
{
	uint64		open = 0;

	for (int i = 0; i < test->arguments; i++)
	{
		uint64		hash = vecidx_stored_hash(test->argument[i].stored);

		for (uint32 s = 0; s < count; s++)
			open |= (uint64) has_mark(&strips[s], hash) << s;
	}
	return open;
}

/* By what is known of a page, whether that still holds or not. */
static uint64
strips_open(const ZonePage *page, const VecIdxPredicate *predicate, uint32 count)
{
	uint64		open = (UINT64CONST(1) << count) - 1;

	for (int i = 0; i < predicate->tests && open != 0; i++)
	{
		const VecIdxTest *test = &predicate->test[i];

		if (!is_zonal(test) || (page->known & 1U << test->column) == 0)
			continue;
		open &= test->kind == VECIDX_TEST_NUMBER ? numbers_open(&test->intervals, page->strips[test->column], count) :
			bytes_open(test, page->strips[test->column], count);
	}
	return open;
}

static bool
still_holds(VecIdxHandle *handle, const ZonePage *page)
{
	VecIdxPeek	peek = vecidx_peek(handle, page->block);
	XLogRecPtr	lsn;

	if (!vecidx_peek_valid(handle, &peek))
		return false;
	lsn = PageGetLSN((Page) peek.page);
	if (!vecidx_peek_valid(handle, &peek) || lsn != page->lsn)
		return false;
	vecidx_visits.hit[VECIDX_VISIT_FILTER]++;
	return true;
}

/* What is known of the page that begins with a node's row, or NULL. */
static ZonePage *
find_page(const VecIdxZones *zones, VecIdxHandle *handle, uint32 first)
{
	uint32		at;

	return zonepages_lookup(zones->pages, vecidx_filter_locate(handle, first, &at));
}

static bool
knows_columns(const ZonePage *page, const VecIdxPredicate *predicate)
{
	return (zonal_columns(predicate) & ~page->known) == 0;
}

bool
vecidx_zones_know(const VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first)
{
	const ZonePage *page = find_page(zones, handle, first);

	return page != NULL && knows_columns(page, predicate);
}

uint64
vecidx_zones_open(const VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first)
{
	uint32		count = vecidx_strips(handle);
	uint64		all = (UINT64CONST(1) << count) - 1;
	const ZonePage *page = find_page(zones, handle, first);
	uint64		open;

	if (page == NULL)
		return all;
	open = strips_open(page, predicate, count);
	return open == all || still_holds(handle, page) ? open : all;
}

static void
look_at_numbers(const VecIdxNumber *number, const uint8 *values, uint32 rows, Zone *zone)
{
	zone->low = PG_UINT64_MAX;
	for (uint32 i = 0; i < rows; i++)
	{
		uint64		key = vecidx_number_key(number, values + i * number->width);

		zone->low = Min(zone->low, key);
		zone->high = Max(zone->high, key);
		set_mark(zone, number_hash(key));
	}
}

static void
look_at_bytes(const uint8 *values, uint32 rows, Zone *zone)
{
	for (uint32 i = 0; i < rows; i++)
		set_mark(zone, vecidx_stored_hash(values + i * VECIDX_SHORT_SIZE));
}

/* The zones of a column on a page. */
static void
look_at_column(const VecIdxHandle *handle, const VecIdxTest *test, const uint8 *fields, Zone *strips)
{
	uint32		rows = handle->layout.run[VECIDX_RUN_FILTER].per_page;

	for (uint32 row = 0; row < rows; row += VECIDX_STRIP_ROWS)
	{
		const uint8 *values = fields + vecidx_filter_place(&handle->shape, test->column, rows, row);
		uint32		some = Min(rows - row, VECIDX_STRIP_ROWS);
		Zone	   *zone = &strips[row / VECIDX_STRIP_ROWS];

		memset(zone, 0, sizeof(Zone));
		if (test->kind == VECIDX_TEST_NUMBER)
			look_at_numbers(test->number, values, some, zone);
		else
			look_at_bytes(values, some, zone);
	}
}

/* The page's entry, with room for what its tests are about; NULL if there is no more memory. */
static ZonePage *
prepare_page(VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, BlockNumber block)
{
	Size		size = vecidx_strips(handle) * sizeof(Zone);
	ZonePage   *page = zonepages_lookup(zones->pages, block);
	bool		found;

	if (page == NULL)
	{
		if (zones->used >= zones->memory)
			return NULL;
		page = zonepages_insert(zones->pages, block, &found);
		page->known = 0;
		page->lsn = InvalidXLogRecPtr;
		page->strips = MemoryContextAllocZero(handle->context, handle->shape.columns * sizeof(Zone *));
		zones->used += 2 * sizeof(ZonePage) + handle->shape.columns * sizeof(Zone *);
	}
	for (int i = 0; i < predicate->tests; i++)
	{
		Zone	  **strips = &page->strips[predicate->test[i].column];

		if (!is_zonal(&predicate->test[i]) || *strips != NULL)
			continue;
		if (zones->used >= zones->memory)
			return NULL;
		*strips = MemoryContextAlloc(handle->context, size);
		zones->used += size;
	}
	return page;
}

/*
 * The page is locked, so that LSN and rows belong to each other whatever the
 * order in which a processor sees them.  All rows that it has room for are
 * looked at: one that is there and that this scan does not know of yet will be
 * of a later scan's, at the same LSN.
 */
void
vecidx_zones_learn(VecIdxZones *zones, VecIdxHandle *handle, const VecIdxPredicate *predicate, uint32 first)
{
	uint32		at;
	ZonePage   *page = prepare_page(zones, handle, predicate, vecidx_filter_locate(handle, first, &at));
	VecIdxFilterPage filter;
	XLogRecPtr	lsn;

	if (page == NULL || (knows_columns(page, predicate) && still_holds(handle, page)))
		return;
	vecidx_filter_lock(handle, first, handle->state.nodes, &filter);
	lsn = PageGetLSN((Page) (filter.fields - VECIDX_PAGE_START));
	if (page->lsn != lsn)
		page->known = 0;
	page->lsn = lsn;
	for (int i = 0; i < predicate->tests; i++)
	{
		const VecIdxTest *test = &predicate->test[i];

		if (!is_zonal(test) || (page->known & 1U << test->column) != 0)
			continue;
		look_at_column(handle, test, filter.fields, page->strips[test->column]);
		page->known |= 1U << test->column;
	}
	vecidx_filter_close(handle, &filter);
}
