/*
 * reconnect.h
 *	  Joins parts of a graph that vacuum has left apart.
 */
#ifndef VECIDX_RECONNECT_H
#define VECIDX_RECONNECT_H

#include "page/handle.h"

/*
 * Sees to it that the entry node leads to all live nodes on level 0.  No list
 * may name a tombstone, and no other vacuum may run; inserts and scans may.
 */
extern void vecidx_reconnect(VecIdxHandle *handle);

#endif							/* VECIDX_RECONNECT_H */
