/*
 * predicate.h
 *	  What a scan's keys say of filter rows: no, maybe or yes.
 *
 * Keys become tests, of which a row must pass all.  A test whose values are
 * numbers, bytes or signatures is a plain loop over an array; any other calls
 * the operator's function on the value rebuilt.  A value that is not stored
 * whole, or a signature, can only say no or maybe.
 */
#ifndef VECIDX_FILTER_PREDICATE_H
#define VECIDX_FILTER_PREDICATE_H

#include "postgres.h"

#include "access/skey.h"
#include "fmgr.h"

#include "filter/encode.h"
#include "filter/interval.h"
#include "filter/shape.h"

/* "And" of verdicts is that of their bits. */
#define VECIDX_NO		0
#define VECIDX_MAYBE	1
#define VECIDX_YES		0xFF

typedef enum VecIdxTestKind
{
	VECIDX_TEST_NUMBER,			/* a number in some intervals */
	VECIDX_TEST_NULL,			/* IS NULL */
	VECIDX_TEST_NOT_NULL,
	VECIDX_TEST_BYTES,			/* 16 bytes, one of several */
	VECIDX_TEST_SET,			/* a signature */
	VECIDX_TEST_CALL,			/* the operator's function */
	VECIDX_TEST_MAYBE			/* nothing can be said */
} VecIdxTestKind;

/* What a signature is compared with. */
typedef enum VecIdxSetMode
{
	VECIDX_SET_UNKNOWN,
	VECIDX_SET_CONTAINS,		/* has all of the masks' bits */
	VECIDX_SET_OVERLAPS,		/* has all bits of one of the masks */
	VECIDX_SET_CONTAINED,		/* has no bit besides those of the mask */
	VECIDX_SET_EQUALS
} VecIdxSetMode;

/* One of the right-hand sides of a test: one of the elements of = ANY, or the only one. */
typedef struct VecIdxArgument
{
	Datum		value;
	uint8		stored[VECIDX_SHORT_SIZE];	/* of an equality: the value's stored form */
	int			prefix;			/* bytes with which what passes begins: the first of "stored", from its second on */
	VecIdxSetMode mode;
	int			masks;
	VecIdxSignature *mask;
} VecIdxArgument;

/* A verdict already given. */
typedef struct VecIdxMemo
{
	uint8		stored[VECIDX_SHORT_SIZE];
	uint8		verdict;
	bool		used;
} VecIdxMemo;

#define VECIDX_MEMOS	512		/* that a test has room for: a power of two */

typedef struct VecIdxTest
{
	VecIdxTestKind kind;
	int			column;
	int			arguments;
	VecIdxArgument *argument;

	/* NUMBER */
	const VecIdxNumber *number;
	VecIdxIntervals intervals;

	/* CALL */
	FmgrInfo	function;
	Oid			collation;
	bool		equality;		/* hashes of equal values are equal */
	VecIdxMemo *memo;
} VecIdxTest;

typedef struct VecIdxPredicate
{
	const VecIdxFilterShape *shape;
	bool		never;			/* no row can pass */
	bool		certain;		/* no verdict is "maybe" */
	bool		calling;		/* some tests call functions */
	int			tests;
	VecIdxTest *test;			/* the cheapest first, those of a kind together */
	int			numbers;		/* tests of numbers, the first ones */
	MemoryContext scratch;		/* of operators' functions */
	uint32		calls;
} VecIdxPredicate;

/*
 * Compiles keys, which must live as long as the predicate does.  That is made
 * in the current memory context.
 */
extern VecIdxPredicate *vecidx_predicate_compile(Relation index, const VecIdxFilterShape *shape, const ScanKeyData *keys, int count);

/* A number that nearly all stored values of 16 bytes have for themselves; its highest bits are the best mixed. */
static inline uint64
vecidx_stored_hash(const uint8 *stored)
{
	uint64		half[2];

	memcpy(half, stored, sizeof(half));
	return (half[0] ^ (half[1] << 23 | half[1] >> 41)) * UINT64CONST(0x9E3779B97F4A7C15);
}

/* The column that is looked at first. */
static inline int
vecidx_predicate_field(const VecIdxPredicate *predicate)
{
	return predicate->tests > 0 ? predicate->test[0].column : 0;
}

/* The verdict on one of "rows" rows; fields is where their first field begins. */
extern uint8 vecidx_predicate_row(VecIdxPredicate *predicate, const uint8 *fields, uint32 rows, uint32 row);

/*
 * The verdicts on "count" of them from "first" on.  No page may be locked if the
 * predicate is a calling one.
 */
extern void vecidx_predicate_rows(VecIdxPredicate *predicate, const uint8 *fields, uint32 rows, uint32 first, uint32 count,
								  uint8 *verdicts);

#endif							/* VECIDX_FILTER_PREDICATE_H */
