/*
 * fixture.c
 *	  Quantizers, rows and their stored forms for tests.
 */
#include "c.h"

#include "fixture.h"
#include "unit.h"

const char *
fixture_metric_name(VecIdxMetric metric)
{
	static const char *const names[] = {"?", "l2", "ip", "cosine", "hamming"};

	return names[metric];
}

const char *
fixture_rerank_name(VecIdxRerank rerank)
{
	static const char *const names[] = {"none", "sq4", "sq8", "half", "float"};

	return names[rerank];
}

void
fixture_make(Fixture *fixture, const VecIdxQuantParams *params, const float *centroid)
{
	Size		size = params->dimensions * sizeof(float);

	fixture->params = *params;
	fixture->centroid = unit_alloc(size, 4);
	memset(fixture->centroid, 0, size);
	if (centroid != NULL)
		memcpy(fixture->centroid, centroid, size);
	fixture->quantizer = vecidx_quantizer_init(unit_alloc(vecidx_quantizer_size(params), 8),
											   params, fixture->centroid);
	fixture->scratch = unit_alloc(vecidx_quant_scratch_size(params), 8);
	fixture->query_memory = unit_alloc(vecidx_query_size(params), 8);
}

void
fixture_store(const Fixture *fixture, const float *row, Stored *stored)
{
	stored->code = unit_alloc(vecidx_quant_code_size(&fixture->params), unit_random_below(8));
	stored->rerank = unit_alloc(vecidx_quant_rerank_size(&fixture->params), unit_random_below(8));
	vecidx_quant_encode(fixture->quantizer, row, fixture->scratch,
						stored->code, &stored->factors, stored->rerank);
}

VecIdxQuery *
fixture_query(const Fixture *fixture, const float *row)
{
	return vecidx_query_init(fixture->query_memory, fixture->quantizer, row, fixture->scratch);
}

float *
fixture_rows(VecIdxMetric metric, int dimensions, int count)
{
	float	   *rows = unit_alloc((Size) count * dimensions * sizeof(float), 4);
	float	   *offset = unit_alloc(dimensions * sizeof(float), 0);

	for (int j = 0; j < dimensions; j++)
		offset[j] = (float) (0.7 * unit_random_normal());
	for (int i = 0; i < count; i++)
	{
		float	   *row = rows + (Size) i * dimensions;

		for (int j = 0; j < dimensions; j++)
			row[j] = (float) (offset[j] + unit_random_normal() / (1.0 + 4.0 * j / dimensions));
		if (metric == VECIDX_COSINE && !vecidx_quant_unit(row, dimensions))
			unit_check(false, "row %d of the fixture has no direction", i);
	}
	return rows;
}

float *
fixture_mean(const float *rows, int dimensions, int count)
{
	float	   *mean = unit_alloc(dimensions * sizeof(float), 0);

	for (int j = 0; j < dimensions; j++)
	{
		double		sum = 0;

		for (int i = 0; i < count; i++)
			sum += rows[(Size) i * dimensions + j];
		mean[j] = (float) (sum / count);
	}
	return mean;
}

double
fixture_apart(const float *a, const float *b, int dimensions)
{
	double		sum = 0;

	for (int i = 0; i < dimensions; i++)
		sum += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
	return sqrt(sum);
}

double
fixture_distance(VecIdxMetric metric, const float *a, const float *b, int dimensions)
{
	double		sum = 0;

	for (int i = 0; i < dimensions; i++)
	{
		if (metric == VECIDX_L2)
			sum += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
		else if (metric == VECIDX_HAMMING)
			sum += a[i] != b[i];
		else
			sum -= (double) a[i] * b[i];
	}
	return sum;
}
