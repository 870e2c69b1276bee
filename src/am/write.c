/*
 * write.c
 *	  From points and their graph to pages.
 *
 * All nodes go into extent 0, which is made to measure.  Pages
 * are written once, in block order.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/write.h"
#include "graph/order.h"
#include "page/meta.h"
#include "page/slot.h"

typedef struct Writer
{
	/* fixed */
	Relation	index;
	const VecIdxMetaFixed *fixed;
	const VecIdxLevels *levels;
	const VecIdxPoints *points;
	VecIdxLayout layout;
	const uint32 *order;		/* id -> point */
	const uint32 *ids;			/* point -> id; twins have their node's */
	const uint32 *uppers;		/* point -> upper slot of level 1, or none */
	uint32		nodes;
	uint32		capacity;		/* nodes and extensions */
	uint32		upper_count;
	uint32	   *upper_nodes;	/* upper slot -> point */
	uint32	   *extension_owner;	/* extension, from 0 -> id of the node */
	uint32	   *first_extension;	/* id of a node -> its first extension's id, or none */

	/* changes */
	BlockNumber next;			/* block to write next */
	PGAlignedBlock image;
	char	   *slot;			/* largest slot */
	uint32		twin;			/* point whose TID comes next in the extensions' owner */
} Writer;

/* Extensions that a node needs for the heap rows that do not fit its own slot. */
static uint32
count_extensions(const Writer *writer, uint32 id)
{
	uint32		room = VecIdxExtensionTids(writer->fixed->m);
	uint32		rows = 0;

	for (uint32 point = writer->order[id]; point != VECIDX_NONE; point = writer->points->twins[point])
		rows++;
	return rows <= VECIDX_INLINE_TIDS ? 0 : (rows - VECIDX_INLINE_TIDS + room - 1) / room;
}

