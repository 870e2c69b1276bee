/*
 * write.c
 *	  From rows and their graph to pages.
 *
 * All nodes go into extent 0, which is made to measure.  Pages are written
 * once, in block order, so what they hold is wanted in the order of ids: the
 * lists of a cell are read when the first of its nodes is reached, and rows
 * are read as they are wanted, or all at once if there is memory for that.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "am/group.h"
#include "am/write.h"
#include "graph/order.h"
#include "page/filter.h"
#include "page/meta.h"
#include "page/slot.h"

/* One in so many places of a list may go to links of the level above. */
#define SKELETON_SHARE	4

/* A list while it is put together of one or two; nearest first. */
typedef struct Joined
{
	uint32		count;
	uint32		neighbours[FLEXIBLE_ARRAY_MEMBER];	/* numbers; distances follow behind room of them */
} Joined;

typedef struct Writer
{
	/* fixed */
	const VecIdxWritePlan *plan;
	const VecIdxRoll *roll;
	const VecIdxMetaFixed *fixed;
	VecIdxLayout layout;
	uint32		nodes;
	uint32		capacity;		/* nodes and extensions */
	int			room;			/* of a list on level 0 */
	uint32		tall;			/* nodes that stand on upper levels */
	uint32	   *tall_ids;		/* their ids, ascending */
	uint32	   *tall_points;	/* and their points in levels */
	uint32	   *tall_uppers;	/* and their upper slots of level 1 */
	uint32		upper_count;
	uint32	   *upper_points;	/* upper slot -> point in levels */
	uint32	   *extension_owner;	/* extension, from 0 -> id of the node */
	uint32	   *extension_row;	/* and its first row */
	uint32	   *first_extension;	/* id of a node -> its first extension's id, or none */

	/* changes */
	BlockNumber next;			/* block to write next */
	PGAlignedBlock image;
	char	   *slot;			/* largest slot */
	char	   *rows;			/* records of all rows, or NULL: read one by one */
	char	   *record;
	char	   *twin_record;
	int			cell;			/* whose lists there are */
	uint32		cell_start;		/* id of its first node */
	Size		joined_size;
	char	   *joined;			/* of each of its nodes */
} Writer;

/* The roll. */

static void *
allocate(Size size)
{
	return palloc_extended(Max(size, 1), MCXT_ALLOC_HUGE);
}

void
vecidx_roll_init(VecIdxRoll *roll, uint32 rows, int cells, ItemPointerData *tids)
{
	roll->rows = rows;
	roll->nodes = 0;
	roll->ids = allocate((Size) rows * sizeof(uint32));
	roll->twins = allocate((Size) rows * sizeof(uint32));
	roll->firsts = allocate((Size) rows * sizeof(uint32));
	roll->tids = tids;
	roll->ends = allocate(cells * sizeof(uint32));
	roll->groups = NULL;
}

/* Rows of a node are all at home in the same cell, as their sketches are equal. */
void
vecidx_roll_enter(VecIdxRoll *roll, int cell, const VecIdxPoints *points, const uint32 *order, uint32 nodes)
{
	for (uint32 i = 0; i < nodes; i++)
	{
		uint32		id = roll->nodes++;

		roll->firsts[id] = points->numbers[order[i]];
		for (uint32 point = order[i]; point != VECIDX_NONE; point = points->twins[point])
		{
			uint32		twin = points->twins[point];

			roll->ids[points->numbers[point]] = id;
			roll->twins[points->numbers[point]] = twin != VECIDX_NONE ? points->numbers[twin] : VECIDX_NONE;
		}
	}
	roll->ends[cell] = roll->nodes;
}

void
vecidx_roll_free(VecIdxRoll *roll)
{
	pfree(roll->ids);
	pfree(roll->twins);
	pfree(roll->firsts);
	pfree(roll->ends);
	if (roll->groups != NULL)
		pfree(roll->groups);
}

/* Numbering. */

/* Rows of a node that go into a slot with room for so many TIDs, from *row on; that becomes the one behind them, or none. */
static uint32
fill_slot(const Writer *writer, uint32 *row, uint32 room)
{
	uint32		count = 0;
	bool		last = false;

	for (; *row != VECIDX_NONE && count < room && !last; count++)
	{
		last = vecidx_group_ends(writer->roll, *row);
		*row = writer->roll->twins[*row];
	}
	return count;
}

/* Extensions that a node needs for the heap rows that do not go into its own slot. */
static uint32
count_extensions(const Writer *writer, uint32 id)
{
	uint32		row = writer->roll->firsts[id];
	uint32		count = 0;

	for (fill_slot(writer, &row, VECIDX_INLINE_TIDS); row != VECIDX_NONE; count++)
		fill_slot(writer, &row, VecIdxExtensionTids(writer->fixed->m));
	return count;
}

