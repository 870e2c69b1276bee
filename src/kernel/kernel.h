/*
 * kernel.h
 *	  The inner loops: every function that touches each dimension of a vector.
 *
 * A kernel set is one implementation of all entries for one instruction set.
 * scalar.c is the definition of each entry and the oracle of the tests; the
 * other sets must give the same integers, and floats that differ only by the
 * order of summation.  Sums in double are equal in all sets: of 16 partial
 * sums, number i % 16 takes element i, in order, and in the end the upper half
 * is added to the lower, until one is left.
 *
 * One set is chosen at first use, by what the processor and the operating
 * system offer; vecidx_kernels_force() overrides that.
 *
 * Needs nothing of PostgreSQL but c.h.
 */
#ifndef VECIDX_KERNEL_H
#define VECIDX_KERNEL_H

#include "c.h"

#include <float.h>

/*
 * Codes are arrays of B-bit unsigned integers u[i], i < n, n a multiple of
 * 64, B = 1, 2, 4 or 8.
 *
 * B = 1: dimension i is bit (i % 8) of byte i / 8, least significant first.
 *
 * B = 2, 4, 8: each 16 bytes hold 128 / B consecutive dimensions; dimension i
 * of such a block is at byte i % 16, bits [B * (i / 16), B * (i / 16) + B).
 *
 * A query against 1-bit codes is four bit planes: plane j has bit j of the
 * query's 4-bit two's complement integers v[i] (plane 3 weighs -8).  The
 * planes are interleaved by 128 dimensions: bytes [64 * b + 16 * j, + 16) hold
 * plane j of dimensions [128 * b, 128 * b + 128), in the bit order of the code.
 * They fill whole blocks, VECIDX_PLANES_SIZE bytes, with zeros beyond n.
 */
#define VECIDX_PLANES_SIZE(n) (((Size) (n) + 127) / 128 * 64)

/* Columns of a panel. */
#define VECIDX_PANEL			16

/* Sums over a vector. */
typedef struct VecIdxMoments
{
	double		sum;
	double		squares;
	float		largest;		/* magnitude */
} VecIdxMoments;

/* How to round a vector to integers, and sums over these. */
typedef struct VecIdxRounding
{
	float		inverse;		/* of the step */
	int			bottom;			/* the integers are in [-bottom, top], top <= 127 */
	int			top;
	double		dot;			/* of the vector and its integers */
	int32		sum;
	int32		squares;
} VecIdxRounding;

/* How to bring a vector to the levels of a code, and sums over these. */
typedef struct VecIdxLeveling
{
	float		inverse;		/* of the step */
	int			top;			/* levels are in [0, top], top + 1 a power of two <= 256 */
	double		dot;			/* of the vector and twice its levels less top */
	int32		sum;
	int32		squares;
} VecIdxLeveling;

/* What makes a query's estimates of its products with codes. */
typedef struct VecIdxLine
{
	double		base;
	double		step;
	double		offset;
} VecIdxLine;

/* As a finite float, whatever the value: overflow gives the largest. */
static inline float
vecidx_clamp(double value)
{
	if (value > FLT_MAX)
		return FLT_MAX;
	if (value < -FLT_MAX)
		return -FLT_MAX;
	return (float) value;
}

/*
 * The estimate of a code with these factors.  None of the values is infinite,
 * nor near it as double, so the result is no NaN.
 */
static inline float
vecidx_line_estimate(const VecIdxLine *line, int32 dot, float f0, float f1)
{
	return vecidx_clamp(line->base + f0 + f1 * (line->step * (dot - line->offset)));
}

/* A distance that matters, and whose it is. */
typedef struct VecIdxHit
{
	float		distance;
	int32		place;
} VecIdxHit;

/*
 * Sketches to be multiplied with each other.  Their coordinates are in
 * [-VECIDX_CROSS_MOST, VECIDX_CROSS_MOST]; in rows VECIDX_CROSS_LIFT has been
 * added, so that bytes without sign meet bytes with one, four products of
 * which add up to no more than 16 bits hold.  sums[j] is VECIDX_CROSS_LIFT
 * times the sum of column j's: what the lift brings into its products.
 */
