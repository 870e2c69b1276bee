/*
 * array.c
 *	  Arrays of numbers as vectors.
 *
 * real[] is the core extension's own column type.  Arrays of double
 * precision, integer and numeric are what drivers and ARRAY[...] constructors
 * send as the query, so every ordering operator takes those on its right.
 * One decoder serves them all, because an array tells its element type.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "type/type.h"

static int	array_dimensions(Datum value);
static void array_decode(Datum value, float *row);
static const float *array_floats(Datum value);

#define ARRAY_DECODER(name)	{(name), array_dimensions, array_decode, array_floats}

const VecIdxDecoder vecidx_type_array = ARRAY_DECODER("array");

/* The array types that can be a vector, with the name that messages give them. */
static const struct
{
	Oid			type;
	VecIdxDecoder decoder;
}			array_types[] = {
	{FLOAT4ARRAYOID, ARRAY_DECODER("real[]")},
	{FLOAT8ARRAYOID, ARRAY_DECODER("double precision[]")},
	{INT4ARRAYOID, ARRAY_DECODER("integer[]")},
	{NUMERICARRAYOID, ARRAY_DECODER("numeric[]")},
};

const VecIdxDecoder *
vecidx_type_array_decoder(Oid type)
{
	for (size_t i = 0; i < lengthof(array_types); i++)
	{
		if (array_types[i].type == type)
			return &array_types[i].decoder;
	}
	return NULL;
}

void
vecidx_type_check_limit(int dimensions)
{
	if (dimensions > VECIDX_MAX_DIMENSIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("vector has %d dimensions, but at most %d are supported",
						dimensions, VECIDX_MAX_DIMENSIONS)));
}

void
vecidx_type_check_finite(const float *row, int dimensions)
{
	for (int i = 0; i < dimensions; i++)
	{
		if (!isfinite(row[i]))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("vector must not contain NaN or infinity"),
					 errdetail("Element %d is %s.", i + 1,
							   isnan(row[i]) ? "NaN" : row[i] > 0 ? "infinity" : "-infinity"),
					 errhint("Use NULL in place of a vector that is not known.")));
	}
}

/*
 * Errors unless the value is long enough for what its header claims.  An
 * intact array always is; a damaged one must not make us read past its end.
 */
static void
check_array_size(const ArrayType *array, Size offset, Size data)
{
	Size		size = VARSIZE(array);

	if (offset > size || data > size - offset)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("array is shorter than its header claims")));
}

static int
array_dimensions(Datum value)
{
	const ArrayType *array = (const ArrayType *) DatumGetPointer(value);
	int			dimensions;

	check_array_size(array, sizeof(ArrayType), 0);
	if (ARR_NDIM(array) == 0)
		return 0;
	if (ARR_NDIM(array) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("vector must be a one-dimensional array"),
				 errdetail("The array has %d dimensions.", ARR_NDIM(array))));

	check_array_size(array, ARR_OVERHEAD_NONULLS(1), 0);
	dimensions = ARR_DIMS(array)[0];
	vecidx_type_check_limit(dimensions);
	return Max(dimensions, 0);
}

/* Position of the first NULL, or -1.  A null bitmap may be there without any NULL. */
static int
first_null(const ArrayType *array, int dimensions)
{
	const bits8 *bitmap = ARR_NULLBITMAP(array);

	if (bitmap == NULL)
		return -1;
	check_array_size(array, ARR_OVERHEAD_WITHNULLS(1, dimensions), 0);
	for (int i = 0; i < dimensions; i++)
	{
		if ((bitmap[i / 8] & (1 << (i % 8))) == 0)
			return i;
	}
	return -1;
}

static void
check_no_null(const ArrayType *array, int dimensions)
{
	int			position = first_null(array, dimensions);

	if (position >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("vector must not contain nulls"),
				 errdetail("Element %d is null.", position + 1)));
}

