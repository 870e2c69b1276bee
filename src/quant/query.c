/*
 * query.c
 *	  Prepared queries: estimates from codes, distances from rerank vectors.
 */
#include "c.h"

#include "quant/quant_internal.h"

/* Largest magnitude of a query's integers against 2-, 4- and 8-bit codes. */
#define QUERY_TOP 127

/*
 * Relative error of a query rounded to 4 bits, and of one rounded to 1 / 127 of
 * its largest coordinate.  The largest of a hundred to ten thousand normal ones
 * is 3 to 4.5 deviations, and rounding errs by its step / sqrt(12).
 */
#define QUERY_NOISE_PLANES 0.115
#define QUERY_NOISE_INT8 0.010

static inline double
query_noise(int bits)
{
	return bits == 1 ? QUERY_NOISE_PLANES : QUERY_NOISE_INT8;
}

double
vecidx_query_precision(int bits)
{
	return 1.0 / (query_noise(bits) * query_noise(bits));
}

/* Bytes of the integers: int8, and for 1-bit codes the planes made from them. */
static Size
levels_size(const VecIdxQuantParams *params)
{
	Size		padded = vecidx_quant_padded(params);

	if (params->metric == VECIDX_HAMMING)
		return padded / 8;
	return params->bits == 1 ? padded / 2 : padded;
}

static bool
keeps_row(const VecIdxQuantParams *params)
{
	return params->rerank == VECIDX_RERANK_HALF || params->rerank == VECIDX_RERANK_FLOAT;
}

Size
vecidx_query_size(const VecIdxQuantParams *params)
{
	Size		size = sizeof(VecIdxQuery) + VECIDX_ALIGNMENT;

	size += TYPEALIGN(VECIDX_ALIGNMENT, levels_size(params)) + VECIDX_ALIGNMENT;
	if (keeps_row(params))
		size += params->dimensions * sizeof(float);
	else if (params->metric != VECIDX_HAMMING)
		size += vecidx_quant_padded(params) * sizeof(float);
	return size;
}

/*
 * Rounds z to integers of the given step, and those to u = v + bottom in [0,
 * 2 * bottom] or, for a power of two, below that.
 */
static void
round_values(const float *restrict values, double step, int bottom, int n, uint8 *restrict levels)
{
	float		inverse = (float) (1.0 / step);
	float		offset = bottom + 0.5f;
	float		largest = bottom == QUERY_TOP ? 2 * bottom : 2 * bottom - 1;

	for (int i = 0; i < n; i += VECIDX_BLOCK)
	{
		for (int j = i; j < i + VECIDX_BLOCK; j++)
		{
			float		level = values[j] * inverse + offset;

			level = level < 0 ? 0 : level;
			level = level > largest ? largest : level;
			levels[j] = (uint8) (int) level;
		}
	}
}

/* Turns levels into integers, in place; returns the sum and the sum of squares. */
static void
center_levels(uint8 *levels, int bottom, int n, int32 *sum, int32 *squares)
{
	int32		total = 0;
	int32		total_squares = 0;

	for (int i = 0; i < n; i += VECIDX_BLOCK)
	{
		for (int j = i; j < i + VECIDX_BLOCK; j++)
		{
			int32		v = levels[j] - bottom;

			levels[j] = (uint8) v;
			total += v;
			total_squares += v * v;
		}
	}
	*sum = total;
	*squares = total_squares;
}

/*
 * Rounds z to integers v of the given step, from -bottom on.  Sets what turns
 * them back; returns how much coarser they are than the noise that codes were
 * told of, at least 1.
 *
 * step * v is not the rounded z but the multiple of it whose part along z is z
 * itself, so that no estimate shrinks because large coordinates were cut.
 */
static double
round_query(VecIdxQuery *query, const VecIdxResidual *residual, double step, int bottom, int8 *integers)
{
	uint8	   *levels = (uint8 *) integers;
	int			n = query->padded;
	int32		sum;
	int32		squares;
	double		dot;
	double		noise2;

	round_values(residual->values, step, bottom, n, levels);
	dot = vecidx_sum_dot_levels(residual->values, levels, 1, -bottom, n);
	center_levels(levels, bottom, n, &sum, &squares);
	query->step = ldexp(residual->norm2 / dot, residual->exponent);
	query->level_offset = 0.5 * ((1 << query->bits) - 1) * sum;

	noise2 = squares * residual->norm2 / (dot * dot) - 1.0;
	return fmax(1.0, sqrt(fmax(0, noise2)) / query_noise(query->bits));
}

/* The integers of a query that is not at the centroid; returns as round_query. */
static double
quantize_query(VecIdxQuery *query, const VecIdxResidual *residual, int8 *levels)
{
	double		largest = 0;

	if (query->bits == 1)
	{
		double		deviation = sqrt(residual->norm2 / query->padded);

		return round_query(query, residual, vecidx_quant_step(4) * deviation, 8, levels);
	}
	for (int i = 0; i < query->padded; i++)
	{
		double		magnitude = fabsf(residual->values[i]);

		largest = magnitude > largest ? magnitude : largest;
	}
	return round_query(query, residual, largest / QUERY_TOP, QUERY_TOP, levels);
}

