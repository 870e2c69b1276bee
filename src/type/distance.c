/*
 * distance.c
 *	  The SQL distance functions behind the operators, exact and without an
 *	  index.
 *
 * The right side is always an array of numbers; the left one an array, a
 * vector or a halfvec.  (Two vectors, or two halfvecs, are compared by
 * pgvector's own functions.)
 *
 * Sums are taken in float by the kernels.  An element that is not finite makes
 * every such sum not finite, so rows are not checked beforehand: a sum outside
 * the range that float holds well is taken again in double, and only then are
 * the elements looked at one by one.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "fmgr.h"
#include "utils/float.h"

#include "compat.h"
#include "kernel/kernel.h"
#include "type/type.h"

/* A sum of squares below this may have lost what underflowed. */
#define SMALLEST_TRUSTED_SUM	1e-30

/* A metric's function on two rows of the same length. */
typedef double (*RowDistance) (const float *a, const float *b, int n);

/*
 * The last value of one argument that had to be decoded, with its row.  In an
 * exact scan the query is the same for every row of the table, and comparing
 * its bytes costs much less than decoding it.
 */
typedef struct DecodedArgument
{
	Size		size;			/* of the value; 0 when there is none */
	Size		value_capacity;
	char	   *value;
	Size		row_capacity;
	float	   *row;
} DecodedArgument;

static double
l2_square_in_double(const float *a, const float *b, int n)
{
	double		sum = 0;

	vecidx_type_check_finite(a, n);
	vecidx_type_check_finite(b, n);
	for (int i = 0; i < n; i++)
	{
		double		difference = (double) a[i] - (double) b[i];

		sum += difference * difference;
	}
	return sum;
}

static double
dot_in_double(const float *a, const float *b, int n)
{
	double		sum = 0;

	vecidx_type_check_finite(a, n);
	vecidx_type_check_finite(b, n);
	for (int i = 0; i < n; i++)
		sum += (double) a[i] * (double) b[i];
	return sum;
}

/* Whether float arithmetic can have given a sum of squares without overflow or much underflow. */
static inline bool
trusted_square(float sum)
{
	return sum >= SMALLEST_TRUSTED_SUM && sum <= FLT_MAX;
}

static double
l2_distance(const float *a, const float *b, int n)
{
	float		sum = vecidx_kernels()->l2sq(a, b, n);

	if (likely(trusted_square(sum)))
		return sqrt((double) sum);
	return sqrt(l2_square_in_double(a, b, n));
}

/* Subtracting from 0 instead of negating avoids a result of -0. */
static double
negative_inner_product(const float *a, const float *b, int n)
{
	float		sum = vecidx_kernels()->dot(a, b, n);

	if (likely(isfinite(sum)))
		return 0.0 - (double) sum;
	return 0.0 - dot_in_double(a, b, n);
}

/* Rounding can take the quotient slightly beyond 1; a zero vector has no direction, hence NaN. */
static double
cosine_from_sums(double ab, double aa, double bb)
{
	double		similarity;

	if (aa == 0 || bb == 0)
		return get_float8_nan();
	similarity = ab / sqrt(aa * bb);
	return 1.0 - Max(-1.0, Min(1.0, similarity));
}

static double
cosine_distance(const float *a, const float *b, int n)
{
	const VecIdxKernels *kernels = vecidx_kernels();
	float		aa = kernels->dot(a, a, n);
	float		bb = kernels->dot(b, b, n);

	if (likely(trusted_square(aa) && trusted_square(bb)))
		return cosine_from_sums(kernels->dot(a, b, n), aa, bb);
	return cosine_from_sums(dot_in_double(a, b, n), dot_in_double(a, a, n), dot_in_double(b, b, n));
}

/* Makes room for size bytes; what was there is lost.  On failure the old memory stays as it was. */
static void *
reserve(void *memory, Size *capacity, Size size, MemoryContext context)
{
	void	   *larger;

	if (size <= *capacity)
		return memory;
	larger = MemoryContextAlloc(context, size);
	if (memory != NULL)
		pfree(memory);
	*capacity = size;
	return larger;
}