/* Gives ids behind the nodes' to the extensions. */
static void
number_extensions(Writer *writer)
{
	uint32		total = 0;
	uint32		next = 0;

	writer->first_extension = allocate((Size) writer->nodes * sizeof(uint32));
	for (uint32 id = 0; id < writer->nodes; id++)
		total += count_extensions(writer, id);
	writer->capacity = writer->nodes + total;
	writer->extension_owner = allocate((Size) total * sizeof(uint32));
	writer->extension_row = allocate((Size) total * sizeof(uint32));
	for (uint32 id = 0; id < writer->nodes; id++)
	{
		uint32		row = writer->roll->firsts[id];

		CHECK_FOR_INTERRUPTS();
		fill_slot(writer, &row, VECIDX_INLINE_TIDS);
		writer->first_extension[id] = row != VECIDX_NONE ? writer->nodes + next : VECIDX_NONE;
		while (row != VECIDX_NONE)
		{
			writer->extension_owner[next] = id;
			writer->extension_row[next++] = row;
			fill_slot(writer, &row, VecIdxExtensionTids(writer->fixed->m));
		}
	}
}

static int
compare_ids(const void *a, const void *b, void *ids)
{
	uint32		x = ((const uint32 *) ids)[*(const uint32 *) a];
	uint32		y = ((const uint32 *) ids)[*(const uint32 *) b];

	return (x > y) - (x < y);
}

/* Gives numbers to upper slots, in the order of their nodes' ids. */
static void
number_uppers(Writer *writer)
{
	const VecIdxLevels *levels = writer->plan->levels;
	const VecIdxPoints *points = levels->points;
	uint32		next = 0;
	uint32	   *ids = allocate((Size) points->count * sizeof(uint32));

	writer->tall_points = allocate((Size) points->count * sizeof(uint32));
	for (uint32 point = 0; point < points->count; point++)
	{
		ids[point] = writer->roll->ids[points->numbers[point]];
		if (points->levels[point] == VECIDX_TWIN || points->levels[point] == 0)
			continue;
		writer->tall_points[writer->tall++] = point;
		writer->upper_count += points->levels[point];
	}
	qsort_arg(writer->tall_points, writer->tall, sizeof(uint32), compare_ids, ids);
	writer->tall_ids = allocate((Size) writer->tall * sizeof(uint32));
	writer->tall_uppers = allocate((Size) writer->tall * sizeof(uint32));
	writer->upper_points = allocate((Size) writer->upper_count * sizeof(uint32));
	for (uint32 i = 0; i < writer->tall; i++)
	{
		uint32		point = writer->tall_points[i];

		writer->tall_ids[i] = ids[point];
		writer->tall_uppers[i] = next;
		for (int level = 1; level <= points->levels[point]; level++)
			writer->upper_points[next++] = point;
	}
	pfree(ids);
}

/* The place of a node among those on upper levels, or none. */
static uint32
find_tall(const Writer *writer, uint32 id)
{
	uint32		low = 0;
	uint32		high = writer->tall;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (writer->tall_ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < writer->tall && writer->tall_ids[low] == id ? low : VECIDX_NONE;
}

/* Rows. */

typedef struct RowCopy
{
	char	   *to;				/* of record 0 */
	Size		size;
	uint64		first;
} RowCopy;

static void
copy_row(void *state, uint64 number, const void *record)
{
	RowCopy    *copy = state;

	memcpy(copy->to + (number - copy->first) * copy->size, record, copy->size);
}

/* Reads all rows, if there is memory for them. */
static void
keep_rows(Writer *writer)
{
	VecIdxLoad *load = writer->plan->load;
	Size		size = load->sizes[VECIDX_LOAD_ROW];
	RowCopy		copy = {NULL, size, 0};

	writer->record = palloc(size);
	writer->twin_record = palloc(size);
	if ((double) size * writer->roll->rows > writer->plan->memory)
		return;
	writer->rows = allocate(size * writer->roll->rows);
	copy.to = writer->rows;
	vecidx_spool_read(&load->spools[VECIDX_LOAD_ROW][0], 0, writer->roll->rows, load->record, copy_row, &copy);
}

/* The record of a row; scratch has room for one. */
static const char *
fetch_row(Writer *writer, uint32 row, char *scratch)
{
	VecIdxLoad *load = writer->plan->load;
	Size		size = load->sizes[VECIDX_LOAD_ROW];
	RowCopy		copy = {scratch, size, row};

	if (writer->rows != NULL)
		return writer->rows + size * row;
	vecidx_spool_read(&load->spools[VECIDX_LOAD_ROW][0], row, (uint64) row + 1, load->record, copy_row, &copy);
	return scratch;
}

/* For vecidx_group_rows. */
static const uint8 *
fetch_filter(void *state, uint32 row)
{
	Writer	   *writer = state;

	return vecidx_load_filter(writer->plan->load, fetch_row(writer, row, writer->twin_record));
}

/*
 * Rows were taken for twins because a hash of 64 bits was the same.  Should
 * vectors differ all the same (one build in 10^8 of a million rows), another
 * rotation makes other vectors, and other hashes.  Codes do not count: rows that
 * differ by less than a step of the rerank vector may have different ones.
 */
static void
check_twins(Writer *writer, uint32 id, const char *first)
{
	const VecIdxRoll *roll = writer->roll;
	VecIdxLoad *load = writer->plan->load;
	const uint8 *vector = vecidx_load_vector(load, first);
	Size		size = load->plan.vector_size > 0 ? load->plan.vector_size : load->plan.code_size - sizeof(VecIdxCodeSlot);

	for (uint32 row = roll->twins[roll->firsts[id]]; row != VECIDX_NONE; row = roll->twins[row])
	{
		CHECK_FOR_INTERRUPTS();
		if (memcmp(vector, vecidx_load_vector(load, fetch_row(writer, row, writer->twin_record)), size) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("two different vectors have the same hash in the build of index \"%s\"",
							RelationGetRelationName(writer->plan->index)),
					 errhint("Build the index again.")));
	}
}

