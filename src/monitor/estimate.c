/*
 * estimate.c
 *	  vecidx_estimate: what an index would be, before it is built.
 *
 * Draws the sample that the build would draw and lets the build's own
 * functions decide (am/plan.h).  Sizes follow from the layout, as if no two
 * rows had the same vector.  The time is that of a single process with all
 * pages in memory: what reading, encoding and comparing took for the sample's
 * rows, times the rows.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_opclass.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "am/am.h"
#include "am/plan.h"
#include "compat.h"
#include "graph/calibrate.h"
#include "kernel/kernel.h"
#include "monitor/monitor.h"
#include "page/layout.h"

PG_FUNCTION_INFO_V1(vecidx_estimate);

/* A graph's ids stay below that (am/build.c). */
#define ROWS_MOST			(VECIDX_NONE / 4)

/* Neighbours by whose recall the build calibrates a search for ten rows. */
#define CALIBRATE_K			10

/*
 * What a build does for each row beside reading and encoding it takes about as
 * long as so many products of sketches (some 4,000 are made in leaves, up to
 * 1,000 with leaders; keeping the nearest, pruning and writing are the rest),
 * and a product with each query that it will calibrate with.  Calibrating and
 * inserting the queries takes about as long as so many for each of them.
 * Fitted to builds of three real sets, whose times the result is within a
 * third of on a machine that does nothing else.
 */
#define PAIRS_A_ROW			24000.0
#define PAIRS_A_QUERY		4.5e5

/* Sketches and rows that are multiplied with each other to see how long that takes; the fastest of several rounds counts. */
#define TIMED_SKETCHES		256
#define TIMED_ROWS			16
#define TIMED_COLUMNS		64
#define TIMED_ROUNDS		16

typedef struct Estimate
{
	/* asked for */
	Relation	table;
	AttrNumber	column;
	HeapTuple	class;			/* operator class */
	const VecIdxType *type;
	VecIdxOptions options;

	/* found */
	VecIdxTableSample sample;
	VecIdxMetaFixed fixed;
	float	   *centroid;
	VecIdxSketcher *sketcher;
	double		read_seconds;	/* a row; likewise: */
	double		encode_seconds;
	double		pair_seconds;	/* a product of two sketches */
	double		query_seconds;	/* a product of a row and a query */
} Estimate;

/* The operator class. */

static const VecIdxType *
class_type(Form_pg_opclass class)
{
	Oid			function = get_opfamily_proc(class->opcfamily, class->opcintype, class->opcintype, VECIDX_TYPE_PROC);

	return OidIsValid(function) ? (const VecIdxType *) DatumGetPointer(OidFunctionCall1(function, PointerGetDatum(NULL))) : NULL;
}

/* The class for a type that goes by Euclidean distance, or for bits by the distance that they have. */
static Oid
plain_class(Oid method, Oid type)
{
	CatCList   *list = SearchSysCacheList1(CLAAMNAMENSP, ObjectIdGetDatum(method));
	Oid			found = InvalidOid;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_opclass class = (Form_pg_opclass) GETSTRUCT(&list->members[i]->tuple);
		const VecIdxType *seen = class->opcintype == type ? class_type(class) : NULL;

		if (seen != NULL && (seen->metric == VECIDX_L2 || seen->metric == VECIDX_HAMMING))
			found = class->oid;
	}
	ReleaseSysCacheList(list);
	return found;
}

/* Finds the operator class, by name or by the column's type. */
static void
choose_class(Estimate *estimate, const char *name)
{
	Form_pg_attribute column = TupleDescAttr(RelationGetDescr(estimate->table), estimate->column - 1);
	Oid			type = getBaseType(column->atttypid);
	Oid			method = get_index_am_oid("vecidx", false);
	Oid			class = name == NULL ? plain_class(method, type) : get_opclass_oid(method, VecIdxNameList(name), true);

	if (OidIsValid(class))
	{
		estimate->class = SearchSysCache1(CLAOID, ObjectIdGetDatum(class));
		estimate->type = class_type((Form_pg_opclass) GETSTRUCT(estimate->class));
	}
	if (estimate->type == NULL && name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("vecidx has no operator class \"%s\" for vectors", name),
				 errhint("Name one that tells a distance, such as real_l2_ops or real_cosine_ops.")));
	if (estimate->type == NULL ||
		!IsBinaryCoercible(type, ((Form_pg_opclass) GETSTRUCT(estimate->class))->opcintype))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 name == NULL ?
				 errmsg("vecidx has no operator class for vectors of type %s", format_type_be(column->atttypid)) :
				 errmsg("operator class \"%s\" does not accept type %s", name, format_type_be(column->atttypid))));
}

