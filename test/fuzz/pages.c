/*
 * pages.c
 *	  Damaged index files: scans, inserts and vacuum over them.
 *
 * An intact index with every kind of page but directory pages is made once.
 * Each input damages a copy and does what a server would be asked to.  A
 * statement ends well or with an error that says the index is damaged; a scan
 * without end that ends well has returned every row once.
 *
 * The second target seals slots after damaging them, so that their checksums
 * are right: nothing then says what a scan must return, but it must neither
 * crash nor wait for itself.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "utils/array.h"
#include "utils/snapshot.h"

#include "am/am.h"
#include "am/write.h"
#include "fuzz.h"
#include "graph.h"
#include "options.h"
#include "page/filter.h"
#include "page/meta.h"

#define DIMENSIONS	20
#define BUILT_ROWS	1250		/* more than a scan looks at without walking */
#define ALL_ROWS	1500
#define MOST_ROWS	(ALL_ROWS + 10)

/* An intact index. */
typedef struct Sound
{
	char	   *file;
	BlockNumber blocks;
	VecIdxLayout layout;
	VecIdxFilterShape shape;
	uint32		extent_start[16];
	uint32		nodes;
	uint32		uppers;
	uint32		extents;
} Sound;

/* Without filter columns and with one; the one that is fuzzed. */
static Sound sounds[2];
static Sound *sound;

/* Each row: its vector, and whether the intact indexes have it. */
static float rows[MOST_ROWS][DIMENSIONS];
static bool live[MOST_ROWS];

/* Settings and options, as far as anybody asks. */

VecIdxOptions
vecidx_options_of(Relation index)
{
	VecIdxOptions options = {0};

	return options;
}

VecIdxScanOptions
vecidx_options_scan(void)
{
	VecIdxScanOptions options = {.target_recall = 0.95, .ef_search = 10};

	return options;
}

void
vecidx_build_fixed(Relation index, int dimensions, VecIdxMetaFixed *fixed)
{
	fuzz_fail("an index with rows has forgotten its dimensions");
}

/* Rows and their TIDs. */

static ItemPointerData
row_tid(int row)
{
	ItemPointerData tid;

	ItemPointerSet(&tid, row / 100, row % 100 + 1);
	return tid;
}

static int
tid_row(const ItemPointerData *tid)
{
	return ItemPointerGetBlockNumberNoCheck(tid) * 100 + ItemPointerGetOffsetNumberNoCheck(tid) - 1;
}

static void
make_rows(void)
{
	for (int row = 0; row < MOST_ROWS; row++)
	{
		for (int i = 0; i < DIMENSIONS; i++)
			rows[row][i] = (fuzz_random() % 2000) / 1000.0f + row % 7;
		/* some vectors twice, one so often that its TIDs fill extensions */
		if (row % 9 == 8)
			memcpy(rows[row], rows[row - 8], sizeof(rows[row]));
		if (row % 40 == 39)
			memcpy(rows[row], rows[39], sizeof(rows[row]));
	}
}

static Datum
row_datum(int row)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(rows[row]);
	ArrayType  *array = palloc0(size);

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = DIMENSIONS;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), rows[row], sizeof(rows[row]));
	return PointerGetDatum(array);
}

/* Filter pages are damaged: passes believe them as they are, so rows may be hidden from conditions. */
static bool hidden = false;

/* What a server is asked to do.  Each runs in fuzz_try. */

/* A scan, and the rows it has returned. */
typedef struct Look
{
	int			row;			/* that is looked for */
	int			limit;			/* 0: all */
	int			value;			/* of the filter column, that is asked for; -1: any */
	bool		lies;			/* do not judge what is returned */
	int			count;
	bool		seen[MOST_ROWS];
} Look;

static void
note_row(Look *look, const ItemPointerData *tid)
{
	int			row = tid_row(tid);

	look->count++;
	if (look->lies)
		return;
	if (row < 0 || row >= MOST_ROWS)
		fuzz_fail("a scan returns a row that there never was: %d", row);
	if (look->seen[row])
		fuzz_fail("a scan returns row %d twice", row);
	look->seen[row] = true;
}

static void
do_look(void *argument)
{
	Look	   *look = argument;
	SnapshotData snapshot = {.snapshot_type = SNAPSHOT_MVCC};
	ScanKeyData key = {0};
	ScanKeyData condition = {.sk_attno = 2, .sk_argument = Int32GetDatum(look->value)};
	int			conditions = look->value >= 0 ? 1 : 0;
	IndexScanDesc scan = vecidx_beginscan(fuzz_index(), conditions, 1);

	look->count = 0;
	memset(look->seen, 0, sizeof(look->seen));
	key.sk_argument = row_datum(look->row);
	scan->xs_snapshot = &snapshot;
	vecidx_rescan(scan, &condition, conditions, &key, 1);
	while ((look->limit == 0 || look->count < look->limit) &&
		   vecidx_gettuple(scan, ForwardScanDirection))
	{
		note_row(look, &scan->xs_heaptid);
		if (look->count > 10 * MOST_ROWS)
			fuzz_fail("a scan does not end");
	}
	vecidx_endscan(scan);
}

