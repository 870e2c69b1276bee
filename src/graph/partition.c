/*
 * partition.c
 *	  Members of a level, cut into overlapping leaves; pools filled from leaves.
 *
 * A group of members is cut up by leaders, members of it drawn by chance:
 * each member goes to those nearest to it.  The whole level is cut up first,
 * with VECIDX_FAN leaders for each member; every group of that again, with
 * LATER_FAN; and what is then still larger than a leaf, with one.  So a member
 * meets what is near it in some thirty leaves.
 */
#include "postgres.h"

#include <float.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "graph/weave.h"
#include "kernel/kernel.h"

/* Of a leaf, on average: leaders are drawn for that. */
#define LEAF_MEAN		160

/* Leaders of a member in the second step. */
#define LATER_FAN		3

/* Members that a process assigns at a time; rows whose products are made at a time. */
#define PIECE			1024
#define ROWS			16

/* Groups nest no deeper than that: what cannot be told apart is cut up as it comes. */
#define DEEPEST			8

#define PANELS(count)	(((count) + VECIDX_PANEL - 1) / VECIDX_PANEL)

/* Columns whose products are looked at before the limits are drawn closer. */
#define STRETCH			64

/* The nearest of a row so far, in order; then the first come among equals. */
typedef struct Nearest
{
	int			count;
	VecIdxHit	hit[VECIDX_POOL_MAX];
} Nearest;

/* What a process works with. */
typedef struct Bench
{
	VecIdxWeave *weave;
	const VecIdxKernels *kernels;
	int			width;
	int16	   *rows;			/* VECIDX_LEAF sketches */
	int16	   *panels;			/* of leaders or of a leaf's members */
	uint32		room;			/* sketches that panels hold */
	int32	   *products;		/* ROWS times those */
	float	   *others;			/* of distances, as many */
	float	   *limits;
	Nearest    *nearest;		/* of VECIDX_LEAF rows */
	MemoryContext context;
} Bench;

static Bench *
make_bench(VecIdxWeave *weave)
{
	Bench	   *bench = palloc0(sizeof(Bench));
	uint32		room = Max(VECIDX_LEADERS + VECIDX_PANEL, VECIDX_LEAF);

	bench->context = AllocSetContextCreate(CurrentMemoryContext, "vecidx partition", ALLOCSET_DEFAULT_SIZES);
	bench->weave = weave;
	bench->kernels = vecidx_kernels();
	bench->width = weave->points->shape.width;
	bench->room = room;
	bench->rows = MemoryContextAlloc(bench->context, VECIDX_LEAF * bench->width * sizeof(int16));
	bench->panels = MemoryContextAlloc(bench->context, room * bench->width * sizeof(int16));
	bench->products = MemoryContextAlloc(bench->context, ROWS * room * sizeof(int32));
	bench->others = MemoryContextAlloc(bench->context, room * sizeof(float));
	bench->limits = MemoryContextAlloc(bench->context, room * sizeof(float));
	bench->nearest = MemoryContextAlloc(bench->context, VECIDX_LEAF * sizeof(Nearest));
	return bench;
}

static void
free_bench(Bench *bench)
{
	MemoryContextDelete(bench->context);
	pfree(bench);
}

static inline const int8 *
sketch_of(const Bench *bench, uint32 member)
{
	return vecidx_points_sketch(bench->weave->points, vecidx_weave_point(bench->weave, member));
}

static inline const VecIdxSketchKey *
key_of(const Bench *bench, uint32 member)
{
	return &bench->weave->points->keys[vecidx_weave_point(bench->weave, member)];
}

static void
widen(const int8 *pg_restrict sketch, int width, int16 *pg_restrict row)
{
	/* a fixed number at a time, so that any compiler makes vectors of it */
	for (int k = 0; k < width; k += 16)
	{
		for (int j = 0; j < 16; j++)
			row[k + j] = sketch[k + j];
	}
}

/* Sketches that are on their way while others are laid out. */
#define AHEAD			8

