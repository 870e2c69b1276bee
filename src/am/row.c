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
				 errdetail("Index \"%s\" cannot hold or look for an empty one.", RelationGetRelationName(index))));
	if (expected > 0 && *dimensions != expected)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("vector has %d dimensions, but index \"%s\" has %d",
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
