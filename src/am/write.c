/*
 * write.c
 *	  From rows and their graph to pages.
 *
 * All nodes go into extent 0, which is made to measure.  Each page is written
 * once, by the process that takes it.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/group.h"
#include "am/write.h"
#include "page/filter.h"
#include "page/meta.h"
#include "page/slot.h"

/* Units of a run that a process takes at a time. */
#define PIECE			32

/* One in so many places of a list may go to links of the level above. */
#define SKELETON_SHARE	4

struct VecIdxWriter
{
	/* fixed */
	VecIdxWritePlan plan;
	const VecIdxRoll *roll;
	const VecIdxNumbers *numbers;
	VecIdxLayout layout;
	uint32		nodes;
	uint32		capacity;		/* nodes and extensions */
	int			room;			/* of a list on level 0 */
	BlockNumber extent;			/* its first block */

	/* changes */
	PGAlignedBlock image;
	char	   *slot;			/* largest slot */
	char	   *record;
	char	   *twin_record;
};

/* Rows. */

static const char *
fetch_row(VecIdxWriter *writer, uint32 row)
{
	return vecidx_load_fetch(writer->plan.load, row, writer->record);
}

/*
 * Rows were taken for twins because a hash of 64 bits was the same.  Should
 * vectors differ all the same (one build in 10^8 of a million rows), another
 * rotation makes other vectors, and other hashes.  Codes do not count: rows that
 * differ by less than a step of the rerank vector may have different ones.
 */
static void
check_twins(VecIdxWriter *writer, uint32 id, const char *first)
{
	const VecIdxRoll *roll = writer->roll;
	VecIdxLoad *load = writer->plan.load;
	const uint8 *vector = vecidx_load_vector(load, first);
	Size		size = load->plan.vector_size > 0 ? load->plan.vector_size : load->plan.code_size - sizeof(VecIdxCodeSlot);

	for (uint32 row = roll->twins[roll->firsts[id]]; row != VECIDX_NONE; row = roll->twins[row])
	{
		CHECK_FOR_INTERRUPTS();
		if (memcmp(vector, vecidx_load_vector(load, vecidx_load_fetch(load, row, writer->twin_record)), size) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("two different vectors have the same hash in the build of index \"%s\"",
							RelationGetRelationName(writer->plan.index)),
					 errhint("Build the index again.")));
	}
}

/* Slot contents. */

/* The first of the rows whose TIDs are in a slot. */
static uint32
first_row(const VecIdxWriter *writer, uint32 id)
{
	return id < writer->nodes ? writer->roll->firsts[id] : writer->numbers->extension_row[id - writer->nodes];
}

/* Extensions have a code and a rerank vector where there are filter columns. */
static bool
has_vector(const VecIdxWriter *writer, uint32 id)
{
	return id < writer->nodes || writer->plan.fixed->filter_size > 0;
}

static void
put_tids(const VecIdxWriter *writer, VecIdxAdjacencySlot *slot, uint32 row, uint32 room)
{
	uint32		behind = row;
	uint32		count = vecidx_numbers_slot(writer->roll, &behind, room);

	for (; slot->tids < count; row = writer->roll->twins[row])
		memcpy((char *) slot->tid + slot->tids++ * sizeof(ItemPointerData), &writer->roll->tids[row], sizeof(ItemPointerData));
}

static void
make_code(VecIdxWriter *writer, uint32 id)
{
	VecIdxCodeSlot *slot = (VecIdxCodeSlot *) writer->slot;

	if (has_vector(writer, id))
	{
		const char *row = fetch_row(writer, first_row(writer, id));

		if (id < writer->nodes)
			check_twins(writer, id, row);
		memcpy(slot, vecidx_load_code(row), writer->layout.run[VECIDX_RUN_CODE].size);
	}
	if (id >= writer->nodes)
		slot->state = VECIDX_EXTENSION;
	slot->mark = vecidx_layout_mark(&writer->layout, id);
}

