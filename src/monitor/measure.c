/*
 * measure.c
 *	  Recall of an index in use.
 *
 * Each query is run in SQL with a plan that has to use the index, so that
 * settings, LIMIT and conditions count as for any user's query.  What it
 * should have found comes from one pass over the table for all queries, with
 * the same snapshot, the same conditions and the operator's own distances.
 * How long a query takes without an index a few of them tell.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "graph/truth.h"
#include "monitor/interval.h"
#include "monitor/lone.h"
#include "monitor/measure.h"

/* Strategies of operator classes: the distance of a vector, equality of a filter column. */
#define STRATEGY_DISTANCE	1
#define STRATEGY_EQUAL		3

/* Queries that are timed without an index. */
#define EXACT_TIMED			3

/* Rows fetched at once. */
#define FETCH_ROWS			256

typedef struct Asked
{
	Datum		value;
	ItemPointerData self;		/* invalid: no row of the table */
} Asked;

struct VecIdxMeasure
{
	/* fixed */
	const VecIdxTarget *target;
	VecIdxGuise guise;
	int			k;
	const char *table;			/* all of these are SQL */
	const char *vector;
	const char *predicate;		/* "true" unless the index is partial */

	/* the queries */
	Oid			type;
	bool		rows;			/* they are rows of the table */
	int			count;
	Asked	   *asked;
};

/* Of all queries: what they should find, nearest first. */
typedef struct Truth
{
	FmgrInfo	distance;
	int		   *counts;			/* of neighbours, for each query */
	double	   *distances;		/* k of each query */
} Truth;

/* Sums over the queries that have neighbours. */
typedef struct Sums
{
	double		recall;
	double		squares;		/* of recall */
	double		worst;
	int			queries;
	int			timed;			/* without an index */
	double		search_ms;
	double		exact_ms;
} Sums;

/* SQL. */

static const char *
column_text(Relation index, int column)
{
	return TextDatumGetCString(DirectFunctionCall3(pg_get_indexdef_ext, ObjectIdGetDatum(RelationGetRelid(index)),
												   Int32GetDatum(column + 1), BoolGetDatum(false)));
}

static const char *
predicate_text(const VecIdxTarget *target)
{
	List	   *predicate = RelationGetIndexPredicate(target->index);

	if (predicate == NIL)
		return "true";
	return deparse_expression((Node *) make_ands_explicit(predicate),
							  deparse_context_for(RelationGetRelationName(target->table), RelationGetRelid(target->table)),
							  false, false);
}

/* An operator of a column's operator class. */
static Oid
find_operator(Relation index, int column, int strategy, Oid right)
{
	Oid			input = index->rd_opcintype[column];
	Oid			operator = get_opfamily_member(index->rd_opfamily[column], input, right, strategy);

	if (!OidIsValid(operator))
		elog(ERROR, "index \"%s\" has no operator %d for types %u and %u", RelationGetRelationName(index), strategy, input, right);
	return operator;
}

/* Such as OPERATOR(public.<->). */
static const char *
operator_text(Oid operator)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	const char *text;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	text = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return text;
}

/* A condition on rows: those that are in the index and have $2 in a column (0: all of them). */
static const char *
condition_text(const VecIdxMeasure *measure, int column)
{
	Relation	index = measure->target->index;

	if (column == 0)
		return psprintf("(%s)", measure->predicate);
	return psprintf("(%s) AND (%s) %s $2", measure->predicate, column_text(index, column),
					operator_text(find_operator(index, column, STRATEGY_EQUAL, index->rd_opcintype[column])));
}

static Oid
distance_operator(const VecIdxMeasure *measure)
{
	return find_operator(measure->target->index, 0, STRATEGY_DISTANCE, measure->type);
}

/* The rows nearest to $1. */
static const char *
nearest_text(const VecIdxMeasure *measure, int column)
{
	const char *distance = psprintf("(%s) %s $1", measure->vector, operator_text(distance_operator(measure)));

	return psprintf("SELECT ctid, %s FROM ONLY %s WHERE %s ORDER BY %s LIMIT %d", distance, measure->table,
					condition_text(measure, column), distance, measure->rows ? measure->k + 1 : measure->k);
}

/* All rows; $1 is there for the number of parameters. */
static const char *
all_text(const VecIdxMeasure *measure, int column)
{
	return psprintf("SELECT ctid, %s FROM ONLY %s WHERE %s AND (%s) IS NOT NULL", measure->vector, measure->table,
					condition_text(measure, column), measure->vector);
}

