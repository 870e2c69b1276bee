--
-- pgvector's types against arrays, without any index.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx_pgvector CASCADE;
RESET client_min_messages;

-- what is there
SELECT opcname, opcintype::regtype, opcdefault,
	string_agg(amopopr::regoperator::text, ' ' ORDER BY amopopr::regoperator::text) AS ordering,
	amvalidate(c.oid)
FROM pg_opclass c
	JOIN pg_am a ON a.oid = opcmethod
	JOIN pg_amop ON amopfamily = opcfamily AND amoppurpose = 'o' AND amopstrategy = 1
	JOIN pg_depend d ON d.classid = 'pg_opclass'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid
WHERE amname = 'vecidx' AND extname = 'vecidx_pgvector'
GROUP BY c.oid, opcname, opcintype, opcdefault
ORDER BY opcname;

SELECT pg_describe_object(classid, objid, objsubid) AS without_comment
FROM pg_depend d
	JOIN pg_extension e ON e.oid = d.refobjid
WHERE extname = 'vecidx_pgvector' AND deptype = 'e'
	AND obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)) IS NULL;

DROP EXTENSION vector;
DROP EXTENSION vecidx;

-- how operators are found: the constant's type tells which
CREATE TABLE bridge_t (id int, v vector(3), h halfvec(3));
INSERT INTO bridge_t VALUES (1, '[1,2,3]', '[1,2,3]'), (2, '[4,5,6]', '[4,5,6]'), (3, NULL, NULL);

EXPLAIN (VERBOSE, COSTS OFF)
SELECT v <-> '[1,2,3]', v <-> '{1,2,3}'::real[], v <-> '{1,2,3}'::float8[], v <-> ARRAY[1,2,3], v <-> ARRAY[0.1,0.2,0.3] FROM bridge_t;
EXPLAIN (VERBOSE, COSTS OFF)
SELECT v <#> '[1,2,3]', v <#> '{1,2,3}'::real[], v <#> '{1,2,3}'::float8[], v <#> ARRAY[1,2,3], v <#> ARRAY[0.1,0.2,0.3] FROM bridge_t;
EXPLAIN (VERBOSE, COSTS OFF)
SELECT v <=> '[1,2,3]', v <=> '{1,2,3}'::real[], v <=> '{1,2,3}'::float8[], v <=> ARRAY[1,2,3], v <=> ARRAY[0.1,0.2,0.3] FROM bridge_t;
EXPLAIN (VERBOSE, COSTS OFF)
SELECT h <-> '[1,2,3]', h <-> '{1,2,3}'::real[], h <-> '{1,2,3}'::float8[], h <-> ARRAY[1,2,3], h <-> ARRAY[0.5,1] FROM bridge_t;
EXPLAIN (VERBOSE, COSTS OFF)
SELECT h <#> '{1,2,3}'::real[], h <=> '{1,2,3}'::real[], h <#> ARRAY[1,2,3], h <=> ARRAY[0.5,1] FROM bridge_t;

-- between pgvector's types all is as without this extension
EXPLAIN (VERBOSE, COSTS OFF)
SELECT h <-> '[1,2,3]'::vector, '[1,2,3]'::vector <-> h, h <#> '[1,2,3]'::vector, h <=> '[1,2,3]'::vector FROM bridge_t;
EXPLAIN (VERBOSE, COSTS OFF)
SELECT v <-> '[1,2,3]'::halfvec, '[1,2,3]'::halfvec <-> v FROM bridge_t;
PREPARE bridge_vector AS SELECT id FROM bridge_t ORDER BY v <-> $1, id;
PREPARE bridge_halfvec AS SELECT id FROM bridge_t ORDER BY h <=> $1, id;
PREPARE bridge_float8(float8[]) AS SELECT id FROM bridge_t ORDER BY v <=> $1, id;
SELECT name, parameter_types FROM pg_prepared_statements WHERE name LIKE 'bridge\_%' ORDER BY name;
DEALLOCATE ALL;

-- values: the same as pgvector's
SELECT id, v <-> '[4,5,5]' AS vector, v <-> '{4,5,5}'::real[] AS "real", v <-> '{4,5,5}'::float8[] AS "float8",
	v <-> ARRAY[4,5,5] AS "integer", v <-> ARRAY[4,5,5.0] AS "numeric",
	h <-> '[4,5,5]' AS halfvec, h <-> '{4,5,5}'::real[] AS "half real"
FROM bridge_t ORDER BY id;
SELECT id, v <#> '[4,5,5]' AS vector, v <#> '{4,5,5}'::real[] AS "real", v <#> '{4,5,5}'::float8[] AS "float8",
	v <#> ARRAY[4,5,5] AS "integer", v <#> ARRAY[4,5,5.0] AS "numeric",
	h <#> '[4,5,5]' AS halfvec, h <#> '{4,5,5}'::real[] AS "half real"
FROM bridge_t ORDER BY id;
SELECT id, v <=> '[2,4,6]' AS vector, v <=> '{2,4,6}'::real[] AS "real", v <=> '{2,4,6}'::float8[] AS "float8",
	v <=> ARRAY[2,4,6] AS "integer", v <=> ARRAY[2,4,6.0] AS "numeric",
	h <=> '[2,4,6]' AS halfvec, h <=> '{2,4,6}'::real[] AS "half real"
FROM bridge_t WHERE id <> 2 ORDER BY id;
SELECT '[0,0]'::vector <=> '{1,1}'::real[] AS vector, '[0,0]'::halfvec <=> '{1,1}'::real[] AS halfvec;

-- every finite halfvec element is read right: compare with pgvector's own cast
SELECT count(*) AS halves, bool_and(h <-> (h::vector)::real[] = 0) AS same,
	bool_and(h <#> '{1}'::real[] = -((h::vector)::real[])[1]) AS exact
FROM (SELECT ('[' || (CASE WHEN s = 0 THEN 1 ELSE -1 END) *
				(CASE WHEN e = 0 THEN m / 1024.0::float8 * 2.0::float8 ^ -14
				 ELSE (1 + m / 1024.0::float8) * 2.0::float8 ^ (e - 15) END) || ']')::halfvec AS h
	  FROM generate_series(0, 1) s, generate_series(0, 30) e, generate_series(0, 1023) m) all_halves;

-- thousands of dimensions
SELECT n, a <-> b::real[] AS l2, a::halfvec <-> b::real[] AS half_l2
FROM (SELECT n, array_agg((i % 5) ORDER BY i)::vector AS a, array_agg((i % 3) ORDER BY i)::vector AS b
	  FROM generate_series(1000, 16000, 5000) n, generate_series(1, n) i GROUP BY n) v
ORDER BY n;

-- bad input
SELECT '[1,2,3]'::vector <-> '{1,2}'::real[];
SELECT '[1,2,3]'::halfvec <#> '{1,2}'::float8[];
SELECT '[1,2,3]'::vector <=> '{}'::real[];
SELECT '[1,2,3]'::vector <-> '{1,NULL,3}'::float8[];
SELECT '[1,2]'::vector <-> '{{1,2},{3,4}}'::integer[];
SELECT '[1,2]'::vector <#> '{1,NaN}'::real[];
SELECT '[1,2]'::halfvec <=> '{inf,1}'::float8[];
SELECT '[1,2]'::vector <-> '{1,-1e39}'::float8[];

DROP TABLE bridge_t;
