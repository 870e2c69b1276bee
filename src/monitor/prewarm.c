/*
 * prewarm.c
 *	  vecidx_prewarm: brings an index's pages into shared buffers, those that
 *	  searches need most first.
 *
 * Only pages of slots that were given out are read.  A call stops by itself
 * before it would push out what it has brought in.
 */
#include "postgres.h"

#include "executor/instrument.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/spccache.h"
#include "utils/varlena.h"

#include "compat.h"
#include "monitor/monitor.h"

#ifdef VECIDX_HAS_READ_STREAM
#include "storage/read_stream.h"
#endif

PG_FUNCTION_INFO_V1(vecidx_prewarm);

/* In the order of their worth: each search needs the first, and only the last vectors of few nodes. */
typedef enum PartKind
{
	PART_ENTRY,					/* metapage, centroid, directory, upper slots */
	PART_CODES,
	PART_ADJACENCY,
	PART_FILTERS,
	PART_RERANK,
	PARTS
} PartKind;

#define PART_BIT(kind)	(1 << (kind))
#define PARTS_ALL		(PART_BIT(PARTS) - 1)

static const char *const part_names[PARTS] = {"entry", "codes", "adjacency", "filters", "rerank"};

typedef struct Part
{
	VecIdxRanges pages;
	uint64		touched;		/* of these, in buffers when it was their turn */
	uint64		loaded;			/* of these, read for it */
} Part;

/* A page brought in, to see later whether it is still there. */
typedef struct Sample
{
	BlockNumber block;
	Buffer		buffer;
} Sample;

#define SAMPLES			64
#define SAMPLE_LOOKS	256		/* looks at the samples while all buffers are filled */

typedef struct Prewarm
{
	/* fixed once planned */
	Relation	index;
	VecIdxHandle *handle;
	int			chosen;			/* bits of parts */
	uint64		planned;		/* pages of all parts chosen */
	uint64		room;			/* buffers that may be taken */

	/* changes as pages come in */
	Part		part[PARTS];
	uint64		touched;
	Sample		sample[SAMPLES];
	uint32		samples;
	bool		evicting;		/* pages are being lost again */
} Prewarm;

/* What the caller asks for. */

static int
parse_choice(const char *name)
{
	if (strcmp(name, "all") == 0)
		return PARTS_ALL;
	if (strcmp(name, "hot") == 0)
		return PARTS_ALL & ~PART_BIT(PART_RERANK);
	for (int kind = 0; kind < PARTS; kind++)
	{
		if (strcmp(name, part_names[kind]) == 0)
			return PART_BIT(kind);
	}
	return 0;
}

/* Bits of the parts in a list of names; 0 unless all of them are known. */
static int
parse_choices(const char *what)
{
	List	   *names;
	ListCell   *cell;
	int			chosen = 0;

	if (!SplitIdentifierString(pstrdup(what), ',', &names))
		return 0;
	foreach(cell, names)
	{
		int			choice = parse_choice(lfirst(cell));

		if (choice == 0)
			return 0;
		chosen |= choice;
	}
	return chosen;
}

static int
require_choices(const char *what)
{
	int			chosen = parse_choices(what);

	if (chosen == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot prewarm \"%s\"", what),
				 errhint("Choose \"all\", \"hot\" (all but \"rerank\"), \"entry\", \"codes\", \"adjacency\", "
						 "\"filters\", \"rerank\", or several of these, separated by commas.")));
	return chosen;
}

/* Which pages there are. */

static void
plan_parts(Prewarm *prewarm)
{
	const VecIdxHandle *handle = prewarm->handle;
	uint32		nodes = handle->state.nodes;
	Part	   *part = prewarm->part;

	for (int kind = 0; kind < PARTS; kind++)
		part[kind].pages.file = RelationGetNumberOfBlocks(prewarm->index);
	vecidx_ranges_add_meta(&part[PART_ENTRY].pages, handle);
	vecidx_ranges_add_run(&part[PART_ENTRY].pages, handle, VECIDX_RUN_UPPER, handle->state.uppers);
	vecidx_ranges_add_run(&part[PART_CODES].pages, handle, VECIDX_RUN_CODE, nodes);
	vecidx_ranges_add_run(&part[PART_ADJACENCY].pages, handle, VECIDX_RUN_ADJACENCY, nodes);
	vecidx_ranges_add_run(&part[PART_FILTERS].pages, handle, VECIDX_RUN_FILTER, nodes);
	vecidx_ranges_add_run(&part[PART_RERANK].pages, handle, VECIDX_RUN_RERANK, nodes);
	for (int kind = 0; kind < PARTS; kind++)
	{
		if (prewarm->chosen & PART_BIT(kind))
			prewarm->planned += part[kind].pages.total;
	}
}

