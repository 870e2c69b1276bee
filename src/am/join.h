/*
 * join.h
 *	  Lists of nodes, each put together of those that the node got in its cells.
 */
#ifndef VECIDX_JOIN_H
#define VECIDX_JOIN_H

#include "am/load.h"
#include "am/roll.h"

/* Lists of count nodes from id "first" on, in memory that the processes of a build share. */
typedef struct VecIdxJoined
{
	uint32		first;
	uint32		count;
	int			room;			/* of a list */
	char	   *lists;
} VecIdxJoined;

extern Size vecidx_joined_size(uint32 count, int room);
extern void vecidx_joined_clear(VecIdxJoined *joined);

/* Takes over the lists of another window, as far as they are in this one. */
extern void vecidx_joined_copy(VecIdxJoined *joined, const VecIdxJoined *from);

/*
 * Reads the lists of a cell's nodes, which are all in the window, in pieces:
 * of each node's, the nearest stay.  Any number of processes may do so.
 */
extern void vecidx_joined_read(VecIdxJoined *joined, VecIdxLoad *load, const VecIdxRoll *roll, int cell,
							   slock_t *locks, VecIdxDeal *deal);

/* A node's neighbours, nearest first: ids.  Returns how many. */
extern int	vecidx_joined_list(const VecIdxJoined *joined, uint32 id, const uint32 **ids);

#endif							/* VECIDX_JOIN_H */
