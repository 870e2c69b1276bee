/*
 * handle.c
 *	  What a backend remembers of an open index.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "page/handle.h"
#include "page/meta.h"

VecIdxPageAccess vecidx_page_access = VECIDX_ACCESS_UNPINNED;

typedef struct HandleEntry
{
	Oid			relid;			/* hash key */
	VecIdxHandle *handle;
} HandleEntry;

static HTAB *handles = NULL;

static void
relation_changed(Datum arg pg_attribute_unused(), Oid relid)
{
	HASH_SEQ_STATUS scan;
	HandleEntry *entry;

	if (OidIsValid(relid))
	{
		entry = hash_search(handles, &relid, HASH_FIND, NULL);
		if (entry != NULL)
			entry->handle->stale = true;
		return;
	}
	hash_seq_init(&scan, handles);
	while ((entry = hash_seq_search(&scan)) != NULL)
		entry->handle->stale = true;
}

static void
init_handles(void)
{
	HASHCTL		control;

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(HandleEntry);
	control.hcxt = TopMemoryContext;
	handles = hash_create("vecidx handles", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}

/* Forgets the handles of relations that are no more. */
static void
sweep_handles(void)
{
	HASH_SEQ_STATUS scan;
	HandleEntry *entry;

	hash_seq_init(&scan, handles);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		VecIdxHandle *handle = entry->handle;

		if (!handle->stale || handle->users > 0 ||
			SearchSysCacheExists1(RELOID, ObjectIdGetDatum(entry->relid)))
			continue;
		hash_search(handles, &entry->relid, HASH_REMOVE, NULL);
		MemoryContextDelete(MemoryContextGetParent(handle->context));
	}
}

/* Reads the centroid pages; fixed.dimensions floats. */
static void
read_centroid(VecIdxHandle *handle, float *centroid)
{
	uint32		done = 0;

	for (uint32 i = 0; i < handle->fixed.centroid_pages; i++)
	{
		BlockNumber block = handle->fixed.centroid_block + i;
		Page		page;
		Buffer		buffer = vecidx_buffer_share(handle->index, block, VECIDX_PAGE_CENTROID, i, &page);
		uint32		count = Min(VECIDX_CENTROID_FLOATS, handle->fixed.dimensions - done);

		memcpy(centroid + done, PageGetContents(page), count * sizeof(float));
		vecidx_buffer_release(buffer);
		done += count;
	}
	if (handle->fixed.centroid_pages > 0 &&
		vecidx_crc(centroid, handle->fixed.dimensions * sizeof(float)) != handle->fixed.centroid_crc)
		vecidx_corrupted(handle->index, handle->fixed.centroid_block, "The checksum of the centroid is wrong");
}

static void
make_quantizer(VecIdxHandle *handle)
{
	VecIdxQuantParams params = vecidx_layout_quant(&handle->fixed);
	float	   *centroid = palloc0(params.dimensions * sizeof(float));
	void	   *memory = MemoryContextAlloc(handle->context, vecidx_quantizer_size(&params));

	read_centroid(handle, centroid);
	handle->quantizer = vecidx_quantizer_init(memory, &params, centroid);
	pfree(centroid);
}

/* No checksum covers directory pages: an extent that cannot lie where it says must not be looked for. */
static void
check_extent(VecIdxHandle *handle, const VecIdxMeta *meta, uint32 extent)
{
	uint64		pages = vecidx_layout_extent_pages(&handle->layout, extent);

	if (handle->extent[extent] == VECIDX_METAPAGE_BLOCK || handle->extent[extent] + pages > meta->state.end)
		vecidx_corrupted(handle->index, VECIDX_METAPAGE_BLOCK, "An extent lies outside the index");
}

/* Copies directory entries that the handle does not know yet. */
static void
read_directory(VecIdxHandle *handle, const VecIdxMeta *meta)
{
	uint32		count = meta->state.extents;
	uint32		i = handle->extents;

	if (count <= i)
		return;
	if (handle->extent == NULL)
		handle->extent = MemoryContextAlloc(handle->context, count * sizeof(BlockNumber));
	else
		handle->extent = repalloc(handle->extent, count * sizeof(BlockNumber));
	for (; i < count; i++)
	{
		uint32		index = i - VECIDX_META_EXTENTS;
		uint32		directory = index / VECIDX_DIRECTORY_EXTENTS;
		Page		page;
		Buffer		buffer;

		if (i < VECIDX_META_EXTENTS)
			handle->extent[i] = meta->extent[i];
		else
		{
			buffer = vecidx_buffer_share(handle->index, meta->directory[directory], VECIDX_PAGE_DIRECTORY, directory, &page);
			handle->extent[i] = ((uint32 *) PageGetContents(page))[index % VECIDX_DIRECTORY_EXTENTS];
			vecidx_buffer_release(buffer);
		}
		check_extent(handle, meta, i);
	}
	for (int run = 0; run < VECIDX_RUNS; run++)
		handle->base[run] = handle->extent[0] + vecidx_layout_run_start(&handle->layout, 0, run);
	handle->extents = count;
}