/* Plans. */

/* What plans see of the table's indexes from now on: the measured one, or none. */
static void
show_index(const VecIdxMeasure *measure, bool show)
{
	VecIdxLone	lone = {RelationGetRelid(measure->target->table), show ? RelationGetRelid(measure->target->index) : InvalidOid};

	vecidx_lone_set(lone);
}

static SPIPlanPtr
prepare(const VecIdxMeasure *measure, const char *query, int column)
{
	Oid			types[2] = {measure->type, measure->target->index->rd_opcintype[column]};
	SPIPlanPtr	plan;

	if (column > 0)
		types[1] = get_atttype(RelationGetRelid(measure->target->index), column + 1);
	plan = SPI_prepare_cursor(query, column > 0 ? 2 : 1, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", query, SPI_result_code_string(SPI_result));
	return plan;
}

/* Does a plan read the index in order?  Makes the plan, so that no execution is timed with that. */
static bool
reads_index(SPIPlanPtr prepared, Oid index)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(prepared);
	const Plan *plan = cached == NULL ? NULL : linitial_node(PlannedStmt, cached->stmt_list)->planTree;
	bool		reads = false;

	for (; plan != NULL && !reads; plan = plan->lefttree)
		reads = IsA(plan, IndexScan) && ((const IndexScan *) plan)->indexid == index &&
			((const IndexScan *) plan)->indexorderby != NIL;
	if (cached != NULL)
		ReleaseCachedPlan(cached, NULL);
	return reads;
}

/* A plan of the query that reads the index. */
static SPIPlanPtr
prepare_search(const VecIdxMeasure *measure, int column)
{
	Relation	index = measure->target->index;
	SPIPlanPtr	plan;

	show_index(measure, true);
	plan = prepare(measure, nearest_text(measure, column), column);
	if (!reads_index(plan, RelationGetRelid(index)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("queries cannot use index \"%s\" yet", RelationGetRelationName(index)),
				 errdetail("It was built while rows were changed that older transactions may still see."),
				 errhint("Try again in a new transaction.")));
	return plan;
}

static ItemPointer
tid_of(Datum datum)
{
	return (ItemPointer) DatumGetPointer(datum);
}

/* The truth. */

/* Puts a distance where it belongs among the k nearest of a query. */
static void
offer(const VecIdxMeasure *measure, Truth *truth, int query, double distance)
{
	double	   *nearest = truth->distances + (Size) query * measure->k;
	int			at = truth->counts[query];

	if (at == measure->k && distance >= nearest[at - 1])
		return;
	if (at < measure->k)
		truth->counts[query]++;
	else
		at--;
	for (; at > 0 && nearest[at - 1] > distance; at--)
		nearest[at] = nearest[at - 1];
	nearest[at] = distance;
}

/* A row passes: how far is it from each query? */
static void
note_row(const VecIdxMeasure *measure, Truth *truth, ItemPointer tid, Datum value)
{
	Datum		vector = PointerGetDatum(PG_DETOAST_DATUM(value));

	for (int i = 0; i < measure->count; i++)
	{
		double		distance;

		if (ItemPointerEquals(tid, &measure->asked[i].self))
			continue;
		distance = DatumGetFloat8(FunctionCall2(&truth->distance, vector, measure->asked[i].value));
		if (!isnan(distance))
			offer(measure, truth, i, distance);
	}
}

static void
note_rows(const VecIdxMeasure *measure, Truth *truth, MemoryContext context)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		MemoryContext old = MemoryContextSwitchTo(context);
		bool		isnull;
		Datum		tid = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull);
		Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull);

		CHECK_FOR_INTERRUPTS();
		note_row(measure, truth, tid_of(tid), value);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
}

static void
find_truth(const VecIdxMeasure *measure, int column, Datum filter, Truth *truth)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx recall row", ALLOCSET_DEFAULT_SIZES);
	Datum		values[2] = {measure->asked[0].value, filter};
	SPIPlanPtr	plan;
	Portal		portal;

	fmgr_info(get_opcode(distance_operator(measure)), &truth->distance);
	truth->counts = palloc0(measure->count * sizeof(int));
	truth->distances = palloc_extended((Size) measure->count * measure->k * sizeof(double), MCXT_ALLOC_HUGE);
	show_index(measure, false);
	plan = prepare(measure, all_text(measure, column), column);
	portal = SPI_cursor_open(NULL, plan, values, NULL, true);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		note_rows(measure, truth, context);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
	MemoryContextDelete(context);
}

