/*
 * given.c
 *	  Queries that the user gives, as an array.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "am/am.h"
#include "monitor/monitor.h"

/* Finds the type and decoder of what one query of the array is; false for what cannot be one. */
static bool
find_decoder(Relation index, VecIdxGiven *given)
{
	Oid			element = ARR_ELEMTYPE(given->array);
	Oid			input = index->rd_opcintype[0];

	if (vecidx_type_array_decoder(input) != NULL)
	{
		given->type = get_array_type(element);
		given->decoder = vecidx_type_array_decoder(given->type);
	}
	else if (getBaseType(element) == input)
	{
		given->type = input;
		given->decoder = &vecidx_row_type(index)->decoder;
	}
	return given->decoder != NULL;
}

pg_noreturn static void
report_type(Relation index, const ArrayType *array)
{
	Oid			input = index->rd_opcintype[0];
	Oid			wanted = get_element_type(input);

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("array of %s holds no queries for index \"%s\", which is on %s",
					format_type_be(ARR_ELEMTYPE(array)), RelationGetRelationName(index), format_type_be(input)),
			 OidIsValid(wanted) ?
			 errhint("Pass a two-dimensional array of %s, such as array_agg() over a column of type %s makes.",
					 format_type_be(wanted), format_type_be(input)) :
			 errhint("Pass an array of %s, such as array_agg() over a column of that type makes.",
					 format_type_be(input))));
}

VecIdxGiven
vecidx_given_look(Relation index, ArrayType *array)
{
	VecIdxGiven given = {.array = array};

	if (!find_decoder(index, &given))
		report_type(index, array);
	if (OidIsValid(get_element_type(index->rd_opcintype[0])))
		given.slice = 1;
	given.count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (given.slice > 0 && given.count > 0)
	{
		if (ARR_NDIM(array) != 2)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("queries must be a two-dimensional array, with one query in each row"),
					 errdetail("The array has %d dimensions.", ARR_NDIM(array))));
		given.count = ARR_DIMS(array)[0];
	}
	return given;
}

static void
tell_query(void *position)
{
	errcontext("query %d of those given", *(const int *) position);
}

static void
require_value(bool isnull, int position)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("queries must not contain nulls"),
				 errdetail("Query %d is null.", position)));
}

void
vecidx_given_visit(const VecIdxGiven *given, int most, VecIdxGivenVisitor visit, void *state)
{
	int			wanted = Min(given->count, most);
	ArrayIterator iterator = array_create_iterator(given->array, given->slice, NULL);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx given query", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ErrorContextCallback teller;
	Datum		value;
	bool		isnull;
	int			position = 0;
	int			taken = 0;

	teller.callback = tell_query;
	teller.arg = &position;
	teller.previous = error_context_stack;
	error_context_stack = &teller;
	while (array_iterate(iterator, &value, &isnull))
	{
		CHECK_FOR_INTERRUPTS();
		if (position++ == (int64) taken * given->count / wanted)
		{
			require_value(isnull, position);
			(*visit) (state, value, given);
			taken++;
		}
		MemoryContextReset(context);
	}
	error_context_stack = teller.previous;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
