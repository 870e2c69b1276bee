/*
 * roster.c
 *	  In which slot a TID was last seen.
 *
 * The pages lead from nodes to TIDs.  A backend whose updates leave vectors
 * alone has to go the other way again and again; so it keeps a table, made in
 * a pass over the adjacency slots.  Where others put TIDs meanwhile they post
 * on a board (shared/board.h), which remembers the latest.  What is vacuumed is
 * not followed: who reads the roster looks into the slot.
 *
 * A bucket is a line of the processor's cache.  A TID goes into the emptier of
 * two; when both are full, one entry makes way for another.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "am/roster.h"
#include "page/slot.h"
#include "shared/board.h"

StaticAssertDecl(VECIDX_BOARD_NOTHING == VECIDX_NONE, "what is not on the board is in no slot");

/* As many pages are read, or as many TIDs noted, in a pass, while a row is looked for by its vector: about 100 us. */
#define PAGES_PER_MISS	32
#define TIDS_PER_MISS	4000

#define BUCKET_ENTRIES	8

typedef struct Entry
{
	uint32		tag;			/* of the TID */
	uint32		slot;			/* VECIDX_NONE: empty */
} Entry;

struct VecIdxRoster
{
	/* since the last pass */
	uint32		asked;
	uint32		missed;

	uint32		tids;			/* that the last pass met */
	uint32		buckets;		/* 0 before the first pass */
	Entry	   *entries;		/* aligned to buckets */
	void	   *memory;
};

/* Where a TID may be. */
typedef struct Places
{
	uint32		tag;
	Entry	   *bucket[2];
} Places;

static Entry *
nth_bucket(const VecIdxRoster *roster, uint32 hash)
{
	return roster->entries + ((uint64) hash * roster->buckets >> 32) * BUCKET_ENTRIES;
}

static inline uint64
mix(uint64 hash)
{
	hash *= UINT64CONST(0xD6E8FEB86659FD93);
	return hash ^ hash >> 32;
}

