/*
 * test_panel.c
 *	  Rows times panels, in every kernel set.
 */
#include "c.h"

#include "kernel/kernel.h"
#include "unit.h"

#define MAX_SETS 4

#define MOST_ROWS 40

/* What products hold before they are made, and must hold after where there are none. */
#define UNTOUCHED 0x5b

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
	float	   *rows = unit_random_floats((Size) count * n);
	float	   *panel = unit_random_floats((Size) n * VECIDX_PANEL);
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

void
suite_panel(void)
{
	const VecIdxKernels *sets[MAX_SETS];
	int			count = vecidx_kernels_available(sets, MAX_SETS);

	for (int i = 0; i < count; i++)
		test_floats(sets[i]);
}
