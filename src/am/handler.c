/*
 * handler.c
 *	  The access method's handler and its small callbacks.
 */
#include "postgres.h"

#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "commands/vacuum.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "am/am.h"
#include "compat.h"
#include "options.h"

PG_FUNCTION_INFO_V1(vecidx_handler);

/* The only strategy of a vector's operator class: the ordering operator. */
#define DISTANCE_STRATEGY	1

/* An ordering operator must give a float8 by which btree's float_ops sorts. */
static bool
is_valid_distance(const char *family, Form_pg_amop operator)
{
	if (operator->amopstrategy != DISTANCE_STRATEGY || operator->amoppurpose != AMOP_ORDER ||
		get_op_rettype(operator->amopopr) != FLOAT8OID ||
		!opfamily_can_sort_type(operator->amopsortfamily, FLOAT8OID))
	{
		ereport(INFO,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator family \"%s\" of access method vecidx contains invalid operator %s",
						family, format_operator(operator->amopopr)),
				 errdetail("Strategy %d must be an ordering operator that returns double precision.", DISTANCE_STRATEGY)));
		return false;
	}
	return true;
}

/* The strategies of a filter column's operator class are any: its operators are told apart by their functions. */
static bool
is_valid_filter(const char *family, Form_pg_amop operator)
{
	if (operator->amoppurpose != AMOP_SEARCH || get_op_rettype(operator->amopopr) != BOOLOID)
	{
		ereport(INFO,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator family \"%s\" of access method vecidx contains invalid operator %s",
						family, format_operator(operator->amopopr)),
				 errdetail("Without support function %d, all operators must be search operators that return boolean.",
						   VECIDX_TYPE_PROC)));
		return false;
	}
	return true;
}

static bool
is_valid_procedure(const char *family, Form_pg_amproc procedure)
{
	if (procedure->amprocnum != VECIDX_TYPE_PROC ||
		!check_amproc_signature(procedure->amproc, INTERNALOID, true, 1, 1, INTERNALOID))
	{
		ereport(INFO,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator family \"%s\" of access method vecidx contains invalid support function %s",
						family, format_procedure(procedure->amproc))));
		return false;
	}
	return true;
}

static char *
family_name(Oid family)
{
	HeapTuple	tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family));
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator family %u", family);
	name = pstrdup(NameStr(((Form_pg_opfamily) GETSTRUCT(tuple))->opfname));
	ReleaseSysCache(tuple);
	return name;
}

/* A family with a support function is one of vectors, one without is for filter columns, and needs operators. */
static bool
vecidx_validate(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass form;
	char	   *family;
	CatCList   *operators;
	CatCList   *procedures;
	bool		vectors;
	bool		valid = true;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	form = (Form_pg_opclass) GETSTRUCT(tuple);
	family = family_name(form->opcfamily);
	operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(form->opcfamily));
	procedures = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(form->opcfamily));
	vectors = procedures->n_members > 0;
	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop operator = (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple);

		valid &= vectors ? is_valid_distance(family, operator) : is_valid_filter(family, operator);
	}
	for (int i = 0; i < procedures->n_members; i++)
		valid &= is_valid_procedure(family, (Form_pg_amproc) GETSTRUCT(&procedures->members[i]->tuple));
	if (!vectors && operators->n_members == 0)
	{
		ereport(INFO,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator class \"%s\" of access method vecidx has neither operators nor support function %d",
						NameStr(form->opcname), VECIDX_TYPE_PROC)));
		valid = false;
	}
	ReleaseCatCacheList(procedures);
	ReleaseCatCacheList(operators);
	ReleaseSysCache(tuple);
	return valid;
}

Datum
vecidx_handler(PG_FUNCTION_ARGS pg_attribute_unused())
{
	IndexAmRoutine *am = makeNode(IndexAmRoutine);

	am->amstrategies = 0;
	am->amsupport = VECIDX_TYPE_PROC;
	am->amcanorderbyop = true;
	am->amoptionalkey = true;
	am->amcanmulticol = true;
	am->amsearcharray = true;
	am->amsearchnulls = true;
	am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
	am->amkeytype = InvalidOid;
	VecIdxSetBuildsParallel(am);

	am->ambuild = vecidx_build;
	am->ambuildempty = vecidx_build_empty;
	am->aminsert = vecidx_insert;
	am->ambulkdelete = vecidx_bulkdelete;
	am->amvacuumcleanup = vecidx_vacuumcleanup;
	am->amcostestimate = vecidx_costestimate;
	am->amoptions = vecidx_options_parse;
	am->ambuildphasename = vecidx_build_phase;
	am->amvalidate = vecidx_validate;
	am->ambeginscan = vecidx_beginscan;
	am->amrescan = vecidx_rescan;
	am->amgettuple = vecidx_gettuple;
	am->amendscan = vecidx_endscan;
	PG_RETURN_POINTER(am);
}
