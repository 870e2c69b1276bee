/*
 * test_rerank.c
 *	  Distances from rerank vectors, and of pairs of them, against double.
 */
#include "c.h"

#include "fixture.h"
#include "quant/quant_internal.h"
#include "unit.h"

static const int dimension_list[] = {3, 64, 100, 256, 784, 1024, 1536, 16000};

#define ROWS 40

/*
 * The error that is allowed on average, as a share of |r| |z| (twice that for
 * L2), r and z measured from the centroid for SQ4 and SQ8, else from zero.
 */
static double
expected_error(const VecIdxQuantParams *params)
{
	double		root = sqrt(vecidx_quant_padded(params) - 1);

	switch (params->rerank)
	{
		case VECIDX_RERANK_SQ4:
			return vecidx_quant_noise(4) / root;
		case VECIDX_RERANK_SQ8:
			return vecidx_quant_noise(8) / root;
		case VECIDX_RERANK_HALF:
			/* 11 bits, each element rounded on its own; large ones meet large ones */
			return ldexp(1, -11) / sqrt(params->dimensions);
		default:
			/* the sum is a float, and so are its parts */
			return ldexp(1, -22);
	}
}

static double
error_unit(const Fixture *fixture, const float *a, const float *b)
{
	int			n = fixture->params.dimensions;
	double		unit = fixture->params.metric == VECIDX_L2 ? 2 : 1;

	if (vecidx_quant_rerank_bits(&fixture->params) != 0)
		return unit * fixture_apart(a, fixture->centroid, n) * fixture_apart(b, fixture->centroid, n);
	return unit * sqrt(-fixture_distance(VECIDX_IP, a, a, n)) * sqrt(-fixture_distance(VECIDX_IP, b, b, n));
}

static void
check_distances(const Fixture *fixture, const float *rows, const Stored *stored)
{
	int			n = fixture->params.dimensions;
	double		expected = expected_error(&fixture->params);
	double		squares = 0;
	int			outside = 0;
	double		rms;

	for (int j = 0; j < ROWS; j++)
	{
		const float *z = rows + (Size) (ROWS + j) * n;
		VecIdxQuery *query = fixture_query(fixture, z);

		for (int i = 0; i < ROWS; i++)
		{
			const float *row = rows + (Size) i * n;
			double		truth = fixture_distance(fixture->params.metric, row, z, n);
			double		error = vecidx_query_distance(query, stored[i].rerank) - truth;
			double		relative = error / error_unit(fixture, row, z);

			squares += relative * relative;
			outside += fabs(error) > vecidx_query_distance_bound(query, stored[i].rerank) + 1e-6 * fabs(truth);
		}
	}
	rms = sqrt(squares / (ROWS * ROWS));
	unit_check(rms <= 1.15 * expected, "distance errs by %.3g, expected %.3g", rms, expected);
	if (vecidx_quant_rerank_bits(&fixture->params) != 0)
		unit_check(outside <= 0.08 * ROWS * ROWS, "%d of %d distances beyond the bound", outside, ROWS * ROWS);
}

static void
check_pairs(const Fixture *fixture, const float *rows, const Stored *stored)
{
	int			n = fixture->params.dimensions;
	double		expected = expected_error(&fixture->params) * sqrt(2);
	double		squares = 0;
	int			count = 0;
	double		rms;

	for (int i = 0; i < ROWS; i++)
	{
		for (int j = 0; j < i; j++)
		{
			const float *a = rows + (Size) i * n;
			const float *b = rows + (Size) j * n;
			float		distance = vecidx_quant_pair(fixture->quantizer, stored[i].rerank, stored[j].rerank);
			double		error = distance - fixture_distance(fixture->params.metric, a, b, n);
			double		relative = error / error_unit(fixture, a, b);

			squares += relative * relative;
			count++;
			unit_check(distance == vecidx_quant_pair(fixture->quantizer, stored[j].rerank, stored[i].rerank),
					   "pair is not symmetric");
		}
	}
	rms = sqrt(squares / count);
	unit_check(rms <= 1.2 * expected, "pair errs by %.3g, expected %.3g", rms, expected);
}

