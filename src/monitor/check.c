/*
 * check.c
 *	  vecidx_check: every invariant of an index, verified.
 *
 * What must hold whenever no change is under way, also after a crash or after
 * a vacuum that was interrupted.  "Given out" are ids below the metapage's
 * "nodes" and upper slots below its "uppers".
 *
 *	I1	The metapage's fixed part has values of the format, and the metric and
 *		the filter columns are those of the index's operator classes.
 *	I2	What was given out fits the extents; lists and counts are no longer
 *		than what was given out.
 *	I3	The metapage, centroid pages, directory pages and extents follow each
 *		other without gap or overlap up to "end"; extent 0 is in the file.
 *	I4	Every slot given out is on a page of its kind and place, has the right
 *		checksum and names its own id; but the code and the rerank vector of a
 *		free id may be half written if they span pages.
 *	I5	The fields of an adjacency slot fit its state: lists are within their
 *		room; a tombstone has no TID and no chain; free slots and extensions
 *		have neither neighbours nor level.
 *	I6	The code slot of a live node is LIVE.  That of a tombstone may be FREE;
 *		that of an extension EXTENSION, or FREE without filter columns; that of
 *		a free slot says nothing.
 *	I7	The rerank slot of a live node or tombstone, and with filter columns of
 *		an extension, has the version of its adjacency slot.
 *	I8	Neighbours of a live node are other nodes, live or tombstones, each
 *		named once.
 *	I9	A live node has a TID or a chain; TIDs are valid.
 *	I10	No TID is in the index twice.
 *	I11	Chains of extensions start at live nodes, meet each extension once and
 *		tell its owner; the metapage counts them.
 *	I12	The list of free ids meets every free slot once; the metapage counts
 *		them.
 *	I13	A node of level L, live or tombstone, has L consecutive upper slots in
 *		use that name it and their level; no other is in use.
 *	I14	Links of a live node lead to upper slots in use of the same level, of
 *		the nodes they name, each named once, never to itself.
 *	I15	The list of free upper slots meets every free one once; the metapage
 *		counts them.
 *	I16	The metapage counts the nodes, live and tombstones, of each level.
 *	I17	The entry is a node, live or tombstone, with its level and highest
 *		upper slot in the metapage; without it there is no live node.
 *	I18	The metapage counts no more tombstones than there are.
 *	I19	A filter row has null bits of its columns only, whose fields are zero.
 *	I20	A node has the flag of twins if a slot of its chain has other values.
 *	I21	With filter columns, an extension has its node's rerank vector, or code
 *		where there are no rerank vectors.
 *
 * Nodes that no link leads to are legal: scans find them by their codes.
 *
 * I8 and I14 spare tombstones, since a vacuum that is interrupted while it
 * frees them leaves links between them behind.
 *
 * On a standby, replay goes on meanwhile and may be halfway through a change,
 * so only I1 to I5 and I9's valid TIDs are verified there, and I4 only for
 * slots that do not span pages.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "am/am.h"
#include "compat.h"
#include "monitor/monitor.h"
#include "page/filter.h"
#include "page/meta.h"
#include "page/slot.h"

PG_FUNCTION_INFO_V1(vecidx_check);

/* What is remembered of an adjacency slot. */
typedef struct NodeNote
{
	uint32		version;
	uint32		upper;
	uint32		next;
	uint8		state;
	uint8		level;
	bool		reached;		/* by a chain or by the free list */
	bool		twins;
	uint32		filter;			/* checksum of the values */
	uint32		vector;			/* likewise of the rerank vector, or of the code if there is none */
} NodeNote;

/* What is remembered of an upper slot. */
typedef struct UpperNote
{
	uint32		node;
	uint8		state;
	uint8		level;
	bool		reached;		/* by the free list */
} UpperNote;

typedef struct Check
{
	/* fixed */
	Relation	index;
	bool		standby;		/* replay may be changing the index */
	const VecIdxMeta *meta;		/* a copy */
	VecIdxHandle *handle;
	uint32		nodes;			/* ids given out */
	uint32		uppers;			/* upper slots given out */

	/* gathered */
	NodeNote   *node;
	UpperNote  *upper;
	uint32		states[VECIDX_EXTENSION + 1];	/* number of adjacency slots in each state */
	uint64	   *tid;			/* block << 16 | offset */
	Size		tids;
	Size		tid_room;
} Check;

