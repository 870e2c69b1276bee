/*
 * recalibrate.c
 *	  vecidx_calibrate: what effort reaches which recall, measured anew on an
 *	  index in use.
 *
 * Queries are rows of the table or such as the user gives.  One pass over the
 * table notes their true neighbours, among the rows that a snapshot sees; one
 * pass over the index tells these rows' nodes.  Others read and write
 * meanwhile: a row that only one of the passes meets is nobody's neighbour.
 * Vacuum waits, so that no TID gets another meaning between the passes.
 *
 * The result is in force for all from the end of the measurement on, whether
 * the transaction commits or not.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "am/am.h"
#include "am/sample.h"
#include "compat.h"
#include "graph/calibrate.h"
#include "monitor/monitor.h"
#include "page/meta.h"
#include "page/slot.h"

/* Of the queries that the user gives: how many there must be, and how many are used. */
#define QUERIES_LEAST		16
#define QUERIES_MOST		1024

/* More entries than so many for each row that is seen are worth a word. */
#define ENTRIES_MOST		1.05

PG_FUNCTION_INFO_V1(vecidx_calibrate_by_rows);
PG_FUNCTION_INFO_V1(vecidx_calibrate_by_queries);

typedef struct Calibration
{
	/* fixed */
	Relation	table;
	Relation	index;
	IndexInfo  *info;
	const VecIdxType *type;
	MemoryContext row_context;	/* reset after each row */
	VecIdxHandle *handle;
	int			dimensions;

	/* changes */
	VecIdxTruth *truth;
	double		rows;			/* noted */
	double		entries;		/* TIDs in the index */
} Calibration;

/* Queries that the user gives. */

static void
require_queries(int count)
{
	if (count >= QUERIES_LEAST)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%d queries are too few to calibrate with", count),
			 errdetail("At least %d are needed; zero vectors do not count where the distance is cosine.", QUERIES_LEAST),
			 errhint("Pass some hundred queries like those that are to come.")));
}

/* One that has no place in the index is left out. */
static void
take_query(void *state, Datum value, const VecIdxGiven *given)
{
	Calibration *calibration = state;
	VecIdxTruth *truth = calibration->truth;
	float	   *row;
	int			dimensions;

	row = vecidx_row_decode(calibration->index, given->decoder, calibration->type->metric, value,
							calibration->dimensions, &dimensions);
	if (row != NULL)
		vecidx_truth_query(truth, truth->count++, row, NULL);
}

/* Takes at most QUERIES_MOST of the queries, evenly spread. */
static void
take_given(Calibration *calibration, const VecIdxGiven *given)
{
	calibration->truth = vecidx_truth_create(calibration->type->metric, calibration->dimensions,
											 Min(given->count, QUERIES_MOST));
	calibration->truth->count = 0;
	vecidx_given_visit(given, QUERIES_MOST, take_query, calibration);
	require_queries(calibration->truth->count);
}

/* Rows as queries: drawn as the build does. */
static void
take_rows(Calibration *calibration)
{
	VecIdxSampleSource source = {calibration->table, calibration->index, calibration->info,
	calibration->type, calibration->row_context};
	VecIdxTableSample sample = {.dimensions = calibration->dimensions};

	vecidx_sample_table(&source, &sample);
	calibration->truth = vecidx_sample_queries(&sample, calibration->type->metric,
											   Min(VECIDX_CALIBRATE_QUERIES, sample.count));
}

/* Their true neighbours. */