#define SPARE_BUFFERS	128

/*
 * Buffers that a call may take.  The others are left to the catalog's pages,
 * which queries need as well, and to whatever else goes on.
 */
static uint64
buffer_room(Relation index)
{
	int			buffers = RelationUsesLocalBuffers(index) ? num_temp_buffers : NBuffers;

	return buffers - Min(buffers / 2, buffers / 8 + SPARE_BUFFERS);
}

/* Reading, with pages that come next on their way. */

/* A place in a part's pages that goes no farther than "limit" pages. */
typedef struct Cursor
{
	const VecIdxRanges *pages;
	uint32		range;
	BlockNumber within;
	uint64		taken;
	uint64		limit;
} Cursor;

static BlockNumber
cursor_next(Cursor *cursor)
{
	const VecIdxRange *range;

	if (cursor->taken >= Min(cursor->limit, cursor->pages->total))
		return InvalidBlockNumber;
	range = &cursor->pages->range[cursor->range];
	if (cursor->within == range->count)
	{
		cursor->range++;
		cursor->within = 0;
		range++;
	}
	cursor->taken++;
	return range->first + cursor->within++;
}

#ifdef VECIDX_HAS_READ_STREAM

typedef struct Reader
{
	Cursor		cursor;
	ReadStream *stream;
} Reader;

static BlockNumber
stream_next(ReadStream *stream pg_attribute_unused(), void *cursor, void *page_data pg_attribute_unused())
{
	return cursor_next(cursor);
}

static void
reader_begin(Reader *reader, Relation index)
{
	reader->stream = read_stream_begin_relation(VECIDX_READ_STREAM_FLAGS, NULL, index, MAIN_FORKNUM,
												stream_next, &reader->cursor, 0);
}

static Buffer
reader_next(Reader *reader)
{
	return read_stream_next_buffer(reader->stream, NULL);
}

static void
reader_end(Reader *reader)
{
	read_stream_end(reader->stream);
}

#else

typedef struct Reader
{
	Cursor		cursor;
	Cursor		ahead;			/* what the kernel was asked for */
	uint64		window;			/* how far that may be in front */
	Relation	index;
} Reader;

static void
reader_begin(Reader *reader, Relation index)
{
	reader->ahead = reader->cursor;
	reader->window = get_tablespace_maintenance_io_concurrency(index->rd_rel->reltablespace);
	reader->index = index;
}

static Buffer
reader_next(Reader *reader)
{
	BlockNumber block;

	while (reader->ahead.taken < reader->cursor.taken + reader->window &&
		   (block = cursor_next(&reader->ahead)) != InvalidBlockNumber)
		PrefetchBuffer(reader->index, MAIN_FORKNUM, block);
	block = cursor_next(&reader->cursor);
	return block == InvalidBlockNumber ? InvalidBuffer : vecidx_buffer_pin(reader->index, block, InvalidBuffer);
}

static void
reader_end(Reader *reader pg_attribute_unused())
{
}

#endif

static uint64
pages_read(void)
{
	return pgBufferUsage.shared_blks_read + pgBufferUsage.local_blks_read;
}

/* No lock is needed: a buffer whose tag is being changed has been lost already. */
static bool
is_there(const Prewarm *prewarm, const Sample *sample)
{
	Buffer		buffer = sample->buffer;
	BufferDesc *descriptor = BufferIsLocal(buffer) ? GetLocalBufferDescriptor(-buffer - 1) : GetBufferDescriptor(buffer - 1);
	BufferTag	tag;

	VecIdxInitBufferTag(&tag, VecIdxRelationLocator(prewarm->index), sample->block);
	return VecIdxBufferTagEquals(&descriptor->tag, &tag);
}

