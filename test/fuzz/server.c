/*
 * server.c
 *	  Stand-ins for the server: memory contexts, errors, one relation with its
 *	  file in memory, a hash table.
 *
 * Buffer n is block n - 1 of the relation, always.  Each allocation is one of
 * malloc's own, so that sanitizers see what reads or writes beyond it.  Locks
 * are noted: whoever would wait for itself has found a bug.
 */
#include "postgres.h"

#undef vsnprintf

#include <stdarg.h>
#include <stdio.h>

#include "access/genam.h"
#include "access/generic_xlog.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "access/xloginsert.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "storage/spin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/syscache.h"

#include "am/ahead.h"
#include "am/exact.h"
#include "am/explain.h"
#include "am/former.h"
#include "am/junk.h"
#include "am/limit.h"
#include "am/pause.h"
#include "am/audit.h"
#include "am/load.h"
#include "am/phases.h"
#include "am/tally.h"
#include "compat.h"
#include "fuzz.h"
#include "shared/state.h"
#include "type/type.h"

#define MOST_BLOCKS	4096

/* Memory contexts. */

typedef struct Context Context;

typedef struct Chunk
{
	struct Chunk *next;
	struct Chunk *previous;
	Context    *context;
	Size		size;
} Chunk;

struct Context
{
	Chunk		chunks;			/* head of a ring */
	Context    *parent;
	Context    *child;			/* first; the others are its siblings */
	Context    *sibling;
	MemoryContextCallback *callbacks;
};

static Context top = {.chunks = {&top.chunks, &top.chunks, &top, 0}};

MemoryContext TopMemoryContext = (MemoryContext) &top;
MemoryContext CurrentMemoryContext = (MemoryContext) &top;

static void *
allocate(MemoryContext context, Size size, bool zero)
{
	Context    *c = (Context *) context;
	Chunk	   *chunk = malloc(sizeof(Chunk) + size);

	if (chunk == NULL || size > (Size) 1 << 31)
		fuzz_fail("%zu bytes are asked for", size);
	chunk->context = c;
	chunk->size = size;
	chunk->next = c->chunks.next;
	chunk->previous = &c->chunks;
	chunk->next->previous = chunk;
	c->chunks.next = chunk;
	/* what nobody sets is far below zero, be it read as a float or as an int */
	memset(chunk + 1, zero ? 0 : 0xFE, size);
	return chunk + 1;
}

void
pfree(void *pointer)
{
	Chunk	   *chunk = (Chunk *) pointer - 1;

	chunk->next->previous = chunk->previous;
	chunk->previous->next = chunk->next;
	free(chunk);
}

void *
repalloc(void *pointer, Size size)
{
	Chunk	   *old = (Chunk *) pointer - 1;
	void	   *new = allocate((MemoryContext) old->context, size, false);

	memcpy(new, pointer, Min(size, old->size));
	pfree(pointer);
	return new;
}

void *
repalloc_huge(void *pointer, Size size)
{
	return repalloc(pointer, size);
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return allocate(context, size, false);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return allocate(context, size, true);
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	return allocate(context, size, false);
}

void *
MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	return allocate(context, size, (flags & MCXT_ALLOC_ZERO) != 0);
}

void *
palloc(Size size)
{
	return allocate(CurrentMemoryContext, size, false);
}

void *
palloc0(Size size)
{
	return allocate(CurrentMemoryContext, size, true);
}

void *
palloc_extended(Size size, int flags)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, flags);
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size minContextSize, Size initBlockSize, Size maxBlockSize)
{
	Context    *context = calloc(1, sizeof(Context));

	context->chunks.next = context->chunks.previous = &context->chunks;
	context->parent = (Context *) parent;
	context->sibling = context->parent->child;
	context->parent->child = context;
	return (MemoryContext) context;
}

void
MemoryContextReset(MemoryContext context)
{
	Context    *c = (Context *) context;

	while (c->child != NULL)
		MemoryContextDelete((MemoryContext) c->child);
	while (c->callbacks != NULL)
	{
		MemoryContextCallback *callback = c->callbacks;

		c->callbacks = callback->next;
		(*callback->func) (callback->arg);
	}
	while (c->chunks.next != &c->chunks)
		pfree(c->chunks.next + 1);
}

static void
leave_parent(Context *c)
{
	Context   **link = &c->parent->child;

	while (*link != c)
		link = &(*link)->sibling;
	*link = c->sibling;
}

void
MemoryContextSetParent(MemoryContext context, MemoryContext new_parent)
{
	Context    *c = (Context *) context;

	leave_parent(c);
	c->parent = (Context *) new_parent;
	c->sibling = c->parent->child;
	c->parent->child = c;
}