/* The searches. */

/* Notes the distances that a query returned, but for the query's own and for those of rows that have none; returns their number. */
static int
note_distances(const VecIdxMeasure *measure, Asked *asked, double *distances)
{
	int			count = 0;

	for (uint64 i = 0; i < SPI_processed && count < measure->k; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		tid = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull);
		Datum		distance = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull);

		if (isnull || isnan(DatumGetFloat8(distance)) || ItemPointerEquals(tid_of(tid), &asked->self))
			continue;
		distances[count++] = DatumGetFloat8(distance);
	}
	SPI_freetuptable(SPI_tuptable);
	return count;
}

/* Runs a plan; adds the milliseconds that it took. */
static int
run_plan(const VecIdxMeasure *measure, SPIPlanPtr plan, Asked *asked, Datum filter, double *distances, double *ms)
{
	Datum		values[2] = {asked->value, filter};
	instr_time	start;
	instr_time	end;

	INSTR_TIME_SET_CURRENT(start);
	if (SPI_execute_plan(plan, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run a query: %s", SPI_result_code_string(SPI_result));
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	*ms += INSTR_TIME_GET_MILLISEC(end);
	return note_distances(measure, asked, distances);
}

/* Share of the true neighbours that were found. */
static double
share_found(const double *found, int count, const double *truth, int true_count)
{
	return (double) vecidx_truth_right(found, count, truth[true_count - 1], true_count) / true_count;
}

static VecIdxRecall
summarize(const Sums *sums)
{
	VecIdxRecall result = {.queries = sums->queries};
	VecIdxInterval interval;

	if (sums->queries == 0)
		return result;
	interval = vecidx_interval(sums->queries, sums->recall, sums->squares);
	result.recall = interval.mean;
	result.low = interval.low;
	result.high = interval.high;
	result.worst = sums->worst;
	result.search_ms = sums->search_ms / sums->queries;
	result.exact_ms = sums->exact_ms / sums->timed;
	return result;
}

/* The first run of a search is not counted: it finds out what later ones know. */
static void
ask(const VecIdxMeasure *measure, SPIPlanPtr plan, const Truth *truth, int query, Datum filter, Sums *sums)
{
	Asked	   *asked = &measure->asked[query];
	double	   *found = palloc(measure->k * sizeof(double));
	double		ignored = 0;
	double		share;
	int			count;

	if (truth->counts[query] == 0)
		return;
	if (sums->queries++ == 0)
		(void) run_plan(measure, plan, asked, filter, found, &ignored);
	count = run_plan(measure, plan, asked, filter, found, &sums->search_ms);
	share = share_found(found, count, truth->distances + (Size) query * measure->k, truth->counts[query]);
	sums->recall += share;
	sums->squares += share * share;
	sums->worst = Min(sums->worst, share);
}

/* How long queries take without an index. */
static void
time_exact(const VecIdxMeasure *measure, int column, const Truth *truth, Datum filter, Sums *sums)
{
	double	   *found = palloc(measure->k * sizeof(double));
	SPIPlanPtr	plan;

	show_index(measure, false);
	plan = prepare(measure, nearest_text(measure, column), column);
	(void) reads_index(plan, InvalidOid);
	for (int i = 0; i < measure->count && sums->timed < EXACT_TIMED; i++)
	{
		if (truth->counts[i] == 0)
			continue;
		(void) run_plan(measure, plan, &measure->asked[i], filter, found, &sums->exact_ms);
		sums->timed++;
	}
	SPI_freeplan(plan);
}

static void
ask_all(const VecIdxMeasure *measure, int column, Datum filter, Sums *sums)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx recall query", ALLOCSET_DEFAULT_SIZES);
	Truth		truth;
	SPIPlanPtr	plan;

	find_truth(measure, column, filter, &truth);
	plan = prepare_search(measure, column);
	for (int i = 0; i < measure->count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(context);

		CHECK_FOR_INTERRUPTS();
		ask(measure, plan, &truth, i, filter, sums);
		MemoryContextSwitchTo(old);
		MemoryContextReset(context);
	}
	SPI_freeplan(plan);
	time_exact(measure, column, &truth, filter, sums);
	MemoryContextDelete(context);
}

VecIdxRecall
vecidx_measure_recall(VecIdxMeasure *measure, int column, const VecIdxClass *class)
{
	VecIdxLone	before = vecidx_lone_set((VecIdxLone) {InvalidOid, InvalidOid});
	Sums		sums = {.worst = 1};

	PG_TRY();
	{
		ask_all(measure, column, class != NULL ? class->value : (Datum) 0, &sums);
	}
	PG_FINALLY();
	{
		vecidx_lone_set(before);
	}
	PG_END_TRY();
	return summarize(&sums);
}

/* The queries. */

static void
execute(const char *query)
{
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\": %s", query, SPI_result_code_string(SPI_result));
}

