/*
 * statement.c
 *	  aminsert: the rows that a statement inserts, one after the other.
 *
 * What they share is kept in memory of the statement's (see insert.c for a
 * row's way into the pages).
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "am/former.h"
#include "am/inserter.h"
#include "am/tally.h"
#include "am/twin.h"
#include "page/filter.h"
#include "page/meta.h"

/*
 * The first row of an index that knew no dimensions fixes them, and with them
 * the layout.  There is nothing to choose codes by.
 */
static void
fix_dimensions(VecIdxHandle *handle, int dimensions)
{
	VecIdxMetaFixed fixed;
	VecIdxEdit	edit;
	VecIdxMeta *meta;

	vecidx_build_fixed(handle->index, dimensions, &fixed);
	vecidx_edit_begin(&edit, handle->index, true);
	meta = vecidx_meta_edit(&edit, handle);
	if (meta->fixed.dimensions != 0)
	{
		vecidx_edit_abandon(&edit);
		return;
	}
	meta->fixed = fixed;
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	vecidx_handle_refresh(handle);
}

/* What the rows of a statement share. */
typedef struct Statement
{
	VecIdxHandle *handle;
	VecIdxInserter *inserter;	/* NULL while dimensions are not known */
	uint64		build;			/* of the index, when the inserter was made */
	const ResultRelInfo *table; /* that the rows go into, if it is known */
	MemoryContext context;		/* holds all of it */
	MemoryContext row;			/* reset after each row */
	VecIdxStatsRef counted;		/* where rows are counted when the statement is over */
	uint64		rows;			/* inserted */
	uint64		attached;		/* of these, to a node that there was */
} Statement;

static void
count_rows(void *arg)
{
	const Statement *statement = arg;

	vecidx_tally_inserts(&statement->counted, statement->rows, statement->attached);
}

/* Also those of a statement that an error ends. */
static void
count_at_end(Statement *statement, Relation index)
{
	MemoryContextCallback *callback = MemoryContextAlloc(statement->context, sizeof(MemoryContextCallback));

	statement->counted = vecidx_tally_find(index);
	callback->func = count_rows;
	callback->arg = statement;
	MemoryContextRegisterResetCallback(statement->context, callback);
}

/* Kept in memory of the statement's, whose end gives the handle back. */
static Statement *
begin_statement(Relation index, IndexInfo *info)
{
	MemoryContext context = AllocSetContextCreate(info->ii_Context, "vecidx aminsert", ALLOCSET_SMALL_SIZES);
	Statement  *statement = MemoryContextAllocZero(context, sizeof(Statement));

	statement->context = context;
	statement->row = AllocSetContextCreate(context, "vecidx row", ALLOCSET_DEFAULT_SIZES);
	statement->handle = vecidx_handle_acquire(index);
	vecidx_handle_release_with(statement->handle, context);
	statement->table = vecidx_former_table(info);
	count_at_end(statement, index);
	info->ii_AmCache = statement;
	return statement;
}

/* An index that knew no dimensions may have been given some by another backend. */
static VecIdxInserter *
statement_inserter(Statement *statement)
{
	VecIdxHandle *handle = statement->handle;

	if (statement->inserter != NULL && statement->build != handle->fixed.build)
		elog(ERROR, "index \"%s\" has been built anew under a statement", RelationGetRelationName(handle->index));
	if (statement->inserter == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(statement->context);

		statement->inserter = vecidx_inserter_create(handle, true);
		statement->build = handle->fixed.build;
		MemoryContextSwitchTo(old);
	}
	return statement->inserter;
}

/* False for a row that has no place in the index. */
static bool
insert_row(Statement *statement, const Datum *values, const bool *isnull, ItemPointer tid, bool unchanged)
{
	VecIdxHandle *handle = statement->handle;
	uint8		filter[VECIDX_FILTER_ROOM];
	const VecIdxType *type = vecidx_row_type(handle->index);
	int			dimensions;
	float	   *row = vecidx_row_decode(handle->index, &type->decoder, type->metric, values[0],
										handle->fixed.dimensions, &dimensions);

	if (row == NULL)
		return false;
	if (handle->fixed.dimensions == 0)
		fix_dimensions(handle, dimensions);
	if (handle->fixed.dimensions != (uint32) dimensions)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("vector has %d dimensions, but index \"%s\" has %u",
						dimensions, RelationGetRelationName(handle->index), handle->fixed.dimensions)));
	vecidx_filter_encode(&handle->shape, values, isnull, filter);
	vecidx_inserter_add(statement_inserter(statement), row, filter, tid, unchanged);
	return true;
}

/* A row whose former version has the same vector goes where that is; false if it is not known where. */
static bool
follow_former(Statement *statement, const IndexInfo *info, const Datum *values, const bool *isnull, ItemPointer tid)
{
	VecIdxInserter *inserter;
	ItemPointerData former;

	if (statement->table == NULL || statement->handle->fixed.dimensions == 0 ||
		!vecidx_former_tid(statement->table, info, values[0], &former))
		return false;
	inserter = statement_inserter(statement);
	if (vecidx_filter_exists(inserter->handle))
		vecidx_filter_encode(&inserter->handle->shape, values, isnull, inserter->filter);
	if (!vecidx_twin_follow(inserter, &former, tid))
		return false;
	inserter->attached++;
	return true;
}

bool
vecidx_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid, Relation heap pg_attribute_unused(),
			  IndexUniqueCheck unique pg_attribute_unused(), bool unchanged, IndexInfo *info)
{
	Statement  *statement = info->ii_AmCache;
	MemoryContext old;

	if (isnull[0])
		return false;
	if (statement == NULL)
		statement = begin_statement(index, info);
	statement->handle->index = index;
	old = MemoryContextSwitchTo(statement->row);
	if (follow_former(statement, info, values, isnull, tid) ||
		insert_row(statement, values, isnull, tid, unchanged))
	{
		statement->rows++;
		statement->attached = statement->inserter->attached;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(statement->row);
	return false;
}
