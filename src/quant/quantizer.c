/*
 * quantizer.c
 *	  Parameters, sizes, and what is derived from them once.
 */
#include "c.h"

#include "quant/quant_internal.h"

static void
go_on(void)
{
}

void		(*vecidx_quant_yield) (void) = go_on;

/*
 * Step and error for B = 1 .. 8 on normal data of unit deviation.  The step
 * makes <r, y> / (|r| |y|) largest; the error is sqrt(1 / cos^2 - 1) there.
 */
static const double best_step[VECIDX_MAX_BITS + 1] =
{0, 1.5958, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308};
static const double best_noise[VECIDX_MAX_BITS + 1] =
{0, 0.756, 0.367, 0.197, 0.108, 0.059, 0.032, 0.017, 0.009};

double
vecidx_quant_step(int bits)
{
	return best_step[bits];
}

double
vecidx_quant_noise(int bits)
{
	return best_noise[bits];
}

int
vecidx_quant_padded(const VecIdxQuantParams *params)
{
	return TYPEALIGN(VECIDX_BLOCK, params->dimensions);
}

Size
vecidx_quant_code_size(const VecIdxQuantParams *params)
{
	return (Size) vecidx_quant_padded(params) * params->bits / 8;
}

int
vecidx_quant_rerank_bits(const VecIdxQuantParams *params)
{
	switch (params->rerank)
	{
		case VECIDX_RERANK_SQ4:
			return 4;
		case VECIDX_RERANK_SQ8:
			return 8;
		default:
			return 0;
	}
}

Size
vecidx_quant_rerank_size(const VecIdxQuantParams *params)
{
	switch (params->rerank)
	{
		case VECIDX_RERANK_SQ4:
		case VECIDX_RERANK_SQ8:
			return sizeof(VecIdxRerankHeader) +
				(Size) vecidx_quant_padded(params) * vecidx_quant_rerank_bits(params) / 8;
		case VECIDX_RERANK_HALF:
			return (Size) params->dimensions * 2;
		case VECIDX_RERANK_FLOAT:
			return (Size) params->dimensions * 4;
		default:
			return 0;
	}
}

Size
vecidx_quantizer_size(const VecIdxQuantParams *params)
{
	Size		rows = params->metric == VECIDX_HAMMING ? 0 : 1 + VECIDX_ROTATION_ROUNDS;

	return offsetof(VecIdxQuantizer, data) + rows * vecidx_quant_padded(params) * sizeof(float);
}

VecIdxQuantizer *
vecidx_quantizer_init(void *memory, const VecIdxQuantParams *params, const float *centroid)
{
	VecIdxQuantizer *quantizer = memory;
	Size		used = sizeof(float) * params->dimensions;

	Assert(params->dimensions >= 1 && params->dimensions <= VECIDX_MAX_DIMENSIONS);
	Assert(params->bits == 1 || params->bits == 2 || params->bits == 4 || params->bits == 8);
	Assert((params->metric == VECIDX_HAMMING) == (params->rerank == VECIDX_RERANK_NONE));
	Assert(params->metric != VECIDX_HAMMING || params->bits == 1);

	memset(quantizer, 0, offsetof(VecIdxQuantizer, data));
	quantizer->params = *params;
	quantizer->padded = vecidx_quant_padded(params);
	if (params->metric == VECIDX_HAMMING)
		return quantizer;

	memcpy(quantizer->data, centroid, used);
	memset((char *) quantizer->data + used, 0, sizeof(float) * quantizer->padded - used);
	quantizer->centroid_norm2 = vecidx_sum_squares(quantizer->data, params->dimensions);
	vecidx_rotation_init(quantizer);
	return quantizer;
}

const VecIdxQuantParams *
vecidx_quantizer_params(const VecIdxQuantizer *quantizer)
{
	return &quantizer->params;
}

bool
vecidx_quant_unit(float *row, int dimensions)
{
	double		norm2 = vecidx_sum_squares(row, dimensions);

	if (norm2 == 0)
		return false;
	vecidx_kernels()->scale(row, 1.0 / sqrt(norm2), dimensions);
	return true;
}

bool
vecidx_quant_normalize(const VecIdxQuantizer *quantizer, float *row)
{
	if (quantizer->params.metric != VECIDX_COSINE)
		return true;
	return vecidx_quant_unit(row, quantizer->params.dimensions);
}

double
vecidx_quant_user_distance(VecIdxMetric metric, double order_distance)
{
	switch (metric)
	{
		case VECIDX_L2:
			return order_distance > 0 ? sqrt(order_distance) : 0;
		case VECIDX_COSINE:
			return 1.0 + order_distance;
		default:
			return order_distance;
	}
}

const float *
vecidx_quant_centroid(const VecIdxQuantizer *quantizer)
{
	return vecidx_quantizer_centroid(quantizer);
}
