/*
 * meta.c
 *	  The metapage.
 */
#include "postgres.h"

#include "port/pg_crc32c.h"

#include "page/meta.h"

/* Checksum over the fixed part, the tuning, the state, and the entries of the directory that are in use. */
static uint32
meta_crc(const VecIdxMeta *meta)
{
	uint32		directories = Min(meta->state.directories, VECIDX_META_DIRECTORIES);
	uint32		extents = Min(meta->state.extents, VECIDX_META_EXTENTS);
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &meta->fixed, offsetof(VecIdxMeta, directory) - offsetof(VecIdxMeta, fixed));
	COMP_CRC32C(crc, meta->directory, directories * sizeof(uint32));
	COMP_CRC32C(crc, meta->extent, extents * sizeof(uint32));
	FIN_CRC32C(crc);
	return crc;
}

void
vecidx_meta_init(Page page, const VecIdxMetaFixed *fixed)
{
	VecIdxMeta *meta;

	vecidx_page_init(page, VECIDX_PAGE_META, 0);
	meta = (VecIdxMeta *) PageGetContents(page);
	meta->magic = VECIDX_MAGIC;
	meta->version = VECIDX_FORMAT_VERSION;
	memcpy(&meta->fixed, fixed, sizeof(VecIdxMetaFixed));
	meta->state.free_node = VECIDX_NONE;
	meta->state.free_upper = VECIDX_NONE;
	meta->state.entry = VECIDX_NONE;
	meta->state.entry_upper = VECIDX_NONE;
	meta->state.end = VECIDX_METAPAGE_BLOCK + 1;
	meta->crc = meta_crc(meta);
}

/* Magic and version are looked at before anything else, so that an index of another version says so. */
VecIdxMeta *
vecidx_meta_get(Relation index, Page page)
{
	VecIdxMeta *meta = (VecIdxMeta *) PageGetContents(page);

	if (PageIsNew(page) || meta->magic != VECIDX_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" is not a vecidx index", RelationGetRelationName(index)),
				 errdetail("Its metapage has no valid magic number."),
				 errhint("Please REINDEX it.")));
	if (meta->version < VECIDX_FORMAT_OLDEST || meta->version > VECIDX_FORMAT_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("index \"%s\" has vecidx format version %u",
						RelationGetRelationName(index), meta->version),
				 errdetail("This build of vecidx reads versions %d to %d.", VECIDX_FORMAT_OLDEST, VECIDX_FORMAT_VERSION),
				 errhint("Please REINDEX it.")));
	vecidx_page_check(index, VECIDX_METAPAGE_BLOCK, page, VECIDX_PAGE_META, 0);
	if (meta->crc != meta_crc(meta))
		vecidx_corrupted(index, VECIDX_METAPAGE_BLOCK, "The checksum of the metapage is wrong");
	return meta;
}

VecIdxMeta *
vecidx_meta_edit(VecIdxEdit *edit, VecIdxHandle *handle)
{
	Page		page = vecidx_edit_page(edit, VECIDX_METAPAGE_BLOCK, VECIDX_PAGE_META, 0);
	VecIdxMeta *meta = vecidx_meta_get(edit->index, page);

	vecidx_handle_take(handle, meta);
	return meta;
}

void
vecidx_meta_changed(VecIdxMeta *meta, VecIdxHandle *handle)
{
	meta->crc = meta_crc(meta);
	handle->tuning = meta->tuning;
	handle->state = meta->state;
}

void
vecidx_meta_tune(VecIdxHandle *handle, const VecIdxMetaTuning *tuning, bool logged)
{
	VecIdxEdit	edit;
	VecIdxMeta *meta;

	vecidx_edit_begin(&edit, handle->index, logged);
	meta = vecidx_meta_edit(&edit, handle);
	meta->tuning = *tuning;
	vecidx_meta_changed(meta, handle);
	vecidx_edit_finish(&edit);
}

uint32
vecidx_meta_node_room(const VecIdxHandle *handle)
{
	return vecidx_layout_first(&handle->layout, handle->state.extents, VECIDX_RUN_CODE);
}

uint32
vecidx_meta_upper_room(const VecIdxHandle *handle)
{
	return vecidx_layout_first(&handle->layout, handle->state.extents, VECIDX_RUN_UPPER);
}

/* Where the first block of an extent is written down: in the metapage or on a directory page. */
static uint32 *
extent_entry(VecIdxEdit *edit, VecIdxMeta *meta, uint32 extent)
{
	uint32		index = extent - VECIDX_META_EXTENTS;
	uint32		directory = index / VECIDX_DIRECTORY_EXTENTS;
	Page		page;

	if (extent < VECIDX_META_EXTENTS)
		return &meta->extent[extent];
	if (directory >= VECIDX_META_DIRECTORIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" cannot have more than %u extents", RelationGetRelationName(edit->index), extent),
				 errhint("REINDEX it to gather its extents into one.")));
	if (directory >= meta->state.directories)
	{
		meta->directory[directory] = meta->state.end++;
		meta->state.directories++;
	}
	page = vecidx_edit_page(edit, meta->directory[directory], VECIDX_PAGE_DIRECTORY, directory);
	return &((uint32 *) PageGetContents(page))[index % VECIDX_DIRECTORY_EXTENTS];
}

/* A crash may have cut off pages that the last extent was given. */
static void
ensure_end(VecIdxHandle *handle)
{
	if (handle->present >= handle->state.end)
		return;
	vecidx_buffer_extend(handle->index, handle->state.end);
	handle->present = handle->state.end;
}

/*
 * The file grows before the metapage is locked, so that nobody waits for the
 * new pages; when two backends do so at once the second finds the work done.
 * Pages stay zero until their first slot is written: a crash may cut them off
 * again, and replay or the next grower puts them back.
 *
 * Goes by what the handle knows: who then finds, under the metapage's lock,
 * that there is no room after all has learned so, and calls again.
 */
void
vecidx_meta_grow(VecIdxHandle *handle, bool logged)
{
	for (;;)
	{
		uint32		extent;
		BlockNumber pages;
		VecIdxEdit	edit;
		VecIdxMeta *meta;
		uint32	   *entry;

		extent = handle->state.extents;
		if (handle->state.free_node != VECIDX_NONE)
			return;
		if (handle->state.nodes < vecidx_meta_node_room(handle))
		{
			ensure_end(handle);
			return;
		}
		pages = vecidx_layout_extent_pages(&handle->layout, extent);
		vecidx_buffer_extend(handle->index, handle->state.end + pages + 1);

		vecidx_edit_begin(&edit, handle->index, logged);
		meta = vecidx_meta_edit(&edit, handle);
		if (meta->state.extents != extent)
		{
			vecidx_edit_abandon(&edit);
			continue;
		}
		entry = extent_entry(&edit, meta, extent);
		*entry = meta->state.end;
		meta->state.end += pages;
		meta->state.extents++;
		vecidx_meta_changed(meta, handle);
		vecidx_edit_finish(&edit);
		return;
	}
}
