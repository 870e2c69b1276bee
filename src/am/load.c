/*
 * load.c
 *	  The rows of a table, encoded, in temporary files.
 */
#include "postgres.h"

#include <float.h>

#include "commands/progress.h"
#include "miscadmin.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"

#include "am/cells.h"
#include "am/load.h"
#include "page/slot.h"

/* Rows that are looked at together. */
#define BATCH			VECIDX_TRUTH_ROWS

/* Records that a process reads at a time. */
#define PIECE			1024

/* Rows that were read and not yet written. */
typedef struct VecIdxLoadBatch
{
	MemoryContext context;
	MemoryContext row_context;	/* reset after each row */
	int			count;
	uint32		place;			/* rows that this process has written */
	float	   *rows;
	uint8	   *filters;
	ItemPointerData tids[BATCH];
	float	   *products;
	int8	   *sketches;
	VecIdxSketchKey keys[BATCH];
	void	   *scratch;
} VecIdxLoadBatch;

Size
vecidx_load_state_size(int cells, int processes)
{
	return offsetof(VecIdxLoadState, counts) + (Size) VECIDX_LOAD_KINDS * cells * processes * sizeof(uint64);
}

static void
set_sizes(VecIdxLoad *load)
{
	Size		point = MAXALIGN(sizeof(VecIdxLoadPoint) + load->plan.sketcher->width);

	load->sizes[VECIDX_LOAD_HOME] = point;
	load->sizes[VECIDX_LOAD_GUEST] = point;
	load->sizes[VECIDX_LOAD_UPPER] = point;
	load->sizes[VECIDX_LOAD_RAISED] = point;
	load->sizes[VECIDX_LOAD_ROW] = MAXALIGN(load->plan.code_size + load->plan.vector_size + load->plan.shape.size);
	load->sizes[VECIDX_LOAD_LIST] = offsetof(VecIdxLoadList, neighbours) +
		load->room * (sizeof(uint32) + sizeof(float));
}

static void
init_batch(VecIdxLoad *load)
{
	VecIdxLoadBatch *batch = palloc0(sizeof(VecIdxLoadBatch));
	const VecIdxQuantParams *params = vecidx_quantizer_params(load->plan.quantizer);
	int			width = load->plan.sketcher->width;

	batch->context = CurrentMemoryContext;
	batch->row_context = AllocSetContextCreate(CurrentMemoryContext, "vecidx build row", ALLOCSET_DEFAULT_SIZES);
	batch->rows = palloc_extended((Size) BATCH * params->dimensions * sizeof(float), MCXT_ALLOC_HUGE);
	batch->filters = palloc(Max(BATCH * load->plan.shape.size, 1));
	batch->products = palloc(BATCH * width * sizeof(float));
	batch->sketches = palloc(BATCH * width);
	batch->scratch = palloc(vecidx_quant_scratch_size(params));
	load->batch = batch;
}

void
vecidx_load_init(VecIdxLoad *load, const VecIdxLoadPlan *plan, VecIdxLoadState *state, VecIdxTeam *team)
{
	Size		largest = 0;
	uint64	   *counts = state->counts;

	memset(load, 0, sizeof(VecIdxLoad));
	load->plan = *plan;
	load->state = state;
	load->team = team;
	load->room = vecidx_link_room(plan->m, 0);
	set_sizes(load);
	for (int kind = 0; kind < VECIDX_LOAD_KINDS; kind++)
	{
		load->spools[kind] = palloc(plan->cells * sizeof(VecIdxSpool));
		for (int cell = 0; cell < plan->cells; cell++)
		{
			vecidx_spool_init(&load->spools[kind][cell], team, load->sizes[kind], counts, kind, cell);
			counts += team->size;
		}
		largest = Max(largest, load->sizes[kind]);
	}
	load->record = palloc0(largest);
	load->spools[VECIDX_LOAD_ROW][0].keeps = true;
	init_batch(load);
}

/* Writing. */

