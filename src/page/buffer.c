/*
 * buffer.c
 *	  Pages under lock.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/rmgr.h"
#include "access/xloginsert.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "compat.h"
#include "kernel/kernel.h"
#include "page/buffer.h"
#include "page/delta.h"

VecIdxVisits vecidx_visits;

/* The page that was pinned last was not in shared buffers. */
static bool was_read;

void
vecidx_visit_pinned(VecIdxPageKind kind)
{
	VecIdxVisit visit = kind < VECIDX_PAGE_CODE ? VECIDX_VISIT_OTHER : VECIDX_VISIT_CODE + (kind - VECIDX_PAGE_CODE);

	if (was_read)
		vecidx_visits.read[visit]++;
	else
		vecidx_visits.hit[visit]++;
}

/* CRC-32C of some bytes. */
static uint32
plain_crc(const void *data, Size size)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, size);
	FIN_CRC32C(crc);
	return crc;
}

/* The CRC of some bytes and of those that follow them. */
static uint32
continue_crc(uint32 crc, const void *more, Size size)
{
	pg_crc32c	chain = crc;

	FIN_CRC32C(chain);			/* is its own inverse */
	COMP_CRC32C(chain, more, size);
	FIN_CRC32C(chain);
	return chain;
}

/*
 * A CRC is one long chain of dependent steps.  Those of four quarters do not
 * depend on each other, so that the processor makes them side by side.
 */
uint32
vecidx_crc(const void *data, Size size)
{
	const uint8 *bytes = data;
	const VecIdxKernels *kernels;
	Size		quarter = size / 4 / sizeof(uint64) * sizeof(uint64);
	uint32		crc[4];

	if (size < VECIDX_CRC_QUARTERED)
		return plain_crc(data, size);
	kernels = vecidx_kernels();
	if (kernels->crc_quarters != NULL)
		kernels->crc_quarters(bytes, quarter, crc);
	else
	{
		for (int i = 0; i < 4; i++)
			crc[i] = plain_crc(bytes + i * quarter, quarter);
	}
	crc[3] = continue_crc(crc[3], bytes + 4 * quarter, size - 4 * quarter);
	return plain_crc(crc, sizeof(crc));
}

void
vecidx_corrupted(Relation index, BlockNumber block, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" contains corrupted page at block %u",
					RelationGetRelationName(index), block),
			 errdetail("%s.", what),
			 errhint("Please REINDEX it.")));
}

void
vecidx_damaged(Relation index, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" is corrupted", RelationGetRelationName(index)),
			 errdetail("%s.", what),
			 errhint("Please REINDEX it.")));
}

/* What is wrong with a page that is to be of that kind and begin with that slot; NULL if nothing is. */
static const char *
find_fault(Page page, VecIdxPageKind kind, uint32 first)
{
	PageHeader	header = (PageHeader) page;
	VecIdxPageTail *tail;

	if (PageIsNew(page))
		return "The page was never written";
	if (header->pd_special != BLCKSZ - sizeof(VecIdxPageTail) ||
		header->pd_lower != header->pd_special || header->pd_upper != header->pd_special ||
		header->pd_pagesize_version != (BLCKSZ | PG_PAGE_LAYOUT_VERSION))
		return "The page header is not that of a vecidx page";
	tail = VecIdxPageGetTail(page);
	if (tail->page_id != VECIDX_PAGE_ID)
		return "The page is not a vecidx page";
	if (tail->kind != kind)
		return "The page is of another kind than expected";
	if (tail->first != first)
		return "The page belongs elsewhere";
	return NULL;
}

void
vecidx_page_check(Relation index, BlockNumber block, Page page, VecIdxPageKind kind, uint32 first)
{
	const char *fault = find_fault(page, kind, first);

	if (fault != NULL)
		vecidx_corrupted(index, block, fault);
}

bool
vecidx_page_fits(Page page, VecIdxPageKind kind, uint32 first)
{
	return find_fault(page, kind, first) == NULL;
}

void
vecidx_page_init(Page page, VecIdxPageKind kind, uint32 first)
{
	VecIdxPageTail *tail;

	PageInit(page, BLCKSZ, sizeof(VecIdxPageTail));
	((PageHeader) page)->pd_lower = ((PageHeader) page)->pd_upper;
	tail = VecIdxPageGetTail(page);
	tail->first = first;
	tail->kind = (uint16) kind;
	tail->page_id = VECIDX_PAGE_ID;
}

