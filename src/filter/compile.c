/*
 * compile.c
 *	  From scan keys to tests.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "filter/predicate.h"

/* A key with what is known of its operator. */
typedef struct Clause
{
	const ScanKeyData *key;
	const VecIdxFilterColumn *column;
	Oid			operator;		/* invalid: could not be told */
	Oid			right;			/* type of the right-hand side */
	int			strategy;		/* by the column's type: btree's, or VECIDX_STRATEGY_NE or _NONE */
	int			arguments;		/* without NULLs, of which no operator here makes true */
	Datum	   *argument;
	bool		null_argument;	/* a function that is not strict has to decide */
} Clause;

/* What the operator is to the column type's default btree operator class. */
static int
find_strategy(Oid type, Oid operator)
{
	Oid			family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	int			strategy;

	if (!OidIsValid(family) || !OidIsValid(operator))
		return VECIDX_STRATEGY_NONE;
	strategy = get_op_opfamily_strategy(operator, family);
	if (strategy != 0)
		return strategy;
	operator = get_negator(operator);
	if (OidIsValid(operator) && get_op_opfamily_strategy(operator, family) == BTEqualStrategyNumber)
		return VECIDX_STRATEGY_NE;
	return VECIDX_STRATEGY_NONE;
}

/* The elements of the array of = ANY that are not NULL. */
static void
take_array(Clause *clause)
{
	ArrayType  *array = DatumGetArrayTypeP(clause->key->sk_argument);
	int16		length;
	bool		by_value;
	char		align;
	bool	   *nulls;
	int			count;
	int			kept = 0;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &clause->argument, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			clause->argument[kept++] = clause->argument[i];
		else if (!clause->key->sk_func.fn_strict)
			clause->null_argument = true;
	}
	clause->arguments = kept;
}

static void
read_clause(Relation index, const VecIdxFilterShape *shape, const ScanKeyData *key, Clause *clause)
{
	int			c = key->sk_attno - 1;
	Oid			left = index->rd_opcintype[c];

	memset(clause, 0, sizeof(Clause));
	clause->key = key;
	clause->column = &shape->column[c - 1];
	clause->right = OidIsValid(key->sk_subtype) ? key->sk_subtype : left;
	clause->operator = get_opfamily_member(index->rd_opfamily[c], left, clause->right, key->sk_strategy);
	if (OidIsValid(clause->operator) && get_opcode(clause->operator) != key->sk_func.fn_oid)
		clause->operator = InvalidOid;
	clause->strategy = find_strategy(clause->column->type, clause->operator);
	if (key->sk_flags & SK_ISNULL)
		clause->null_argument = !key->sk_func.fn_strict;
	else if (key->sk_flags & SK_SEARCHARRAY)
		take_array(clause);
	else
	{
		clause->argument = palloc(sizeof(Datum));
		clause->argument[0] = key->sk_argument;
		clause->arguments = 1;
	}
}

/* Numbers */

/* A right-hand side of another type that its comparison converts first; false if that may fail. */
static bool
convert_time(Oid column, Oid right, Datum *value)
{
	if (right == DATEOID)
	{
		DateADT		date = DatumGetDateADT(*value);

		if (!DATE_NOT_FINITE(date) && (date < DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE + 2 ||
									   date > TIMESTAMP_END_JULIAN - POSTGRES_EPOCH_JDATE - 2))
			return false;
		*value = DirectFunctionCall1(column == TIMESTAMPOID ? date_timestamp : date_timestamptz, *value);
		return true;
	}
	if (right == TIMESTAMPOID && column == TIMESTAMPTZOID)
	{
		Timestamp	time = DatumGetTimestamp(*value);

		if (!TIMESTAMP_NOT_FINITE(time) && (time < MIN_TIMESTAMP + 2 * USECS_PER_DAY || time > END_TIMESTAMP - 2 * USECS_PER_DAY))
			return false;
		*value = DirectFunctionCall1(timestamp_timestamptz, *value);
		return true;
	}
	return false;
}

/* How the right-hand sides are read; NULL if they are not numbers of the column's family. */
static const VecIdxNumber *
right_number(Clause *clause, const VecIdxNumber *left)
{
	const VecIdxNumber *right = vecidx_number_find(getBaseType(clause->right));

	if (right == NULL || right->family == left->family)
		return right;
	if (left->type != TIMESTAMPOID && left->type != TIMESTAMPTZOID)
		return NULL;
	for (int i = 0; i < clause->arguments; i++)
	{
		if (!convert_time(left->type, right->type, &clause->argument[i]))
			return NULL;
	}
	return left;
}

