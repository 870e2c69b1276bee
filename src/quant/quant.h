/*
 * quant.h
 *	  Vectors as codes: rotation, low-bit codes, rerank vectors, estimates.
 *
 * The method is RaBitQ and its extension to several bits (Gao & Long, SIGMOD
 * 2024, arXiv 2405.12497; Gao et al., SIGMOD 2025, arXiv 2409.09913) with one
 * centroid and a fast random rotation.  src/README.md has the formulas.
 *
 * Every vector o is stored twice: as a code of 1, 2, 4 or 8 bits a dimension,
 * which gives an estimate with an error bound, and as a rerank vector, whose
 * distance decides the order of results.
 *
 * "Distance" here is the order distance of the metric, smaller is nearer:
 *	  L2: squared Euclidean; IP: minus the inner product; cosine: minus the
 *	  cosine; Hamming: number of differing bits.
 *
 * Needs nothing of PostgreSQL but c.h.  Allocates nothing: callers give the
 * memory, whose size the *_size functions tell.
 */
#ifndef VECIDX_QUANT_H
#define VECIDX_QUANT_H

#include "c.h"

typedef enum VecIdxMetric
{
	VECIDX_L2 = 1,
	VECIDX_IP = 2,
	VECIDX_COSINE = 3,
	VECIDX_HAMMING = 4
} VecIdxMetric;

typedef enum VecIdxRerank
{
	VECIDX_RERANK_NONE = 0,		/* the code itself is exact (Hamming) */
	VECIDX_RERANK_SQ4 = 1,
	VECIDX_RERANK_SQ8 = 2,
	VECIDX_RERANK_HALF = 3,
	VECIDX_RERANK_FLOAT = 4
} VecIdxRerank;

#define VECIDX_MAX_DIMENSIONS	16000

/* What fixes a quantizer.  Stored in the index; never changes after the build. */
typedef struct VecIdxQuantParams
{
	VecIdxMetric metric;
	VecIdxRerank rerank;
	int			dimensions;		/* of the user's vectors, 1 .. VECIDX_MAX_DIMENSIONS */
	int			bits;			/* of the code: 1, 2, 4, 8 (Hamming: 1) */
	uint64		seed;			/* of the rotation */
} VecIdxQuantParams;

/*
 * Called again and again by what takes long: choosing codes, making a
 * sketcher.  In the server it answers a cancel, and so need not return.
 */
extern void (*vecidx_quant_yield) (void);

/* A quantizer: parameters with all that is derived from them.  Read-only after init. */
typedef struct VecIdxQuantizer VecIdxQuantizer;

/*
 * What a code says beside its bits: estimate = f0 + G(query) + f1 * <y, z>,
 * |estimate - distance| <= epsilon * error * |z|.
 */
typedef struct VecIdxFactors
{
	float		f0;
	float		f1;
	float		error;
} VecIdxFactors;

/* A prepared query: the vector in every form that estimates and distances need. */
typedef struct VecIdxQuery VecIdxQuery;

/* Dimensions after padding (a multiple of 64); 0 < result < dimensions + 64. */
extern int	vecidx_quant_padded(const VecIdxQuantParams *params);
extern Size vecidx_quant_code_size(const VecIdxQuantParams *params);	/* bytes of the bits alone */
extern Size vecidx_quant_rerank_size(const VecIdxQuantParams *params);	/* 0 for RERANK_NONE */

/* centroid: dimensions floats, copied (ignored for Hamming). */
extern Size vecidx_quantizer_size(const VecIdxQuantParams *params);
extern VecIdxQuantizer *vecidx_quantizer_init(void *memory, const VecIdxQuantParams *params, const float *centroid);
extern const float *vecidx_quant_centroid(const VecIdxQuantizer *quantizer);
extern const VecIdxQuantParams *vecidx_quantizer_params(const VecIdxQuantizer *quantizer);

/*
 * Brings a decoded row into the form that all below expect: for cosine, unit
 * length in place.  Returns false for a row that cannot be indexed (cosine of
 * a zero vector).  All elements must be finite.
 */