Page
vecidx_buffer_lock(Relation index, Buffer buffer, VecIdxPageKind kind, uint32 first)
{
	Page		page = BufferGetPage(buffer);

	vecidx_visit_pinned(kind);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	vecidx_page_check(index, BufferGetBlockNumber(buffer), page, kind, first);
	return page;
}

Buffer
vecidx_buffer_share(Relation index, BlockNumber block, VecIdxPageKind kind, uint32 first, Page *page)
{
	Buffer		buffer = vecidx_buffer_pin(index, block, InvalidBuffer);

	*page = vecidx_buffer_lock(index, buffer, kind, first);
	return buffer;
}

void
vecidx_buffer_release(Buffer buffer)
{
	UnlockReleaseBuffer(buffer);
}

static inline int64
blocks_read(void)
{
	return pgBufferUsage.shared_blks_read + pgBufferUsage.local_blks_read;
}

Buffer
vecidx_buffer_pin(Relation index, BlockNumber block, Buffer recent)
{
	int64		before;
	Buffer		buffer;

	was_read = false;
	if (BufferIsValid(recent) &&
		ReadRecentBuffer(VecIdxRelationLocator(index), MAIN_FORKNUM, block, recent))
		return recent;
	before = blocks_read();
	buffer = ReadBuffer(index, block);
	was_read = blocks_read() != before;
	return buffer;
}

bool
vecidx_buffer_was_read(void)
{
	return was_read;
}

void
vecidx_edit_begin(VecIdxEdit *edit, Relation index, bool logged)
{
	edit->index = index;
	edit->logged = logged;
	edit->pages = 0;
}

/* The page of that block, if it is in the edit. */
static VecIdxEdited *
find_edited(VecIdxEdit *edit, BlockNumber block)
{
	for (int i = 0; i < edit->pages; i++)
	{
		if (BufferGetBlockNumber(edit->page[i].buffer) == block)
			return &edit->page[i];
	}
	return NULL;
}

