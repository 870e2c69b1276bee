/*
 * open.c
 *	  The index that somebody asks about: found, locked, read slot by slot.
 */
#include "postgres.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "am/am.h"
#include "compat.h"
#include "monitor/monitor.h"
#include "page/filter.h"

/* Is it the handler of this library, whatever the access method is called? */
static bool
is_our_method(Oid method)
{
	IndexAmRoutine *routine = GetIndexAmRoutineByAmId(method, false);
	bool		ours = routine->ambuild == vecidx_build;

	pfree(routine);
	return ours;
}

Oid
vecidx_monitor_table(Oid index)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	Form_pg_class form;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("index with OID %u does not exist", index)));
	form = (Form_pg_class) GETSTRUCT(tuple);
	if (form->relkind != RELKIND_INDEX || !is_our_method(form->relam))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a vecidx index", NameStr(form->relname))));
	ReleaseSysCache(tuple);
	return IndexGetRelation(index, false);
}

void
vecidx_monitor_check_reader(Oid table)
{
	Oid			role = GetUserId();

	if (pg_class_aclcheck(table, role, ACL_SELECT) != ACLCHECK_OK && !VecIdxOwnsRelation(table, role))
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(table)), get_rel_name(table));
}

/* A build that failed leaves an index without pages: CREATE INDEX CONCURRENTLY makes its catalog entry first. */
static void
require_pages(Relation index)
{
	if (RelationGetNumberOfBlocks(index) > 0)
		return;
	ereport(ERROR,
			(errcode(index->rd_index->indisvalid ? ERRCODE_INDEX_CORRUPTED : ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("index \"%s\" has no pages", RelationGetRelationName(index)),
			 errhint("Please REINDEX it.")));
}

void
vecidx_monitor_open(VecIdxTarget *target, Oid index, Oid table, LOCKMODE lock)
{
	target->lock = lock;
	target->table = table_open(table, lock);
	target->index = index_open(index, AccessShareLock);
	if (target->index->rd_index->indrelid != table || target->index->rd_indam->ambuild != vecidx_build)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("index with OID %u was dropped while its lock was waited for", index)));
	if (RELATION_IS_OTHER_TEMP(target->index))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary indexes of other sessions"),
				 errdetail("Index \"%s\" belongs to another session.", RelationGetRelationName(target->index))));
	if (RecoveryInProgress() && target->index->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("unlogged index \"%s\" has no contents during recovery",
						RelationGetRelationName(target->index))));
	require_pages(target->index);
}

ReturnSetInfo *
vecidx_monitor_begin(FunctionCallInfo fcinfo, VecIdxTarget *target)
{
	Oid			index = PG_GETARG_OID(0);
	Oid			table = vecidx_monitor_table(index);

	vecidx_monitor_check_reader(table);
	InitMaterializedSRF(fcinfo, 0);
	vecidx_monitor_open(target, index, table, AccessShareLock);
	return (ReturnSetInfo *) fcinfo->resultinfo;
}

void
vecidx_monitor_close(VecIdxTarget *target)
{
	index_close(target->index, AccessShareLock);
	table_close(target->table, target->lock);
}

void
vecidx_monitor_require_valid(const VecIdxTarget *target)
{
	if (!target->index->rd_index->indisvalid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid", RelationGetRelationName(target->index)),
				 errhint("Please REINDEX it.")));
}

void
vecidx_monitor_require_all_rows(Relation table, const char *detail)
{
	Oid			id = RelationGetRelid(table);
	bool		caller = check_enable_rls(id, GetUserId(), true) == RLS_ENABLED;

	if (!caller && check_enable_rls(id, table->rd_rel->relowner, true) != RLS_ENABLED)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("row-level security is active for table \"%s\"", RelationGetRelationName(table)),
			 errdetail_internal("%s", detail),
			 caller ? errhint("Ask as the owner of the table, or as a role with BYPASSRLS.") :
			 errhint("It holds for the owner, too, unless ALTER TABLE sets NO FORCE ROW LEVEL SECURITY.")));
}