static void
make_rerank(VecIdxWriter *writer, uint32 id)
{
	VecIdxRerankSlot *slot = (VecIdxRerankSlot *) writer->slot;
	VecIdxQuantParams params = vecidx_layout_quant(writer->plan.fixed);

	slot->node = id;
	slot->version = 1;
	if (has_vector(writer, id))
		memcpy(slot + 1, vecidx_load_vector(writer->plan.load, fetch_row(writer, first_row(writer, id))),
			   vecidx_quant_rerank_size(&params));
}

/* The id of a node on upper levels. */
static uint32
tall_id(const VecIdxWriter *writer, uint32 point)
{
	return writer->roll->ids[writer->plan.levels->points->numbers[point]];
}

/* Adds an id to a list that ends at *count, unless it is there; where the list is full in place of number "last". */
static bool
add_link(uint32 *ids, int *count, int room, int last, uint32 id)
{
	for (int i = 0; i < *count; i++)
	{
		if (ids[i] == id)
			return false;
	}
	if (*count < room)
		ids[(*count)++] = id;
	else
		ids[last] = id;
	return true;
}

/*
 * Links of higher levels on a lower one, the highest first, so that what is
 * apart below is connected all the same: some of them take the place of the
 * farthest.  Returns how many links there are then.
 */
static int
add_skeleton(const VecIdxWriter *writer, uint32 point, int level, int room, uint32 *ids, int count)
{
	const VecIdxLevels *levels = writer->plan.levels;
	int			most = room / SKELETON_SHARE;
	int			added = 0;

	for (int above = levels->points->levels[point]; above > level; above--)
	{
		const uint32 *links;
		int			offered = vecidx_levels_neighbours(levels, above, point, &links);

		for (int i = 0; i < offered && added < most; i++)
			added += add_link(ids, &count, room, room - 1 - added, tall_id(writer, links[i]));
	}
	return count;
}

/* The point of a node of a build that had all points in memory at once: there, it has the number of its row. */
static uint32
ground_point(const VecIdxWriter *writer, uint32 id)
{
	const VecIdxPoints *points = writer->plan.levels->points;
	uint32		point = writer->roll->firsts[id];

	while (points->levels[point] == VECIDX_TWIN)
		point = writer->roll->twins[point];
	Assert(points->numbers[point] == point);
	return point;
}

/* Neighbours of a node on level 0, nearest first. */
static int
take_list(const VecIdxWriter *writer, uint32 id, uint32 *ids)
{
	const uint32 *list;
	int			count;

	if (writer->plan.levels->lowest > 0)
	{
		count = vecidx_joined_list(writer->plan.joined, id, &list);
		memcpy(ids, list, count * sizeof(uint32));
		return count;
	}
	count = vecidx_levels_neighbours(writer->plan.levels, 0, ground_point(writer, id), &list);
	for (int i = 0; i < count; i++)
		ids[i] = tall_id(writer, list[i]);
	return count;
}

static void
make_node(VecIdxWriter *writer, uint32 id, VecIdxAdjacencySlot *slot)
{
	const VecIdxNumbers *numbers = writer->numbers;
	uint32		tall = vecidx_numbers_tall(numbers, id);
	uint32	   *ids = VecIdxAdjacencyNeighbours(slot);

	slot->state = VECIDX_LIVE;
	slot->level = tall != VECIDX_NONE ? writer->plan.levels->points->levels[numbers->tall_points[tall]] : 0;
	slot->upper = tall != VECIDX_NONE ? numbers->tall_uppers[tall] : VECIDX_NONE;
	slot->next = vecidx_numbers_extension(numbers, id);
	put_tids(writer, slot, first_row(writer, id), VECIDX_INLINE_TIDS);
	slot->neighbours = take_list(writer, id, ids);
	if (tall != VECIDX_NONE)
		slot->neighbours = add_skeleton(writer, numbers->tall_points[tall], 0, writer->room, ids, slot->neighbours);
}