int
vecidx_measure_draw(VecIdxMeasure *measure, int count)
{
	execute(psprintf("SELECT ctid, %s FROM ONLY %s WHERE (%s) AND (%s) IS NOT NULL "
					 "ORDER BY pg_catalog.hashtid(ctid), ctid LIMIT %d",
					 measure->vector, measure->table, measure->predicate, measure->vector, count));
	measure->type = measure->target->index->rd_opcintype[0];
	measure->rows = true;
	measure->count = (int) SPI_processed;
	measure->asked = palloc(Max(1, SPI_processed) * sizeof(Asked));
	for (int i = 0; i < measure->count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		tid = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull);

		measure->asked[i].self = *tid_of(tid);
		measure->asked[i].value = PointerGetDatum(PG_DETOAST_DATUM_COPY(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull)));
	}
	SPI_freetuptable(SPI_tuptable);
	return measure->count;
}

static void
take_query(void *state, Datum value, const VecIdxGiven *given pg_attribute_unused())
{
	VecIdxMeasure *measure = state;
	Asked	   *asked = &measure->asked[measure->count++];
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(measure->asked));

	ItemPointerSetInvalid(&asked->self);
	asked->value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	MemoryContextSwitchTo(old);
}

void
vecidx_measure_take(VecIdxMeasure *measure, const VecIdxGiven *given)
{
	measure->type = given->type;
	measure->rows = false;
	measure->count = 0;
	measure->asked = palloc(Max(1, Min(given->count, VECIDX_MEASURE_QUERIES_MOST)) * sizeof(Asked));
	vecidx_given_visit(given, VECIDX_MEASURE_QUERIES_MOST, take_query, measure);
}

int
vecidx_measure_classes(VecIdxMeasure *measure, int column, VecIdxClass *classes)
{
	int			count;

	execute(psprintf("SELECT value, pg_catalog.min(value::pg_catalog.text COLLATE pg_catalog.\"C\") "
					 "FROM (SELECT %s AS value FROM ONLY %s WHERE (%s) AND (%s) IS NOT NULL) AS rows "
					 "WHERE value IS NOT NULL GROUP BY value ORDER BY pg_catalog.count(*) DESC, 2 LIMIT %d",
					 column_text(measure->target->index, column), measure->table, measure->predicate, measure->vector,
					 VECIDX_MEASURE_CLASSES));
	count = (int) SPI_processed;
	for (int i = 0; i < count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		Form_pg_attribute attribute = TupleDescAttr(SPI_tuptable->tupdesc, 0);
		bool		isnull;

		classes[i].value = datumCopy(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull), attribute->attbyval, attribute->attlen);
		classes[i].text = SPI_getvalue(tuple, SPI_tuptable->tupdesc, 2);
	}
	SPI_freetuptable(SPI_tuptable);
	return count;
}

/* Begin and end. */

static void
set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

VecIdxMeasure *
vecidx_measure_begin(const VecIdxTarget *target, int k)
{
	VecIdxMeasure *measure;
	VecIdxGuise guise;

	vecidx_monitor_require_all_rows(target->table,
									"Recall is measured among all rows, by queries that run as the owner of the table.");
	vecidx_guise_take(&guise, target->table);
	SPI_connect();
	measure = palloc0(sizeof(VecIdxMeasure));
	measure->guise = guise;
	measure->target = target;
	measure->k = k;
	measure->vector = column_text(target->index, 0);
	measure->predicate = predicate_text(target);
	measure->table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(target->table)),
												RelationGetRelationName(target->table));
	set("enable_indexscan", "on");
	set("enable_seqscan", "off");
	set("enable_bitmapscan", "off");
	set("enable_sort", "off");
	set("jit", "off");			/* what is disabled seems to cost so much that it would pay */
	return measure;
}

void
vecidx_measure_end(VecIdxMeasure *measure)
{
	VecIdxGuise guise = measure->guise;

	SPI_finish();
	vecidx_guise_drop(&guise);
}
