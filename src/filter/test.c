/*
 * test.c
 *	  Verdicts on filter rows.
 *
 * Tests go over many rows at a time, as plain loops that compilers make
 * vector instructions of.  What calls functions looks only at rows that have
 * passed the tests before it, and remembers its verdicts: columns on which
 * people filter have few different values.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "filter/predicate.h"
#include "kernel/kernel.h"

/* Rows side by side: their values, the bytes with their null bits, their verdicts. */
typedef struct Rows
{
	const uint8 *values;
	uint32		width;
	const uint8 *nulls;
	uint8		null_bit;
	uint32		count;
	uint8	   *verdict;
} Rows;

/*
 * In loops over bytes everything is a local variable: a byte that is written
 * could be one of any structure's, for all the compiler knows.
 */

static void
test_null(const Rows *rows, bool wanted)
{
	vecidx_kernels()->within->masked(rows->nulls, rows->count, rows->null_bit, wanted ? rows->null_bit : 0, rows->verdict);
}

static void
mask_verdicts(uint8 *verdict, const uint8 *mark, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
		verdict[i] &= mark[i];
}

/* Numbers */

static void
mark_integers(const VecIdxNumber *number, const Rows *rows, VecIdxInterval interval, uint8 *mark)
{
	uint64		low = interval.low;
	uint64		length = interval.high - interval.low;

	if (number->kind == VECIDX_NUMBER_SIGNED)
		low ^= UINT64CONST(1) << 63;
	switch (number->width)
	{
		case 1:
			vecidx_kernels()->within->u8(rows->values, rows->count, (uint8) low, (uint8) length, mark);
			break;
		case 2:
			vecidx_kernels()->within->u16((const uint16 *) rows->values, rows->count, (uint16) low, (uint16) length, mark);
			break;
		case 4:
			vecidx_kernels()->within->u32((const uint32 *) rows->values, rows->count, (uint32) low, (uint32) length, mark);
			break;
		default:
			vecidx_kernels()->within->u64((const uint64 *) rows->values, rows->count, low, length, mark);
	}
}

static void
mark_floats(const VecIdxNumber *number, const Rows *rows, VecIdxInterval interval, uint8 *mark)
{
	double		most = INFINITY;
	uint8		nan = interval.high == VECIDX_KEY_NAN ? 0xFF : 0;
	double		low = INFINITY;
	double		high = -INFINITY;

	if (interval.low <= vecidx_number_key(vecidx_number_find(FLOAT8OID), &most))
	{
		low = vecidx_float_at_least(interval.low);
		high = vecidx_float_at_most(interval.high);
	}
	if (number->width == sizeof(double))
		vecidx_kernels()->within->f64((const double *) rows->values, rows->count, low, high, nan, mark);
	else
	{
		float		least = (float) low;
		float		greatest = (float) high;

		if (least < low)
			least = nextafterf(least, INFINITY);
		if (greatest > high)
			greatest = nextafterf(greatest, -INFINITY);
		vecidx_kernels()->within->f32((const float *) rows->values, rows->count, least, greatest, nan, mark);
	}
}

/* Up to so many intervals it is faster to go over all rows once for each. */
#define INTERVALS_BY_LOOP	6

/* Rows that are marked at a time. */
#define STRIP		1024

static void
mark_interval(const VecIdxTest *test, int i, const Rows *rows, uint8 *mark)
{
	if (test->number->kind == VECIDX_NUMBER_FLOAT)
		mark_floats(test->number, rows, test->intervals.interval[i], mark);
	else
		mark_integers(test->number, rows, test->intervals.interval[i], mark);
}

static void
mark_strip(const VecIdxTest *test, const Rows *rows, uint8 *mark)
{
	uint8		more[STRIP];

	mark_interval(test, 0, rows, mark);
	for (int i = 1; i < test->intervals.count; i++)
	{
		mark_interval(test, i, rows, more);
		for (uint32 j = 0; j < rows->count; j++)
			mark[j] |= more[j];
	}
}

static inline bool
is_looped(const VecIdxTest *test)
{
	return test->kind == VECIDX_TEST_NUMBER && test->intervals.count <= INTERVALS_BY_LOOP;
}

