/*
 * board.c
 *	  Where sessions post, for each other, which slot a TID was put in.
 *
 * A post is a word: 32 bits of the key and the slot.  The other bits of the key
 * choose a bucket, which is a line of the processor's cache.  What two sessions
 * do to a bucket at once may lose a post, or leave one twice.
 */
#include "postgres.h"

#include "port/atomics.h"

#include "shared/board.h"
#include "shared/state.h"

#define BUCKETS			65536
#define BUCKET_POSTS	8

typedef struct Bucket
{
	pg_atomic_uint64 post[BUCKET_POSTS];	/* 0: empty */
} Bucket;

static Bucket *buckets = NULL;

static void
init_buckets(void *address, Size size)
{
	Bucket	   *bucket = address;

	for (Size i = 0; i < size / sizeof(Bucket); i++)
	{
		for (int j = 0; j < BUCKET_POSTS; j++)
			pg_atomic_init_u64(&bucket[i].post[j], 0);
	}
}

void
vecidx_board_open(void)
{
	static bool sought = false;

	if (sought)
		return;
	buckets = vecidx_shared_try(VECIDX_SECTION_BOARD, BUCKETS * sizeof(Bucket), init_buckets);
	sought = true;
}

static inline Bucket *
find_bucket(uint64 key)
{
	return &buckets[(key >> 32) % BUCKETS];
}

/* The post under the key, or NULL. */
static pg_atomic_uint64 *
look_up(uint64 key, uint64 *found)
{
	Bucket	   *bucket = find_bucket(key);

	for (int i = 0; i < BUCKET_POSTS; i++)
	{
		*found = pg_atomic_read_u64(&bucket->post[i]);
		if (*found != 0 && *found >> 32 == (uint32) key)
			return &bucket->post[i];
	}
	return NULL;
}

/* Puts a post in front of the others; those before the first empty place move on, the last one falls off. */
static void
push(Bucket *bucket, uint64 post)
{
	for (int i = 0; i < BUCKET_POSTS && post != 0; i++)
	{
		uint64		next = pg_atomic_read_u64(&bucket->post[i]);

		pg_atomic_write_u64(&bucket->post[i], post);
		post = next;
	}
}

void
vecidx_board_post(uint64 key, uint32 slot)
{
	uint64		former;
	pg_atomic_uint64 *place;

	if (buckets == NULL)
		return;
	place = look_up(key, &former);
	if (place != NULL)
		pg_atomic_write_u64(place, key << 32 | slot);
	else
		push(find_bucket(key), key << 32 | slot);
}

uint32
vecidx_board_find(uint64 key)
{
	uint64		found;

	if (buckets == NULL || look_up(key, &found) == NULL)
		return VECIDX_BOARD_NOTHING;
	return (uint32) found;
}

void
vecidx_board_drop(uint64 key)
{
	uint64		found;
	pg_atomic_uint64 *place = buckets != NULL ? look_up(key, &found) : NULL;

	if (place != NULL)
		pg_atomic_write_u64(place, 0);
}

void
vecidx_board_prefetch(uint64 key)
{
	if (buckets != NULL)
		__builtin_prefetch(find_bucket(key), 1);
}