/* Extensions are made in order: those of one owner follow each other. */
static void
make_extension(VecIdxWriter *writer, uint32 id, VecIdxAdjacencySlot *slot)
{
	uint32		owner = writer->numbers->extension_owner[id - writer->nodes];
	bool		last = id + 1 == writer->capacity || writer->numbers->extension_owner[id + 1 - writer->nodes] != owner;

	slot->state = VECIDX_EXTENSION;
	slot->upper = owner;
	slot->next = last ? VECIDX_NONE : id + 1;
	put_tids(writer, slot, first_row(writer, id), VecIdxExtensionTids(writer->plan.fixed->m));
}

static void
make_adjacency(VecIdxWriter *writer, uint32 id)
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
make_upper(VecIdxWriter *writer, uint32 upper)
{
	VecIdxUpperSlot *slot = (VecIdxUpperSlot *) writer->slot;
	VecIdxUpperLink *links = VecIdxUpperLinks(slot);
	uint32		point = writer->numbers->upper_points[upper];
	uint32		id = tall_id(writer, point);
	int			level = upper - writer->numbers->tall_uppers[vecidx_numbers_tall(writer->numbers, id)] + 1;
	const uint32 *neighbours;
	int			count = vecidx_levels_neighbours(writer->plan.levels, level, point, &neighbours);
	uint32		ids[VECIDX_MAX_M];

	for (int i = 0; i < count; i++)
		ids[i] = tall_id(writer, neighbours[i]);
	count = add_skeleton(writer, point, level, writer->plan.fixed->m, ids, count);
	slot->node = id;
	slot->state = VECIDX_LIVE;
	slot->level = level;
	slot->links = count;
	for (int i = 0; i < count; i++)
	{
		links[i].node = ids[i];
		links[i].upper = writer->numbers->tall_uppers[vecidx_numbers_tall(writer->numbers, links[i].node)] + level - 1;
	}
}

static void
make_slot(VecIdxWriter *writer, VecIdxRunKind run, uint32 slot)
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
write_page(VecIdxWriter *writer, BlockNumber block)
{
	CHECK_FOR_INTERRUPTS();
	vecidx_page_fill(writer->plan.index, block, writer->image.data);
}

static void
write_spanning(VecIdxWriter *writer, const VecIdxRun *run, uint32 slot, BlockNumber block)
{
	uint32		done = 0;

	for (uint32 i = 0; i < run->span; i++)
	{
		uint32		count = Min(run->size - done, (uint32) VECIDX_PAGE_USABLE);

		vecidx_page_init(writer->image.data, run->kind, slot);
		memcpy(writer->image.data + VECIDX_PAGE_START, writer->slot + done, count);
		write_page(writer, block + i);
		done += count;
	}
}

/* Slots that a run has in use; those behind stay zero. */
static uint32
used_slots(const VecIdxWriter *writer, VecIdxRunKind kind)
{
	return kind == VECIDX_RUN_UPPER ? writer->numbers->numbered->uppers : writer->capacity;
}

/* A page of slots. */
static void
write_slots(VecIdxWriter *writer, VecIdxRunKind kind, uint32 page, BlockNumber block)
{
	const VecIdxRun *run = &writer->layout.run[kind];
	uint32		first = page * run->per_page;
	uint32		used = used_slots(writer, kind);

	vecidx_page_init(writer->image.data, run->kind, first);
	for (uint32 i = 0; i < run->per_page && first + i < used; i++)
	{
		make_slot(writer, kind, first + i);
		memcpy(writer->image.data + VECIDX_PAGE_START + i * run->size, writer->slot, run->size);
	}
	write_page(writer, block);
}

/* Have rows of the node other filter rows than the first? */
static bool
has_groups(const VecIdxWriter *writer, uint32 id)
{
	for (uint32 row = writer->roll->firsts[id]; writer->roll->twins[row] != VECIDX_NONE; row = writer->roll->twins[row])
	{
		if (vecidx_group_ends(writer->roll, row))
			return true;
	}
	return false;
}