/* For intervals few enough.  first: no test has given a verdict yet; the marks are the verdicts then. */
static void
test_number(const VecIdxTest *test, const Rows *rows, bool first)
{
	for (uint32 begin = 0; begin < rows->count; begin += STRIP)
	{
		Rows		strip = *rows;
		uint8		mark[STRIP];

		strip.values += begin * rows->width;
		strip.count = Min(rows->count - begin, STRIP);
		strip.verdict += begin;
		if (first)
		{
			mark_strip(test, &strip, strip.verdict);
			continue;
		}
		mark_strip(test, &strip, mark);
		mask_verdicts(strip.verdict, mark, strip.count);
	}
}

static void
test_many_numbers(const VecIdxTest *test, const Rows *rows)
{
	for (uint32 i = 0; i < rows->count; i++)
	{
		if (rows->verdict[i] != VECIDX_NO &&
			!vecidx_intervals_contain(&test->intervals, vecidx_number_key(test->number, rows->values + i * rows->width)))
			rows->verdict[i] = VECIDX_NO;
	}
}

/* Bytes */

static uint8
bytes_verdict(const VecIdxFilterColumn *column, const uint8 *stored)
{
	return column->form == VECIDX_FORM_SHORT && stored[0] == VECIDX_SHORT_CUT ? VECIDX_MAYBE : VECIDX_YES;
}

static void
test_one_bytes(const VecIdxTest *test, const VecIdxFilterColumn *column, const Rows *rows)
{
	const uint64 *value = (const uint64 *) rows->values;
	uint8	   *verdict = rows->verdict;
	uint32		count = rows->count;
	uint8		equal = bytes_verdict(column, test->argument->stored);
	uint64		wanted[2];

	memcpy(wanted, test->argument->stored, sizeof(wanted));
	for (uint32 i = 0; i < count; i++)
		verdict[i] &= -((value[2 * i] == wanted[0]) & (value[2 * i + 1] == wanted[1])) & equal;
}