static bool
make_number(Clause *clause, VecIdxTest *test)
{
	const VecIdxNumber *left = vecidx_number_find(clause->column->type);
	const VecIdxNumber *right;

	if (left == NULL || clause->strategy == VECIDX_STRATEGY_NONE || !clause->key->sk_func.fn_strict)
		return false;
	right = right_number(clause, left);
	if (right == NULL)
		return false;
	test->kind = VECIDX_TEST_NUMBER;
	test->number = left;
	test->intervals = vecidx_intervals_make(clause->arguments);
	for (int i = 0; i < clause->arguments; i++)
		vecidx_intervals_add(&test->intervals, clause->strategy, vecidx_number_datum_key(right, clause->argument[i]));
	vecidx_intervals_normalize(&test->intervals);
	vecidx_intervals_clamp(&test->intervals, left);
	return true;
}

/* Bytes */

/* Is it the "=" that belongs to the hash function of the column's type? */
static bool
is_hashed_equality(const Clause *clause)
{
	return OidIsValid(clause->operator) && clause->key->sk_func.fn_strict &&
		clause->operator == lookup_type_cache(clause->column->type, TYPECACHE_EQ_OPR)->eq_opr;
}

/* Are values equal if and only if their bytes are? */
static bool
is_bytewise(const VecIdxFilterColumn *column)
{
	switch (column->type)
	{
		case TEXTOID:
		case VARCHAROID:
			return OidIsValid(column->collation) && get_collation_isdeterministic(column->collation);
		case NAMEOID:
		case BYTEAOID:
		case UUIDOID:
		case INETOID:
		case CIDROID:
		case BITOID:
		case VARBITOID:
			return true;
		default:
			return false;
	}
}

static int
compare_stored(const void *a, const void *b)
{
	return memcmp(((const VecIdxArgument *) a)->stored, ((const VecIdxArgument *) b)->stored, VECIDX_SHORT_SIZE);
}

/* Arguments with the stored forms of the right-hand sides. */
static void
store_arguments(const Clause *clause, VecIdxTest *test)
{
	for (int i = 0; i < test->arguments; i++)
		vecidx_filter_store(clause->column, test->argument[i].value, test->argument[i].stored);
}

static bool
make_bytes(const Clause *clause, VecIdxTest *test)
{
	if (!is_hashed_equality(clause) || !is_bytewise(clause->column))
		return false;
	test->kind = VECIDX_TEST_BYTES;
	store_arguments(clause, test);
	qsort(test->argument, test->arguments, sizeof(VecIdxArgument), compare_stored);
	return true;
}

/* Signatures */

static bool
is_full(const VecIdxSignature *set)
{
	return (set->bits[0] & set->bits[1]) == PG_UINT64_MAX;
}

/* One mask with all of the argument's things. */
static void
mask_all(const VecIdxFilterColumn *column, VecIdxSetMode mode, VecIdxArgument *argument)
{
	argument->mask = palloc0(sizeof(VecIdxSignature));
	argument->masks = 1;
	if (OidIsValid(column->element))
		vecidx_signature_array(column->element, column->collation, argument->value, argument->mask);
	else
		vecidx_signature_jsonb(argument->value, argument->mask);
	argument->mode = is_full(argument->mask) ? VECIDX_SET_UNKNOWN : mode;
}

/* More masks than that would be slower than to look at the row. */
#define MASKS_MAX	64

/* A mask for each element of an array of that element type. */
static void
mask_elements(Oid element, Oid collation, bool keys, VecIdxArgument *argument)
{
	ArrayType  *array = DatumGetArrayTypeP(argument->value);
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	Datum		value;
	bool		isnull;

	argument->mask = palloc0(MASKS_MAX * sizeof(VecIdxSignature));
	while (argument->mode != VECIDX_SET_UNKNOWN && array_iterate(iterator, &value, &isnull))
	{
		uint64		hash;

		if (isnull)
			continue;
		hash = keys ? vecidx_signature_string(VARDATA_ANY(DatumGetPointer(value)), VARSIZE_ANY_EXHDR(DatumGetPointer(value))) :
			vecidx_filter_hash(element, collation, value);
		if (hash == 0 || argument->masks == MASKS_MAX)
			argument->mode = VECIDX_SET_UNKNOWN;
		else
			vecidx_signature_add(&argument->mask[argument->masks++], hash);
	}
}

