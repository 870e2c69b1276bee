/*
 * arena.c
 *	  The graph in memory while an index is built.
 */
#include "postgres.h"

#include <math.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "graph/arena.h"
#include "page/slot.h"

#define CHUNK_BITS		12
#define CHUNK_NODES		(1 << CHUNK_BITS)
#define CHUNK_MASK		(CHUNK_NODES - 1)

/* Neighbours of a node on one level; ids follow. */
typedef struct ArenaList
{
	uint32		count;
	uint32		ids[FLEXIBLE_ARRAY_MEMBER];
} ArenaList;

/* What is known of each node beside its slots. */
typedef struct ArenaNode
{
	VecIdxArenaTid first;		/* its first heap row; next leads to the others */
	uint32		upper;			/* number of its list of level 1, or none */
	uint8		level;
} ArenaNode;

/* An array in chunks, so that growing it copies nothing. */
typedef struct ArenaArray
{
	Size		size;			/* of an element */
	char	  **chunk;
	uint32		chunks;
	uint32		room;			/* entries of chunk[] */
} ArenaArray;

/* Scratch for the estimates of a node's neighbours. */
typedef struct ArenaBatch
{
	const uint8 *bits[VECIDX_BATCH_MAX];
	float		f0[VECIDX_BATCH_MAX];
	float		f1[VECIDX_BATCH_MAX];
	float		estimates[VECIDX_BATCH_MAX];
} ArenaBatch;

struct VecIdxArena
{
	VecIdxSource source;		/* must come first */

	/* fixed */
	MemoryContext context;
	MemoryContext work;			/* reset after each row */
	const VecIdxQuantizer *quantizer;
	VecIdxQuantParams params;
	Size		vector_size;
	Size		code_size;		/* of a code slot */
	int			m;
	uint32		ef;
	Size		budget;
	double		level_scale;	/* 1 / ln(m) */
	void	   *scratch;
	void	   *query_memory;

	/* changes */
	ArenaArray	nodes;			/* ArenaNode */
	ArenaArray	codes;			/* VecIdxCodeSlot with its bits */
	ArenaArray	vectors;		/* rerank vectors; unused where there are none */
	ArenaArray	lists;			/* ArenaList of level 0 */
	ArenaArray	uppers;			/* ArenaList of the levels above, by upper number */
	VecIdxArenaTid *tids;		/* rows behind the first of their node */
	uint32		tid_count;
	uint32		tid_room;
	uint32		node_count;
	uint32		upper_count;
	uint32		entry;
	int			entry_level;	/* -1 while empty */
	VecIdxCandidate entrance;
	const VecIdxQuery *query;
	pg_prng_state prng;
	VecIdxSearch search;
	ArenaBatch	batch;
};

static inline void *
element(const ArenaArray *array, uint32 index)
{
	return array->chunk[index >> CHUNK_BITS] + (Size) (index & CHUNK_MASK) * array->size;
}

static inline ArenaNode *
node_of(const VecIdxArena *arena, uint32 node)
{
	return element(&arena->nodes, node);
}

static inline ArenaList *
list_of(const VecIdxArena *arena, uint32 node, int level)
{
	if (level == 0)
		return element(&arena->lists, node);
	return element(&arena->uppers, node_of(arena, node)->upper + level - 1);
}

static inline uint32
list_room(const VecIdxArena *arena, int level)
{
	return vecidx_link_room(arena->m, level) * 3 / 2;
}

const uint8 *
vecidx_arena_vector(const VecIdxArena *arena, uint32 node)
{
	if (arena->params.rerank == VECIDX_RERANK_NONE)
		return (const uint8 *) (vecidx_arena_code(arena, node) + 1);
	return element(&arena->vectors, node);
}

const VecIdxCodeSlot *
vecidx_arena_code(const VecIdxArena *arena, uint32 node)
{
	return element(&arena->codes, node);
}

/* Makes room for element number index. */
static void
grow_array(VecIdxArena *arena, ArenaArray *array, uint32 index)
{
	uint32		chunk = index >> CHUNK_BITS;

	if (array->size == 0 || chunk < array->chunks)
		return;
	if (chunk >= array->room)
	{
		array->room = Max(64, array->room * 2);
		if (array->chunk == NULL)
			array->chunk = MemoryContextAlloc(arena->context, array->room * sizeof(char *));
		else
			array->chunk = repalloc_huge(array->chunk, (Size) array->room * sizeof(char *));
	}
	array->chunk[chunk] = MemoryContextAllocHuge(arena->context, (Size) CHUNK_NODES * array->size);
	array->chunks = chunk + 1;
}

