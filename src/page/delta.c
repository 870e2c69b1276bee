/*
 * delta.c
 *	  What turns a page into another: the payload of generic WAL.
 *
 * The server's generic_redo() replays it.  The server's own way to make such
 * records (GenericXLogFinish) compares two pages byte by byte, under the locks
 * of all of them, which takes many times as long as all else that a small
 * change needs.  The format is the same in PostgreSQL 15 to 18: for each
 * stretch of changed bytes its offset, its length and the bytes.
 */
#include "c.h"

#include "page/delta.h"

StaticAssertDecl(BLCKSZ % VECIDX_DELTA_STRIDE == 0, "a page must be whole strides");
StaticAssertDecl(BLCKSZ <= PG_UINT16_MAX, "offsets must fit 2 bytes");

/* Do the words that begin here differ?  Both are aligned as pages are. */
static inline bool
word_differs(const char *page, const char *image)
{
	return *(const uint64 *) page != *(const uint64 *) image;
}

/* The same for strides. */
static inline bool
stride_differs(const char *page, const char *image)
{
	const uint64 *a = (const uint64 *) page;
	const uint64 *b = (const uint64 *) image;
	uint64		differs = 0;

	for (int i = 0; i < VECIDX_DELTA_STRIDE / (int) sizeof(uint64); i++)
		differs |= a[i] ^ b[i];
	return differs != 0;
}

/* The first byte from "at" on that differs, or "high". */
static uint32
find_difference(const char *page, const char *image, uint32 at, uint32 high)
{
	while (at < high)
	{
		if (at % VECIDX_DELTA_STRIDE == 0 && !stride_differs(page + at, image + at))
			at += VECIDX_DELTA_STRIDE;
		else if (at % sizeof(uint64) == 0 && at + sizeof(uint64) <= high && !word_differs(page + at, image + at))
			at += sizeof(uint64);
		else if (page[at] == image[at])
			at++;
		else
			break;
	}
	return at;
}

/* The end of the fragment that begins with a byte that differs. */
static uint32
find_end(const char *page, const char *image, uint32 begin, uint32 high)
{
	uint32		end = begin + 1;

	for (uint32 at = end; at < high && at - end <= VECIDX_FRAGMENT_HEADER; at++)
	{
		if (page[at] != image[at])
			end = at + 1;
	}
	return end;
}

static void
add_fragment(VecIdxDelta *delta, const char *image, uint32 begin, uint32 end)
{
	uint16		header[2] = {(uint16) begin, (uint16) (end - begin)};
	char	   *to = delta->bytes + delta->size;

	memcpy(to, header, VECIDX_FRAGMENT_HEADER);
	memcpy(to + VECIDX_FRAGMENT_HEADER, image + begin, end - begin);
	delta->size += VECIDX_FRAGMENT_HEADER + (end - begin);
}

void
vecidx_delta_find(const char *page, const char *image, uint32 low, uint32 high, VecIdxDelta *delta)
{
	uint32		begin = find_difference(page, image, low, high);

	delta->size = 0;
	while (begin < high)
	{
		uint32		end = find_end(page, image, begin, high);

		add_fragment(delta, image, begin, end);
		begin = find_difference(page, image, end, high);
	}
}

void
vecidx_delta_apply(const VecIdxDelta *delta, char *page)
{
	for (uint32 at = 0; at < delta->size;)
	{
		uint16		header[2];

		memcpy(header, delta->bytes + at, VECIDX_FRAGMENT_HEADER);
		at += VECIDX_FRAGMENT_HEADER;
		memcpy(page + header[0], delta->bytes + at, header[1]);
		at += header[1];
	}
}
