/*
 * number.h
 *	  Which upper slots and which extensions the nodes of a build get.
 */
#ifndef VECIDX_NUMBER_H
#define VECIDX_NUMBER_H

#include "am/roll.h"
#include "graph/levels.h"

/* In memory that the processes of a build share. */
typedef struct VecIdxNumbers
{
	/* at the start of the memory */
	struct VecIdxNumbered
	{
		uint32		nodes;
		uint32		capacity;	/* nodes and extensions: these have the ids behind */
		uint32		tall;		/* nodes that stand on upper levels */
		uint32		uppers;		/* upper slots */
	}		   *numbered;

	uint32	   *tall_ids;		/* ids of tall nodes, ascending */
	uint32	   *tall_points;	/* and their points in levels */
	uint32	   *tall_uppers;	/* and their upper slots of level 1 */
	uint32	   *upper_points;	/* upper slot -> point in levels */
	uint32	   *extension_owner;	/* extension, from 0 -> id of the node; ascending */
	uint32	   *extension_row;	/* and its first row */
} VecIdxNumbers;

/* Counts; then so much memory is wanted, into which "fill" writes. */
extern struct VecIdxNumbered vecidx_numbers_count(const VecIdxRoll *roll, const VecIdxLevels *levels, int m);
extern Size vecidx_numbers_size(const struct VecIdxNumbered *numbered);
extern void vecidx_numbers_fill(VecIdxNumbers *numbers, const VecIdxRoll *roll, const VecIdxLevels *levels, int m);

/* Sets up a process's view; numbered has been set. */
extern void vecidx_numbers_map(VecIdxNumbers *numbers, void *memory);

/* The place of a node among the tall ones, or none. */
extern uint32 vecidx_numbers_tall(const VecIdxNumbers *numbers, uint32 id);

/* The id of a node's first extension, or none. */
extern uint32 vecidx_numbers_extension(const VecIdxNumbers *numbers, uint32 id);

/*
 * Rows of a node that go into a slot with room for so many TIDs, from *row on;
 * that becomes the one behind them, or none.
 */
extern uint32 vecidx_numbers_slot(const VecIdxRoll *roll, uint32 *row, uint32 room);

#endif							/* VECIDX_NUMBER_H */