/* Lays the sketches of members out as rows. */
static void
lay_rows(Bench *bench, const uint32 *members, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
	{
		for (int k = 0; k < bench->width && i + AHEAD < count; k += 64)
			__builtin_prefetch(sketch_of(bench, members[i + AHEAD]) + k);
		widen(sketch_of(bench, members[i]), bench->width, bench->rows + i * bench->width);
	}
}

/* Lays at most VECIDX_PANEL rows out as a panel, which is filled up with zeros. */
static void
lay_panel(const int16 *rows, int count, int width, int16 *panel)
{
	if (count < VECIDX_PANEL)
		memset(panel, 0, VECIDX_PANEL * width * sizeof(int16));
	for (int k = 0; k < width; k += 2)
	{
		for (int j = 0; j < count; j++)
			memcpy(panel + k * VECIDX_PANEL + 2 * j, rows + j * width + k, 2 * sizeof(int16));
	}
}

/* Products of rows with the panels from number "first" on, to column "end". */
static void
multiply(Bench *bench, const int16 *rows, int count, uint32 first, uint32 end)
{
	for (uint32 p = first; p < PANELS(end); p++)
		bench->kernels->panel_i16(rows, count, bench->panels + (Size) p * VECIDX_PANEL * bench->width, bench->width,
								  bench->products + p * VECIDX_PANEL, bench->room);
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
		found = bench->kernels->below(products + from, bench->others + from, limits,
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
	for (uint32 i = 0; i < leaders; i += VECIDX_PANEL)
	{
		int			count = Min(VECIDX_PANEL, leaders - i);

		lay_rows(bench, drawn + i, count);
		lay_panel(bench->rows, count, bench->width, bench->panels + i * bench->width);
	}
	for (uint32 i = 0; i < leaders; i++)
	{
		const int8 *sketch = sketch_of(bench, drawn[i]);
		int32		norm = 0;

		for (int k = 0; k < bench->width; k++)
			norm += sketch[k] * sketch[k];
		norms[i] = norm * (bench->weave->points->weight / 2);
	}
	pfree(drawn);
}

/* The nearest leaders of at most ROWS members. */
static void
find_leaders(Bench *bench, const uint32 *members, int count, const float *norms, uint32 leaders, int fan,
			 uint16 *assigned)
{
	memcpy(bench->others, norms, leaders * sizeof(float));
	lay_rows(bench, members, count);
	multiply(bench, bench->rows, count, 0, leaders);
	for (int i = 0; i < count; i++)
	{
		Nearest    *nearest = bench->nearest;

		nearest->count = 0;
		take_nearest(bench, bench->products + i * bench->room, 0, leaders, fan, nearest);
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
		for (uint32 i = from; i < to; i += ROWS)
		{
			uint32		members[ROWS];
			int			count = Min(ROWS, to - i);

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
		weave->group[--weave->group_start[weave->assigned[i]]] = (uint32) (i / VECIDX_FAN);

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

/* Offers a member and those nearest to it to each other. */
static void
offer_nearest(Bench *bench, const uint32 *leaf, uint32 at)
{
	VecIdxWeave *weave = bench->weave;
	const Nearest *nearest = &bench->nearest[at];
	const VecIdxSketchKey *key = key_of(bench, leaf[at]);

	for (int i = 0; i < nearest->count; i++)
	{
		uint32		other = leaf[nearest->hit[i].place];
		float		distance = nearest->hit[i].distance;
		const VecIdxSketchKey *other_key = key_of(bench, other);

		vecidx_weave_offer(weave, leaf[at], other, key->own + distance);
		vecidx_weave_offer(weave, other, leaf[at], other_key->own + distance - other_key->other + key->other);
	}
}

/* Enters row i into the nearest of the members behind "from" that find it near. */
static void
take_back(Bench *bench, uint32 i, float other, uint32 from, uint32 end, int wanted)
{
	const int32 *products = bench->products + i % ROWS * bench->room;
	VecIdxHit	hits[VECIDX_LEAF];
	float		others[VECIDX_LEAF];
	int			found;

	for (uint32 j = from; j < end; j++)
		others[j] = other;
	found = bench->kernels->below(products + from, others + from, bench->limits + from,
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
 * products with those behind it are made, by panels.
 */
static void
fill_from_leaf(Bench *bench, const uint32 *leaf, uint32 count, int wanted)
{
	int			width = bench->width;

	if (count < 2)
		return;
	CHECK_FOR_INTERRUPTS();
	wanted = Min(wanted, (int) count - 1);
	lay_rows(bench, leaf, count);
	for (uint32 i = 0; i < count; i++)
	{
		if (i % VECIDX_PANEL == 0)
			lay_panel(bench->rows + i * width, Min(VECIDX_PANEL, count - i), width, bench->panels + i * width);
		bench->others[i] = key_of(bench, leaf[i])->other;
		bench->limits[i] = FLT_MAX;
		bench->nearest[i].count = 0;
	}
	for (uint32 i = 0; i < count; i++)
	{
		const int32 *products = bench->products + i % ROWS * bench->room;

		if (i % ROWS == 0)
			multiply(bench, bench->rows + i * width, Min(ROWS, count - i), i / VECIDX_PANEL, count);
		take_nearest(bench, products, i + 1, count, wanted, &bench->nearest[i]);
		take_back(bench, i, bench->others[i], i + 1, count, wanted);
	}
	for (uint32 i = 0; i < count; i++)
		offer_nearest(bench, leaf, i);
}

/* What cannot be told apart by leaders any more, more than a leaf; nobody is left alone. */
static void
cut_plainly(Bench *bench, const uint32 *group, uint32 count)
{
	for (uint32 i = 0; i < count; i += VECIDX_LEAF)
		fill_from_leaf(bench, group + Min(i, count - VECIDX_LEAF), VECIDX_LEAF, bench->weave->effort.nearest);
}

static void
cut_group(Bench *bench, const uint32 *group, uint32 count, int depth)
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
		cut_plainly(bench, group, count);
		return;
	}
	norms = palloc(leaders * sizeof(float));
	assigned = palloc_extended((Size) count * fan * sizeof(uint16), MCXT_ALLOC_HUGE);
	starts = palloc((leaders + 1) * sizeof(uint64));
	members = palloc_extended((Size) count * fan * sizeof(uint32), MCXT_ALLOC_HUGE);
	draw_leaders(bench, group, count, leaders, norms);
	for (uint32 i = 0; i < count; i += ROWS)
	{
		CHECK_FOR_INTERRUPTS();
		find_leaders(bench, group + i, Min(ROWS, count - i), norms, leaders, fan, assigned + (Size) i * fan);
	}
	sort_groups(assigned, count, fan, leaders, starts);
	for (Size i = (Size) count * fan; i-- > 0;)
		members[--starts[assigned[i]]] = group[i / fan];
	pfree(assigned);
	pfree(norms);
	for (uint32 i = 0; i < leaders; i++)
	{
		uint32		part = (uint32) (starts[i + 1] - starts[i]);

		cut_group(bench, members + starts[i], part, part < count ? depth + 1 : DEEPEST + 1);
	}
	pfree(members);
	pfree(starts);
}

void
vecidx_weave_fill(VecIdxWeave *weave, VecIdxDeal *deal)
{
	Bench	   *bench = make_bench(weave);
	MemoryContext old = MemoryContextSwitchTo(bench->context);
	uint32		from;
	uint32		to;

	if (weave->leaders == 0)
	{
		if (vecidx_deal_take(deal, 1, 1, &from, &to))
			fill_from_leaf(bench, weave->order, weave->count, weave->effort.pool);
	}
	while (weave->leaders > 0 && vecidx_deal_take(deal, 1, weave->leaders, &from, &to))
		cut_group(bench, weave->group + weave->group_start[from],
				  (uint32) (weave->group_start[from + 1] - weave->group_start[from]), 1);
	MemoryContextSwitchTo(old);
	free_bench(bench);
}
