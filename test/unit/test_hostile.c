/*
 * test_hostile.c
 *	  Rows that break arithmetic: whatever they hold, as long as it is finite,
 *	  every number that comes out is finite.
 */
#include "c.h"

#include <float.h>

#include "fixture.h"
#include "kernel/kernel.h"
#include "unit.h"

#define MAX_SETS 4

/* Ways to fill a row. */
typedef enum Fill
{
	ZERO,
	ONE,
	CENTROID,
	HUGE_CONSTANT,
	HUGE_MIXED,
	LARGEST,
	LARGEST_NEGATIVE,
	LARGEST_ALTERNATING,
	TINY,
	SUBNORMAL,
	ONE_HUGE,
	ONE_TINY,
	HUGE_AND_TINY,
	ORDINARY,
	FILLS						/* number of them */
} Fill;

static float
element(Fill fill, int i, const float *centroid)
{
	switch (fill)
	{
		case ZERO:
			return 0;
		case ONE:
			return 1;
		case CENTROID:
			return centroid[i];
		case HUGE_CONSTANT:
			return 1e30f;
		case HUGE_MIXED:
			return (float) (1e30 * unit_random_normal());
		case LARGEST:
			return FLT_MAX;
		case LARGEST_NEGATIVE:
			return -FLT_MAX;
		case LARGEST_ALTERNATING:
			return i % 2 == 0 ? FLT_MAX : -FLT_MAX;
		case TINY:
			return (float) (1e-30 * unit_random_normal());
		case SUBNORMAL:
			return (float) ldexp(unit_random_below(100), -149);
		case ONE_HUGE:
			return i == 0 ? 1e30f : 0;
		case ONE_TINY:
			return i == 0 ? 1e-40f : 0;
		case HUGE_AND_TINY:
			return i % 3 == 0 ? 1e30f : 1e-30f;
		default:
			return (float) unit_random_normal();
	}
}

static void
check_finite(const char *what, Fill row, Fill other, double value)
{
	unit_check(isfinite(value), "%s of rows %d and %d is %g", what, row, other, value);
}

/* All that a stored row and a query say. */
static void
check_query(const VecIdxQuery *query, const Stored *stored, Fill i, Fill j)
{
	const VecIdxFactors *factors = &stored->factors;

	check_finite("estimate", i, j, vecidx_query_estimate(query, stored->code, factors->f0, factors->f1));
	check_finite("bound", i, j, vecidx_query_bound(query, factors->error));
	check_finite("distance", i, j, vecidx_query_distance(query, stored->rerank));
	check_finite("bound of the distance", i, j, vecidx_query_distance_bound(query, stored->rerank));
}

static void
check_all(const VecIdxQuantParams *params, const float *centroid)
{
	int			n = params->dimensions;
	Stored		stored[FILLS];
	bool		usable[FILLS];
	float	   *rows = unit_alloc((Size) FILLS * n * sizeof(float), 0);
	Fixture		fixture;

	fixture_make(&fixture, params, centroid);
	for (int i = 0; i < FILLS; i++)
	{
		float	   *row = rows + (Size) i * n;

		for (int j = 0; j < n; j++)
			row[j] = element(i, j, fixture.centroid);
		usable[i] = vecidx_quant_normalize(fixture.quantizer, row);
		if (!usable[i])
			continue;
		fixture_store(&fixture, row, &stored[i]);
		check_finite("f0", i, i, stored[i].factors.f0);
		check_finite("f1", i, i, stored[i].factors.f1);
		check_finite("error", i, i, stored[i].factors.error);
	}
	for (int j = 0; j < FILLS; j++)
	{
		VecIdxQuery *query;

		if (!usable[j])
			continue;
		query = fixture_query(&fixture, rows + (Size) j * n);
		for (int i = 0; i < FILLS; i++)
		{
			if (!usable[i])
				continue;
			check_query(query, &stored[i], i, j);
			check_finite("pair", i, j, vecidx_quant_pair(fixture.quantizer, stored[i].rerank, stored[j].rerank));
		}
	}
}

static void
test_hostile(VecIdxMetric metric, int dimensions)
{
	static const float centroids[] = {0, 0.5f, 1e-40f, 1e30f, -FLT_MAX};
	float	   *centroid;

	unit_case("hostile rows, %s, %d dimensions", fixture_metric_name(metric), dimensions);
	for (int c = 0; c < (int) lengthof(centroids); c++)
	{
		/* unit rows have no such mean */
		if (metric == VECIDX_COSINE && fabsf(centroids[c]) > 1)
			continue;
		for (VecIdxRerank rerank = VECIDX_RERANK_SQ4; rerank <= VECIDX_RERANK_FLOAT; rerank++)
		{
			VecIdxQuantParams params = {metric, rerank, dimensions, 1 << (rerank - 1), FIXTURE_SEED};

			centroid = unit_alloc(dimensions * sizeof(float), 0);
			for (int i = 0; i < dimensions; i++)
				centroid[i] = centroids[c];
			check_all(&params, centroid);
			unit_free_all();
		}
	}
}