static uint64
hash_tid(const ItemPointerData *tid)
{
	return mix(mix((uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16 | ItemPointerGetOffsetNumberNoCheck(tid)));
}

/* On the board there are TIDs of all indexes. */
static uint64
board_key(const VecIdxHandle *handle, const ItemPointerData *tid)
{
	return mix(hash_tid(tid) ^ handle->fixed.build);
}

static Places
find_places(const VecIdxRoster *roster, const ItemPointerData *tid)
{
	uint64		first = hash_tid(tid);
	uint64		second = mix(first);

	return (Places)
	{
		(uint32) first, {nth_bucket(roster, (uint32) (first >> 32)), nth_bucket(roster, (uint32) (second >> 32))}
	};
}

static inline void
prefetch_places(const Places *places)
{
	__builtin_prefetch(places->bucket[0], 1);
	__builtin_prefetch(places->bucket[1], 1);
}

/* The entry of the tag; NULL if there is none. */
static Entry *
find_entry(const Places *places)
{
	for (int i = 0; i < 2; i++)
	{
		for (Entry *entry = places->bucket[i]; entry < places->bucket[i] + BUCKET_ENTRIES; entry++)
		{
			if (entry->tag == places->tag && entry->slot != VECIDX_NONE)
				return entry;
		}
	}
	return NULL;
}

/* Has the handle a roster, with anything in it? */
static inline bool
is_made(const VecIdxHandle *handle)
{
	return handle->roster != NULL && handle->roster->buckets > 0;
}

/* The entry of a TID; NULL if there is none, or no roster. */
static Entry *
look_up(const VecIdxHandle *handle, const ItemPointerData *tid)
{
	Places		places;

	if (!is_made(handle))
		return NULL;
	places = find_places(handle->roster, tid);
	return find_entry(&places);
}

uint32
vecidx_roster_find(const VecIdxHandle *handle, const ItemPointerData *tid)
{
	const Entry *entry = look_up(handle, tid);

	if (handle->roster != NULL)
		handle->roster->asked++;
	return entry != NULL ? entry->slot : VECIDX_NONE;
}

uint32
vecidx_roster_ask(const VecIdxHandle *handle, const ItemPointerData *tid)
{
	return vecidx_board_find(board_key(handle, tid));
}

void
vecidx_roster_expect(const VecIdxHandle *handle, const ItemPointerData *former, const ItemPointerData *tid)
{
	Places		places;

	vecidx_board_open();
	vecidx_board_prefetch(board_key(handle, former));
	vecidx_board_prefetch(board_key(handle, tid));
	if (!is_made(handle))
		return;
	places = find_places(handle->roster, tid);
	prefetch_places(&places);
}

void
vecidx_roster_drop(VecIdxHandle *handle, const ItemPointerData *tid)
{
	Entry	   *entry = look_up(handle, tid);

	if (entry != NULL)
		entry->slot = VECIDX_NONE;
	vecidx_board_drop(board_key(handle, tid));
}

/* An empty entry of the emptier bucket, or one that makes way. */
static Entry *
choose_entry(const Places *places)
{
	Entry	   *chosen = &places->bucket[0][places->tag % BUCKET_ENTRIES];
	int			most = 0;

	for (int i = 0; i < 2; i++)
	{
		Entry	   *last = NULL;
		int			empty = 0;

		for (Entry *entry = places->bucket[i]; entry < places->bucket[i] + BUCKET_ENTRIES; entry++)
		{
			if (entry->slot != VECIDX_NONE)
				continue;
			last = entry;
			empty++;
		}
		if (empty > most)
		{
			chosen = last;
			most = empty;
		}
	}
	return chosen;
}

/* In the roster, which is made. */
static void
note(VecIdxHandle *handle, const ItemPointerData *tid, uint32 slot)
{
	Places		places = find_places(handle->roster, tid);
	Entry	   *entry = find_entry(&places);

	if (entry == NULL)
		entry = choose_entry(&places);
	*entry = (Entry) {places.tag, slot};
}

void
vecidx_roster_note(VecIdxHandle *handle, const ItemPointerData *tid, uint32 slot)
{
	vecidx_board_post(board_key(handle, tid), slot);
	if (is_made(handle))
		note(handle, tid, slot);
}

/* A TID on the page that a pass is at; no pass meets it twice. */
typedef struct PageTid
{
	Places		places;
	uint32		slot;
} PageTid;

/* More than a page has room for. */
#define PAGE_TIDS	(BLCKSZ / sizeof(ItemPointerData))

/* Makes room for so many entries, all empty. */
static void
make_table(VecIdxHandle *handle, uint32 entries)
{
	VecIdxRoster *roster = handle->roster;
	Size		size;

	if (roster->memory != NULL)
		pfree(roster->memory);
	roster->memory = NULL;
	roster->buckets = 0;
	size = (Size) (entries / BUCKET_ENTRIES + 1) * BUCKET_ENTRIES * sizeof(Entry);
	roster->memory = MemoryContextAllocHuge(handle->context, size + PG_CACHE_LINE_SIZE);
	roster->entries = (Entry *) TYPEALIGN(PG_CACHE_LINE_SIZE, roster->memory);
	memset(roster->entries, 0xFF, size);
	roster->buckets = entries / BUCKET_ENTRIES + 1;
}

/* Adds the slot's TIDs to those of the page and has the places for them on their way; returns how many these are now. */
static uint32
take_slot(VecIdxHandle *handle, const VecIdxAdjacencySlot *slot, PageTid *page_tids, uint32 count)
{
	uint32		tids = Min(slot->tids, vecidx_handle_tid_room(handle, slot));

	if (slot->state != VECIDX_LIVE && slot->state != VECIDX_EXTENSION)
		return count;
	for (uint32 i = 0; i < tids; i++)
	{
		PageTid    *page_tid = &page_tids[count++];
		ItemPointerData tid;

		memcpy(&tid, (const char *) slot->tid + i * sizeof(ItemPointerData), sizeof(ItemPointerData));
		page_tid->places = find_places(handle->roster, &tid);
		page_tid->slot = slot->node;
		prefetch_places(&page_tid->places);
	}
	return count;
}

/* Notes what stands on the page that begins with slot "first"; returns the number of its slots below "end". */
static uint32
note_page(VecIdxHandle *handle, uint32 first, uint32 end, PageTid *page_tids)
{
	const VecIdxRun *run = &handle->layout.run[VECIDX_RUN_ADJACENCY];
	uint32		slots = vecidx_handle_page_slots(handle, VECIDX_RUN_ADJACENCY, first, end);
	uint32		count = 0;
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, VECIDX_RUN_ADJACENCY, first, &offset);
	Page		page;
	Buffer		buffer = vecidx_buffer_share(handle->index, block, run->kind, first, &page);

	for (uint32 i = 0; i < slots; i++)
		count = take_slot(handle, (const VecIdxAdjacencySlot *) ((char *) page + offset + i * run->size), page_tids, count);
	vecidx_buffer_release(buffer);
	for (uint32 i = 0; i < count; i++)
		*choose_entry(&page_tids[i].places) = (Entry) {page_tids[i].places.tag, page_tids[i].slot};
	handle->roster->tids += count;
	return slots;
}