static void
do_insert(void *argument)
{
	int			row = *(int *) argument;
	Datum		values[] = {row_datum(row), Int32GetDatum(FUZZ_FILTER(row))};
	ItemPointerData tid = row_tid(row);
	bool		isnull[] = {false, false};
	bool		unchanged = row % 2 == 0;
	IndexInfo	info = {.ii_Context = CurrentMemoryContext};

	vecidx_insert(fuzz_index(), values, isnull, &tid, NULL, UNIQUE_CHECK_NO, unchanged, &info);
}

/* Every row whose number leaves this remainder is dead. */
typedef struct Deaths
{
	int			divisor;
	int			remainder;
} Deaths;

static bool
is_dead(ItemPointer tid, void *argument)
{
	const Deaths *deaths = argument;

	return tid_row(tid) % deaths->divisor == deaths->remainder;
}

static void
do_vacuum(void *argument)
{
	IndexVacuumInfo info = {.index = fuzz_index()};
	IndexBulkDeleteResult *stats = vecidx_bulkdelete(&info, NULL, is_dead, argument);

	vecidx_vacuumcleanup(&info, stats);
}

/* The intact index. */

static void
fill_fixed(VecIdxMetaFixed *fixed)
{
	fixed->metric = VECIDX_L2;
	fixed->rerank = VECIDX_RERANK_SQ8;
	fixed->bits = 4;
	fixed->m = 6;
	fixed->ef_construction = 24;
	fixed->dimensions = DIMENSIONS;
	fixed->growth = VECIDX_MIN_GROWTH;
	fixed->seed = 42;
	fixed->build = 1;
	fixed->filter_columns = sound->shape.columns;
	fixed->filter_size = sound->shape.size;
}

static void
build_index(void *argument)
{
	VecIdxMetaFixed fixed = {0};
	FuzzGraph  *graph = palloc0(sizeof(FuzzGraph));

	fill_fixed(&fixed);
	for (int i = 0; i < DIMENSIONS; i++)
		graph->centroid[i] = 4;
	fuzz_graph_points(graph, &fixed, rows[0], BUILT_ROWS);
	for (int row = 0; row < BUILT_ROWS; row++)
	{
		graph->tids[row] = row_tid(row);
		live[row] = true;
	}
	fuzz_graph_weave(graph, false);
	fuzz_graph_write(graph, fuzz_index(), &fixed);
}

/* Keeps the file and where its slots are. */
static void
keep_index(void *argument)
{
	VecIdxHandle *handle = vecidx_handle_acquire(fuzz_index());
	const char *file = fuzz_file(&sound->blocks);

	sound->layout = handle->layout;
	sound->nodes = handle->state.nodes;
	sound->uppers = handle->state.uppers;
	sound->extents = handle->extents;
	if (handle->extents < 3 || handle->extents > lengthof(sound->extent_start))
		fuzz_fail("the intact index has %u extents", handle->extents);
	memcpy(sound->extent_start, handle->extent, handle->extents * sizeof(uint32));
	sound->file = malloc((Size) sound->blocks * BLCKSZ);
	memcpy(sound->file, file, (Size) sound->blocks * BLCKSZ);
	vecidx_handle_release(handle);
}

static void
must_succeed(void (*function) (void *), void *argument, const char *what)
{
	FuzzError	error = fuzz_try(function, argument);

	if (error.code != 0)
		fuzz_fail("%s: %s", what, error.message);
}

static void
check_all(const Look *look, const Deaths *deaths)
{
	for (int row = 0; row < MOST_ROWS; row++)
	{
		bool		dying = deaths != NULL && row % deaths->divisor == deaths->remainder;

		bool		asked = look->value < 0 || FUZZ_FILTER(row) == look->value;

		if (live[row] && !dying && asked && !look->seen[row] && !(look->value >= 0 && hidden))
			fuzz_fail("a scan that ends well misses row %d", row);
		if (look->seen[row] && !asked && !hidden)
			fuzz_fail("a scan for value %d returns row %d", look->value, row);
		if (!live[row] && look->seen[row] && row < ALL_ROWS)
			fuzz_fail("a scan returns row %d, which was deleted", row);
	}
}

