/*
 * shape.c
 *	  How the values of an index's filter columns are stored.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "filter/encode.h"
#include "filter/shape.h"

static void
describe_column(Relation index, int c, VecIdxFilterColumn *column)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(index), c + 1);

	column->type = getBaseType(attribute->atttypid);
	column->element = get_element_type(column->type);
	if (OidIsValid(column->element))
		column->element = getBaseType(column->element);
	column->collation = index->rd_indcollation[c + 1];
	column->length = attribute->attlen;
	column->by_value = attribute->attbyval;
	if (OidIsValid(column->element) || column->type == JSONBOID)
		column->form = VECIDX_FORM_SET;
	else if (column->length > 0 && column->length <= VECIDX_SHORT_SIZE)
		column->form = VECIDX_FORM_FIXED;
	else
		column->form = VECIDX_FORM_SHORT;
}

static uint16
field_width(const VecIdxFilterShape *shape, int field)
{
	const VecIdxFilterColumn *column = &shape->column[field];

	if (field >= shape->columns)
		return 1;
	if (column->form == VECIDX_FORM_FIXED)
		return column->length;
	return column->form == VECIDX_FORM_SET ? VECIDX_SET_SIZE : VECIDX_SHORT_SIZE;
}

/* Fields by the largest power of two up to 8 that divides their width; those of the same in their order. */
static void
place_fields(VecIdxFilterShape *shape)
{
	for (int unit = 8; unit >= 1; unit /= 2)
	{
		for (int f = 0; f < shape->fields; f++)
		{
			VecIdxFilterField *field = &shape->field[f];

			if (field->width % unit != 0 || (unit < 8 && field->width % (unit * 2) == 0))
				continue;
			field->offset = shape->size;
			shape->size += field->width;
		}
	}
}

void
vecidx_filter_shape(Relation index, VecIdxFilterShape *shape)
{
	memset(shape, 0, sizeof(VecIdxFilterShape));
	shape->columns = IndexRelationGetNumberOfKeyAttributes(index) - 1;
	if (shape->columns == 0)
		return;
	shape->fields = shape->columns + (shape->columns + 7) / 8 + 1;
	for (int c = 0; c < shape->columns; c++)
		describe_column(index, c, &shape->column[c]);
	for (int f = 0; f < shape->fields; f++)
		shape->field[f].width = field_width(shape, f);
	place_fields(shape);
}

void
vecidx_filter_encode(const VecIdxFilterShape *shape, const Datum *values, const bool *isnull, uint8 *row)
{
	memset(row, 0, shape->size);
	for (int c = 0; c < shape->columns; c++)
	{
		if (isnull[c + 1])
			row[shape->field[VecIdxFilterNullField(shape, c)].offset] |= 1 << c % 8;
		else
			vecidx_filter_store(&shape->column[c], values[c + 1], row + shape->field[c].offset);
	}
}