static void
put_filter(VecIdxWriter *writer, uint32 id, uint32 at)
{
	const VecIdxLoad *load = writer->plan.load;
	const VecIdxFilterShape *shape = &load->plan.shape;
	uint8		row[VECIDX_FILTER_ROOM];

	memcpy(row, vecidx_load_filter(load, fetch_row(writer, first_row(writer, id))), shape->size);
	vecidx_filter_seal(shape, id, id < writer->nodes && has_groups(writer, id), row);
	vecidx_filter_scatter(shape, writer->image.data, writer->layout.run[VECIDX_RUN_FILTER].per_page, at, row);
}

/* A page of filter rows. */
static void
write_filters(VecIdxWriter *writer, uint32 page, BlockNumber block)
{
	const VecIdxRun *run = &writer->layout.run[VECIDX_RUN_FILTER];
	uint32		first = page * run->per_page;

	vecidx_page_init(writer->image.data, run->kind, first);
	for (uint32 at = 0; at < run->per_page && first + at < writer->capacity; at++)
		put_filter(writer, first + at, at);
	write_page(writer, block);
}

/* Pages of a unit: a slot that spans pages, or one page. */
static uint32
unit_pages(const VecIdxWriter *writer, VecIdxRunKind kind)
{
	const VecIdxRun *run = &writer->layout.run[kind];

	return run->per_page == 0 ? Max(run->span, 1) : 1;
}

static void
write_units(VecIdxWriter *writer, VecIdxRunKind kind, uint32 from, uint32 to)
{
	const VecIdxRun *run = &writer->layout.run[kind];
	uint32		pages = unit_pages(writer, kind);
	BlockNumber start = writer->extent + vecidx_layout_run_start(&writer->layout, 0, kind);

	vecidx_buffer_extend(writer->plan.index, start + to * pages);
	for (uint32 unit = from; unit < to; unit++)
	{
		BlockNumber block = start + unit * pages;

		if (kind == VECIDX_RUN_FILTER)
			write_filters(writer, unit, block);
		else if (run->per_page > 0)
			write_slots(writer, kind, unit, block);
		else
		{
			memset(writer->slot, 0, run->size);
			if (unit < used_slots(writer, kind))
				make_slot(writer, kind, unit);
			write_spanning(writer, run, unit, block);
		}
	}
}

void
vecidx_write_units(VecIdxWriter *writer, const VecIdxWriteTask *task, VecIdxDeal *deal)
{
	uint32		total = 0;
	uint32		from;
	uint32		to;

	for (int kind = 0; kind < VECIDX_RUNS; kind++)
		total += task->to[kind] - task->from[kind];
	while (vecidx_deal_take(deal, PIECE, total, &from, &to))
	{
		uint32		before = 0;

		for (int kind = 0; kind < VECIDX_RUNS; kind++)
		{
			uint32		count = task->to[kind] - task->from[kind];
			uint32		low = Max(from, before);
			uint32		high = Min(to, before + count);

			if (low < high)
				write_units(writer, kind, task->from[kind] + low - before, task->from[kind] + high - before);
			before += count;
		}
	}
}

void
vecidx_write_all(const VecIdxWriter *writer, VecIdxWriteTask *task)
{
	for (int kind = 0; kind < VECIDX_RUNS; kind++)
	{
		task->from[kind] = 0;
		task->to[kind] = vecidx_layout_run_pages(&writer->layout, 0, kind) / unit_pages(writer, kind);
	}
}

uint32
vecidx_writer_per_page(const VecIdxWriter *writer)
{
	return writer->layout.run[VECIDX_RUN_ADJACENCY].per_page;
}

/* Beginning and end, by the leader. */

static void
write_centroid(Relation index, const VecIdxMetaFixed *fixed, const float *centroid)
{
	uint32		done = 0;

	for (uint32 page = 0; page < fixed->centroid_pages; page++)
	{
		PGAlignedBlock image;
		uint32		count = Min(VECIDX_CENTROID_FLOATS, fixed->dimensions - done);

		vecidx_page_init(image.data, VECIDX_PAGE_CENTROID, page);
		memcpy(PageGetContents((Page) image.data), centroid + done, count * sizeof(float));
		vecidx_page_create(index, MAIN_FORKNUM, fixed->centroid_block + page, image.data, false);
		done += count;
	}
}

