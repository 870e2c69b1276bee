/*
 * test_sketch.c
 *	  Sketches tell who is near whom.
 */
#include "c.h"

#include "fixture.h"
#include "kernel/kernel.h"
#include "quant/sketch.h"
#include "unit.h"

#define SAMPLED		600
#define STORED		200
#define QUERIES		50

static const int dimension_list[] = {1, 3, 64, 100, 300, 1024};
static const VecIdxMetric metric_list[] = {VECIDX_L2, VECIDX_IP, VECIDX_COSINE, VECIDX_HAMMING};

/* Rows with their sketches. */
typedef struct Sketched
{
	int			count;
	const float *rows;
	int8	   *sketches;
	VecIdxSketchKey *keys;
} Sketched;

static VecIdxSketcher *
make_sketcher_of(VecIdxMetric metric, int dimensions, int width, const float *rows, int count)
{
	void	   *memory = unit_alloc(vecidx_sketcher_size(dimensions, width), 8);
	void	   *scratch = unit_alloc(vecidx_sketcher_scratch(dimensions, width, count), 8);

	return vecidx_sketcher_init(memory, metric, dimensions, width, rows, count, scratch);
}

/* As builds do it: wider where that is needed. */
static VecIdxSketcher *
make_sketcher(VecIdxMetric metric, int dimensions, const float *rows, int count)
{
	int			width = vecidx_sketcher_width(dimensions);
	VecIdxSketcher *sketcher = make_sketcher_of(metric, dimensions, width, rows, count);

	if (!vecidx_sketcher_suffices(sketcher))
		sketcher = make_sketcher_of(metric, dimensions, 2 * width, rows, count);
	return sketcher;
}

static Sketched
sketch(const VecIdxSketcher *sketcher, const float *rows, int count)
{
	Sketched	sketched = {.count = count,.rows = rows};
	float	   *products = unit_alloc((Size) count * sketcher->width * sizeof(float), 4);

	sketched.sketches = unit_alloc((Size) count * sketcher->width, unit_random_below(64));
	sketched.keys = unit_alloc(count * sizeof(VecIdxSketchKey), 4);
	vecidx_sketch_rows(sketcher, rows, count, products, sketched.sketches, sketched.keys);
	return sketched;
}

/* Row i of a from row j of b, in units of the sketcher. */
static double
apart(const VecIdxSketcher *sketcher, const Sketched *a, int i, const Sketched *b, int j)
{
	const int8 *x = a->sketches + (Size) i * sketcher->width;
	const int8 *y = b->sketches + (Size) j * sketcher->width;
	int			product = 0;

	for (int k = 0; k < sketcher->width; k++)
		product += x[k] * y[k];
	return (double) a->keys[i].own + a->keys[i].lift + b->keys[j].other - (double) sketcher->weight * product;
}

/*
 * Clusters of rows around an offset; both they and the rows in them vary less
 * and less from dimension to dimension.  Bits are the signs of such rows.
 */
static float *
make_rows(VecIdxMetric metric, int dimensions, int count)
{
	enum
	{
		CLUSTERS = 20
	};
	float	   *rows = unit_alloc((Size) count * dimensions * sizeof(float), 4);
	float	   *centres = unit_alloc((Size) CLUSTERS * dimensions * sizeof(float), 0);

	for (int i = 0; i < CLUSTERS * dimensions; i++)
		centres[i] = (float) (unit_random_normal() / sqrt(1 + 20.0 * (i % dimensions) / dimensions));
	for (int i = 0; i < count; i++)
	{
		const float *centre = centres + unit_random_below(CLUSTERS) * dimensions;
		float	   *row = rows + (Size) i * dimensions;

		for (int j = 0; j < dimensions; j++)
		{
			row[j] = (float) (centre[j] + 0.7 * unit_random_normal() / (1 + 20.0 * j / dimensions));
			if (metric == VECIDX_HAMMING)
				row[j] = row[j] > 0;
			else
				row[j] += 0.5f;
		}
		if (metric == VECIDX_COSINE && !vecidx_quant_unit(row, dimensions))
			unit_check(false, "row %d has no direction", i);
	}
	return rows;
}