/* Encodes row i of the batch as pages will have it, and writes it; returns its hash. */
static uint64
write_row(VecIdxLoad *load, int i)
{
	const VecIdxLoadPlan *plan = &load->plan;
	const VecIdxQuantParams *params = vecidx_quantizer_params(plan->quantizer);
	VecIdxCodeSlot *code = vecidx_load_code(load->record);
	uint8	   *vector = vecidx_load_vector(load, load->record);
	VecIdxFactors factors;

	memset(load->record, 0, load->sizes[VECIDX_LOAD_ROW]);
	vecidx_quant_encode(plan->quantizer, load->batch->rows + (Size) i * params->dimensions, load->batch->scratch,
						(uint8 *) (code + 1), &factors, vector);
	code->f0 = factors.f0;
	code->f1 = factors.f1;
	code->error = vecidx_error_pack(factors.error);
	code->state = VECIDX_LIVE;
	memcpy(vecidx_load_filter(load, load->record), load->batch->filters + (Size) i * plan->shape.size, plan->shape.size);
	vecidx_spool_write(&load->spools[VECIDX_LOAD_ROW][0], load->record);
	return vecidx_points_hash(vector, plan->vector_size > 0 ? plan->vector_size : vecidx_quant_code_size(params));
}

static void
write_point(VecIdxLoad *load, int i, uint64 hash)
{
	VecIdxLoadBatch *batch = load->batch;
	int			width = load->plan.sketcher->width;
	const int8 *sketch = batch->sketches + (Size) i * width;
	VecIdxLoadPoint *point = load->record;
	VecIdxCells cells = {load->plan.cells, width, load->plan.centres};
	VecIdxCellVisit visit;

	vecidx_cells_find(&cells, sketch, &visit);
	point->hash = hash;
	point->key = batch->keys[i];
	point->place = batch->place++;
	point->process = (uint16) load->team->number;
	point->cell = (uint16) visit.home;
	point->tid = batch->tids[i];
	point->level = (uint16) vecidx_points_level(hash, load->plan.m);
	memcpy(point + 1, sketch, width);
	vecidx_spool_write(&load->spools[VECIDX_LOAD_HOME][visit.home], point);
	for (int j = 0; j < visit.guests; j++)
		vecidx_spool_write(&load->spools[VECIDX_LOAD_GUEST][visit.guest[j]], point);
	if (point->level > 0 && load->plan.cells > 1)
		vecidx_spool_write(&load->spools[VECIDX_LOAD_UPPER][0], point);
}

static void
flush_batch(VecIdxLoad *load)
{
	VecIdxLoadBatch *batch = load->batch;
	VecIdxTruthBatch noted = {batch->rows, batch->sketches, batch->tids, batch->count};
	uint64		rows;

	vecidx_sketch_rows(load->plan.sketcher, batch->rows, batch->count, batch->products, batch->sketches, batch->keys);
	if (load->plan.truth != NULL)
		vecidx_truth_note_rows(load->plan.truth, load->plan.sketcher, &noted);
	for (int i = 0; i < batch->count; i++)
		write_point(load, i, write_row(load, i));
	rows = pg_atomic_add_fetch_u64(&load->state->rows, batch->count);
	if (load->team->number == 0)
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) rows);
	batch->count = 0;
}

/* Where the filter row of the row that comes next goes: a query's is kept until it is inserted. */
static uint8 *
filter_place(VecIdxLoad *load, int query)
{
	Size		size = load->plan.shape.size;

	if (query >= 0)
		return load->plan.held_filters + query * size;
	return load->batch->filters + load->batch->count * size;
}

static void
load_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive pg_attribute_unused(), void *state)
{
	VecIdxLoad *load = state;
	VecIdxLoadBatch *batch = load->batch;
	const VecIdxQuantParams *params = vecidx_quantizer_params(load->plan.quantizer);
	const VecIdxType *type = load->plan.type;
	MemoryContext old;
	int			dimensions;
	int			query = -1;
	float	   *row;

	CHECK_FOR_INTERRUPTS();
	if (isnull[0])
		return;
	old = MemoryContextSwitchTo(batch->row_context);
	row = vecidx_row_decode(index, &type->decoder, type->metric, values[0], params->dimensions, &dimensions);
	if (row != NULL && load->plan.truth != NULL)
		query = vecidx_truth_find(load->plan.truth, tid);
	if (row != NULL && load->plan.shape.columns > 0)
		vecidx_filter_encode(&load->plan.shape, values, isnull, filter_place(load, query));
	MemoryContextSwitchTo(batch->context);
	if (query >= 0)
		load->state->held[query] = true;
	else if (row != NULL)
	{
		memcpy(batch->rows + (Size) batch->count * params->dimensions, row, params->dimensions * sizeof(float));
		batch->tids[batch->count++] = *tid;
	}
	if (batch->count == BATCH)
		flush_batch(load);
	MemoryContextSwitchTo(old);
	MemoryContextReset(batch->row_context);
}

