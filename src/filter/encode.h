/*
 * encode.h
 *	  From values to their stored forms: what rows and predicates share.
 */
#ifndef VECIDX_FILTER_ENCODE_H
#define VECIDX_FILTER_ENCODE_H

#include "filter/shape.h"

/* The stored form of a value, in as many bytes as the column is wide. */
extern void vecidx_filter_store(const VecIdxFilterColumn *column, Datum value, uint8 *stored);

/* The value of a FIXED or SHORT column; false if it is not stored whole.  A value by reference is made in "room". */
#define VECIDX_FETCH_ROOM	(VARHDRSZ + NAMEDATALEN)
extern bool vecidx_filter_fetch(const VecIdxFilterColumn *column, const uint8 *stored, char *room, Datum *value);

/* Hash of a value by its type's default operator class, never 0; 0 if there is none. */
extern uint64 vecidx_filter_hash(Oid type, Oid collation, Datum value);

/*
 * Signatures.  A thing sets bits at two places; a set has the bits of all its
 * things.  One whose things have no hash has all bits set.
 */
typedef struct VecIdxSignature
{
	uint64		bits[2];
} VecIdxSignature;

StaticAssertDecl(sizeof(VecIdxSignature) == VECIDX_SET_SIZE, "a signature fills its field");

extern void vecidx_signature_add(VecIdxSignature *set, uint64 hash);

/* The things of an array or a jsonb. */
extern void vecidx_signature_array(Oid element, Oid collation, Datum array, VecIdxSignature *set);
extern void vecidx_signature_jsonb(Datum document, VecIdxSignature *set);

/* A string that is a key of a jsonb, or an element of an array there. */
extern uint64 vecidx_signature_string(const char *string, int length);

#endif							/* VECIDX_FILTER_ENCODE_H */