static int
count_not_finite(const Sketched *sketched)
{
	int			count = 0;

	for (int i = 0; i < sketched->count; i++)
		count += !isfinite(sketched->keys[i].own) || !isfinite(sketched->keys[i].other) ||
			!isfinite(sketched->keys[i].lift);
	return count;
}

/* Rows that by sketches are no farther from a query than its truly nearest row, but are. */
static int
rank_of_nearest(const VecIdxSketcher *sketcher, const Sketched *queries, int i, const Sketched *stored)
{
	int			n = sketcher->dimensions;
	double		distances[STORED];
	double		estimates[STORED];
	int			nearest = 0;
	int			rank = 0;

	for (int j = 0; j < stored->count; j++)
	{
		distances[j] = fixture_distance(sketcher->metric, queries->rows + (Size) i * n, stored->rows + (Size) j * n, n);
		estimates[j] = apart(sketcher, queries, i, stored, j);
		if (distances[j] < distances[nearest] || (distances[j] == distances[nearest] && estimates[j] < estimates[nearest]))
			nearest = j;
	}
	for (int j = 0; j < stored->count; j++)
		rank += estimates[j] <= estimates[nearest] && distances[j] > distances[nearest];
	return rank;
}

/* How many of the queries find their nearest row among the ten nearest by sketches. */
static int
count_found(const VecIdxSketcher *sketcher, const float *queries, const float *stored)
{
	Sketched	by = sketch(sketcher, queries, QUERIES);
	Sketched	among = sketch(sketcher, stored, STORED);
	int			found = 0;

	for (int i = 0; i < QUERIES; i++)
		found += rank_of_nearest(sketcher, &by, i, &among) < 10;
	unit_check(count_not_finite(&by) + count_not_finite(&among) == 0, "keys are not finite");
	return found;
}

static void
test_near(VecIdxMetric metric, int dimensions)
{
	float	   *rows;
	VecIdxSketcher *sketcher;
	int			found;

	unit_case("sketches %s: the nearest is near, %d dimensions", fixture_metric_name(metric), dimensions);
	rows = make_rows(metric, dimensions, SAMPLED + STORED + QUERIES);
	sketcher = make_sketcher(metric, dimensions, rows, SAMPLED);
	found = count_found(sketcher, rows + (Size) (SAMPLED + STORED) * dimensions, rows + (Size) SAMPLED * dimensions);
	unit_check(found >= QUERIES * 95 / 100, "%d of %d are found, width %d, %.3f of the variance seen",
			   found, QUERIES, sketcher->width, sketcher->captured);
}

/*
 * Where the axes span all dimensions, an estimate is off by the rounding of
 * sketches alone: a step a coordinate, squared, and twice that times what
 * lies between the two, of which most averages out (standard deviation
 * 0.8 / scale times the distance).
 */
