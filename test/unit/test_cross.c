/*
 * test_cross.c
 *	  Sketches times sketches, and what lies below limits, in every kernel set.
 */
#include "c.h"

#include "kernel/kernel.h"
#include "unit.h"

#define MAX_SETS 4

#define MOST_ROWS 9
#define MOST_COLUMNS 21

/* What products hold before they are made, and must hold after where there are none. */
#define UNTOUCHED 0x5b5b5b5b

/* A sketch; extreme gives the largest coordinates there are. */
static int8 *
random_sketch(int n, bool extreme)
{
	int8	   *sketch = unit_alloc(n, unit_random_below(64));
	int8		top = unit_random_below(2) == 0 ? VECIDX_CROSS_MOST : -VECIDX_CROSS_MOST;

	for (int k = 0; k < n; k++)
		sketch[k] = extreme ? top : (int8) (unit_random_below(2 * VECIDX_CROSS_MOST + 1) - VECIDX_CROSS_MOST);
	return sketch;
}

static int32
product_of(const int8 *a, const int8 *b, int n)
{
	int32		product = 0;

	for (int k = 0; k < n; k++)
		product += a[k] * b[k];
	return product;
}

static void
check_cross(const VecIdxKernels *set, int rows, int columns, int n, bool extreme)
{
	int			stride = columns + unit_random_below(3) * unit_random_below(20);
	Size		room = rows == 0 ? 0 : (Size) (rows - 1) * stride + columns;
	uint8	   *lifted = unit_alloc((Size) rows * n, unit_random_below(64));
	const int8 **column = unit_alloc(columns * sizeof(int8 *), 0);
	const int8 *row[MOST_ROWS];
	int32	   *sums = unit_alloc(columns * sizeof(int32), 4 * unit_random_below(16));
	int32	   *products = unit_alloc(room * sizeof(int32), 4 * unit_random_below(16));
	VecIdxCross cross = {n, lifted, column, sums};

	for (int i = 0; i < rows; i++)
	{
		row[i] = random_sketch(n, extreme);
		for (int k = 0; k < n; k++)
			lifted[(Size) i * n + k] = (uint8) (row[i][k] + VECIDX_CROSS_LIFT);
	}
	for (int j = 0; j < columns; j++)
	{
		column[j] = random_sketch(n, extreme);
		sums[j] = 0;
		for (int k = 0; k < n; k++)
			sums[j] += VECIDX_CROSS_LIFT * column[j][k];
	}
	for (Size i = 0; i < room; i++)
		products[i] = UNTOUCHED;
	set->cross(&cross, rows, columns, products, stride);
	for (Size i = 0; i < room; i++)
	{
		int			place = (int) (i % stride);
		int32		expected = place < columns ? product_of(row[i / stride], column[place], n) : UNTOUCHED;

		unit_check(products[i] == expected, "%s cross n=%d, row %d of %d, column %d of %d: %d, expected %d",
				   set->name, n, (int) (i / stride), rows, place, columns, products[i], expected);
	}
}

static void
test_cross(const VecIdxKernels *set)
{
	unit_case("kernel %s: sketches times sketches", set->name);
	for (int rows = 0; rows <= MOST_ROWS; rows++)
	{
		for (int columns = 0; columns <= MOST_COLUMNS; columns++)
		{
			check_cross(set, rows, columns, 64 * unit_random_below(9), unit_random_below(4) == 0);
			unit_free_all();
		}
	}
	check_cross(set, 4, 8, 512, true);
	check_cross(set, 1, 3, 512, true);
	unit_free_all();
}

/* Numbers that a comparison may get wrong. */
static float
odd_float(float usual)
{
	switch (unit_random_below(20))
	{
		case 0:
			return NAN;
		case 1:
			return INFINITY;
		case 2:
			return -INFINITY;
		case 3:
			return FLT_MAX;
		case 4:
			return -FLT_MAX;
		default:
			return usual;
	}
}

static bool
equal_bits(float a, float b)
{
	return memcmp(&a, &b, sizeof(float)) == 0;
}

/* By the definition; hits in memory for as many as there may be. */
static void
check_below(const VecIdxKernels *set, const int32 *products, const float *others, const float *limits,
			float weight, int count)
{
	VecIdxHit  *hits = unit_alloc(count * sizeof(VecIdxHit), 4 * unit_random_below(16));
	int			found = set->below(products, others, limits, weight, count, hits);
	int			expected = 0;

	for (int i = 0; i < count; i++)
	{
		float		product = weight * (float) products[i];
		float		distance = others[i] - product;

		if (!(distance < limits[i]))
			continue;
		unit_check(expected < found && hits[expected].place == i && equal_bits(hits[expected].distance, distance),
				   "%s below, %d products, weight %g: hit %d is not product %d at %.9g",
				   set->name, count, weight, expected, i, distance);
		expected++;
	}
	unit_check(found == expected, "%s below, %d products, weight %g: %d hits, expected %d",
			   set->name, count, weight, found, expected);
}

static void
test_below(const VecIdxKernels *set)
{
	static const float weights[] = {1, 2, 0.37f};

	unit_case("kernel %s: products below limits", set->name);
	for (int round = 0; round < 600; round++)
	{
		int			count = round % 100;
		int			share = round % 3;	/* of hits: few, half, nearly all */
		float		weight = weights[unit_random_below(lengthof(weights))];
		int32	   *products = unit_alloc(count * sizeof(int32), 4 * unit_random_below(16));
		float	   *others = unit_random_floats(count);
		float	   *limits = unit_random_floats(count);

		for (int i = 0; i < count; i++)
		{
			/* beyond 24 bits integers are rounded, too */
			products[i] = (int32) (unit_random() >> 32) >> unit_random_below(32);
			others[i] = odd_float(1000 * others[i]);
			limits[i] = others[i] - weight * (float) products[i] + (share - 1) * 3 * fabsf(limits[i]);
			/* an equal distance is not below */
			if (unit_random_below(8) == 0)
				limits[i] = others[i] - weight * (float) products[i];
			else
				limits[i] = odd_float(limits[i]);
		}
		check_below(set, products, others, limits, weight, count);
		unit_free_all();
	}
}

void
suite_cross(void)
{
	const VecIdxKernels *sets[MAX_SETS];
	int			count = vecidx_kernels_available(sets, MAX_SETS);

	for (int i = 0; i < count; i++)
	{
		test_cross(sets[i]);
		test_below(sets[i]);
	}
}
