/*
 * quant_internal.h
 *	  What the files of this folder share.
 *
 * Frame.  A vector o becomes r = P(o - c), c the centroid, P the rotation.  A
 * code of B bits says for each of the D padded dimensions a level u[i] in
 * [0, 2^B), which stands for y[i] = u[i] - (2^B - 1) / 2.
 */
#ifndef VECIDX_QUANT_INTERNAL_H
#define VECIDX_QUANT_INTERNAL_H

#include "c.h"

#include <float.h>
#include <math.h>

#include "kernel/kernel.h"
#include "quant/quant.h"

/* Rounds of sign flips and Hadamard transform in a rotation. */
#define VECIDX_ROTATION_ROUNDS 4

/* Codes and rotated vectors come in whole blocks of this many dimensions. */
#define VECIDX_BLOCK 64

/* Arrays that kernels read start at multiples of this (a cache line). */
#define VECIDX_ALIGNMENT 64

/* The most bits that a code has. */
#define VECIDX_MAX_BITS 8

/*
 * data: the centroid (padded floats, zero beyond dimensions), then for each
 * round a factor for each padded dimension.  No pointers, so a quantizer may
 * be copied and shared between processes byte by byte.
 */
struct VecIdxQuantizer
{
	VecIdxQuantParams params;
	int			padded;
	int			transform;		/* largest power of two <= padded */
	double		centroid_norm2;
	float		data[FLEXIBLE_ARRAY_MEMBER];
};

/*
 * What an estimate reads comes first, so that it shares a cache line.
 *
 * For codes, <y, z> is near line.step * (<u, v> - line.offset), v the integers
 * in levels.  For rerank vectors it is rotated_scale * (<u, rotated> -
 * rotated_offset), which rounds nothing but floats.
 */
struct VecIdxQuery
{
	const VecIdxKernels *kernels;
	const uint8 *levels;		/* bit planes, int8, or the raw bits (Hamming) */
	int			bits;			/* 0 for Hamming */
	int			padded;
	VecIdxLine	line;			/* base: G(query); offset: (2^bits - 1) / 2 * sum of v */

	const VecIdxQuantizer *quantizer;
	float		bound;			/* epsilon * |z|, widened for a coarse query */
	float		rerank_bound;	/* epsilon * |z|, or 0 */
	double		rotated_scale;
	double		rotated_offset;	/* (2^rerank bits - 1) / 2 * sum of rotated */
	const float *rotated;		/* z / rotated_scale, for SQ4 and SQ8 */
	const float *row;			/* for HALF and FLOAT */
};

/* What stands before the levels in an SQ4 or SQ8 rerank vector. */
typedef struct VecIdxRerankHeader
{
	VecIdxFactors factors;
	int32		level_sum;		/* sum of u */
} VecIdxRerankHeader;

StaticAssertDecl(sizeof(VecIdxRerankHeader) == 16, "rerank vectors are on disk");

/*
 * A rotated residual: the vector is values * unit, a power of two.  Rotation
 * leaves norm2, that of values, to its callers: rows need it summed in the
 * order that codes on disk are made by, queries need it soon.
 */
typedef struct VecIdxResidual
{
	float	   *values;			/* padded floats */
	double		unit;
	double		norm2;
} VecIdxResidual;

static inline const float *
vecidx_quantizer_centroid(const VecIdxQuantizer *quantizer)
{
	return quantizer->data;
}

static inline const float *
vecidx_quantizer_factors(const VecIdxQuantizer *quantizer, int round)
{
	return quantizer->data + (Size) (round + 1) * quantizer->padded;
}

static inline void *
vecidx_align(void *pointer)
{
	return (void *) TYPEALIGN(VECIDX_ALIGNMENT, pointer);
}

/* Step of the quantizer that is best for normal data of unit deviation. */
extern double vecidx_quant_step(int bits);

/* k_B: relative error, perpendicular to the vector, of a code of 1, 2, 4 or 8 bits. */
extern double vecidx_quant_noise(int bits);

/* 1 / (relative error)^2 of the query's integers that meet codes of so many bits. */
extern double vecidx_query_precision(int bits);

/* Bits of the levels in a rerank vector: 4, 8, or 0 when it has none. */
extern int	vecidx_quant_rerank_bits(const VecIdxQuantParams *params);

/* The same on every machine, as kernels sum in double in the same order. */
static inline double
vecidx_sum_squares(const float *a, int n)
{
	return vecidx_kernels()->dot_wide(a, a, n);
}

/* rotation.c */
extern void vecidx_rotation_init(VecIdxQuantizer *quantizer);
extern void vecidx_rotation_apply(const VecIdxQuantizer *quantizer, const float *row, VecIdxResidual *residual);
extern void vecidx_rotation_invert(const VecIdxQuantizer *quantizer, float *values);

/* levels.c */
extern void vecidx_levels_from_bits(const float *row, int dimensions, int n, uint8 *levels);
extern void vecidx_levels_pack(const uint8 *levels, int bits, int n, uint8 *code);
extern void vecidx_levels_unpack(const uint8 *code, int bits, int n, uint8 *levels);

/* half.c */
extern void vecidx_half_from_float(const float *row, int n, uint8 *half);

/* plain.c: order distances from HALF and FLOAT rerank vectors, always finite */
extern float vecidx_plain_distance(const VecIdxKernels *kernels, const VecIdxQuantParams *params,
								   const float *row, const uint8 *rerank);
extern float vecidx_plain_pair(const VecIdxKernels *kernels, const VecIdxQuantParams *params,
							   const uint8 *a, const uint8 *b);

#endif							/* VECIDX_QUANT_INTERNAL_H */
