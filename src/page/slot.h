/*
 * slot.h
 *	  Slots read and written under pin and lock: the reads that decide.
 */
#ifndef VECIDX_SLOT_H
#define VECIDX_SLOT_H

#include "page/handle.h"

/*
 * Copies a slot (run.size bytes), whichever pages it spans.  Errors when its
 * own id or its checksum is wrong.  Takes and releases share locks.
 */
extern void vecidx_slot_read(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, void *copy);

/*
 * The same for the code or rerank slot of a node that may have been freed
 * since the caller heard of it: returns false if so.  (Such a slot may be half
 * rewritten if it spans pages.)
 */
extern bool vecidx_slot_read_vector(VecIdxHandle *handle, VecIdxRunKind run, uint32 node, void *copy);

/* Writes a whole slot, sealed, in WAL records of its own. */
extern void vecidx_slot_write(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, void *bytes, bool logged);

/* The slot in an edit's page image.  Only for runs whose slots do not span pages. */
extern void *vecidx_edit_slot(VecIdxEdit *edit, VecIdxHandle *handle, VecIdxRunKind run, uint32 slot);

/* A slot to be changed together with others. */
typedef struct VecIdxSlotRef
{
	VecIdxRunKind run;
	uint32		slot;
	void	   *image;			/* set by vecidx_edit_slots */
} VecIdxSlotRef;

/* The same for several slots, whose pages are locked in lock order. */
extern void vecidx_edit_slots(VecIdxEdit *edit, VecIdxHandle *handle, VecIdxSlotRef *refs, int count);

/* Sets the checksum of a slot in memory; to be called after every change. */
extern void vecidx_slot_seal(const VecIdxLayout *layout, VecIdxRunKind run, void *slot);

/* Is the checksum right?  (For a copy that was read without a lock.) */
extern bool vecidx_slot_sealed(const VecIdxLayout *layout, VecIdxRunKind run, const void *slot);

/* Errors of code slots are kept as the upper half of a float32, rounded up. */
extern uint16 vecidx_error_pack(float error);

static inline float
vecidx_error_unpack(uint16 packed)
{
	union
	{
		uint32		i;
		float		f;
	}			u;

	u.i = (uint32) packed << 16;
	return u.f;
}

#endif							/* VECIDX_SLOT_H */
