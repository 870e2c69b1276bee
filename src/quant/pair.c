/*
 * pair.c
 *	  Distances of two stored vectors.
 */
#include "c.h"

#include "quant/quant_internal.h"

/* <y, w> of two codes of n dimensions, exactly. */
static double
dot_levels(const VecIdxRerankHeader *a, const VecIdxRerankHeader *b, int32 levels_dot, int bits, int n)
{
	int64		top = (1 << bits) - 1;
	int64		sums = (int64) a->level_sum + b->level_sum;

	/* (2 u - top) (2 w - top), summed */
	return 0.25 * (double) (INT64CONST(4) * levels_dot - 2 * top * sums + n * top * top);
}

/*
 * Of two SQ4 or SQ8 rerank vectors.  s * y for each stands for its residual;
 * the errors of both are perpendicular to their residuals, so the product is
 * right on average.  Distances of equal vectors come out below zero by the
 * square of the error, hence the floor for L2.
 */
static float
pair_from_levels(const VecIdxQuantizer *quantizer, const uint8 *a, const uint8 *b)
{
	const VecIdxKernels *kernels = vecidx_kernels();
	const uint8 *a_code = a + sizeof(VecIdxRerankHeader);
	const uint8 *b_code = b + sizeof(VecIdxRerankHeader);
	int			bits = vecidx_quant_rerank_bits(&quantizer->params);
	int			n = quantizer->padded;
	VecIdxRerankHeader a_header;
	VecIdxRerankHeader b_header;
	int32		levels_dot;
	double		base;
	double		dot;

	memcpy(&a_header, a, sizeof(a_header));
	memcpy(&b_header, b, sizeof(b_header));
	levels_dot = bits == 8 ? kernels->pair_b8(a_code, b_code, n) : kernels->pair_b4(a_code, b_code, n);
	dot = (double) a_header.factors.f1 * b_header.factors.f1 *
		dot_levels(&a_header, &b_header, levels_dot, bits, n);
	base = (double) a_header.factors.f0 + b_header.factors.f0;

	/* f1 is -2 s for L2, -s otherwise */
	if (quantizer->params.metric == VECIDX_L2)
		return vecidx_clamp(Max(0.0, base - 0.5 * dot));
	return vecidx_clamp(base + quantizer->centroid_norm2 - dot);
}

float
vecidx_quant_pair(const VecIdxQuantizer *quantizer, const uint8 *a, const uint8 *b)
{
	const VecIdxQuantParams *params = &quantizer->params;

	switch (params->rerank)
	{
		case VECIDX_RERANK_SQ4:
		case VECIDX_RERANK_SQ8:
			return pair_from_levels(quantizer, a, b);
		case VECIDX_RERANK_HALF:
		case VECIDX_RERANK_FLOAT:
			return vecidx_plain_pair(vecidx_kernels(), params, a, b);
		default:
			return (float) vecidx_kernels()->hamming(a, b, quantizer->padded / 8);
	}
}