extern bool vecidx_quant_normalize(const VecIdxQuantizer *quantizer, float *row);

/* Unit length in place; false, and no change, for a row of zeros. */
extern bool vecidx_quant_unit(float *row, int dimensions);

/* Bytes of scratch for encode, decode and query_init (rotation and the like). */
extern Size vecidx_quant_scratch_size(const VecIdxQuantParams *params);

/*
 * Encodes a normalized row: code (code_size bytes), factors, rerank vector
 * (rerank_size bytes; ignored for RERANK_NONE).  Equal rows give equal bytes
 * on every machine and kernel set.
 */
extern void vecidx_quant_encode(const VecIdxQuantizer *quantizer, const float *row, void *scratch,
								uint8 *code, VecIdxFactors *factors, uint8 *rerank);

/*
 * Writes the normalized row (dimensions floats) that a rerank vector stands
 * for (RERANK_NONE: a code), as far as its bits tell.
 */
extern void vecidx_quant_decode(const VecIdxQuantizer *quantizer, const uint8 *vector, void *scratch, float *row);

/* Prepares a normalized row as a query.  The quantizer must outlive it. */
extern Size vecidx_query_size(const VecIdxQuantParams *params);
extern VecIdxQuery *vecidx_query_init(void *memory, const VecIdxQuantizer *quantizer, const float *row, void *scratch);

/* Estimate of the order distance from a code (factors f0 and f1). */
extern float vecidx_query_estimate(const VecIdxQuery *query, const uint8 *code, float f0, float f1);

/* The same for count codes at once, bit for bit, and in less time: codes[i] has factors f0[i] and f1[i]. */
extern void vecidx_query_estimates(const VecIdxQuery *query, const uint8 *const *codes, const float *f0,
								   const float *f1, int count, float *estimates);

/*
 * Half-width of the interval around an estimate, for a code whose
 * factors.error is given.  The rounding of the query is in it.  An estimate
 * errs by more for 3 to 6 codes in 100, wherever the near ones are.
 */
#define VECIDX_BOUND_EPSILON	1.9
extern float vecidx_query_bound(const VecIdxQuery *query, float error);

/* The same for count codes at once. */
extern void vecidx_query_bounds(const VecIdxQuery *query, const float *errors, int count, float *bounds);

/*
 * Order distance from a rerank vector (RERANK_NONE: from a code), and the
 * half-width of the interval around it (0 for half and float, whose rounding
 * is not counted).
 */
extern float vecidx_query_distance(const VecIdxQuery *query, const uint8 *rerank);
extern float vecidx_query_distance_bound(const VecIdxQuery *query, const uint8 *rerank);

/*
 * The same, on the scale that users see: L2 the root, cosine 1 - cos, IP minus
 * the inner product, Hamming the count.
 */
extern double vecidx_quant_user_distance(VecIdxMetric metric, double order_distance);

/* Order distance of two stored vectors by their rerank vectors (RERANK_NONE: by their codes). */
extern float vecidx_quant_pair(const VecIdxQuantizer *quantizer, const uint8 *a, const uint8 *b);

/* What quantizer = auto goes by: normalized rows of a table, row after row. */
typedef struct VecIdxSample
{
	VecIdxMetric metric;
	int			dimensions;
	const float *rows;			/* count * dimensions; not read if count is 0 */
	int			count;
	double		total;			/* rows of the table, of which these are a sample */
	const float *centroid;
} VecIdxSample;

/* What it found. */
typedef struct VecIdxEvidence
{
	int			bits;			/* chosen */
	int			sampled;		/* rows looked at; 0 = nothing to go by */
	float		contrast;		/* the gap that decides, relative to 2 |r| |z| */
	float		noise[4];		/* error of 1, 2, 4, 8 bits on the same scale */
} VecIdxEvidence;

/*
 * Chooses the bits of the code.  Costs some 64 distances for each row of the
 * sample; a few thousand rows are enough.  Allocates nothing.
 */
extern void vecidx_quant_choose(const VecIdxSample *sample, VecIdxEvidence *evidence);

#endif							/* VECIDX_QUANT_H */
