/*
 * limit.h
 *	  How many rows a scan will be asked for, where the plan tells.
 */
#ifndef VECIDX_LIMIT_H
#define VECIDX_LIMIT_H

#include "access/genam.h"
#include "nodes/execnodes.h"

/* A LIMIT, with its OFFSET, above this says nothing. */
#define VECIDX_LIMIT_MAX		1000000

/*
 * The number of rows that the Limit above this scan will read, -1 if none is
 * known.  To be asked when the scan has been told its keys and gives its
 * first row, after each rescan anew.  It is no promise: rows that the query
 * cannot see do not count, so that the scan must be able to go on.
 */
extern int64 vecidx_limit_find(IndexScanDesc scan);

/* The Limit above a scan by which its rows are bound, NULL if there is none. */
extern const LimitState *vecidx_limit_above(const IndexScanState *node);

/* Puts the executor hook in place. */
extern void vecidx_limit_init(void);

#endif							/* VECIDX_LIMIT_H */
