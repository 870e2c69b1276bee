/*
 * rotation.c
 *	  The random rotation that makes every vector's coordinates look normal.
 *
 * Four rounds.  Each multiplies the coordinates by random signs and applies a
 * normalised Walsh-Hadamard transform to as many of them as a power of two
 * allows: the first in even rounds, the last in odd ones.  Where that is not
 * all, a Kac step follows the second round: coordinate i of the first half and
 * i of the second turn by 45 degrees, so that both halves weigh the same.  All
 * of it is orthonormal and costs n log n.
 *
 * Two rounds before the step see to it that it meets no coordinate that stands
 * out.  With a step after every round, as is usual, a single large coordinate
 * passes some transforms by: half of it is stepped to the other end each time.
 *
 * The factors of a round hold its signs times the normalisation that is still
 * owed: that of its own transform, and that of the Kac step before it.
 *
 * Rotated vectors are on disk as codes, so this must give equal bits on every
 * machine and for ever: the generator is our own, and no addition follows a
 * multiplication in one expression, which a compiler could fuse.
 */
#include "c.h"

#include "quant/quant_internal.h"

/* Residuals beyond these are scaled by a power of two before they are rotated. */
#define LARGEST_UNSCALED 0x1p40f
#define SMALLEST_UNSCALED 0x1p-40f

/* splitmix64 (Steele, Lea and Flood 2014): the state counts, the output mixes it. */
static uint64
next_random(uint64 *state)
{
	uint64		z = (*state += UINT64CONST(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64CONST(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64CONST(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* First coordinate that the transform of a round covers. */
static inline int
transform_start(const VecIdxQuantizer *quantizer, int round)
{
	return round % 2 == 0 ? 0 : quantizer->padded - quantizer->transform;
}

/* Whether a Kac step follows a round. */
static inline bool
step_follows(const VecIdxQuantizer *quantizer, int round)
{
	return round == 1 && quantizer->transform != quantizer->padded;
}

/* Sets up the rotation from params.seed; padded must be set. */
void
vecidx_rotation_init(VecIdxQuantizer *quantizer)
{
	uint64		state = quantizer->params.seed;
	float	   *factors = quantizer->data + quantizer->padded;

	quantizer->transform = VECIDX_BLOCK;
	while (quantizer->transform * 2 <= quantizer->padded)
		quantizer->transform *= 2;

	for (int round = 0; round < VECIDX_ROTATION_ROUNDS; round++)
	{
		int			start = transform_start(quantizer, round);
		double		owed = round > 0 && step_follows(quantizer, round - 1) ? sqrt(0.5) : 1.0;
		float		outside = (float) owed;
		float		inside = (float) (owed / sqrt((double) quantizer->transform));
		uint64		bits = 0;

		for (int i = 0; i < quantizer->padded; i++)
		{
			bool		transformed = i >= start && i < start + quantizer->transform;
			float		factor = transformed ? inside : outside;

			if (i % 64 == 0)
				bits = next_random(&state);
			*factors++ = (bits & 1) ? -factor : factor;
			bits >>= 1;
		}
	}
}

/* Writes row - centroid, zero beyond the dimensions; returns the largest magnitude. */
static float
subtract_centroid(const VecIdxQuantizer *quantizer, const float *row, float *out)
{
	int			dimensions = quantizer->params.dimensions;

	memset(out + dimensions, 0, sizeof(float) * (quantizer->padded - dimensions));
	return vecidx_kernels()->subtract(row, vecidx_quantizer_centroid(quantizer), out, dimensions);
}

/* The same for residuals that float cannot square: divides by the power of two returned. */
static double
subtract_centroid_scaled(const VecIdxQuantizer *quantizer, const float *row, float *out)
{
	const float *centroid = vecidx_quantizer_centroid(quantizer);
	int			dimensions = quantizer->params.dimensions;
	double		largest = 0;
	double		scale;
	int			exponent;

	for (int i = 0; i < dimensions; i++)
	{
		double		magnitude = fabs((double) row[i] - (double) centroid[i]);

		largest = magnitude > largest ? magnitude : largest;
	}
	(void) frexp(largest, &exponent);
	scale = ldexp(1.0, -exponent);
	for (int i = 0; i < dimensions; i++)
		out[i] = (float) (((double) row[i] - (double) centroid[i]) * scale);
	return ldexp(1.0, exponent);
}

/*
 * One round: factors and transform.  The coordinates that the transform leaves
 * out are at the other end of it.
 */
static void
rotate_round(const VecIdxQuantizer *quantizer, int round, float *x)
{
	const VecIdxKernels *kernels = vecidx_kernels();
	const float *factors = vecidx_quantizer_factors(quantizer, round);
	int			start = transform_start(quantizer, round);
	int			left_out = round % 2 == 0 ? quantizer->transform : 0;

	kernels->multiply(x + left_out, factors + left_out, quantizer->padded - quantizer->transform);
	kernels->hadamard(x + start, factors + start, quantizer->transform);
}

/* Fills residual for a row, but for norm2; residual->values points to room for padded floats. */
void
vecidx_rotation_apply(const VecIdxQuantizer *quantizer, const float *row, VecIdxResidual *residual)
{
	float	   *x = residual->values;
	int			half = quantizer->padded / 2;
	float		largest = subtract_centroid(quantizer, row, x);

	Assert(quantizer->params.metric != VECIDX_HAMMING);

	residual->unit = 1.0;
	if (largest == 0)
		return;
	if (!(largest >= SMALLEST_UNSCALED && largest <= LARGEST_UNSCALED))
		residual->unit = subtract_centroid_scaled(quantizer, row, x);

	for (int round = 0; round < VECIDX_ROTATION_ROUNDS; round++)
	{
		rotate_round(quantizer, round, x);
		/* the Kac step without its normalisation */
		if (step_follows(quantizer, round))
			vecidx_kernels()->butterfly(x, x + half, half);
	}
}

/*
 * Turns padded values back, in place, from the rotated frame to differences
 * from the centroid.  Each step is symmetric and all of them together are
 * orthonormal, so the inverse is the same steps in reverse order.
 */
void
vecidx_rotation_invert(const VecIdxQuantizer *quantizer, float *values)
{
	const VecIdxKernels *kernels = vecidx_kernels();
	int			n = quantizer->padded;

	for (int round = VECIDX_ROTATION_ROUNDS - 1; round >= 0; round--)
	{
		if (step_follows(quantizer, round))
			kernels->butterfly(values, values + n / 2, n / 2);
		kernels->hadamard(values + transform_start(quantizer, round), NULL, quantizer->transform);
		kernels->multiply(values, vecidx_quantizer_factors(quantizer, round), n);
	}
}
