/*
 * load.c
 *	  From rows of the table to points in memory, by way of temporary files.
 */
#include "postgres.h"

#include "commands/progress.h"
#include "miscadmin.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"

#include "am/load.h"
#include "compat.h"

/* Rows that are looked at together. */
#define BATCH			VECIDX_TRUTH_ROWS

/* Records that a process reads at a time. */
#define PIECE			1024

/* At the start of a record; a code slot, a rerank vector and a sketch follow. */
typedef struct RecordHead
{
	VecIdxSketchKey key;
	ItemPointerData tid;
	uint16		unused[3];
} RecordHead;

StaticAssertDecl(sizeof(RecordHead) % MAXIMUM_ALIGNOF == 0, "slots behind the head must be aligned");

struct VecIdxLoad
{
	/* fixed */
	VecIdxLoadPlan plan;
	VecIdxLoadCounts *counts;
	VecIdxTeam *team;
	Relation	index;
	Size		record_size;
	MemoryContext context;
	MemoryContext row_context;	/* reset after each row */

	/* changes */
	BufFile    *file;			/* what this process writes */
	int			count;			/* rows of the batch */
	float	   *rows;
	ItemPointerData tids[BATCH];
	float	   *products;
	int8	   *sketches;
	VecIdxSketchKey keys[BATCH];
	char	   *record;
	void	   *scratch;
};

static Size
record_size(const VecIdxPointShape *shape)
{
	return sizeof(RecordHead) + shape->code_size + shape->vector_size + shape->width;
}

VecIdxLoad *
vecidx_load_create(const VecIdxLoadPlan *plan, VecIdxLoadCounts *counts, VecIdxTeam *team)
{
	VecIdxLoad *load = palloc0(sizeof(VecIdxLoad));
	const VecIdxQuantParams *params = vecidx_quantizer_params(plan->quantizer);
	int			width = plan->shape.width;

	load->plan = *plan;
	load->counts = counts;
	load->team = team;
	load->record_size = record_size(&plan->shape);
	load->context = CurrentMemoryContext;
	load->row_context = AllocSetContextCreate(CurrentMemoryContext, "vecidx build row", ALLOCSET_DEFAULT_SIZES);
	load->rows = palloc_extended((Size) BATCH * params->dimensions * sizeof(float), MCXT_ALLOC_HUGE);
	load->products = palloc(BATCH * width * sizeof(float));
	load->sketches = palloc(BATCH * width);
	load->record = palloc(load->record_size);
	load->scratch = palloc(vecidx_quant_scratch_size(params));
	return load;
}

/* The name of the file that a process writes; the leader of a team of one needs none. */
static void
name_file(char *name, Size size, int number)
{
	snprintf(name, size, "rows%d", number);
}

static void
create_file(VecIdxLoad *load)
{
	char		name[32];

	name_file(name, sizeof(name), load->team->number);
	if (load->team->parallel == NULL && load->team->number == 0)
		load->file = BufFileCreateTemp(false);
	else
		load->file = BufFileCreateFileSet(&load->team->state->files.fs, name);
}

/* Writes a row of the batch, encoded. */
static void
write_record(VecIdxLoad *load, int i)
{
	const VecIdxPointShape *shape = &load->plan.shape;
	RecordHead *head = (RecordHead *) load->record;
	char	   *code = load->record + sizeof(RecordHead);
	char	   *vector = code + shape->code_size;
	int			dimensions = vecidx_quantizer_params(load->plan.quantizer)->dimensions;

	head->key = load->keys[i];
	head->tid = load->tids[i];
	memset(head->unused, 0, sizeof(head->unused));
	vecidx_points_encode(load->plan.quantizer, shape, load->rows + (Size) i * dimensions, load->scratch,
						 (VecIdxCodeSlot *) code, (uint8 *) vector);
	memcpy(vector + shape->vector_size, load->sketches + (Size) i * shape->width, shape->width);
	BufFileWrite(load->file, load->record, load->record_size);
	load->counts->records[load->team->number]++;
}

static void
flush_batch(VecIdxLoad *load)
{
	uint64		rows;

	vecidx_sketch_rows(load->plan.sketcher, load->rows, load->count, load->products, load->sketches, load->keys);
	if (load->plan.truth != NULL)
		vecidx_truth_note_rows(load->plan.truth, load->rows, load->count, load->tids);
	for (int i = 0; i < load->count; i++)
		write_record(load, i);
	rows = pg_atomic_add_fetch_u64(&load->counts->rows, load->count);
	if (load->team->number == 0)
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, (int64) rows);
	load->count = 0;
}