static VecIdxEdited *
add_edited(VecIdxEdit *edit, const VecIdxPart *part)
{
	VecIdxEdited *edited = &edit->page[edit->pages];
	Page		page;

	Assert(edit->pages < VECIDX_EDIT_PAGES);
	Assert(edit->pages == 0 || BufferGetBlockNumber(edited[-1].buffer) < part->block);
	edited->buffer = vecidx_buffer_pin(edit->index, part->block, part->recent);
	LockBuffer(edited->buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(edited->buffer);
	edited->fresh = PageIsNew(page);
	edited->low = edited->high = 0;
	edit->pages++;
	if (!edited->fresh)
		vecidx_page_check(edit->index, part->block, page, part->kind, part->first);
	else
	{
		vecidx_page_init(edit->logged ? edited->image.data : page, part->kind, part->first);
		edited->high = BLCKSZ;
	}
	return edited;
}

/* Copies what of the part is not in the image yet, and what lies between. */
static void
copy_part(VecIdxEdited *edited, const VecIdxPart *part)
{
	const char *page = BufferGetPage(edited->buffer);
	uint32		low = TYPEALIGN_DOWN(VECIDX_DELTA_STRIDE, part->offset);
	uint32		high = TYPEALIGN(VECIDX_DELTA_STRIDE, part->offset + part->size);

	if (edited->high == 0)
		edited->low = edited->high = low;
	if (low < edited->low)
	{
		memcpy(edited->image.data + low, page + low, edited->low - low);
		edited->low = low;
	}
	if (high > edited->high)
	{
		memcpy(edited->image.data + edited->high, page + edited->high, high - edited->high);
		edited->high = high;
	}
}

void *
vecidx_edit_part(VecIdxEdit *edit, const VecIdxPart *part)
{
	VecIdxEdited *edited = find_edited(edit, part->block);

	if (edited == NULL)
		edited = add_edited(edit, part);
	if (!edit->logged)
		return BufferGetPage(edited->buffer) + part->offset;
	copy_part(edited, part);
	return edited->image.data + part->offset;
}

Page
vecidx_edit_page(VecIdxEdit *edit, BlockNumber block, VecIdxPageKind kind, uint32 first)
{
	VecIdxPart	part = {block, kind, first, 0, BLCKSZ, InvalidBuffer};

	return vecidx_edit_part(edit, &part);
}

static void
release_pages(VecIdxEdit *edit)
{
	while (edit->pages > 0)
		UnlockReleaseBuffer(edit->page[--edit->pages].buffer);
}

/* Puts an image into the buffer; notes the delta, which a fresh page has not.  False if nothing changes. */
static bool
apply_image(const VecIdxEdited *edited, VecIdxDelta *delta)
{
	Page		page = BufferGetPage(edited->buffer);

	if (edited->fresh)
	{
		memcpy(page, edited->image.data, BLCKSZ);
		return true;
	}
	vecidx_delta_find(page, edited->image.data, edited->low, edited->high, delta);
	vecidx_delta_apply(delta, page);
	return delta->size > 0;
}

/*
 * Puts the images into the buffers; notes which pages change, and their deltas.
 * The others were locked only to be looked at.  Returns how many change.
 */
static int
apply_images(VecIdxEdit *edit, VecIdxDelta *deltas)
{
	int			changed = 0;

	for (int i = 0; i < edit->pages; i++)
	{
		if (!apply_image(&edit->page[i], &deltas[changed]))
			continue;
		MarkBufferDirty(edit->page[i].buffer);
		edit->changed[changed++] = i;
	}
	return changed;
}

/* One record of generic WAL for what has been applied to the changed pages. */
static void
log_deltas(const VecIdxEdit *edit, VecIdxDelta *deltas, int changed)
{
	XLogRecPtr	lsn;

	XLogBeginInsert();
	for (int i = 0; i < changed; i++)
	{
		const VecIdxEdited *edited = &edit->page[edit->changed[i]];

		XLogRegisterBuffer(i, edited->buffer, edited->fresh ? REGBUF_FORCE_IMAGE | REGBUF_STANDARD : REGBUF_STANDARD);
		if (!edited->fresh)
			XLogRegisterBufData(i, deltas[i].bytes, deltas[i].size);
	}
	lsn = XLogInsert(RM_GENERIC_ID, 0);
	for (int i = 0; i < changed; i++)
		PageSetLSN(BufferGetPage(edit->page[edit->changed[i]].buffer), lsn);
}

void
vecidx_edit_finish(VecIdxEdit *edit)
{
	/* one finish at a time, even when an edit is made within another */
	static VecIdxDelta deltas[VECIDX_EDIT_PAGES];
	int			changed;

	if (edit->logged)
	{
		START_CRIT_SECTION();
		changed = apply_images(edit, deltas);
		if (changed > 0 && RelationNeedsWAL(edit->index))
			log_deltas(edit, deltas, changed);
		END_CRIT_SECTION();
	}
	else
	{
		for (int i = 0; i < edit->pages; i++)
			MarkBufferDirty(edit->page[i].buffer);
	}
	release_pages(edit);
}

void
vecidx_edit_abandon(VecIdxEdit *edit)
{
	release_pages(edit);
}

bool
vecidx_buffer_heap_root(Buffer buffer, ItemPointer tid)
{
	OffsetNumber roots[MaxHeapTuplesPerPage];
	OffsetNumber root;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	heap_get_root_tuples(BufferGetPage(buffer), roots);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	root = roots[ItemPointerGetOffsetNumber(tid) - 1];
	if (root == InvalidOffsetNumber)
		return false;
	ItemPointerSetOffsetNumber(tid, root);
	return true;
}

void
vecidx_buffer_extend(Relation index, BlockNumber blocks)
{
	if (RelationGetNumberOfBlocks(index) >= blocks)
		return;
	LockRelationForExtension(index, ExclusiveLock);
	while (RelationGetNumberOfBlocks(index) < blocks)
	{
		ReleaseBuffer(ReadBufferExtended(index, MAIN_FORKNUM, P_NEW, RBM_NORMAL, NULL));
		CHECK_FOR_INTERRUPTS();
	}
	UnlockRelationForExtension(index, ExclusiveLock);
}

void
vecidx_page_create(Relation index, ForkNumber fork, BlockNumber block, Page image, bool log_page)
{
	bool		extend = block >= RelationGetNumberOfBlocksInFork(index, fork);
	Buffer		buffer = ReadBufferExtended(index, fork, extend ? P_NEW : block, RBM_NORMAL, NULL);

	if (BufferGetBlockNumber(buffer) != block)
		elog(ERROR, "index \"%s\" grew to block %u where block %u was expected",
			 RelationGetRelationName(index), BufferGetBlockNumber(buffer), block);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	START_CRIT_SECTION();
	memcpy(BufferGetPage(buffer), image, BLCKSZ);
	MarkBufferDirty(buffer);
	if (log_page)
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}

void
vecidx_page_fill(Relation index, BlockNumber block, Page image)
{
	Buffer		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_ZERO_AND_LOCK, NULL);

	memcpy(BufferGetPage(buffer), image, BLCKSZ);
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}