/* Pages that a pass has read ahead. */
#define PASS_AHEAD		32

static void
make_pass(VecIdxHandle *handle)
{
	uint32		end = handle->state.nodes;
	uint32		ahead = PASS_AHEAD * handle->layout.run[VECIDX_RUN_ADJACENCY].per_page;
	PageTid    *page_tids = palloc(PAGE_TIDS * sizeof(PageTid));

	handle->roster->tids = 0;
	for (uint32 first = 0; first < end;)
	{
		CHECK_FOR_INTERRUPTS();
		if (ahead < end - first)
			vecidx_handle_announce_slot(handle, VECIDX_RUN_ADJACENCY, first + ahead);
		first += note_page(handle, first, end, page_tids);
	}
	pfree(page_tids);
}

/* TIDs in an extension, when nobody has counted them: most are of rows that were updated a few times. */
#define EXTENSION_TIDS	2

/* TIDs that a pass will meet, about; no fewer than the last one has. */
static uint64
guess_tids(const VecIdxHandle *handle)
{
	const VecIdxMetaState *state = &handle->state;
	uint64		guess = state->nodes + (uint64) state->extensions * EXTENSION_TIDS;

	return Max(guess, handle->roster->tids);
}

/* Of those asked for since the last pass, how many had to be missed, as there was no room for them? */
static double
missed_for_room(const VecIdxRoster *roster)
{
	double		room = (double) roster->buckets * BUCKET_ENTRIES;

	return roster->tids > room ? roster->asked * (1 - room / roster->tids) : 0;
}

bool
vecidx_roster_missed(VecIdxHandle *handle, Size memory)
{
	uint32		pages = handle->state.nodes / handle->layout.run[VECIDX_RUN_ADJACENCY].per_page;
	uint64		room = memory / sizeof(Entry);
	VecIdxRoster *roster;
	uint64		tids;

	if (handle->roster == NULL)
		handle->roster = MemoryContextAllocZero(handle->context, sizeof(VecIdxRoster));
	roster = handle->roster;
	roster->missed++;
	tids = guess_tids(handle);
	/* a roster of less than half of them would not be worth its passes */
	if (room < tids / 2 ||
		roster->missed - missed_for_room(roster) <= pages / PAGES_PER_MISS + tids / TIDS_PER_MISS)
		return false;
	roster->asked = roster->missed = 0;
	make_table(handle, (uint32) Min(Min(room, tids + tids / 2), PG_UINT32_MAX / 2));
	make_pass(handle);
	return true;
}
