/*
 * partition.c
 *	  Members of a level, cut into overlapping leaves; pools filled from leaves.
 *
 * A group of members is cut up by leaders, members of it drawn by chance:
 * each member goes to those nearest to it.  The whole level is cut up first,
 * with VECIDX_FAN leaders for each member; every group of that again, with
 * LATER_FAN; and what is then still larger than a leaf, with one.  So a member
 * meets what is near it in some twenty-four leaves.
 */
#include "postgres.h"

#include <float.h>

#include "miscadmin.h"

#include "graph/gram.h"

/* Of a leaf, on average: leaders are drawn for that. */
#define LEAF_MEAN		220

/* Leaders of a member in the second step. */
#define LATER_FAN		3

/* Members that a process assigns at a time. */
#define PIECE			1024

/* Groups nest no deeper than that: what cannot be told apart is cut up as it comes. */
#define DEEPEST			8

/* Columns whose products are looked at before the limits are drawn closer. */
#define STRETCH			64

/* The nearest of a row so far, in order; the first come among equals. */
typedef struct Nearest
{
	int			count;
	VecIdxHit  *hit;
} Nearest;

/* What a process works with. */
typedef struct Bench
{
	VecIdxWeave *weave;
	VecIdxGram	gram;
	float	   *others;			/* of distances from a row, one for each column */
	float	   *limits;
	Nearest    *nearest;		/* of VECIDX_LEAF rows */
} Bench;

static Bench *
make_bench(VecIdxWeave *weave)
{
	Bench	   *bench = palloc0(sizeof(Bench));
	uint32		columns = Max(VECIDX_LEADERS, VECIDX_LEAF);
	int			wanted = weave->leaders == 0 ? weave->effort.pool : Max(VECIDX_FAN, weave->effort.nearest);
	VecIdxHit  *hits = palloc((Size) VECIDX_LEAF * wanted * sizeof(VecIdxHit));

	bench->weave = weave;
	vecidx_gram_init(&bench->gram, weave, VECIDX_LEAF, columns);
	bench->others = palloc(columns * sizeof(float));
	bench->limits = palloc(columns * sizeof(float));
	bench->nearest = palloc(VECIDX_LEAF * sizeof(Nearest));
	for (int i = 0; i < VECIDX_LEAF; i++)
		bench->nearest[i].hit = hits + (Size) i * wanted;
	return bench;
}

static void
free_bench(Bench *bench)
{
	vecidx_gram_free(&bench->gram);
	pfree(bench->others);
	pfree(bench->limits);
	pfree(bench->nearest[0].hit);
	pfree(bench->nearest);
	pfree(bench);
}

/* Distance beyond which a row's nearest leave nothing to come. */
static inline float
limit_of(const Nearest *nearest, int wanted)
{
	return nearest->count < wanted ? FLT_MAX : nearest->hit[wanted - 1].distance;
}

static inline void
enter_hit(Nearest *nearest, int wanted, float distance, int32 place)
{
	int			at;

	if (nearest->count == wanted && !(distance < nearest->hit[wanted - 1].distance))
		return;
	at = nearest->count < wanted ? nearest->count++ : wanted - 1;
	for (; at > 0 && nearest->hit[at - 1].distance > distance; at--)
		nearest->hit[at] = nearest->hit[at - 1];
	nearest->hit[at].distance = distance;
	nearest->hit[at].place = place;
}

/* Enters the nearest of a row's products with columns from..end - 1. */
static void
take_nearest(Bench *bench, const int32 *products, uint32 from, uint32 end, int wanted, Nearest *nearest)
{
	while (from < end)
	{
		uint32		count = Min(STRETCH, end - from);
		float		limit = limit_of(nearest, wanted);
		float		limits[STRETCH];
		VecIdxHit	hits[STRETCH];
		int			found;

		for (uint32 i = 0; i < STRETCH; i++)
			limits[i] = limit;
		found = bench->gram.kernels->below(products + from, bench->others + from, limits,
									  bench->weave->points->weight, count, hits);
		for (int i = 0; i < found; i++)
			enter_hit(nearest, wanted, hits[i].distance, from + hits[i].place);
		from += count;
	}
}

