/*
 * twin.c
 *	  Rows with equal vectors.
 *
 * A TID goes to a slot whose rows have the filter row of its own: the node's,
 * or one of the first few of its chain.  If none of them has room, a new one
 * is put in front of the chain.  A node's own slot may have come to be without
 * TIDs; then it takes any row, and that row's filter row.
 *
 * As long as a slot keeps its version, and some TID, its filter row stays; so
 * does that of an extension without TIDs.  The flag of the node's filter row
 * is set before the chain gets a slot with another one, and set and taken away
 * under lock of the node's adjacency slot, without which no chain gets longer.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/pause.h"
#include "am/roster.h"
#include "am/twin.h"
#include "page/filter.h"
#include "page/meta.h"
#include "page/peek.h"

/* Slots of a chain that are looked at for room. */
#define LINKS_LOOKED	8

/* Where a TID may go. */
typedef struct Place
{
	uint32		slot;			/* of the node or of its chain; none: there is no room */
	uint32		version;
} Place;

/*
 * Is the node, whose adjacency slot the caller has locked, still the one whose
 * vector was found to be ours?  A vector does not change as long as the
 * version does not.
 */
static bool
is_twin(const VecIdxInserter *inserter, const VecIdxAdjacencySlot *slot, uint32 node)
{
	return slot->node == node && slot->state == VECIDX_LIVE && slot->version == inserter->twin_version;
}

/* Has the node our vector?  Notes the version that has. */
static bool
check_twin(VecIdxInserter *inserter, uint32 node)
{
	const uint8 *vector = vecidx_store_vector(&inserter->store, node, &inserter->twin_version);

	return vector != NULL && memcmp(vector, inserter->arrival.vector, inserter->vector_size) == 0;
}

static void
append_tid(VecIdxHandle *handle, VecIdxAdjacencySlot *slot, ItemPointer tid)
{
	/* in an extension the TIDs go on over the neighbours' space */
	memcpy((char *) slot->tid + slot->tids * sizeof(ItemPointerData), tid, sizeof(ItemPointerData));
	slot->tids++;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, slot);
}

typedef enum AttachResult
{
	ATTACHED,
	NOT_A_TWIN,
	NO_ROOM
} AttachResult;

static bool
has_room(const VecIdxHandle *handle, const VecIdxAdjacencySlot *slot)
{
	return slot->tids < vecidx_handle_tid_room(handle, slot);
}

/* Has a slot our filter row, by an unpinned look? */
static bool
seems_ours(VecIdxInserter *inserter, uint32 slot)
{
	uint8		row[VECIDX_FILTER_ROOM];

	if (!vecidx_filter_exists(inserter->handle))
		return true;
	vecidx_filter_peek(inserter->handle, slot, row);
	return vecidx_filter_equal(inserter->handle, row, inserter->filter);
}

static Place
choose_place(VecIdxInserter *inserter, uint32 node)
{
	VecIdxAdjacencySlot *slot = inserter->adjacency;
	Place		none = {VECIDX_NONE, 0};
	uint32		next;

	vecidx_peek_slot(inserter->handle, VECIDX_RUN_ADJACENCY, node, slot);
	if (has_room(inserter->handle, slot) && (slot->tids == 0 || seems_ours(inserter, node)))
		return (Place) {node, slot->version};
	next = slot->next;
	for (int i = 0; i < LINKS_LOOKED && next != VECIDX_NONE; i++)
	{
		vecidx_store_check_node(&inserter->store, next, "A chain of extensions");
		vecidx_peek_slot(inserter->handle, VECIDX_RUN_ADJACENCY, next, slot);
		if (slot->state != VECIDX_EXTENSION || slot->upper != node)
			return none;
		if (has_room(inserter->handle, slot) && seems_ours(inserter, next))
			return (Place) {next, slot->version};
		next = slot->next;
	}
	return none;
}