pg_noreturn static void
violated(const Check *check, int invariant, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" violates invariant I%d", RelationGetRelationName(check->index), invariant),
			 errdetail_internal("%s", detail),
			 errhint("Please REINDEX it.")));
}

static bool
is_node(const Check *check, uint32 id)
{
	return id < check->nodes &&
		(check->node[id].state == VECIDX_LIVE || check->node[id].state == VECIDX_TOMBSTONE);
}

/* Metapage. */

static void
check_fixed(const Check *check)
{
	const VecIdxMetaFixed *fixed = &check->meta->fixed;
	bool		exact = fixed->metric == VECIDX_HAMMING;
	uint32		centroid = (fixed->dimensions + VECIDX_CENTROID_FLOATS - 1) / VECIDX_CENTROID_FLOATS;
	VecIdxFilterShape shape;

	vecidx_filter_shape(check->index, &shape);
	if (fixed->metric != vecidx_row_type(check->index)->metric)
		violated(check, 1, psprintf("The metapage has metric %u, the operator class metric %d.",
				 fixed->metric, (int) vecidx_row_type(check->index)->metric));
	if (fixed->rerank > VECIDX_RERANK_FLOAT || exact != (fixed->rerank == VECIDX_RERANK_NONE))
		violated(check, 1, psprintf("Rerank vectors of form %u do not go with metric %u.", fixed->rerank, fixed->metric));
	if (fixed->dimensions > VECIDX_MAX_DIMENSIONS)
		violated(check, 1, psprintf("The number of dimensions is %u.", fixed->dimensions));
	if (fixed->dimensions > 0 && fixed->bits != 1 && fixed->bits != 2 && fixed->bits != 4 && fixed->bits != 8)
		violated(check, 1, psprintf("The number of bits of a code is %u.", fixed->bits));
	if (fixed->m < VECIDX_MIN_M || fixed->m > VECIDX_MAX_M)
		violated(check, 1, psprintf("The number of neighbours m is %u.", fixed->m));
	if (fixed->ef_construction < VECIDX_MIN_EF_CONSTRUCTION || fixed->ef_construction > VECIDX_MAX_EF_CONSTRUCTION)
		violated(check, 1, psprintf("The beam width ef_construction is %u.", fixed->ef_construction));
	if (fixed->growth < VECIDX_MIN_GROWTH || fixed->growth > VECIDX_MAX_GROWTH ||
		(fixed->growth & (fixed->growth - 1)) != 0)
		violated(check, 1, psprintf("The capacity of the first extent behind the base is %u.", fixed->growth));
	if (fixed->filter_columns != shape.columns || fixed->filter_size != shape.size)
		violated(check, 1, psprintf("The metapage has %u filter columns of %u bytes, the index %d of %d.",
				 fixed->filter_columns, fixed->filter_size, shape.columns, shape.size));
	if (fixed->centroid_pages != 0 && fixed->centroid_pages != centroid)
		violated(check, 1, psprintf("A centroid of %u dimensions has %u pages.", fixed->dimensions, fixed->centroid_pages));
}

static void
check_counts(const Check *check)
{
	const VecIdxMetaState *state = &check->meta->state;
	bool		unknown = check->meta->fixed.dimensions == 0;
	uint32		node_room = unknown ? 0 : vecidx_meta_node_room(check->handle);
	uint32		upper_room = unknown ? 0 : vecidx_meta_upper_room(check->handle);

	if (state->nodes > node_room)
		violated(check, 2, psprintf("%u ids are given out, but the extents hold %u.", state->nodes, node_room));
	if (state->uppers > upper_room)
		violated(check, 2, psprintf("%u upper slots are given out, but the extents hold %u.", state->uppers, upper_room));
	if ((uint64) state->free_nodes + state->extensions > state->nodes || state->tombstones > state->nodes)
		violated(check, 2, psprintf("Of %u ids, %u are said to be free, %u extensions and %u tombstones.",
				 state->nodes, state->free_nodes, state->extensions, state->tombstones));
	if (state->free_uppers > state->uppers)
		violated(check, 2, psprintf("Of %u upper slots, %u are said to be free.", state->uppers, state->free_uppers));
	if (state->entry_level > VECIDX_MAX_LEVEL)
		violated(check, 2, psprintf("The level of the entry node is %u.", state->entry_level));
}

