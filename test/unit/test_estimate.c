/*
 * test_estimate.c
 *	  Estimates from codes against distances in double: they are right on
 *	  average, err as much as theory says, and keep within their bounds.
 *
 * Errors are in units of 2 |r| |z| / sqrt(D - 1) (L2) or |r| |z| / sqrt(D - 1).
 */
#include "c.h"

#include "fixture.h"
#include "quant/quant_internal.h"
#include "unit.h"

static const int dimension_list[] = {3, 64, 100, 256, 384, 784, 1024, 1536, 16000};

/* What the errors of many estimates look like. */
typedef struct Errors
{
	int			count;
	int			outside;		/* of the bound */
	double		sum;
	double		squares;
	double		largest;		/* in bounds */
} Errors;

/*
 * k_B with the rounding of the query: to 4 bits, or to 1 / 127 of its largest
 * coordinate, which for n normal ones is near sqrt(2 ln n) deviations.
 */
static double
expected_error(int bits, int dimensions)
{
	double		rounding = 0.11;

	if (bits > 1)
		rounding = sqrt(2 * log(Max(dimensions, 64))) / 127 / sqrt(12);
	return hypot(vecidx_quant_noise(bits), rounding);
}

/* Few of the large ones: the data are what takes the time. */
static int
row_count(int dimensions)
{
	return dimensions >= 10000 ? 48 : 240;
}

static int
query_count(int dimensions)
{
	return dimensions >= 10000 ? 6 : 16;
}

static void
add_error(Errors *errors, double error, double unit, double bound)
{
	errors->count++;
	errors->outside += fabs(error) > bound;
	errors->sum += error / unit;
	errors->squares += error / unit * error / unit;
	errors->largest = Max(errors->largest, fabs(error) / bound);
}

static void
collect_errors(const Fixture *fixture, const float *rows, const Stored *stored, Errors *errors)
{
	int			dimensions = fixture->params.dimensions;
	int			count = row_count(dimensions);
	VecIdxMetric metric = fixture->params.metric;
	double		root = sqrt(vecidx_quant_padded(&fixture->params) - 1);

	memset(errors, 0, sizeof(*errors));
	for (int j = 0; j < query_count(dimensions); j++)
	{
		const float *z = rows + (Size) (count + j) * dimensions;
		VecIdxQuery *query = fixture_query(fixture, z);
		double		z_norm = fixture_apart(z, fixture->centroid, dimensions);

		for (int i = 0; i < count; i++)
		{
			const float *r = rows + (Size) i * dimensions;
			double		unit = z_norm * fixture_apart(r, fixture->centroid, dimensions) / root;
			double		estimate = vecidx_query_estimate(query, stored[i].code, stored[i].factors.f0,
														 stored[i].factors.f1);

			add_error(errors, estimate - fixture_distance(metric, r, z, dimensions),
					  metric == VECIDX_L2 ? 2 * unit : unit,
					  vecidx_query_bound(query, stored[i].factors.error));
		}
	}
}

static void
test_errors(VecIdxMetric metric, int bits, int dimensions)
{
	VecIdxQuantParams params = {metric, VECIDX_RERANK_SQ4, dimensions, bits, FIXTURE_SEED};
	int			count = row_count(dimensions);
	double		k = expected_error(bits, dimensions);
	Stored	   *stored;
	float	   *rows;
	Fixture		fixture;
	Errors		errors;
	double		rms;
	double		mean;

	unit_case("estimate %s, %d bits, %d dimensions", fixture_metric_name(metric), bits, dimensions);
	rows = fixture_rows(metric, dimensions, count + query_count(dimensions));
	fixture_make(&fixture, &params, fixture_mean(rows, dimensions, count));
	stored = unit_alloc(count * sizeof(Stored), 0);
	for (int i = 0; i < count; i++)
		fixture_store(&fixture, rows + (Size) i * dimensions, &stored[i]);
	collect_errors(&fixture, rows, stored, &errors);

	rms = sqrt(errors.squares / errors.count);
	mean = errors.sum / errors.count;
	unit_check(rms <= 1.12 * k, "error %.4f, theory %.4f", rms, k);
	/* in few dimensions a part of z lies along r, which is estimated exactly */
	unit_check(dimensions < 64 || rms >= 0.85 * k, "error only %.4f, theory %.4f", rms, k);
	unit_check(fabs(mean) <= 0.12 * k, "bias %.4f of an error of %.4f", mean, k);
	unit_check(errors.outside <= 0.08 * errors.count, "%d of %d beyond the bound", errors.outside, errors.count);
	unit_check(errors.outside > 0 || dimensions < 64, "the bound is never reached: too wide");
	unit_check(errors.largest <= 3, "an error of %.2f bounds", errors.largest);
}

/*
 * Bits of a row are nothing but its code: the distance is exact, from a code
 * at any address, and pairs agree.
 */
