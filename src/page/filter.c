/*
 * filter.c
 *	  Filter rows.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "page/filter.h"

static uint8
row_check(const VecIdxFilterShape *shape, uint32 node, const uint8 *row)
{
	uint32		crc = vecidx_crc(row, shape->size - 1) ^ node * 0x9E3779B1;

	/* the flag takes part, as the bit that decides most */
	crc ^= (uint32) (row[shape->size - 1] & VECIDX_FILTER_TWINS) * 0x01010101;
	crc ^= crc >> 16;
	crc ^= crc >> 8;
	return (uint8) ((crc ^ crc >> 7) & VECIDX_FILTER_CHECK);
}

void
vecidx_filter_seal(const VecIdxFilterShape *shape, uint32 node, bool twins, uint8 *row)
{
	row[shape->size - 1] = twins ? VECIDX_FILTER_TWINS : 0;
	row[shape->size - 1] |= row_check(shape, node, row);
}

bool
vecidx_filter_sealed(const VecIdxFilterShape *shape, uint32 node, const uint8 *row)
{
	return (row[shape->size - 1] & VECIDX_FILTER_CHECK) == row_check(shape, node, row);
}

void
vecidx_filter_gather(const VecIdxFilterShape *shape, const char *page, uint32 rows, uint32 at, uint8 *row)
{
	for (int i = 0; i < shape->fields; i++)
		memcpy(row + vecidx_filter_place(shape, i, 1, 0),
			   page + VECIDX_PAGE_START + vecidx_filter_place(shape, i, rows, at), shape->field[i].width);
}

void
vecidx_filter_scatter(const VecIdxFilterShape *shape, char *page, uint32 rows, uint32 at, const uint8 *row)
{
	for (int i = 0; i < shape->fields; i++)
		memcpy(page + VECIDX_PAGE_START + vecidx_filter_place(shape, i, rows, at),
			   row + vecidx_filter_place(shape, i, 1, 0), shape->field[i].width);
}

static inline uint32
rows_a_page(const VecIdxHandle *handle)
{
	return handle->layout.run[VECIDX_RUN_FILTER].per_page;
}

static bool
peek_row(VecIdxHandle *handle, uint32 node, uint8 *row)
{
	uint32		at;
	VecIdxPeek	peek = vecidx_peek(handle, vecidx_filter_locate(handle, node, &at));

	if (!vecidx_peek_valid(handle, &peek))
		return false;
	vecidx_filter_gather(&handle->shape, peek.page, rows_a_page(handle), at, row);
	if (!vecidx_peek_valid(handle, &peek) || !vecidx_filter_sealed(&handle->shape, node, row))
		return false;
	vecidx_visits.hit[VECIDX_VISIT_FILTER]++;
	return true;
}

void
vecidx_filter_peek(VecIdxHandle *handle, uint32 node, uint8 *row)
{
	if (!peek_row(handle, node, row))
		vecidx_filter_read(handle, node, row);
}

void
vecidx_filter_read(VecIdxHandle *handle, uint32 node, uint8 *row)
{
	uint32		at;
	BlockNumber block = vecidx_filter_locate(handle, node, &at);
	Buffer		buffer = vecidx_handle_pin(handle, block);
	Page		page = vecidx_buffer_lock(handle->index, buffer, VECIDX_PAGE_FILTER, node - at);

	if (block < handle->mapped)
		handle->map[block] = buffer;
	vecidx_filter_gather(&handle->shape, page, rows_a_page(handle), at, row);
	vecidx_buffer_release(buffer);
	if (!vecidx_filter_sealed(&handle->shape, node, row))
		vecidx_corrupted(handle->index, block, "The checksum of a filter row is wrong");
}

/* Pages that a pass has read ahead. */
#define PASS_AHEAD		32

/*
 * Has the page that begins with a node's row on its way, or finds out where it
 * is.  One that is not what it should be is not known after that, so that it is
 * read under lock, which says so.
 */
static void
announce_page(VecIdxHandle *handle, BlockNumber block, uint32 first)
{
	VecIdxPeek	peek;

	if (likely(vecidx_handle_knows(handle, block)))
		return;
	vecidx_handle_announce(handle, block);
	if (!vecidx_handle_knows(handle, block))
		return;
	/* a look that goes the pinned way on purpose finds nothing here, and so does not know the page either */
	peek = vecidx_peek(handle, block);
	if (peek.page == NULL || !vecidx_page_fits((Page) peek.page, VECIDX_PAGE_FILTER, first))
		vecidx_handle_forget(handle, block);
}

