/*
 * classes.c
 *	  vecidx_add_operator_classes(): operator classes for filter columns of
 *	  types that are not the server's own.
 *
 * The server's types have theirs in the extension's script.  Those of other
 * extensions, and of the user, get one from what they have for btree and hash
 * indexes: the operators of these families, what negates equality, and
 * operators of the names that the script has for the server's types.  pgvector's
 * types are left out: they are what is searched.  The new classes are the user's
 * objects: a dump has them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(vecidx_add_operator_classes);

/*
 * One row for each class to be made: its type, its name and the statement that
 * makes it.  Runs under a search path that makes all names qualified.
 */
static const char *const find_classes =
"WITH method AS (SELECT oid FROM pg_am WHERE amname = 'vecidx'),"
"	numbered (name, strategy) AS (VALUES ('~~', 7), ('!~~', 8), ('~~*', 9), ('!~~*', 10),"
"		('~', 11), ('!~', 12), ('~*', 13), ('!~*', 14), ('^@', 15), ('@>', 16), ('<@', 17), ('&&', 18),"
"		('?', 19), ('?|', 20), ('?&', 21), ('@?', 22), ('@@', 23), ('<<', 24), ('<<=', 25), ('>>', 26), ('>>=', 27),"
"		('&<', 28), ('&>', 29), ('-|-', 30)),"
"	own AS (SELECT DISTINCT ON (c.opcintype) c.opcintype AS type, c.opcfamily AS family, m.amname AS method"
"		FROM pg_opclass AS c JOIN pg_am AS m ON m.oid = c.opcmethod AND m.amname IN ('btree', 'hash')"
"			JOIN pg_type AS t ON t.oid = c.opcintype AND t.typtype = 'b'"
"		WHERE c.opcdefault AND t.typnamespace <> 'pg_catalog'::regnamespace"
"			AND NOT EXISTS (SELECT FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid"
"				WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'"
"					AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'vector')"
"			AND NOT EXISTS (SELECT FROM pg_opclass AS o, method WHERE o.opcmethod = method.oid AND o.opcintype = c.opcintype)"
"		ORDER BY c.opcintype, m.amname),"
"	ordered AS (SELECT own.type, CASE own.method WHEN 'btree' THEN a.amopstrategy ELSE 3 END AS strategy, a.amopopr AS operator"
"		FROM own JOIN pg_amop AS a ON a.amopfamily = own.family AND a.amoplefttype = own.type AND a.amoppurpose = 's'),"
"	operators AS (SELECT * FROM ordered"
"		UNION ALL SELECT e.type, 6, o.oprnegate FROM ordered AS e JOIN pg_operator AS o ON o.oid = e.operator"
"			WHERE e.strategy = 3 AND o.oprnegate <> 0"
"		UNION ALL SELECT own.type, n.strategy, min(o.oid) FROM own"
"			JOIN pg_operator AS o ON o.oprleft = own.type AND o.oprresult = 'bool'::regtype"
"			JOIN numbered AS n ON n.name = o.oprname"
"			JOIN pg_proc AS p ON p.oid = o.oprcode AND p.provolatile = 'i'"
"			GROUP BY own.type, n.strategy, o.oprright)"
" SELECT t.oid, format('%I.%I', s.nspname, t.typname || '_ops'),"
"	format('CREATE OPERATOR CLASS %I.%I DEFAULT FOR TYPE %s USING vecidx AS ', s.nspname, t.typname || '_ops', t.oid::regtype)"
"		|| string_agg(format('OPERATOR %s %s', o.strategy, o.operator::regoperator), ', ' ORDER BY o.strategy, o.operator)"
" FROM operators AS o JOIN pg_type AS t ON t.oid = o.type JOIN pg_namespace AS s ON s.oid = t.typnamespace"
" GROUP BY t.oid, s.nspname, t.typname ORDER BY s.nspname, t.typname";

static void
put_class(ReturnSetInfo *result, HeapTuple row, TupleDesc description)
{
	Datum		values[2];
	bool		nulls[2] = {false};

	values[0] = SPI_getbinval(row, description, 1, &nulls[0]);
	values[1] = SPI_getbinval(row, description, 2, &nulls[1]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
execute(const char *statement, int expected)
{
	int			done = SPI_execute(statement, false, 0);

	if (done != expected)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(done));
}

Datum
vecidx_add_operator_classes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SPITupleTable *classes;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to create operator classes")));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	execute(find_classes, SPI_OK_SELECT);
	classes = SPI_tuptable;
	for (uint64 i = 0; i < classes->numvals; i++)
	{
		CHECK_FOR_INTERRUPTS();
		execute(SPI_getvalue(classes->vals[i], classes->tupdesc, 3), SPI_OK_UTILITY);
		put_class(result, classes->vals[i], classes->tupdesc);
	}
	SPI_finish();
	return (Datum) 0;
}
