--
-- Distances between arrays, without any index: values, how operators are
-- found for every way a query writes its vector, and bad input.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx;
RESET client_min_messages;

-- what is there
SELECT oprname, oprleft::regtype AS left, oprright::regtype AS right, oprresult::regtype AS result,
	oprcode::oid::regprocedure AS function
FROM pg_operator o
	JOIN pg_depend d ON d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid
WHERE extname = 'vecidx'
ORDER BY oprname, oprleft::regtype::text, oprright::regtype::text;

SELECT oprname, count(*) AS operators,
	bool_and(EXISTS (SELECT FROM pg_operator c
					 WHERE c.oid = o.oprcom AND c.oprcom = o.oid
						AND c.oprname = o.oprname
						AND c.oprleft = o.oprright AND c.oprright = o.oprleft)) AS commute
FROM pg_operator o
	JOIN pg_depend d ON d.classid = 'pg_operator'::regclass AND d.objid = o.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid
WHERE extname = 'vecidx'
GROUP BY oprname
ORDER BY oprname;

SELECT DISTINCT proname, provolatile, proisstrict, proparallel, procost > 1 AS costly
FROM pg_proc
WHERE proname ~ '^vecidx_.*_(distance|product)$' AND prosrc ~ '^vecidx_array_'
ORDER BY proname;

SELECT opcname, opcintype::regtype, opcdefault,
	string_agg(amopopr::regoperator::text, ' ' ORDER BY amopopr::regoperator::text) AS ordering,
	amvalidate(c.oid)
FROM pg_opclass c
	JOIN pg_am a ON a.oid = opcmethod
	JOIN pg_amop ON amopfamily = opcfamily AND amoppurpose = 'o' AND amopstrategy = 1
WHERE amname = 'vecidx' AND opcname LIKE 'real\_%'
GROUP BY c.oid, opcname, opcintype, opcdefault
ORDER BY opcname;

-- nothing lacks a comment, but for the types of views' rows
SELECT pg_describe_object(classid, objid, objsubid)
FROM pg_depend d
	JOIN pg_extension e ON e.oid = d.refobjid
WHERE extname = 'vecidx' AND deptype = 'e'
	AND classid <> 'pg_type'::regclass
	AND obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)) IS NULL;

-- values
SELECT '{1,2,3}'::real[] <-> '{1,2,3}' AS same, '{0,0}'::real[] <-> '{3,4}' AS l2;
SELECT '{1,2,3}'::real[] <#> '{4,5,6}' AS ip, '{1,0}'::real[] <#> '{0,1}' AS zero;
SELECT '{1,0}'::real[] <=> '{2,0}' AS same, '{1,0}'::real[] <=> '{0,3}' AS orthogonal,
	'{1,0}'::real[] <=> '{-5,0}' AS opposite, '{3,4}'::real[] <=> '{4,3}' AS between;
SELECT '{0,0}'::real[] <=> '{1,1}' AS left_zero, '{1,1}'::real[] <=> '{0,0}' AS right_zero,
	'{0,0}'::real[] <=> '{0,0}' AS both_zero;
SELECT '{}'::real[] <-> '{}' AS l2, '{}'::real[] <#> '{}' AS ip, '{}'::real[] <=> '{}' AS cosine;
SELECT vecidx_l2_distance('{0,0}'::real[], '{3,4}'::real[]) AS l2,
	vecidx_negative_inner_product('{0,2}'::real[], '{3,4}'::real[]) AS ip,
	vecidx_cosine_distance('{0,2}'::real[], '{3,0}'::real[]) AS cosine;

-- lower bounds do not matter, nor does a null bitmap without nulls
SELECT '[5:7]={1,2,3}'::real[] <-> '[0:2]={1,2,5}'::real[] AS l2,
	('{1,2,3,NULL}'::real[])[1:3] <-> '{1,2,5}' AS sliced;

-- sums that float cannot hold
SELECT '{170141183460469231731687303715884105728}'::real[] <->
	'{-170141183460469231731687303715884105728}'::real[] AS l2,
	'{18446744073709551616,18446744073709551616}'::real[] <#> '{18446744073709551616,18446744073709551616}' AS ip,
	'{1e38,0}'::real[] <=> '{1e38,0}' AS same,
	'{1e38,0}'::real[] <=> '{0,1e38}' AS orthogonal;
SELECT '{9.094947e-13}'::real[] <-> '{0}' AS l2,
	('{1e-30}'::real[] <-> '{0}')::real AS small_l2,
	'{1e-30,0}'::real[] <=> '{1e-30,0}' AS same,
	'{1e-30,0}'::real[] <=> '{0,1e-30}' AS orthogonal,
	'{1e-44,0}'::real[] <=> '{-1e-44,0}' AS opposite;