VecIdxPeek
vecidx_filter_wanted(VecIdxHandle *handle, uint32 node, uint32 *at)
{
	BlockNumber block = vecidx_filter_locate(handle, node, at);

	announce_page(handle, block, node - *at);
	return vecidx_peek(handle, block);
}

/* Pages that a pass has on their way to the processor's cache. */
#define PASS_NEAR		2

void
vecidx_filter_ahead(VecIdxHandle *handle, uint32 first, uint32 end)
{
	uint32		near = first + PASS_NEAR * rows_a_page(handle);
	uint32		later = first + PASS_AHEAD * rows_a_page(handle);
	uint32		at;
	VecIdxPeek	peek;

	if (later < end)
		(void) vecidx_filter_wanted(handle, later, &at);
	if (near >= end)
		return;
	peek = vecidx_peek(handle, vecidx_filter_locate(handle, near, &at));
	if (unlikely(peek.page == NULL))
		return;
	__builtin_prefetch(peek.buffer);
	vecidx_peek_prefetch_page(&peek);
}

static BlockNumber
begin_page(VecIdxHandle *handle, uint32 first, uint32 end, VecIdxFilterPage *page)
{
	uint32		at;

	CHECK_FOR_INTERRUPTS();
	page->count = vecidx_handle_page_slots(handle, VECIDX_RUN_FILTER, first, end);
	return vecidx_filter_locate(handle, first, &at);
}

static void
lock_page(VecIdxHandle *handle, BlockNumber block, uint32 first, VecIdxFilterPage *page)
{
	page->buffer = vecidx_handle_pin(handle, block);
	page->fields = (const uint8 *) vecidx_buffer_lock(handle->index, page->buffer, VECIDX_PAGE_FILTER, first) + VECIDX_PAGE_START;
	if (block < handle->mapped)
		handle->map[block] = page->buffer;
}

void
vecidx_filter_lock(VecIdxHandle *handle, uint32 first, uint32 end, VecIdxFilterPage *page)
{
	lock_page(handle, begin_page(handle, first, end, page), first, page);
}

void
vecidx_filter_open(VecIdxHandle *handle, uint32 first, uint32 end, VecIdxFilterPage *page)
{
	BlockNumber block = begin_page(handle, first, end, page);

	page->buffer = InvalidBuffer;
	page->peek = vecidx_peek(handle, block);
	if (vecidx_peek_valid(handle, &page->peek) &&
		vecidx_page_fits((Page) page->peek.page, VECIDX_PAGE_FILTER, first))
		page->fields = (const uint8 *) page->peek.page + VECIDX_PAGE_START;
	else
		lock_page(handle, block, first, page);
}

bool
vecidx_filter_close(VecIdxHandle *handle, VecIdxFilterPage *page)
{
	if (BufferIsValid(page->buffer))
		vecidx_buffer_release(page->buffer);
	else if (!vecidx_peek_valid(handle, &page->peek))
	{
		vecidx_handle_forget(handle, page->peek.block);
		return false;
	}
	else
		vecidx_visits.hit[VECIDX_VISIT_FILTER]++;
	return true;
}

void
vecidx_filter_edit(VecIdxEdit *edit, VecIdxHandle *handle, uint32 node, bool twins, uint8 *row)
{
	uint32		at;
	BlockNumber block = vecidx_filter_locate(handle, node, &at);
	Page		page = vecidx_edit_page(edit, block, VECIDX_PAGE_FILTER, node - at);

	vecidx_filter_seal(&handle->shape, node, twins, row);
	vecidx_filter_scatter(&handle->shape, page, rows_a_page(handle), at, row);
}

void
vecidx_filter_write(VecIdxHandle *handle, uint32 node, bool twins, uint8 *row, bool logged)
{
	VecIdxEdit	edit;

	vecidx_edit_begin(&edit, handle->index, logged);
	vecidx_filter_edit(&edit, handle, node, twins, row);
	vecidx_edit_finish(&edit);
}