void
MemoryContextDelete(MemoryContext context)
{
	MemoryContextReset(context);
	leave_parent((Context *) context);
	free(context);
}

MemoryContext
MemoryContextGetParent(MemoryContext context)
{
	return (MemoryContext) ((Context *) context)->parent;
}

Size
MemoryContextMemAllocated(MemoryContext context, bool recurse)
{
	return 0;
}

void
MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *callback)
{
	callback->next = ((Context *) context)->callbacks;
	((Context *) context)->callbacks = callback;
}

/* Errors. */

sigjmp_buf *PG_exception_stack = NULL;
ErrorContextCallback *error_context_stack = NULL;
volatile sig_atomic_t InterruptPending = false;
int			work_mem = 4096;
int			NBuffers = MOST_BLOCKS;
int			NLocBuffer = 0;

static FuzzError last_error;

bool
errstart(int elevel, const char *domain)
{
	last_error.code = ERRCODE_INTERNAL_ERROR;
	last_error.message[0] = '\0';
	return elevel >= ERROR;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

int
errcode(int sqlerrcode)
{
	last_error.code = sqlerrcode;
	return 0;
}

static int
note_message(const char *format, va_list arguments)
{
	vsnprintf(last_error.message, sizeof(last_error.message), format, arguments);
	return 0;
}

int
errmsg(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	note_message(format, arguments);
	va_end(arguments);
	return 0;
}

int
errmsg_internal(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	note_message(format, arguments);
	va_end(arguments);
	return 0;
}

int
errdetail(const char *format,...)
{
	return 0;
}

int
errhint(const char *format,...)
{
	return 0;
}

void
pg_re_throw(void)
{
	if (CritSectionCount > 0)
		fuzz_fail("error in a critical section: %s", last_error.message);
	siglongjmp(*PG_exception_stack, 1);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	pg_re_throw();
}

void
ProcessInterrupts(void)
{
}

/* There is one process: what it waits for, it holds. */
int
s_lock(volatile slock_t *lock, const char *file, int line, const char *func)
{
	fuzz_fail("a spinlock is taken while it is held");
}

/* The relation and its buffers. */

char	   *BufferBlocks = NULL;
BufferDescPadded *BufferDescriptors = NULL;
Block	   *LocalBufferBlockPointers = NULL;

static BlockNumber blocks_used = 0;
static BlockNumber blocks_dirty = 0;	/* blocks that may hold something */
static int	locks[MOST_BLOCKS];
static RelationData relation;
static FormData_pg_class relation_form;

static void
init_buffers(void)
{
	Size		size = (Size) MOST_BLOCKS * BLCKSZ;

	BufferBlocks = aligned_alloc(BLCKSZ, size);
	memset(BufferBlocks, 0, size);
	BufferDescriptors = aligned_alloc(BLCKSZ, MOST_BLOCKS * sizeof(BufferDescPadded));
	memset(BufferDescriptors, 0, MOST_BLOCKS * sizeof(BufferDescPadded));
	for (BlockNumber block = 0; block < MOST_BLOCKS; block++)
	{
		BufferDesc *buffer = GetBufferDescriptor(block);

		VecIdxInitBufferTag(&buffer->tag, VecIdxRelationLocator(&relation), block);
		pg_atomic_init_u32(&buffer->state, BM_VALID | BM_TAG_VALID);
	}
}

Relation
fuzz_index(void)
{
	static Oid	no_type = InvalidOid;

	if (relation.rd_rel == NULL)
	{
		relation.rd_rel = &relation_form;
		relation.rd_id = 4711;
		relation.rd_opcintype = &no_type;
		relation_form.relpersistence = RELPERSISTENCE_PERMANENT;
		strcpy(NameStr(relation_form.relname), "fuzzed");
		memset(&VecIdxRelationLocator(&relation), 1, sizeof(VecIdxLocator));
		init_buffers();
	}
	return &relation;
}

const char *
fuzz_file(BlockNumber *blocks)
{
	*blocks = blocks_used;
	return BufferBlocks;
}

void
fuzz_set_file(const char *bytes, BlockNumber blocks)
{
	fuzz_index();
	if (blocks > 0)
		memcpy(BufferBlocks, bytes, (Size) blocks * BLCKSZ);
	if (blocks_dirty > blocks)
		memset(BufferBlocks + (Size) blocks * BLCKSZ, 0, (Size) (blocks_dirty - blocks) * BLCKSZ);
	blocks_used = blocks_dirty = blocks;
}

Buffer
ReadBufferExtended(Relation reln, ForkNumber forkNum, BlockNumber blockNum, ReadBufferMode mode, BufferAccessStrategy strategy)
{
	if (blockNum == P_NEW)
	{
		if (blocks_used == MOST_BLOCKS)
			fuzz_fail("the file grows beyond %d blocks", MOST_BLOCKS);
		blockNum = blocks_used++;
		blocks_dirty = Max(blocks_dirty, blocks_used);
	}
	if (blockNum >= blocks_used)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("could not read block %u", blockNum)));
	if (mode == RBM_ZERO_AND_LOCK)
	{
		LockBuffer((Buffer) blockNum + 1, BUFFER_LOCK_EXCLUSIVE);
		memset(BufferGetPage((Buffer) blockNum + 1), 0, BLCKSZ);
	}
	return (Buffer) blockNum + 1;
}

