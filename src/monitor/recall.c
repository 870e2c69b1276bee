/*
 * recall.c
 *	  vecidx_recall: how many of the true neighbours queries find, now.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "monitor/measure.h"

PG_FUNCTION_INFO_V1(vecidx_recall_by_rows);
PG_FUNCTION_INFO_V1(vecidx_recall_by_queries);

/* What the caller asks for. */
typedef struct Request
{
	Oid			index;
	int			k;
	int			sample;			/* rows as queries; not used if there are queries */
	ArrayType  *queries;		/* or NULL */
	const char *filter;			/* name of a filter column, or NULL */
} Request;

static void
require_range(const char *what, int value, int most)
{
	if (value >= 1 && value <= most)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be between 1 and %d, not %d", what, most, value)));
}

/* An argument that is a number. */
static int
number_argument(FunctionCallInfo fcinfo, int argument, const char *what, int most)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	require_range(what, PG_GETARG_INT32(argument), most);
	return PG_GETARG_INT32(argument);
}

/* What a key column of the index is called: as the table's column, if it is one. */
static const char *
column_name(Relation index, int column)
{
	AttrNumber	attribute = index->rd_index->indkey.values[column];

	if (attribute != InvalidAttrNumber)
		return get_attname(index->rd_index->indrelid, attribute, false);
	return NameStr(TupleDescAttr(RelationGetDescr(index), column)->attname);
}

/* The key column of that name behind the vector. */
static int
find_filter(Relation index, const char *name)
{
	for (int column = 1; column < IndexRelationGetNumberOfKeyAttributes(index); column++)
	{
		if (strcmp(column_name(index, column), name) == 0)
			return column;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("index \"%s\" has no filter column \"%s\"", RelationGetRelationName(index), name),
			 IndexRelationGetNumberOfKeyAttributes(index) > 1 ?
			 errhint("Its first filter column is \"%s\".", column_name(index, 1)) :
			 errhint("Filter columns are those behind the vector in CREATE INDEX.")));
}

static void
put_recall(ReturnSetInfo *result, const char *value, int k, const VecIdxRecall *recall)
{
	Datum		values[9];
	bool		nulls[9] = {false};
	int			n = 0;

	values[n++] = Int32GetDatum(k);
	nulls[n] = value == NULL;
	values[n++] = value != NULL ? CStringGetTextDatum(value) : (Datum) 0;
	values[n++] = Int32GetDatum(recall->queries);
	memset(nulls + n, recall->queries == 0, sizeof(nulls) - n);
	values[n++] = Float8GetDatum(recall->recall);
	values[n++] = Float8GetDatum(recall->low);
	values[n++] = Float8GetDatum(recall->high);
	values[n++] = Float8GetDatum(recall->worst);
	values[n++] = Float8GetDatum(recall->search_ms);
	values[n++] = Float8GetDatum(recall->exact_ms);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Before the measure begins, so that errors name types as the caller sees them. */
static VecIdxGiven
look_at_queries(const Request *request, Relation index)
{
	VecIdxGiven given = {0};

	if (request->queries == NULL)
		return given;
	given = vecidx_given_look(index, request->queries);
	if (given.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are no queries in the array")));
	return given;
}

static void
take_queries(VecIdxMeasure *measure, const Request *request, const VecIdxGiven *given, Relation index)
{
	if (request->queries != NULL)
		vecidx_measure_take(measure, given);
	else if (vecidx_measure_draw(measure, request->sample) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" has no rows to use as queries", RelationGetRelationName(index))));
}

static void
measure_recall(const Request *request, const VecIdxTarget *target, ReturnSetInfo *result)
{
	int			column = request->filter != NULL ? find_filter(target->index, request->filter) : 0;
	VecIdxGiven given = look_at_queries(request, target->index);
	VecIdxMeasure *measure = vecidx_measure_begin(target, request->k);
	VecIdxClass classes[VECIDX_MEASURE_CLASSES] = {{(Datum) 0, NULL}};
	int			count = 1;

	take_queries(measure, request, &given, target->index);
	if (column > 0)
		count = vecidx_measure_classes(measure, column, classes);
	for (int i = 0; i < count; i++)
	{
		VecIdxRecall recall = vecidx_measure_recall(measure, column, &classes[i]);

		put_recall(result, classes[i].text, request->k, &recall);
	}
	vecidx_measure_end(measure);
}

static Datum
answer(FunctionCallInfo fcinfo, const Request *request)
{
	Oid			table = vecidx_monitor_table(request->index);
	VecIdxTarget target;

	vecidx_monitor_check_reader(table);
	InitMaterializedSRF(fcinfo, 0);
	vecidx_monitor_open(&target, request->index, table, AccessShareLock);
	vecidx_monitor_require_valid(&target);
	measure_recall(request, &target, (ReturnSetInfo *) fcinfo->resultinfo);
	vecidx_monitor_close(&target);
	return (Datum) 0;
}

/* index, k, sample, filter_column */
Datum
vecidx_recall_by_rows(PG_FUNCTION_ARGS)
{
	Request		request = {0};

	if (PG_ARGISNULL(0))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	request.index = PG_GETARG_OID(0);
	request.k = number_argument(fcinfo, 1, "k", VECIDX_MEASURE_K_MOST);
	request.sample = number_argument(fcinfo, 2, "sample", VECIDX_MEASURE_QUERIES_MOST);
	request.filter = PG_ARGISNULL(3) ? NULL : NameStr(*PG_GETARG_NAME(3));
	return answer(fcinfo, &request);
}

/* index, queries, k, filter_column */
Datum
vecidx_recall_by_queries(PG_FUNCTION_ARGS)
{
	Request		request = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	request.index = PG_GETARG_OID(0);
	request.queries = PG_GETARG_ARRAYTYPE_P(1);
	request.k = number_argument(fcinfo, 2, "k", VECIDX_MEASURE_K_MOST);
	request.filter = PG_ARGISNULL(3) ? NULL : NameStr(*PG_GETARG_NAME(3));
	return answer(fcinfo, &request);
}