/* The row of a value that does not hold plain floats; lives until the next call for this argument. */
static const float *
decode_argument(FmgrInfo *flinfo, int argument, const VecIdxDecoder *decoder, Datum value, int n)
{
	DecodedArgument *decoded;
	Size		size = VARSIZE(DatumGetPointer(value));

	if (flinfo->fn_extra == NULL)
		flinfo->fn_extra = MemoryContextAllocZero(flinfo->fn_mcxt, 2 * sizeof(DecodedArgument));
	decoded = (DecodedArgument *) flinfo->fn_extra + argument;
	if (decoded->size == size && memcmp(decoded->value, DatumGetPointer(value), size) == 0)
		return decoded->row;

	decoded->size = 0;
	decoded->value = reserve(decoded->value, &decoded->value_capacity, size, flinfo->fn_mcxt);
	decoded->row = reserve(decoded->row, &decoded->row_capacity, Max(n, 1) * sizeof(float), flinfo->fn_mcxt);
	decoder->decode(value, decoded->row);
	memcpy(decoded->value, DatumGetPointer(value), size);
	decoded->size = size;
	return decoded->row;
}

static const float *
argument_row(FmgrInfo *flinfo, int argument, const VecIdxDecoder *decoder, Datum value, int n)
{
	const float *floats = decoder->floats(value);

	return floats != NULL ? floats : decode_argument(flinfo, argument, decoder, value, n);
}

/*
 * Decodes both arguments and applies the metric.  Frees what detoasting
 * allocated, for callers without a short-lived memory context.
 */
static Datum
distance(FunctionCallInfo fcinfo, const VecIdxDecoder *left, RowDistance metric)
{
	Datum		a = PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(0)));
	Datum		b = PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(1)));
	int			n = left->dimensions(a);
	int			n_right = vecidx_type_array.dimensions(b);
	double		result;

	if (n != n_right)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d", n, n_right)));

	result = metric(argument_row(fcinfo->flinfo, 0, left, a, n),
					argument_row(fcinfo->flinfo, 1, &vecidx_type_array, b, n), n);

	PG_FREE_IF_COPY(DatumGetPointer(a), 0);
	PG_FREE_IF_COPY(DatumGetPointer(b), 1);
	PG_RETURN_FLOAT8(result);
}

PG_FUNCTION_INFO_V1(vecidx_array_l2_distance);
Datum
vecidx_array_l2_distance(PG_FUNCTION_ARGS)
{
	return distance(fcinfo, &vecidx_type_array, l2_distance);
}

PG_FUNCTION_INFO_V1(vecidx_array_negative_inner_product);
Datum
vecidx_array_negative_inner_product(PG_FUNCTION_ARGS)
{
	return distance(fcinfo, &vecidx_type_array, negative_inner_product);
}

PG_FUNCTION_INFO_V1(vecidx_array_cosine_distance);
Datum
vecidx_array_cosine_distance(PG_FUNCTION_ARGS)
{
	return distance(fcinfo, &vecidx_type_array, cosine_distance);
}

PG_FUNCTION_INFO_V1(vecidx_vector_l2_distance);
Datum
vecidx_vector_l2_distance(PG_FUNCTION_ARGS)
{
	return distance(fcinfo, &vecidx_type_vector, l2_distance);
}

PG_FUNCTION_INFO_V1(vecidx_vector_negative_inner_product);
Datum
vecidx_vector_negative_inner_product(PG_FUNCTION_ARGS)
{
	return distance(fcinfo, &vecidx_type_vector, negative_inner_product);
}

PG_FUNCTION_INFO_V1(vecidx_vector_cosine_distance);
Datum
vecidx_vector_cosine_distance(PG_FUNCTION_ARGS)
{
	return distance(fcinfo, &vecidx_type_vector, cosine_distance);
}

PG_FUNCTION_INFO_V1(vecidx_halfvec_l2_distance);
Datum
vecidx_halfvec_l2_distance(PG_FUNCTION_ARGS)
{
	return distance(fcinfo, &vecidx_type_halfvec, l2_distance);
}

PG_FUNCTION_INFO_V1(vecidx_halfvec_negative_inner_product);
Datum
vecidx_halfvec_negative_inner_product(PG_FUNCTION_ARGS)
{
	return distance(fcinfo, &vecidx_type_halfvec, negative_inner_product);
}

PG_FUNCTION_INFO_V1(vecidx_halfvec_cosine_distance);
Datum
vecidx_halfvec_cosine_distance(PG_FUNCTION_ARGS)
{
	return distance(fcinfo, &vecidx_type_halfvec, cosine_distance);
}
