/*
 * stats.c
 *	  What has been done with each index, by all sessions together.
 *
 * The keys of all slots lie together, apart from the counters, so that a slot
 * is found by looking through them.  Keys are read and changed under the lock
 * of the shared state, counters under the slot's spinlock, which is held for
 * some hundred additions at most.  A session keeps in mind where the slots of
 * indexes are that it has met of late; a slot's life, which is another for each
 * index that it is given to, says whether it is right.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/spin.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "shared/state.h"
#include "shared/stats.h"

/* Indexes whose slots a session keeps in mind, by the lowest bits of their OID. */
#define REMEMBERED		64

typedef struct Key
{
	Oid			database;		/* InvalidOid: the slot is free */
	Oid			index;
	VecIdxFileNumber file;
} Key;

struct VecIdxStatsSlot
{
	slock_t		mutex;
	uint64		life;
	TimestampTz used;			/* beginning of the last statement that added something */
	VecIdxStats stats;
};

/* The section. */
typedef struct Slots
{
	uint32		room;
	uint32		used;			/* slots that an index has; they are the first */
	uint64		lives;			/* given out so far */
	uint64		evictions;
	Key			key[FLEXIBLE_ARRAY_MEMBER]; /* the slots follow */
} Slots;

typedef struct Remembered
{
	Key			key;
	VecIdxStatsRef ref;
} Remembered;

static Remembered remembered[REMEMBERED];

static Size
keys_size(uint32 room)
{
	return MAXALIGN(offsetof(Slots, key) + room * sizeof(Key));
}

static Size
section_size(uint32 room)
{
	return keys_size(room) + room * sizeof(VecIdxStatsSlot);
}

static inline VecIdxStatsSlot *
get_slot(Slots *slots, uint32 i)
{
	return (VecIdxStatsSlot *) ((char *) slots + keys_size(slots->room)) + i;
}

static void
init_slots(void *address, Size size)
{
	Slots	   *slots = address;

	slots->room = (size - offsetof(Slots, key)) / (sizeof(Key) + sizeof(VecIdxStatsSlot));
	while (section_size(slots->room) > size)
		slots->room--;
	for (uint32 i = 0; i < slots->room; i++)
		SpinLockInit(&get_slot(slots, i)->mutex);
}

static Slots *
get_slots(uint32 room)
{
	return vecidx_shared_section(VECIDX_SECTION_STATS, section_size(room), init_slots);
}

static inline bool
equal_keys(const Key *a, const Key *b)
{
	return a->index == b->index && a->database == b->database && a->file == b->file;
}

/* The slot with that key, or NULL; the state is locked. */
static VecIdxStatsSlot *
look_up(Slots *slots, const Key *key)
{
	for (uint32 i = 0; i < slots->used; i++)
	{
		if (equal_keys(&slots->key[i], key))
			return get_slot(slots, i);
	}
	return NULL;
}

/* The slot that was unused longest. */
static uint32
find_oldest(Slots *slots)
{
	uint32		oldest = 0;

	for (uint32 i = 1; i < slots->used; i++)
	{
		if (get_slot(slots, i)->used < get_slot(slots, oldest)->used)
			oldest = i;
	}
	return oldest;
}

/* Gives a slot to an index; the state is locked exclusively. */
static VecIdxStatsSlot *
give_slot(Slots *slots, const Key *key, TimestampTz now)
{
	bool		evict = slots->used == slots->room;
	uint32		i = evict ? find_oldest(slots) : slots->used;
	VecIdxStatsSlot *slot = get_slot(slots, i);

	slots->key[i] = *key;
	SpinLockAcquire(&slot->mutex);
	slot->life = ++slots->lives;
	slot->used = now;
	memset(&slot->stats, 0, sizeof(VecIdxStats));
	slot->stats.since = now;
	SpinLockRelease(&slot->mutex);
	slots->used += !evict;
	slots->evictions += evict;
	return slot;
}