Buffer
ReadBuffer(Relation reln, BlockNumber blockNum)
{
	if (blockNum == P_NEW)
		fuzz_fail("a block number read from a page makes the file grow");
	return ReadBufferExtended(reln, MAIN_FORKNUM, blockNum, RBM_NORMAL, NULL);
}

bool
ReadRecentBuffer(VecIdxLocator locator, ForkNumber forkNum, BlockNumber blockNum, Buffer recent_buffer)
{
	return blockNum < blocks_used && recent_buffer == (Buffer) blockNum + 1;
}

BlockNumber
BufferGetBlockNumber(Buffer buffer)
{
	return (BlockNumber) buffer - 1;
}

BlockNumber
RelationGetNumberOfBlocksInFork(Relation reln, ForkNumber forkNum)
{
	return blocks_used;
}

void
LockBuffer(Buffer buffer, int mode)
{
	int		   *lock = &locks[buffer - 1];

	if (mode != BUFFER_LOCK_UNLOCK && *lock != BUFFER_LOCK_UNLOCK)
		fuzz_fail("block %d is locked while it is locked already", buffer - 1);
	*lock = mode;
}

int			effective_io_concurrency = 1;

/* Nothing has to be read ahead. */
PrefetchBufferResult
PrefetchBuffer(Relation reln, ForkNumber forkNum, BlockNumber blockNum)
{
	PrefetchBufferResult result = {.recent_buffer = InvalidBuffer, .initiated_io = blockNum % 3 == 0};

	return result;
}

void
UnlockReleaseBuffer(Buffer buffer)
{
	if (locks[buffer - 1] == BUFFER_LOCK_UNLOCK)
		fuzz_fail("block %d is unlocked, but was not locked", buffer - 1);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
}

void
ReleaseBuffer(Buffer buffer)
{
}

void
MarkBufferDirty(Buffer buffer)
{
	if (locks[buffer - 1] != BUFFER_LOCK_EXCLUSIVE)
		fuzz_fail("block %d is changed without its lock", buffer - 1);
}

void
LockRelationForExtension(Relation rel, LOCKMODE lockmode)
{
}

void
UnlockRelationForExtension(Relation rel, LOCKMODE lockmode)
{
}

void
PageInit(Page page, Size pageSize, Size specialSize)
{
	PageHeader	header = (PageHeader) page;

	memset(page, 0, pageSize);
	header->pd_lower = SizeOfPageHeaderData;
	header->pd_special = pageSize - MAXALIGN(specialSize);
	header->pd_upper = header->pd_special;
	PageSetPageSizeAndVersion(page, pageSize, PG_PAGE_LAYOUT_VERSION);
}

XLogRecPtr
log_newpage_buffer(Buffer buffer, bool page_std)
{
	return InvalidXLogRecPtr;
}

/* WAL: what is registered must be locked; nothing is kept. */

volatile uint32 CritSectionCount;
int			wal_level = WAL_LEVEL_REPLICA;

void
XLogBeginInsert(void)
{
}

void
XLogRegisterBuffer(uint8 block_id, Buffer buffer, uint8 flags)
{
	if (block_id >= MAX_GENERIC_XLOG_PAGES)
		fuzz_fail("too many pages in one WAL record");
	if (locks[buffer - 1] != BUFFER_LOCK_EXCLUSIVE)
		fuzz_fail("block %d is logged without its lock", buffer - 1);
}

void
XLogRegisterBufData(uint8 block_id, VecIdxWalBytes data, VecIdxWalSize len)
{
}

XLogRecPtr
XLogInsert(RmgrId rmid, uint8 info)
{
	return InvalidXLogRecPtr;
}

/* A hash table of few entries, of which there is one. */

#define MOST_ENTRIES	8

struct HTAB
{
	int			count;
	Size		keysize;
	Size		entrysize;
	void	   *entry[MOST_ENTRIES];
};

