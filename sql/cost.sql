--
-- What the planner chooses, left to itself.
--
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

CREATE TABLE cost_t (id int PRIMARY KEY, tag int, rare int, v real[]);
INSERT INTO cost_t SELECT i, i % 10, i / 5, test_vector(i, 8) FROM generate_series(1, 10000) i;
CREATE INDEX cost_i ON cost_t USING vecidx (v real_l2_ops);
CREATE INDEX cost_rare ON cost_t (rare);
VACUUM ANALYZE cost_t;

-- the index for a few nearest of many
SELECT k, test_plan(format('SELECT id FROM cost_t ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT %s', k)) FROM unnest('{1,10,100}'::int[]) k;
SELECT test_plan('SELECT id FROM cost_t ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10 OFFSET 20');
SELECT test_plan('SELECT * FROM cost_t ORDER BY v <-> (SELECT v FROM cost_t WHERE id = 1) LIMIT 10') ~ 'cost_i';
SELECT test_plan('SELECT * FROM generate_series(1, 5) n, LATERAL (SELECT id FROM cost_t WHERE id <> n ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10) s') ~ 'cost_i';
SELECT test_plan('SELECT id FROM cost_t WHERE tag = 3 ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10');
PREPARE cost_generic(real[], int) AS SELECT id FROM cost_t ORDER BY v <-> $1 LIMIT $2;
SET plan_cache_mode = force_generic_plan;
SELECT test_plan('EXECUTE cost_generic(''{1,2,3,4,5,6,7,8}'', 10)');
RESET plan_cache_mode;
DEALLOCATE cost_generic;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM cost_t ORDER BY v <-> '{1,2,3,4,5,6,7,8}' LIMIT 10;
FETCH 1 FROM c \g /dev/null
ROLLBACK;

-- a sort for all of them
SELECT test_plan('SELECT id FROM cost_t ORDER BY v <-> ''{1,2,3,4,5,6,7,8}''');

-- another index and a sort for a few rows
SELECT test_plan('SELECT id FROM cost_t WHERE rare = 77 ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10') ~ 'cost_rare';
SELECT test_plan('SELECT id FROM cost_t WHERE id = 77 ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10');
SELECT test_plan('SELECT id FROM cost_t WHERE id = ANY (''{1,2,3}'') ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10') ~ 'cost_t_pkey';

-- never without an order that it gives, whatever else is switched off
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT test_plan('SELECT count(*) FROM cost_t WHERE tag = 3');
SELECT test_plan('SELECT v FROM cost_t');
SELECT test_plan('SELECT id FROM cost_t ORDER BY v <#> ''{1,2,3,4,5,6,7,8}'' LIMIT 10');
SELECT test_plan('SELECT id FROM cost_t ORDER BY tag LIMIT 10');
CREATE INDEX cost_partial ON cost_t USING vecidx (v real_ip_ops) WHERE tag = 3;
SELECT test_plan('SELECT count(v) FROM cost_t WHERE tag = 3');
SELECT test_plan('SELECT id FROM cost_t WHERE tag = 3 ORDER BY v <#> ''{1,2,3,4,5,6,7,8}'' LIMIT 10');
DROP INDEX cost_partial;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- not when index scans are switched off
SET enable_indexscan = off;
SELECT test_plan('SELECT id FROM cost_t ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10');
RESET enable_indexscan;

-- more work costs more
CREATE FUNCTION cost_of(query text, OUT startup numeric, OUT total numeric) LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	startup := plan->0->'Plan'->>'Startup Cost';
	total := plan->0->'Plan'->>'Total Cost';
END
$$;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT a.total < b.total AS "limit", a.total < c.total AS "filter", a.startup > 0 AS startup
FROM cost_of('SELECT id FROM cost_t ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10') a,
	cost_of('SELECT id FROM cost_t ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 100') b,
	cost_of('SELECT id FROM cost_t WHERE tag = 3 ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10') c;
SELECT total FROM cost_of('SELECT id FROM cost_t ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10') \gset
SET vecidx.ef_search = 1000;
SELECT total > :total AS "wider beam" FROM cost_of('SELECT id FROM cost_t ORDER BY v <-> ''{1,2,3,4,5,6,7,8}'' LIMIT 10');
RESET vecidx.ef_search;

-- tables that are empty, or that nobody has counted
CREATE TABLE cost_empty (id int, v real[]);
CREATE INDEX cost_empty_i ON cost_empty USING vecidx (v real_l2_ops);
SELECT test_plan('SELECT id FROM cost_empty ORDER BY v <-> ''{1,2}'' LIMIT 10');
INSERT INTO cost_empty VALUES (1, '{1,2}'), (2, '{1,3}');
SELECT id FROM cost_empty ORDER BY v <-> '{1,2}' LIMIT 10;
RESET enable_seqscan;
RESET enable_sort;
ANALYZE cost_empty;
SELECT test_plan('SELECT id FROM cost_empty ORDER BY v <-> ''{1,2}'' LIMIT 10');
DROP FUNCTION cost_of;
DROP TABLE cost_t, cost_empty;