/* Blocks. */

typedef struct Stretch
{
	uint64		start;
	uint64		end;
	const char *what;
} Stretch;

static int
compare_stretches(const void *a, const void *b)
{
	uint64		x = ((const Stretch *) a)->start;
	uint64		y = ((const Stretch *) b)->start;

	return (x > y) - (x < y);
}

static void
add_stretch(Stretch *stretches, uint32 *count, uint64 start, uint64 pages, const char *what)
{
	Stretch    *stretch = &stretches[*count];

	if (pages == 0)
		return;
	stretch->start = start;
	stretch->end = start + pages;
	stretch->what = what;
	(*count)++;
}

/* Number of directory pages that so many extents need. */
static uint32
directories_for(uint32 extents)
{
	uint32		beyond = extents - Min(extents, VECIDX_META_EXTENTS);

	return (beyond + VECIDX_DIRECTORY_EXTENTS - 1) / VECIDX_DIRECTORY_EXTENTS;
}

/* Before anything follows the directory. */
static void
check_directory(const Check *check)
{
	const VecIdxMetaState *state = &check->meta->state;

	if (state->directories > VECIDX_META_DIRECTORIES || state->directories != directories_for(state->extents))
		violated(check, 3, psprintf("%u extents have %u directory pages.", state->extents, state->directories));
	if (check->meta->fixed.dimensions == 0 && state->extents > 0)
		violated(check, 3, psprintf("There are %u extents, but the number of dimensions is not known.", state->extents));
}

static void
check_blocks(const Check *check)
{
	const VecIdxMetaFixed *fixed = &check->meta->fixed;
	const VecIdxMetaState *state = &check->meta->state;
	const VecIdxLayout *layout = &check->handle->layout;
	BlockNumber file = RelationGetNumberOfBlocks(check->index);
	Stretch    *stretches = palloc((state->extents + state->directories + 2) * sizeof(Stretch));
	uint64		expected = 0;
	uint32		count = 0;

	add_stretch(stretches, &count, VECIDX_METAPAGE_BLOCK, 1, "metapage");
	add_stretch(stretches, &count, fixed->centroid_block, fixed->centroid_pages, "centroid");
	for (uint32 i = 0; i < state->directories; i++)
		add_stretch(stretches, &count, check->meta->directory[i], 1, "directory page");
	for (uint32 i = 0; i < state->extents; i++)
		add_stretch(stretches, &count, check->handle->extent[i], vecidx_layout_extent_pages(layout, i), "extent");
	qsort(stretches, count, sizeof(Stretch), compare_stretches);
	for (uint32 i = 0; i < count; i++)
	{
		if (stretches[i].start != expected)
			violated(check, 3, psprintf("The %s at block " UINT64_FORMAT " should start at block " UINT64_FORMAT ".",
					 stretches[i].what, stretches[i].start, expected));
		expected = stretches[i].end;
	}
	if (state->end != expected)
		violated(check, 3, psprintf("The index should end at block " UINT64_FORMAT ", but says %u.", expected, state->end));
	if (state->extents > 0 && check->handle->extent[0] + vecidx_layout_extent_pages(layout, 0) > file)
		violated(check, 3, psprintf("Extent 0 starts at block %u and does not fit the file of %u blocks.",
				 check->handle->extent[0], file));
	pfree(stretches);
}

/* Slots of level 0. */

static void
check_sealed(const Check *check, VecIdxRunKind run, uint32 slot, const void *bytes)
{
	static const char *const names[] = {"code", "adjacency", "upper", "rerank"};

	if (!vecidx_slot_sealed(&check->handle->layout, run, bytes))
		violated(check, 4, psprintf("The checksum of %s slot %u is wrong.", names[run], slot));
}

static void
check_owner(const Check *check, const char *what, uint32 slot, uint32 owner)
{
	if (owner != slot)
		violated(check, 4, psprintf("The %s slot of id %u names id %u.", what, slot, owner));
}

