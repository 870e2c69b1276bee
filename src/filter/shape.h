/*
 * shape.h
 *	  How the values of an index's filter columns are stored.
 *
 * Every node has a filter row: shape->size bytes, made of fields of fixed
 * width: one for each filter column, then as many bytes as null bits need,
 * then a byte of flags.  On a page that holds R rows, a field of all R lies
 * contiguous, from byte R * offset on; a row in memory is the case R = 1.
 * Fields whose width is a multiple of 8 come first, then those of 4, of 2 and
 * the rest, so that the arrays are aligned whatever R is, if a page's first
 * one is aligned to 8 bytes.
 *
 * A value is stored in one of three forms:
 *
 *		FIXED	the bytes of a type of at most 16 bytes, as they are in memory
 *		SHORT	16 bytes: the length and up to 15 bytes of the value; or a mark,
 *				the first 7 bytes and a hash of all of it
 *		SET		16 bytes: a signature (a Bloom filter of 128 bits) of the
 *				elements of an array, or of the keys, elements and pairs of a
 *				key and a scalar in a jsonb
 *
 * A NULL has its bit set and is stored as zeros.
 */
#ifndef VECIDX_FILTER_SHAPE_H
#define VECIDX_FILTER_SHAPE_H

#include "postgres.h"

#include "utils/relcache.h"

#define VECIDX_FILTER_COLUMNS	(INDEX_MAX_KEYS - 1)
#define VECIDX_FILTER_FIELDS	(VECIDX_FILTER_COLUMNS + (VECIDX_FILTER_COLUMNS + 7) / 8 + 1)

typedef enum VecIdxFilterForm
{
	VECIDX_FORM_FIXED,
	VECIDX_FORM_SHORT,
	VECIDX_FORM_SET
} VecIdxFilterForm;

#define VECIDX_SHORT_SIZE		16
#define VECIDX_SHORT_BYTES		(VECIDX_SHORT_SIZE - 1)	/* that a value stored whole may have */
#define VECIDX_SHORT_CUT		0x80	/* first byte of a value that is not whole */
#define VECIDX_SHORT_PREFIX		7		/* bytes kept of such a value, behind the first byte */
#define VECIDX_SHORT_HASH		8		/* where its hash is; 0: its type has none */

#define VECIDX_SET_SIZE			16

/* A part of the row; what is not a column is of single bytes. */
typedef struct VecIdxFilterField
{
	uint16		offset;
	uint16		width;
} VecIdxFilterField;

typedef struct VecIdxFilterColumn
{
	Oid			type;			/* of the index's column; under a domain, what it is based on */
	Oid			element;		/* of an array, likewise; else invalid */
	Oid			collation;
	int16		length;			/* of the type; -1: it varies */
	bool		by_value;
	VecIdxFilterForm form;
} VecIdxFilterColumn;

typedef struct VecIdxFilterShape
{
	int			columns;		/* 0: the index has no filter columns; all else is 0, too */
	int			size;			/* of a row */
	int			fields;
	VecIdxFilterField field[VECIDX_FILTER_FIELDS];	/* columns in their order, null bytes, flags */
	VecIdxFilterColumn column[VECIDX_FILTER_COLUMNS];
} VecIdxFilterShape;

/* Field of the null bit of a column (bit column % 8 of it), and of the flags. */
#define VecIdxFilterNullField(shape, c)	((shape)->columns + (c) / 8)
#define VecIdxFilterFlagField(shape)	((shape)->fields - 1)

/* Where a field of one of R rows is, from the first byte of the first field on. */
static inline uint32
vecidx_filter_place(const VecIdxFilterShape *shape, int field, uint32 rows, uint32 row)
{
	return rows * shape->field[field].offset + row * shape->field[field].width;
}

/* Filter column c is key column c + 1 of the index, counted from 0. */
extern void vecidx_filter_shape(Relation index, VecIdxFilterShape *shape);

/*
 * Encodes a row: values and isnull as aminsert gets them, the vector first.
 * All bytes of the row are set, flags to 0.  May call hash functions of the
 * columns' types.
 */
extern void vecidx_filter_encode(const VecIdxFilterShape *shape, const Datum *values, const bool *isnull, uint8 *row);

#endif							/* VECIDX_FILTER_SHAPE_H */