/* Rows are found by their own vectors, but for one in twenty at most: what searches without calibration aim at. */
static void
check_found(void)
{
	Look		look = {.limit = 1, .value = -1};
	int			asked = 0;
	int			missed = 0;

	for (look.row = 0; look.row < ALL_ROWS; look.row++)
	{
		bool		found = false;

		if (!live[look.row])
			continue;
		must_succeed(do_look, &look, "search for a row");
		for (int row = 0; row < ALL_ROWS && !found; row++)
			found = look.seen[row] && memcmp(rows[row], rows[look.row], sizeof(rows[row])) == 0;
		asked++;
		missed += !found;
	}
	if (missed * 20 > asked)
		fuzz_fail("of %d rows %d are not found by their own vectors", asked, missed);
}

static void
prepare_sound(bool filtered)
{
	Deaths		deaths = {8, 3};
	Look		look = {.row = 7, .value = -1};

	sound = &sounds[filtered];
	fuzz_filtered = filtered;
	if (sound->file != NULL)
		return;
	vecidx_filter_shape(NULL, &sound->shape);
	fuzz_seed(7);
	pg_prng_seed(&pg_global_prng_state, 7);
	make_rows();
	fuzz_set_file(NULL, 0);
	must_succeed(build_index, NULL, "build");
	for (int row = BUILT_ROWS; row < ALL_ROWS - 20; row++)
	{
		must_succeed(do_insert, &row, "insert");
		live[row] = true;
	}
	must_succeed(do_vacuum, &deaths, "vacuum");
	for (int row = 0; row < ALL_ROWS; row++)
		live[row] = live[row] && !is_dead((ItemPointerData[]) {row_tid(row)}, &deaths);
	for (int row = ALL_ROWS - 20; row < ALL_ROWS; row++)
	{
		must_succeed(do_insert, &row, "insert into freed slots");
		live[row] = true;
	}
	must_succeed(do_look, &look, "scan");
	check_all(&look, NULL);
	check_found();
	for (look.value = 0; filtered && look.value < FUZZ_FILTER_VALUES; look.value++)
	{
		must_succeed(do_look, &look, "scan under a condition");
		check_all(&look, NULL);
	}
	must_succeed(keep_index, NULL, "copy");
	fuzz_reset();
}

static void
prepare_pages(void)
{
	prepare_sound(false);
}

static void
prepare_filters(void)
{
	prepare_sound(true);
}

/* Damage. */

static void
damage_page(char *file, BlockNumber block)
{
	char	   *page = file + (Size) block * BLCKSZ;

	switch (fuzz_below(8))
	{
		case 0:
			fuzz_mutate(page, VECIDX_PAGE_START);
			break;
		case 1:
			fuzz_mutate(page + BLCKSZ - sizeof(VecIdxPageTail), sizeof(VecIdxPageTail));
			break;
		case 2:
			memcpy(page, sound->file + (Size) fuzz_below(sound->blocks) * BLCKSZ, BLCKSZ);
			break;
		case 3:
			memset(page, 0, BLCKSZ);
			break;
		default:
			fuzz_mutate(page, BLCKSZ);
			break;
	}
}

/* The metapage decides most and would be hit seldom. */
static void
damage_meta(char *file)
{
	VecIdxMeta *meta = (VecIdxMeta *) (file + VECIDX_PAGE_START);

	if (fuzz_below(2))
		fuzz_mutate(meta, offsetof(VecIdxMeta, directory));
	else
		fuzz_mutate(meta->extent, 4 * sizeof(uint32));
}

static void
damage_slot(char *file)
{
	const VecIdxLayout *layout = &sound->layout;
	VecIdxRunKind run = fuzz_below(fuzz_filtered ? VECIDX_RUNS : VECIDX_RUN_FILTER);
	uint32		slot = fuzz_below(run == VECIDX_RUN_UPPER ? sound->uppers : sound->nodes);
	VecIdxPlace place = vecidx_layout_place(layout, run, slot);
	BlockNumber block = sound->extent_start[place.extent] + place.block;
	char	   *page = file + (Size) block * BLCKSZ;

	if (run == VECIDX_RUN_FILTER)
	{
		uint32		rows = layout->run[run].per_page;
		uint32		at = (place.offset - VECIDX_PAGE_START) / layout->run[run].size;
		uint8		row[VECIDX_FILTER_ROOM];

		vecidx_filter_gather(&sound->shape, page, rows, at, row);
		fuzz_mutate(row, sound->shape.size);
		vecidx_filter_seal(&sound->shape, slot, fuzz_below(2) == 0, row);
		vecidx_filter_scatter(&sound->shape, page, rows, at, row);
		return;
	}
	fuzz_mutate(page + place.offset, Min(layout->run[run].size, fuzz_below(2) ? 40 : 4000));
	vecidx_slot_seal(layout, run, page + place.offset);
}