/* Makes our filter row that of a node's own slot, if it is not and may be; that slot is locked. */
static bool
own_takes_row(VecIdxInserter *inserter, VecIdxEdit *edit, uint32 node, const VecIdxAdjacencySlot *slot)
{
	VecIdxHandle *handle = inserter->handle;
	uint8		row[VECIDX_FILTER_ROOM];

	if (!vecidx_filter_exists(handle))
		return true;
	vecidx_filter_read(handle, node, row);
	if (vecidx_filter_equal(handle, row, inserter->filter))
		return true;
	if (slot->tids > 0)
		return false;
	vecidx_filter_edit(edit, handle, node, slot->next != VECIDX_NONE, inserter->filter);
	return true;
}

/* Does the extension, which is locked, still belong to the node, with the filter row that it had? */
static bool
is_link(const VecIdxAdjacencySlot *slot, uint32 node, uint32 version)
{
	return slot->state == VECIDX_EXTENSION && slot->upper == node && slot->version == version;
}

/* NO_ROOM: the slot is not what it was; look again. */
static AttachResult
attach_to_present(VecIdxInserter *inserter, uint32 node, Place place, ItemPointer tid)
{
	VecIdxHandle *handle = inserter->handle;
	bool		own = place.slot == node;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, node, NULL}, {VECIDX_RUN_ADJACENCY, place.slot, NULL}};
	VecIdxEdit	edit;
	VecIdxAdjacencySlot *slot;
	AttachResult result = NO_ROOM;

	vecidx_edit_begin(&edit, handle->index, inserter->logged);
	vecidx_edit_slots(&edit, handle, refs, own ? 1 : 2);
	slot = refs[own ? 0 : 1].image;
	if (!is_twin(inserter, refs[0].image, node))
		result = NOT_A_TWIN;
	else if ((own || is_link(slot, node, place.version)) && has_room(handle, slot) &&
			 (!own || own_takes_row(inserter, &edit, node, slot)))
	{
		append_tid(handle, slot, tid);
		vecidx_roster_note(handle, tid, slot->node);
		result = ATTACHED;
	}
	if (result == ATTACHED)
		vecidx_edit_finish(&edit);
	else
		vecidx_edit_abandon(&edit);
	return result;
}

/* Flags a node whose chain is about to get a slot with our filter row; the node's own is locked. */
static void
flag_node(VecIdxInserter *inserter, uint32 node)
{
	VecIdxHandle *handle = inserter->handle;
	uint8		row[VECIDX_FILTER_ROOM];

	vecidx_filter_read(handle, node, row);
	if (!vecidx_filter_twins(handle, row) && !vecidx_filter_equal(handle, row, inserter->filter))
		vecidx_filter_write(handle, node, true, row, inserter->logged);
}

static void
fill_extension(VecIdxInserter *inserter, VecIdxAdjacencySlot *slot, uint32 extension, uint32 version)
{
	memset(slot, 0, inserter->handle->layout.run[VECIDX_RUN_ADJACENCY].size);
	slot->node = extension;
	slot->version = version;
	slot->state = VECIDX_EXTENSION;
}

/* Writes what belongs to an extension that is being given out, but for its adjacency slot. */
static void
write_extension(VecIdxInserter *inserter, uint32 extension, uint32 version)
{
	VecIdxHandle *handle = inserter->handle;

	vecidx_inserter_seal(inserter, extension, version, VECIDX_EXTENSION);
	vecidx_inserter_write(inserter, extension, 1);
	if (vecidx_filter_exists(handle))
		vecidx_filter_write(handle, extension, false, inserter->filter, inserter->logged);
}