/* Source: begin, finish, prefetch, enter, vector. */

static inline void
prefetch_code(const void *code, Size size)
{
	for (Size i = 0; i < Min(size, 512); i += 64)
		__builtin_prefetch((const char *) code + i);
}

static void
arena_begin(VecIdxSource *source, const VecIdxCandidate *from, int level,
			VecIdxVisited *visited, VecIdxBatch *batch)
{
	VecIdxArena *arena = (VecIdxArena *) source;
	const ArenaList *list = list_of(arena, from->node, level);

	vecidx_visited_reserve(visited, list->count);
	batch->count = 0;
	for (uint32 i = 0; i < list->count; i++)
	{
		if (!vecidx_visited_add(visited, list->ids[i]))
			continue;
		batch->candidate[batch->count].node = list->ids[i];
		batch->code[batch->count] = vecidx_arena_code(arena, list->ids[i]);
		prefetch_code(batch->code[batch->count++], arena->code_size);
	}
}

static void
arena_finish(VecIdxSource *source, VecIdxBatch *batch)
{
	VecIdxArena *arena = (VecIdxArena *) source;
	ArenaBatch *scratch = &arena->batch;

	for (int i = 0; i < batch->count; i++)
	{
		scratch->bits[i] = (const uint8 *) (batch->code[i] + 1);
		scratch->f0[i] = batch->code[i]->f0;
		scratch->f1[i] = batch->code[i]->f1;
	}
	vecidx_query_estimates(arena->query, scratch->bits, scratch->f0, scratch->f1, batch->count, scratch->estimates);
	for (int i = 0; i < batch->count; i++)
	{
		batch->candidate[i].upper = VECIDX_NONE;
		batch->candidate[i].estimate = scratch->estimates[i];
		batch->candidate[i].bound = 0;
	}
}

static void
arena_prefetch(VecIdxSource *source, const VecIdxCandidate *candidate, int level)
{
	VecIdxArena *arena = (VecIdxArena *) source;
	const ArenaList *list;

	if (level > 0)
		return;
	list = list_of(arena, candidate->node, 0);
	for (Size i = 0; i < arena->lists.size; i += 64)
		__builtin_prefetch((const char *) list + i);
}

static int
arena_enter(VecIdxSource *source, int floor pg_attribute_unused(), int *level, VecIdxCandidate **batch)
{
	VecIdxArena *arena = (VecIdxArena *) source;
	const VecIdxCodeSlot *code;

	if (arena->entry_level < 0)
		return 0;
	Assert(floor <= arena->entry_level);
	code = vecidx_arena_code(arena, arena->entry);
	arena->entrance.node = arena->entry;
	arena->entrance.upper = VECIDX_NONE;
	arena->entrance.estimate = vecidx_query_estimate(arena->query, (const uint8 *) (code + 1), code->f0, code->f1);
	arena->entrance.bound = 0;
	*level = arena->entry_level;
	*batch = &arena->entrance;
	return 1;
}

static const uint8 *
arena_vector(VecIdxSource *source, uint32 node)
{
	return vecidx_arena_vector((VecIdxArena *) source, node);
}

VecIdxArena *
vecidx_arena_create(const VecIdxQuantizer *quantizer, const VecIdxLayout *layout, int m, uint32 ef, Size budget)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx arena", ALLOCSET_DEFAULT_SIZES);
	VecIdxArena *arena = MemoryContextAllocZero(context, sizeof(VecIdxArena));

	arena->source.begin = arena_begin;
	arena->source.finish = arena_finish;
	arena->source.prefetch = arena_prefetch;
	arena->source.enter = arena_enter;
	arena->source.vector = arena_vector;
	arena->context = context;
	arena->work = AllocSetContextCreate(context, "vecidx arena work", ALLOCSET_DEFAULT_SIZES);
	arena->quantizer = quantizer;
	arena->params = *vecidx_quantizer_params(quantizer);
	arena->vector_size = vecidx_quant_rerank_size(&arena->params);
	arena->code_size = layout->run[VECIDX_RUN_CODE].size;
	arena->m = m;
	arena->ef = ef;
	arena->budget = budget;
	arena->level_scale = 1.0 / log(m);
	arena->scratch = MemoryContextAlloc(context, vecidx_quant_scratch_size(&arena->params));
	arena->query_memory = MemoryContextAlloc(context, vecidx_query_size(&arena->params));
	arena->nodes.size = sizeof(ArenaNode);
	arena->codes.size = arena->code_size;
	arena->vectors.size = MAXALIGN(arena->vector_size);
	arena->lists.size = offsetof(ArenaList, ids) + list_room(arena, 0) * sizeof(uint32);
	arena->uppers.size = offsetof(ArenaList, ids) + list_room(arena, 1) * sizeof(uint32);
	arena->entry = VECIDX_NONE;
	arena->entry_level = -1;
	pg_prng_seed(&arena->prng, UINT64CONST(0x7665636964780001));
	vecidx_search_init(&arena->search, &arena->source, context);
	return arena;
}

