/*
 * interval.c
 *	  Sets of numbers as intervals of keys.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "filter/interval.h"

#define SIGN	(UINT64CONST(1) << 63)

static const VecIdxNumber numbers[] = {
	{BOOLOID, VECIDX_NUMBER_UNSIGNED, 1, BOOLOID},
	{CHAROID, VECIDX_NUMBER_UNSIGNED, 1, CHAROID},
	{INT2OID, VECIDX_NUMBER_SIGNED, 2, INT8OID},
	{INT4OID, VECIDX_NUMBER_SIGNED, 4, INT8OID},
	{INT8OID, VECIDX_NUMBER_SIGNED, 8, INT8OID},
	{OIDOID, VECIDX_NUMBER_UNSIGNED, 4, OIDOID},
	{FLOAT4OID, VECIDX_NUMBER_FLOAT, 4, FLOAT8OID},
	{FLOAT8OID, VECIDX_NUMBER_FLOAT, 8, FLOAT8OID},
	{DATEOID, VECIDX_NUMBER_SIGNED, 4, DATEOID},
	{TIMEOID, VECIDX_NUMBER_SIGNED, 8, TIMEOID},
	{TIMESTAMPOID, VECIDX_NUMBER_SIGNED, 8, TIMESTAMPOID},
	{TIMESTAMPTZOID, VECIDX_NUMBER_SIGNED, 8, TIMESTAMPTZOID},
	{MONEYOID, VECIDX_NUMBER_SIGNED, 8, MONEYOID},
	{PG_LSNOID, VECIDX_NUMBER_UNSIGNED, 8, PG_LSNOID},
	{XID8OID, VECIDX_NUMBER_UNSIGNED, 8, XID8OID}
};

const VecIdxNumber *
vecidx_number_find(Oid type)
{
	for (int i = 0; i < (int) lengthof(numbers); i++)
	{
		if (numbers[i].type == type)
			return &numbers[i];
	}
	return NULL;
}

static uint64
float_key(double value)
{
	uint64		bits;

	if (isnan(value))
		return VECIDX_KEY_NAN;
	value += 0.0;				/* -0 becomes 0 */
	memcpy(&bits, &value, sizeof(bits));
	return bits & SIGN ? ~bits : bits | SIGN;
}