static void
test_exact(VecIdxMetric metric, int dimensions)
{
	enum
	{
		ROWS = 60
	};
	float	   *rows;
	VecIdxSketcher *sketcher;
	Sketched	sketched;

	unit_case("sketches %s: all of a row is seen, %d dimensions", fixture_metric_name(metric), dimensions);
	rows = make_rows(metric, dimensions, SAMPLED);
	sketcher = make_sketcher(metric, dimensions, rows, SAMPLED);
	sketched = sketch(sketcher, rows, ROWS);
	unit_check(sketcher->width >= dimensions && sketcher->captured > 0.999f, "width %d, %.4f of the variance seen",
			   sketcher->width, sketcher->captured);
	for (int i = 0; i < ROWS; i++)
	{
		const float *a = rows + (Size) i * dimensions;

		for (int j = 0; j < ROWS; j++)
		{
			const float *b = rows + (Size) j * dimensions;
			double		estimate = apart(sketcher, &sketched, i, &sketched, j) / sketcher->scale / sketcher->scale;
			double		expected = fixture_distance(metric, a, b, dimensions);
			double		apart_by = sqrt(fixture_distance(VECIDX_L2, a, b, dimensions));
			double		tolerance = sketcher->width / sketcher->scale / sketcher->scale + 4 * apart_by / sketcher->scale +
				0.001 * (fixture_distance(VECIDX_L2, a, sketcher->data, dimensions) +
						 fixture_distance(VECIDX_L2, b, sketcher->data, dimensions));

			if (metric == VECIDX_COSINE)
				expected = 2 + 2 * expected;
			if (metric == VECIDX_IP)
				expected += sqrt(-fixture_distance(metric, a, a, dimensions)) * sketcher->reach;
			unit_check(fabs(estimate - expected) <= tolerance, "%d from %d: %g, expected %g", i, j, estimate, expected);
			unit_check(estimate >= -tolerance, "%d from %d: %g is negative", i, j, estimate);
		}
	}
}

/* What is found does not depend on the unit in which rows are measured. */
static void
test_sizes(VecIdxMetric metric, int dimensions)
{
	static const double sizes[] = {1e-34, 1e-20, 1e18, 1e36};
	float	   *rows;
	float	   *scaled;
	Size		n = (Size) (SAMPLED + STORED + QUERIES) * dimensions;

	unit_case("sketches %s: huge and tiny rows, %d dimensions", fixture_metric_name(metric), dimensions);
	rows = make_rows(metric, dimensions, SAMPLED + STORED + QUERIES);
	scaled = unit_alloc(n * sizeof(float), 4);
	for (int i = 0; i < (int) lengthof(sizes); i++)
	{
		VecIdxSketcher *sketcher;
		int			found;

		for (Size j = 0; j < n; j++)
			scaled[j] = (float) (rows[j] * sizes[i]);
		sketcher = make_sketcher(metric, dimensions, scaled, SAMPLED);
		found = count_found(sketcher, scaled + (Size) (SAMPLED + STORED) * dimensions, scaled + (Size) SAMPLED * dimensions);
		unit_check(found >= QUERIES * 95 / 100, "size %g: %d of %d are found", sizes[i], found, QUERIES);
	}
}

/* Rows that have nothing to tell apart, and rows unlike the sample. */
static void
test_degenerate(VecIdxMetric metric, int dimensions)
{
	static const float values[] = {0, 1, -1e-40f, 1e30f, FLT_MAX, -FLT_MAX};
	float	   *same;
	float	   *odd;

	unit_case("sketches %s: constant rows, one row, extreme rows, %d dimensions", fixture_metric_name(metric), dimensions);
	same = unit_alloc((Size) 100 * dimensions * sizeof(float), 4);
	odd = unit_alloc(2 * (Size) dimensions * sizeof(float), 4);
	for (int i = 0; i < (int) lengthof(values); i++)
	{
		for (int count = 1; count <= 100; count += 99)
		{
			VecIdxSketcher *sketcher;
			Sketched	among;
			Sketched	unlike;

			for (int j = 0; j < count * dimensions; j++)
				same[j] = values[i];
			for (int j = 0; j < 2 * dimensions; j++)
				odd[j] = (j % 2 == 0) == (j < dimensions) ? FLT_MAX : -FLT_MAX;
			sketcher = make_sketcher(metric, dimensions, same, count);
			among = sketch(sketcher, same, count);
			unlike = sketch(sketcher, odd, 2);
			unit_check(sketcher->width == vecidx_sketcher_width(dimensions) && sketcher->captured == 1,
					   "value %g: width %d, %g of nothing seen", values[i], sketcher->width, sketcher->captured);
			unit_check(count_not_finite(&among) == 0, "value %g, %d rows: keys are not finite", values[i], count);
			unit_check(count_not_finite(&unlike) == 0, "value %g, %d rows: keys of extreme rows are not finite",
					   values[i], count);
			for (int j = 1; j < count; j++)
				unit_check(memcmp(among.sketches, among.sketches + (Size) j * sketcher->width, sketcher->width) == 0,
						   "value %g: equal rows have other sketches", values[i]);
		}
	}
}