static HTAB table;

HTAB *
hash_create(const char *tabname, long nelem, const HASHCTL *info, int flags)
{
	table.keysize = info->keysize;
	table.entrysize = info->entrysize;
	return &table;
}

static void
remove_entry(int i)
{
	free(table.entry[i]);
	table.entry[i] = table.entry[--table.count];
}

void *
hash_search(HTAB *hashp, const void *keyPtr, HASHACTION action, bool *foundPtr)
{
	void	   *entry;

	for (int i = 0; i < hashp->count; i++)
	{
		if (memcmp(hashp->entry[i], keyPtr, hashp->keysize) != 0)
			continue;
		entry = hashp->entry[i];
		if (action == HASH_REMOVE)
			remove_entry(i);
		return entry;
	}
	if (action != HASH_ENTER)
		return NULL;
	if (hashp->count == MOST_ENTRIES)
		fuzz_fail("too many handles");
	entry = calloc(1, hashp->entrysize);
	memcpy(entry, keyPtr, hashp->keysize);
	hashp->entry[hashp->count++] = entry;
	return entry;
}

void
hash_seq_init(HASH_SEQ_STATUS *status, HTAB *hashp)
{
	status->hashp = hashp;
	status->curBucket = 0;
}

void *
hash_seq_search(HASH_SEQ_STATUS *status)
{
	if (status->curBucket >= (uint32) status->hashp->count)
		return NULL;
	return status->hashp->entry[status->curBucket++];
}

/* What else is called. */

/* Tables have no pages here. */
void
heap_get_root_tuples(Page page, OffsetNumber *root_offsets)
{
	fuzz_fail("a table's page is looked at");
}

/* Nor are rows updated by an executor. */
const ResultRelInfo *
vecidx_former_table(const IndexInfo *info)
{
	return NULL;
}

bool
vecidx_former_tid(const ResultRelInfo *table, const IndexInfo *info, Datum vector, ItemPointer tid)
{
	return false;
}

size_t
get_hash_memory_limit(void)
{
	return 1024 * 1024;
}

void
CacheRegisterRelcacheCallback(RelcacheCallbackFunction func, Datum arg)
{
}

bool
SearchSysCacheExists(int cacheId, Datum key1, Datum key2, Datum key3, Datum key4)
{
	return true;
}

void
pgstat_assoc_relation(Relation rel)
{
}

struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	return datum;
}

RegProcedure
index_getprocid(Relation irel, AttrNumber attnum, uint16 procnum)
{
	return attnum == 1 ? 1 : InvalidOid;
}

FmgrInfo *
index_getprocinfo(Relation irel, AttrNumber attnum, uint16 procnum)
{
	static FmgrInfo function;

	return &function;
}

/* The index's operator class is that of real[] under L2. */
extern Datum vecidx_real_l2_type(PG_FUNCTION_ARGS);

Datum
FunctionCall1Coll(FmgrInfo *flinfo, Oid collation, Datum arg1)
{
	return vecidx_real_l2_type(NULL);
}

Datum
DirectFunctionCall1Coll(PGFunction func, Oid collation, Datum arg1)
{
	fuzz_fail("a function is called that has no stand-in");
}

Datum
numeric_float8_no_overflow(PG_FUNCTION_ARGS)
{
	fuzz_fail("numeric has no stand-in");
}

bool
numeric_is_inf(Numeric num)
{
	fuzz_fail("numeric has no stand-in");
}

/* Arrays of numeric are read by the server's own code. */
void
deconstruct_array(ArrayType *array, Oid elmtype, int elmlen, bool elmbyval, char elmalign,
				  Datum **elemsp, bool **nullsp, int *nelemsp)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("not fuzzed")));
}

IndexScanDesc
RelationGetIndexScan(Relation indexRelation, int nkeys, int norderbys)
{
	IndexScanDesc scan = palloc0(sizeof(IndexScanDescData));

	scan->indexRelation = indexRelation;
	scan->numberOfKeys = nkeys;
	scan->numberOfOrderBys = norderbys;
	scan->keyData = palloc0((nkeys + 1) * sizeof(ScanKeyData));
	scan->orderByData = palloc0((norderbys + 1) * sizeof(ScanKeyData));
	return scan;
}

/* Nobody counts what is read. */

BufferUsage pgBufferUsage;

/* Nobody waits in the middle of an operation. */

char	   *vecidx_pause_point = "";

void
vecidx_pause_at(const char *point)
{
}

/* Beside the scan: no table to fetch rows from, no LIMIT to look up, nobody who asks for counts. */

VecIdxExact *
vecidx_exact_create(IndexScanDesc scan, const VecIdxType *type, int dimensions)
{
	return palloc0(1);
}

