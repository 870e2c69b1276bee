/*
 * row.c
 *	  From datums to rows.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_attribute.h"
#include "fmgr.h"

#include "am/am.h"
#include "options.h"

const VecIdxType *
vecidx_row_type(Relation index)
{
	FmgrInfo   *support = index_getprocinfo(index, 1, VECIDX_TYPE_PROC);

	return (const VecIdxType *) DatumGetPointer(FunctionCall1(support, PointerGetDatum(NULL)));
}

static const char *
column_name(Relation index, int column)
{
	return NameStr(TupleDescAttr(RelationGetDescr(index), column)->attname);
}

static bool
is_vector(Relation index, int column)
{
	return OidIsValid(index_getprocid(index, column + 1, VECIDX_TYPE_PROC));
}

void
vecidx_row_check_columns(Relation index)
{
	if (!is_vector(index, 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("first column of vecidx index \"%s\" must be a vector", RelationGetRelationName(index)),
				 errdetail("The operator class of column \"%s\" is for filter columns, which follow the vector.",
						   column_name(index, 0)),
				 errhint("Put the vector first, with an operator class that tells its distance, such as real_l2_ops.")));
	for (int column = 1; column < IndexRelationGetNumberOfKeyAttributes(index); column++)
	{
		if (is_vector(index, column))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("vecidx index \"%s\" cannot have two vectors", RelationGetRelationName(index)),
					 errdetail("The operator class of column \"%s\" is for vectors.", column_name(index, column)),
					 errhint("Create an index for each vector.")));
	}
}

int
vecidx_row_declared_dimensions(Relation index)
{
	const VecIdxType *type = vecidx_row_type(index);
	int			declared = type->typmod_dimensions(TupleDescAttr(RelationGetDescr(index), 0)->atttypmod);
	int			option = vecidx_options_of(index).dimensions;

	if (declared > 0 && option > 0 && declared != option)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"dimensions\" of index \"%s\" is %d, but its column has %d dimensions",
						RelationGetRelationName(index), option, declared)));
	if (declared > VECIDX_MAX_DIMENSIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("column of index \"%s\" has %d dimensions, but a vecidx index cannot have more than %d",
						RelationGetRelationName(index), declared, VECIDX_MAX_DIMENSIONS)));
	return Max(Max(declared, option), 0);
}

float *
vecidx_row_decode(Relation index, const VecIdxDecoder *decoder, VecIdxMetric metric,
				  Datum value, int expected, int *dimensions)
{
	Datum		flat = PointerGetDatum(PG_DETOAST_DATUM(value));
	float	   *row;

	*dimensions = decoder->dimensions(flat);
	if (*dimensions == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("vector must have at least 1 dimension"),
				 index->rd_rel->relkind != RELKIND_INDEX ? 0 :
				 errdetail("Index \"%s\" cannot hold or look for an empty one.", RelationGetRelationName(index))));
	if (expected > 0 && *dimensions != expected)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 index->rd_rel->relkind == RELKIND_INDEX ?
				 errmsg("vector has %d dimensions, but index \"%s\" has %d",
						*dimensions, RelationGetRelationName(index), expected) :
				 errmsg("vector has %d dimensions, but others of table \"%s\" have %d",
						*dimensions, RelationGetRelationName(index), expected)));
	row = palloc(*dimensions * sizeof(float));
	decoder->decode(flat, row);
	vecidx_type_check_finite(row, *dimensions);
	if (metric == VECIDX_COSINE && !vecidx_quant_unit(row, *dimensions))
	{
		pfree(row);
		row = NULL;
	}
	if (DatumGetPointer(flat) != DatumGetPointer(value))
		pfree(DatumGetPointer(flat));
	return row;
}
