/*
 * weave.c
 *	  From pools of candidates to lists of neighbours.
 */
#include "postgres.h"

#include <float.h>

#include "miscadmin.h"

#include "graph/gram.h"

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

/* A number by which equals come in another order for each owner. */
static inline uint32
tie_break(uint32 owner, uint32 member)
{
	return (owner ^ member) * UINT32_C(2654435769) ^ owner;
}

/*
 * Is candidate a worse than b?  Among equals that is decided for each owner
 * anew: so the order of offers does not matter, and none is everybody's choice.
 */
static inline bool
is_worse(uint32 owner, int16 key_a, uint32 member_a, int16 key_b, uint32 member_b)
{
	return key_a != key_b ? key_a > key_b : tie_break(owner, member_a) > tie_break(owner, member_b);
}

/*
 * Puts a candidate in the place of the worst, the first of a full pool, and
 * the worst of all into the first.  That place never shows a better one than
 * the worst, since others look at it without a lock.
 */
static void
replace_worst(uint32 owner, uint32 *members, int16 *keys, int count, uint32 candidate, int16 key)
{
	int			worst = 1;

	for (int i = 2; i < count; i++)
	{
		if (is_worse(owner, keys[i], members[i], keys[worst], members[worst]))
			worst = i;
	}
	if (is_worse(owner, key, candidate, keys[worst], members[worst]))
		worst = 0;
	members[0] = members[worst];
	keys[0] = keys[worst];
	members[worst] = candidate;
	keys[worst] = key;
}

/* Brings the worst of a pool that has just become full to its first place, and only then says that it is full. */
static void
close_pool(VecIdxWeave *weave, uint32 owner, uint32 *members, int16 *keys)
{
	int			count = weave->effort.pool;
	uint32		member = members[0];
	int16		key = keys[0];

	replace_worst(owner, members, keys, count, member, key);
	pg_write_barrier();
	weave->pool_counts[owner] = count;
}

/* The pool is locked. */
static void
enter_pool(VecIdxWeave *weave, uint32 member, uint32 candidate, int16 key)
{
	uint32	   *members = weave->pool_members + (Size) member * weave->effort.pool;
	int16	   *keys = weave->pool_keys + (Size) member * weave->effort.pool;
	int			count = weave->pool_counts[member];
	bool		full = count == weave->effort.pool;
	int			place = -1;

	if (full && !is_worse(member, keys[0], members[0], key, candidate))
		return;
	for (int i = 0; i < count; i++)
		place = members[i] == candidate ? i : place;
	/* by rounding, the same pair may be a little nearer in another leaf */
	if (place >= 0 && key >= keys[place])
		return;
	if (full && place <= 0)
		replace_worst(member, members, keys, count, candidate, key);
	else if (place >= 0)
		keys[place] = key;
	else
	{
		members[count] = candidate;
		keys[count] = key;
		if (count + 1 == weave->effort.pool)
			close_pool(weave, member, members, keys);
		else
			weave->pool_counts[member] = count + 1;
	}
}

/* Would the pool refuse that key?  Only a full pool is known to; what others do meanwhile changes no yes. */
static inline bool
refuses(const VecIdxWeave *weave, uint32 member, int16 key)
{
	if (((volatile uint8 *) weave->pool_counts)[member] < weave->effort.pool)
		return false;
	pg_read_barrier();
	return key > ((volatile int16 *) weave->pool_keys)[(Size) member * weave->effort.pool];
}

void
vecidx_weave_offer(VecIdxWeave *weave, uint32 member, uint32 candidate, float distance)
{
	slock_t    *lock = &weave->locks[member % VECIDX_POOL_LOCKS];
	int16		key = make_key(distance);

	if (refuses(weave, member, key))
		return;
	SpinLockAcquire(lock);
	enter_pool(weave, member, candidate, key);
	SpinLockRelease(lock);
}

/* Lists. */

/* Has the sketches of a pool's members on their way. */
static void
prefetch_sketches(const VecIdxWeave *weave, uint32 member)
{
	const uint32 *members = weave->pool_members + (Size) member * weave->effort.pool;

	for (int i = 0; i < weave->pool_counts[member]; i++)
	{
		const int8 *sketch = vecidx_gram_sketch(weave, members[i]);

		for (int k = 0; k < weave->points->width; k += 64)
			__builtin_prefetch(sketch + k);
		__builtin_prefetch(vecidx_gram_key(weave, members[i]));
	}
}

/* Candidates of a member, at most. */
#define CANDIDATES		(VECIDX_LIST_MAX + VECIDX_POOL_MAX)

/* What a process works with. */
typedef struct Bench
{
	VecIdxWeave *weave;
	VecIdxGram	gram;
	uint32		members[CANDIDATES + 1];	/* candidates, then whose they are */
	VecIdxHit	hits[CANDIDATES];

	/* candidates that may still be chosen, nearest first */
	uint32		lined[CANDIDATES];
	int			places[CANDIDATES];	/* in members[] */
	float		others[CANDIDATES];
	float		limits[CANDIDATES]; /* candidates farther than that from a neighbour are not covered by it */

	/* to tell lists */
	VecIdxWovenTake take;
	void	   *state;
	VecIdxWoven woven;
} Bench;