static void
note_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive pg_attribute_unused(), void *state)
{
	Calibration *calibration = state;
	MemoryContext old;
	const float *row;
	int			dimensions;

	CHECK_FOR_INTERRUPTS();
	if (isnull[0])
		return;
	old = MemoryContextSwitchTo(calibration->row_context);
	row = vecidx_row_decode(index, &calibration->type->decoder, calibration->type->metric, values[0],
							calibration->dimensions, &dimensions);
	if (row != NULL)
	{
		vecidx_truth_note(calibration->truth, row, tid, VECIDX_NONE);
		calibration->rows++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(calibration->row_context);
}

/* Tells whose rows a slot has. */
static void
resolve_slot(void *state, uint32 id, const void *bytes)
{
	Calibration *calibration = state;
	const VecIdxAdjacencySlot *slot = bytes;
	bool		extension = slot->state == VECIDX_EXTENSION;
	uint32		room = extension ? VecIdxExtensionTids(calibration->handle->fixed.m) : VECIDX_INLINE_TIDS;

	if (!extension && slot->state != VECIDX_LIVE)
		return;
	if (!vecidx_slot_sealed(&calibration->handle->layout, VECIDX_RUN_ADJACENCY, slot))
		vecidx_damaged(calibration->index, psprintf("The checksum of adjacency slot %u is wrong", id));
	for (uint32 i = 0; i < Min(slot->tids, room); i++)
	{
		ItemPointerData tid;

		memcpy(&tid, (const char *) slot->tid + i * sizeof(ItemPointerData), sizeof(ItemPointerData));
		vecidx_truth_resolve(calibration->truth, &tid, extension ? slot->upper : id);
		calibration->entries++;
	}
}

static void
find_truth(Calibration *calibration)
{
	VecIdxHandle *handle = calibration->handle;

	table_index_build_scan(calibration->table, calibration->index, calibration->info, false, false,
						   note_row, calibration, NULL);
	vecidx_handle_refresh(handle);
	vecidx_monitor_visit(handle, VECIDX_RUN_ADJACENCY, handle->state.nodes, resolve_slot, calibration);
}

/* Nodes of rows that nobody sees come before true neighbours, so that more effort seems to be needed. */
static void
tell_dead(const Calibration *calibration)
{
	if (calibration->entries <= calibration->rows * ENTRIES_MOST)
		return;
	ereport(NOTICE,
			(errmsg("index \"%s\" has many entries of rows that cannot be seen", RelationGetRelationName(calibration->index)),
			 errdetail("They are deleted or newer than the transaction, and make searches seem to need more than they do."),
			 errhint("VACUUM table \"%s\" and calibrate again.", RelationGetRelationName(calibration->table))));
}

/* All together. */

/* Nodes in use; without that many the effort is never asked for. */
static bool
is_large(const VecIdxMetaState *state)
{
	return state->nodes - state->free_nodes - state->extensions > VECIDX_CALIBRATE_MIN_ROWS;
}

static void
prepare(Calibration *calibration, const VecIdxTarget *target)
{
	calibration->table = target->table;
	calibration->index = target->index;
	calibration->info = BuildIndexInfo(target->index);
	calibration->info->ii_Concurrent = true;
	calibration->type = vecidx_row_type(target->index);
	calibration->row_context = AllocSetContextCreate(CurrentMemoryContext, "vecidx calibrate row", ALLOCSET_DEFAULT_SIZES);
	calibration->handle = vecidx_handle_acquire(target->index);
	vecidx_handle_release_with(calibration->handle, CurrentMemoryContext);
	calibration->dimensions = calibration->handle->fixed.dimensions;
}

/* Returns the number of queries used; 0: nothing was measured, for want of rows. */
static int
measure(Calibration *calibration, const VecIdxGiven *given)
{
	VecIdxMetaTuning tuning;

	if (!is_large(&calibration->handle->state))
		return 0;
	if (given != NULL)
		take_given(calibration, given);
	else
		take_rows(calibration);
	if (calibration->truth->count == 0)
		return 0;
	find_truth(calibration);
	if (calibration->rows <= VECIDX_CALIBRATE_MIN_ROWS)
		return 0;
	tell_dead(calibration);
	vecidx_truth_settle(calibration->truth);
	vecidx_calibrate_alone(calibration->handle, calibration->truth,
						   given != NULL ? VECIDX_TUNED_BY_QUERIES : VECIDX_TUNED_BY_ROWS, &tuning);
	vecidx_meta_tune(calibration->handle, &tuning, RelationNeedsWAL(calibration->index));
	return calibration->truth->used;
}

static int
calibrate_index(const VecIdxTarget *target, const VecIdxGiven *given)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx calibrate", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Calibration calibration = {0};
	int			used;

	prepare(&calibration, target);
	used = measure(&calibration, given);
	if (used == 0)
		ereport(NOTICE,
				(errmsg("index \"%s\" has too few rows to be calibrated", RelationGetRelationName(target->index)),
				 errdetail("Up to %d rows, searches look at all of them.", VECIDX_CALIBRATE_MIN_ROWS)));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return used;
}

static int
recalibrate(Oid index, ArrayType *queries)
{
	Oid			table = vecidx_monitor_table(index);
	VecIdxTarget target;
	VecIdxGuise guise;
	VecIdxGiven given;
	int			used;

	PreventCommandDuringRecovery("vecidx_calibrate()");
	if (!VecIdxOwnsRelation(index, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, get_rel_name(index));
	vecidx_monitor_open(&target, index, table, ShareUpdateExclusiveLock);
	vecidx_monitor_require_valid(&target);
	if (queries != NULL)
	{
		/* errors name types as the caller sees them */
		given = vecidx_given_look(target.index, queries);
		require_queries(given.count);
	}
	vecidx_guise_take(&guise, target.table);
	used = calibrate_index(&target, queries != NULL ? &given : NULL);
	vecidx_guise_drop(&guise);
	vecidx_monitor_close(&target);
	return used;
}

Datum
vecidx_calibrate_by_rows(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(recalibrate(PG_GETARG_OID(0), NULL));
}

Datum
vecidx_calibrate_by_queries(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(recalibrate(PG_GETARG_OID(0), PG_GETARG_ARRAYTYPE_P(1)));
}