/* The elements of an array of a fixed-width type, all of which are known to be there. */
static const void *
fixed_elements(const ArrayType *array, int dimensions, Size width)
{
	if (ARR_DATA_OFFSET(array) != MAXALIGN(ARR_DATA_OFFSET(array)))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("array has its elements at offset %d, where none can begin", (int) ARR_DATA_OFFSET(array))));
	check_array_size(array, ARR_DATA_OFFSET(array), dimensions * width);
	return ARR_DATA_PTR(array);
}

/* Rounds to float4; what is too small becomes 0, what is too large is an error. */
static float
narrow(double element, int position)
{
	float		result = (float) element;

	if (isinf(result) && !isinf(element))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("vector element is out of range for type real"),
				 errdetail("Element %d is %g.", position + 1, element)));
	return result;
}

static void
decode_float8(const float8 *elements, int dimensions, float *row)
{
	for (int i = 0; i < dimensions; i++)
		row[i] = narrow(elements[i], i);
}

static void
decode_int4(const int32 *elements, int dimensions, float *row)
{
	for (int i = 0; i < dimensions; i++)
		row[i] = (float) elements[i];
}

/*
 * Goes by way of double precision, saturating, because numeric's own cast to
 * real rejects what underflows.
 */
static void
decode_numeric(ArrayType *array, float *row)
{
	Datum	   *elements;
	int			count;

	deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &elements, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		float8		element = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, elements[i]));

		if (isinf(element) && !numeric_is_inf(DatumGetNumeric(elements[i])))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("vector element is out of range for type real"),
					 errdetail("Element %d is beyond even double precision.", i + 1)));
		row[i] = narrow(element, i);
	}
	pfree(elements);
}

static void
array_decode(Datum value, float *row)
{
	ArrayType  *array = (ArrayType *) DatumGetPointer(value);
	int			dimensions = array_dimensions(value);

	if (dimensions == 0)
		return;
	check_no_null(array, dimensions);

	switch (ARR_ELEMTYPE(array))
	{
		case FLOAT4OID:
			memcpy(row, fixed_elements(array, dimensions, sizeof(float4)), dimensions * sizeof(float4));
			break;
		case FLOAT8OID:
			decode_float8(fixed_elements(array, dimensions, sizeof(float8)), dimensions, row);
			break;
		case INT4OID:
			decode_int4(fixed_elements(array, dimensions, sizeof(int32)), dimensions, row);
			break;
		case NUMERICOID:
			decode_numeric(array, row);
			break;
		default:
			elog(ERROR, "unexpected element type of a vector: %u", ARR_ELEMTYPE(array));
	}
}

static const float *
array_floats(Datum value)
{
	const ArrayType *array = (const ArrayType *) DatumGetPointer(value);
	int			dimensions = ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];

	if (ARR_ELEMTYPE(array) != FLOAT4OID || dimensions <= 0)
		return NULL;
	if (first_null(array, dimensions) >= 0)
		return NULL;
	return fixed_elements(array, dimensions, sizeof(float4));
}

/* Arrays have no type modifier that says their length. */
static int
no_typmod(int32 typmod pg_attribute_unused())
{
	return -1;
}

PG_FUNCTION_INFO_V1(vecidx_real_l2_type);
Datum
vecidx_real_l2_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {ARRAY_DECODER("real[]"), VECIDX_L2, no_typmod};

	PG_RETURN_POINTER(&type);
}

PG_FUNCTION_INFO_V1(vecidx_real_ip_type);
Datum
vecidx_real_ip_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {ARRAY_DECODER("real[]"), VECIDX_IP, no_typmod};

	PG_RETURN_POINTER(&type);
}

PG_FUNCTION_INFO_V1(vecidx_real_cosine_type);
Datum
vecidx_real_cosine_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {ARRAY_DECODER("real[]"), VECIDX_COSINE, no_typmod};

	PG_RETURN_POINTER(&type);
}