/* The options. */

static char *
strip_spaces(const char *text)
{
	char	   *stripped = palloc(strlen(text) + 1);
	char	   *end = stripped;

	for (; *text != '\0'; text++)
	{
		if (!isspace((unsigned char) *text))
			*end++ = *text;
	}
	*end = '\0';
	return stripped;
}

/* As they stand in CREATE INDEX between the parentheses: "m = 16, quantizer = auto". */
static VecIdxOptions
parse_options(const char *text)
{
	ArrayBuildState *pairs = NULL;
	char	   *rest = strip_spaces(text);
	char	   *pair;

	while ((pair = strsep(&rest, ",")) != NULL)
	{
		if (*pair == '\0')
			continue;
		if (strchr(pair, '=') == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" has no value", pair),
					 errhint("Write options as CREATE INDEX has them: \"m = 16, quantizer = rabitq2\".")));
		pairs = accumArrayResult(pairs, CStringGetTextDatum(pair), false, TEXTOID, CurrentMemoryContext);
	}
	return *(VecIdxOptions *) vecidx_options_parse(pairs == NULL ? (Datum) 0 :
												   makeArrayResult(pairs, CurrentMemoryContext), true);
}

static void
check_options(const VecIdxOptions *options)
{
	if (options->ef_construction < options->m)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ef_construction (%d) must not be less than m (%d)", options->ef_construction, options->m)));
}

/* The sample, and how long it took. */

static double
seconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_DOUBLE(now);
}

static void
draw_sample(Estimate *estimate)
{
	IndexInfo  *info = makeNode(IndexInfo);
	VecIdxSampleSource source = {estimate->table, estimate->table, info, estimate->type, NULL};
	int			declared = estimate->type->typmod_dimensions(TupleDescAttr(RelationGetDescr(estimate->table),
																		  estimate->column - 1)->atttypmod);
	instr_time	start;

	info->ii_NumIndexAttrs = info->ii_NumIndexKeyAttrs = 1;
	info->ii_IndexAttrNumbers[0] = estimate->column;
	info->ii_Concurrent = true; /* the rows that a snapshot sees */
	source.row_context = AllocSetContextCreate(CurrentMemoryContext, "vecidx estimate row", ALLOCSET_DEFAULT_SIZES);
	estimate->sample.dimensions = Max(Max(declared, estimate->options.dimensions), 0);
	INSTR_TIME_SET_CURRENT(start);
	vecidx_sample_table(&source, &estimate->sample);
	if (estimate->sample.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no vectors to go by", RelationGetRelationName(estimate->table))));
	estimate->read_seconds = seconds_since(start) / estimate->sample.seen;
}

static void
time_encoding(Estimate *estimate)
{
	const VecIdxTableSample *sample = &estimate->sample;
	VecIdxQuantParams params = vecidx_layout_quant(&estimate->fixed);
	VecIdxQuantizer *quantizer = vecidx_quantizer_init(palloc(vecidx_quantizer_size(&params)), &params, estimate->centroid);
	void	   *scratch = palloc(vecidx_quant_scratch_size(&params));
	uint8	   *code = palloc(vecidx_quant_code_size(&params));
	uint8	   *vector = palloc(vecidx_quant_rerank_size(&params) + 1);
	VecIdxFactors factors;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < sample->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		vecidx_quant_encode(quantizer, sample->rows + (Size) i * sample->dimensions, scratch, code, &factors, vector);
	}
	estimate->encode_seconds = seconds_since(start) / sample->count;
}

/* Products of all sketches of a block with each other. */
static void
multiply_sketches(const int8 *sketches, const VecIdxSketchKey *keys, int width)
{
	uint8	   *rows = palloc((Size) TIMED_SKETCHES * width);
	const int8 *columns[TIMED_SKETCHES];
	int32		sums[TIMED_SKETCHES];
	int32		products[TIMED_ROWS * TIMED_COLUMNS];

	for (int i = 0; i < TIMED_SKETCHES; i++)
	{
		for (int k = 0; k < width; k++)
			rows[i * width + k] = (uint8) (sketches[i * width + k] + VECIDX_CROSS_LIFT);
		columns[i] = sketches + i * width;
		sums[i] = keys[i].sum;
	}
	for (int i = 0; i < TIMED_SKETCHES; i += TIMED_ROWS)
	{
		for (int j = 0; j < TIMED_SKETCHES; j += TIMED_COLUMNS)
		{
			VecIdxCross cross = {width, rows + i * width, columns + j, sums + j};

			vecidx_kernels()->cross(&cross, TIMED_ROWS, TIMED_COLUMNS, products, TIMED_COLUMNS);
		}
	}
	pfree(rows);
}

