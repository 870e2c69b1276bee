/*
 * ahead.c
 *	  Rows that will be fetched next.
 *
 * The executor fetches the rows that a scan returns one after the other, and
 * waits for each: for the disk, or for the processor's cache, since rows that
 * are near in space lie anywhere in the table.  All rows of a batch are known
 * at once.
 *
 * The pages are looked at without a pin.  Nothing is decided by what is read,
 * and an item's offset is checked before it is followed.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"

#include "am/ahead.h"

static const char *
announce_page(Relation table, const ItemPointerData *tid)
{
	PrefetchBufferResult result = PrefetchBuffer(table, MAIN_FORKNUM, ItemPointerGetBlockNumber(tid));
	const char *page;

	if (!BufferIsValid(result.recent_buffer))
		return NULL;
	page = (const char *) BufferGetBlock(result.recent_buffer);
	__builtin_prefetch(page);
	__builtin_prefetch(page + SizeOfPageHeaderData + (ItemPointerGetOffsetNumber(tid) - 1) * sizeof(ItemIdData));
	return page;
}

static void
prefetch_item(const char *page, const ItemPointerData *tid)
{
	ItemIdData	item = *PageGetItemId((Page) page, ItemPointerGetOffsetNumber(tid));

	if (ItemIdGetOffset(&item) < BLCKSZ)
		__builtin_prefetch(page + ItemIdGetOffset(&item));
}

void
vecidx_ahead_rows(Relation table, const ItemPointerData *tids, int count)
{
	const char *pages[VECIDX_AHEAD_ROWS];

	/* only the heap's row addresses are known to be what they seem */
	if (table == NULL || table->rd_tableam != GetHeapamTableAmRoutine())
		return;
	for (int i = 0; i < count; i++)
		pages[i] = announce_page(table, &tids[i]);
	for (int i = 0; i < count; i++)
	{
		if (pages[i] != NULL)
			prefetch_item(pages[i], &tids[i]);
	}
}