/* The node where searches start: one of the highest level. */
static void
set_entry(VecIdxWriter *writer, VecIdxMetaState *state)
{
	const VecIdxLevels *levels = writer->plan.levels;
	uint32		tall;

	state->entry = 0;
	state->entry_upper = VECIDX_NONE;
	state->entry_level = 0;
	if (writer->numbers->numbered->tall == 0)
		return;
	state->entry_level = levels->highest;
	state->entry = tall_id(writer, vecidx_weave_point(&levels->level[levels->highest], 0));
	tall = vecidx_numbers_tall(writer->numbers, state->entry);
	state->entry_upper = writer->numbers->tall_uppers[tall] + levels->highest - 1;
	for (int level = 1; level <= levels->highest; level++)
		state->level_nodes[level] = levels->level[level].count;
}

/* The metapage comes last in time though first in the file: block 0 was made before. */
void
vecidx_write_meta(VecIdxWriter *writer)
{
	VecIdxHandle *handle = vecidx_handle_acquire(writer->plan.index);
	VecIdxEdit	edit;
	VecIdxMeta *meta;

	vecidx_edit_begin(&edit, writer->plan.index, false);
	meta = vecidx_meta_edit(&edit, handle);
	memcpy(&meta->fixed, writer->plan.fixed, sizeof(VecIdxMetaFixed));
	meta->state.nodes = writer->capacity;
	meta->state.uppers = writer->numbers->numbered->uppers;
	meta->state.extensions = writer->capacity - writer->nodes;
	set_entry(writer, &meta->state);
	meta->state.extents = 1;
	meta->extent[0] = writer->extent;
	meta->state.end = writer->extent + (BlockNumber) vecidx_layout_extent_pages(&writer->layout, 0);
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

/* Fixes what the extent holds, and with it where everything lies. */
static void
fix_extent(const struct VecIdxNumbered *numbered, uint32 reserve, VecIdxMetaFixed *fixed)
{
	fixed->base_capacity = numbered->capacity + reserve;
	fixed->base_upper = Max(vecidx_layout_uppers(fixed->m, numbered->nodes), numbered->uppers) +
		vecidx_layout_uppers(fixed->m, reserve);
	fixed->growth = choose_growth(numbered->capacity);
}

void
vecidx_write_begin(const struct VecIdxNumbered *numbered, Relation index, const float *centroid, uint32 reserve,
				   VecIdxMetaFixed *fixed)
{
	fix_extent(numbered, reserve, fixed);
	fixed->centroid_block = VECIDX_METAPAGE_BLOCK + 1;
	fixed->centroid_crc = vecidx_crc(centroid, fixed->dimensions * sizeof(float));
	fixed->centroid_pages = (fixed->dimensions + VECIDX_CENTROID_FLOATS - 1) / VECIDX_CENTROID_FLOATS;
	vecidx_write_empty(index, MAIN_FORKNUM, fixed, false);
	write_centroid(index, fixed, centroid);
}

VecIdxWriter *
vecidx_writer_create(const VecIdxWritePlan *plan)
{
	VecIdxWriter *writer = palloc0(sizeof(VecIdxWriter));

	writer->plan = *plan;
	writer->roll = plan->roll;
	writer->numbers = plan->numbers;
	writer->nodes = plan->numbers->numbered->nodes;
	writer->capacity = plan->numbers->numbered->capacity;
	writer->room = plan->load->room;
	vecidx_layout_init(&writer->layout, plan->fixed);
	writer->extent = plan->fixed->centroid_block + plan->fixed->centroid_pages;
	writer->slot = palloc(largest_slot(&writer->layout));
	writer->record = palloc(plan->load->sizes[VECIDX_LOAD_ROW]);
	writer->twin_record = palloc(plan->load->sizes[VECIDX_LOAD_ROW]);
	return writer;
}
