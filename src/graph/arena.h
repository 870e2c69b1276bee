/*
 * arena.h
 *	  The graph in memory while an index is built.
 *
 * Nodes have dense ids in order of arrival.  Lists are allowed half as many
 * neighbours again as the index keeps, so that pruning is not due at every
 * new link; vecidx_arena_finish prunes them all.
 */
#ifndef VECIDX_ARENA_H
#define VECIDX_ARENA_H

#include "storage/itemptr.h"

#include "graph/link.h"
#include "page/layout.h"

typedef struct VecIdxArena VecIdxArena;

/* A heap row of a node; rows of one node form a list. */
typedef struct VecIdxArenaTid
{
	ItemPointerData tid;
	uint32		next;			/* index, or none */
} VecIdxArenaTid;

/* All memory comes from a child of the current context; at most about budget bytes are used. */
extern VecIdxArena *vecidx_arena_create(const VecIdxQuantizer *quantizer, const VecIdxLayout *layout,
										int m, uint32 ef, Size budget);

/*
 * Adds a normalized row.  Returns its node, which is an older one if that has
 * the same vector; VECIDX_NONE when the memory is used up.
 */
extern uint32 vecidx_arena_add(VecIdxArena *arena, const float *row, ItemPointer tid);

/* Prunes all lists to what the index keeps. */
extern void vecidx_arena_finish(VecIdxArena *arena);

/* What the writer needs. */
extern uint32 vecidx_arena_nodes(const VecIdxArena *arena);
extern uint32 vecidx_arena_uppers(const VecIdxArena *arena);
extern uint32 vecidx_arena_entry(const VecIdxArena *arena, int *level);
extern const VecIdxCodeSlot *vecidx_arena_code(const VecIdxArena *arena, uint32 node);
extern const uint8 *vecidx_arena_vector(const VecIdxArena *arena, uint32 node);
extern int	vecidx_arena_level(const VecIdxArena *arena, uint32 node);
extern uint32 vecidx_arena_upper(const VecIdxArena *arena, uint32 node);
extern const VecIdxArenaTid *vecidx_arena_tids(const VecIdxArena *arena, uint32 node);
extern const VecIdxArenaTid *vecidx_arena_next_tid(const VecIdxArena *arena, const VecIdxArenaTid *tid);
extern int	vecidx_arena_neighbours(const VecIdxArena *arena, uint32 node, int level, const uint32 **neighbours);

extern void vecidx_arena_free(VecIdxArena *arena);

#endif							/* VECIDX_ARENA_H */