static bool
lost_samples(const Prewarm *prewarm)
{
	for (uint32 i = 0; i < prewarm->samples; i++)
	{
		if (!is_there(prewarm, &prewarm->sample[i]))
			return true;
	}
	return false;
}

/* Takes a page now and then as a sample, and looks after those it has. */
static void
note_page(Prewarm *prewarm, Buffer buffer)
{
	if (prewarm->touched % (prewarm->planned / SAMPLES + 1) == 0 && prewarm->samples < SAMPLES)
	{
		Sample	   *sample = &prewarm->sample[prewarm->samples++];

		sample->block = BufferGetBlockNumber(buffer);
		sample->buffer = buffer;
	}
	prewarm->touched++;
	if (prewarm->touched % (prewarm->room / SAMPLE_LOOKS + 1) == 0 && lost_samples(prewarm))
		prewarm->evicting = true;
}

/* A reader that is told to stop still gives out what it has asked for. */
static void
load_part(Prewarm *prewarm, Part *part)
{
	Reader		reader = {0};

	reader.cursor.pages = &part->pages;
	reader.cursor.limit = prewarm->evicting ? 0 : prewarm->room - prewarm->touched;
	reader_begin(&reader, prewarm->index);
	for (;;)
	{
		uint64		before = pages_read();
		Buffer		buffer;

		CHECK_FOR_INTERRUPTS();
		buffer = reader_next(&reader);
		if (!BufferIsValid(buffer))
			break;
		part->loaded += pages_read() - before;
		part->touched++;
		note_page(prewarm, buffer);
		ReleaseBuffer(buffer);
		if (prewarm->evicting)
			reader.cursor.limit = 0;
	}
	reader_end(&reader);
}

/* What came of it. */

static void
report_rest(const Prewarm *prewarm)
{
	bool		temporary = RelationUsesLocalBuffers(prewarm->index);
	const char *setting = temporary ? "temp_buffers" : "shared_buffers";

	if (prewarm->touched == prewarm->planned)
		return;
	ereport(NOTICE,
			(errmsg("stopped after " UINT64_FORMAT " of " UINT64_FORMAT " pages of index \"%s\"",
					prewarm->touched, prewarm->planned, RelationGetRelationName(prewarm->index)),
			 prewarm->evicting
			 ? errdetail("Pages that were loaded first are being evicted again.")
			 : errdetail("Loading more would evict them again: \"%s\" is %d pages.", setting,
						 temporary ? num_temp_buffers : NBuffers),
			 errhint("Choose fewer parts, or increase \"%s\".", setting)));
}

static void
put_part(ReturnSetInfo *result, PartKind kind, const Part *part)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = CStringGetTextDatum(part_names[kind]);
	values[1] = Int64GetDatum((int64) part->pages.total);
	values[2] = Int64GetDatum((int64) part->touched);
	values[3] = Int64GetDatum((int64) part->loaded);
	values[4] = Int64GetDatum((int64) part->pages.total * BLCKSZ);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* The handle reads pages of the first part, which count as loaded like the others. */
static void
prewarm_index(Prewarm *prewarm, ReturnSetInfo *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "vecidx prewarm", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint64		before = pages_read();

	prewarm->handle = vecidx_handle_acquire(prewarm->index);
	vecidx_handle_release_with(prewarm->handle, context);
	prewarm->room = buffer_room(prewarm->index);
	plan_parts(prewarm);
	prewarm->part[PART_ENTRY].loaded = pages_read() - before;
	for (int kind = 0; kind < PARTS; kind++)
	{
		if ((prewarm->chosen & PART_BIT(kind)) == 0 || (kind == PART_FILTERS && prewarm->handle->fixed.filter_size == 0))
			continue;
		load_part(prewarm, &prewarm->part[kind]);
		put_part(result, kind, &prewarm->part[kind]);
	}
	report_rest(prewarm);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

Datum
vecidx_prewarm(PG_FUNCTION_ARGS)
{
	Prewarm		prewarm = {0};
	VecIdxTarget target;
	ReturnSetInfo *result = vecidx_monitor_begin(fcinfo, &target);

	prewarm.chosen = require_choices(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	prewarm.index = target.index;
	prewarm_index(&prewarm, result);
	vecidx_monitor_close(&target);
	return (Datum) 0;
}