static bool
find_bytes(const VecIdxTest *test, const uint8 *stored)
{
	int			low = 0;
	int			high = test->arguments;

	while (low < high)
	{
		int			middle = (low + high) / 2;
		int			order = memcmp(test->argument[middle].stored, stored, VECIDX_SHORT_SIZE);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void
test_bytes(const VecIdxTest *test, const VecIdxFilterColumn *column, const Rows *rows)
{
	if (test->arguments == 1)
	{
		test_one_bytes(test, column, rows);
		return;
	}
	for (uint32 i = 0; i < rows->count; i++)
	{
		const uint8 *stored = rows->values + i * rows->width;

		if (rows->verdict[i] != VECIDX_NO)
			rows->verdict[i] &= find_bytes(test, stored) ? bytes_verdict(column, stored) : VECIDX_NO;
	}
}

/* Signatures */

/* Bits of a that b has not. */
static inline uint64
missing(const VecIdxSignature *a, const VecIdxSignature *b)
{
	return (a->bits[0] & ~b->bits[0]) | (a->bits[1] & ~b->bits[1]);
}

static bool
set_may_pass(const VecIdxArgument *argument, const VecIdxSignature *set)
{
	switch (argument->mode)
	{
		case VECIDX_SET_CONTAINS:
			for (int i = 0; i < argument->masks; i++)
			{
				if (missing(&argument->mask[i], set) != 0)
					return false;
			}
			return true;
		case VECIDX_SET_OVERLAPS:
			for (int i = 0; i < argument->masks; i++)
			{
				if (missing(&argument->mask[i], set) == 0)
					return true;
			}
			return false;
		case VECIDX_SET_CONTAINED:
			return missing(set, argument->mask) == 0;
		case VECIDX_SET_EQUALS:
			return memcmp(set, argument->mask, sizeof(VecIdxSignature)) == 0;
		default:
			return true;
	}
}

static uint8
set_verdict(const VecIdxTest *test, const VecIdxSignature *set)
{
	if ((set->bits[0] & set->bits[1]) == PG_UINT64_MAX)
		return VECIDX_MAYBE;
	for (int i = 0; i < test->arguments; i++)
	{
		if (set_may_pass(&test->argument[i], set))
			return VECIDX_MAYBE;
	}
	return VECIDX_NO;
}

static void
test_set(const VecIdxTest *test, const Rows *rows)
{
	for (uint32 i = 0; i < rows->count; i++)
	{
		if (rows->verdict[i] != VECIDX_NO)
			rows->verdict[i] &= set_verdict(test, (const VecIdxSignature *) (rows->values + i * rows->width));
	}
}

/* Functions */

/* May a value that is not stored whole pass with this right-hand side? */
static bool
cut_may_pass(const VecIdxTest *test, const VecIdxArgument *argument, const uint8 *stored)
{
	static const uint8 unknown[VECIDX_SHORT_SIZE - VECIDX_SHORT_HASH] = {0};
	const uint8 *hash = stored + VECIDX_SHORT_HASH;

	if (!test->equality)
		return memcmp(stored + 1, argument->stored + 1, argument->prefix) == 0;
	/* equal values may be of different bytes, and of different length */
	if (argument->stored[0] != VECIDX_SHORT_CUT || memcmp(hash, unknown, sizeof(unknown)) == 0 ||
		memcmp(argument->stored + VECIDX_SHORT_HASH, unknown, sizeof(unknown)) == 0)
		return true;
	return memcmp(hash, argument->stored + VECIDX_SHORT_HASH, sizeof(unknown)) == 0;
}

static uint8
cut_verdict(const VecIdxTest *test, const uint8 *stored)
{
	for (int i = 0; i < test->arguments; i++)
	{
		if (cut_may_pass(test, &test->argument[i], stored))
			return VECIDX_MAYBE;
	}
	return VECIDX_NO;
}

/* Calls between two times that the memory which functions have left is freed. */
#define SCRATCH_CALLS	64

static bool
call(VecIdxPredicate *predicate, VecIdxTest *test, Datum value, const VecIdxArgument *argument)
{
	LOCAL_FCINFO(fcinfo, 2);
	Datum		result;

	CHECK_FOR_INTERRUPTS();
	if (predicate->calls++ % SCRATCH_CALLS == 0)
		MemoryContextReset(predicate->scratch);
	InitFunctionCallInfoData(*fcinfo, &test->function, 2, test->collation, NULL, NULL);
	fcinfo->args[0].value = value;
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = argument->value;
	fcinfo->args[1].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	return !fcinfo->isnull && DatumGetBool(result);
}

static uint8
ask_function(VecIdxPredicate *predicate, VecIdxTest *test, const uint8 *stored)
{
	union
	{
		char		bytes[VECIDX_FETCH_ROOM];
		double		aligned;
	}			room;
	Datum		value;

	if (!vecidx_filter_fetch(&predicate->shape->column[test->column], stored, room.bytes, &value))
		return cut_verdict(test, stored);
	for (int i = 0; i < test->arguments; i++)
	{
		if (call(predicate, test, value, &test->argument[i]))
			return VECIDX_YES;
	}
	return VECIDX_NO;
}

/* The place of a stored value among the verdicts that are remembered. */
static inline uint32
memo_place(const uint8 *stored)
{
	return (uint32) (vecidx_stored_hash(stored) >> 32) & (VECIDX_MEMOS - 1);
}

static uint8
call_verdict(VecIdxPredicate *predicate, VecIdxTest *test, const Rows *rows, uint32 row)
{
	uint8		stored[VECIDX_SHORT_SIZE] = {0};
	VecIdxMemo *memo;

	if (rows->nulls[row] & rows->null_bit)
		return test->function.fn_strict ? VECIDX_NO : VECIDX_MAYBE;
	memcpy(stored, rows->values + row * rows->width, rows->width);
	memo = &test->memo[memo_place(stored)];
	if (!memo->used || memcmp(memo->stored, stored, sizeof(stored)) != 0)
	{
		memo->verdict = ask_function(predicate, test, stored);
		memcpy(memo->stored, stored, sizeof(stored));
		memo->used = true;
	}
	return memo->verdict;
}

static void
test_call(VecIdxPredicate *predicate, VecIdxTest *test, const Rows *rows)
{
	MemoryContext old = MemoryContextSwitchTo(predicate->scratch);

	for (uint32 i = 0; i < rows->count; i++)
	{
		if (rows->verdict[i] != VECIDX_NO)
			rows->verdict[i] &= call_verdict(predicate, test, rows, i);
	}
	MemoryContextSwitchTo(old);
}

static void
run_test(VecIdxPredicate *predicate, VecIdxTest *test, const Rows *rows)
{
	switch (test->kind)
	{
		case VECIDX_TEST_NULL:
		case VECIDX_TEST_NOT_NULL:
			test_null(rows, test->kind == VECIDX_TEST_NULL);
			break;
		case VECIDX_TEST_NUMBER:
			if (is_looped(test))
				test_number(test, rows, false);
			else
				test_many_numbers(test, rows);
			break;
		case VECIDX_TEST_BYTES:
			test_bytes(test, &predicate->shape->column[test->column], rows);
			break;
		case VECIDX_TEST_SET:
			test_set(test, rows);
			break;
		case VECIDX_TEST_CALL:
			test_call(predicate, test, rows);
			break;
		case VECIDX_TEST_MAYBE:
			for (uint32 i = 0; i < rows->count; i++)
				rows->verdict[i] &= VECIDX_MAYBE;
			break;
	}
}

/* "count" rows from "first" on, of the "rows" that a page holds, as the test sees them. */
static Rows
rows_for(const VecIdxPredicate *predicate, const VecIdxTest *test, const uint8 *fields, uint32 rows, uint32 first)
{
	const VecIdxFilterShape *shape = predicate->shape;
	Rows		some;

	some.values = fields + vecidx_filter_place(shape, test->column, rows, first);
	some.width = shape->field[test->column].width;
	some.nulls = fields + vecidx_filter_place(shape, VecIdxFilterNullField(shape, test->column), rows, first);
	some.null_bit = 1 << test->column % 8;
	return some;
}

/* Verdicts that are looked at before it is asked whether one of them is another than no. */
#define NONE_STRIDE	64

static bool
none_passes(const uint8 *verdict, uint32 count)
{
	for (uint32 begin = 0; begin < count; begin += NONE_STRIDE)
	{
		uint32		end = Min(begin + NONE_STRIDE, count);
		uint8		any = 0;

		for (uint32 i = begin; i < end; i++)
			any |= verdict[i];
		if (any != 0)
			return false;
	}
	return true;
}

void
vecidx_predicate_rows(VecIdxPredicate *predicate, const uint8 *fields, uint32 rows, uint32 first, uint32 count, uint8 *verdicts)
{
	bool		begun = !predicate->never && predicate->tests > 0 && is_looped(&predicate->test[0]);

	if (!begun)
		memset(verdicts, predicate->never ? VECIDX_NO : VECIDX_YES, count);
	for (int i = 0; i < predicate->tests && !predicate->never; i++)
	{
		Rows		some = rows_for(predicate, &predicate->test[i], fields, rows, first);

		some.count = count;
		some.verdict = verdicts;
		if (i == 0 && begun)
			test_number(&predicate->test[0], &some, true);
		else if (none_passes(verdicts, count))
			break;
		else
			run_test(predicate, &predicate->test[i], &some);
	}
}

/* An integer in one interval, or any number. */
static inline bool
number_passes(const VecIdxTest *test, const uint8 *value)
{
	uint64		key = vecidx_number_key(test->number, value);

	if (test->intervals.count == 1)
		return key - test->intervals.interval->low <= test->intervals.interval->high - test->intervals.interval->low;
	return vecidx_intervals_contain(&test->intervals, key);
}

/*
 * What a walk asks most: numbers come first, as few lines of memory tell that
 * one fails; whether a row is NULL only matters if it passes.
 */
uint8
vecidx_predicate_row(VecIdxPredicate *predicate, const uint8 *fields, uint32 rows, uint32 row)
{
	const VecIdxFilterShape *shape = predicate->shape;
	uint8		verdict = predicate->never ? VECIDX_NO : VECIDX_YES;

	for (int i = 0; i < predicate->numbers; i++)
	{
		const VecIdxTest *test = &predicate->test[i];

		if (!number_passes(test, fields + vecidx_filter_place(shape, test->column, rows, row)))
			return VECIDX_NO;
	}
	for (int i = predicate->numbers; i < predicate->tests && verdict != VECIDX_NO; i++)
	{
		Rows		one = rows_for(predicate, &predicate->test[i], fields, rows, row);

		one.count = 1;
		one.verdict = &verdict;
		run_test(predicate, &predicate->test[i], &one);
	}
	return verdict;
}