static void
finish_spools(VecIdxLoad *load, VecIdxLoadKind kind)
{
	for (int cell = 0; cell < load->plan.cells; cell++)
		vecidx_spool_finish(&load->spools[kind][cell]);
}

void
vecidx_load_table(VecIdxLoad *load, Relation heap, Relation index, IndexInfo *info, TableScanDesc scan)
{
	load->state->loaded[load->team->number] = true;
	load->state->heap_rows[load->team->number] =
		table_index_build_scan(heap, index, info, true, load->team->number == 0, load_row, load, scan);
	if (load->batch->count > 0)
		flush_batch(load);
	finish_spools(load, VECIDX_LOAD_HOME);
	finish_spools(load, VECIDX_LOAD_GUEST);
	finish_spools(load, VECIDX_LOAD_UPPER);
	finish_spools(load, VECIDX_LOAD_ROW);
}

uint64
vecidx_load_total(VecIdxLoad *load)
{
	return vecidx_spool_total(&load->spools[VECIDX_LOAD_ROW][0]);
}

uint64
vecidx_load_home(VecIdxLoad *load, int cell)
{
	return vecidx_spool_total(&load->spools[VECIDX_LOAD_HOME][cell]);
}

uint64
vecidx_load_guests(VecIdxLoad *load, int cell)
{
	return vecidx_spool_total(&load->spools[VECIDX_LOAD_GUEST][cell]);
}

uint64
vecidx_load_uppers(VecIdxLoad *load)
{
	return vecidx_spool_total(&load->spools[VECIDX_LOAD_UPPER][0]) +
		vecidx_spool_total(&load->spools[VECIDX_LOAD_RAISED][0]);
}

/* The process that a number is counted from does not matter. */
void
vecidx_load_raise(VecIdxLoad *load, const VecIdxPoints *points, uint32 point)
{
	VecIdxLoadPoint *raised = load->record;

	memset(raised, 0, sizeof(VecIdxLoadPoint));
	raised->hash = points->hashes[point];
	raised->key = points->keys[point];
	raised->place = points->numbers[point];
	raised->cell = points->homes[point];
	raised->level = 1;
	memcpy(raised + 1, vecidx_points_sketch(points, point), points->width);
	vecidx_spool_write(&load->spools[VECIDX_LOAD_RAISED][0], raised);
}

/* Reading. */

typedef struct Reading
{
	const VecIdxLoad *load;
	VecIdxPoints *points;
	uint32		first;			/* the point that record 0 becomes */
	ItemPointerData *tids;		/* NULL: not wanted */
	uint64		before[VECIDX_TEAM_MAX];	/* rows of processes with smaller numbers */
} Reading;

static void
take_point(void *state, uint64 number, const void *record)
{
	Reading    *reading = state;
	VecIdxPoints *points = reading->points;
	const VecIdxLoadPoint *read = record;
	uint32		point = (uint32) (reading->first + number);
	uint32		row = (uint32) (reading->before[read->process] + read->place);

	points->keys[point] = read->key;
	points->hashes[point] = read->hash;
	points->numbers[point] = row;
	points->homes[point] = (uint8) read->cell;
	points->levels[point] = (uint8) read->level;
	memcpy(vecidx_points_sketch(points, point), read + 1, points->width);
	if (reading->tids != NULL)
		reading->tids[row] = read->tid;
}

static void
begin_reading(Reading *reading, VecIdxLoad *load, VecIdxPoints *points)
{
	reading->load = load;
	reading->points = points;
	reading->first = 0;
	reading->tids = NULL;
	for (int i = 0; i < load->team->size; i++)
		reading->before[i] = vecidx_spool_before(&load->spools[VECIDX_LOAD_ROW][0], i);
}