/* Lists. */

static inline Joined *
joined_of(const Writer *writer, uint32 id)
{
	return (Joined *) (writer->joined + (Size) (id - writer->cell_start) * writer->joined_size);
}

static inline float *
joined_distances(const Writer *writer, Joined *joined)
{
	return (float *) (joined->neighbours + writer->room);
}

/* Enters a neighbour in order of distance, unless it is there; the farthest gives way. */
static void
join_neighbour(const Writer *writer, Joined *joined, uint32 number, float distance)
{
	float	   *distances = joined_distances(writer, joined);
	uint32		id = writer->roll->ids[number];
	uint32		at;

	for (uint32 i = 0; i < joined->count; i++)
	{
		if (joined->neighbours[i] == id)
			return;
	}
	if (joined->count == (uint32) writer->room && !(distance < distances[joined->count - 1]))
		return;
	at = joined->count < (uint32) writer->room ? joined->count++ : joined->count - 1;
	for (; at > 0 && distances[at - 1] > distance; at--)
	{
		joined->neighbours[at] = joined->neighbours[at - 1];
		distances[at] = distances[at - 1];
	}
	joined->neighbours[at] = id;
	distances[at] = distance;
}

static void
join_list(void *state, uint64 number pg_attribute_unused(), const void *record)
{
	Writer	   *writer = state;
	const VecIdxLoadList *list = record;
	const float *distances = vecidx_load_distances(writer->plan->load, list);
	Joined	   *joined = joined_of(writer, writer->roll->ids[list->number]);

	for (uint32 i = 0; i < list->count; i++)
		join_neighbour(writer, joined, list->neighbours[i], distances[i]);
}