static void
test_hamming(int dimensions)
{
	VecIdxQuantParams params = {VECIDX_HAMMING, VECIDX_RERANK_NONE, dimensions, 1, FIXTURE_SEED};
	float	   *a;
	float	   *b;
	Fixture		fixture;

	unit_case("estimate hamming, %d dimensions", dimensions);
	a = unit_alloc(dimensions * sizeof(float), 0);
	b = unit_alloc(dimensions * sizeof(float), 0);
	fixture_make(&fixture, &params, NULL);
	for (int round = 0; round < 50; round++)
	{
		Stored		of_a;
		Stored		of_b;
		VecIdxQuery *query;
		double		expected;

		for (int i = 0; i < dimensions; i++)
		{
			a[i] = (float) unit_random_below(2);
			b[i] = (float) (unit_random_below(round + 2) > 0);
		}
		expected = fixture_distance(VECIDX_HAMMING, a, b, dimensions);
		fixture_store(&fixture, a, &of_a);
		fixture_store(&fixture, b, &of_b);
		query = fixture_query(&fixture, b);
		unit_check(vecidx_query_estimate(query, of_a.code, of_a.factors.f0, of_a.factors.f1) == expected,
				   "estimate is not the count of %g", expected);
		unit_check(vecidx_query_bound(query, of_a.factors.error) == 0, "the bound of an exact distance is not 0");
		unit_check(vecidx_query_distance(query, of_a.code) == expected, "distance is not the count of %g", expected);
		unit_check(vecidx_quant_pair(fixture.quantizer, of_a.code, of_b.code) == expected,
				   "pair is not the count of %g", expected);
	}
}

/* A query may be of few dimensions, or on the centroid: the bound covers the rounding. */
static void
test_coarse_query(int bits)
{
	enum
	{
		DIMENSIONS = 512,
		ROWS = 400
	};
	VecIdxQuantParams params = {VECIDX_L2, VECIDX_RERANK_SQ4, DIMENSIONS, bits, FIXTURE_SEED};
	float	   *rows;
	float	   *z;
	Fixture		fixture;
	int			outside = 0;

	unit_case("estimate of sparse queries, %d bits", bits);
	rows = fixture_rows(VECIDX_L2, DIMENSIONS, ROWS);
	z = unit_alloc(DIMENSIONS * sizeof(float), 0);
	fixture_make(&fixture, &params, fixture_mean(rows, DIMENSIONS, ROWS));
	for (int i = 0; i < ROWS; i++)
	{
		const float *row = rows + (Size) i * DIMENSIONS;
		Stored		stored;
		VecIdxQuery *query;
		double		error;

		memcpy(z, fixture.centroid, DIMENSIONS * sizeof(float));
		z[unit_random_below(DIMENSIONS)] += 3;
		z[unit_random_below(DIMENSIONS)] -= 2;
		fixture_store(&fixture, row, &stored);
		query = fixture_query(&fixture, z);
		error = vecidx_query_estimate(query, stored.code, stored.factors.f0, stored.factors.f1) -
			fixture_distance(VECIDX_L2, row, z, DIMENSIONS);
		outside += fabs(error) > vecidx_query_bound(query, stored.factors.error);
	}
	unit_check(outside <= 0.08 * ROWS, "%d of %d beyond the bound", outside, ROWS);
}

/* Many codes at once give, bit for bit, what each gives alone. */
static void
test_together(VecIdxMetric metric, int bits)
{
	enum
	{
		DIMENSIONS = 333,
		ROWS = 150
	};
	VecIdxRerank rerank = metric == VECIDX_HAMMING ? VECIDX_RERANK_NONE : VECIDX_RERANK_SQ4;
	VecIdxQuantParams params = {metric, rerank, DIMENSIONS, bits, FIXTURE_SEED};
	const uint8 *codes[ROWS];
	float		f0[ROWS];
	float		f1[ROWS];
	float	   *rows;
	Fixture		fixture;
	VecIdxQuery *query;

	unit_case("estimates together, %s, %d bits", fixture_metric_name(metric), bits);
	rows = fixture_rows(metric, DIMENSIONS, ROWS);
	for (int i = 0; metric == VECIDX_HAMMING && i < ROWS * DIMENSIONS; i++)
		rows[i] = rows[i] > 0;
	fixture_make(&fixture, &params, fixture_mean(rows, DIMENSIONS, ROWS));
	for (int i = 0; i < ROWS; i++)
	{
		Stored		stored;

		fixture_store(&fixture, rows + (Size) i * DIMENSIONS, &stored);
		codes[i] = stored.code;
		f0[i] = stored.factors.f0;
		f1[i] = stored.factors.f1;
	}
	/* what damage may hold is brought into range alike */
	f0[1] = FLT_MAX;
	f1[2] = -FLT_MAX;
	f1[3] = FLT_MAX;
	query = fixture_query(&fixture, rows);
	for (int count = 0; count <= ROWS; count += count < 10 ? 1 : 35)
	{
		float	   *estimates = unit_alloc(count * sizeof(float), 4);

		vecidx_query_estimates(query, codes, f0, f1, count, estimates);
		for (int i = 0; i < count; i++)
		{
			float		alone = vecidx_query_estimate(query, codes[i], f0[i], f1[i]);

			unit_check(memcmp(&estimates[i], &alone, sizeof(float)) == 0, "code %d of %d: %.9g, alone %.9g",
					   i, count, estimates[i], alone);
		}
	}
}

void
suite_estimate(void)
{
	static const VecIdxMetric metrics[] = {VECIDX_L2, VECIDX_IP, VECIDX_COSINE};

	for (int m = 0; m < (int) lengthof(metrics); m++)
	{
		for (int bits = 1; bits <= 8; bits *= 2)
		{
			for (int i = 0; i < (int) lengthof(dimension_list); i++)
				test_errors(metrics[m], bits, dimension_list[i]);
		}
	}
	test_hamming(1);
	test_hamming(100);
	test_hamming(1024);
	for (int bits = 1; bits <= 8; bits *= 2)
		test_coarse_query(bits);
	for (int bits = 1; bits <= 8; bits *= 2)
	{
		for (int m = 0; m < (int) lengthof(metrics); m++)
			test_together(metrics[m], bits);
	}
	test_together(VECIDX_HAMMING, 1);
}
