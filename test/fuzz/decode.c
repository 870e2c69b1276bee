/*
 * decode.c
 *	  Damaged values of the types that vectors come in.
 *
 * A decoder is given a value of exactly the length that its header tells, as
 * the server guarantees, and must read nothing beyond it, write as many floats
 * as it says, and say the same through both ways of reading.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/varbit.h"

#include "fuzz.h"
#include "type/type.h"

#define LARGEST	320

extern Datum vecidx_bit_hamming_type(PG_FUNCTION_ARGS);

/* A value and the decoder that is to read it. */
typedef struct Sample
{
	const VecIdxDecoder *decoder;
	Size		size;
	char	   *value;
} Sample;

static void
fill_random(char *bytes, Size size)
{
	for (Size i = 0; i < size; i++)
		bytes[i] = fuzz_random();
}

static Size
make_array(char *bytes)
{
	static const struct
	{
		Oid			type;
		Size		width;
	}			elements[] = {{FLOAT4OID, 4}, {FLOAT8OID, 8}, {INT4OID, 4}, {TEXTOID, 4}};
	ArrayType  *array = (ArrayType *) bytes;
	int			which = fuzz_below(lengthof(elements));
	int			dimensions = fuzz_below(30);
	Size		overhead = ARR_OVERHEAD_NONULLS(1);

	array->ndim = 1;
	array->elemtype = elements[which].type;
	array->dataoffset = 0;
	ARR_DIMS(array)[0] = dimensions;
	ARR_LBOUND(array)[0] = 1;
	if (fuzz_below(3) == 0)
	{
		overhead = ARR_OVERHEAD_WITHNULLS(1, dimensions);
		array->dataoffset = overhead;
		memset(bytes + ARR_OVERHEAD_NONULLS(1), 0xFF, (dimensions + 7) / 8);
	}
	return overhead + dimensions * elements[which].width;
}

/* vector and halfvec: length word, int16 dimensions, int16 unused, elements. */
static Size
make_pgvector(char *bytes, Size width)
{
	int16		dimensions = 1 + fuzz_below(60);

	memcpy(bytes + 4, &dimensions, sizeof(dimensions));
	memset(bytes + 6, 0, 2);
	return 8 + dimensions * width;
}

static Size
make_bit(char *bytes)
{
	int32		length = fuzz_below(500);

	VARBITLEN(bytes) = length;
	return VARBITTOTALLEN(length);
}

static Size
make_value(char *bytes, const VecIdxDecoder **decoder)
{
	const VecIdxType *bit = (const VecIdxType *) DatumGetPointer(vecidx_bit_hamming_type(NULL));

	fill_random(bytes, LARGEST);
	switch (fuzz_below(4))
	{
		case 0:
			*decoder = &vecidx_type_array;
			return make_array(bytes);
		case 1:
			*decoder = &vecidx_type_vector;
			return make_pgvector(bytes, sizeof(float));
		case 2:
			*decoder = &vecidx_type_halfvec;
			return make_pgvector(bytes, sizeof(uint16));
		default:
			*decoder = &bit->decoder;
			return make_bit(bytes);
	}
}

static bool
same_floats(const float *a, const float *b, int count)
{
	return count == 0 || memcmp(a, b, count * sizeof(float)) == 0;
}

/* dimensions() first, as its contract says. */
static void
decode_sample(void *argument)
{
	const Sample *sample = argument;
	Datum		value = PointerGetDatum(sample->value);
	int			dimensions = sample->decoder->dimensions(value);
	float	   *row;
	const float *inside;

	if (dimensions < 0 || dimensions > VECIDX_MAX_DIMENSIONS)
		fuzz_fail("%s: %d dimensions", sample->decoder->name, dimensions);
	row = palloc(dimensions * sizeof(float));
	inside = sample->decoder->floats(value);
	sample->decoder->decode(value, row);
	if (inside != NULL && !same_floats(inside, row, dimensions))
		fuzz_fail("%s: floats and decode differ", sample->decoder->name);
}

static void
run_decode(uint64 input)
{
	char		bytes[LARGEST] pg_attribute_aligned(8);
	Sample		sample;
	FuzzError	error;

	sample.size = make_value(bytes, &sample.decoder);
	if (fuzz_below(8) > 0)
		fuzz_mutate(bytes + 4, Min(sample.size, 24));
	if (fuzz_below(4) == 0)
		fuzz_mutate(bytes + 4, sample.size);
	if (fuzz_below(3) == 0)
		sample.size = 4 + fuzz_below(LARGEST - 4);
	sample.value = malloc(sample.size);
	memcpy(sample.value, bytes, sample.size);
	SET_VARSIZE(sample.value, sample.size);
	error = fuzz_try(decode_sample, &sample);
	if (error.code == ERRCODE_INTERNAL_ERROR && strstr(error.message, "unexpected element type") == NULL)
		fuzz_fail("internal error: %s", error.message);
	free(sample.value);
	fuzz_reset();
}

const FuzzTarget fuzz_decode = {"decode", NULL, run_decode};
