/*
 * plain.c
 *	  Distances of rerank vectors that are the row itself, as half or float.
 */
#include "c.h"

#include "quant/quant_internal.h"

/* Halves are turned into floats so many at a time, on the stack. */
#define CHUNK 256

static inline float
load_float(const float *p)
{
	float		value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/* The sum that the kernels give as float, where that overflows. */
static double
sum_in_double(VecIdxMetric metric, const float *a, const float *b, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
	{
		double		x = load_float(a + i);
		double		y = load_float(b + i);

		sum += metric == VECIDX_L2 ? (x - y) * (x - y) : x * y;
	}
	return sum;
}

/* Squared distance for L2, else the inner product; finite.  No alignment. */
static double
row_sum(const VecIdxKernels *kernels, VecIdxMetric metric, const float *a, const float *b, int n)
{
	float		sum = metric == VECIDX_L2 ? kernels->l2sq(a, b, n) : kernels->dot(a, b, n);

	if (unlikely(!isfinite(sum)))
		return sum_in_double(metric, a, b, n);
	return sum;
}

/* The same of a row and halves. */
static double
row_half_sum(const VecIdxKernels *kernels, VecIdxMetric metric, const float *row, const uint8 *half, int n)
{
	float		chunk[CHUNK];
	double		sum = 0;

	for (int i = 0; i < n; i += CHUNK)
	{
		int			count = Min(CHUNK, n - i);

		kernels->half_to_float(half + 2 * i, chunk, count);
		sum += row_sum(kernels, metric, row + i, chunk, count);
	}
	return sum;
}

static double
half_half_sum(const VecIdxKernels *kernels, VecIdxMetric metric, const uint8 *a, const uint8 *b, int n)
{
	float		chunk[CHUNK];
	double		sum = 0;

	for (int i = 0; i < n; i += CHUNK)
	{
		int			count = Min(CHUNK, n - i);

		kernels->half_to_float(a + 2 * i, chunk, count);
		sum += row_half_sum(kernels, metric, chunk, b + 2 * i, count);
	}
	return sum;
}

static inline float
order_distance(VecIdxMetric metric, double sum)
{
	return vecidx_clamp(metric == VECIDX_L2 ? sum : -sum);
}

/* Order distance of a row and a HALF or FLOAT rerank vector. */
float
vecidx_plain_distance(const VecIdxKernels *kernels, const VecIdxQuantParams *params,
					  const float *row, const uint8 *rerank)
{
	int			n = params->dimensions;
	double		sum;

	if (params->rerank == VECIDX_RERANK_HALF)
		sum = row_half_sum(kernels, params->metric, row, rerank, n);
	else
		sum = row_sum(kernels, params->metric, row, (const float *) rerank, n);
	return order_distance(params->metric, sum);
}

/* Order distance of two HALF or two FLOAT rerank vectors. */
float
vecidx_plain_pair(const VecIdxKernels *kernels, const VecIdxQuantParams *params,
				  const uint8 *a, const uint8 *b)
{
	if (params->rerank == VECIDX_RERANK_HALF)
		return order_distance(params->metric,
							  half_half_sum(kernels, params->metric, a, b, params->dimensions));
	return vecidx_plain_distance(kernels, params, (const float *) a, b);
}