/* Sketches, and what their products take. */
static void
time_pairs(Estimate *estimate)
{
	const VecIdxTableSample *sample = &estimate->sample;
	int			width = estimate->sketcher->width;
	Size		room = Max(sample->count, TIMED_SKETCHES);
	int8	   *block = palloc0(room * width);
	VecIdxSketchKey *block_keys = palloc0(room * sizeof(VecIdxSketchKey));
	VecIdxSketchKey *keys;
	int8	   *sketches;
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	sketches = vecidx_plan_sketches(sample, estimate->sketcher, &keys);
	estimate->encode_seconds += seconds_since(start) / sample->count;
	memcpy(block, sketches, (Size) sample->count * width);
	memcpy(block_keys, keys, sample->count * sizeof(VecIdxSketchKey));
	estimate->pair_seconds = INFINITY;
	for (int round = 0; round < TIMED_ROUNDS; round++)
	{
		CHECK_FOR_INTERRUPTS();
		INSTR_TIME_SET_CURRENT(start);
		multiply_sketches(block, block_keys, width);
		estimate->pair_seconds = Min(estimate->pair_seconds, seconds_since(start) / TIMED_SKETCHES / TIMED_SKETCHES);
	}
	pfree(sketches);
	pfree(keys);
}

/* What products of rows with queries take. */
static void
time_queries(Estimate *estimate)
{
	int			dimensions = estimate->sample.dimensions;
	float	   *panel = palloc0((Size) dimensions * VECIDX_PANEL * sizeof(float));
	float	   *rows = palloc0((Size) dimensions * TIMED_ROWS * sizeof(float));
	float		products[TIMED_ROWS * VECIDX_PANEL];
	instr_time	start;

	estimate->query_seconds = INFINITY;
	for (int round = 0; round < TIMED_ROUNDS; round++)
	{
		INSTR_TIME_SET_CURRENT(start);
		for (int i = 0; i < TIMED_ROUNDS; i++)
			vecidx_kernels()->panel_f32(rows, TIMED_ROWS, panel, dimensions, products, VECIDX_PANEL);
		estimate->query_seconds = Min(estimate->query_seconds,
									  seconds_since(start) / (TIMED_ROUNDS * TIMED_ROWS * VECIDX_PANEL));
	}
	pfree(panel);
	pfree(rows);
}

static void
look_at_table(Estimate *estimate, double rows)
{
	VecIdxFilterShape nothing = {0};

	draw_sample(estimate);
	estimate->sample.total = rows > 0 ? rows : Max(estimate->sample.total, estimate->sample.count);
	vecidx_plan_fixed(&estimate->options, estimate->type->metric, &nothing, estimate->sample.dimensions, &estimate->fixed);
	estimate->centroid = vecidx_plan_centroid(&estimate->sample);
	if (estimate->options.quantizer == VECIDX_QUANTIZER_AUTO)
		vecidx_plan_bits(&estimate->sample, estimate->centroid, &estimate->fixed);
	estimate->sketcher = vecidx_plan_sketcher(&estimate->sample, estimate->type->metric);
	time_encoding(estimate);
	time_pairs(estimate);
	time_queries(estimate);
}

/* What follows. */

/* Bytes of the index; *hot becomes those that every search reads. */
static double
index_bytes(const Estimate *estimate, double *hot)
{
	VecIdxMetaFixed fixed = estimate->fixed;
	VecIdxLayout layout;
	double		pages = 1;

	fixed.base_capacity = (uint32) estimate->sample.total;
	fixed.base_upper = vecidx_layout_uppers(fixed.m, fixed.base_capacity);
	if (fixed.metric != VECIDX_HAMMING)
		pages += (fixed.dimensions + VECIDX_CENTROID_FLOATS - 1) / VECIDX_CENTROID_FLOATS;
	vecidx_layout_init(&layout, &fixed);
	*hot = (double) BLCKSZ * (vecidx_layout_run_pages(&layout, 0, VECIDX_RUN_CODE) +
							  vecidx_layout_run_pages(&layout, 0, VECIDX_RUN_ADJACENCY) +
							  vecidx_layout_run_pages(&layout, 0, VECIDX_RUN_UPPER));
	return BLCKSZ * (pages + vecidx_layout_extent_pages(&layout, 0));
}

