/*
 * encode.c
 *	  From a row to its code, factors and rerank vector.
 *
 * The bytes are on disk and rows are compared by them, so they must be equal
 * on every machine: only kernels that give the same bits in all sets, and
 * operations on single elements, none of them a rounded product followed
 * by an addition.
 */
#include "c.h"

#include "quant/quant_internal.h"

/* What the factors are made of: sums over the levels of one code. */
typedef struct LevelSums
{
	int32		level_sum;		/* sum of u */
	double		values_dot;		/* <r, y>, r the residual's values */
	double		norm2;			/* |y|^2 */
} LevelSums;

Size
vecidx_quant_scratch_size(const VecIdxQuantParams *params)
{
	/* the rotated row and a byte for each level */
	return (Size) vecidx_quant_padded(params) * (sizeof(float) + 1) + VECIDX_ALIGNMENT;
}

/*
 * Levels of a residual in steps of the best size for normal data, and sums
 * over them.  All are in the middle where the residual is zero.
 */
static void
quantize(const VecIdxResidual *residual, int bits, int n, uint8 *levels, LevelSums *sums)
{
	double		deviation = sqrt(residual->norm2 / n);
	int32		top = (1 << bits) - 1;
	VecIdxLeveling leveling = {.top = top};
	int64		norm2_times_4;

	if (residual->norm2 > 0)
		leveling.inverse = (float) (1.0 / (vecidx_quant_step(bits) * deviation));
	vecidx_kernels()->level(residual->values, n, &leveling, levels);
	norm2_times_4 = INT64CONST(4) * leveling.squares - INT64CONST(4) * top * leveling.sum + (int64) n * top * top;
	sums->level_sum = leveling.sum;
	sums->norm2 = 0.25 * (double) norm2_times_4;
	/* 2 y is a whole number */
	sums->values_dot = 0.5 * leveling.dot;
}

/*
 * Factors of a code with these sums.  With r the residual and s = |r|^2 /
 * <r, y>, s * <y, z> estimates <r, z>: the part of s * y along r is r itself,
 * and the rest, |r| * noise long, points anywhere in the D - 1 dimensions
 * perpendicular to r.  The query's own rounding adds what it hides of s * y.
 */
static void
compute_factors(const VecIdxQuantizer *quantizer, const float *row, const VecIdxResidual *residual,
				const LevelSums *sums, double query_precision, VecIdxFactors *factors)
{
	const VecIdxQuantParams *params = &quantizer->params;
	double		unit = residual->unit;
	double		factor = params->metric == VECIDX_L2 ? 2.0 : 1.0;
	double		scale = 0;
	double		error = 0;

	if (residual->norm2 > 0)
	{
		double		stretch = residual->norm2 * sums->norm2 / (sums->values_dot * sums->values_dot);
		double		noise2 = stretch > 1.0 ? stretch - 1.0 : 0;

		/* a quotient, because a product could be fused with the addition */
		noise2 += stretch / query_precision;
		scale = residual->norm2 / sums->values_dot * unit;
		error = sqrt(residual->norm2 * noise2 / (quantizer->padded - 1)) * unit;
	}
	if (params->metric == VECIDX_L2)
		factors->f0 = vecidx_clamp(residual->norm2 * unit * unit);
	else
		factors->f0 = vecidx_clamp(-vecidx_kernels()->dot_wide(row, vecidx_quantizer_centroid(quantizer),
																params->dimensions));
	factors->f1 = vecidx_clamp(-factor * scale);
	factors->error = vecidx_clamp(factor * error);
}

/* Encodes an SQ4 or SQ8 rerank vector.  The query that meets it is not rounded. */
static void
encode_rerank_levels(const VecIdxQuantizer *quantizer, const float *row, const VecIdxResidual *residual,
					 uint8 *levels, uint8 *rerank)
{
	int			bits = vecidx_quant_rerank_bits(&quantizer->params);
	int			n = quantizer->padded;
	VecIdxRerankHeader header;
	LevelSums	sums;

	quantize(residual, bits, n, levels, &sums);
	compute_factors(quantizer, row, residual, &sums, HUGE_VAL, &header.factors);
	header.level_sum = sums.level_sum;
	memcpy(rerank, &header, sizeof(header));
	vecidx_levels_pack(levels, bits, n, rerank + sizeof(header));
}

/* Hamming: the elements are 0 or 1, and the code is they. */
static void
encode_bits(const VecIdxQuantizer *quantizer, const float *row, uint8 *levels, uint8 *code)
{
	vecidx_levels_from_bits(row, quantizer->params.dimensions, quantizer->padded, levels);
	vecidx_levels_pack(levels, 1, quantizer->padded, code);
}

void
vecidx_quant_encode(const VecIdxQuantizer *quantizer, const float *row, void *scratch,
					uint8 *code, VecIdxFactors *factors, uint8 *rerank)
{
	const VecIdxQuantParams *params = &quantizer->params;
	int			n = quantizer->padded;
	VecIdxResidual residual = {.values = vecidx_align(scratch)};
	uint8	   *levels = (uint8 *) (residual.values + n);
	LevelSums	sums;

	if (params->metric == VECIDX_HAMMING)
	{
		encode_bits(quantizer, row, levels, code);
		memset(factors, 0, sizeof(*factors));
		return;
	}

	vecidx_rotation_apply(quantizer, row, &residual);
	residual.norm2 = vecidx_sum_squares(residual.values, n);
	quantize(&residual, params->bits, n, levels, &sums);
	compute_factors(quantizer, row, &residual, &sums,
					vecidx_query_precision(params->bits), factors);
	vecidx_levels_pack(levels, params->bits, n, code);

	if (vecidx_quant_rerank_bits(params) != 0)
		encode_rerank_levels(quantizer, row, &residual, levels, rerank);
	else if (params->rerank == VECIDX_RERANK_HALF)
		vecidx_half_from_float(row, params->dimensions, rerank);
	else if (params->rerank == VECIDX_RERANK_FLOAT)
		memcpy(rerank, row, sizeof(float) * params->dimensions);
}
