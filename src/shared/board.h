/*
 * board.h
 *	  Where sessions post, for each other, which slot a TID was put in.
 *
 * Keys are hashes of whatever is told; what is found may be old, or another's
 * with an equal key: a hint.  Where the board is full, the oldest posts go
 * first.  Nobody waits: a post is one word, written and read at once.
 */
#ifndef VECIDX_SHARED_BOARD_H
#define VECIDX_SHARED_BOARD_H

#include "postgres.h"

/*
 * To be called before the others, where no lightweight lock is held.  Where no
 * memory can be shared there is no board: nothing is posted and nothing found.
 */
extern void vecidx_board_open(void);

extern void vecidx_board_post(uint64 key, uint32 slot);

/* The slot last posted under the key; VECIDX_BOARD_NOTHING if there is none. */
extern uint32 vecidx_board_find(uint64 key);

extern void vecidx_board_drop(uint64 key);

/* Has the place of a key on its way into the processor's cache. */
extern void vecidx_board_prefetch(uint64 key);

#define VECIDX_BOARD_NOTHING	PG_UINT32_MAX

#endif							/* VECIDX_SHARED_BOARD_H */
