/*
 * resident.c
 *	  Which blocks of an index are in memory.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/relpath.h"
#include "miscadmin.h"
#include "storage/fd.h"

#include "compat.h"
#include "page/resident.h"

/* Buffers looked at between two looks for a cancel. */
#define LOOK_BUFFERS	8192

static void
look_at_buffer(Relation index, BufferDesc *descriptor, BlockNumber blocks, bool *buffered)
{
	uint32		state = pg_atomic_read_u32(&descriptor->state);
	BufferTag	tag = descriptor->tag;
	BufferTag	wanted;

	VecIdxInitBufferTag(&wanted, VecIdxRelationLocator(index), tag.blockNum);
	if ((state & (BM_VALID | BM_TAG_VALID)) == (BM_VALID | BM_TAG_VALID) &&
		VecIdxBufferTagEquals(&tag, &wanted) && tag.blockNum < blocks)
		buffered[tag.blockNum] = true;
}

void
vecidx_resident_buffers(Relation index, BlockNumber blocks, bool *buffered)
{
	bool		local = RelationUsesLocalBuffers(index);
	int			count = local ? NLocBuffer : NBuffers;

	memset(buffered, 0, blocks * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		if (i % LOOK_BUFFERS == 0)
			CHECK_FOR_INTERRUPTS();
		look_at_buffer(index, local ? GetLocalBufferDescriptor(i) : GetBufferDescriptor(i), blocks, buffered);
	}
}

#ifdef __linux__

/* Blocks asked about at once. */
#define WINDOW_BLOCKS	8192

/* What a map of count blocks, the first of which is at "offset" of an open file, says of each. */
static bool
look_at_window(int file, off_t offset, BlockNumber count, uint32 *cached)
{
	Size		page = (Size) sysconf(_SC_PAGESIZE);
	Size		step = Min(page, BLCKSZ);
	Size		size = (Size) count * BLCKSZ;
	unsigned char *resident = palloc(size / page + 1);
	void	   *map = mmap(NULL, size, PROT_READ, MAP_SHARED, file, offset);
	bool		told = map != MAP_FAILED && mincore(map, size, resident) == 0;

	for (Size at = 0; told && at < size; at += step)
		cached[at / BLCKSZ] += (resident[at / page] & 1) != 0 ? step : 0;
	if (map != MAP_FAILED)
		munmap(map, size);
	pfree(resident);
	return told;
}

/* One file of the index, with count blocks. */
static bool
look_at_segment(const char *path, BlockNumber count, uint32 *cached)
{
	int			file = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	bool		told = file >= 0;

	for (BlockNumber done = 0; told && done < count; done += WINDOW_BLOCKS)
	{
		CHECK_FOR_INTERRUPTS();
		told = look_at_window(file, (off_t) done * BLCKSZ, Min(WINDOW_BLOCKS, count - done), cached + done);
	}
	if (file >= 0)
		CloseTransientFile(file);
	return told;
}

bool
vecidx_resident_cache(Relation index, BlockNumber blocks, uint32 *cached)
{
	char	   *path = VecIdxRelationPath(index);
	bool		told = true;

	memset(cached, 0, blocks * sizeof(uint32));
	for (BlockNumber done = 0; told && done < blocks; done += RELSEG_SIZE)
	{
		char	   *segment = done == 0 ? path : psprintf("%s.%u", path, done / RELSEG_SIZE);

		told = look_at_segment(segment, Min(RELSEG_SIZE, blocks - done), cached + done);
	}
	return told;
}

#else

bool
vecidx_resident_cache(Relation index pg_attribute_unused(), BlockNumber blocks pg_attribute_unused(),
					  uint32 *cached pg_attribute_unused())
{
	return false;
}

#endif