/* Fills what estimates need, for every metric but Hamming.  scratch: padded bytes. */
static void
init_estimate(VecIdxQuery *query, const VecIdxResidual *residual, const float *row,
			  int8 *scratch, uint8 *levels)
{
	const VecIdxQuantizer *quantizer = query->quantizer;
	double		norm = ldexp(sqrt(residual->norm2), residual->exponent);
	int8	   *integers = query->bits == 1 ? scratch : (int8 *) levels;
	double		coarseness = 1.0;

	if (residual->norm2 > 0)
		coarseness = quantize_query(query, residual, integers);
	else
		memset(integers, 0, query->padded);
	if (query->bits == 1)
		vecidx_levels_planes(integers, query->padded, levels);

	if (quantizer->params.metric == VECIDX_L2)
		query->base = norm * norm;
	else
		query->base = quantizer->centroid_norm2 -
			vecidx_sum_dot(row, vecidx_quantizer_centroid(quantizer), quantizer->params.dimensions);
	query->bound = vecidx_clamp(VECIDX_BOUND_EPSILON * norm * coarseness);
}

/* Fills what distances from SQ4 and SQ8 need; residual->values stay with the query. */
static void
init_rerank(VecIdxQuery *query, const VecIdxResidual *residual, int bits)
{
	double		norm = ldexp(sqrt(residual->norm2), residual->exponent);

	query->rotated = residual->values;
	query->rotated_scale = ldexp(1.0, residual->exponent);
	query->rotated_offset = 0.5 * ((1 << bits) - 1) * vecidx_sum(residual->values, query->padded);
	query->rerank_bound = vecidx_clamp(VECIDX_BOUND_EPSILON * norm);
}

/* Hamming: the bits themselves.  scratch: padded bytes. */
static void
init_bits(VecIdxQuery *query, const float *row, uint8 *scratch, uint8 *levels)
{
	query->bits = 0;
	vecidx_levels_from_bits(row, query->quantizer->params.dimensions, query->padded, scratch);
	vecidx_levels_pack(scratch, 1, query->padded, levels);
}

VecIdxQuery *
vecidx_query_init(void *memory, const VecIdxQuantizer *quantizer, const float *row, void *scratch)
{
	const VecIdxQuantParams *params = &quantizer->params;
	VecIdxQuery *query = vecidx_align(memory);
	uint8	   *levels = vecidx_align(query + 1);
	float	   *floats = vecidx_align(levels + levels_size(params));
	float	   *values = vecidx_align(scratch);
	int8	   *bytes = (int8 *) (values + quantizer->padded);
	VecIdxResidual residual;

	memset(query, 0, sizeof(*query));
	query->kernels = vecidx_kernels();
	query->levels = levels;
	query->bits = params->bits;
	query->padded = quantizer->padded;
	query->quantizer = quantizer;
	if (params->metric == VECIDX_HAMMING)
	{
		init_bits(query, row, (uint8 *) bytes, levels);
		return query;
	}

	residual.values = keeps_row(params) ? values : floats;
	vecidx_rotation_apply(quantizer, row, &residual);
	init_estimate(query, &residual, row, bytes, levels);
	if (keeps_row(params))
		query->row = memcpy(floats, row, sizeof(float) * params->dimensions);
	else
		init_rerank(query, &residual, vecidx_quant_rerank_bits(params));
	return query;
}

float
vecidx_query_estimate(const VecIdxQuery *query, const uint8 *code, float f0, float f1)
{
	const VecIdxKernels *kernels = query->kernels;
	const int8 *integers = (const int8 *) query->levels;
	int32		dot;

	switch (query->bits)
	{
		case 1:
			dot = kernels->dot_b1(code, query->levels, query->padded);
			break;
		case 2:
			dot = kernels->dot_b2(code, integers, query->padded);
			break;
		case 4:
			dot = kernels->dot_b4(code, integers, query->padded);
			break;
		case 8:
			dot = kernels->dot_b8(code, integers, query->padded);
			break;
		default:
			return (float) kernels->hamming(code, query->levels, query->padded / 8);
	}
	/* none of these is infinite, nor near it as double: never NaN */
	return vecidx_clamp(query->base + f0 + f1 * (query->step * (dot - query->level_offset)));
}

float
vecidx_query_bound(const VecIdxQuery *query, float error)
{
	return vecidx_clamp((double) query->bound * error);
}

/* From an SQ4 or SQ8 rerank vector. */
static float
distance_from_levels(const VecIdxQuery *query, const uint8 *rerank)
{
	const uint8 *code = rerank + sizeof(VecIdxRerankHeader);
	VecIdxRerankHeader header;
	double		dot;

	memcpy(&header, rerank, sizeof(header));
	if (query->quantizer->params.rerank == VECIDX_RERANK_SQ8)
		dot = query->kernels->dotf_b8(code, query->rotated, query->padded);
	else
		dot = query->kernels->dotf_b4(code, query->rotated, query->padded);
	dot = query->rotated_scale * (dot - query->rotated_offset);
	return vecidx_clamp(query->base + header.factors.f0 + header.factors.f1 * dot);
}

float
vecidx_query_distance(const VecIdxQuery *query, const uint8 *rerank)
{
	switch (query->quantizer->params.rerank)
	{
		case VECIDX_RERANK_SQ4:
		case VECIDX_RERANK_SQ8:
			return distance_from_levels(query, rerank);
		case VECIDX_RERANK_HALF:
		case VECIDX_RERANK_FLOAT:
			return vecidx_plain_distance(query->kernels, &query->quantizer->params, query->row, rerank);
		default:
			/* without rerank vectors the caller hands over the code */
			return vecidx_query_estimate(query, rerank, 0, 0);
	}
}

float
vecidx_query_distance_bound(const VecIdxQuery *query, const uint8 *rerank)
{
	VecIdxRerankHeader header;

	if (query->rotated == NULL)
		return 0;
	memcpy(&header, rerank, sizeof(header));
	return vecidx_clamp((double) query->rerank_bound * header.factors.error);
}
