/*
 * slot.c
 *	  Slots read and written under pin and lock.
 */
#include "postgres.h"

#include "page/slot.h"

uint16
vecidx_error_pack(float error)
{
	union
	{
		uint32		i;
		float		f;
	}			u;

	u.f = error;
	if (u.i >= 0x7F7F0000)		/* largest finite value, and infinity */
		return 0x7F7F;
	return (uint16) ((u.i + 0xFFFF) >> 16);
}

/* Checksum of a code slot: all but check itself, folded to a byte. */
static uint8
code_check(const VecIdxCodeSlot *slot, Size size)
{
	uint32		head = vecidx_crc(slot, offsetof(VecIdxCodeSlot, check));
	uint32		bits = vecidx_crc(slot + 1, size - sizeof(VecIdxCodeSlot));
	uint32		both = head ^ (bits << 1 | bits >> 31);

	both ^= both >> 16;
	return (uint8) (both ^ (both >> 8));
}

/* All kinds but the code slot begin with the CRC of what follows it. */
static uint32
slot_crc(const void *slot, Size size)
{
	return vecidx_crc((const char *) slot + sizeof(uint32), size - sizeof(uint32));
}

void
vecidx_slot_seal(const VecIdxLayout *layout, VecIdxRunKind run, void *slot)
{
	Size		size = layout->run[run].size;

	if (run == VECIDX_RUN_CODE)
		((VecIdxCodeSlot *) slot)->check = code_check(slot, size);
	else
		*(uint32 *) slot = slot_crc(slot, size);
}

bool
vecidx_slot_sealed(const VecIdxLayout *layout, VecIdxRunKind run, const void *slot)
{
	Size		size = layout->run[run].size;

	if (run == VECIDX_RUN_CODE)
		return ((const VecIdxCodeSlot *) slot)->check == code_check(slot, size);
	return *(const uint32 *) slot == slot_crc(slot, size);
}

/* The id that a slot says it has.  Upper slots do not tell their number. */
static uint32
slot_owner(const VecIdxLayout *layout, VecIdxRunKind run, uint32 slot, const void *copy)
{
	switch (run)
	{
		case VECIDX_RUN_CODE:
			return vecidx_layout_mark(layout, ((const VecIdxCodeSlot *) copy)->mark);
		case VECIDX_RUN_ADJACENCY:
			return ((const VecIdxAdjacencySlot *) copy)->node;
		case VECIDX_RUN_RERANK:
			return ((const VecIdxRerankSlot *) copy)->node;
		default:
			return slot;
	}
}

/* Copies the slot's bytes; returns the block where it starts. */
static BlockNumber
copy_slot(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, char *copy)
{
	const VecIdxRun *r = &handle->layout.run[run];
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, run, slot, &offset);
	uint32		first = vecidx_handle_first(handle, run, slot);
	uint32		done = 0;

	for (uint32 i = 0; i < r->span; i++)
	{
		uint32		count = Min(r->size - done, (uint32) VECIDX_PAGE_USABLE);
		Buffer		buffer = vecidx_handle_pin(handle, block + i);
		Page		page = vecidx_buffer_lock(handle->index, buffer, r->kind, first);

		if (block + i < handle->mapped)
			handle->map[block + i] = buffer;
		memcpy(copy + done, (char *) page + offset, count);
		vecidx_buffer_release(buffer);
		done += count;
	}
	return block;
}

/* What is wrong with a copy, or NULL. */
static const char *
find_fault(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, const void *copy)
{
	if (!vecidx_slot_sealed(&handle->layout, run, copy))
		return "The checksum of a slot is wrong";
	if (slot_owner(&handle->layout, run, slot, copy) != slot)
		return "A slot belongs to another node";
	return NULL;
}

void
vecidx_slot_read(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, void *copy)
{
	BlockNumber block = copy_slot(handle, run, slot, copy);
	const char *fault = find_fault(handle, run, slot, copy);

	if (fault != NULL)
		vecidx_corrupted(handle->index, block, fault);
}

/* Is the node in use, by its adjacency slot? */
static bool
is_in_use(VecIdxHandle *handle, uint32 node)
{
	VecIdxAdjacencySlot *slot = palloc(handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	bool		used;

	vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, node, slot);
	used = slot->state != VECIDX_FREE;
	pfree(slot);
	return used;
}

/*
 * The pieces of a spanning slot are written one by one before the adjacency
 * slot says that the node is in use.  So a slot that is wrong while its node
 * is free is being rewritten, and one that is wrong after its node was seen in
 * use is damaged.
 */
bool
vecidx_slot_read_vector(VecIdxHandle *handle, VecIdxRunKind run, uint32 node, void *copy)
{
	copy_slot(handle, run, node, copy);
	if (find_fault(handle, run, node, copy) == NULL)
		return true;
	if (!is_in_use(handle, node))
		return false;
	vecidx_slot_read(handle, run, node, copy);
	return true;
}

void
vecidx_slot_write(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, void *bytes, bool logged)
{
	const VecIdxRun *r = &handle->layout.run[run];
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, run, slot, &offset);
	uint32		first = vecidx_handle_first(handle, run, slot);
	uint32		done = 0;

	vecidx_slot_seal(&handle->layout, run, bytes);
	for (uint32 i = 0; i < r->span; i++)
	{
		uint32		count = Min(r->size - done, (uint32) VECIDX_PAGE_USABLE);
		VecIdxPart	part = {block + i, r->kind, first, offset, count, vecidx_handle_recent(handle, block + i)};
		VecIdxEdit	edit;

		vecidx_edit_begin(&edit, handle->index, logged);
		memcpy(vecidx_edit_part(&edit, &part), (char *) bytes + done, count);
		vecidx_edit_finish(&edit);
		done += count;
	}
}

void *
vecidx_edit_slot(VecIdxEdit *edit, VecIdxHandle *handle, VecIdxRunKind run, uint32 slot)
{
	VecIdxPart	part;

	Assert(handle->layout.run[run].span == 1);
	part.block = vecidx_handle_locate(handle, run, slot, &part.offset);
	part.kind = handle->layout.run[run].kind;
	part.first = vecidx_handle_first(handle, run, slot);
	part.size = handle->layout.run[run].size;
	part.recent = vecidx_handle_recent(handle, part.block);
	return vecidx_edit_part(edit, &part);
}

void
vecidx_edit_slots(VecIdxEdit *edit, VecIdxHandle *handle, VecIdxSlotRef *refs, int count)
{
	BlockNumber locked = 0;

	for (int done = 0; done < count;)
	{
		BlockNumber lowest = InvalidBlockNumber;

		/* the lowest block behind those that are locked */
		for (int i = 0; i < count; i++)
		{
			uint32		offset;
			BlockNumber block = vecidx_handle_locate(handle, refs[i].run, refs[i].slot, &offset);

			if (block > locked && block < lowest)
				lowest = block;
		}
		for (int i = 0; i < count; i++)
		{
			uint32		offset;

			if (vecidx_handle_locate(handle, refs[i].run, refs[i].slot, &offset) != lowest)
				continue;
			refs[i].image = vecidx_edit_slot(edit, handle, refs[i].run, refs[i].slot);
			done++;
		}
		locked = lowest;
	}
}