void
vecidx_guise_take(VecIdxGuise *guise, Relation table)
{
	GetUserIdAndSecContext(&guise->user, &guise->security);
	SetUserIdAndSecContext(table->rd_rel->relowner, guise->security | SECURITY_RESTRICTED_OPERATION);
	guise->settings = NewGUCNestLevel();
	VecIdxRestrictSearchPath();
}

void
vecidx_guise_drop(const VecIdxGuise *guise)
{
	AtEOXact_GUC(false, guise->settings);
	SetUserIdAndSecContext(guise->user, guise->security);
}

/* Copies what a page holds of a slot or of several, from its first slot on. */
static void
copy_page(VecIdxHandle *handle, VecIdxRunKind run, uint32 first, BlockNumber block, char *copy)
{
	Page		page;
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	buffer = vecidx_buffer_share(handle->index, block, handle->layout.run[run].kind, first, &page);
	memcpy(copy, (char *) page + VECIDX_PAGE_START, VECIDX_PAGE_USABLE);
	vecidx_buffer_release(buffer);
}

static void
require_block(Relation index, BlockNumber block)
{
	if (block >= RelationGetNumberOfBlocks(index))
		vecidx_corrupted(index, block, "The page is not in the file");
}

/* Copies the pages that begin with a slot; returns how many slots below "end" they hold. */
static uint32
copy_slots(VecIdxHandle *handle, VecIdxRunKind run, uint32 first, uint32 end, char *copy)
{
	const VecIdxRun *r = &handle->layout.run[run];
	uint32		offset;
	BlockNumber block = vecidx_handle_locate(handle, run, first, &offset);
	uint32		count = Min(r->per_page, end - first);

	require_block(handle->index, block + r->span - 1);
	for (uint32 i = 0; i < r->span; i++)
		copy_page(handle, run, first, block + i, copy + i * VECIDX_PAGE_USABLE);
	/* the last page of an extent's run need not be full */
	while (count > 1 && vecidx_handle_first(handle, run, first + count - 1) != first)
		count--;
	return Max(count, 1);
}

static void
visit_filters(VecIdxHandle *handle, uint32 end, VecIdxSlotVisitor visit, void *state)
{
	uint32		rows = handle->layout.run[VECIDX_RUN_FILTER].per_page;
	char	   *copy = palloc(BLCKSZ);
	uint8		row[VECIDX_FILTER_ROOM];
	uint32		first = 0;

	while (first < end)
	{
		uint32		at;
		BlockNumber block = vecidx_filter_locate(handle, first, &at);
		VecIdxFilterPage page;

		require_block(handle->index, block);
		vecidx_filter_ahead(handle, first, end);
		vecidx_filter_lock(handle, first, end, &page);
		memcpy(copy + VECIDX_PAGE_START, page.fields, VECIDX_PAGE_USABLE);
		vecidx_filter_close(handle, &page);
		for (uint32 i = 0; i < page.count; i++)
		{
			vecidx_filter_gather(&handle->shape, copy, rows, i, row);
			(*visit) (state, first + i, row);
		}
		first += page.count;
	}
	pfree(copy);
}

void
vecidx_monitor_visit(VecIdxHandle *handle, VecIdxRunKind run, uint32 end, VecIdxSlotVisitor visit, void *state)
{
	const VecIdxRun *r = &handle->layout.run[run];
	char	   *copy;
	uint32		slot = 0;

	if (r->span == 0 || end == 0)
		return;
	if (run == VECIDX_RUN_FILTER)
	{
		visit_filters(handle, end, visit, state);
		return;
	}
	copy = palloc(r->span * VECIDX_PAGE_USABLE);
	while (slot < end)
	{
		uint32		count = copy_slots(handle, run, slot, end, copy);

		for (uint32 i = 0; i < count; i++, slot++)
			(*visit) (state, slot, copy + i * r->size);
	}
	pfree(copy);
}