/* Is there memory for one more node?  Chunks are counted whole, before they are allocated. */
static bool
has_room(const VecIdxArena *arena)
{
	Size		chunk = (arena->nodes.size + arena->codes.size + arena->vectors.size + arena->lists.size) * CHUNK_NODES;

	if ((arena->node_count & CHUNK_MASK) != 0 || arena->node_count == 0)
		return true;
	return MemoryContextMemAllocated(arena->context, true) + chunk <= arena->budget;
}

/* Level i with probability m^-i. */
static int
draw_level(VecIdxArena *arena)
{
	double		u = 1.0 - pg_prng_double(&arena->prng);

	return Min((int) (-log(u) * arena->level_scale), VECIDX_MAX_LEVEL);
}

/* Appends a link; prunes the list when it is full. */
static void
add_link(VecIdxArena *arena, uint32 owner, int level, uint32 target)
{
	ArenaList  *list = list_of(arena, owner, level);
	uint32		room = list_room(arena, level);
	VecIdxNeighbour neighbours[VECIDX_BATCH_MAX + 1];
	const uint8 *vector = vecidx_arena_vector(arena, owner);
	int			kept;

	if (list->count < room)
	{
		list->ids[list->count++] = target;
		return;
	}
	for (uint32 i = 0; i <= room; i++)
	{
		neighbours[i].node = i < room ? list->ids[i] : target;
		neighbours[i].vector = vecidx_arena_vector(arena, neighbours[i].node);
		neighbours[i].distance = vecidx_quant_pair(arena->quantizer, vector, neighbours[i].vector);
	}
	kept = vecidx_prune(arena->quantizer, neighbours, room + 1, vecidx_link_room(arena->m, level));
	for (int i = 0; i < kept; i++)
		list->ids[i] = neighbours[i].node;
	list->count = kept;
}

/* Adds a row to a node that is there already. */
static void
add_tid(VecIdxArena *arena, uint32 node, ItemPointer tid)
{
	ArenaNode  *entry = node_of(arena, node);

	if (arena->tid_count == arena->tid_room)
	{
		arena->tid_room = Max(1024, arena->tid_room * 2);
		if (arena->tids == NULL)
			arena->tids = MemoryContextAllocHuge(arena->context, (Size) arena->tid_room * sizeof(VecIdxArenaTid));
		else
			arena->tids = repalloc_huge(arena->tids, (Size) arena->tid_room * sizeof(VecIdxArenaTid));
	}
	arena->tids[arena->tid_count].tid = *tid;
	arena->tids[arena->tid_count].next = entry->first.next;
	entry->first.next = arena->tid_count++;
}

static void
make_room(VecIdxArena *arena, uint32 node, int level)
{
	grow_array(arena, &arena->nodes, node);
	grow_array(arena, &arena->codes, node);
	grow_array(arena, &arena->vectors, node);
	grow_array(arena, &arena->lists, node);
	for (int i = 0; i < level; i++)
		grow_array(arena, &arena->uppers, arena->upper_count + i);
}

/* Encodes the row into the slots of the node to come. */
static void
encode_row(VecIdxArena *arena, uint32 node, const float *row)
{
	VecIdxCodeSlot *code = element(&arena->codes, node);
	uint8	   *vector = arena->vector_size > 0 ? element(&arena->vectors, node) : NULL;
	VecIdxFactors factors;

	memset(code, 0, arena->code_size);
	vecidx_quant_encode(arena->quantizer, row, arena->scratch, (uint8 *) (code + 1), &factors, vector);
	code->f0 = factors.f0;
	code->f1 = factors.f1;
	code->error = vecidx_error_pack(factors.error);
	code->state = VECIDX_LIVE;
}