static Bench *
make_bench(VecIdxWeave *weave)
{
	Bench	   *bench = palloc(sizeof(Bench));

	bench->weave = weave;
	vecidx_gram_init(&bench->gram, weave, CANDIDATES + 1, CANDIDATES);
	return bench;
}

static void
free_bench(Bench *bench)
{
	vecidx_gram_free(&bench->gram);
	pfree(bench);
}

typedef void (*MemberWork) (Bench *bench, uint32 member);

/* Does something with each member, in an order that keeps near ones together; with_pool: it looks at the sketches of its pool. */
static void
do_members(Bench *bench, VecIdxDeal *deal, MemberWork work, bool with_pool)
{
	const VecIdxWeave *weave = bench->weave;
	uint32		from;
	uint32		to;

	while (vecidx_deal_take(deal, PIECE, weave->count, &from, &to))
	{
		for (uint32 i = from; i < to; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (with_pool && i + 1 < to)
				prefetch_sketches(weave, weave->order[i + 1]);
			work(bench, weave->order[i]);
		}
	}
}

static void
do_step(VecIdxWeave *weave, VecIdxDeal *deal, MemberWork work, bool with_pool)
{
	Bench	   *bench = make_bench(weave);

	do_members(bench, deal, work, with_pool);
	free_bench(bench);
}

/* Sorts candidates by distance from the member that stands behind them, and is a row of the gram: into hits. */
static void
sort_candidates(Bench *bench, int row, int count)
{
	const VecIdxSketchKey *own = vecidx_gram_key(bench->weave, bench->members[count]);
	const int32 *products = bench->gram.products;
	float		weight = bench->weave->points->weight;

	vecidx_gram_multiply(&bench->gram, row, 1, 0, count);
	for (int i = 0; i < count; i++)
	{
		VecIdxHit	hit;
		int			at = i;

		hit.distance = own->own + vecidx_gram_key(bench->weave, bench->members[i])->other - weight * products[i];
		hit.place = i;
		for (; at > 0 && (bench->hits[at - 1].distance > hit.distance ||
						  (bench->hits[at - 1].distance == hit.distance &&
						   bench->members[bench->hits[at - 1].place] > bench->members[i])); at--)
			bench->hits[at] = bench->hits[at - 1];
		bench->hits[at] = hit;
	}
}

/* Makes the candidates columns again, nearest first. */
static void
line_up(Bench *bench, int count)
{
	for (int i = 0; i < count; i++)
	{
		int			place = bench->hits[i].place;

		bench->places[i] = place;
		bench->limits[i] = bench->hits[i].distance;
		bench->lined[i] = bench->members[place];
	}
	vecidx_gram_lay_columns(&bench->gram, bench->lined, count);
	for (int i = 0; i < count; i++)
		bench->others[i] = vecidx_gram_key(bench->weave, bench->lined[i])->other;
}

/*
 * Of count columns, the first of which has been chosen, keeps those that it
 * does not cover: that are not nearer to it than to the one whose candidates
 * they are.  Returns how many.
 */
static int
leave_out_covered(Bench *bench, int count)
{
	VecIdxGram *gram = &bench->gram;
	float		own = vecidx_gram_key(bench->weave, bench->lined[0])->own;
	float		weight = bench->weave->points->weight;
	int			kept = 0;

	vecidx_gram_multiply(gram, bench->places[0], 1, 1, count);
	for (int i = 1; i < count; i++)
	{
		float		distance = own + bench->others[i] - weight * gram->products[i];

		bench->places[kept] = bench->places[i];
		bench->lined[kept] = bench->lined[i];
		bench->limits[kept] = bench->limits[i];
		bench->others[kept] = bench->others[i];
		gram->columns[kept] = gram->columns[i];
		gram->sums[kept] = gram->sums[i];
		kept += !(distance < bench->limits[i]);
	}
	return kept;
}

/*
 * Chooses at most room of count candidates, which stand in members[] with the
 * one whose they are behind them: nearest first, each only if it is nearer to
 * that one than to any chosen before (HNSW's heuristic, as vecidx_prune has
 * it).  Returns how many.
 */
static int
choose(Bench *bench, int count, uint32 *chosen)
{
	int			kept = 0;

	vecidx_gram_lay_rows(&bench->gram, bench->members, count + 1);
	vecidx_gram_lay_columns(&bench->gram, bench->members, count);
	sort_candidates(bench, count, count);
	line_up(bench, count);
	while (count > 0 && kept < bench->weave->room)
	{
		chosen[kept++] = bench->lined[0];
		count = leave_out_covered(bench, count);
	}
	return kept;
}

