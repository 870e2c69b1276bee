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

/* What a process works with. */
typedef struct Bench
{
	VecIdxWeave *weave;
	const VecIdxKernels *kernels;
	int			width;
	int16	   *rows;			/* VECIDX_LEAF sketches */
	int16	   *panels;			/* of leaders or of a leaf's members */
	uint32		panel_room;		/* sketches that panels hold */
	int32	   *products;		/* ROWS times those */
	float	   *distances;		/* a row of them */
	MemoryContext context;
} Bench;

static Bench *
make_bench(VecIdxWeave *weave)
{
	Bench	   *bench = palloc0(sizeof(Bench));
	uint32		room = Max(VECIDX_LEADERS + VECIDX_PANEL, VECIDX_LEAF);

	bench->weave = weave;
	bench->kernels = vecidx_kernels();
	bench->width = weave->points->shape.width;
	bench->rows = palloc(VECIDX_LEAF * bench->width * sizeof(int16));
	bench->panels = palloc(room * bench->width * sizeof(int16));
	bench->products = palloc(ROWS * room * sizeof(int32));
	bench->distances = palloc(room * sizeof(float));
	bench->panel_room = room;
	bench->context = AllocSetContextCreate(CurrentMemoryContext, "vecidx groups", ALLOCSET_DEFAULT_SIZES);
	return bench;
}

static void
free_bench(Bench *bench)
{
	MemoryContextDelete(bench->context);
	pfree(bench->rows);
	pfree(bench->panels);
	pfree(bench->products);
	pfree(bench->distances);
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
widen(const int8 *sketch, int width, int16 *row)
{
	for (int i = 0; i < width; i++)
		row[i] = sketch[i];
}

/* Lays the sketches of members out in panels; the last one is filled up with zeros. */
static void
lay_panels(Bench *bench, const uint32 *members, uint32 count)
{
	int			width = bench->width;

	for (uint32 i = 0; i < PANELS(count) * VECIDX_PANEL; i++)
	{
		int16	   *panel = bench->panels + (Size) (i / VECIDX_PANEL) * VECIDX_PANEL * width + 2 * (i % VECIDX_PANEL);
		const int8 *sketch = i < count ? sketch_of(bench, members[i]) : NULL;

		for (int k = 0; k < width; k += 2)
		{
			panel[k * VECIDX_PANEL] = sketch != NULL ? sketch[k] : 0;
			panel[k * VECIDX_PANEL + 1] = sketch != NULL ? sketch[k + 1] : 0;
		}
	}
}

/* Products of rows with all that lies in panels; row i's begin at i * panel_room. */
static void
multiply(Bench *bench, const int16 *rows, int count, uint32 columns)
{
	for (uint32 p = 0; p < PANELS(columns); p++)
		bench->kernels->panel_i16(rows, count, bench->panels + (Size) p * VECIDX_PANEL * bench->width, bench->width,
								  bench->products + p * VECIDX_PANEL, bench->panel_room);
}

/* A distance from a row, with whose it is. */
typedef struct Near
{
	float		distance;
	uint32		place;
} Near;

/* The nearest few of distances, in order; among equals the first.  Returns their number. */
static int
take_nearest(const float *distances, uint32 count, int wanted, Near *nearest)
{
	int			kept = 0;

	for (uint32 i = 0; i < count; i++)
	{
		float		distance = distances[i];
		int			at;

		if (likely(kept == wanted && !(distance < nearest[kept - 1].distance)))
			continue;
		at = kept < wanted ? kept++ : kept - 1;
		for (; at > 0 && nearest[at - 1].distance > distance; at--)
			nearest[at] = nearest[at - 1];
		nearest[at].distance = distance;
		nearest[at].place = i;
	}
	return kept;
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
	lay_panels(bench, drawn, leaders);
	for (uint32 i = 0; i < leaders; i++)
	{
		const int8 *sketch = sketch_of(bench, drawn[i]);
		int32		norm = 0;

		for (int k = 0; k < bench->width; k++)
			norm += sketch[k] * sketch[k];
		norms[i] = norm;
	}
	pfree(drawn);
}

/* The nearest leaders of at most ROWS members. */
static void
find_leaders(Bench *bench, const uint32 *members, int count, const float *norms, uint32 leaders, int fan,
			 uint16 *assigned)
{
	for (int i = 0; i < count; i++)
		widen(sketch_of(bench, members[i]), bench->width, bench->rows + i * bench->width);
	multiply(bench, bench->rows, count, leaders);
	for (int i = 0; i < count; i++)
	{
		const int32 *products = bench->products + i * bench->panel_room;
		Near		nearest[VECIDX_FAN];
		int			found;

		for (uint32 j = 0; j < leaders; j++)
			bench->distances[j] = norms[j] - 2.0f * products[j];
		found = take_nearest(bench->distances, leaders, fan, nearest);
		for (int j = 0; j < fan; j++)
			assigned[i * fan + j] = nearest[Min(j, found - 1)].place;
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
offer_nearest(Bench *bench, const uint32 *leaf, uint32 at, const Near *nearest, int count)
{
	VecIdxWeave *weave = bench->weave;
	const VecIdxSketchKey *key = key_of(bench, leaf[at]);

	for (int i = 0; i < count; i++)
	{
		uint32		other = leaf[nearest[i].place];
		const VecIdxSketchKey *other_key = key_of(bench, other);

		vecidx_weave_offer(weave, leaf[at], other, key->own + nearest[i].distance);
		vecidx_weave_offer(weave, other, leaf[at],
						   other_key->own + nearest[i].distance - other_key->other + key->other);
	}
}

static void
fill_from_leaf(Bench *bench, const uint32 *leaf, uint32 count, int wanted)
{
	float		weight = bench->weave->points->weight;
	float		others[VECIDX_LEAF];

	if (count < 2)
		return;
	CHECK_FOR_INTERRUPTS();
	lay_panels(bench, leaf, count);
	for (uint32 i = 0; i < count; i++)
	{
		widen(sketch_of(bench, leaf[i]), bench->width, bench->rows + i * bench->width);
		others[i] = key_of(bench, leaf[i])->other;
	}
	for (uint32 i = 0; i < count; i++)
	{
		const int32 *products = bench->products + i % ROWS * bench->panel_room;
		Near		nearest[VECIDX_POOL_MAX];

		if (i % ROWS == 0)
			multiply(bench, bench->rows + i * bench->width, Min(ROWS, count - i), count);
		for (uint32 j = 0; j < count; j++)
			bench->distances[j] = others[j] - weight * products[j];
		bench->distances[i] = FLT_MAX;
		offer_nearest(bench, leaf, i, nearest, take_nearest(bench->distances, count, Min(wanted, (int) count - 1), nearest));
	}
}

/* What cannot be told apart by leaders any more. */
static void
cut_plainly(Bench *bench, const uint32 *group, uint32 count)
{
	for (uint32 i = 0; i < count; i += VECIDX_LEAF)
		fill_from_leaf(bench, group + i, Min(VECIDX_LEAF, count - i), bench->weave->effort.nearest);
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
