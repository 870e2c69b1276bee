/*
 * former.h
 *	  The version of a row that an UPDATE replaces.
 */
#ifndef VECIDX_FORMER_H
#define VECIDX_FORMER_H

#include "nodes/execnodes.h"

/* Remembers a node that modifies tables as long as the memory of its execution lives. */
extern void vecidx_former_watch(const ModifyTableState *node, MemoryContext context);

/* The table whose rows go into this index, as the execution has it; NULL if it is not known. */
extern const ResultRelInfo *vecidx_former_table(const IndexInfo *info);

/*
 * The TID by which the index knows the version that the row at hand replaces;
 * false if there is none, or if it may differ in the vector.  Vectors are the
 * same only if they are so byte by byte as stored; of those stored out of line
 * the reference is compared, which stands for one value as long as either row
 * is there.
 */
extern bool vecidx_former_tid(const ResultRelInfo *table, const IndexInfo *info, Datum vector, ItemPointer tid);

#endif							/* VECIDX_FORMER_H */
