/*
 * test_delta.c
 *	  Deltas of pages, as the server replays them.
 */
#include "c.h"

#include "page/delta.h"
#include "unit.h"

/* What generic_redo() does with the payload of a record. */
static void
replay(const VecIdxDelta *delta, char *page)
{
	const char *at = delta->bytes;
	const char *end = delta->bytes + delta->size;

	while (at < end)
	{
		uint16		offset;
		uint16		length;

		memcpy(&offset, at, sizeof(offset));
		memcpy(&length, at + sizeof(offset), sizeof(length));
		at += sizeof(offset) + sizeof(length);
		unit_check(length > 0 && at + length <= end && offset + length <= BLCKSZ, "a fragment of %d bytes at %d", length, offset);
		memcpy(page + offset, at, length);
		at += length;
	}
}

/* Changes "changes" stretches of up to "longest" bytes within the range. */
static void
scribble(char *image, uint32 low, uint32 high, int changes, int longest)
{
	for (int i = 0; i < changes; i++)
	{
		uint32		at = low + unit_random_below(high - low);
		uint32		end = at + 1 + unit_random_below(longest);

		for (; at < Min(high, end); at++)
			image[at] ^= unit_random_below(256);
	}
}

static void
check_delta(uint32 low, uint32 high, int changes, int longest)
{
	char	   *page = unit_alloc(BLCKSZ, 0);
	char	   *image = unit_alloc(BLCKSZ, 0);
	char	   *replayed = unit_alloc(BLCKSZ, 0);
	VecIdxDelta *delta = unit_alloc(sizeof(VecIdxDelta), 0);
	uint32		differing = 0;

	for (uint32 i = 0; i < BLCKSZ; i++)
		page[i] = unit_random_below(256);
	memcpy(image, page, BLCKSZ);
	memcpy(replayed, page, BLCKSZ);
	scribble(image, low, high, changes, longest);
	for (uint32 i = 0; i < BLCKSZ; i++)
		differing += image[i] != page[i];

	vecidx_delta_find(page, image, low, high, delta);
	unit_check(delta->size <= sizeof(delta->bytes), "a delta of %u bytes", delta->size);
	unit_check(delta->size <= 2 * VECIDX_FRAGMENT_HEADER * differing + differing, "a delta of %u bytes for %u", delta->size, differing);
	replay(delta, replayed);
	unit_check(memcmp(replayed, image, BLCKSZ) == 0, "replay gives another page");
	vecidx_delta_apply(delta, page);
	unit_check(memcmp(page, image, BLCKSZ) == 0, "apply gives another page");
}

/* What of the image is not in the range is not looked at. */
static void
check_outside(void)
{
	char	   *page = unit_alloc(BLCKSZ, 0);
	char	   *image = unit_alloc(BLCKSZ, 0);
	VecIdxDelta *delta = unit_alloc(sizeof(VecIdxDelta), 0);

	memset(page, 1, BLCKSZ);
	memset(image, 2, BLCKSZ);
	memset(image + 128, 1, 64);
	vecidx_delta_find(page, image, 128, 192, delta);
	unit_check(delta->size == 0, "a delta of %u bytes where nothing differs", delta->size);
	image[191] = 3;
	vecidx_delta_find(page, image, 128, 192, delta);
	unit_check(delta->size == VECIDX_FRAGMENT_HEADER + 1, "a delta of %u bytes for one", delta->size);
}

void
suite_delta(void)
{
	static const int changes[] = {0, 1, 2, 20, 500, 3000};

	for (int i = 0; i < (int) lengthof(changes); i++)
	{
		for (int longest = 1; longest <= 1000; longest *= 10)
		{
			unit_case("delta of a page: %d changes of up to %d bytes", changes[i], longest);
			check_delta(0, BLCKSZ, changes[i], longest);
			unit_case("delta of a part: %d changes of up to %d bytes", changes[i], longest);
			check_delta(VECIDX_DELTA_STRIDE * 3, VECIDX_DELTA_STRIDE * 9, changes[i], longest);
		}
	}
	unit_case("delta of a part: what is outside does not count");
	check_outside();
}