/* Enters the node with the neighbours found for it, and the links back. */
static void
commit_node(VecIdxArena *arena, uint32 node, const VecIdxArrival *arrival, ItemPointer tid)
{
	ArenaNode  *entry = node_of(arena, node);

	entry->first.tid = *tid;
	entry->first.next = VECIDX_NONE;
	entry->level = arrival->level;
	entry->upper = arrival->level > 0 ? arena->upper_count : VECIDX_NONE;
	arena->upper_count += arrival->level;
	arena->node_count++;
	for (int level = 0; level <= arrival->level; level++)
	{
		ArenaList  *list = list_of(arena, node, level);

		list->count = level <= arrival->top ? arrival->count[level] : 0;
		for (uint32 i = 0; i < list->count; i++)
			list->ids[i] = arrival->neighbours[level][i].node;
		for (uint32 i = 0; i < list->count; i++)
			add_link(arena, list->ids[i], level, node);
	}
	if (arrival->level > arena->entry_level)
	{
		arena->entry = node;
		arena->entry_level = arrival->level;
	}
}

uint32
vecidx_arena_add(VecIdxArena *arena, const float *row, ItemPointer tid)
{
	uint32		node = arena->node_count;
	VecIdxArrival arrival;
	MemoryContext old;

	if (!has_room(arena))
		return VECIDX_NONE;
	arrival.level = draw_level(arena);
	make_room(arena, node, arrival.level);
	encode_row(arena, node, row);
	arena->query = vecidx_query_init(arena->query_memory, arena->quantizer, row, arena->scratch);

	arrival.quantizer = arena->quantizer;
	arrival.query = arena->query;
	arrival.vector = vecidx_arena_vector(arena, node);
	arrival.vector_size = arena->vector_size > 0 ? arena->vector_size : vecidx_quant_code_size(&arena->params);
	arrival.m = arena->m;
	arrival.ef = arena->ef;

	old = MemoryContextSwitchTo(arena->work);
	vecidx_link_find(&arena->search, &arrival, arena->entry_level);
	MemoryContextSwitchTo(old);
	if (arrival.twin != VECIDX_NONE)
	{
		node = arrival.twin;
		add_tid(arena, node, tid);
	}
	else
		commit_node(arena, node, &arrival, tid);
	MemoryContextReset(arena->work);
	return node;
}

void
vecidx_arena_finish(VecIdxArena *arena)
{
	for (uint32 node = 0; node < arena->node_count; node++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int level = 0; level <= node_of(arena, node)->level; level++)
		{
			ArenaList  *list = list_of(arena, node, level);
			const uint8 *vector = vecidx_arena_vector(arena, node);
			VecIdxNeighbour neighbours[VECIDX_BATCH_MAX];

			if (list->count <= (uint32) vecidx_link_room(arena->m, level))
				continue;
			for (uint32 i = 0; i < list->count; i++)
			{
				neighbours[i].node = list->ids[i];
				neighbours[i].vector = vecidx_arena_vector(arena, list->ids[i]);
				neighbours[i].distance = vecidx_quant_pair(arena->quantizer, vector, neighbours[i].vector);
			}
			list->count = vecidx_prune(arena->quantizer, neighbours, list->count, vecidx_link_room(arena->m, level));
			for (uint32 i = 0; i < list->count; i++)
				list->ids[i] = neighbours[i].node;
		}
	}
}

uint32
vecidx_arena_nodes(const VecIdxArena *arena)
{
	return arena->node_count;
}

uint32
vecidx_arena_uppers(const VecIdxArena *arena)
{
	return arena->upper_count;
}

uint32
vecidx_arena_entry(const VecIdxArena *arena, int *level)
{
	*level = Max(arena->entry_level, 0);
	return arena->entry;
}

int
vecidx_arena_level(const VecIdxArena *arena, uint32 node)
{
	return node_of(arena, node)->level;
}

uint32
vecidx_arena_upper(const VecIdxArena *arena, uint32 node)
{
	return node_of(arena, node)->upper;
}

const VecIdxArenaTid *
vecidx_arena_tids(const VecIdxArena *arena, uint32 node)
{
	return &node_of(arena, node)->first;
}

const VecIdxArenaTid *
vecidx_arena_next_tid(const VecIdxArena *arena, const VecIdxArenaTid *tid)
{
	return tid->next == VECIDX_NONE ? NULL : &arena->tids[tid->next];
}

int
vecidx_arena_neighbours(const VecIdxArena *arena, uint32 node, int level, const uint32 **neighbours)
{
	const ArenaList *list = list_of(arena, node, level);

	*neighbours = list->ids;
	return list->count;
}

void
vecidx_arena_free(VecIdxArena *arena)
{
	MemoryContextDelete(arena->context);
}