static void
mask_array(const Clause *clause, VecIdxArgument *argument)
{
	const VecIdxFilterColumn *column = clause->column;

	switch (clause->key->sk_func.fn_oid)
	{
		case F_ARRAY_EQ:
			mask_all(column, VECIDX_SET_EQUALS, argument);
			break;
		case F_ARRAYCONTAINS:
			mask_all(column, VECIDX_SET_CONTAINS, argument);
			break;
		case F_ARRAYCONTAINED:
			mask_all(column, VECIDX_SET_CONTAINED, argument);
			break;
		case F_ARRAYOVERLAP:
			argument->mode = VECIDX_SET_OVERLAPS;
			mask_elements(column->element, column->collation, false, argument);
			break;
		default:
			break;
	}
}

static void
mask_key(VecIdxArgument *argument)
{
	text	   *key = DatumGetTextPP(argument->value);

	argument->mode = VECIDX_SET_CONTAINS;
	argument->mask = palloc0(sizeof(VecIdxSignature));
	argument->masks = 1;
	vecidx_signature_add(argument->mask, vecidx_signature_string(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)));
}

static void
mask_jsonb(const Clause *clause, VecIdxArgument *argument)
{
	switch (clause->key->sk_func.fn_oid)
	{
		case F_JSONB_EQ:
			mask_all(clause->column, VECIDX_SET_EQUALS, argument);
			break;
		case F_JSONB_CONTAINS:
			mask_all(clause->column, VECIDX_SET_CONTAINS, argument);
			break;
		case F_JSONB_CONTAINED:
			mask_all(clause->column, VECIDX_SET_CONTAINED, argument);
			break;
		case F_JSONB_EXISTS:
			mask_key(argument);
			break;
		case F_JSONB_EXISTS_ANY:
			argument->mode = VECIDX_SET_OVERLAPS;
			mask_elements(TEXTOID, InvalidOid, true, argument);
			break;
		case F_JSONB_EXISTS_ALL:
			argument->mode = VECIDX_SET_CONTAINS;
			mask_elements(TEXTOID, InvalidOid, true, argument);
			break;
		default:
			break;
	}
}

static bool
make_set(const Clause *clause, VecIdxTest *test)
{
	if (clause->column->form != VECIDX_FORM_SET || !clause->key->sk_func.fn_strict)
		return false;
	test->kind = VECIDX_TEST_SET;
	for (int i = 0; i < test->arguments; i++)
	{
		VecIdxArgument *argument = &test->argument[i];

		if (OidIsValid(clause->column->element))
			mask_array(clause, argument);
		else
			mask_jsonb(clause, argument);
		if (argument->mode == VECIDX_SET_UNKNOWN)
			test->kind = VECIDX_TEST_MAYBE;
	}
	return true;
}

/* Functions */

/* With how many bytes begins what a pattern of LIKE matches? */
static int
pattern_prefix(const char *pattern, int length)
{
	int			prefix = 0;

	while (prefix < length && pattern[prefix] != '%' && pattern[prefix] != '_' && pattern[prefix] != '\\')
		prefix++;
	return prefix;
}

static void
note_prefix(const Clause *clause, VecIdxArgument *argument)
{
	Oid			function = clause->key->sk_func.fn_oid;
	Oid			collation = clause->key->sk_collation;
	text	   *pattern;

	if ((function != F_TEXTLIKE && function != F_STARTS_WITH) ||
		!OidIsValid(collation) || !get_collation_isdeterministic(collation))
		return;
	pattern = DatumGetTextPP(argument->value);
	argument->prefix = VARSIZE_ANY_EXHDR(pattern);
	if (function == F_TEXTLIKE)
		argument->prefix = pattern_prefix(VARDATA_ANY(pattern), argument->prefix);
	argument->prefix = Min(argument->prefix, VECIDX_SHORT_PREFIX);
	memcpy(argument->stored + 1, VARDATA_ANY(pattern), argument->prefix);
}

static void
make_call(const Clause *clause, VecIdxTest *test)
{
	if (clause->null_argument)
	{
		test->kind = VECIDX_TEST_MAYBE;
		return;
	}
	test->kind = VECIDX_TEST_CALL;
	test->collation = clause->key->sk_collation;
	test->equality = is_hashed_equality(clause);
	test->memo = palloc0(VECIDX_MEMOS * sizeof(VecIdxMemo));
	fmgr_info_copy(&test->function, unconstify(FmgrInfo *, &clause->key->sk_func), CurrentMemoryContext);
	if (test->equality)
		store_arguments(clause, test);
	else if (clause->column->form == VECIDX_FORM_SHORT)
	{
		for (int i = 0; i < test->arguments; i++)
			note_prefix(clause, &test->argument[i]);
	}
}

/* Keys */

