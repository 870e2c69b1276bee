/*
 * weave.c
 *	  From pools of candidates to lists of neighbours.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "graph/weave.h"

/* Members that a process takes at a time. */
#define PIECE		256


Size
vecidx_weave_list_size(uint32 count, int room)
{
	Size		partition = (Size) count * VECIDX_FAN * (sizeof(uint16) + sizeof(uint32)) +
		(VECIDX_LEADERS + 1) * sizeof(uint64) + 4 * VECIDX_POINTS_ALIGNMENT;
	Size		lists = (Size) count * room * sizeof(uint32);

	return Max(partition, lists) + (Size) count * (sizeof(uint32) + sizeof(uint8)) + 4 * VECIDX_POINTS_ALIGNMENT;
}

Size
vecidx_weave_pool_size(uint32 count, const VecIdxWeaveEffort *effort)
{
	return (Size) count * (effort->pool * (sizeof(uint32) + sizeof(int16)) + sizeof(uint8)) + 4 * VECIDX_POINTS_ALIGNMENT;
}

VecIdxWeaveEffort
vecidx_weave_effort(int m, int ef_construction)
{
	VecIdxWeaveEffort effort;

	effort.pool = Min(VECIDX_POOL_MAX, Max(Max(24, ef_construction * 7 / 8), 5 * m / 2));
	effort.nearest = Min(16, Max(2, 1 + effort.pool / 28));
	return effort;
}

void
vecidx_weave_map(VecIdxWeave *weave, int room, const VecIdxWeaveEffort *effort, void *lists, void *pools)
{
	char	   *at = lists;
	char	   *partition;
	uint32		count = weave->count;

	weave->room = room;
	weave->effort = *effort;
	weave->leaders = count <= VECIDX_LEAF ? 0 : Max(16, Min(VECIDX_LEADERS, count / VECIDX_LEAF));
	weave->order = vecidx_points_carve(&at, (Size) count * sizeof(uint32));
	weave->list_counts = vecidx_points_carve(&at, (Size) count * sizeof(uint8));
	partition = at;
	weave->lists = vecidx_points_carve(&at, (Size) count * room * sizeof(uint32));
	weave->group_start = vecidx_points_carve(&partition, (VECIDX_LEADERS + 1) * sizeof(uint64));
	weave->group = vecidx_points_carve(&partition, (Size) count * VECIDX_FAN * sizeof(uint32));
	weave->assigned = vecidx_points_carve(&partition, (Size) count * VECIDX_FAN * sizeof(uint16));

	at = pools;
	weave->pool_members = vecidx_points_carve(&at, (Size) count * effort->pool * sizeof(uint32));
	weave->pool_keys = vecidx_points_carve(&at, (Size) count * effort->pool * sizeof(int16));
	weave->pool_counts = vecidx_points_carve(&at, (Size) count * sizeof(uint8));
}

/* Pools. */

/* Sixteen bits that compare as the float does. */
static inline int16
make_key(float distance)
{
	union
	{
		float		f;
		int32		i;
	}			u;

	u.f = distance;
	return (int16) ((u.i >> 16) ^ (u.i < 0 ? 0x7FFF : 0));
}

/* Is candidate a worse than b?  By number among equals, so that the order of offers does not matter. */
static inline bool
is_worse(int16 key_a, uint32 member_a, int16 key_b, uint32 member_b)
{
	return key_a != key_b ? key_a > key_b : member_a > member_b;
}

/* Brings the worst of a full pool to its first place. */
static void
expose_worst(uint32 *members, int16 *keys, int count)
{
	int			worst = 0;
	uint32		member;
	int16		key;

	for (int i = 1; i < count; i++)
	{
		if (is_worse(keys[i], members[i], keys[worst], members[worst]))
			worst = i;
	}
	member = members[worst];
	key = keys[worst];
	members[worst] = members[0];
	keys[worst] = keys[0];
	members[0] = member;
	keys[0] = key;
}

/* The pool is locked. */
static void
enter_pool(VecIdxWeave *weave, uint32 member, uint32 candidate, int16 key)
{
	uint32	   *members = weave->pool_members + (Size) member * weave->effort.pool;
	int16	   *keys = weave->pool_keys + (Size) member * weave->effort.pool;
	int			count = weave->pool_counts[member];
	bool		present = false;

	if (count == weave->effort.pool && !is_worse(keys[0], members[0], key, candidate))
		return;
	for (int i = 0; i < count; i++)
		present |= members[i] == candidate;
	if (present)
		return;
	if (count < weave->effort.pool)
	{
		members[count] = candidate;
		keys[count] = key;
		weave->pool_counts[member] = ++count;
	}
	else
	{
		members[0] = candidate;
		keys[0] = key;
	}
	if (count == weave->effort.pool)
		expose_worst(members, keys, count);
}

void
vecidx_weave_offer(VecIdxWeave *weave, uint32 member, uint32 candidate, float distance)
{
	slock_t    *lock = &weave->locks[member % VECIDX_POOL_LOCKS];

	SpinLockAcquire(lock);
	enter_pool(weave, member, candidate, make_key(distance));
	SpinLockRelease(lock);
}

/* Lists. */

static inline void
prefetch_bytes(const void *bytes, Size size)
{
	for (Size i = 0; i < size; i += 64)
		__builtin_prefetch((const char *) bytes + i);
}

/* Bytes of a vector that have to come from memory. */
static Size
vector_bytes(const VecIdxPoints *points)
{
	return Min(points->shape.vector_size > 0 ? points->shape.vector_size : points->shape.code_size, 4096);
}

