/*
 * test_format.c
 *	  What is on disk: sizes, and bytes that no machine and no kernel set may
 *	  change.
 */
#include "c.h"

#include "fixture.h"
#include "kernel/kernel.h"
#include "unit.h"

#define MAX_SETS 4

typedef struct Golden
{
	VecIdxQuantParams params;
	uint64		hash;			/* of what encode writes for three rows */
} Golden;

/*
 * If a change of the code makes these fail, it changes the format: indexes
 * built before it would answer wrongly.
 */
static const Golden golden[] = {
	{{VECIDX_L2, VECIDX_RERANK_SQ8, 3, 1, 1}, UINT64CONST(0xaf45238d28f5b54c)},
	{{VECIDX_L2, VECIDX_RERANK_SQ8, 1024, 1, 1}, UINT64CONST(0xf35a3c926e21a4c3)},
	{{VECIDX_L2, VECIDX_RERANK_SQ4, 768, 2, 7}, UINT64CONST(0xdfda3ea6869f8494)},
	{{VECIDX_IP, VECIDX_RERANK_SQ8, 100, 4, 42}, UINT64CONST(0x9c0004c0c028cccb)},
	{{VECIDX_COSINE, VECIDX_RERANK_SQ8, 384, 8, UINT64CONST(0xffffffffffffffff)}, UINT64CONST(0xd4ed9b0c2f0e72a4)},
	{{VECIDX_COSINE, VECIDX_RERANK_HALF, 1536, 1, 3}, UINT64CONST(0x18ed4a88092aa2db)},
	{{VECIDX_IP, VECIDX_RERANK_FLOAT, 65, 2, 3}, UINT64CONST(0xa4f7c33fad548c4f)},
	{{VECIDX_L2, VECIDX_RERANK_SQ4, 16000, 1, 3}, UINT64CONST(0xbeee4395b92550e1)},
	{{VECIDX_HAMMING, VECIDX_RERANK_NONE, 1000, 1, 3}, UINT64CONST(0x882cb8d955e9c20d)},
};

/* FNV-1a */
static uint64
hash_bytes(uint64 hash, const void *p, Size size)
{
	for (Size i = 0; i < size; i++)
		hash = (hash ^ ((const uint8 *) p)[i]) * UINT64CONST(0x100000001b3);
	return hash;
}

/* Rows of small fractions, which every machine computes alike. */
static void
fill_exactly(VecIdxMetric metric, float *row, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (metric == VECIDX_HAMMING)
			row[i] = (float) unit_random_below(2);
		else
			row[i] = (float) (unit_random_below(4001) - 1700) / 256;
	}
}

static uint64
hash_encoded(const VecIdxQuantParams *params)
{
	uint64		hash = UINT64CONST(0xcbf29ce484222325);
	float	   *row = unit_alloc(params->dimensions * sizeof(float), 0);
	float	   *centroid = unit_alloc(params->dimensions * sizeof(float), 0);
	Fixture		fixture;

	fill_exactly(params->metric, centroid, params->dimensions);
	for (int i = 0; i < params->dimensions; i++)
		centroid[i] /= 8;
	fixture_make(&fixture, params, centroid);
	for (int i = 0; i < 3; i++)
	{
		Stored		stored;

		fill_exactly(params->metric, row, params->dimensions);
		/* the last one is too large to be squared as it is */
		for (int j = 0; i == 2 && j < params->dimensions; j++)
			row[j] *= 0x1p90f;
		unit_check(vecidx_quant_normalize(fixture.quantizer, row), "row %d has no direction", i);
		fixture_store(&fixture, row, &stored);
		hash = hash_bytes(hash, stored.code, vecidx_quant_code_size(params));
		hash = hash_bytes(hash, &stored.factors, sizeof(stored.factors));
		hash = hash_bytes(hash, stored.rerank, vecidx_quant_rerank_size(params));
	}
	return hash;
}

static void
test_golden(const VecIdxKernels *set)
{
	unit_case("format: bytes by kernel set %s", set->name);
	vecidx_kernels_force(set->name);
	for (int i = 0; i < (int) lengthof(golden); i++)
	{
		uint64		hash = hash_encoded(&golden[i].params);

		unit_check(hash == golden[i].hash, "golden[%d]: 0x%016llx, expected 0x%016llx", i,
				   (unsigned long long) hash, (unsigned long long) golden[i].hash);
	}
	vecidx_kernels_force("auto");
}

