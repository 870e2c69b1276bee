/*
 * peek.c
 *	  Unpinned reads.
 */
#include "postgres.h"

#include "page/peek.h"
#include "page/slot.h"

void
vecidx_peek_slot(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, void *copy)
{
	const VecIdxRun *r = &handle->layout.run[run];
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, run, slot, &offset);
	VecIdxPeek	peek = vecidx_peek(handle, block);

	Assert(r->span == 1);
	if (vecidx_peek_valid(handle, &peek))
	{
		memcpy(copy, peek.page + offset, r->size);
		if (vecidx_peek_valid(handle, &peek) && vecidx_slot_sealed(&handle->layout, run, copy))
			return;
	}
	vecidx_slot_read(handle, run, slot, copy);
}