static VecIdxTest *
add_test(VecIdxPredicate *predicate, VecIdxTestKind kind, int column)
{
	VecIdxTest *test = &predicate->test[predicate->tests++];

	memset(test, 0, sizeof(VecIdxTest));
	test->kind = kind;
	test->column = column;
	return test;
}

static VecIdxTest *
find_test(VecIdxPredicate *predicate, VecIdxTestKind kind, int column)
{
	for (int i = 0; i < predicate->tests; i++)
	{
		if (predicate->test[i].kind == kind && predicate->test[i].column == column)
			return &predicate->test[i];
	}
	return NULL;
}

/* Another condition on a number narrows the one that there is. */
static void
join_numbers(VecIdxPredicate *predicate)
{
	VecIdxTest *added = &predicate->test[predicate->tests - 1];
	VecIdxTest *before = find_test(predicate, VECIDX_TEST_NUMBER, added->column);

	if (before != added)
	{
		before->intervals = vecidx_intervals_intersect(&before->intervals, &added->intervals);
		predicate->tests--;
		added = before;
	}
	if (added->intervals.count == 0)
		predicate->never = true;
}

static void
add_operator(VecIdxPredicate *predicate, Relation index, const ScanKeyData *key)
{
	int			column = key->sk_attno - 2;
	VecIdxTest *test;
	Clause		clause;

	read_clause(index, predicate->shape, key, &clause);
	if (clause.arguments == 0 && !clause.null_argument)
	{
		predicate->never = true;
		return;
	}
	if (key->sk_func.fn_strict && find_test(predicate, VECIDX_TEST_NOT_NULL, column) == NULL)
		add_test(predicate, VECIDX_TEST_NOT_NULL, column);
	test = add_test(predicate, VECIDX_TEST_MAYBE, column);
	test->arguments = clause.arguments;
	test->argument = palloc_extended(Max(clause.arguments, 1) * sizeof(VecIdxArgument), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < clause.arguments; i++)
		test->argument[i].value = clause.argument[i];
	if (make_number(&clause, test))
		join_numbers(predicate);
	else if (!make_set(&clause, test) && !make_bytes(&clause, test))
		make_call(&clause, test);
}

static void
add_key(VecIdxPredicate *predicate, Relation index, const ScanKeyData *key)
{
	if (key->sk_attno < 2)
	{
		/* a NULL has no place in the index */
		if (key->sk_flags & SK_SEARCHNULL)
			predicate->never = true;
		else if ((key->sk_flags & SK_SEARCHNOTNULL) == 0)
			elog(ERROR, "a vecidx index cannot be searched by a condition on its vectors");
	}
	else if (key->sk_flags & SK_SEARCHNULL)
		add_test(predicate, VECIDX_TEST_NULL, key->sk_attno - 2);
	else if (key->sk_flags & SK_SEARCHNOTNULL)
		add_test(predicate, VECIDX_TEST_NOT_NULL, key->sk_attno - 2);
	else
		add_operator(predicate, index, key);
}

/* What costs less, and the kinds whose verdicts do without calls, come first. */
static int
compare_tests(const void *a, const void *b)
{
	const VecIdxTest *x = a;
	const VecIdxTest *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->column - y->column;
}

static bool
is_certain(const VecIdxPredicate *predicate, const VecIdxTest *test)
{
	if (test->kind == VECIDX_TEST_SET || test->kind == VECIDX_TEST_MAYBE)
		return false;
	return (test->kind != VECIDX_TEST_BYTES && test->kind != VECIDX_TEST_CALL) ||
		predicate->shape->column[test->column].form == VECIDX_FORM_FIXED;
}

VecIdxPredicate *
vecidx_predicate_compile(Relation index, const VecIdxFilterShape *shape, const ScanKeyData *keys, int count)
{
	VecIdxPredicate *predicate = palloc0(sizeof(VecIdxPredicate));

	predicate->shape = shape;
	predicate->test = palloc((2 * count + 1) * sizeof(VecIdxTest));
	predicate->scratch = AllocSetContextCreate(CurrentMemoryContext, "vecidx predicate", ALLOCSET_SMALL_SIZES);
	for (int i = 0; i < count; i++)
		add_key(predicate, index, &keys[i]);
	qsort(predicate->test, predicate->tests, sizeof(VecIdxTest), compare_tests);
	predicate->certain = true;
	for (int i = 0; i < predicate->tests; i++)
	{
		predicate->certain &= is_certain(predicate, &predicate->test[i]);
		predicate->calling |= predicate->test[i].kind == VECIDX_TEST_CALL;
		predicate->numbers += predicate->test[i].kind == VECIDX_TEST_NUMBER;
	}
	return predicate;
}