-- every length to beyond a few SIMD registers agrees with plain SQL
SELECT count(*) AS lengths,
	bool_and(abs((a <-> b) - l2) < 1e-4) AS l2,
	bool_and(abs((a <#> b) + dot) < 1e-4) AS ip,
	bool_and(abs((a <=> b) - (1 - dot / norms)) < 1e-5) AS cosine
FROM (SELECT n, array_agg(x::real ORDER BY i) AS a, array_agg(y::real ORDER BY i) AS b,
			sqrt(sum((x - y) ^ 2)) AS l2, sum(x * y) AS dot, sqrt(sum(x * x)) * sqrt(sum(y * y)) AS norms
	  FROM generate_series(1, 200) n,
			LATERAL (SELECT i, sin(i * 0.7 + n) AS x, cos(i * 1.3 - n) AS y
					 FROM generate_series(1, n) i) e
	  GROUP BY n) v;

-- how operators are found
CREATE TABLE operators_t (id int, v real[]);
INSERT INTO operators_t VALUES (1, '{1,2,3}'), (2, '{4,5,6}'), (3, NULL), (4, '{1,2,4}');

EXPLAIN (VERBOSE, COSTS OFF)
SELECT v <-> '{1,2,3}', v <#> '{1,2,3}', v <=> '{1,2,3}' FROM operators_t;
EXPLAIN (VERBOSE, COSTS OFF)
SELECT v <-> ARRAY[1,2,3], v <#> ARRAY[1,2,3], v <=> ARRAY[1,2,3] FROM operators_t;
EXPLAIN (VERBOSE, COSTS OFF)
SELECT v <-> ARRAY[0.1,0.2,0.3], v <#> ARRAY[0.1,0.2,0.3], v <=> ARRAY[0.1,0.2,0.3] FROM operators_t;
EXPLAIN (VERBOSE, COSTS OFF)
SELECT v <-> '{1,2,3}'::float8[], v <#> '{1,2,3}'::float8[], v <=> '{1,2,3}'::float8[] FROM operators_t;
EXPLAIN (VERBOSE, COSTS OFF)
SELECT '{1,2,3}' <-> v, ARRAY[1,2,3] <-> v, ARRAY[0.1,0.2,0.3] <-> v, '{1,2,3}'::float8[] <-> v FROM operators_t;
PREPARE operators_untyped AS SELECT id FROM operators_t ORDER BY v <-> $1, id;
PREPARE operators_left AS SELECT id FROM operators_t ORDER BY $1 <=> v, id;
PREPARE operators_float8 AS SELECT id FROM operators_t ORDER BY v <-> $1::float8[], id;
PREPARE operators_declared(float8[]) AS SELECT id FROM operators_t ORDER BY v <-> $1, id;
SELECT name, parameter_types FROM pg_prepared_statements WHERE name LIKE 'operators\_%' ORDER BY name;
EXECUTE operators_untyped('{4,5,5}');
EXECUTE operators_float8('{4,5,5}');
DEALLOCATE ALL;

-- every pair of types gives the same distance
SELECT v <-> '{1,2,5}'::real[] AS "real", v <-> '{1,2,5}'::float8[] AS "float8",
	v <-> '{1,2,5}'::integer[] AS "integer", v <-> '{1,2,5}'::numeric[] AS "numeric",
	'{1,2,5}'::float8[] <-> v AS "float8 left", '{1,2,5}'::integer[] <-> v AS "integer left",
	'{1,2,5}'::numeric[] <-> v AS "numeric left"
FROM operators_t WHERE id = 1;
SELECT v <#> '{1,2,5}'::real[] AS "real", v <#> '{1,2,5}'::float8[] AS "float8",
	v <#> '{1,2,5}'::integer[] AS "integer", v <#> '{1,2,5}'::numeric[] AS "numeric",
	'{1,2,5}'::float8[] <#> v AS "float8 left", '{1,2,5}'::integer[] <#> v AS "integer left",
	'{1,2,5}'::numeric[] <#> v AS "numeric left"
FROM operators_t WHERE id = 1;
SELECT v <=> '{2,4,6}'::real[] AS "real", v <=> '{2,4,6}'::float8[] AS "float8",
	v <=> '{2,4,6}'::integer[] AS "integer", v <=> '{2,4,6}'::numeric[] AS "numeric",
	'{2,4,6}'::float8[] <=> v AS "float8 left", '{2,4,6}'::integer[] <=> v AS "integer left",
	'{2,4,6}'::numeric[] <=> v AS "numeric left"
FROM operators_t WHERE id = 1;

-- exact order, NULL last; a NULL query gives NULL distances
SELECT id, v <-> '{4,5,5}' AS distance FROM operators_t ORDER BY v <-> '{4,5,5}', id;
SELECT id, v <-> NULL AS distance FROM operators_t ORDER BY id;

-- a query that differs from row to row, also in length and shape
SELECT id, q, v <-> q AS l2
FROM operators_t, (VALUES (1, '{1,2,3}'::float8[]), (2, '{1,2,4}'), (3, '{4,5,6}')) AS queries (n, q)
WHERE v IS NOT NULL
ORDER BY id, n;
SELECT a <-> b AS l2
FROM (VALUES (1, '{1}'::real[], '{2}'::numeric[]), (2, '{1,1,1,1}', '{2,2,2,2}'), (3, '{}', '{}'), (4, '{7}', '{7}'))
	AS pairs (n, a, b)
ORDER BY n;

-- rows stored out of line, compressed or not
CREATE TABLE operators_wide (id int, v real[]);
INSERT INTO operators_wide
SELECT n, array_agg(((i * n) % 7)::real ORDER BY i) FROM generate_series(1, 6) n, generate_series(1, 4096) i GROUP BY n;
ALTER TABLE operators_wide ALTER v SET STORAGE external;
INSERT INTO operators_wide SELECT id + 6, v[1:4096] FROM operators_wide;
SELECT id, v <-> (SELECT v FROM operators_wide WHERE id = 2) AS l2, v <#> array_fill(1.0, ARRAY[4096]) AS ip
FROM operators_wide ORDER BY id;
SELECT id > 6 AS uncompressed, bool_and(pg_column_size(v) > 16384) FROM operators_wide GROUP BY 1 ORDER BY 1;

-- domains
CREATE DOMAIN operators_embedding AS real[] CHECK (cardinality(VALUE) = 2);
SELECT '{0,0}'::operators_embedding <-> '{3,4}' AS literal, '{0,0}'::operators_embedding <-> ARRAY[3,4] AS arr;

-- bad input
SELECT '{1,2,3}'::real[] <-> '{1,2,3,4}';
SELECT '{1,2,3}'::real[] <#> '{1,2,3,4}'::float8[];
SELECT '{1,2,3}'::real[] <=> '{}';
SELECT '{1,NULL,3}'::real[] <-> '{1,2,3}';
SELECT '{1,2,3}'::real[] <-> '{1,2,NULL}'::float8[];
SELECT '{1,2,3}'::real[] <=> '{NULL,2,3}'::numeric[];
SELECT '{{1,2},{3,4}}'::real[] <-> '{1,2,3,4}';
SELECT '{1,2,3,4}'::real[] <-> '{{1,2},{3,4}}'::integer[];
SELECT '{1,NaN,3}'::real[] <-> '{1,2,3}';
SELECT '{1,2,3}'::real[] <#> '{1,2,inf}'::float8[];
SELECT '{-inf,2,3}'::real[] <=> '{1,2,3}';
SELECT '{1,inf}'::real[] <-> '{1,inf}';
SELECT '{1,2}'::real[] <#> '{0,NaN}'::numeric[];
SELECT '{1,2}'::real[] <-> '{1,1e39}'::float8[];
SELECT '{1,2}'::real[] <-> '{-1e39,1}'::numeric[];
SELECT '{1,2}'::real[] <-> ('{1,1' || repeat('0', 400) || '}')::numeric[];
SELECT '{1,2}'::real[] <-> '{-Infinity,1}'::numeric[];
SELECT array_fill(1::real, ARRAY[16001]) <-> array_fill(1::real, ARRAY[16001]);
SELECT array_fill(1, ARRAY[16001]) <-> '{1}'::real[];
SELECT array_fill(1::real, ARRAY[16000]) <#> array_fill(1, ARRAY[16000]) AS most;

-- what is too small for real counts as 0
SELECT '{0}'::real[] <-> '{1e-60}'::float8[] AS "float8",
	'{0}'::real[] <-> ('{0.' || repeat('0', 400) || '1}')::numeric[] AS "numeric";

-- an error leaves nothing behind that the next call with the same plan could take for a row
DO $$
DECLARE
	a real[] := '{1,2}';
	q float8[];
BEGIN
	FOREACH q SLICE 1 IN ARRAY '{{1,5},{1,NaN},{1,1e39},{1,5},{1,2}}'::float8[] LOOP
		BEGIN
			RAISE NOTICE 'distance %', a <-> q;
		EXCEPTION WHEN data_exception OR numeric_value_out_of_range THEN
			RAISE NOTICE '%', sqlerrm;
		END;
	END LOOP;
END
$$;

DROP DOMAIN operators_embedding;
DROP TABLE operators_t, operators_wide;
