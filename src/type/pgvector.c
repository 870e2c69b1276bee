/*
 * pgvector.c
 *	  pgvector's types as vectors, and core's bit strings, which pgvector
 *	  gives a Hamming distance.
 *
 * The layouts are part of pgvector's on-disk format; reading them here keeps
 * the build free of its headers, and one library serves servers with and
 * without it.  Every read is bounded by the size in the value's header.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/varbit.h"

#include "compat.h"
#include "type/type.h"

/* The head of vector and halfvec; the elements follow. */
typedef struct PgvectorHeader
{
	int32		vl_len_;
	int16		dimensions;
	int16		unused;
} PgvectorHeader;

StaticAssertDecl(sizeof(PgvectorHeader) == 8, "PgvectorHeader must have the layout of pgvector's types");

static int	vector_dimensions(Datum value);
static void vector_decode(Datum value, float *row);
static const float *vector_floats(Datum value);
static int	halfvec_dimensions(Datum value);
static void halfvec_decode(Datum value, float *row);
static int	bit_dimensions(Datum value);
static void bit_decode(Datum value, float *row);
static const float *not_floats(Datum value);

#define VECTOR_DECODER	{"vector", vector_dimensions, vector_decode, vector_floats}
#define HALFVEC_DECODER	{"halfvec", halfvec_dimensions, halfvec_decode, not_floats}
#define BIT_DECODER	{"bit", bit_dimensions, bit_decode, not_floats}

const VecIdxDecoder vecidx_type_vector = VECTOR_DECODER;
const VecIdxDecoder vecidx_type_halfvec = HALFVEC_DECODER;

static void
report_malformed(const char *type, Size size, int dimensions)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("malformed value of type %s", type),
			 errdetail("A value of %zu bytes claims %d dimensions.", size, dimensions)));
}

/* Dimensions of a vector or halfvec whose elements take width bytes. */
static int
pgvector_dimensions(Datum value, const char *type, Size width)
{
	const PgvectorHeader *header = (const PgvectorHeader *) DatumGetPointer(value);
	Size		size = VARSIZE(header);

	if (size < sizeof(PgvectorHeader))
		report_malformed(type, size, 0);
	if (header->dimensions < 1 || size - sizeof(PgvectorHeader) < header->dimensions * width)
		report_malformed(type, size, header->dimensions);
	vecidx_type_check_limit(header->dimensions);
	return header->dimensions;
}

static const void *
pgvector_elements(Datum value)
{
	return DatumGetPointer(value) + sizeof(PgvectorHeader);
}

static int
vector_dimensions(Datum value)
{
	return pgvector_dimensions(value, "vector", sizeof(float));
}

static void
vector_decode(Datum value, float *row)
{
	memcpy(row, pgvector_elements(value), vector_dimensions(value) * sizeof(float));
}

static const float *
vector_floats(Datum value)
{
	return pgvector_elements(value);
}

static int
halfvec_dimensions(Datum value)
{
	return pgvector_dimensions(value, "halfvec", sizeof(uint16));
}

/*
 * IEEE binary16 to binary32.  With exponent and mantissa moved to their new
 * places the number is too small by 2^(127 - 15), subnormals included, so one
 * exact multiplication sets it right.  What then reaches 2^16 had the exponent
 * of infinity and NaN.
 */
static inline float
half_to_float(uint16 half)
{
	union
	{
		uint32		bits;
		float		value;
	}			result;

	result.bits = (uint32) (half & 0x7FFF) << 13;
	result.value *= 0x1p112f;
	if (result.value >= 0x1p16f)
		result.bits |= (uint32) 0xFF << 23;
	result.bits |= (uint32) (half & 0x8000) << 16;
	return result.value;
}

static void
halfvec_decode(Datum value, float *row)
{
	const uint16 *halves = pgvector_elements(value);
	int			dimensions = halfvec_dimensions(value);

	for (int i = 0; i < dimensions; i++)
		row[i] = half_to_float(halves[i]);
}

static int
bit_dimensions(Datum value)
{
	VarBit	   *string = (VarBit *) DatumGetPointer(value);
	Size		size = VARSIZE(string);

	if (size < VARHDRSZ + VARBITHDRSZ)
		report_malformed("bit", size, 0);
	if (VARBITLEN(string) < 0 || (size - VARHDRSZ - VARBITHDRSZ) * BITS_PER_BYTE < (Size) VARBITLEN(string))
		report_malformed("bit", size, VARBITLEN(string));
	vecidx_type_check_limit(VARBITLEN(string));
	return VARBITLEN(string);
}

/* Bit strings have their first bit highest in the first byte. */
static void
bit_decode(Datum value, float *row)
{
	const bits8 *bytes = VARBITS(DatumGetPointer(value));
	int			dimensions = bit_dimensions(value);

	for (int i = 0; i < dimensions; i++)
		row[i] = (bytes[i / BITS_PER_BYTE] >> (BITS_PER_BYTE - 1 - i % BITS_PER_BYTE)) & 1;
}

static const float *
not_floats(Datum value pg_attribute_unused())
{
	return NULL;
}

/* vector(n), halfvec(n) and bit(n) store n as it is; -1 stands for no modifier. */
static int
typmod_is_dimensions(int32 typmod)
{
	return typmod > 0 ? typmod : -1;
}

PG_FUNCTION_INFO_V1(vecidx_vector_l2_type);
Datum
vecidx_vector_l2_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {VECTOR_DECODER, VECIDX_L2, typmod_is_dimensions};

	PG_RETURN_POINTER(&type);
}

PG_FUNCTION_INFO_V1(vecidx_vector_ip_type);
Datum
vecidx_vector_ip_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {VECTOR_DECODER, VECIDX_IP, typmod_is_dimensions};

	PG_RETURN_POINTER(&type);
}

PG_FUNCTION_INFO_V1(vecidx_vector_cosine_type);
Datum
vecidx_vector_cosine_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {VECTOR_DECODER, VECIDX_COSINE, typmod_is_dimensions};

	PG_RETURN_POINTER(&type);
}

PG_FUNCTION_INFO_V1(vecidx_halfvec_l2_type);
Datum
vecidx_halfvec_l2_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {HALFVEC_DECODER, VECIDX_L2, typmod_is_dimensions};

	PG_RETURN_POINTER(&type);
}

PG_FUNCTION_INFO_V1(vecidx_halfvec_ip_type);
Datum
vecidx_halfvec_ip_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {HALFVEC_DECODER, VECIDX_IP, typmod_is_dimensions};

	PG_RETURN_POINTER(&type);
}

PG_FUNCTION_INFO_V1(vecidx_halfvec_cosine_type);
Datum
vecidx_halfvec_cosine_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {HALFVEC_DECODER, VECIDX_COSINE, typmod_is_dimensions};

	PG_RETURN_POINTER(&type);
}

PG_FUNCTION_INFO_V1(vecidx_bit_hamming_type);
Datum
vecidx_bit_hamming_type(PG_FUNCTION_ARGS pg_attribute_unused())
{
	static const VecIdxType type = {BIT_DECODER, VECIDX_HAMMING, typmod_is_dimensions};

	PG_RETURN_POINTER(&type);
}