static double
key_float(uint64 key)
{
	uint64		bits = key & SIGN ? key & ~SIGN : ~key;
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* The key that -0 would have. */
#define KEY_MINUS_ZERO	(SIGN - 1)

double
vecidx_float_at_most(uint64 key)
{
	if (key >= float_key(INFINITY))
		return INFINITY;
	return key_float(key == KEY_MINUS_ZERO ? key - 1 : key);
}

double
vecidx_float_at_least(uint64 key)
{
	return key <= float_key(-INFINITY) ? -INFINITY : key_float(key);
}

static uint64
unsigned_value(int width, const void *value)
{
	switch (width)
	{
		case 1:
			return *(const uint8 *) value;
		case 2:
			return *(const uint16 *) value;
		case 4:
			return *(const uint32 *) value;
		default:
			return *(const uint64 *) value;
	}
}

uint64
vecidx_number_key(const VecIdxNumber *number, const void *value)
{
	uint64		raw;

	if (number->kind == VECIDX_NUMBER_FLOAT)
		return float_key(number->width == 4 ? *(const float *) value : *(const double *) value);
	raw = unsigned_value(number->width, value);
	if (number->kind == VECIDX_NUMBER_UNSIGNED)
		return raw;
	if (number->width == 2)
		raw = (uint64) (int64) (int16) raw;
	else if (number->width == 4)
		raw = (uint64) (int64) (int32) raw;
	return raw ^ SIGN;
}

uint64
vecidx_number_datum_key(const VecIdxNumber *number, Datum value)
{
	if (number->kind == VECIDX_NUMBER_FLOAT)
		return float_key(number->width == 4 ? DatumGetFloat4(value) : DatumGetFloat8(value));
	switch (number->width)
	{
		case 1:
			return (uint8) DatumGetChar(value);
		case 2:
			return (uint64) (int64) DatumGetInt16(value) ^ SIGN;
		case 4:
			if (number->kind == VECIDX_NUMBER_UNSIGNED)
				return DatumGetUInt32(value);
			return (uint64) (int64) DatumGetInt32(value) ^ SIGN;
		default:
			if (number->kind == VECIDX_NUMBER_UNSIGNED)
				return DatumGetUInt64(value);
			return (uint64) DatumGetInt64(value) ^ SIGN;
	}
}

VecIdxIntervals
vecidx_intervals_make(int keys)
{
	VecIdxIntervals set;

	set.room = 2 * Max(keys, 1);
	set.count = 0;
	set.interval = palloc_extended(set.room * sizeof(VecIdxInterval), MCXT_ALLOC_HUGE);
	return set;
}

static void
append(VecIdxIntervals *set, uint64 low, uint64 high)
{
	Assert(set->count < set->room);
	set->interval[set->count].low = low;
	set->interval[set->count].high = high;
	set->count++;
}

void
vecidx_intervals_add(VecIdxIntervals *set, int strategy, uint64 key)
{
	switch (strategy)
	{
		case BTEqualStrategyNumber:
			append(set, key, key);
			break;
		case BTLessEqualStrategyNumber:
			append(set, 0, key);
			break;
		case BTGreaterEqualStrategyNumber:
			append(set, key, PG_UINT64_MAX);
			break;
		case BTLessStrategyNumber:
		case BTGreaterStrategyNumber:
		case VECIDX_STRATEGY_NE:
			if (key > 0 && strategy != BTGreaterStrategyNumber)
				append(set, 0, key - 1);
			if (key < PG_UINT64_MAX && strategy != BTLessStrategyNumber)
				append(set, key + 1, PG_UINT64_MAX);
			break;
		default:
			elog(ERROR, "no interval has strategy %d", strategy);
	}
}

static int
compare_intervals(const void *a, const void *b)
{
	uint64		x = ((const VecIdxInterval *) a)->low;
	uint64		y = ((const VecIdxInterval *) b)->low;

	return (x > y) - (x < y);
}

void
vecidx_intervals_normalize(VecIdxIntervals *set)
{
	int			kept = 0;

	qsort(set->interval, set->count, sizeof(VecIdxInterval), compare_intervals);
	for (int i = 0; i < set->count; i++)
	{
		VecIdxInterval next = set->interval[i];
		VecIdxInterval *last = kept > 0 ? &set->interval[kept - 1] : NULL;

		if (last != NULL && (last->high == PG_UINT64_MAX || next.low <= last->high + 1))
			last->high = Max(last->high, next.high);
		else
			set->interval[kept++] = next;
	}
	set->count = kept;
}

VecIdxIntervals
vecidx_intervals_intersect(const VecIdxIntervals *a, const VecIdxIntervals *b)
{
	VecIdxIntervals both = vecidx_intervals_make(a->count + b->count);
	int			i = 0;
	int			j = 0;

	while (i < a->count && j < b->count)
	{
		uint64		low = Max(a->interval[i].low, b->interval[j].low);
		uint64		high = Min(a->interval[i].high, b->interval[j].high);

		if (low <= high)
			append(&both, low, high);
		if (a->interval[i].high < b->interval[j].high)
			i++;
		else
			j++;
	}
	return both;
}

void
vecidx_intervals_clamp(VecIdxIntervals *set, const VecIdxNumber *number)
{
	VecIdxInterval all = {0, PG_UINT64_MAX};
	VecIdxIntervals domain = {&all, 1, 1};

	if (number->kind != VECIDX_NUMBER_FLOAT && number->width < 8)
	{
		uint64		values = UINT64CONST(1) << (8 * number->width);

		all.low = number->kind == VECIDX_NUMBER_SIGNED ? SIGN - values / 2 : 0;
		all.high = all.low + values - 1;
	}
	*set = vecidx_intervals_intersect(set, &domain);
}

bool
vecidx_intervals_contain(const VecIdxIntervals *set, uint64 key)
{
	int			low = 0;
	int			high = set->count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (set->interval[middle].high < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->count && set->interval[low].low <= key;
}