#define VECIDX_CROSS_MOST		63
#define VECIDX_CROSS_LIFT		64

typedef struct VecIdxCross
{
	int			n;				/* coordinates, a multiple of 64 */
	const uint8 *rows;			/* row after row */
	const int8 *const *columns;
	const int32 *sums;
} VecIdxCross;

/*
 * Which of count values lie in an interval: mark[i] becomes 0xFF if the i-th
 * does, else 0.  That of integers begins at "low" and is "length" + 1 long,
 * modulo their width; that of floats reaches from low to high, both included,
 * and NaN is marked with "nan".
 */
typedef struct VecIdxWithin
{
	void		(*u8) (const uint8 *value, uint32 count, uint8 low, uint8 length, uint8 *mark);
	void		(*u16) (const uint16 *value, uint32 count, uint16 low, uint16 length, uint8 *mark);
	void		(*u32) (const uint32 *value, uint32 count, uint32 low, uint32 length, uint8 *mark);
	void		(*u64) (const uint64 *value, uint32 count, uint64 low, uint64 length, uint8 *mark);
	void		(*f32) (const float *value, uint32 count, float low, float high, uint8 nan, uint8 *mark);
	void		(*f64) (const double *value, uint32 count, double low, double high, uint8 nan, uint8 *mark);

	/* Takes the mark away where the bits of a value that are in the mask are not those wanted. */
	void		(*masked) (const uint8 *value, uint32 count, uint8 mask, uint8 wanted, uint8 *mark);

	/* Of each of 64 times "words" marks a bit, the first as the lowest: set if the mark is not 0. */
	void		(*bits) (const uint8 *mark, uint32 words, uint64 *bits);
} VecIdxWithin;

