/*
 * former.c
 *	  The version of a row that an UPDATE replaces.
 *
 * An index is told the new version's TID and values, no more.  The version
 * that is replaced stands in a slot of the executor, of the node that modifies
 * the table; a node is found by the IndexInfo that the index is given, which
 * belongs to one of its tables.
 *
 * What else might stand in that slot does no harm: its vector is compared.  A
 * row that has the same vector has its TID in the right node of the index, if
 * it is there, and cannot leave it meanwhile: its end is not older than this
 * transaction's.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/tuptable.h"
#include "lib/ilist.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "am/former.h"
#include "page/buffer.h"

typedef struct Watched
{
	dlist_node	link;
	const ModifyTableState *node;
	MemoryContextCallback callback;
} Watched;

/* Those of all executions under way, the latest first. */
static dlist_head watched = DLIST_STATIC_INIT(watched);

static void
forget(void *argument)
{
	dlist_delete(&((Watched *) argument)->link);
}

void
vecidx_former_watch(const ModifyTableState *node, MemoryContext context)
{
	Watched    *note = MemoryContextAlloc(context, sizeof(Watched));

	note->node = node;
	note->callback.func = forget;
	note->callback.arg = note;
	dlist_push_head(&watched, &note->link);
	MemoryContextRegisterResetCallback(context, &note->callback);
}

static bool
has_index(const ResultRelInfo *table, const IndexInfo *info)
{
	for (int i = 0; i < table->ri_NumIndices && table->ri_IndexRelationInfo != NULL; i++)
	{
		if (table->ri_IndexRelationInfo[i] == info)
			return true;
	}
	return false;
}

const ResultRelInfo *
vecidx_former_table(const IndexInfo *info)
{
	dlist_iter	iter;

	dlist_foreach(iter, &watched)
	{
		const ModifyTableState *node = dlist_container(Watched, link, iter.cur)->node;

		for (int i = 0; i < node->mt_nrels; i++)
		{
			if (has_index(&node->resultRelInfo[i], info))
				return &node->resultRelInfo[i];
		}
	}
	return NULL;
}

/* Where the version replaced is kept: by UPDATE and MERGE, or by INSERT ON CONFLICT. */
static TupleTableSlot *
former_slot(const ResultRelInfo *table)
{
	TupleTableSlot *slot = table->ri_oldTupleSlot;

	if (slot == NULL && table->ri_onConflict != NULL)
		slot = table->ri_onConflict->oc_Existing;
	if (slot == NULL || TTS_EMPTY(slot) || !ItemPointerIsValid(&slot->tts_tid))
		return NULL;
	return slot;
}

/* Has it the vector of the new version, byte by byte or stored out of line at the same place? */
static bool
same_vector(TupleTableSlot *slot, const IndexInfo *info, Datum vector)
{
	AttrNumber	number = info->ii_IndexAttrNumbers[0];
	Form_pg_attribute attribute;
	Datum		former;
	bool		isnull;

	if (number <= 0 || number > slot->tts_tupleDescriptor->natts)
		return false;
	former = slot_getattr(slot, number, &isnull);
	attribute = TupleDescAttr(slot->tts_tupleDescriptor, number - 1);
	return !isnull && datumIsEqual(former, vector, attribute->attbyval, attribute->attlen);
}

/* The index knows a heap-only version by the first of its chain; false if that cannot be told. */
static bool
find_root(TupleTableSlot *slot, ItemPointer tid)
{
	BufferHeapTupleTableSlot *heap = (BufferHeapTupleTableSlot *) slot;

	if (!TTS_IS_BUFFERTUPLE(slot) || heap->base.tuple == NULL)
		return false;
	if (!HeapTupleHeaderIsHeapOnly(heap->base.tuple->t_data))
		return true;
	return BufferIsValid(heap->buffer) && vecidx_buffer_heap_root(heap->buffer, tid);
}

bool
vecidx_former_tid(const ResultRelInfo *table, const IndexInfo *info, Datum vector, ItemPointer tid)
{
	TupleTableSlot *slot = former_slot(table);

	if (slot == NULL || !same_vector(slot, info, vector))
		return false;
	*tid = slot->tts_tid;
	return find_root(slot, tid);
}