static VecIdxStatsRef
find_slot(Slots *slots, const Key *key)
{
	TimestampTz now = GetCurrentTimestamp();
	VecIdxStatsRef ref;

	vecidx_shared_lock(VECIDX_SECTION_STATS, LW_SHARED);
	ref.slot = look_up(slots, key);
	if (ref.slot == NULL)
	{
		vecidx_shared_unlock(VECIDX_SECTION_STATS);
		vecidx_shared_lock(VECIDX_SECTION_STATS, LW_EXCLUSIVE);
		ref.slot = look_up(slots, key);
		if (ref.slot == NULL)
			ref.slot = give_slot(slots, key, now);
	}
	/* nobody else changes it but under the lock in exclusive mode */
	ref.life = ref.slot->life;
	vecidx_shared_unlock(VECIDX_SECTION_STATS);
	return ref;
}

VecIdxStatsRef
vecidx_stats_find(Relation index, uint32 room)
{
	Key			key = {MyDatabaseId, RelationGetRelid(index), VecIdxRelationFile(index)};
	Remembered *known = &remembered[key.index % REMEMBERED];

	/* a life that is read while it changes is checked again when something is added */
	if (known->ref.slot != NULL && equal_keys(&known->key, &key) && known->ref.slot->life == known->ref.life)
		return known->ref;
	known->ref.slot = NULL;
	known->ref = find_slot(get_slots(room), &key);
	known->key = key;
	return known->ref;
}

static void
note_latency(VecIdxStats *stats, int step)
{
	stats->latency[step]++;
	if (stats->first.total == VECIDX_LATENCY_FIRST)
		return;
	stats->first.total++;
	stats->first.counts[step]++;
}

void
vecidx_stats_add(const VecIdxStatsRef *ref, const uint64 *count, int64 latency)
{
	VecIdxStatsSlot *slot = ref->slot;
	TimestampTz now = GetCurrentStatementStartTimestamp();
	int			step = latency >= 0 ? vecidx_latency_step(latency) : -1;

	if (slot == NULL)
		return;
	SpinLockAcquire(&slot->mutex);
	if (slot->life == ref->life)
	{
		slot->used = Max(slot->used, now);
		for (int i = 0; i < VECIDX_COUNTERS; i++)
			slot->stats.count[i] += count[i];
		if (step >= 0)
			note_latency(&slot->stats, step);
	}
	SpinLockRelease(&slot->mutex);
}

bool
vecidx_stats_read(Oid index, VecIdxFileNumber file, uint32 room, VecIdxStats *stats)
{
	Key			key = {MyDatabaseId, index, file};
	Slots	   *slots = get_slots(room);
	VecIdxStatsSlot *slot;

	vecidx_shared_lock(VECIDX_SECTION_STATS, LW_SHARED);
	slot = look_up(slots, &key);
	if (slot != NULL)
	{
		SpinLockAcquire(&slot->mutex);
		memcpy(stats, &slot->stats, sizeof(VecIdxStats));
		SpinLockRelease(&slot->mutex);
	}
	vecidx_shared_unlock(VECIDX_SECTION_STATS);
	return slot != NULL;
}

/* Fewer first ones than are wanted are given up: they begin anew. */
static void
reset(VecIdxStats *stats, TimestampTz now)
{
	bool		keep = stats->first.total == VECIDX_LATENCY_FIRST;

	memset(stats, 0, keep ? offsetof(VecIdxStats, first) : sizeof(VecIdxStats));
	stats->first.apart = keep;
	stats->since = now;
}

void
vecidx_stats_reset(Oid index, uint32 room)
{
	Slots	   *slots = get_slots(room);
	TimestampTz now = GetCurrentTimestamp();

	vecidx_shared_lock(VECIDX_SECTION_STATS, LW_SHARED);
	for (uint32 i = 0; i < slots->used; i++)
	{
		VecIdxStatsSlot *slot = get_slot(slots, i);

		if (slots->key[i].database != MyDatabaseId || (OidIsValid(index) && slots->key[i].index != index))
			continue;
		SpinLockAcquire(&slot->mutex);
		reset(&slot->stats, now);
		SpinLockRelease(&slot->mutex);
	}
	vecidx_shared_unlock(VECIDX_SECTION_STATS);
}

void
vecidx_stats_use(uint32 room, VecIdxStatsUse *use)
{
	Slots	   *slots = get_slots(room);

	vecidx_shared_lock(VECIDX_SECTION_STATS, LW_SHARED);
	use->room = slots->room;
	use->used = slots->used;
	use->evictions = slots->evictions;
	use->slot_bytes = sizeof(Key) + sizeof(VecIdxStatsSlot);
	vecidx_shared_unlock(VECIDX_SECTION_STATS);
}
