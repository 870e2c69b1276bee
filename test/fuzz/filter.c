/*
 * filter.c
 *	  Stand-ins for filter columns: none, or one of type integer, and conditions
 *	  on it.
 *
 * A scan key asks for one value; a search under it must return the rows that
 * have it, and no others.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "filter/predicate.h"
#include "filter/zone.h"
#include "fuzz.h"

bool		fuzz_filtered = false;

static int32 wanted;

void
vecidx_filter_shape(Relation index, VecIdxFilterShape *shape)
{
	static const VecIdxFilterField fields[] = {{0, sizeof(int32)}, {4, 1}, {5, 1}};

	memset(shape, 0, sizeof(VecIdxFilterShape));
	if (!fuzz_filtered)
		return;
	shape->columns = 1;
	shape->fields = lengthof(fields);
	shape->size = 6;
	memcpy(shape->field, fields, sizeof(fields));
	shape->column[0] = (VecIdxFilterColumn) {.type = INT4OID, .length = sizeof(int32), .by_value = true};
}

void
vecidx_filter_encode(const VecIdxFilterShape *shape, const Datum *values, const bool *isnull, uint8 *row)
{
	int32		value;

	memset(row, 0, shape->size);
	if (shape->columns == 0)
		return;
	value = DatumGetInt32(values[1]);
	memcpy(row, &value, sizeof(value));
}

VecIdxPredicate *
vecidx_predicate_compile(Relation index, const VecIdxFilterShape *shape, const ScanKeyData *keys, int count)
{
	VecIdxPredicate *predicate = palloc0(sizeof(VecIdxPredicate));

	wanted = DatumGetInt32(keys[0].sk_argument);
	predicate->shape = shape;
	predicate->certain = true;
	predicate->tests = 1;
	predicate->test = palloc0(sizeof(VecIdxTest));
	predicate->test->kind = VECIDX_TEST_NUMBER;
	return predicate;
}

uint8
vecidx_predicate_row(VecIdxPredicate *predicate, const uint8 *fields, uint32 rows, uint32 row)
{
	int32		value;

	memcpy(&value, fields + vecidx_filter_place(predicate->shape, 0, rows, row), sizeof(value));
	return value == wanted ? VECIDX_YES : VECIDX_NO;
}

void
vecidx_predicate_rows(VecIdxPredicate *predicate, const uint8 *fields, uint32 rows, uint32 first, uint32 count, uint8 *verdicts)
{
	for (uint32 i = 0; i < count; i++)
		verdicts[i] = vecidx_predicate_row(predicate, fields, rows, first + i);
}

/* There are no zones: all rows are looked at. */
void
vecidx_zones_begin(VecIdxHandle *handle pg_attribute_unused(), Size memory pg_attribute_unused())
{
}

VecIdxZones *
vecidx_zones_get(VecIdxHandle *handle pg_attribute_unused(), const VecIdxPredicate *predicate pg_attribute_unused())
{
	return NULL;
}

uint64
vecidx_zones_open(const VecIdxZones *zones pg_attribute_unused(), VecIdxHandle *handle pg_attribute_unused(),
				  const VecIdxPredicate *predicate pg_attribute_unused(), uint32 first pg_attribute_unused())
{
	return PG_UINT64_MAX;
}

bool
vecidx_zones_know(const VecIdxZones *zones pg_attribute_unused(), VecIdxHandle *handle pg_attribute_unused(),
				  const VecIdxPredicate *predicate pg_attribute_unused(), uint32 first pg_attribute_unused())
{
	return false;
}

void
vecidx_zones_learn(VecIdxZones *zones pg_attribute_unused(), VecIdxHandle *handle pg_attribute_unused(),
				   const VecIdxPredicate *predicate pg_attribute_unused(), uint32 first pg_attribute_unused())
{
}