/* Judging. */

static void
judge(FuzzError error, const char *what)
{
	switch (error.code)
	{
		case 0:
		case ERRCODE_INDEX_CORRUPTED:
		case ERRCODE_DATA_CORRUPTED:
			break;
		case ERRCODE_FEATURE_NOT_SUPPORTED:
			if (strstr(error.message, "format version") != NULL)
				break;
			/* FALLTHROUGH */
		default:
			fuzz_fail("%s: %s", what, error.message);
	}
}

/* Are all pages of a run as they were? */
static bool
is_sound(VecIdxRunKind run)
{
	BlockNumber blocks;
	const char *file = fuzz_file(&blocks);

	for (uint32 extent = 0; extent < sound->extents; extent++)
	{
		BlockNumber start = sound->extent_start[extent] + vecidx_layout_run_start(&sound->layout, extent, run);
		Size		at = (Size) start * BLCKSZ;
		Size		size = (Size) vecidx_layout_run_pages(&sound->layout, extent, run) * BLCKSZ;

		if (at + size > (Size) blocks * BLCKSZ || memcmp(file + at, sound->file + at, size) != 0)
			return false;
	}
	return true;
}

/* A condition for a look, or none. */
static int
some_value(void)
{
	return fuzz_filtered && fuzz_below(4) > 0 ? (int) fuzz_below(FUZZ_FILTER_VALUES) : -1;
}

/* Reads; returns whether the scan of all rows ended well. */
static void
read_damaged(bool lies)
{
	Look		look = {.row = fuzz_below(ALL_ROWS), .limit = 10, .lies = lies, .value = some_value()};
	FuzzError	first = fuzz_try(do_look, &look);
	FuzzError	second = fuzz_try(do_look, &look);

	if (!lies)
	{
		judge(first, "scan");
		judge(second, "scan again");
		/* searches steer by codes without looking at the page around them */
		if (first.code != 0 && second.code == 0 && is_sound(VECIDX_RUN_CODE))
			fuzz_fail("the error of the first scan is gone: %s", first.message);
		if (second.code == 0 && look.count != look.limit && !(look.value >= 0 && hidden))
			fuzz_fail("a scan returns %d rows", look.count);
	}
	look.limit = 0;
	first = fuzz_try(do_look, &look);
	if (lies)
		return;
	judge(first, "scan of all");
	if (first.code == 0)
		check_all(&look, NULL);
}

static void
write_damaged(bool lies)
{
	Deaths		deaths = {16, fuzz_below(16)};
	Look		look = {.row = 1, .lies = lies, .value = some_value()};
	FuzzError	error;

	for (int row = ALL_ROWS; row < MOST_ROWS; row += 1 + fuzz_below(8))
	{
		error = fuzz_try(do_insert, &row);
		if (!lies)
			judge(error, "insert");
	}
	error = fuzz_try(do_vacuum, &deaths);
	if (!lies)
		judge(error, "vacuum");
	error = fuzz_try(do_look, &look);
	if (lies)
		return;
	judge(error, "scan after writes");
	if (error.code == 0)
		check_all(&look, &deaths);
}

static void
run_pages(uint64 input)
{
	Size		size = (Size) sound->blocks * BLCKSZ;
	char	   *file = malloc(size);

	memcpy(file, sound->file, size);
	for (uint32 i = 1 + fuzz_below(2); i > 0; i--)
	{
		if (fuzz_below(6) == 0)
			damage_meta(file);
		else
			damage_page(file, fuzz_below(sound->blocks));
	}
	fuzz_set_file(file, fuzz_below(20) == 0 ? fuzz_below(sound->blocks) : sound->blocks);
	free(file);
	hidden = !is_sound(VECIDX_RUN_FILTER);
	read_damaged(false);
	write_damaged(false);
	fuzz_reset();
}

static void
run_sealed(uint64 input)
{
	Size		size = (Size) sound->blocks * BLCKSZ;
	char	   *file = malloc(size);

	memcpy(file, sound->file, size);
	for (uint32 i = 1 + fuzz_below(20); i > 0; i--)
		damage_slot(file);
	fuzz_set_file(file, sound->blocks);
	free(file);
	read_damaged(true);
	fuzz_reset();
}

const FuzzTarget fuzz_pages = {"pages", prepare_pages, run_pages};
const FuzzTarget fuzz_sealed = {"sealed", prepare_pages, run_sealed};
const FuzzTarget fuzz_filters = {"filters", prepare_filters, run_pages};
const FuzzTarget fuzz_filters_sealed = {"filters_sealed", prepare_filters, run_sealed};
