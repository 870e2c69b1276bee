/*
 * test_choose.c
 *	  The choice of bits from a sample.
 */
#include "c.h"

#include "fixture.h"
#include "unit.h"

#define ROWS 600

/*
 * Rows with no structure at all if rank is 0, else clusters in that many
 * directions.
 */
static float *
make_rows(int dimensions, int rank)
{
	float	   *rows = unit_alloc((Size) ROWS * dimensions * sizeof(float), 0);
	float	   *directions = unit_alloc((Size) Max(rank, 1) * dimensions * sizeof(float), 0);

	for (int i = 0; i < rank * dimensions; i++)
		directions[i] = (float) unit_random_normal();
	for (int i = 0; i < ROWS; i++)
	{
		float	   *row = rows + (Size) i * dimensions;

		for (int j = 0; j < dimensions; j++)
			row[j] = (float) (unit_random_normal() * (rank == 0 ? 1.0 : 0.1));
		for (int k = 0; k < rank; k++)
		{
			float		weight = (float) (unit_random_normal() / (1 + k));

			for (int j = 0; j < dimensions; j++)
				row[j] += weight * directions[k * dimensions + j];
		}
	}
	return rows;
}

static void
choose(VecIdxMetric metric, int dimensions, const float *rows, int count, double total, VecIdxEvidence *evidence)
{
	VecIdxSample sample = {.metric = metric, .dimensions = dimensions, .rows = rows, .count = count, .total = total};
	float	   *centroid = unit_alloc(dimensions * sizeof(float), 0);

	memset(centroid, 0, dimensions * sizeof(float));
	sample.centroid = count > 0 ? fixture_mean(rows, dimensions, count) : centroid;
	vecidx_quant_choose(&sample, evidence);
}

static void
expect_bits(const char *what, const VecIdxEvidence *evidence, int least, int most)
{
	unit_check(evidence->bits >= least && evidence->bits <= most,
			   "%s: %d bits, expected %d to %d (contrast %.4f, noise %.4f %.4f %.4f %.4f)",
			   what, evidence->bits, least, most, evidence->contrast,
			   evidence->noise[0], evidence->noise[1], evidence->noise[2], evidence->noise[3]);
}

static void
test_data(void)
{
	VecIdxEvidence evidence;
	VecIdxEvidence larger;

	unit_case("choice of bits by the data");
	choose(VECIDX_L2, 1024, make_rows(1024, 20), ROWS, 100000, &evidence);
	expect_bits("much structure, 1024 dimensions", &evidence, 1, 1);
	unit_check(evidence.sampled == ROWS, "%d rows sampled, expected %d", evidence.sampled, ROWS);
	for (int i = 1; i < 4; i++)
		unit_check(evidence.noise[i] < evidence.noise[i - 1], "noise does not fall with the bits");
	choose(VECIDX_IP, 1024, make_rows(1024, 20), ROWS, 100000, &evidence);
	expect_bits("the same, inner product", &evidence, 1, 1);
	choose(VECIDX_L2, 768, make_rows(768, 0), ROWS, 100000, &evidence);
	expect_bits("no structure, 768 dimensions", &evidence, 4, 8);
	choose(VECIDX_L2, 96, make_rows(96, 20), ROWS, 100000, &evidence);
	expect_bits("much structure, 96 dimensions", &evidence, 2, 8);
	choose(VECIDX_L2, 768, make_rows(768, 20), ROWS, 100000, &evidence);
	choose(VECIDX_L2, 768, make_rows(768, 20), ROWS, 1e8, &larger);
	unit_check(larger.contrast < evidence.contrast, "contrast does not fall with the rows of the table");
}

static void
test_without_evidence(void)
{
	VecIdxEvidence evidence;
	float	   *rows;

	unit_case("choice of bits without evidence");
	choose(VECIDX_L2, 1024, NULL, 0, 0, &evidence);
	expect_bits("no rows", &evidence, 4, 4);
	unit_check(evidence.sampled == 0, "%d rows sampled, expected 0", evidence.sampled);
	choose(VECIDX_COSINE, 64, NULL, 0, 0, &evidence);
	expect_bits("no rows, few dimensions", &evidence, 8, 8);
	choose(VECIDX_HAMMING, 1024, NULL, 0, 0, &evidence);
	expect_bits("bits", &evidence, 1, 1);
	rows = unit_alloc((Size) ROWS * 300 * sizeof(float), 0);
	for (int i = 0; i < ROWS * 300; i++)
		rows[i] = 2;
	choose(VECIDX_L2, 300, rows, ROWS, ROWS, &evidence);
	expect_bits("equal rows", &evidence, 4, 4);
	choose(VECIDX_IP, 300, rows, ROWS, ROWS, &evidence);
	expect_bits("equal rows, inner product", &evidence, 4, 4);
	for (int i = 0; i < ROWS * 300; i++)
		rows[i] = (float) (3e38 * (2 * unit_random_uniform() - 1));
	choose(VECIDX_L2, 300, rows, ROWS, ROWS, &evidence);
	expect_bits("rows that cannot be squared", &evidence, 4, 4);
	choose(VECIDX_IP, 300, rows, ROWS, ROWS, &evidence);
	expect_bits("rows that cannot be squared, inner product", &evidence, 4, 4);
	choose(VECIDX_L2, 32, make_rows(32, 5), ROWS, ROWS, &evidence);
	expect_bits("few dimensions", &evidence, 8, 8);
}

void
suite_choose(void)
{
	test_data();
	test_without_evidence();
}