static void
check_lists(const Check *check, uint32 id, const VecIdxAdjacencySlot *slot)
{
	uint32		m = check->meta->fixed.m;
	uint32		room = slot->state == VECIDX_EXTENSION ? VecIdxExtensionTids(m) : VECIDX_INLINE_TIDS;

	if (slot->tids > room)
		violated(check, 5, psprintf("Slot %u has %u TIDs in room for %u.", id, slot->tids, room));
	if (slot->neighbours > 2 * m)
		violated(check, 5, psprintf("Node %u has %u neighbours in room for %u.", id, slot->neighbours, 2 * m));
	if (slot->level > VECIDX_MAX_LEVEL)
		violated(check, 5, psprintf("Node %u has level %u.", id, slot->level));
}

static void
check_fields(const Check *check, uint32 id, const VecIdxAdjacencySlot *slot)
{
	switch (slot->state)
	{
		case VECIDX_LIVE:
		case VECIDX_TOMBSTONE:
			if ((slot->level == 0) != (slot->upper == VECIDX_NONE))
				violated(check, 5, psprintf("Node %u of level %u has upper slot %u.", id, slot->level, slot->upper));
			if (slot->state == VECIDX_TOMBSTONE && (slot->tids > 0 || slot->next != VECIDX_NONE))
				violated(check, 5, psprintf("Node %u is a tombstone but has TIDs.", id));
			break;
		case VECIDX_FREE:
		case VECIDX_EXTENSION:
			if (slot->neighbours > 0 || slot->level > 0)
				violated(check, 5, psprintf("Slot %u is no node but has %u neighbours and level %u.",
						 id, slot->neighbours, slot->level));
			if (slot->state == VECIDX_FREE && slot->tids > 0)
				violated(check, 5, psprintf("Slot %u is free but has %u TIDs.", id, slot->tids));
			break;
		default:
			violated(check, 5, psprintf("Slot %u has state %u.", id, slot->state));
	}
}

static void
note_tid(Check *check, uint32 id, const ItemPointerData *tid)
{
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);

	if (block == InvalidBlockNumber || offset == InvalidOffsetNumber)
		violated(check, 9, psprintf("Slot %u has the invalid TID (%u,%u).", id, block, offset));
	if (check->tids == check->tid_room)
	{
		check->tid_room *= 2;
		check->tid = repalloc_huge(check->tid, check->tid_room * sizeof(uint64));
	}
	check->tid[check->tids++] = (uint64) block << 16 | offset;
}

static void
visit_adjacency(void *state, uint32 id, const void *bytes)
{
	Check	   *check = state;
	const VecIdxAdjacencySlot *slot = bytes;
	NodeNote   *node = &check->node[id];

	check_sealed(check, VECIDX_RUN_ADJACENCY, id, slot);
	check_owner(check, "adjacency", id, slot->node);
	check_lists(check, id, slot);
	check_fields(check, id, slot);
	if (slot->state == VECIDX_LIVE && slot->tids == 0 && slot->next == VECIDX_NONE)
		violated(check, 9, psprintf("Node %u lives but has no TID.", id));
	for (uint32 i = 0; i < slot->tids; i++)
	{
		ItemPointerData tid;

		memcpy(&tid, (const char *) slot->tid + i * sizeof(ItemPointerData), sizeof(ItemPointerData));
		note_tid(check, id, &tid);
	}
	node->version = slot->version;
	node->upper = slot->upper;
	node->next = slot->next;
	node->state = slot->state;
	node->level = slot->level;
	check->states[slot->state]++;
}

/* Nobody reads the vectors of a free id, so an insert that failed may leave parts of them. */
static bool
may_be_torn(const Check *check, VecIdxRunKind run, uint32 id)
{
	return check->node[id].state == VECIDX_FREE && check->handle->layout.run[run].span > 1;
}

static bool
has_filters(const Check *check)
{
	return check->meta->fixed.filter_columns > 0;
}