static double
build_seconds(const Estimate *estimate)
{
	double		rows = estimate->sample.total;
	double		queries = rows < VECIDX_CALIBRATE_MIN_ROWS ? 0 : vecidx_plan_queries(rows);

	return rows * (estimate->read_seconds + estimate->encode_seconds + queries * estimate->query_seconds) +
		(rows * Min(PAIRS_A_ROW, rows) + queries * PAIRS_A_QUERY) * estimate->pair_seconds;
}

/*
 * What calibration aims at, so that other queries reach the target: the sample
 * has no say in it but by the number of rows.  Of small tables all rows are
 * looked at.
 */
static double
expected_recall(const Estimate *estimate, double target)
{
	double		rows = estimate->sample.total;

	if (rows <= VECIDX_CALIBRATE_MIN_ROWS)
		return 1;
	return vecidx_calibrate_aim(target, (double) vecidx_plan_queries(rows) * CALIBRATE_K);
}

static Datum
make_row(FunctionCallInfo fcinfo, const Estimate *estimate)
{
	double		target = vecidx_options_scan().target_recall;
	Form_pg_opclass class = (Form_pg_opclass) GETSTRUCT(estimate->class);
	VecIdxCells cells;
	double		hot;
	Datum		values[12];
	bool		nulls[12] = {false};
	TupleDesc	description;
	int			n = 0;

	if (get_call_result_type(fcinfo, NULL, &description) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[n++] = Int64GetDatum((int64) estimate->sample.total);
	values[n++] = Int32GetDatum(estimate->sample.dimensions);
	values[n++] = CStringGetTextDatum(NameStr(class->opcname));
	values[n++] = CStringGetTextDatum(vecidx_quantizer_name(&estimate->fixed));
	values[n++] = CStringGetTextDatum(vecidx_rerank_name(&estimate->fixed));
	values[n++] = Int64GetDatum((int64) index_bytes(estimate, &hot));
	values[n++] = Int64GetDatum((int64) hot);
	values[n++] = Int64GetDatum((int64) vecidx_plan_cells(&estimate->sample, estimate->sketcher, &estimate->fixed, &cells));
	values[n++] = Int32GetDatum(cells.count);
	values[n++] = Float8GetDatum(build_seconds(estimate));
	values[n++] = Float8GetDatum(target);
	values[n++] = Float8GetDatum(expected_recall(estimate, target));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description), values, nulls));
}

/* The table. */

static void
require_table(Relation table)
{
	char		kind = table->rd_rel->relkind;

	if (kind != RELKIND_RELATION && kind != RELKIND_MATVIEW)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table or materialized view", RelationGetRelationName(table)),
				 kind == RELKIND_PARTITIONED_TABLE ? errhint("Each partition has an index of its own: ask about these.") : 0));
	if (RELATION_IS_OTHER_TEMP(table))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary tables of other sessions")));
	if (RecoveryInProgress() && table->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("unlogged table \"%s\" has no contents during recovery", RelationGetRelationName(table))));
	vecidx_monitor_require_all_rows(table, "An estimate goes by a sample of all rows.");
}

static AttrNumber
find_column(Relation table, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(table), name);

	if (column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", name, RelationGetRelationName(table))));
	return column;
}

static void
require_rows(int64 rows)
{
	if (rows < 1 || rows > ROWS_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rows must be between 1 and %u, not " INT64_FORMAT, ROWS_MOST, rows)));
}

/* table, column, opclass, options, rows */
Datum
vecidx_estimate(PG_FUNCTION_ARGS)
{
	Estimate	estimate = {0};
	Datum		result;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(4))
		require_rows(PG_GETARG_INT64(4));
	if (get_rel_name(PG_GETARG_OID(0)) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table with OID %u does not exist", PG_GETARG_OID(0))));
	vecidx_monitor_check_reader(PG_GETARG_OID(0));
	estimate.table = relation_open(PG_GETARG_OID(0), AccessShareLock);
	require_table(estimate.table);
	estimate.column = find_column(estimate.table, NameStr(*PG_GETARG_NAME(1)));
	choose_class(&estimate, PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2)));
	estimate.options = parse_options(PG_ARGISNULL(3) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(3)));
	check_options(&estimate.options);
	look_at_table(&estimate, PG_ARGISNULL(4) ? 0 : (double) PG_GETARG_INT64(4));
	result = make_row(fcinfo, &estimate);
	ReleaseSysCache(estimate.class);
	relation_close(estimate.table, AccessShareLock);
	return result;
}
