/*
 * vecidx.h
 *	  Limits and defaults that every layer shares.
 */
#ifndef VECIDX_H
#define VECIDX_H

#define VECIDX_DEFAULT_M				16
#define VECIDX_MIN_M					2
#define VECIDX_MAX_M					100

#define VECIDX_DEFAULT_EF_CONSTRUCTION	64
#define VECIDX_MIN_EF_CONSTRUCTION		4
#define VECIDX_MAX_EF_CONSTRUCTION		1000

#define VECIDX_MAX_EF_SEARCH			100000

#define VECIDX_MAX_LEVEL				15

/* No node, no upper slot, no level: the value that stands for "none" on disk and in memory. */
#define VECIDX_NONE						((uint32) 0xFFFFFFFF)

#endif							/* VECIDX_H */