/* Leaders. */

static uint32
draw(uint64 seed, uint32 limit)
{
	seed = (seed + 1) * UINT64CONST(0x9E3779B97F4A7C15);
	seed = (seed ^ seed >> 32) * UINT64CONST(0xD6E8FEB86659FD93);
	seed ^= seed >> 32;
	return (uint32) ((seed >> 32) * limit >> 32);
}

/* Draws leaders from a group (NULL: all members) and lays their sketches out; norms are theirs. */
static void
draw_leaders(Bench *bench, const uint32 *group, uint32 count, uint32 leaders, float *norms)
{
	uint32	   *drawn = palloc(leaders * sizeof(uint32));

	/* one from each of as many equal shares, so that none is drawn twice */
	for (uint32 i = 0; i < leaders; i++)
	{
		uint32		from = (uint32) ((uint64) i * count / leaders);
		uint32		to = (uint32) ((uint64) (i + 1) * count / leaders);
		uint32		place = from + draw((uint64) count << 32 | i, to - from);

		drawn[i] = group != NULL ? group[place] : place;
	}
	vecidx_gram_lay_columns(&bench->gram, drawn, leaders);
	for (uint32 i = 0; i < leaders; i++)
	{
		const int8 *sketch = vecidx_gram_sketch(bench->weave, drawn[i]);
		int32		norm = 0;

		for (int k = 0; k < bench->gram.width; k++)
			norm += sketch[k] * sketch[k];
		norms[i] = norm * (bench->weave->points->weight / 2);
	}
	pfree(drawn);
}

/* The nearest leaders of at most VECIDX_GRAM_ROWS members. */
static void
find_leaders(Bench *bench, const uint32 *members, int count, const float *norms, uint32 leaders, int fan,
			 uint16 *assigned)
{
	memcpy(bench->others, norms, leaders * sizeof(float));
	vecidx_gram_lay_rows(&bench->gram, members, count);
	vecidx_gram_multiply(&bench->gram, 0, count, 0, leaders);
	for (int i = 0; i < count; i++)
	{
		Nearest    *nearest = bench->nearest;

		nearest->count = 0;
		take_nearest(bench, bench->gram.products + i * bench->gram.room, 0, leaders, fan, nearest);
		for (int j = 0; j < fan; j++)
			assigned[i * fan + j] = nearest->hit[Min(j, nearest->count - 1)].place;
	}
}

void
vecidx_weave_assign(VecIdxWeave *weave, VecIdxDeal *deal)
{
	Bench	   *bench;
	float	   *norms;
	uint32		from;
	uint32		to;

	if (weave->leaders == 0)
		return;
	bench = make_bench(weave);
	norms = palloc(weave->leaders * sizeof(float));
	draw_leaders(bench, NULL, weave->count, weave->leaders, norms);
	while (vecidx_deal_take(deal, PIECE, weave->count, &from, &to))
	{
		for (uint32 i = from; i < to; i += VECIDX_GRAM_ROWS)
		{
			uint32		members[VECIDX_GRAM_ROWS];
			int			count = Min(VECIDX_GRAM_ROWS, to - i);

			CHECK_FOR_INTERRUPTS();
			for (int j = 0; j < count; j++)
				members[j] = i + j;
			find_leaders(bench, members, count, norms, weave->leaders, VECIDX_FAN,
						 weave->assigned + (Size) i * VECIDX_FAN);
		}
	}
	pfree(norms);
	free_bench(bench);
}

/* Sorts what each of count members was assigned to by leader: starts has one more entry than there are leaders. */
static void
sort_groups(const uint16 *assigned, uint32 count, int fan, uint32 leaders, uint64 *starts)
{
	memset(starts, 0, (leaders + 1) * sizeof(uint64));
	for (Size i = 0; i < (Size) count * fan; i++)
		starts[assigned[i]]++;
	for (uint32 i = 1; i <= leaders; i++)
		starts[i] += starts[i - 1];
	/* now each is the end of its group; filling from the back makes it the start */
}