/* The estimate is made of integers, so it does not depend on the set either. */
static void
test_estimates_agree(const VecIdxKernels *const *sets, int count, int bits)
{
	enum
	{
		DIMENSIONS = 700,
		ROWS = 30
	};
	VecIdxQuantParams params = {VECIDX_COSINE, VECIDX_RERANK_SQ8, DIMENSIONS, bits, FIXTURE_SEED};
	float		first[ROWS];
	float	   *rows;
	Fixture		fixture;

	unit_case("format: equal estimates by all kernel sets, %d bits", bits);
	rows = fixture_rows(VECIDX_COSINE, DIMENSIONS, ROWS);
	fixture_make(&fixture, &params, fixture_mean(rows, DIMENSIONS, ROWS));
	for (int s = 0; s < count; s++)
	{
		VecIdxQuery *query;

		vecidx_kernels_force(sets[s]->name);
		query = fixture_query(&fixture, rows);
		for (int i = 0; i < ROWS; i++)
		{
			float		estimate;
			Stored		stored;

			fixture_store(&fixture, rows + (Size) i * DIMENSIONS, &stored);
			estimate = vecidx_query_estimate(query, stored.code, stored.factors.f0, stored.factors.f1);
			if (s == 0)
				first[i] = estimate;
			unit_check(estimate == first[i], "%s gives %.9g, %s %.9g", sets[s]->name, estimate,
					   sets[0]->name, first[i]);
		}
	}
	vecidx_kernels_force("auto");
}

static void
check_sizes(int dimensions, int bits, VecIdxRerank rerank, Size code, Size vector)
{
	VecIdxQuantParams params = {VECIDX_L2, rerank, dimensions, bits, 0};

	unit_check(vecidx_quant_code_size(&params) == code, "%d dimensions, %d bits: code of %zu bytes, expected %zu",
			   dimensions, bits, vecidx_quant_code_size(&params), code);
	unit_check(vecidx_quant_rerank_size(&params) == vector, "%d dimensions, %s: rerank vector of %zu bytes, expected %zu",
			   dimensions, fixture_rerank_name(rerank), vecidx_quant_rerank_size(&params), vector);
}

static void
test_sizes(void)
{
	VecIdxQuantParams hamming = {VECIDX_HAMMING, VECIDX_RERANK_NONE, 1000, 1, 0};

	unit_case("format: sizes");
	check_sizes(1024, 1, VECIDX_RERANK_SQ8, 128, 16 + 1024);
	check_sizes(1024, 2, VECIDX_RERANK_SQ4, 256, 16 + 512);
	check_sizes(1024, 4, VECIDX_RERANK_HALF, 512, 2048);
	check_sizes(1024, 8, VECIDX_RERANK_FLOAT, 1024, 4096);
	check_sizes(1, 1, VECIDX_RERANK_SQ8, 8, 16 + 64);
	check_sizes(65, 1, VECIDX_RERANK_SQ4, 16, 16 + 64);
	check_sizes(100, 4, VECIDX_RERANK_HALF, 64, 200);
	check_sizes(16000, 1, VECIDX_RERANK_SQ8, 2000, 16 + 16000);
	unit_check(vecidx_quant_code_size(&hamming) == 128, "1000 bits take %zu bytes, expected 128",
			   vecidx_quant_code_size(&hamming));
	unit_check(vecidx_quant_rerank_size(&hamming) == 0, "Hamming has a rerank vector");
	for (int n = 1; n <= VECIDX_MAX_DIMENSIONS; n++)
	{
		VecIdxQuantParams params = {.dimensions = n};
		int			padded = vecidx_quant_padded(&params);

		unit_check(padded % 64 == 0 && padded >= n && padded < n + 64, "%d dimensions are padded to %d", n, padded);
	}
}

/* Halves are rounded to nearest, ties to even, and never infinite. */
static void
test_halves(void)
{
	static const struct
	{
		float		value;
		uint16		half;
	}			expected[] = {
		{0, 0}, {-0.0f, 0x8000}, {1, 0x3c00}, {-2.5f, 0xc100}, {65504, 0x7bff}, {65519.99f, 0x7bff},
		{65520, 0x7bff}, {1e30f, 0x7bff}, {-1e30f, 0xfbff}, {0x1p-14f, 0x0400}, {0x1p-24f, 0x0001},
		{0x1p-25f, 0x0000}, {0x1.8p-24f, 0x0002}, {0x1.ff8p-15f, 0x03ff}, {0x1.ffcp-15f, 0x0400},
		{1 + 0x1p-11f, 0x3c00}, {1 + 0x1.8p-10f, 0x3c02}, {1e-40f, 0}, {2047.5f, 0x6800}
	};
	VecIdxQuantParams params = {VECIDX_L2, VECIDX_RERANK_HALF, lengthof(expected), 1, 0};
	float		row[lengthof(expected)];
	Fixture		fixture;
	Stored		stored;

	unit_case("format: halves");
	for (int i = 0; i < (int) lengthof(expected); i++)
		row[i] = expected[i].value;
	fixture_make(&fixture, &params, NULL);
	fixture_store(&fixture, row, &stored);
	for (int i = 0; i < (int) lengthof(expected); i++)
	{
		uint16		half;

		memcpy(&half, stored.rerank + 2 * i, sizeof(half));
		unit_check(half == expected[i].half, "%g becomes %04x, expected %04x", row[i], half, expected[i].half);
	}
}

void
suite_format(void)
{
	const VecIdxKernels *sets[MAX_SETS];
	int			count = vecidx_kernels_available(sets, MAX_SETS);

	test_sizes();
	test_halves();
#ifndef WORDS_BIGENDIAN
	for (int s = 0; s < count; s++)
		test_golden(sets[s]);
#endif
	for (int bits = 1; bits <= 8; bits *= 2)
		test_estimates_agree(sets, count, bits);
}
