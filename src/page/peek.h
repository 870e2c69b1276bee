/*
 * peek.h
 *	  Unpinned reads: the reads that steer.
 *
 * A peek looks at a page where the backend last saw it, without pin or lock.
 *
 * Codes are used as they stand: they only choose where a search goes next.  A
 * code slot's mark says which node of which index it belongs to; if it is
 * right, the worst that can have happened is that the slot is being rewritten
 * for another node.  All other slots are copied.  Before and after, the reader
 * checks that the buffer still holds that block of that relation and that its
 * contents are valid; then the copy's checksum is verified, which also finds
 * what was torn because the page changed meanwhile.
 *
 * When a check fails, or the backend has not seen the block yet, the caller
 * reads with a pin.  Unpinned visits do not raise a buffer's usage count, so
 * some visits go the pinned way on purpose (VECIDX_TOUCH).
 */
#ifndef VECIDX_PEEK_H
#define VECIDX_PEEK_H

#include "compat.h"
#include "page/handle.h"

typedef struct VecIdxPeek
{
	const char *page;			/* address of the buffer's page, or NULL: not known */
	BufferDesc *buffer;
	BlockNumber block;
} VecIdxPeek;

/* Where the block was last seen.  Does not touch the page or the buffer header. */
static inline VecIdxPeek
vecidx_peek(VecIdxHandle *handle, BlockNumber block)
{
	VecIdxPeek	peek = {NULL, NULL, block};

	if (likely(handle->access == VECIDX_ACCESS_UNPINNED && block < handle->mapped &&
			   handle->map[block] != InvalidBuffer && !vecidx_handle_touches(handle)))
	{
		Buffer		buffer = handle->map[block];

		peek.buffer = GetBufferDescriptor(buffer - 1);
		peek.page = (const char *) BufferGetBlock(buffer);
	}
	return peek;
}

/* The same for a block that will be read: if it is not known where it is, finds out, or has it read in the background. */
static inline VecIdxPeek
vecidx_peek_wanted(VecIdxHandle *handle, BlockNumber block)
{
	VecIdxPeek	peek = vecidx_peek(handle, block);

	if (likely(peek.page != NULL) || vecidx_handle_knows(handle, block))
		return peek;
	vecidx_handle_announce(handle, block);
	return vecidx_peek(handle, block);
}

/* Does the buffer hold the block now?  Call before and after reading; both must say yes. */
static inline bool
vecidx_peek_valid(VecIdxHandle *handle, const VecIdxPeek *peek)
{
	BufferTag	tag;
	uint32		state;

	if (unlikely(peek->page == NULL))
		return false;
	pg_read_barrier();
	VecIdxInitBufferTag(&tag, VecIdxRelationLocator(handle->index), peek->block);
	state = pg_atomic_read_u32(&peek->buffer->state);
	if (unlikely((state & (BM_VALID | BM_TAG_VALID)) != (BM_VALID | BM_TAG_VALID) ||
				 !VecIdxBufferTagEquals(&peek->buffer->tag, &tag)))
		return false;
	pg_read_barrier();
	return true;
}

/* Copies a slot from where the peek says; false unless the copy is whole: the page still there, the checksum right. */
extern bool vecidx_peek_copy(VecIdxHandle *handle, const VecIdxPeek *peek, VecIdxRunKind run, uint32 offset, void *copy);

/*
 * Copies a slot the cheap way: unpinned if that can be done and the copy's
 * checksum is right, else with pin and share lock.  Errors when the slot is
 * damaged.
 */
extern void vecidx_peek_slot(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, void *copy);

/* Has a slot on its way into the processor's cache. */
static inline void
vecidx_peek_prefetch_slot(const VecIdxPeek *peek, uint32 offset, uint32 size)
{
	const char *slot = peek->page + offset;

	for (uint32 at = 0; at < size; at += 64)
		__builtin_prefetch(slot + at);
	__builtin_prefetch(slot + size - 1);
}

/* Likewise for a page that will be pinned, locked and checked. */
static inline void
vecidx_peek_prefetch_page(const VecIdxPeek *peek)
{
	__builtin_prefetch(peek->page);
	__builtin_prefetch(peek->page + BLCKSZ - sizeof(VecIdxPageTail));
}

/* The same for a slot that will be copied: what is needed to check the buffer comes, too. */
static inline void
vecidx_peek_prefetch(const VecIdxPeek *peek, uint32 offset, uint32 size)
{
	__builtin_prefetch(peek->buffer);
	vecidx_peek_prefetch_slot(peek, offset, size);
}

#endif							/* VECIDX_PEEK_H */