void
vecidx_load_cell(VecIdxLoad *load, int cell, VecIdxPoints *points, ItemPointerData *tids, VecIdxDeal *deal)
{
	uint32		home = (uint32) vecidx_load_home(load, cell);
	Reading		reading;
	uint32		from;
	uint32		to;

	begin_reading(&reading, load, points);
	while (vecidx_deal_take(deal, PIECE, points->count, &from, &to))
	{
		reading.tids = tids;
		reading.first = 0;
		if (from < home)
			vecidx_spool_read(&load->spools[VECIDX_LOAD_HOME][cell], from, Min(to, home), load->record,
							  take_point, &reading);
		reading.tids = NULL;
		reading.first = home;
		if (to > home)
			vecidx_spool_read(&load->spools[VECIDX_LOAD_GUEST][cell], Max(from, home) - home, to - home, load->record,
							  take_point, &reading);
	}
}

void
vecidx_load_upper_points(VecIdxLoad *load, VecIdxPoints *points, VecIdxDeal *deal)
{
	uint32		uppers = (uint32) vecidx_spool_total(&load->spools[VECIDX_LOAD_UPPER][0]);
	Reading		reading;
	uint32		from;
	uint32		to;

	begin_reading(&reading, load, points);
	while (vecidx_deal_take(deal, PIECE, points->count, &from, &to))
	{
		reading.first = 0;
		if (from < uppers)
			vecidx_spool_read(&load->spools[VECIDX_LOAD_UPPER][0], from, Min(to, uppers), load->record,
							  take_point, &reading);
		reading.first = uppers;
		if (to > uppers)
			vecidx_spool_read(&load->spools[VECIDX_LOAD_RAISED][0], Max(from, uppers) - uppers, to - uppers, load->record,
							  take_point, &reading);
	}
}

/* Rows. */

typedef struct RowCopy
{
	char	   *to;				/* of record "first" */
	Size		size;
	uint64		first;
} RowCopy;

static void
copy_row(void *state, uint64 number, const void *record)
{
	RowCopy    *copy = state;

	memcpy(copy->to + (number - copy->first) * copy->size, record, copy->size);
}

void
vecidx_load_keep(VecIdxLoad *load, VecIdxDeal *deal)
{
	RowCopy		copy = {load->kept, load->sizes[VECIDX_LOAD_ROW], 0};
	uint32		from;
	uint32		to;

	while (vecidx_deal_take(deal, PIECE, (uint32) vecidx_load_total(load), &from, &to))
		vecidx_spool_read(&load->spools[VECIDX_LOAD_ROW][0], from, to, load->record, copy_row, &copy);
}

const char *
vecidx_load_fetch(VecIdxLoad *load, uint32 row, char *scratch)
{
	Size		size = load->sizes[VECIDX_LOAD_ROW];
	RowCopy		copy = {scratch, size, row};

	if (load->kept != NULL)
		return load->kept + size * row;
	vecidx_spool_read(&load->spools[VECIDX_LOAD_ROW][0], row, (uint64) row + 1, load->record, copy_row, &copy);
	return scratch;
}

/* Lists. */

void
vecidx_load_put_list(VecIdxLoad *load, const VecIdxPoints *points, const VecIdxWoven *woven)
{
	VecIdxLoadList *list = load->record;

	list->number = points->numbers[woven->point];
	list->count = woven->count;
	for (int i = 0; i < woven->count; i++)
		list->neighbours[i] = points->numbers[woven->neighbours[i]];
	memcpy(vecidx_load_distances(load, list), woven->distances, woven->count * sizeof(float));
	vecidx_spool_write(&load->spools[VECIDX_LOAD_LIST][points->homes[woven->point]], list);
}

void
vecidx_load_finish_lists(VecIdxLoad *load)
{
	finish_spools(load, VECIDX_LOAD_LIST);
}

void
vecidx_load_free(VecIdxLoad *load)
{
	for (int kind = 0; kind < VECIDX_LOAD_KINDS; kind++)
	{
		for (int cell = 0; cell < load->plan.cells; cell++)
			vecidx_spool_close(&load->spools[kind][cell]);
	}
	MemoryContextDelete(load->batch->row_context);
}