bool
vecidx_exact_distance(VecIdxExact *exact, const float *query, const ItemPointerData *tids, uint32 count, float *distance)
{
	return false;
}

void
vecidx_exact_rest(VecIdxExact *exact)
{
}

void
vecidx_exact_free(VecIdxExact *exact)
{
	pfree(exact);
}

void
vecidx_ahead_rows(Relation table, const ItemPointerData *tids, int count)
{
}

int64
vecidx_limit_find(IndexScanDesc scan)
{
	return -1;
}

void
vecidx_scan_stats_publish(const VecIdxScanStats *stats)
{
}

void
vecidx_scan_stats_add(VecIdxScanStats *sum, const VecIdxScanStats *part)
{
}

VecIdxStatsRef
vecidx_tally_find(Relation index)
{
	return (VecIdxStatsRef) {NULL, 0};
}

void
vecidx_tally_scan(const VecIdxStatsRef *ref, const VecIdxScanStats *stats, bool aborted)
{
}

void
vecidx_tally_inserts(const VecIdxStatsRef *ref, uint64 rows, uint64 attached)
{
}

void
vecidx_tally_vacuum(const VecIdxStatsRef *ref, const VecIdxVacuumed *vacuumed)
{
}

void
vecidx_tally_log(Relation index, const VecIdxScanStats *stats, int least)
{
}

void
vecidx_phases_init(VecIdxPhases *phases, Relation index, int level)
{
}

void
vecidx_phases_next(VecIdxPhases *phases, const char *name)
{
}

/* There is one session, which is shown what it has posted itself. */
void *
vecidx_shared_try(VecIdxSection section, Size size, void (*init) (void *address, Size size))
{
	static void *board = NULL;

	if (board == NULL)
		board = malloc(size);
	init(board, size);
	return board;
}

void
vecidx_junk_replan(void)
{
}

VecIdxAudit *
vecidx_audit_draw(const VecIdxScanOptions *options)
{
	return NULL;
}

/* No scan is audited, and rows of a build are in memory: but for the last nothing that follows is called. */

bool
vecidx_audit_is_due(const VecIdxAudit *audit, const VecIdxScanOptions *options)
{
	fuzz_fail("an audit is asked for");
}

void
vecidx_audit_run(const VecIdxAudit *audit, const VecIdxAudited *scan, const VecIdxScanOptions *options,
				 const VecIdxStatsRef *counted)
{
	fuzz_fail("an audit is run");
}

Datum
datumCopy(Datum value, bool typByVal, int typLen)
{
	fuzz_fail("a key is copied");
}

void
get_typlenbyval(Oid typid, int16 *typlen, bool *typbyval)
{
	fuzz_fail("a key is copied");
}

uint64
vecidx_spool_total(const VecIdxSpool *spool)
{
	fuzz_fail("a file is looked at");
}

void
vecidx_spool_read(VecIdxSpool *spool, uint64 from, uint64 to, void *record, VecIdxSpoolTake take, void *state)
{
	fuzz_fail("a file is read");
}

const char *
vecidx_load_fetch(VecIdxLoad *load, uint32 row, char *scratch)
{
	return load->kept + row * load->sizes[VECIDX_LOAD_ROW];
}

bool
ItemPointerEquals(ItemPointer pointer1, ItemPointer pointer2)
{
	return memcmp(pointer1, pointer2, sizeof(ItemPointerData)) == 0;
}

/* The harness's side. */

void
fuzz_reset(void)
{
	while (table.count > 0)
		remove_entry(0);
	memset(locks, 0, sizeof(locks));
	MemoryContextReset(TopMemoryContext);
	CurrentMemoryContext = TopMemoryContext;
}

/* Runs the function in a memory context of its own, as a statement is. */
FuzzError
fuzz_try(void (*function) (void *argument), void *argument)
{
	MemoryContext statement = AllocSetContextCreate(TopMemoryContext, "statement", ALLOCSET_DEFAULT_SIZES);
	FuzzError	error = {0};
	sigjmp_buf	here;

	PG_exception_stack = &here;
	CurrentMemoryContext = statement;
	if (sigsetjmp(here, 0) == 0)
	{
		(*function) (argument);
		for (int i = 0; i < MOST_BLOCKS; i++)
		{
			if (locks[i] != BUFFER_LOCK_UNLOCK)
				fuzz_fail("block %d stays locked", i);
		}
		last_error = error;
	}
	memset(locks, 0, sizeof(locks));
	CurrentMemoryContext = TopMemoryContext;
	MemoryContextDelete(statement);
	return last_error;
}