static void
visit_code(void *state, uint32 id, const void *bytes)
{
	const Check *check = state;
	const VecIdxCodeSlot *slot = bytes;
	uint8		says = check->node[id].state;

	if (may_be_torn(check, VECIDX_RUN_CODE, id))
		return;
	check_sealed(check, VECIDX_RUN_CODE, id, slot);
	check_owner(check, "code", id, vecidx_layout_mark(&check->handle->layout, slot->mark));
	if (check->standby || says == VECIDX_FREE)
		return;
	if (check->handle->layout.run[VECIDX_RUN_RERANK].span == 0)
		check->node[id].vector = vecidx_crc(slot + 1, check->handle->layout.run[VECIDX_RUN_CODE].size - sizeof(VecIdxCodeSlot));
	if (slot->state == VECIDX_FREE && (says == VECIDX_TOMBSTONE || (says == VECIDX_EXTENSION && !has_filters(check))))
		return;
	if (slot->state != (says == VECIDX_EXTENSION ? VECIDX_EXTENSION : VECIDX_LIVE))
		violated(check, 6, psprintf("The code slot of id %u has state %u, its adjacency slot state %u.", id, slot->state, says));
}

static void
visit_rerank(void *state, uint32 id, const void *bytes)
{
	const Check *check = state;
	const VecIdxRerankSlot *slot = bytes;
	bool		kept;

	if (may_be_torn(check, VECIDX_RUN_RERANK, id))
		return;
	check_sealed(check, VECIDX_RUN_RERANK, id, slot);
	check_owner(check, "rerank", id, slot->node);
	check->node[id].vector = vecidx_crc(slot + 1, check->handle->layout.run[VECIDX_RUN_RERANK].size - sizeof(VecIdxRerankSlot));
	kept = is_node(check, id) || (check->node[id].state == VECIDX_EXTENSION && has_filters(check));
	if (!check->standby && kept && slot->version != check->node[id].version)
		violated(check, 7, psprintf("The rerank slot of node %u has version %u, its adjacency slot version %u.",
				 id, slot->version, check->node[id].version));
}

static void
visit_filter(void *state, uint32 id, const void *bytes)
{
	const Check *check = state;
	const VecIdxFilterShape *shape = &check->handle->shape;
	const uint8 *row = bytes;

	if (!vecidx_filter_sealed(shape, id, row))
		violated(check, 4, psprintf("The checksum of filter row %u is wrong.", id));
	for (int c = 0; c < (shape->columns + 7) / 8 * 8; c++)
	{
		bool		null = (row[shape->field[VecIdxFilterNullField(shape, c)].offset] & 1 << c % 8) != 0;

		if (null && c >= shape->columns)
			violated(check, 19, psprintf("Filter row %u has the null bit of column %d of %d.", id, c, shape->columns));
		for (int i = 0; null && i < shape->field[c].width; i++)
		{
			if (row[shape->field[c].offset + i] != 0)
				violated(check, 19, psprintf("Filter row %u has a null column %d that is not zero.", id, c));
		}
	}
	check->node[id].twins = vecidx_filter_twins(check->handle, row);
	check->node[id].filter = vecidx_crc(row, shape->size - 1);
}

static void
visit_neighbours(void *state, uint32 id, const void *bytes)
{
	const Check *check = state;
	const VecIdxAdjacencySlot *slot = bytes;
	const uint32 *neighbours = VecIdxAdjacencyNeighbours(slot);

	if (slot->state != VECIDX_LIVE)
		return;
	for (int i = 0; i < slot->neighbours; i++)
	{
		if (neighbours[i] == id)
			violated(check, 8, psprintf("Node %u names itself as a neighbour.", id));
		if (!is_node(check, neighbours[i]))
			violated(check, 8, psprintf("Node %u names id %u as a neighbour, which is no node.", id, neighbours[i]));
		for (int j = 0; j < i; j++)
		{
			if (neighbours[j] == neighbours[i])
				violated(check, 8, psprintf("Node %u names neighbour %u twice.", id, neighbours[i]));
		}
	}
}

/* TIDs and lists. */