void
vecidx_weave_group(VecIdxWeave *weave)
{
	uint32		next[VECIDX_LEADERS] = {0};
	uint32		total = 0;

	memset(weave->pool_counts, 0, weave->count * sizeof(uint8));
	if (weave->leaders == 0)
	{
		for (uint32 i = 0; i < weave->count; i++)
			weave->order[i] = i;
		return;
	}
	sort_groups(weave->assigned, weave->count, VECIDX_FAN, weave->leaders, weave->group_start);
	for (Size i = (Size) weave->count * VECIDX_FAN; i-- > 0;)
	{
		CHECK_FOR_INTERRUPTS();
		weave->group[--weave->group_start[weave->assigned[i]]] = (uint32) (i / VECIDX_FAN);
	}

	for (uint32 i = 0; i < weave->count; i++)
		next[weave->assigned[(Size) i * VECIDX_FAN]]++;
	for (uint32 i = 0; i < weave->leaders; i++)
	{
		uint32		members = next[i];

		next[i] = total;
		total += members;
	}
	for (uint32 i = 0; i < weave->count; i++)
		weave->order[next[weave->assigned[(Size) i * VECIDX_FAN]]++] = i;
}

/* Leaves. */

static bool
is_mutual(const Bench *bench, uint32 at, int32 other)
{
	const Nearest *nearest = &bench->nearest[other];

	for (int i = 0; i < nearest->count; i++)
	{
		if (nearest->hit[i].place == (int32) at)
			return true;
	}
	return false;
}

/* Offers a member and those nearest to it to each other; a pair that both find near only once. */
static void
offer_nearest(Bench *bench, const uint32 *leaf, uint32 at)
{
	VecIdxWeave *weave = bench->weave;
	const Nearest *nearest = &bench->nearest[at];
	const VecIdxSketchKey *key = vecidx_gram_key(bench->weave, leaf[at]);

	for (int i = 0; i < nearest->count; i++)
	{
		uint32		other = leaf[nearest->hit[i].place];
		float		distance = nearest->hit[i].distance;
		const VecIdxSketchKey *other_key = vecidx_gram_key(bench->weave, other);

		if (nearest->hit[i].place < (int32) at && is_mutual(bench, at, nearest->hit[i].place))
			continue;
		vecidx_weave_offer(weave, leaf[at], other, key->lift + key->own + distance);
		vecidx_weave_offer(weave, other, leaf[at],
						   other_key->lift + other_key->own + distance - other_key->other + key->other);
	}
}

/* Enters row i into the nearest of the members behind "from" that find it near. */
static void
take_back(Bench *bench, uint32 i, float other, uint32 from, uint32 end, int wanted)
{
	const int32 *products = bench->gram.products + i % VECIDX_GRAM_ROWS * bench->gram.room;
	VecIdxHit	hits[VECIDX_LEAF];
	float		others[VECIDX_LEAF];
	int			found;

	for (uint32 j = from; j < end; j++)
		others[j] = other;
	found = bench->gram.kernels->below(products + from, others + from, bench->limits + from,
								  bench->weave->points->weight, end - from, hits);
	for (int j = 0; j < found; j++)
	{
		uint32		place = from + hits[j].place;

		enter_hit(&bench->nearest[place], wanted, hits[j].distance, i);
		bench->limits[place] = limit_of(&bench->nearest[place], wanted);
	}
}

/*
 * Each pair of members is looked at once, from the one that comes first: only
 * products with those behind it are made, for some rows at a time.
 */
static void
fill_from_leaf(Bench *bench, const uint32 *leaf, uint32 count, int wanted)
{
	if (count < 2)
		return;
	CHECK_FOR_INTERRUPTS();
	wanted = Min(wanted, (int) count - 1);
	vecidx_gram_lay_rows(&bench->gram, leaf, count);
	vecidx_gram_lay_columns(&bench->gram, leaf, count);
	for (uint32 i = 0; i < count; i++)
	{
		bench->others[i] = vecidx_gram_key(bench->weave, leaf[i])->other;
		bench->limits[i] = FLT_MAX;
		bench->nearest[i].count = 0;
	}
	for (uint32 i = 0; i < count; i++)
	{
		const int32 *products = bench->gram.products + i % VECIDX_GRAM_ROWS * bench->gram.room;

		if (i % VECIDX_GRAM_ROWS == 0)
			vecidx_gram_multiply(&bench->gram, i, Min(VECIDX_GRAM_ROWS, count - i), i, count);
		take_nearest(bench, products, i + 1, count, wanted, &bench->nearest[i]);
		take_back(bench, i, bench->others[i], i + 1, count, wanted);
	}
	for (uint32 i = 0; i < count; i++)
		vecidx_weave_prefetch(bench->weave, leaf[i]);
	for (uint32 i = 0; i < count; i++)
		offer_nearest(bench, leaf, i);
}