static void
test_widths(void)
{
	VecIdxSketcher widest = {.width = VECIDX_SKETCH_MAX,.captured = 0.1f};
	float	   *rows;

	unit_case("sketches: widths");
	for (int dimensions = 1; dimensions <= VECIDX_MAX_DIMENSIONS; dimensions++)
	{
		int			width = vecidx_sketcher_width(dimensions);

		unit_check(width >= 64 && width % 64 == 0 && 2 * width <= VECIDX_SKETCH_MAX, "%d dimensions: width %d",
				   dimensions, width);
		unit_check(width >= dimensions || 2 * width == VECIDX_SKETCH_MAX, "%d dimensions: width %d", dimensions, width);
	}
	unit_check(vecidx_sketcher_suffices(&widest), "the widest is not the end of it");
	rows = unit_alloc((Size) 2048 * 600 * sizeof(float), 4);
	for (int i = 0; i < 2048 * 600; i++)
		rows[i] = (float) unit_random_normal();
	unit_check(!vecidx_sketcher_suffices(make_sketcher_of(VECIDX_L2, 600, 256, rows, 2048)),
			   "half of the dimensions suffice where all vary alike");
}

/* A sketcher is plain bytes; a row's sketch is the same in any company. */
static void
test_copy(void)
{
	enum
	{
		DIMENSIONS = 300,
		ROWS = 40
	};
	float	   *rows;
	VecIdxSketcher *sketcher;
	VecIdxSketcher *copy;
	Size		size;
	Sketched	all;

	unit_case("sketches: copies, and rows one by one");
	rows = make_rows(VECIDX_L2, DIMENSIONS, ROWS);
	sketcher = make_sketcher(VECIDX_L2, DIMENSIONS, rows, ROWS);
	size = vecidx_sketcher_size(DIMENSIONS, sketcher->width);
	copy = unit_alloc(size, 24);
	memcpy(copy, sketcher, size);
	all = sketch(sketcher, rows, ROWS);
	memset(sketcher, 0, size);
	sketch(copy, rows, 0);
	for (int i = 0; i < ROWS; i++)
	{
		Sketched	alone = sketch(copy, rows + (Size) i * DIMENSIONS, 1);

		unit_check(memcmp(alone.sketches, all.sketches + (Size) i * copy->width, copy->width) == 0 &&
				   memcmp(alone.keys, all.keys + i, sizeof(VecIdxSketchKey)) == 0, "row %d alone has another sketch", i);
	}
}

void
suite_sketch(void)
{
	test_widths();
	test_copy();
	for (int i = 0; i < (int) lengthof(metric_list); i++)
	{
		VecIdxMetric metric = metric_list[i];

		for (int j = 0; j < (int) lengthof(dimension_list); j++)
		{
			/* a direction or a bit alone tells nothing; what is slow is done once */
			if ((dimension_list[j] > 1 && dimension_list[j] < 1024) || metric == VECIDX_L2)
				test_near(metric, dimension_list[j]);
			if (dimension_list[j] <= 128 && metric != VECIDX_HAMMING)
				test_exact(metric, dimension_list[j]);
			if (dimension_list[j] <= 64 || (dimension_list[j] == 300 && metric == VECIDX_IP))
				test_degenerate(metric, dimension_list[j]);
		}
	}
	for (int i = 0; i < 2; i++)
	{
		test_sizes(metric_list[i], 3);
		test_sizes(metric_list[i], 300);
	}
}