/* Puts a new extension in front of the node's chain. */
static AttachResult
attach_to_new(VecIdxInserter *inserter, uint32 node, ItemPointer tid)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxSlotRef refs[] = {{VECIDX_RUN_ADJACENCY, node, NULL}, {VECIDX_RUN_ADJACENCY, VECIDX_NONE, NULL}};
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	VecIdxAdjacencySlot *owner;
	VecIdxAdjacencySlot *more;
	uint32		version;

	vecidx_meta_grow(handle, inserter->logged);
	vecidx_edit_begin(&edit, handle->index, inserter->logged);
	meta = vecidx_meta_edit(&edit, handle);
	if (!vecidx_inserter_take(inserter, meta, &refs[1].slot, &version))
	{
		vecidx_edit_abandon(&edit);
		return NO_ROOM;
	}
	write_extension(inserter, refs[1].slot, version);
	vecidx_edit_slots(&edit, handle, refs, 2);
	owner = refs[0].image;
	more = refs[1].image;
	if (!is_twin(inserter, owner, node))
	{
		vecidx_edit_abandon(&edit);
		return NOT_A_TWIN;
	}
	if (vecidx_filter_exists(handle))
		flag_node(inserter, node);
	fill_extension(inserter, more, refs[1].slot, version);
	more->upper = node;
	more->next = owner->next;
	append_tid(handle, more, tid);
	vecidx_roster_note(handle, tid, more->node);
	owner->next = refs[1].slot;
	vecidx_slot_seal(&handle->layout, VECIDX_RUN_ADJACENCY, owner);
	meta->state.extensions++;
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	return ATTACHED;
}

/* Attaches the TID to the node whose life twin_version tells; false if that has ended. */
static bool
attach_to_twin(VecIdxInserter *inserter, uint32 node, ItemPointer tid)
{
	vecidx_pause("insert-attach");
	for (;;)
	{
		Place		place = choose_place(inserter, node);
		AttachResult result;

		CHECK_FOR_INTERRUPTS();
		vecidx_pause("insert-chosen");
		if (place.slot != VECIDX_NONE)
			result = attach_to_present(inserter, node, place, tid);
		else
			result = attach_to_new(inserter, node, tid);
		if (result != NO_ROOM)
			return result == ATTACHED;
	}
}

bool
vecidx_twin_attach(VecIdxInserter *inserter, uint32 node, ItemPointer tid)
{
	return check_twin(inserter, node) && attach_to_twin(inserter, node, tid);
}

static bool
holds_tid(const VecIdxHandle *handle, const VecIdxAdjacencySlot *slot, const ItemPointerData *tid)
{
	if (slot->state != VECIDX_LIVE && slot->state != VECIDX_EXTENSION)
		return false;
	for (uint32 i = 0; i < Min(slot->tids, vecidx_handle_tid_room(handle, slot)); i++)
	{
		if (memcmp((const char *) slot->tid + i * sizeof(ItemPointerData), tid, sizeof(ItemPointerData)) == 0)
			return true;
	}
	return false;
}

/* Copies the slot of a hint, if there is one; false if it does not hold the TID. */
static bool
look_at_hint(VecIdxInserter *inserter, uint32 hint, const ItemPointerData *tid)
{
	VecIdxHandle *handle = inserter->handle;

	if (hint == VECIDX_NONE)
		return false;
	if (hint >= handle->state.nodes)
		vecidx_handle_refresh(handle);
	if (hint >= handle->state.nodes)
		return false;
	vecidx_peek_slot(handle, VECIDX_RUN_ADJACENCY, hint, inserter->adjacency);
	return holds_tid(handle, inserter->adjacency, tid);
}

/* The slot with that TID, which it copies, by what this session or others have noted; or none. */
static uint32
find_holder(VecIdxInserter *inserter, const ItemPointerData *tid)
{
	uint32		hint = vecidx_roster_find(inserter->handle, tid);

	if (look_at_hint(inserter, hint, tid))
		return hint;
	hint = vecidx_roster_ask(inserter->handle, tid);
	return look_at_hint(inserter, hint, tid) ? hint : VECIDX_NONE;
}

/*
 * An extension of an index with filter columns has its node's code and rerank
 * vector: takes them for the row under way.  They are those of twin_version,
 * or that is no longer the node's.  False if the node is gone.
 */
static bool
copy_vectors(VecIdxInserter *inserter, uint32 node)
{
	VecIdxHandle *handle = inserter->handle;

	return vecidx_slot_read_vector(handle, VECIDX_RUN_CODE, node, inserter->code) &&
		(handle->layout.run[VECIDX_RUN_RERANK].span == 0 ||
		 vecidx_slot_read_vector(handle, VECIDX_RUN_RERANK, node, inserter->rerank));
}

/*
 * Puts the TID into the slot where the one is that it replaces.  That stays
 * there meanwhile, and with it the slot, its node and its filter row, which
 * has been seen to be ours: there is nothing else to lock.  False if there is
 * no room.
 */
