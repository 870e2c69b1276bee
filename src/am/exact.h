/*
 * exact.h
 *	  Exact distances, from the rows themselves.
 */
#ifndef VECIDX_EXACT_H
#define VECIDX_EXACT_H

#include "access/relscan.h"

#include "am/am.h"

typedef struct VecIdxExact VecIdxExact;

/* For the scan's table, index and snapshot.  Lives in CurrentMemoryContext. */
extern VecIdxExact *vecidx_exact_create(IndexScanDesc scan, const VecIdxType *type, int dimensions);

/*
 * The exact order distance of the first of the rows that the scan's snapshot
 * can see (equal vectors share a node, so any will do) to a normalized query.
 * False if it can see none.
 */
extern bool vecidx_exact_distance(VecIdxExact *exact, const float *query, const ItemPointerData *tids, uint32 count, float *distance);

/* Gives back the pin on the table's page, until the next distance. */
extern void vecidx_exact_rest(VecIdxExact *exact);

/* Before its memory goes away. */
extern void vecidx_exact_free(VecIdxExact *exact);

#endif							/* VECIDX_EXACT_H */
