/*
 * test_panel.c
 *	  Rows times panels, and what lies below limits, in every kernel set.
 */
#include "c.h"

#include "kernel/kernel.h"
#include "unit.h"

#define MAX_SETS 4

#define MOST_ROWS 40

/* What products hold before they are made, and must hold after where there are none. */
#define UNTOUCHED 0x5b

static float *
random_floats(Size n)
{
	float	   *x = unit_alloc(n * sizeof(float), 4 * unit_random_below(16));

	for (Size i = 0; i < n; i++)
		x[i] = (float) unit_random_normal();
	return x;
}

/* Sketches' integers; extreme gives the largest there are. */
static int16 *
random_integers(Size n, bool extreme)
{
	int16	   *x = unit_alloc(n * sizeof(int16), 2 * unit_random_below(32));
	int16		top = unit_random_below(2) == 0 ? 127 : -127;

	for (Size i = 0; i < n; i++)
		x[i] = extreme ? top : (int16) (unit_random_below(255) - 127);
	return x;
}

/* Memory for products that ends with the last of them. */
static void *
make_products(int count, int stride)
{
	Size		size = count == 0 ? 0 : ((Size) (count - 1) * stride + VECIDX_PANEL) * 4;
	void	   *products = unit_alloc(size, 4 * unit_random_below(16));

	memset(products, UNTOUCHED, size);
	return products;
}

/* Between the columns of one row and the next nothing is written. */
static void
check_gaps(const VecIdxKernels *set, const char *entry, const void *products, int count, int stride)
{
	const uint8 *bytes = products;
	int			touched = 0;

	for (int i = 0; i + 1 < count; i++)
	{
		for (Size j = VECIDX_PANEL * 4; j < (Size) stride * 4; j++)
			touched += bytes[(Size) i * stride * 4 + j] != UNTOUCHED;
	}
	unit_check(touched == 0, "%s %s of %d rows, stride %d: %d bytes beside the products are written",
			   set->name, entry, count, stride, touched);
}

static void
check_floats(const VecIdxKernels *set, int count, int n, float size)
{
	int			stride = VECIDX_PANEL + unit_random_below(3) * unit_random_below(20);
	float	   *rows = random_floats((Size) count * n);
	float	   *panel = random_floats((Size) n * VECIDX_PANEL);
	float	   *products = make_products(count, stride);

	for (Size i = 0; i < (Size) count * n; i++)
		rows[i] *= size;
	set->panel_f32(rows, count, panel, n, products, stride);
	for (int i = 0; i < count; i++)
	{
		for (int j = 0; j < VECIDX_PANEL; j++)
		{
			float		found = products[(Size) i * stride + j];
			double		expected = 0;
			double		magnitude = 0;

			for (int k = 0; k < n; k++)
			{
				double		term = (double) rows[(Size) i * n + k] * panel[(Size) k * VECIDX_PANEL + j];

				expected += term;
				magnitude += fabs(term);
			}
			unit_check(fabs(found - expected) <= 1e-6 * magnitude, "%s panel_f32 n=%d, row %d of %d, column %d: %.9g, expected %.9g",
					   set->name, n, i, count, j, found, expected);
		}
	}
	check_gaps(set, "panel_f32", products, count, stride);
}

static void
test_floats(const VecIdxKernels *set)
{
	static const int lengths[] = {784, 1024, 1999, 16000};

	unit_case("kernel %s: float panels", set->name);
	for (int round = 0; round < 3 * (MOST_ROWS + 1); round++)
	{
		check_floats(set, round % (MOST_ROWS + 1), round < 40 ? round : unit_random_below(300), 1);
		unit_free_all();
	}
	for (int i = 0; i < (int) lengthof(lengths); i++)
	{
		check_floats(set, 1 + unit_random_below(8), lengths[i], 1);
		unit_free_all();
	}
	check_floats(set, 13, 100, 1e35f);
	check_floats(set, 13, 100, 1e-30f);
}

static void
check_integers(const VecIdxKernels *set, int count, int n, bool extreme)
{
	int			stride = VECIDX_PANEL + unit_random_below(3) * unit_random_below(20);
	int16	   *rows = random_integers((Size) count * n, extreme);
	int16	   *panel = random_integers((Size) n * VECIDX_PANEL, extreme);
	int32	   *products = make_products(count, stride);

	set->panel_i16(rows, count, panel, n, products, stride);
	for (int i = 0; i < count; i++)
	{
		for (int j = 0; j < VECIDX_PANEL; j++)
		{
			int32		found = products[(Size) i * stride + j];
			int32		expected = 0;

			for (int k = 0; k < n; k++)
				expected += rows[(Size) i * n + k] * panel[k / 2 * 2 * VECIDX_PANEL + 2 * j + k % 2];
			unit_check(found == expected, "%s panel_i16 n=%d, row %d of %d, column %d: %d, expected %d",
					   set->name, n, i, count, j, found, expected);
		}
	}
	check_gaps(set, "panel_i16", products, count, stride);
}

static void
test_integers(const VecIdxKernels *set)
{
	unit_case("kernel %s: integer panels", set->name);
	for (int round = 0; round < 4 * (MOST_ROWS + 1); round++)
	{
		int			n = round < 40 ? 2 * round : 2 * unit_random_below(257);

		check_integers(set, round % (MOST_ROWS + 1), round % 10 == 9 ? 512 : n, round % 5 == 4);
		unit_free_all();
	}
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
		float	   *others = random_floats(count);
		float	   *limits = random_floats(count);

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
suite_panel(void)
{
	const VecIdxKernels *sets[MAX_SETS];
	int			count = vecidx_kernels_available(sets, MAX_SETS);

	for (int i = 0; i < count; i++)
	{
		test_floats(sets[i]);
		test_integers(sets[i]);
		test_below(sets[i]);
	}
}
