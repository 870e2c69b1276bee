/*
 * ranges.c
 *	  Which blocks of an index hold what.
 */
#include "postgres.h"

#include "monitor/monitor.h"
#include "page/meta.h"

static void
add_range(VecIdxRanges *ranges, BlockNumber first, BlockNumber count)
{
	if (first >= ranges->file || count == 0)
		return;
	if (ranges->count == ranges->room)
	{
		ranges->room = Max(16, ranges->room * 2);
		ranges->range = ranges->range == NULL
			? palloc(ranges->room * sizeof(VecIdxRange))
			: repalloc(ranges->range, ranges->room * sizeof(VecIdxRange));
	}
	ranges->range[ranges->count].first = first;
	ranges->range[ranges->count].count = Min(count, ranges->file - first);
	ranges->total += ranges->range[ranges->count].count;
	ranges->count++;
}

void
vecidx_ranges_add_run(VecIdxRanges *ranges, const VecIdxHandle *handle, VecIdxRunKind run, uint32 end)
{
	const VecIdxLayout *layout = &handle->layout;

	for (uint32 extent = 0; extent < handle->extents; extent++)
	{
		uint32		first = vecidx_layout_first(layout, extent, run);
		uint32		capacity = vecidx_layout_capacity(layout, extent, run);
		BlockNumber start = vecidx_layout_run_start(layout, extent, run);
		VecIdxPlace last;

		if (layout->run[run].span == 0 || capacity == 0 || first >= end)
			continue;
		last = vecidx_layout_place(layout, run, first + Min(capacity, end - first) - 1);
		add_range(ranges, handle->extent[extent] + start, last.block + layout->run[run].span - start);
	}
}

static void
add_directories(VecIdxRanges *ranges, const VecIdxHandle *handle)
{
	const VecIdxMeta *meta;
	Page		page;
	Buffer		buffer;

	if (handle->state.directories == 0)
		return;
	buffer = vecidx_buffer_share(handle->index, VECIDX_METAPAGE_BLOCK, VECIDX_PAGE_META, 0, &page);
	meta = vecidx_meta_get(handle->index, page);
	for (uint32 i = 0; i < Min(meta->state.directories, VECIDX_META_DIRECTORIES); i++)
		add_range(ranges, meta->directory[i], 1);
	vecidx_buffer_release(buffer);
}

void
vecidx_ranges_add_meta(VecIdxRanges *ranges, const VecIdxHandle *handle)
{
	add_range(ranges, VECIDX_METAPAGE_BLOCK, 1);
	add_range(ranges, handle->fixed.centroid_block, handle->fixed.centroid_pages);
	add_directories(ranges, handle);
}

void
vecidx_ranges_add_spare(VecIdxRanges *ranges, const VecIdxHandle *handle)
{
	add_range(ranges, handle->state.end, PG_UINT32_MAX);
}