/* Reads the lists of the cell that a node belongs to; nodes come in order. */
static void
reach_cell(Writer *writer, uint32 id)
{
	VecIdxLoad *load = writer->plan->load;

	if (writer->cell >= 0 && id < writer->roll->ends[writer->cell])
		return;
	do
	{
		writer->cell_start = writer->cell < 0 ? 0 : writer->roll->ends[writer->cell];
		writer->cell++;
	} while (writer->roll->ends[writer->cell] <= id);
	if (writer->joined != NULL)
		pfree(writer->joined);
	writer->joined = palloc_extended((writer->roll->ends[writer->cell] - writer->cell_start) * writer->joined_size,
									 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	vecidx_spool_read(&load->spools[VECIDX_LOAD_LIST][writer->cell], 0,
					  vecidx_spool_total(&load->spools[VECIDX_LOAD_LIST][writer->cell]), load->record, join_list, writer);
}

/* Slot contents. */

/* The first of the rows whose TIDs are in a slot. */
static uint32
first_row(const Writer *writer, uint32 id)
{
	return id < writer->nodes ? writer->roll->firsts[id] : writer->extension_row[id - writer->nodes];
}

/* Extensions have a code and a rerank vector where there are filter columns. */
static bool
has_vector(const Writer *writer, uint32 id)
{
	return id < writer->nodes || writer->fixed->filter_size > 0;
}

static void
put_tids(const Writer *writer, VecIdxAdjacencySlot *slot, uint32 row, uint32 room)
{
	uint32		behind = row;
	uint32		count = fill_slot(writer, &behind, room);

	for (; slot->tids < count; row = writer->roll->twins[row])
		memcpy((char *) slot->tid + slot->tids++ * sizeof(ItemPointerData), &writer->roll->tids[row], sizeof(ItemPointerData));
}

static void
make_code(Writer *writer, uint32 id)
{
	VecIdxCodeSlot *slot = (VecIdxCodeSlot *) writer->slot;

	if (has_vector(writer, id))
	{
		const char *row = fetch_row(writer, first_row(writer, id), writer->record);

		if (id < writer->nodes)
			check_twins(writer, id, row);
		memcpy(slot, vecidx_load_code(row), writer->layout.run[VECIDX_RUN_CODE].size);
	}
	if (id >= writer->nodes)
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
	if (has_vector(writer, id))
		memcpy(slot + 1, vecidx_load_vector(writer->plan->load, fetch_row(writer, first_row(writer, id), writer->record)),
			   vecidx_quant_rerank_size(&params));
}

/* The id of a node on upper levels. */
static uint32
tall_id(const Writer *writer, uint32 point)
{
	return writer->roll->ids[writer->plan->levels->points->numbers[point]];
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
add_skeleton(const Writer *writer, uint32 point, int level, int room, uint32 *ids, int count)
{
	const VecIdxLevels *levels = writer->plan->levels;
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

static void
make_node(Writer *writer, uint32 id, VecIdxAdjacencySlot *slot)
{
	uint32		tall = find_tall(writer, id);
	const Joined *joined;

	reach_cell(writer, id);
	joined = joined_of(writer, id);
	slot->state = VECIDX_LIVE;
	slot->level = tall != VECIDX_NONE ? writer->plan->levels->points->levels[writer->tall_points[tall]] : 0;
	slot->upper = tall != VECIDX_NONE ? writer->tall_uppers[tall] : VECIDX_NONE;
	slot->next = writer->first_extension[id];
	put_tids(writer, slot, first_row(writer, id), VECIDX_INLINE_TIDS);
	memcpy(VecIdxAdjacencyNeighbours(slot), joined->neighbours, joined->count * sizeof(uint32));
	slot->neighbours = joined->count;
	if (tall != VECIDX_NONE)
		slot->neighbours = add_skeleton(writer, writer->tall_points[tall], 0, writer->room,
										VecIdxAdjacencyNeighbours(slot), joined->count);
}

/* Extensions are made in order: those of one owner follow each other. */
static void
make_extension(Writer *writer, uint32 id, VecIdxAdjacencySlot *slot)
{
	uint32		owner = writer->extension_owner[id - writer->nodes];
	bool		last = id + 1 == writer->capacity || writer->extension_owner[id + 1 - writer->nodes] != owner;

	slot->state = VECIDX_EXTENSION;
	slot->upper = owner;
	slot->next = last ? VECIDX_NONE : id + 1;
	put_tids(writer, slot, first_row(writer, id), VecIdxExtensionTids(writer->fixed->m));
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
	uint32		point = writer->upper_points[upper];
	uint32		id = tall_id(writer, point);
	int			level = upper - writer->tall_uppers[find_tall(writer, id)] + 1;
	const uint32 *neighbours;
	int			count = vecidx_levels_neighbours(writer->plan->levels, level, point, &neighbours);
	uint32		ids[VECIDX_MAX_M];

	for (int i = 0; i < count; i++)
		ids[i] = tall_id(writer, neighbours[i]);
	count = add_skeleton(writer, point, level, writer->fixed->m, ids, count);
	slot->node = id;
	slot->state = VECIDX_LIVE;
	slot->level = level;
	slot->links = count;
	for (int i = 0; i < count; i++)
	{
		links[i].node = ids[i];
		links[i].upper = writer->tall_uppers[find_tall(writer, links[i].node)] + level - 1;
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
	vecidx_page_create(writer->plan->index, MAIN_FORKNUM, writer->next++, writer->image.data, false);
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

/* Have rows of the node other filter rows than the first? */
static bool
has_groups(const Writer *writer, uint32 id)
{
	for (uint32 row = writer->roll->firsts[id]; writer->roll->twins[row] != VECIDX_NONE; row = writer->roll->twins[row])
	{
		if (vecidx_group_ends(writer->roll, row))
			return true;
	}
	return false;
}

static void
put_filter(Writer *writer, uint32 id, uint32 at)
{
	const VecIdxLoad *load = writer->plan->load;
	const VecIdxFilterShape *shape = &load->plan.shape;
	uint8		row[VECIDX_FILTER_ROOM];

	memcpy(row, vecidx_load_filter(load, fetch_row(writer, first_row(writer, id), writer->record)), shape->size);
	vecidx_filter_seal(shape, id, id < writer->nodes && has_groups(writer, id), row);
	vecidx_filter_scatter(shape, writer->image.data, writer->layout.run[VECIDX_RUN_FILTER].per_page, at, row);
}

static void
write_filters(Writer *writer)
{
	const VecIdxRun *run = &writer->layout.run[VECIDX_RUN_FILTER];
	BlockNumber end = writer->next + vecidx_layout_run_pages(&writer->layout, 0, VECIDX_RUN_FILTER);
	uint32		id = 0;

	while (writer->next < end)
	{
		vecidx_page_init(writer->image.data, run->kind, id);
		for (uint32 at = 0; at < run->per_page && id + at < writer->capacity; at++)
			put_filter(writer, id + at, at);
		id += run->per_page;
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

/* The node where searches start: one of the highest level. */
static void
set_entry(Writer *writer, VecIdxMetaState *state)
{
	const VecIdxLevels *levels = writer->plan->levels;
	uint32		tall;

	state->entry = 0;
	state->entry_upper = VECIDX_NONE;
	state->entry_level = 0;
	if (writer->tall == 0)
		return;
	state->entry_level = levels->highest;
	state->entry = tall_id(writer, vecidx_weave_point(&levels->level[levels->highest], 0));
	tall = find_tall(writer, state->entry);
	state->entry_upper = writer->tall_uppers[tall] + levels->highest - 1;
	for (int level = 1; level <= levels->highest; level++)
		state->level_nodes[level] = levels->level[level].count;
}

/* The metapage comes last in time though first in the file: block 0 was made before. */
static void
write_meta(Writer *writer, BlockNumber extent)
{
	VecIdxHandle *handle = vecidx_handle_acquire(writer->plan->index);
	VecIdxEdit	edit;
	VecIdxMeta *meta;

	vecidx_edit_begin(&edit, writer->plan->index, false);
	meta = vecidx_meta_edit(&edit, handle);
	memcpy(&meta->fixed, writer->fixed, sizeof(VecIdxMetaFixed));
	meta->state.nodes = writer->capacity;
	meta->state.uppers = writer->upper_count;
	meta->state.extensions = writer->capacity - writer->nodes;
	set_entry(writer, &meta->state);
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

/* Fixes what the extent holds, and with it where everything lies. */
static void
fix_extent(Writer *writer, VecIdxMetaFixed *fixed)
{
	uint32		reserve = writer->plan->reserve;

	fixed->base_capacity = writer->capacity + reserve;
	fixed->base_upper = Max(vecidx_layout_uppers(fixed->m, writer->nodes), writer->upper_count) +
		vecidx_layout_uppers(fixed->m, reserve);
	fixed->growth = choose_growth(writer->capacity);
	vecidx_layout_init(&writer->layout, fixed);
}

void
vecidx_write_index(const VecIdxWritePlan *plan, VecIdxMetaFixed *fixed)
{
	Writer	   *writer = palloc0(sizeof(Writer));
	BlockNumber extent;

	writer->plan = plan;
	writer->roll = plan->roll;
	writer->fixed = fixed;
	writer->nodes = plan->roll->nodes;
	writer->room = plan->load->room;
	writer->cell = -1;
	writer->joined_size = offsetof(Joined, neighbours) + writer->room * (sizeof(uint32) + sizeof(float));
	keep_rows(writer);
	vecidx_group_rows(plan->roll, plan->load->plan.shape.size, fetch_filter, writer);
	number_uppers(writer);
	number_extensions(writer);
	fix_extent(writer, fixed);
	writer->slot = palloc(largest_slot(&writer->layout));

	vecidx_write_empty(plan->index, MAIN_FORKNUM, fixed, false);
	writer->next = VECIDX_METAPAGE_BLOCK + 1;
	write_centroid(writer, fixed, plan->centroid);
	extent = writer->next;
	write_run(writer, VECIDX_RUN_CODE, writer->capacity);
	write_run(writer, VECIDX_RUN_ADJACENCY, writer->capacity);
	write_run(writer, VECIDX_RUN_UPPER, writer->upper_count);
	write_run(writer, VECIDX_RUN_RERANK, writer->capacity);
	write_filters(writer);
	if (writer->rows != NULL)
		pfree(writer->rows);
	if (writer->joined != NULL)
		pfree(writer->joined);
	write_meta(writer, extent);
}