typedef struct VecIdxKernels
{
	const char *name;

	/* sum of a[i] * b[i]; any n >= 0, no alignment */
	float		(*dot) (const float *a, const float *b, int n);
	/* sum of (a[i] - b[i])^2; likewise */
	float		(*l2sq) (const float *a, const float *b, int n);

	/* sum of u[i] * v[i], u from a 1-bit code, v from bit planes */
	int32		(*dot_b1) (const uint8 *code, const uint8 *planes, int n);
	/* sum of u[i] * q[i] for B = 2, 4, 8, int8 query |q[i]| <= 127 */
	int32		(*dot_b2) (const uint8 *code, const int8 *q, int n);
	int32		(*dot_b4) (const uint8 *code, const int8 *q, int n);
	int32		(*dot_b8) (const uint8 *code, const int8 *q, int n);

	/* the same for codes[0] to codes[count - 1], any count >= 0, into dots */
	void		(*dots_b1) (const uint8 *const *codes, int count, const uint8 *planes, int n, int32 *dots);
	void		(*dots_b2) (const uint8 *const *codes, int count, const int8 *q, int n, int32 *dots);
	void		(*dots_b4) (const uint8 *const *codes, int count, const int8 *q, int n, int32 *dots);
	void		(*dots_b8) (const uint8 *const *codes, int count, const int8 *q, int n, int32 *dots);

	/* vecidx_line_estimate for each of count codes, to the last bit */
	void		(*estimates) (const VecIdxLine *line, const int32 *dots, const float *f0, const float *f1,
							  int count, float *estimates);

	/* sum of u[i] * z[i], float query, for B = 4 and 8 */
	float		(*dotf_b4) (const uint8 *code, const float *z, int n);
	float		(*dotf_b8) (const uint8 *code, const float *z, int n);

	/* sum of u[i] * w[i], both from codes of B = 4 or 8 (fits int32 to n = 16384 * 2) */
	int32		(*pair_b4) (const uint8 *a, const uint8 *b, int n);
	int32		(*pair_b8) (const uint8 *a, const uint8 *b, int n);

	/* number of bits that differ in the first nbytes bytes */
	int32		(*hamming) (const uint8 *a, const uint8 *b, int nbytes);

	/*
	 * Products of count rows with the VECIDX_PANEL columns of a panel, which
	 * lie interleaved: products[i * stride + j] = sum of rows[i * n + k] *
	 * panel[k * VECIDX_PANEL + j], any count >= 0.
	 */
	void		(*panel_f32) (const float *rows, int count, const float *panel, int n, float *products, int stride);

	/*
	 * Products of the first "rows" rows of a cross with its first "columns"
	 * columns: products[i * stride + j] = sum of rows[i * n + k] *
	 * columns[j][k], less sums[j].
	 */
	void		(*cross) (const VecIdxCross *cross, int rows, int columns, int32 *products, int stride);

	/*
	 * For each of count products: its distance is others[i] - weight *
	 * products[i], rounded twice; those below limits[i] become hits, in order.
	 * Returns their number.
	 */
	int			(*below) (const int32 *products, const float *others, const float *limits, float weight, int count,
						  VecIdxHit *hits);

	const VecIdxWithin *within;

	/*
	 * The CRC-32C (pg_crc32c.h, from INIT to FIN) of each of four runs of n
	 * bytes that lie one behind the other, n a multiple of 8.  NULL where the
	 * server's own is what there is.
	 */
	void		(*crc_quarters) (const uint8 *data, Size n, uint32 *crc);

	/* n IEEE half-precision numbers, native byte order, no alignment, exactly as floats */
	void		(*half_to_float) (const uint8 *half, float *out, int n);

	/* sum of a[i] * b[i] in double; any n >= 0, no alignment */
	double		(*dot_wide) (const float *a, const float *b, int n);

	/* x[i] * factor, in double, rounded to float in place */
	void		(*scale) (float *x, double factor, int n);

	/* out = a - b; returns the largest magnitude in out, at least 0 */
	float		(*subtract) (const float *a, const float *b, float *out, int n);

	/* n a multiple of 64, here and where nothing else is said below */
	void		(*measure) (const float *x, int n, VecIdxMoments *moments);

	/*
	 * v[i] = x[i] * inverse + 1/2, rounded down and brought into [-bottom, top].
	 * The sum is taken in float with bottom on top, so that halves round up.
	 */
	void		(*round) (const float *x, int n, VecIdxRounding *rounding, int8 *v);

	/* u[i] = x[i] * inverse + (top + 1) / 2, in double, rounded down and brought into [0, top] */
	void		(*level) (const float *x, int n, VecIdxLeveling *leveling, uint8 *u);

	/* bit planes of integers v in [-8, 7] */
	void		(*planes) (const int8 *v, int n, uint8 *planes);

	/* x[i] * factors[i] in place */
	void		(*multiply) (float *x, const float *factors, int n);

	/* x[i] + y[i] and x[i] - y[i] in place; n a multiple of 32 */
	void		(*butterfly) (float *x, float *y, int n);

	/*
	 * Multiplies x by factors (NULL: by nothing), then a Walsh-Hadamard
	 * transform in place, not normalised; n a power of two >= 1.  The
	 * butterflies run at distance 1, 2, 4, ... n / 2, in every set, so that the
	 * results are equal to the last bit: codes on disk depend on it.
	 */
	void		(*hadamard) (float *x, const float *factors, int n);
} VecIdxKernels;

/* The set in use.  Never NULL; the first use through it chooses. */
extern const VecIdxKernels *vecidx_kernels(void);

/*
 * Use the set of that name from now on ("auto" chooses again).  Returns false
 * and changes nothing when this build or this processor lacks it.
 */
extern bool vecidx_kernels_force(const char *name);

/* The sets that this processor can run, best first, scalar last; returns their number. */
extern int	vecidx_kernels_available(const VecIdxKernels **sets, int max);

extern const VecIdxKernels vecidx_kernels_scalar;

/* What has no entry of its own in a set has this. */
extern const VecIdxWithin vecidx_within_plain;

#endif							/* VECIDX_KERNEL_H */