/*
 * What cannot be told apart by leaders any more, more than a leaf: leaves by
 * chance, other ones in each group.  Nobody is left alone.
 */
static void
cut_plainly(Bench *bench, const uint32 *group, uint32 count, uint32 seed)
{
	uint32	   *shuffled = palloc_extended((Size) count * sizeof(uint32), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < count; i++)
	{
		uint32		other = draw((uint64) seed << 32 | i, i + 1);

		shuffled[i] = shuffled[other];
		shuffled[other] = group[i];
	}
	for (uint32 i = 0; i < count; i += VECIDX_LEAF)
		fill_from_leaf(bench, shuffled + Min(i, count - VECIDX_LEAF), VECIDX_LEAF, bench->weave->effort.nearest);
	pfree(shuffled);
}

/* seed tells groups apart: where they come from. */
static void
cut_group(Bench *bench, const uint32 *group, uint32 count, int depth, uint32 seed)
{
	int			fan = depth == 1 ? LATER_FAN : 1;
	uint32		leaders = Max(2, Min((uint64) count * fan / LEAF_MEAN + 1, VECIDX_LEADERS));
	float	   *norms;
	uint16	   *assigned;
	uint64	   *starts;
	uint32	   *members;

	if (count <= VECIDX_LEAF)
	{
		fill_from_leaf(bench, group, count, bench->weave->effort.nearest);
		return;
	}
	if (depth > DEEPEST)
	{
		cut_plainly(bench, group, count, seed);
		return;
	}
	norms = palloc(leaders * sizeof(float));
	assigned = palloc_extended((Size) count * fan * sizeof(uint16), MCXT_ALLOC_HUGE);
	starts = palloc((leaders + 1) * sizeof(uint64));
	members = palloc_extended((Size) count * fan * sizeof(uint32), MCXT_ALLOC_HUGE);
	draw_leaders(bench, group, count, leaders, norms);
	for (uint32 i = 0; i < count; i += VECIDX_GRAM_ROWS)
	{
		CHECK_FOR_INTERRUPTS();
		find_leaders(bench, group + i, Min(VECIDX_GRAM_ROWS, count - i), norms, leaders, fan, assigned + (Size) i * fan);
	}
	sort_groups(assigned, count, fan, leaders, starts);
	for (Size i = (Size) count * fan; i-- > 0;)
		members[--starts[assigned[i]]] = group[i / fan];
	pfree(assigned);
	pfree(norms);
	for (uint32 i = 0; i < leaders; i++)
	{
		uint32		part = (uint32) (starts[i + 1] - starts[i]);

		cut_group(bench, members + starts[i], part, part < count ? depth + 1 : DEEPEST + 1, seed * VECIDX_LEADERS + i);
	}
	pfree(members);
	pfree(starts);
}

void
vecidx_weave_fill(VecIdxWeave *weave, VecIdxDeal *deal)
{
	Bench	   *bench = make_bench(weave);
	uint32		from;
	uint32		to;

	if (weave->leaders == 0)
	{
		if (vecidx_deal_take(deal, 1, 1, &from, &to))
			fill_from_leaf(bench, weave->order, weave->count, weave->effort.pool);
	}
	while (weave->leaders > 0 && vecidx_deal_take(deal, 1, weave->leaders, &from, &to))
		cut_group(bench, weave->group + weave->group_start[from],
				  (uint32) (weave->group_start[from + 1] - weave->group_start[from]), 1, from);
	free_bench(bench);
}
