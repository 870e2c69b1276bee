/*
 * type.h
 *	  SQL types as rows of float4: how the access method reads a column.
 *
 * An operator class names its type through support function 1, whose SQL
 * function returns a pointer to a VecIdxType.  The access method never looks
 * at a type's name or OID.
 */
#ifndef VECIDX_TYPE_H
#define VECIDX_TYPE_H

#include "quant/quant.h"

/* Support function 1 of every vector operator class: (internal) returns internal, a const VecIdxType *. */
#define VECIDX_TYPE_PROC	1

/* Reads values of one SQL type.  Values are given detoasted, with a header of four bytes. */
typedef struct VecIdxDecoder
{
	const char *name;			/* of the type, for messages */
	/* dimensions of the value; 0 for an empty one; errors on a shape that is no vector */
	int			(*dimensions) (Datum value);
	/* writes dimensions(value) floats; errors on NULL elements and on values that float4 cannot hold */
	void		(*decode) (Datum value, float *row);
	/* the floats inside the value where decode would just copy them, else NULL; call dimensions first */
	const float *(*floats) (Datum value);
} VecIdxDecoder;

/* What an operator class says about its column. */
typedef struct VecIdxType
{
	VecIdxDecoder decoder;
	VecIdxMetric metric;
	/* dimensions that the type modifier fixes, or -1 */
	int			(*typmod_dimensions) (int32 typmod);
} VecIdxType;

/*
 * The decoder for the right-hand side of an ordering operator: arrays of
 * real, double precision, integer or numeric, whatever the column's type is.
 * NULL for any other type.
 */
extern const VecIdxDecoder *vecidx_type_array_decoder(Oid type);

/* Reads arrays of any of those types, by the element type that the value itself tells. */
extern const VecIdxDecoder vecidx_type_array;

/* pgvector's types. */
extern const VecIdxDecoder vecidx_type_vector;
extern const VecIdxDecoder vecidx_type_halfvec;

/* Errors if there are more than VECIDX_MAX_DIMENSIONS. */
extern void vecidx_type_check_limit(int dimensions);

/*
 * Errors unless all elements are finite, naming the first that is not.  The
 * decoders do not check that: whoever reads a row decides when.
 */
extern void vecidx_type_check_finite(const float *row, int dimensions);

#endif							/* VECIDX_TYPE_H */
