/*
 * test_rotation.c
 *	  The rotation keeps lengths and angles, and spreads what it is given.
 */
#include "c.h"

#include "fixture.h"
#include "quant/quant_internal.h"
#include "unit.h"

static const int dimension_list[] = {1, 3, 64, 65, 100, 128, 256, 384, 784, 1024, 1536, 4000, 16000};

/* A rotated row; values in memory of the size that is promised to suffice. */
static VecIdxResidual
rotate(const Fixture *fixture, const float *row)
{
	VecIdxResidual residual;

	residual.values = unit_alloc(vecidx_quant_padded(&fixture->params) * sizeof(float), 0);
	vecidx_rotation_apply(fixture->quantizer, row, &residual);
	residual.norm2 = vecidx_sum_squares(residual.values, vecidx_quant_padded(&fixture->params));
	return residual;
}

static double
dot(const float *a, const float *b, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double) a[i] * b[i];
	return sum;
}

static void
test_isometry(int dimensions)
{
	enum
	{
		ROWS = 6
	};
	VecIdxQuantParams params = {VECIDX_L2, VECIDX_RERANK_SQ8, dimensions, 1, FIXTURE_SEED};
	int			padded = vecidx_quant_padded(&params);
	VecIdxResidual rotated[ROWS];
	float	   *rows;
	Fixture		fixture;

	unit_case("rotation keeps lengths and angles, %d dimensions", dimensions);
	fixture_make(&fixture, &params, NULL);
	rows = fixture_rows(VECIDX_L2, dimensions, ROWS);
	for (int i = 0; i < ROWS; i++)
		rotated[i] = rotate(&fixture, rows + (Size) i * dimensions);
	for (int i = 0; i < ROWS; i++)
	{
		for (int j = i; j < ROWS; j++)
		{
			const float *a = rows + (Size) i * dimensions;
			const float *b = rows + (Size) j * dimensions;
			double		size = sqrt(dot(a, a, dimensions) * dot(b, b, dimensions));
			double		found = dot(rotated[i].values, rotated[j].values, padded);

			unit_check(fabs(found - dot(a, b, dimensions)) <= 2e-6 * size, "<%d, %d>: %.9g, expected %.9g",
					   i, j, found, dot(a, b, dimensions));
		}
		unit_check(rotated[i].unit == 1.0, "an ordinary row was scaled");
		unit_check(fabs(rotated[i].norm2 - dot(rotated[i].values, rotated[i].values, padded)) <=
				   1e-12 * rotated[i].norm2, "norm2 is not that of the values");
	}
}

/* One coordinate alone must reach all others, none of them much more than its share. */
static void
test_spread(int dimensions)
{
	VecIdxQuantParams params = {VECIDX_L2, VECIDX_RERANK_SQ8, dimensions, 1, FIXTURE_SEED};
	int			padded = vecidx_quant_padded(&params);
	float	   *row;
	Fixture		fixture;

	unit_case("rotation spreads single coordinates, %d dimensions", dimensions);
	fixture_make(&fixture, &params, NULL);
	row = unit_alloc(dimensions * sizeof(float), 0);
	for (int k = 0; k < 10; k++)
	{
		int			at = (int) ((int64) k * (dimensions - 1) / 9);
		VecIdxResidual residual;
		double		fourth = 0;
		double		largest = 0;

		memset(row, 0, dimensions * sizeof(float));
		row[at] = 1;
		residual = rotate(&fixture, row);
		for (int i = 0; i < padded; i++)
		{
			double		share = residual.values[i] * sqrt(padded);

			fourth += share * share * share * share / padded;
			largest = Max(largest, fabs(share));
		}
		unit_check(largest < 6, "coordinate %d: the largest share is %.2f", at, largest);
		unit_check(fourth < 6, "coordinate %d: kurtosis %.2f, normal is 3", at, fourth);
	}
}

static void
test_seeds(void)
{
	VecIdxQuantParams params = {VECIDX_L2, VECIDX_RERANK_SQ8, 100, 1, FIXTURE_SEED};
	Fixture		first;
	Fixture		second;
	Fixture		other;
	VecIdxResidual a;
	VecIdxResidual b;
	VecIdxResidual c;
	float	   *row;

	unit_case("rotation is fixed by its seed");
	row = fixture_rows(VECIDX_L2, 100, 1);
	fixture_make(&first, &params, NULL);
	fixture_make(&second, &params, NULL);
	params.seed++;
	fixture_make(&other, &params, NULL);
	a = rotate(&first, row);
	b = rotate(&second, row);
	c = rotate(&other, row);
	unit_check(memcmp(a.values, b.values, 128 * sizeof(float)) == 0, "equal seeds differ");
	unit_check(fabs(dot(a.values, c.values, 128)) < 0.4 * a.norm2, "other seeds rotate alike");
}

/* A quantizer is plain bytes: another process may use a copy. */
static void
test_copy(void)
{
	VecIdxQuantParams params = {VECIDX_L2, VECIDX_RERANK_SQ8, 100, 1, FIXTURE_SEED};
	Fixture		fixture;
	Fixture		copy;
	VecIdxResidual a;
	VecIdxResidual b;
	float	   *row;

	unit_case("quantizer can be copied as bytes");
	row = fixture_rows(VECIDX_L2, 100, 1);
	fixture_make(&fixture, &params, row);
	row[7] += 1;
	copy = fixture;
	copy.quantizer = unit_alloc(vecidx_quantizer_size(&params), 16);
	memcpy(copy.quantizer, fixture.quantizer, vecidx_quantizer_size(&params));
	a = rotate(&fixture, row);
	memset(fixture.quantizer, 0, vecidx_quantizer_size(&params));
	b = rotate(&copy, row);
	unit_check(a.norm2 > 0.9 && memcmp(a.values, b.values, 128 * sizeof(float)) == 0, "the copy rotates otherwise");
}

void
suite_rotation(void)
{
	for (int i = 0; i < (int) lengthof(dimension_list); i++)
		test_isometry(dimension_list[i]);
	for (int i = 0; i < (int) lengthof(dimension_list); i++)
		test_spread(dimension_list[i]);
	test_seeds();
	test_copy();
}
