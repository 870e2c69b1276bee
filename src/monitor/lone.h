/*
 * lone.h
 *	  Plans for which a table has one index, or none.
 */
#ifndef VECIDX_LONE_H
#define VECIDX_LONE_H

#include "postgres.h"

/* What plans made in this session see of a table's indexes. */
typedef struct VecIdxLone
{
	Oid			table;			/* invalid: all of every table */
	Oid			index;			/* of its indexes only this; invalid: none */
} VecIdxLone;

/* Sets what plans see from now on and returns what they saw before; the caller sets that again, also on error. */
extern VecIdxLone vecidx_lone_set(VecIdxLone lone);

extern void vecidx_lone_init(void);

#endif							/* VECIDX_LONE_H */