/* Chooses a member's neighbours from its pool, and empties that. */
static void
prune_pool(Bench *bench, uint32 member)
{
	VecIdxWeave *weave = bench->weave;
	int			count = weave->pool_counts[member];

	memcpy(bench->members, weave->pool_members + (Size) member * weave->effort.pool, count * sizeof(uint32));
	bench->members[count] = member;
	weave->list_counts[member] = choose(bench, count, weave->lists + (Size) member * weave->room);
	weave->pool_counts[member] = 0;
}

void
vecidx_weave_prune(VecIdxWeave *weave, VecIdxDeal *deal)
{
	do_step(weave, deal, prune_pool, true);
}

/* Offers a member to those that it has chosen. */
static void
offer_back(Bench *bench, uint32 member)
{
	VecIdxWeave *weave = bench->weave;
	const uint32 *list = weave->lists + (Size) member * weave->room;
	const VecIdxSketchKey *own = vecidx_gram_key(weave, member);
	int			count = weave->list_counts[member];
	const int32 *products = bench->gram.products;

	vecidx_gram_lay_rows(&bench->gram, &member, 1);
	vecidx_gram_lay_columns(&bench->gram, list, count);
	vecidx_gram_multiply(&bench->gram, 0, 1, 0, count);
	for (int i = 0; i < count; i++)
	{
		const VecIdxSketchKey *key = vecidx_gram_key(weave, list[i]);

		vecidx_weave_offer(weave, list[i], member,
						   key->lift + key->own + own->other - weave->points->weight * products[i]);
	}
}

void
vecidx_weave_back(VecIdxWeave *weave, VecIdxDeal *deal)
{
	do_step(weave, deal, offer_back, false);
}

static bool
names(const uint32 *list, int count, uint32 member)
{
	bool		named = false;

	for (int i = 0; i < count; i++)
		named |= list[i] == member;
	return named;
}

/* Brings the links back into an order that does not depend on who came first. */
static void
sort_back(uint32 *members, int count)
{
	for (int i = 1; i < count; i++)
	{
		uint32		moved = members[i];
		int			at = i;

		for (; at > 0 && members[at - 1] > moved; at--)
			members[at] = members[at - 1];
		members[at] = moved;
	}
}

/* All candidates, nearest first. */
static void
line_list(Bench *bench, int count, uint32 *list)
{
	vecidx_gram_lay_rows(&bench->gram, bench->members + count, 1);
	vecidx_gram_lay_columns(&bench->gram, bench->members, count);
	sort_candidates(bench, 0, count);
	for (int i = 0; i < count; i++)
		list[i] = bench->members[bench->hits[i].place];
}

/* Joins a list with the links back; from here on it names points. */
static void
finish_list(Bench *bench, uint32 member)
{
	VecIdxWeave *weave = bench->weave;
	uint32	   *back = weave->pool_members + (Size) member * weave->effort.pool;
	uint32	   *list = weave->lists + (Size) member * weave->room;
	int			chosen = weave->list_counts[member];
	int			count = chosen;

	memcpy(bench->members, list, chosen * sizeof(uint32));
	sort_back(back, weave->pool_counts[member]);
	for (int i = 0; i < weave->pool_counts[member]; i++)
	{
		if (!names(list, chosen, back[i]))
			bench->members[count++] = back[i];
	}
	bench->members[count] = member;
	if (count > weave->room)
		count = choose(bench, count, list);
	else
		line_list(bench, count, list);
	for (int i = 0; i < count; i++)
		list[i] = vecidx_weave_point(weave, list[i]);
	weave->list_counts[member] = count;
}

void
vecidx_weave_finish(VecIdxWeave *weave, VecIdxDeal *deal)
{
	do_step(weave, deal, finish_list, true);
}

static void
tell_list(Bench *bench, uint32 member)
{
	VecIdxWeave *weave = bench->weave;
	VecIdxGram *gram = &bench->gram;
	VecIdxWoven *woven = &bench->woven;
	const VecIdxPoints *points = weave->points;
	const uint32 *list = weave->lists + (Size) member * weave->room;

	woven->point = vecidx_weave_point(weave, member);
	woven->count = weave->list_counts[member];
	vecidx_gram_lay_rows(gram, &member, 1);
	for (int i = 0; i < woven->count; i++)
	{
		gram->columns[i] = vecidx_points_sketch(points, list[i]);
		gram->sums[i] = points->keys[list[i]].sum;
	}
	vecidx_gram_multiply(gram, 0, 1, 0, woven->count);
	for (int i = 0; i < woven->count; i++)
	{
		woven->neighbours[i] = list[i];
		woven->distances[i] = points->keys[woven->point].own + points->keys[list[i]].other -
			points->weight * gram->products[i];
	}
	bench->take(bench->state, woven);
}

void
vecidx_weave_tell(VecIdxWeave *weave, VecIdxDeal *deal, VecIdxWovenTake take, void *state)
{
	Bench	   *bench = make_bench(weave);

	bench->take = take;
	bench->state = state;
	do_members(bench, deal, tell_list, false);
	free_bench(bench);
}