/* Grows the block -> buffer map to the index's size. */
static void
grow_map(VecIdxHandle *handle)
{
	BlockNumber wanted = handle->state.end;
	BlockNumber had = handle->mapped;

	if (handle->access == VECIDX_ACCESS_PINNED || wanted <= had)
		return;
	wanted += wanted / 16;
	if (handle->map == NULL)
		handle->map = MemoryContextAllocHuge(handle->context, wanted * sizeof(Buffer));
	else
		handle->map = repalloc_huge(handle->map, wanted * sizeof(Buffer));
	memset(handle->map + had, 0, (wanted - had) * sizeof(Buffer));
	handle->mapped = wanted;
}

/* Rows are read as the columns' types have them now, and must have been written so. */
static void
check_shape(VecIdxHandle *handle, const VecIdxMetaFixed *fixed)
{
	if (fixed->filter_columns != handle->shape.columns || fixed->filter_size != handle->shape.size)
		vecidx_corrupted(handle->index, VECIDX_METAPAGE_BLOCK, "The filter columns are other than the index was built with");
}

/* Drops all that was derived from another build of the index. */
static void
reset_handle(VecIdxHandle *handle, const VecIdxMetaFixed *fixed)
{
	handle->ready = false;
	check_shape(handle, fixed);
	memcpy(&handle->fixed, fixed, sizeof(VecIdxMetaFixed));
	handle->quantizer = NULL;
	handle->extents = 0;
	handle->extent = NULL;
	handle->map = NULL;
	handle->mapped = 0;
	handle->present = 0;
	handle->entries = NULL;
	handle->roster = NULL;
	handle->zones = NULL;
	MemoryContextReset(handle->context);
	if (fixed->dimensions > 0)
	{
		vecidx_layout_init(&handle->layout, fixed);
		make_quantizer(handle);
	}
	handle->ready = true;
}

void
vecidx_handle_take(VecIdxHandle *handle, const VecIdxMeta *meta)
{
	if (!handle->ready || memcmp(&handle->fixed, &meta->fixed, sizeof(VecIdxMetaFixed)) != 0)
		reset_handle(handle, &meta->fixed);
	handle->version = meta->version;
	handle->tuning = meta->tuning;
	handle->state = meta->state;
	read_directory(handle, meta);
	grow_map(handle);
}

void
vecidx_handle_refresh(VecIdxHandle *handle)
{
	Buffer		buffer = vecidx_buffer_pin(handle->index, VECIDX_METAPAGE_BLOCK, InvalidBuffer);

	vecidx_visit_pinned(VECIDX_PAGE_META);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	vecidx_handle_take(handle, vecidx_meta_get(handle->index, BufferGetPage(buffer)));
	vecidx_buffer_release(buffer);
}

static VecIdxHandle *
create_handle(Relation index)
{
	Oid			relid = RelationGetRelid(index);
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "vecidx handle", ALLOCSET_DEFAULT_SIZES);
	MemoryContext derived = AllocSetContextCreate(context, "vecidx derived", ALLOCSET_DEFAULT_SIZES);
	VecIdxHandle *handle = MemoryContextAllocZero(context, sizeof(VecIdxHandle));
	HandleEntry *entry = hash_search(handles, &relid, HASH_ENTER, NULL);

	handle->context = derived;
	handle->relid = relid;
	entry->handle = handle;
	return handle;
}

/*
 * A scan that is under way keeps its handle; if the index has been rebuilt in
 * the same file or under the same name meanwhile (which takes a lock that no
 * scan of another session leaves room for), the next user starts from scratch.
 */
