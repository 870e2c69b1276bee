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

/* Estimates are made so many at a time, with their integers on the stack. */
#define ESTIMATE_CHUNK 64

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
	return params->bits == 1 ? VECIDX_PLANES_SIZE(padded) : padded;
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
 * Rounds z to integers v of the given step, from -bottom to top.  Sets what
 * turns them back; returns how much coarser they are than the noise that codes
 * were told of, at least 1.
 *
 * step * v is not the rounded z but the multiple of it whose part along z is z
 * itself, so that no estimate shrinks because large coordinates were cut.
 */
static double
round_query(VecIdxQuery *query, const VecIdxResidual *residual, VecIdxRounding *rounding, int8 *integers)
{
	double		noise2;

	query->kernels->round(residual->values, query->padded, rounding, integers);
	query->line.step = residual->norm2 / rounding->dot * residual->unit;
	query->line.offset = 0.5 * ((1 << query->bits) - 1) * rounding->sum;

	noise2 = rounding->squares * residual->norm2 / (rounding->dot * rounding->dot) - 1.0;
	return fmax(1.0, sqrt(fmax(0, noise2)) / query_noise(query->bits));
}

/* Makes the levels of a query that is not at the centroid; returns as round_query. */
static double
quantize_query(VecIdxQuery *query, const VecIdxResidual *residual, float largest, int8 *scratch, uint8 *levels)
{
	VecIdxRounding rounding = {.bottom = QUERY_TOP,.top = QUERY_TOP};
	double		coarseness;
	double		deviation;

	if (query->bits != 1)
	{
		rounding.inverse = (float) (QUERY_TOP / (double) largest);
		return round_query(query, residual, &rounding, (int8 *) levels);
	}

	deviation = sqrt(residual->norm2 / query->padded);
	rounding.inverse = (float) (1.0 / (vecidx_quant_step(4) * deviation));
	rounding.bottom = 8;
	rounding.top = 7;
	coarseness = round_query(query, residual, &rounding, scratch);
	query->kernels->planes(scratch, query->padded, levels);
	return coarseness;
}

/* <q, c>, finite. */
static double
centroid_dot(const VecIdxQuantizer *quantizer, const float *row)
{
	return vecidx_kernels()->dot_wide(row, vecidx_quantizer_centroid(quantizer), quantizer->params.dimensions);
}

/*
 * Fills what estimates need, for every metric but Hamming, and what distances
 * from SQ4 and SQ8 need, for which residual->values stay with the query.
 * scratch: padded bytes.
 */
static void
init_sums(VecIdxQuery *query, VecIdxResidual *residual, const float *row, int8 *scratch, uint8 *levels)
{
	const VecIdxQuantParams *params = &query->quantizer->params;
	VecIdxMoments moments;
	double		norm;
	double		coarseness = 1.0;

	query->kernels->measure(residual->values, query->padded, &moments);
	residual->norm2 = moments.squares;
	norm = sqrt(residual->norm2) * residual->unit;
	if (residual->norm2 > 0)
		coarseness = quantize_query(query, residual, moments.largest, scratch, levels);
	else
		memset(levels, 0, levels_size(params));

	if (params->metric == VECIDX_L2)
		query->line.base = norm * norm;
	else
		query->line.base = query->quantizer->centroid_norm2 - centroid_dot(query->quantizer, row);
	query->bound = vecidx_clamp(VECIDX_BOUND_EPSILON * norm * coarseness);
	if (keeps_row(params))
		return;

	query->rotated = residual->values;
	query->rotated_scale = residual->unit;
	query->rotated_offset = 0.5 * ((1 << vecidx_quant_rerank_bits(params)) - 1) * moments.sum;
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
	init_sums(query, &residual, row, bytes, levels);
	if (keeps_row(params))
		query->row = memcpy(floats, row, sizeof(float) * params->dimensions);
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
	return vecidx_line_estimate(&query->line, dot, f0, f1);
}

/* The products of several codes' levels with the query's integers; not for Hamming. */
static void
compute_dots(const VecIdxQuery *query, const uint8 *const *codes, int count, int32 *dots)
{
	const VecIdxKernels *kernels = query->kernels;
	const int8 *integers = (const int8 *) query->levels;

	switch (query->bits)
	{
		case 1:
			kernels->dots_b1(codes, count, query->levels, query->padded, dots);
			break;
		case 2:
			kernels->dots_b2(codes, count, integers, query->padded, dots);
			break;
		case 4:
			kernels->dots_b4(codes, count, integers, query->padded, dots);
			break;
		default:
			kernels->dots_b8(codes, count, integers, query->padded, dots);
			break;
	}
}

void
vecidx_query_estimates(const VecIdxQuery *query, const uint8 *const *codes, const float *f0,
					   const float *f1, int count, float *estimates)
{
	if (query->bits == 0)
	{
		for (int i = 0; i < count; i++)
			estimates[i] = vecidx_query_estimate(query, codes[i], 0, 0);
		return;
	}
	for (int i = 0; i < count; i += ESTIMATE_CHUNK)
	{
		int			some = Min(ESTIMATE_CHUNK, count - i);
		int32		dots[ESTIMATE_CHUNK];

		compute_dots(query, codes + i, some, dots);
		query->kernels->estimates(&query->line, dots, f0 + i, f1 + i, some, estimates + i);
	}
}

static inline float
bound(const VecIdxQuery *query, float error)
{
	return vecidx_clamp((double) query->bound * error);
}

float
vecidx_query_bound(const VecIdxQuery *query, float error)
{
	return bound(query, error);
}

void
vecidx_query_bounds(const VecIdxQuery *query, const float *errors, int count, float *bounds)
{
	for (int i = 0; i < count; i++)
		bounds[i] = bound(query, errors[i]);
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
	return vecidx_clamp(query->line.base + header.factors.f0 + header.factors.f1 * dot);
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