/* Has the vectors of a pool's members on their way. */
static void
prefetch_pool(const VecIdxWeave *weave, uint32 member)
{
	const uint32 *members = weave->pool_members + (Size) member * weave->effort.pool;
	Size		size = vector_bytes(weave->points);

	for (int i = 0; i < weave->pool_counts[member]; i++)
		prefetch_bytes(vecidx_points_vector(weave->points, vecidx_weave_point(weave, members[i])), size);
}

static void
measure(const VecIdxWeave *weave, const uint8 *vector, uint32 point, VecIdxNeighbour *neighbour)
{
	neighbour->node = point;
	neighbour->upper = VECIDX_NONE;
	neighbour->vector = vecidx_points_vector(weave->points, point);
	neighbour->distance = vecidx_quant_pair(weave->points->quantizer, vector, neighbour->vector);
}

/* Chooses a member's neighbours from its pool, and empties that. */
static void
prune_pool(VecIdxWeave *weave, uint32 member)
{
	const uint32 *members = weave->pool_members + (Size) member * weave->effort.pool;
	const uint8 *vector = vecidx_points_vector(weave->points, vecidx_weave_point(weave, member));
	uint32	   *list = weave->lists + (Size) member * weave->room;
	VecIdxNeighbour neighbours[VECIDX_POOL_MAX];
	int			count = weave->pool_counts[member];

	for (int i = 0; i < count; i++)
	{
		measure(weave, vector, vecidx_weave_point(weave, members[i]), &neighbours[i]);
		neighbours[i].upper = members[i];
	}
	count = vecidx_prune(weave->points->quantizer, neighbours, count, weave->room);
	for (int i = 0; i < count; i++)
		list[i] = neighbours[i].upper;
	weave->list_counts[member] = count;
	weave->pool_counts[member] = 0;
}

void
vecidx_weave_prune(VecIdxWeave *weave, VecIdxDeal *deal)
{
	uint32		from;
	uint32		to;

	while (vecidx_deal_take(deal, PIECE, weave->count, &from, &to))
	{
		for (uint32 i = from; i < to; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (i + 1 < to)
				prefetch_pool(weave, weave->order[i + 1]);
			prune_pool(weave, weave->order[i]);
		}
	}
}

/* Offers each member to those that it has chosen. */
void
vecidx_weave_back(VecIdxWeave *weave, VecIdxDeal *deal)
{
	const VecIdxPoints *points = weave->points;
	uint32		from;
	uint32		to;

	while (vecidx_deal_take(deal, PIECE, weave->count, &from, &to))
	{
		for (uint32 i = from; i < to; i++)
		{
			uint32		member = weave->order[i];
			const uint32 *list = weave->lists + (Size) member * weave->room;
			const uint8 *vector = vecidx_points_vector(points, vecidx_weave_point(weave, member));

			CHECK_FOR_INTERRUPTS();
			for (int j = 0; j < weave->list_counts[member]; j++)
			{
				const uint8 *other = vecidx_points_vector(points, vecidx_weave_point(weave, list[j]));

				vecidx_weave_offer(weave, list[j], member, vecidx_quant_pair(points->quantizer, vector, other));
			}
		}
	}
}

static bool
names(const uint32 *list, int count, uint32 member)
{
	bool		named = false;

	for (int i = 0; i < count; i++)
		named |= list[i] == member;
	return named;
}

/* The nearest that do not cover each other, when there are more than there is room for. */
static int
prune_list(const VecIdxWeave *weave, uint32 member, const uint32 *joined, int count, uint32 *list)
{
	const uint8 *vector = vecidx_points_vector(weave->points, vecidx_weave_point(weave, member));
	VecIdxNeighbour neighbours[VECIDX_LIST_MAX + VECIDX_POOL_MAX];

	for (int i = 0; i < count; i++)
		measure(weave, vector, vecidx_weave_point(weave, joined[i]), &neighbours[i]);
	count = vecidx_prune(weave->points->quantizer, neighbours, count, weave->room);
	for (int i = 0; i < count; i++)
		list[i] = neighbours[i].node;
	return count;
}

/* Joins a list with the links back; from here on it names points. */
static void
finish_list(VecIdxWeave *weave, uint32 member)
{
	const uint32 *back = weave->pool_members + (Size) member * weave->effort.pool;
	uint32	   *list = weave->lists + (Size) member * weave->room;
	uint32		joined[VECIDX_LIST_MAX + VECIDX_POOL_MAX];
	int			chosen = weave->list_counts[member];
	int			count = chosen;

	memcpy(joined, list, chosen * sizeof(uint32));
	for (int i = 0; i < weave->pool_counts[member]; i++)
	{
		if (!names(joined, chosen, back[i]))
			joined[count++] = back[i];
	}
	if (count > weave->room)
		count = prune_list(weave, member, joined, count, list);
	else
	{
		for (int i = 0; i < count; i++)
			list[i] = vecidx_weave_point(weave, joined[i]);
	}
	weave->list_counts[member] = count;
}

void
vecidx_weave_finish(VecIdxWeave *weave, VecIdxDeal *deal)
{
	uint32		from;
	uint32		to;

	while (vecidx_deal_take(deal, PIECE, weave->count, &from, &to))
	{
		for (uint32 i = from; i < to; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (i + 1 < to)
				prefetch_pool(weave, weave->order[i + 1]);
			finish_list(weave, weave->order[i]);
		}
	}
}