VecIdxHandle *
vecidx_handle_acquire(Relation index)
{
	Oid			relid = RelationGetRelid(index);
	HandleEntry *entry;
	VecIdxHandle *volatile handle;

	if (handles == NULL)
		init_handles();
	entry = hash_search(handles, &relid, HASH_FIND, NULL);
	if (entry == NULL)
		sweep_handles();
	handle = entry != NULL ? entry->handle : create_handle(index);
	handle->index = index;
	if (!handle->shaped || handle->stale)
	{
		handle->shaped = false;
		vecidx_filter_shape(index, &handle->shape);
		handle->shaped = true;
	}
	handle->access = RelationUsesLocalBuffers(index) ? VECIDX_ACCESS_PINNED : vecidx_page_access;
	handle->users++;
	if (handle->pressed == 0 || --handle->pressed == 0)
		handle->touch = VECIDX_TOUCH;
	PG_TRY();
	{
		vecidx_handle_refresh(handle);
	}
	PG_CATCH();
	{
		handle->users--;
		PG_RE_THROW();
	}
	PG_END_TRY();
	handle->stale = false;
	return handle;
}

void
vecidx_handle_release(VecIdxHandle *handle)
{
	Assert(handle->users > 0);
	handle->users--;
}

static void
release_callback(void *handle)
{
	vecidx_handle_release(handle);
}

void
vecidx_handle_release_with(VecIdxHandle *handle, MemoryContext context)
{
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	callback->func = release_callback;
	callback->arg = handle;
	MemoryContextRegisterResetCallback(context, callback);
}

/* A slot may lie in an extent that is younger than what the handle knows. */
static BlockNumber
extent_start(VecIdxHandle *handle, const VecIdxPlace *place)
{
	if (place->extent >= handle->extents)
		vecidx_handle_refresh(handle);
	if (place->extent >= handle->extents)
		vecidx_corrupted(handle->index, VECIDX_METAPAGE_BLOCK, "A slot lies beyond the last extent");
	return handle->extent[place->extent];
}

BlockNumber
vecidx_handle_locate_behind(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot, uint32 *offset)
{
	VecIdxPlace place = vecidx_layout_place(&handle->layout, run, slot);

	*offset = place.offset;
	return extent_start(handle, &place) + place.block;
}

Buffer
vecidx_handle_recent(VecIdxHandle *handle, BlockNumber block)
{
	if (handle->access == VECIDX_ACCESS_PINNED || block >= handle->mapped || vecidx_handle_touches(handle))
		return InvalidBuffer;
	return handle->map[block];
}

Buffer
vecidx_handle_pin(VecIdxHandle *handle, BlockNumber block)
{
	Buffer		recent = vecidx_handle_recent(handle, block);
	Buffer		buffer = vecidx_buffer_pin(handle->index, block, recent);

	/* what has only been announced does not count: lists are of all nodes that may be expanded, and most never are */
	if (vecidx_buffer_was_read())
	{
		handle->touch = VECIDX_TOUCH_PRESSED;
		handle->pressed = VECIDX_PRESSED_SCANS;
	}
	if (buffer != recent && block < handle->mapped)
		handle->map[block] = InvalidBuffer;
	return buffer;
}

void
vecidx_handle_announce(VecIdxHandle *handle, BlockNumber block)
{
	PrefetchBufferResult result;

	if (vecidx_handle_knows(handle, block) || effective_io_concurrency == 0)
		return;
	result = PrefetchBuffer(handle->index, MAIN_FORKNUM, block);
	if (BufferIsValid(result.recent_buffer) && block < handle->mapped)
		handle->map[block] = result.recent_buffer;
}

void
vecidx_handle_announce_slot(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot)
{
	uint32		offset;

	vecidx_handle_announce(handle, vecidx_handle_locate(handle, run, slot, &offset));
}

uint32
vecidx_handle_first(VecIdxHandle *handle, VecIdxRunKind run, uint32 slot)
{
	const VecIdxRun *r = &handle->layout.run[run];
	VecIdxPlace place;
	uint32		first;

	if (r->per_page == 0)
		return slot;
	if (slot < (run == VECIDX_RUN_UPPER ? handle->layout.base_upper : handle->layout.base_capacity))
		return slot - slot % r->per_page;
	place = vecidx_layout_place(&handle->layout, run, slot);
	first = vecidx_layout_first(&handle->layout, place.extent, run);
	return slot - (slot - first) % r->per_page;
}

uint32
vecidx_handle_page_slots(VecIdxHandle *handle, VecIdxRunKind run, uint32 first, uint32 end)
{
	uint32		count = Min(handle->layout.run[run].per_page, end - first);

	while (count > 1 && vecidx_handle_first(handle, run, first + count - 1) != first)
		count--;
	return count;
}