static int
compare_tids(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

static void
check_tids(const Check *check)
{
	qsort(check->tid, check->tids, sizeof(uint64), compare_tids);
	for (Size i = 1; i < check->tids; i++)
	{
		if (check->tid[i] == check->tid[i - 1])
			violated(check, 10, psprintf("TID (%u,%u) is there twice.",
					 (uint32) (check->tid[i] >> 16), (uint32) (check->tid[i] & 0xFFFF)));
	}
}

/* A slot of a node's chain against the node. */
static void
check_link_values(const Check *check, uint32 owner, uint32 id)
{
	const NodeNote *node = &check->node[owner];
	const NodeNote *link = &check->node[id];

	if (link->filter != node->filter && !node->twins)
		violated(check, 20, psprintf("Extension %u of node %u has other values, but the node has no flag that says so.", id, owner));
	if (link->vector != node->vector)
		violated(check, 21, psprintf("Extension %u of node %u has another vector.", id, owner));
}

/* Follows a live node's chain; returns its length. */
static uint32
follow_chain(const Check *check, uint32 owner)
{
	uint32		length = 0;

	for (uint32 id = check->node[owner].next; id != VECIDX_NONE; id = check->node[id].next)
	{
		if (id >= check->nodes || check->node[id].state != VECIDX_EXTENSION)
			violated(check, 11, psprintf("The chain of node %u leads to id %u, which is no extension.", owner, id));
		if (check->node[id].upper != owner)
			violated(check, 11, psprintf("Extension %u in the chain of node %u says that it is node %u's.",
					 id, owner, check->node[id].upper));
		if (check->node[id].reached)
			violated(check, 11, psprintf("The chain of node %u comes to extension %u twice.", owner, id));
		check->node[id].reached = true;
		if (has_filters(check))
			check_link_values(check, owner, id);
		length++;
	}
	return length;
}

static void
check_chains(const Check *check)
{
	uint32		reached = 0;

	for (uint32 id = 0; id < check->nodes; id++)
	{
		if (check->node[id].state == VECIDX_LIVE)
			reached += follow_chain(check, id);
	}
	if (reached != check->states[VECIDX_EXTENSION] || reached != check->meta->state.extensions)
		violated(check, 11, psprintf("There are %u extensions, chains lead to %u, and the metapage counts %u.",
				 check->states[VECIDX_EXTENSION], reached, check->meta->state.extensions));
}

static void
check_free_list(const Check *check)
{
	const VecIdxMetaState *state = &check->meta->state;
	uint32		length = 0;

	for (uint32 id = state->free_node; id != VECIDX_NONE; id = check->node[id].next)
	{
		if (id >= check->nodes || check->node[id].state != VECIDX_FREE)
			violated(check, 12, psprintf("The list of free ids leads to id %u, which is not free.", id));
		if (check->node[id].reached)
			violated(check, 12, psprintf("The list of free ids comes to id %u twice.", id));
		check->node[id].reached = true;
		length++;
	}
	if (length != check->states[VECIDX_FREE] || length != state->free_nodes)
		violated(check, 12, psprintf("There are %u free ids, the list has %u, and the metapage counts %u.",
				 check->states[VECIDX_FREE], length, state->free_nodes));
}

/* Upper slots. */

static void
visit_upper(void *state, uint32 number, const void *bytes)
{
	Check	   *check = state;
	const VecIdxUpperSlot *slot = bytes;
	UpperNote  *upper = &check->upper[number];

	check_sealed(check, VECIDX_RUN_UPPER, number, slot);
	upper->node = slot->node;
	upper->state = slot->state;
	upper->level = slot->level;
	if (slot->state == VECIDX_FREE)
		return;
	if (slot->state != VECIDX_LIVE || slot->level < 1 || slot->level > VECIDX_MAX_LEVEL ||
		slot->links > check->meta->fixed.m)
		violated(check, 13, psprintf("Upper slot %u has state %u, level %u and %u links.",
				 number, slot->state, slot->level, slot->links));
}

/* Upper slots in use are those of their nodes, and no others. */
static void
check_upper_owners(const Check *check)
{
	for (uint32 number = 0; number < check->uppers; number++)
	{
		const UpperNote *upper = &check->upper[number];

		if (upper->state != VECIDX_LIVE)
			continue;
		if (!is_node(check, upper->node) || upper->level > check->node[upper->node].level ||
			check->node[upper->node].upper + upper->level - 1 != number)
			violated(check, 13, psprintf("Upper slot %u says that it is node %u's of level %u.",
					 number, upper->node, upper->level));
	}
}

static void
check_upper_nodes(const Check *check)
{
	for (uint32 id = 0; id < check->nodes; id++)
	{
		const NodeNote *node = &check->node[id];

		for (uint32 level = 1; is_node(check, id) && level <= node->level; level++)
		{
			uint32		number = node->upper + level - 1;

			if (number < node->upper || number >= check->uppers || check->upper[number].state != VECIDX_LIVE ||
				check->upper[number].node != id || check->upper[number].level != level)
				violated(check, 13, psprintf("Node %u has no upper slot of level %u: slot %u is none.", id, level, number));
		}
	}
}

static void
check_link(const Check *check, uint32 owner, uint32 level, VecIdxUpperLink link)
{
	if (link.node == owner)
		violated(check, 14, psprintf("Node %u names itself as a neighbour on level %u.", owner, level));
	if (link.upper >= check->uppers || check->upper[link.upper].state != VECIDX_LIVE ||
		check->upper[link.upper].node != link.node || check->upper[link.upper].level != level)
		violated(check, 14, psprintf("Node %u names node %u with upper slot %u as a neighbour on level %u, where that is not.",
				 owner, link.node, link.upper, level));
}

static void
visit_links(void *state, uint32 number pg_attribute_unused(), const void *bytes)
{
	const Check *check = state;
	const VecIdxUpperSlot *slot = bytes;
	const VecIdxUpperLink *links = VecIdxUpperLinks(slot);

	if (slot->state != VECIDX_LIVE || check->node[slot->node].state != VECIDX_LIVE)
		return;
	for (int i = 0; i < slot->links; i++)
	{
		check_link(check, slot->node, slot->level, links[i]);
		for (int j = 0; j < i; j++)
		{
			if (links[j].node == links[i].node)
				violated(check, 14, psprintf("Node %u names neighbour %u twice on level %u.",
						 slot->node, links[i].node, slot->level));
		}
	}
}

static void
check_free_uppers(const Check *check)
{
	const VecIdxMetaState *state = &check->meta->state;
	uint32		count = 0;
	uint32		length = 0;

	for (uint32 number = 0; number < check->uppers; number++)
		count += check->upper[number].state == VECIDX_FREE;
	for (uint32 number = state->free_upper; number != VECIDX_NONE; number = check->upper[number].node)
	{
		if (number >= check->uppers || check->upper[number].state != VECIDX_FREE)
			violated(check, 15, psprintf("The list of free upper slots leads to slot %u, which is not free.", number));
		if (check->upper[number].reached)
			violated(check, 15, psprintf("The list of free upper slots comes to slot %u twice.", number));
		check->upper[number].reached = true;
		length++;
	}
	if (length != count || length != state->free_uppers)
		violated(check, 15, psprintf("There are %u free upper slots, the list has %u, and the metapage counts %u.",
				 count, length, state->free_uppers));
}

static void
check_levels(const Check *check)
{
	uint32		count[VECIDX_MAX_LEVEL + 1] = {0};

	for (uint32 number = 0; number < check->uppers; number++)
	{
		if (check->upper[number].state == VECIDX_LIVE)
			count[check->upper[number].level]++;
	}
	for (uint32 level = 0; level <= VECIDX_MAX_LEVEL; level++)
	{
		if (check->meta->state.level_nodes[level] != count[level])
			violated(check, 16, psprintf("Level %u has %u nodes, and the metapage counts %u.",
					 level, count[level], check->meta->state.level_nodes[level]));
	}
}

static void
check_entry(const Check *check)
{
	const VecIdxMetaState *state = &check->meta->state;
	const NodeNote *entry;

	if (state->entry == VECIDX_NONE)
	{
		if (check->states[VECIDX_LIVE] > 0)
			violated(check, 17, psprintf("There are %u live nodes but no entry node.", check->states[VECIDX_LIVE]));
		return;
	}
	if (!is_node(check, state->entry))
		violated(check, 17, psprintf("The entry is id %u, which is no node.", state->entry));
	entry = &check->node[state->entry];
	if (entry->level != state->entry_level ||
		state->entry_upper != (entry->level > 0 ? entry->upper + entry->level - 1 : VECIDX_NONE))
		violated(check, 17, psprintf("Entry node %u of level %u is said to have level %u and upper slot %u.",
				 state->entry, entry->level, state->entry_level, state->entry_upper));
}

static void
check_tombstones(const Check *check)
{
	if (check->meta->state.tombstones > check->states[VECIDX_TOMBSTONE])
		violated(check, 18, psprintf("There are %u tombstones, and the metapage counts %u.",
				 check->states[VECIDX_TOMBSTONE], check->meta->state.tombstones));
}

/* All together. */

static const VecIdxMeta *
copy_meta(Relation index)
{
	VecIdxMeta *meta = palloc(sizeof(VecIdxMeta));
	Page		page;
	Buffer		buffer = vecidx_buffer_share(index, VECIDX_METAPAGE_BLOCK, VECIDX_PAGE_META, 0, &page);

	memcpy(meta, vecidx_meta_get(index, page), sizeof(VecIdxMeta));
	vecidx_buffer_release(buffer);
	return meta;
}

/* The handle is acquired once the metapage has proved fit to be followed. */
static void
check_meta(Check *check)
{
	check->meta = copy_meta(check->index);
	check_fixed(check);
	check_directory(check);
	check->handle = vecidx_handle_acquire(check->index);
	vecidx_handle_release_with(check->handle, CurrentMemoryContext);
	check_counts(check);
	check_blocks(check);
	check->nodes = check->meta->state.nodes;
	check->uppers = check->meta->state.uppers;
}

static void
visit_slots(Check *check)
{
	const VecIdxRun *run = check->handle->layout.run;

	check->tid_room = Max(check->nodes, 64);
	check->tid = palloc_extended(check->tid_room * sizeof(uint64), MCXT_ALLOC_HUGE);
	check->node = palloc_extended(Max(check->nodes, 1) * sizeof(NodeNote), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	check->upper = palloc_extended(Max(check->uppers, 1) * sizeof(UpperNote), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	vecidx_monitor_visit(check->handle, VECIDX_RUN_ADJACENCY, check->nodes, visit_adjacency, check);
	vecidx_monitor_visit(check->handle, VECIDX_RUN_UPPER, check->uppers, visit_upper, check);
	if (!check->standby || run[VECIDX_RUN_CODE].span == 1)
		vecidx_monitor_visit(check->handle, VECIDX_RUN_CODE, check->nodes, visit_code, check);
	if (!check->standby || run[VECIDX_RUN_RERANK].span == 1)
		vecidx_monitor_visit(check->handle, VECIDX_RUN_RERANK, check->nodes, visit_rerank, check);
	vecidx_monitor_visit(check->handle, VECIDX_RUN_FILTER, check->nodes, visit_filter, check);
}

/* What takes more than one slot to verify. */
static void
check_relations(Check *check)
{
	check_tids(check);
	check_chains(check);
	check_free_list(check);
	check_upper_owners(check);
	check_upper_nodes(check);
	vecidx_monitor_visit(check->handle, VECIDX_RUN_ADJACENCY, check->nodes, visit_neighbours, check);
	vecidx_monitor_visit(check->handle, VECIDX_RUN_UPPER, check->uppers, visit_links, check);
	check_free_uppers(check);
	check_levels(check);
	check_entry(check);
	check_tombstones(check);
}

static int64
check_index(Relation index)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx check", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Check	   *check = palloc0(sizeof(Check));
	int64		live;

	check->index = index;
	check->standby = RecoveryInProgress();
	check_meta(check);
	if (check->nodes > 0)
		visit_slots(check);
	if (!check->standby)
		check_relations(check);
	live = check->states[VECIDX_LIVE];
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return live;
}

/*
 * Only the owner may, because of the lock: writers to the table wait until
 * the check is done.  A standby has no writers, and does not grant that lock.
 */
Datum
vecidx_check(PG_FUNCTION_ARGS)
{
	Oid			index = PG_GETARG_OID(0);
	Oid			table = vecidx_monitor_table(index);
	VecIdxTarget target;
	int64		live;

	if (!VecIdxOwnsRelation(index, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, get_rel_name(index));
	vecidx_monitor_open(&target, index, table, RecoveryInProgress() ? AccessShareLock : ShareLock);
	live = check_index(target.index);
	vecidx_monitor_close(&target);
	PG_RETURN_INT64(live);
}
