/*
 * peek.c
 *	  Unpinned reads.
 */
#include "postgres.h"

#include "page/peek.h"
#include "page/slot.h"

bool
vecidx_peek_copy(VecIdxHandle *handle, const VecIdxPeek *peek, VecIdxRunKind run, uint32 offset, void *copy)
{
	if (!vecidx_peek_valid(handle, peek))
		return false;
	memcpy(copy, peek->page + offset, handle->layout.run[run].size);
	if (!vecidx_peek_valid(handle, peek) || !vecidx_slot_sealed(&handle->layout, run, copy))
		return false;
	vecidx_visits.hit[VECIDX_VISIT_CODE + (run - VECIDX_RUN_CODE)]++;
	return true;
}

void
vecidx_peek_slot(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, void *copy)
{
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, run, slot, &offset);
	VecIdxPeek	peek = vecidx_peek(handle, block);

	Assert(handle->layout.run[run].span == 1);
	if (!vecidx_peek_copy(handle, &peek, run, offset, copy))
		vecidx_slot_read(handle, run, slot, copy);
}