/* Gives ids behind the nodes' to the extensions. */
static void
number_extensions(Writer *writer)
{
	uint32		total = 0;
	uint32		next = 0;

	writer->first_extension = palloc_extended(writer->nodes * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 id = 0; id < writer->nodes; id++)
		total += count_extensions(writer, id);
	writer->capacity = writer->nodes + total;
	writer->extension_owner = palloc_extended(Max(total, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 id = 0; id < writer->nodes; id++)
	{
		uint32		count = count_extensions(writer, id);

		writer->first_extension[id] = count > 0 ? writer->nodes + next : VECIDX_NONE;
		for (uint32 i = 0; i < count; i++)
			writer->extension_owner[next++] = id;
	}
}

/* Gives numbers to upper slots, in the order of their nodes' ids. */
static uint32 *
number_uppers(Writer *writer)
{
	uint32		count = 0;
	uint32		next = 0;
	uint32	   *uppers = palloc_extended(writer->points->count * sizeof(uint32), MCXT_ALLOC_HUGE);

	for (int level = 1; level <= writer->levels->top; level++)
		count += writer->levels->level[level].count;
	writer->upper_nodes = palloc_extended(Max(count, 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	for (uint32 id = 0; id < writer->nodes; id++)
	{
		uint32		point = writer->order[id];

		uppers[point] = writer->points->levels[point] > 0 ? next : VECIDX_NONE;
		for (int level = 1; level <= writer->points->levels[point]; level++)
			writer->upper_nodes[next++] = point;
	}
	writer->upper_count = next;
	return uppers;
}

static uint32 *
number_points(const Writer *writer)
{
	uint32	   *ids = palloc_extended(writer->points->count * sizeof(uint32), MCXT_ALLOC_HUGE);

	for (uint32 id = 0; id < writer->nodes; id++)
	{
		for (uint32 point = writer->order[id]; point != VECIDX_NONE; point = writer->points->twins[point])
			ids[point] = id;
	}
	return ids;
}

/* Slot contents. */

static void
make_code(Writer *writer, uint32 id)
{
	VecIdxCodeSlot *slot = (VecIdxCodeSlot *) writer->slot;

	if (id < writer->nodes)
		memcpy(slot, vecidx_points_code(writer->points, writer->order[id]), writer->layout.run[VECIDX_RUN_CODE].size);
	else
		slot->state = VECIDX_EXTENSION;
	slot->mark = vecidx_layout_mark(&writer->layout, id);
}

static void
make_rerank(Writer *writer, uint32 id)
{
	VecIdxRerankSlot *slot = (VecIdxRerankSlot *) writer->slot;
	VecIdxQuantParams params = vecidx_layout_quant(writer->fixed);

	slot->node = id;
	slot->version = 1;
	if (id < writer->nodes)
		memcpy(slot + 1, vecidx_points_vector(writer->points, writer->order[id]), vecidx_quant_rerank_size(&params));
}

static void
make_node(Writer *writer, uint32 id, VecIdxAdjacencySlot *slot)
{
	uint32		point = writer->order[id];
	const uint32 *neighbours;
	int			count = vecidx_levels_neighbours(writer->levels, 0, point, &neighbours);

	slot->state = VECIDX_LIVE;
	slot->level = writer->points->levels[point];
	slot->upper = writer->uppers[point];
	slot->next = writer->first_extension[id];
	for (; point != VECIDX_NONE && slot->tids < VECIDX_INLINE_TIDS; point = writer->points->twins[point])
		slot->tid[slot->tids++] = writer->points->tids[point];
	slot->neighbours = count;
	for (int i = 0; i < count; i++)
		VecIdxAdjacencyNeighbours(slot)[i] = writer->ids[neighbours[i]];
}

/* Extensions are made in order: those of one owner follow each other. */
static void
make_extension(Writer *writer, uint32 id, VecIdxAdjacencySlot *slot)
{
	uint32		owner = writer->extension_owner[id - writer->nodes];
	bool		last = id + 1 == writer->capacity || writer->extension_owner[id + 1 - writer->nodes] != owner;
	char	   *tids = (char *) slot->tid;

	if (id == writer->first_extension[owner])
	{
		writer->twin = writer->order[owner];
		for (int i = 0; i < VECIDX_INLINE_TIDS; i++)
			writer->twin = writer->points->twins[writer->twin];
	}
	slot->state = VECIDX_EXTENSION;
	slot->upper = owner;
	slot->next = last ? VECIDX_NONE : id + 1;
	while (writer->twin != VECIDX_NONE && slot->tids < VecIdxExtensionTids(writer->fixed->m))
	{
		memcpy(tids + slot->tids++ * sizeof(ItemPointerData), &writer->points->tids[writer->twin], sizeof(ItemPointerData));
		writer->twin = writer->points->twins[writer->twin];
	}
}

static void
make_adjacency(Writer *writer, uint32 id)
{
	VecIdxAdjacencySlot *slot = (VecIdxAdjacencySlot *) writer->slot;

	slot->node = id;
	slot->version = 1;
	if (id < writer->nodes)
		make_node(writer, id, slot);
	else
		make_extension(writer, id, slot);
}

static void
make_upper(Writer *writer, uint32 upper)
{
	VecIdxUpperSlot *slot = (VecIdxUpperSlot *) writer->slot;
	VecIdxUpperLink *links = VecIdxUpperLinks(slot);
	uint32		point = writer->upper_nodes[upper];
	int			level = upper - writer->uppers[point] + 1;
	const uint32 *neighbours;
	int			count = vecidx_levels_neighbours(writer->levels, level, point, &neighbours);

	slot->node = writer->ids[point];
	slot->state = VECIDX_LIVE;
	slot->level = level;
	slot->links = count;
	for (int i = 0; i < count; i++)
	{
		links[i].node = writer->ids[neighbours[i]];
		links[i].upper = writer->uppers[neighbours[i]] + level - 1;
	}
}

static void
make_slot(Writer *writer, VecIdxRunKind run, uint32 slot)
{
	memset(writer->slot, 0, writer->layout.run[run].size);
	switch (run)
	{
		case VECIDX_RUN_CODE:
			make_code(writer, slot);
			break;
		case VECIDX_RUN_ADJACENCY:
			make_adjacency(writer, slot);
			break;
		case VECIDX_RUN_UPPER:
			make_upper(writer, slot);
			break;
		default:
			make_rerank(writer, slot);
			break;
	}
	vecidx_slot_seal(&writer->layout, run, writer->slot);
}

/* Pages. */

static void
write_page(Writer *writer)
{
	CHECK_FOR_INTERRUPTS();
	vecidx_page_create(writer->index, MAIN_FORKNUM, writer->next++, writer->image.data, false);
}

static void
write_spanning(Writer *writer, const VecIdxRun *run, uint32 slot)
{
	uint32		done = 0;

	for (uint32 i = 0; i < run->span; i++)
	{
		uint32		count = Min(run->size - done, (uint32) VECIDX_PAGE_USABLE);

		vecidx_page_init(writer->image.data, run->kind, slot);
		memcpy(writer->image.data + VECIDX_PAGE_START, writer->slot + done, count);
		write_page(writer);
		done += count;
	}
}

/* Writes a run of the base extent; slots behind "used" stay zero. */
static void
write_run(Writer *writer, VecIdxRunKind kind, uint32 used)
{
	const VecIdxRun *run = &writer->layout.run[kind];
	BlockNumber end = writer->next + vecidx_layout_run_pages(&writer->layout, 0, kind);
	uint32		slot = 0;

	while (writer->next < end)
	{
		if (run->per_page == 0)
		{
			if (slot < used)
				make_slot(writer, kind, slot);
			else
				memset(writer->slot, 0, run->size);
			write_spanning(writer, run, slot++);
			continue;
		}
		vecidx_page_init(writer->image.data, run->kind, slot);
		for (uint32 i = 0; i < run->per_page; i++, slot++)
		{
			if (slot >= used)
				continue;
			make_slot(writer, kind, slot);
			memcpy(writer->image.data + VECIDX_PAGE_START + i * run->size, writer->slot, run->size);
		}
		write_page(writer);
	}
}

static void
write_centroid(Writer *writer, VecIdxMetaFixed *fixed, const float *centroid)
{
	uint32		done = 0;

	fixed->centroid_block = writer->next;
	fixed->centroid_pages = 0;
	fixed->centroid_crc = vecidx_crc(centroid, fixed->dimensions * sizeof(float));
	while (done < fixed->dimensions)
	{
		uint32		count = Min(VECIDX_CENTROID_FLOATS, fixed->dimensions - done);

		vecidx_page_init(writer->image.data, VECIDX_PAGE_CENTROID, fixed->centroid_pages++);
		memcpy(PageGetContents((Page) writer->image.data), centroid + done, count * sizeof(float));
		write_page(writer);
		done += count;
	}
}

/* The metapage comes last in time though first in the file: block 0 was made before. */
static void
write_meta(Writer *writer, BlockNumber extent)
{
	VecIdxHandle *handle = vecidx_handle_acquire(writer->index);
	VecIdxEdit	edit;
	VecIdxMeta *meta;
	int			level = writer->levels->top;
	uint32		entry = vecidx_weave_point(&writer->levels->level[level], 0);

	vecidx_edit_begin(&edit, writer->index, false);
	meta = vecidx_meta_edit(&edit, handle);
	memcpy(&meta->fixed, writer->fixed, sizeof(VecIdxMetaFixed));
	meta->state.nodes = writer->capacity;
	meta->state.uppers = writer->upper_count;
	meta->state.extensions = writer->capacity - writer->nodes;
	meta->state.entry = writer->ids[entry];
	meta->state.entry_level = level;
	if (level > 0)
		meta->state.entry_upper = writer->uppers[entry] + level - 1;
	for (int i = 1; i <= level; i++)
		meta->state.level_nodes[i] = writer->levels->level[i].count;
	meta->state.extents = 1;
	meta->extent[0] = extent;
	meta->state.end = writer->next;
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
	vecidx_handle_refresh(handle);
	vecidx_handle_release(handle);
}

void
vecidx_write_empty(Relation index, ForkNumber fork, const VecIdxMetaFixed *fixed, bool logged)
{
	PGAlignedBlock image;

	vecidx_meta_init(image.data, fixed);
	vecidx_page_create(index, fork, VECIDX_METAPAGE_BLOCK, image.data, logged);
}

static Size
largest_slot(const VecIdxLayout *layout)
{
	Size		size = 0;

	for (int run = 0; run < VECIDX_RUNS; run++)
		size = Max(size, layout->run[run].size);
	return size;
}

/* The first extent behind the base is about 1/64 of it: little is wasted, few extents are needed. */
static uint32
choose_growth(uint32 capacity)
{
	uint32		growth = VECIDX_MIN_GROWTH;

	while (growth < VECIDX_MAX_GROWTH && growth < capacity / 64)
		growth *= 2;
	return growth;
}

uint32 *
vecidx_write_index(Relation index, VecIdxMetaFixed *fixed, const float *centroid, const VecIdxLevels *levels, uint32 reserve)
{
	Writer	   *writer = palloc0(sizeof(Writer));
	BlockNumber extent;

	vecidx_layout_init(&writer->layout, fixed);
	writer->index = index;
	writer->fixed = fixed;
	writer->levels = levels;
	writer->points = levels->points;
	writer->nodes = levels->level[0].count;
	writer->order = vecidx_order_nodes(levels, writer->layout.run[VECIDX_RUN_CODE].per_page);
	writer->ids = number_points(writer);
	writer->uppers = number_uppers(writer);
	number_extensions(writer);

	fixed->base_capacity = writer->capacity + reserve;
	fixed->base_upper = Max(vecidx_layout_uppers(fixed->m, writer->nodes), writer->upper_count) +
		vecidx_layout_uppers(fixed->m, reserve);
	fixed->growth = choose_growth(writer->capacity);
	vecidx_layout_init(&writer->layout, fixed);
	writer->slot = palloc(largest_slot(&writer->layout));

	vecidx_write_empty(index, MAIN_FORKNUM, fixed, false);
	writer->next = VECIDX_METAPAGE_BLOCK + 1;
	write_centroid(writer, fixed, centroid);
	extent = writer->next;
	write_run(writer, VECIDX_RUN_CODE, writer->capacity);
	write_run(writer, VECIDX_RUN_ADJACENCY, writer->capacity);
	write_run(writer, VECIDX_RUN_UPPER, writer->upper_count);
	write_run(writer, VECIDX_RUN_RERANK, writer->capacity);
	write_meta(writer, extent);
	return (uint32 *) writer->ids;
}