static bool
attach_beside(VecIdxInserter *inserter, uint32 holder, const ItemPointerData *former, ItemPointer tid)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxEdit	edit;
	VecIdxAdjacencySlot *slot;

	vecidx_edit_begin(&edit, handle->index, inserter->logged);
	slot = vecidx_edit_slot(&edit, handle, VECIDX_RUN_ADJACENCY, holder);
	if (!has_room(handle, slot) || !holds_tid(handle, slot, former))
	{
		vecidx_edit_abandon(&edit);
		return false;
	}
	append_tid(handle, slot, tid);
	vecidx_roster_note(handle, tid, holder);
	vecidx_edit_finish(&edit);
	return true;
}

/* Attaches the TID to the node of a slot that holds another, which has been copied; false if the node is gone. */
static bool
attach_to_holder(VecIdxInserter *inserter, uint32 holder, const ItemPointerData *former, ItemPointer tid)
{
	VecIdxHandle *handle = inserter->handle;
	VecIdxAdjacencySlot *slot = inserter->adjacency;
	uint32		node = slot->state == VECIDX_EXTENSION ? slot->upper : holder;

	vecidx_pause("insert-attach");
	if (has_room(handle, slot) && seems_ours(inserter, holder))
	{
		vecidx_pause("insert-chosen");
		if (attach_beside(inserter, holder, former, tid))
			return true;
	}
	if (node != holder)
		vecidx_peek_slot(handle, VECIDX_RUN_ADJACENCY, node, slot);
	inserter->twin_version = slot->version;
	if (vecidx_filter_exists(handle) && !copy_vectors(inserter, node))
		return false;
	return attach_to_twin(inserter, node, tid);
}

bool
vecidx_twin_follow(VecIdxInserter *inserter, const ItemPointerData *former, ItemPointer tid)
{
	uint32		holder;

	vecidx_roster_expect(inserter->handle, former, tid);
	holder = find_holder(inserter, former);
	if (holder == VECIDX_NONE && vecidx_roster_missed(inserter->handle, get_hash_memory_limit()))
		holder = find_holder(inserter, former);
	if (holder == VECIDX_NONE || !attach_to_holder(inserter, holder, former, tid))
		return false;
	vecidx_roster_drop(inserter->handle, former);
	return true;
}

/* Have all slots of the chain that begins at "next" this filter row? */
static bool
chain_agrees(VecIdxHandle *handle, uint32 next, const uint8 *row, VecIdxAdjacencySlot *scratch)
{
	uint8		other[VECIDX_FILTER_ROOM];

	while (next != VECIDX_NONE)
	{
		CHECK_FOR_INTERRUPTS();
		vecidx_filter_read(handle, next, other);
		if (!vecidx_filter_equal(handle, row, other))
			return false;
		vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, next, scratch);
		next = scratch->next;
	}
	return true;
}

void
vecidx_twin_settle(VecIdxHandle *handle, uint32 node, VecIdxAdjacencySlot *scratch)
{
	uint8		row[VECIDX_FILTER_ROOM];
	uint32		first;
	bool		empty;
	VecIdxEdit	edit;
	VecIdxAdjacencySlot *slot;

	vecidx_filter_read(handle, node, row);
	vecidx_slot_read(handle, VECIDX_RUN_ADJACENCY, node, scratch);
	if (!vecidx_filter_twins(handle, row) || scratch->state != VECIDX_LIVE)
		return;
	first = scratch->next;
	empty = scratch->tids == 0;
	if (empty)
		vecidx_filter_read(handle, first, row);
	if (!chain_agrees(handle, first, row, scratch))
		return;
	vecidx_pause("vacuum-settle");
	vecidx_edit_begin(&edit, handle->index, true);
	slot = vecidx_edit_slot(&edit, handle, VECIDX_RUN_ADJACENCY, node);
	if (slot->next != first || (slot->tids == 0) != empty)
	{
		vecidx_edit_abandon(&edit);
		return;
	}
	vecidx_filter_edit(&edit, handle, node, false, row);
	vecidx_edit_finish(&edit);
}