/* A row at the centroid has nothing to estimate: all is exact. */
static void
test_centroid(int bits)
{
	VecIdxQuantParams params = {VECIDX_L2, VECIDX_RERANK_SQ8, 100, bits, FIXTURE_SEED};
	Fixture		fixture;
	float	   *rows;
	Stored		stored;
	VecIdxQuery *query;
	double		expected;
	double		estimate;

	unit_case("row at the centroid, %d bits", bits);
	rows = fixture_rows(VECIDX_L2, 100, 2);
	fixture_make(&fixture, &params, rows);
	fixture_store(&fixture, rows, &stored);
	expected = fixture_distance(VECIDX_L2, rows, rows + 100, 100);

	query = fixture_query(&fixture, rows + 100);
	estimate = vecidx_query_estimate(query, stored.code, stored.factors.f0, stored.factors.f1);
	unit_check(fabs(estimate - expected) <= 1e-5 * expected,
			   "the estimate of a row at the centroid is not exact");
	unit_check(vecidx_query_bound(query, stored.factors.error) == 0, "its bound is not 0");

	query = fixture_query(&fixture, rows);
	unit_check(vecidx_query_estimate(query, stored.code, stored.factors.f0, stored.factors.f1) == 0,
			   "its estimate from itself is not 0");
	fixture_store(&fixture, rows + 100, &stored);
	estimate = vecidx_query_estimate(query, stored.code, stored.factors.f0, stored.factors.f1);
	unit_check(fabs(estimate - expected) <= 1e-5 * expected,
			   "the estimate from a query at the centroid is not exact");
	unit_check(vecidx_query_bound(query, stored.factors.error) == 0, "the bound of that query is not 0");
}

/* Scaling by a power of two far from 1 must change nothing but the scale. */
static void
test_scale(int bits)
{
	enum
	{
		DIMENSIONS = 200
	};
	VecIdxQuantParams params = {VECIDX_IP, VECIDX_RERANK_SQ8, DIMENSIONS, bits, FIXTURE_SEED};
	Fixture		fixture;
	float	   *rows;
	Stored		plain;
	Stored		scaled;
	float		estimate;
	float		scaled_estimate;
	float		distance;
	VecIdxQuery *query;

	unit_case("scaled rows, %d bits", bits);
	rows = fixture_rows(VECIDX_IP, DIMENSIONS, 2);
	fixture_make(&fixture, &params, NULL);
	fixture_store(&fixture, rows, &plain);
	query = fixture_query(&fixture, rows + DIMENSIONS);
	estimate = vecidx_query_estimate(query, plain.code, plain.factors.f0, plain.factors.f1);
	distance = vecidx_query_distance(query, plain.rerank);

	for (int i = 0; i < DIMENSIONS; i++)
	{
		rows[i] = ldexpf(rows[i], 60);
		rows[DIMENSIONS + i] = ldexpf(rows[DIMENSIONS + i], -60);
	}
	fixture_store(&fixture, rows, &scaled);
	query = fixture_query(&fixture, rows + DIMENSIONS);
	unit_check(memcmp(plain.code, scaled.code, vecidx_quant_code_size(&params)) == 0,
			   "the code changed with the scale");
	scaled_estimate = vecidx_query_estimate(query, scaled.code, scaled.factors.f0, scaled.factors.f1);
	unit_check(fabs(scaled_estimate / estimate - 1) < 1e-5, "the estimate changed with the scale");
	unit_check(fabs(vecidx_query_distance(query, scaled.rerank) / distance - 1) < 1e-5,
			   "the distance changed with the scale");
}

void
suite_hostile(void)
{
	static const int dimension_list[] = {1, 2, 64, 100, 1000};
	const VecIdxKernels *sets[MAX_SETS];
	int			count = vecidx_kernels_available(sets, MAX_SETS);

	for (int s = 0; s < count; s++)
	{
		vecidx_kernels_force(sets[s]->name);
		for (int i = 0; i < (int) lengthof(dimension_list); i++)
		{
			test_hostile(VECIDX_L2, dimension_list[i]);
			test_hostile(VECIDX_IP, dimension_list[i]);
			test_hostile(VECIDX_COSINE, dimension_list[i]);
		}
	}
	vecidx_kernels_force("auto");
	for (int bits = 1; bits <= 8; bits *= 2)
	{
		test_centroid(bits);
		test_scale(bits);
	}
}
