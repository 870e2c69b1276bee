/*
 * exact.c
 *	  Exact distances, from the rows themselves.
 *
 * A row is fetched as the executor will fetch it, and its indexed column or
 * expression is computed and decoded as for an insert.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "utils/memutils.h"

#include "am/exact.h"
#include "graph/truth.h"

struct VecIdxExact
{
	/* fixed */
	IndexScanDesc scan;
	const VecIdxType *type;
	int			dimensions;
	MemoryContext row_context;	/* reset after each row */
	AttrNumber	column;			/* of the table; 0 for an expression, */
	IndexInfo  *info;			/* which needs these two */
	EState	   *estate;

	/* the row under way */
	IndexFetchTableData *fetch;
	TupleTableSlot *slot;
};

VecIdxExact *
vecidx_exact_create(IndexScanDesc scan, const VecIdxType *type, int dimensions)
{
	VecIdxExact *exact = palloc0(sizeof(VecIdxExact));

	exact->scan = scan;
	exact->type = type;
	exact->dimensions = dimensions;
	exact->row_context = AllocSetContextCreate(CurrentMemoryContext, "vecidx exact row", ALLOCSET_DEFAULT_SIZES);
	exact->column = scan->indexRelation->rd_index->indkey.values[0];
	exact->slot = table_slot_create(scan->heapRelation, NULL);
	exact->fetch = table_index_fetch_begin(scan->heapRelation);
	if (exact->column == InvalidAttrNumber)
	{
		exact->info = BuildIndexInfo(scan->indexRelation);
		exact->estate = CreateExecutorState();
		GetPerTupleExprContext(exact->estate)->ecxt_scantuple = exact->slot;
	}
	return exact;
}

/* Fetches the row that the snapshot can see of the chain that starts there. */
static bool
fetch_row(VecIdxExact *exact, const ItemPointerData *tid)
{
	ItemPointerData at = *tid;
	bool		again = false;
	bool		dead = false;

	return table_index_fetch_tuple(exact->fetch, &at, exact->scan->xs_snapshot, exact->slot, &again, &dead);
}

/* The value of the indexed column or expression. */
static Datum
compute_value(VecIdxExact *exact, bool *isnull)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	if (exact->column != InvalidAttrNumber)
		return slot_getattr(exact->slot, exact->column, isnull);
	FormIndexDatum(exact->info, exact->slot, exact->estate, values, nulls);
	*isnull = nulls[0];
	return values[0];
}

/* The row's vector, or NULL if it has none that can be indexed. */
static float *
read_vector(VecIdxExact *exact, int *dimensions)
{
	const VecIdxType *type = exact->type;
	bool		isnull;
	Datum		value = compute_value(exact, &isnull);

	if (isnull)
		return NULL;
	return vecidx_row_decode(exact->scan->indexRelation, &type->decoder, type->metric, value, exact->dimensions, dimensions);
}

bool
vecidx_exact_distance(VecIdxExact *exact, const float *query, const ItemPointerData *tids, uint32 count, float *distance)
{
	MemoryContext old = MemoryContextSwitchTo(exact->row_context);
	float	   *vector = NULL;
	int			dimensions = 0;

	for (uint32 i = 0; i < count && vector == NULL; i++)
	{
		if (fetch_row(exact, &tids[i]))
			vector = read_vector(exact, &dimensions);
		if (exact->estate != NULL)
			ResetPerTupleExprContext(exact->estate);
	}
	if (vector != NULL)
		*distance = vecidx_truth_distance(exact->type->metric, query, vector, dimensions);
	MemoryContextSwitchTo(old);
	MemoryContextReset(exact->row_context);
	return vector != NULL;
}

void
vecidx_exact_rest(VecIdxExact *exact)
{
	ExecClearTuple(exact->slot);
	table_index_fetch_reset(exact->fetch);
}

void
vecidx_exact_free(VecIdxExact *exact)
{
	table_index_fetch_end(exact->fetch);
	ExecDropSingleTupleTableSlot(exact->slot);
	if (exact->estate != NULL)
		FreeExecutorState(exact->estate);
}