/* A row's distance to itself. */
static void
check_self(const Fixture *fixture, const float *rows, const Stored *stored)
{
	int			n = fixture->params.dimensions;
	double		allowed = 12 * expected_error(&fixture->params);

	for (int i = 0; i < ROWS; i++)
	{
		const float *row = rows + (Size) i * n;
		double		truth = fixture_distance(fixture->params.metric, row, row, n);
		double		unit = error_unit(fixture, row, row);
		VecIdxQuery *query = fixture_query(fixture, row);
		float		distance = vecidx_query_distance(query, stored[i].rerank);
		float		pair = vecidx_quant_pair(fixture->quantizer, stored[i].rerank, stored[i].rerank);

		unit_check(fabs(distance - truth) <= 1e-6 * (unit + fabs(truth)) + allowed * unit,
				   "distance to itself %g, expected %g", distance, truth);
		if (fixture->params.metric == VECIDX_L2)
			unit_check(pair == 0, "pair with itself %g, expected 0", pair);
	}
}

static void
test_rerank(VecIdxMetric metric, VecIdxRerank rerank, int dimensions)
{
	VecIdxQuantParams params = {metric, rerank, dimensions, 1, FIXTURE_SEED};
	Stored		stored[ROWS];
	float	   *rows;
	Fixture		fixture;

	unit_case("rerank %s, %s, %d dimensions", fixture_metric_name(metric),
			  fixture_rerank_name(rerank), dimensions);
	rows = fixture_rows(metric, dimensions, 2 * ROWS);
	fixture_make(&fixture, &params, fixture_mean(rows, dimensions, ROWS));
	for (int i = 0; i < ROWS; i++)
		fixture_store(&fixture, rows + (Size) i * dimensions, &stored[i]);
	check_distances(&fixture, rows, stored);
	check_pairs(&fixture, rows, stored);
	check_self(&fixture, rows, stored);
}

static void
test_user_distance(void)
{
	unit_case("distances as users see them");
	unit_check(vecidx_quant_user_distance(VECIDX_L2, 6.25) == 2.5, "L2 is not the root");
	unit_check(vecidx_quant_user_distance(VECIDX_L2, -1e-9) == 0, "L2 of an estimate below zero is not 0");
	unit_check(vecidx_quant_user_distance(VECIDX_COSINE, -0.75) == 0.25, "cosine is not 1 - cos");
	unit_check(vecidx_quant_user_distance(VECIDX_IP, -3.5) == -3.5, "IP is not the negative inner product");
	unit_check(vecidx_quant_user_distance(VECIDX_HAMMING, 17) == 17, "Hamming is not the count");
}

static void
test_normalize(void)
{
	VecIdxQuantParams params = {VECIDX_COSINE, VECIDX_RERANK_SQ8, 3, 1, FIXTURE_SEED};
	float		row[3] = {3, 0, -4};
	float		zero[3] = {0, -0.0f, 0};
	float		tiny[3] = {1e-44f, 0, 0};
	float		huge[3] = {3e38f, -3e38f, 0};
	Fixture		fixture;

	unit_case("normalization of rows");
	fixture_make(&fixture, &params, NULL);
	unit_check(vecidx_quant_normalize(fixture.quantizer, row), "an ordinary row is refused");
	unit_check(row[0] == 0.6f && row[1] == 0 && row[2] == -0.8f,
			   "(3, 0, -4) becomes (%g, %g, %g)", row[0], row[1], row[2]);
	unit_check(!vecidx_quant_normalize(fixture.quantizer, zero), "a zero row has a direction");
	unit_check(vecidx_quant_normalize(fixture.quantizer, tiny) && tiny[0] == 1, "a tiny row becomes %g", tiny[0]);
	unit_check(vecidx_quant_normalize(fixture.quantizer, huge) &&
			   huge[0] == -huge[1] && fabs(huge[0] - sqrt(0.5)) < 1e-7,
			   "a huge row becomes %g", huge[0]);
	params.metric = VECIDX_L2;
	row[0] = 5;
	fixture_make(&fixture, &params, NULL);
	unit_check(vecidx_quant_normalize(fixture.quantizer, row) && row[0] == 5, "a row for L2 is changed");
}

void
suite_rerank(void)
{
	static const VecIdxMetric metrics[] = {VECIDX_L2, VECIDX_IP, VECIDX_COSINE};

	for (int m = 0; m < (int) lengthof(metrics); m++)
	{
		for (VecIdxRerank rerank = VECIDX_RERANK_SQ4; rerank <= VECIDX_RERANK_FLOAT; rerank++)
		{
			for (int i = 0; i < (int) lengthof(dimension_list); i++)
				test_rerank(metrics[m], rerank, dimension_list[i]);
		}
	}
	test_user_distance();
	test_normalize();
}