static void
load_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive pg_attribute_unused(), void *state)
{
	VecIdxLoad *load = state;
	const VecIdxQuantParams *params = vecidx_quantizer_params(load->plan.quantizer);
	const VecIdxType *type = load->plan.type;
	MemoryContext old;
	int			dimensions;
	int			query = -1;
	float	   *row;

	CHECK_FOR_INTERRUPTS();
	if (isnull[0])
		return;
	old = MemoryContextSwitchTo(load->row_context);
	row = vecidx_row_decode(index, &type->decoder, type->metric, values[0], params->dimensions, &dimensions);
	if (row != NULL && load->plan.truth != NULL)
		query = vecidx_truth_find(load->plan.truth, tid);
	if (query >= 0)
		load->counts->held[query] = true;
	else if (row != NULL)
	{
		memcpy(load->rows + (Size) load->count * params->dimensions, row, params->dimensions * sizeof(float));
		load->tids[load->count++] = *tid;
	}
	if (load->count == BATCH)
		flush_batch(load);
	MemoryContextSwitchTo(old);
	MemoryContextReset(load->row_context);
}

void
vecidx_load_table(VecIdxLoad *load, Relation heap, Relation index, IndexInfo *info, TableScanDesc scan)
{
	MemoryContext old = MemoryContextSwitchTo(load->context);

	create_file(load);
	load->counts->loaded[load->team->number] = true;
	load->counts->heap_rows[load->team->number] =
		table_index_build_scan(heap, index, info, true, load->team->number == 0, load_row, load, scan);
	if (load->count > 0)
		flush_batch(load);
	if (load->team->parallel != NULL || load->team->number > 0)
	{
		BufFileExportFileSet(load->file);
		BufFileClose(load->file);
		load->file = NULL;
	}
	MemoryContextSwitchTo(old);
}

uint64
vecidx_load_total(const VecIdxLoadCounts *counts)
{
	uint64		total = 0;

	for (int i = 0; i < VECIDX_TEAM_MAX; i++)
		total += counts->records[i];
	return total;
}

/* Reading. */

/* Opens what a process wrote. */
static BufFile *
open_file(VecIdxLoad *load, int number)
{
	char		name[32];

	if (load->file != NULL)
		return load->file;
	name_file(name, sizeof(name), number);
	return BufFileOpenFileSet(&load->team->state->files.fs, name, O_RDONLY, false);
}

static void
take_record(const VecIdxLoad *load, VecIdxPoints *points, uint32 point)
{
	const VecIdxPointShape *shape = &points->shape;
	const RecordHead *head = (const RecordHead *) load->record;
	const char *code = load->record + sizeof(RecordHead);
	const char *vector = code + shape->code_size;

	points->keys[point] = head->key;
	points->tids[point] = head->tid;
	memcpy(vecidx_points_code(points, point), code, shape->code_size);
	if (shape->vector_size > 0)
		memcpy(vecidx_points_vector(points, point), vector, shape->vector_size);
	memcpy(vecidx_points_sketch(points, point), vector + shape->vector_size, shape->width);
}

/* Reads records from..to - 1 of a file into as many points. */
static void
read_records(VecIdxLoad *load, BufFile *file, uint64 from, uint64 to, VecIdxPoints *points, uint32 point)
{
	if (BufFileSeek(file, 0, (off_t) (from * load->record_size), SEEK_SET) != 0)
		elog(ERROR, "could not seek in temporary file of index build");
	for (; from < to; from++)
	{
		CHECK_FOR_INTERRUPTS();
		if (BufFileRead(file, load->record, load->record_size) != load->record_size)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read temporary file of index build")));
		take_record(load, points, point++);
	}
}

void
vecidx_load_points(VecIdxLoad *load, VecIdxPoints *points, uint64 *hashes, VecIdxDeal *deal)
{
	BufFile    *file = NULL;
	uint64		first = 0;		/* of the file's records, counted over all files */
	int			number = 0;
	uint32		from;
	uint32		to;

	while (vecidx_deal_take(deal, PIECE, points->count, &from, &to))
	{
		while (from < to)
		{
			uint64		end = first + load->counts->records[number];
			uint32		some = (uint32) Min(to, end);

			if (from >= end)
			{
				if (file != NULL && file != load->file)
					BufFileClose(file);
				file = NULL;
				first = end;
				number++;
				continue;
			}
			if (file == NULL)
				file = open_file(load, number);
			read_records(load, file, from - first, some - first, points, from);
			vecidx_points_hash(points, from, some, hashes);
			from = some;
		}
	}
	if (file != NULL && file != load->file)
		BufFileClose(file);
}

void
vecidx_load_free(VecIdxLoad *load)
{
	if (load->file != NULL)
		BufFileClose(load->file);
	MemoryContextDelete(load->row_context);
}
