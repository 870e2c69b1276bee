/*
 * decode.c
 *	  From a stored vector back to a row, about.
 *
 * Nothing on disk depends on it, so it may round as it likes.
 */
#include "c.h"

#include "quant/quant_internal.h"

/*
 * The residual of an SQ4 or SQ8 rerank vector is s * y, turned back; f1 is
 * -2 s for L2, -s otherwise.  y is turned before it is scaled, so that no
 * value is beyond float on the way.
 */
static void
decode_levels(const VecIdxQuantizer *quantizer, const uint8 *vector, void *scratch, float *row)
{
	const VecIdxQuantParams *params = &quantizer->params;
	const float *centroid = vecidx_quantizer_centroid(quantizer);
	int			bits = vecidx_quant_rerank_bits(params);
	int			n = quantizer->padded;
	float	   *values = vecidx_align(scratch);
	uint8	   *levels = (uint8 *) (values + n);
	double		middle = ((1 << bits) - 1) * 0.5;
	VecIdxRerankHeader header;
	double		scale;

	memcpy(&header, vector, sizeof(header));
	scale = params->metric == VECIDX_L2 ? -0.5 * header.factors.f1 : -header.factors.f1;
	vecidx_levels_unpack(vector + sizeof(header), bits, n, levels);
	for (int i = 0; i < n; i++)
		values[i] = (float) (levels[i] - middle);
	vecidx_rotation_invert(quantizer, values);
	for (int i = 0; i < params->dimensions; i++)
		row[i] = vecidx_clamp(values[i] * scale + centroid[i]);
}

/* Hamming: the code's bits as zeros and ones. */
static void
decode_bits(const VecIdxQuantizer *quantizer, const uint8 *code, void *scratch, float *row)
{
	uint8	   *levels = vecidx_align(scratch);

	vecidx_levels_unpack(code, 1, quantizer->padded, levels);
	for (int i = 0; i < quantizer->params.dimensions; i++)
		row[i] = levels[i];
}

void
vecidx_quant_decode(const VecIdxQuantizer *quantizer, const uint8 *vector, void *scratch, float *row)
{
	const VecIdxQuantParams *params = &quantizer->params;

	switch (params->rerank)
	{
		case VECIDX_RERANK_SQ4:
		case VECIDX_RERANK_SQ8:
			decode_levels(quantizer, vector, scratch, row);
			break;
		case VECIDX_RERANK_HALF:
			vecidx_kernels()->half_to_float(vector, row, params->dimensions);
			break;
		case VECIDX_RERANK_FLOAT:
			memcpy(row, vector, sizeof(float) * params->dimensions);
			break;
		case VECIDX_RERANK_NONE:
			decode_bits(quantizer, vector, scratch, row);
			break;
	}
	/* a row without direction stays as it is */
	(void) vecidx_quant_normalize(quantizer, row);
}
