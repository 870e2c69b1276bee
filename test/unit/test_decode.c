/*
 * test_decode.c
 *	  Rows that are read back from what is stored of them.
 */
#include "c.h"

#include "fixture.h"
#include "quant/quant_internal.h"
#include "unit.h"

static const int dimension_list[] = {1, 2, 3, 63, 64, 65, 100, 127, 333, 784, 1001, 1024, 1536, 16000};

#define ROWS 10

/* What may be lost, as a share of the length that is rounded. */
static double
allowed_loss(VecIdxRerank rerank)
{
	switch (rerank)
	{
		case VECIDX_RERANK_SQ4:
		case VECIDX_RERANK_SQ8:
			/* one value beyond the last level may cost more than all others */
			return 3 * vecidx_quant_noise(rerank == VECIDX_RERANK_SQ4 ? 4 : 8) + ldexp(1, -20);
		case VECIDX_RERANK_HALF:
			return ldexp(1, -11);
		default:
			return 0;
	}
}

static double
length(const Fixture *fixture, const float *row)
{
	if (vecidx_quant_rerank_bits(&fixture->params) != 0)
		return fixture_apart(row, fixture->centroid, fixture->params.dimensions);
	return sqrt(-fixture_distance(VECIDX_IP, row, row, fixture->params.dimensions));
}

static void
test_decode(VecIdxMetric metric, VecIdxRerank rerank, int dimensions)
{
	VecIdxQuantParams params = {metric, rerank, dimensions, 1, FIXTURE_SEED};
	float	   *decoded;
	float	   *rows;
	Fixture		fixture;

	unit_case("decoding %s, %s, %d dimensions", fixture_metric_name(metric), fixture_rerank_name(rerank), dimensions);
	rows = fixture_rows(metric, dimensions, ROWS);
	decoded = unit_alloc(dimensions * sizeof(float), 4);
	fixture_make(&fixture, &params, fixture_mean(rows, dimensions, ROWS));
	for (int i = 0; i < ROWS; i++)
	{
		const float *row = rows + (Size) i * dimensions;
		double		allowed = allowed_loss(rerank) * length(&fixture, row);
		Stored		stored;
		double		lost;

		fixture_store(&fixture, row, &stored);
		vecidx_quant_decode(fixture.quantizer, stored.rerank, fixture.scratch, decoded);
		lost = fixture_apart(row, decoded, dimensions);
		/* making it a unit again rounds once more */
		if (metric == VECIDX_COSINE)
			allowed += ldexp(1, -22);
		unit_check(lost <= allowed, "row %d comes back %g away, allowed %g", i, lost, allowed);
	}
}

static void
test_bits(int dimensions)
{
	VecIdxQuantParams params = {VECIDX_HAMMING, VECIDX_RERANK_NONE, dimensions, 1, FIXTURE_SEED};
	float	   *row;
	float	   *decoded;
	Fixture		fixture;
	Stored		stored;

	unit_case("decoding bits, %d dimensions", dimensions);
	fixture_make(&fixture, &params, NULL);
	row = unit_alloc(dimensions * sizeof(float), 0);
	decoded = unit_alloc(dimensions * sizeof(float), 4);
	for (int i = 0; i < dimensions; i++)
		row[i] = unit_random_below(2);
	fixture_store(&fixture, row, &stored);
	vecidx_quant_decode(fixture.quantizer, stored.code, fixture.scratch, decoded);
	unit_check(memcmp(row, decoded, dimensions * sizeof(float)) == 0, "other bits come back");
}

/* The inverse of the rotation alone, which loses nothing but floats' rounding. */
static void
test_inverse(int dimensions)
{
	VecIdxQuantParams params = {VECIDX_L2, VECIDX_RERANK_SQ8, dimensions, 1, FIXTURE_SEED};
	VecIdxResidual residual;
	Fixture		fixture;
	float	   *row;
	double		norm;

	unit_case("rotation is inverted, %d dimensions", dimensions);
	fixture_make(&fixture, &params, NULL);
	row = fixture_rows(VECIDX_L2, dimensions, 1);
	residual.values = unit_alloc(vecidx_quant_padded(&params) * sizeof(float), 0);
	vecidx_rotation_apply(fixture.quantizer, row, &residual);
	norm = sqrt(vecidx_sum_squares(row, dimensions));
	vecidx_rotation_invert(fixture.quantizer, residual.values);
	unit_check(fixture_apart(row, residual.values, dimensions) <= 2e-6 * norm,
			   "it comes back %g away", fixture_apart(row, residual.values, dimensions));
	for (int i = dimensions; i < vecidx_quant_padded(&params); i++)
		unit_check(fabs(residual.values[i]) <= 2e-6 * norm, "padding %d is %g", i, residual.values[i]);
}

static void
test_packing(int bits)
{
	enum
	{
		COUNT = 192
	};
	uint8	   *levels;
	uint8	   *unpacked;
	uint8	   *code;

	unit_case("levels of %d bits are unpacked", bits);
	levels = unit_alloc(COUNT, 0);
	unpacked = unit_alloc(COUNT, 1);
	code = unit_alloc(COUNT * bits / 8, 1);
	for (int i = 0; i < COUNT; i++)
		levels[i] = unit_random_below(1 << bits);
	vecidx_levels_pack(levels, bits, COUNT, code);
	vecidx_levels_unpack(code, bits, COUNT, unpacked);
	unit_check(memcmp(levels, unpacked, COUNT) == 0, "other levels come back");
}

/* Rows at the ends of what floats can hold, and the centroid itself. */
static void
test_extremes(VecIdxRerank rerank)
{
	VecIdxQuantParams params = {VECIDX_L2, rerank, 5, 1, FIXTURE_SEED};
	float		rows[][5] = {
		{1, 2, 3, 4, 5},
		{3e38f, -3e38f, 3e38f, 3e38f, -3e38f},
		{1e-40f, 0, 2e-40f, 0, 0},
		{1, 2, 3, 4, 5.0001f}
	};
	Fixture		fixture;

	unit_case("decoding extremes, %s", fixture_rerank_name(rerank));
	fixture_make(&fixture, &params, rows[0]);
	for (int i = 0; i < (int) lengthof(rows); i++)
	{
		double		size = fixture_apart(rows[i], fixture.centroid, 5);
		Stored		stored;
		float		decoded[5];
		double		lost;

		fixture_store(&fixture, rows[i], &stored);
		vecidx_quant_decode(fixture.quantizer, stored.rerank, fixture.scratch, decoded);
		lost = fixture_apart(rows[i], decoded, 5);
		unit_check(lost <= 0.25 * size + 1e-6, "row %d comes back %g away of %g", i, lost, size);
	}
}

void
suite_decode(void)
{
	static const VecIdxMetric metrics[] = {VECIDX_L2, VECIDX_IP, VECIDX_COSINE};

	for (int bits = 1; bits <= 8; bits *= 2)
		test_packing(bits);
	for (int i = 0; i < (int) lengthof(dimension_list); i++)
	{
		test_inverse(dimension_list[i]);
		test_bits(dimension_list[i]);
		for (int m = 0; m < (int) lengthof(metrics); m++)
		{
			for (VecIdxRerank rerank = VECIDX_RERANK_SQ4; rerank <= VECIDX_RERANK_FLOAT; rerank++)
				test_decode(metrics[m], rerank, dimension_list[i]);
		}
	}
	test_extremes(VECIDX_RERANK_SQ4);
	test_extremes(VECIDX_RERANK_SQ8);
	test_extremes(VECIDX_RERANK_FLOAT);
}
