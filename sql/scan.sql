--
-- Scans: order, completeness, and every way in which the executor asks for rows.
--
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- 1,000 rows are few enough that a scan looks at all codes: the order is exact
CREATE TABLE scan_t (id int PRIMARY KEY, tag int, v real[]);
INSERT INTO scan_t SELECT i, i % 10, test_vector(i, 16) FROM generate_series(1, 1000) i;
CREATE INDEX scan_l2 ON scan_t USING vecidx (v real_l2_ops);
CREATE INDEX scan_ip ON scan_t USING vecidx (v real_ip_ops);
CREATE INDEX scan_cosine ON scan_t USING vecidx (v real_cosine_ops);
ANALYZE scan_t;

-- each distance with each type of query
SELECT operator, type, s.*
FROM unnest('{<->,<#>,<=>}'::text[]) WITH ORDINALITY o (operator, n),
	unnest('{real[],float8[],integer[],numeric[]}'::text[]) WITH ORDINALITY t (type, m),
	LATERAL test_scan('scan_t', format('test_vector(2000, 16)::%s', type), operator) s
ORDER BY n, m;

-- small tables are read and sorted, unless the planner is told otherwise
SET enable_seqscan = off;
SET enable_sort = off;

-- a query that is not stored: fractions, so that no two rows are at the same distance
CREATE TABLE scan_q (n int, q real[]);
INSERT INTO scan_q SELECT n, array_agg(x + sqrt(i) / 16 ORDER BY i)
FROM generate_series(1, 5) n, LATERAL unnest(test_vector(n + 5000, 16)) WITH ORDINALITY u (x, i) GROUP BY n;
SELECT q AS query FROM scan_q WHERE n = 1 \gset
SELECT q AS other FROM scan_q WHERE n = 2 \gset

-- the query on the left
SELECT test_plan(format('SELECT * FROM scan_t ORDER BY %L::%s <-> v', :'query', type))
FROM unnest('{real[],float8[],numeric[]}'::text[]) type;
SELECT id FROM scan_t ORDER BY ARRAY[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16] <=> v LIMIT 3;
SELECT id FROM scan_t ORDER BY (v <=> ARRAY[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]) + 0 LIMIT 3;

-- LIMIT and OFFSET; "+ 0" keeps the index out
EXPLAIN (COSTS OFF) SELECT id FROM scan_t ORDER BY v <-> '{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}' LIMIT 10;
SELECT id FROM scan_t ORDER BY v <-> :'query' LIMIT 5;
SELECT id FROM scan_t ORDER BY (v <-> :'query') + 0 LIMIT 5;
SELECT id FROM scan_t ORDER BY v <-> :'query' LIMIT 5 OFFSET 3;
SELECT id FROM scan_t ORDER BY v <-> :'query' LIMIT 0;
SELECT id FROM scan_t ORDER BY v <-> :'query' OFFSET 998;
SELECT id FROM scan_t ORDER BY (v <-> :'query') + 0 OFFSET 998;
SELECT k, (SELECT count(*) FROM (SELECT FROM scan_t ORDER BY v <-> :'query' LIMIT k) s)
FROM unnest('{1,9,10,11,19,20,21,500,999,1000,1001,100000}'::int[]) k;
SELECT id FROM scan_t ORDER BY v <-> :'query' FETCH FIRST 3 ROWS WITH TIES;

-- distances as the query gets them
SELECT bool_and(abs(d - e) < 1e-6), count(*)
FROM (SELECT row_number() OVER () AS n, d FROM (SELECT v <-> :'query' AS d FROM scan_t ORDER BY v <-> :'query' LIMIT 50) a) a
	JOIN (SELECT row_number() OVER () AS n, e FROM (SELECT v <-> :'query' AS e FROM scan_t ORDER BY (v <-> :'query') + 0 LIMIT 50) b) b
	USING (n);

-- whatever the query does with the distance, it is there
SELECT id, round(d::numeric, 3) AS d FROM (SELECT id, v <-> :'query' AS d FROM scan_t ORDER BY v <-> :'query' LIMIT 3) s ORDER BY d DESC;
SELECT id, round((v <-> :'query')::numeric, 3) AS d, v <-> :'query' < 200 AS near FROM scan_t ORDER BY v <-> :'query' LIMIT 3;
SELECT id, round(d::numeric, 3) AS d FROM (SELECT id, v <-> :'query' AS d FROM scan_t) s ORDER BY d LIMIT 3;
SELECT id, generate_series(1, 2) AS n FROM scan_t ORDER BY v <-> :'query' LIMIT 4;
SELECT id, rank() OVER (ORDER BY v <-> :'query') FROM scan_t ORDER BY v <-> :'query' LIMIT 3;
SELECT id, round(d::numeric, 3) AS d FROM
	((SELECT id, v <-> :'query' AS d FROM scan_t ORDER BY v <-> :'query' LIMIT 2)
	UNION ALL (SELECT -id, v <-> :'other' FROM scan_t ORDER BY v <-> :'other' LIMIT 2)) s ORDER BY d, id;
SELECT id, round((SELECT u.v <-> t.v FROM scan_t u WHERE u.id <> t.id ORDER BY u.v <-> t.v LIMIT 1)::numeric, 3) AS d FROM scan_t t WHERE id <= 3 ORDER BY id;
WITH near AS MATERIALIZED (SELECT id, v <-> :'query' AS d FROM scan_t ORDER BY 2 LIMIT 3) SELECT min(id), round(max(d)::numeric, 3) AS d FROM near;
CREATE TABLE scan_kept AS SELECT id, v <-> :'query' AS d FROM scan_t ORDER BY v <-> :'query' LIMIT 3;
INSERT INTO scan_kept SELECT id, v <-> :'other' FROM scan_t ORDER BY v <-> :'other' LIMIT 1;
SELECT id, round(d::numeric, 3) AS d FROM scan_kept ORDER BY d;
-- the same, exactly
SELECT id, round((v <-> :'query')::numeric, 3) AS d FROM scan_t ORDER BY (v <-> :'query') + 0 LIMIT 3;
SELECT id, round((v <-> :'other')::numeric, 3) AS d FROM scan_t ORDER BY (v <-> :'other') + 0 LIMIT 2;
SELECT id, round((SELECT u.v <-> t.v FROM scan_t u WHERE u.id <> t.id ORDER BY (u.v <-> t.v) + 0 LIMIT 1)::numeric, 3) AS d FROM scan_t t WHERE id <= 3 ORDER BY id;
DROP TABLE scan_kept;

-- the index keeps no rows: it is never scanned alone
SELECT test_plan('SELECT v FROM scan_t ORDER BY v <-> ''{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}'' LIMIT 10');

-- filters above the scan
SELECT count(*), bool_and(tag = 3) FROM (SELECT tag FROM scan_t WHERE tag = 3 ORDER BY v <-> :'query') s;
SELECT id FROM scan_t WHERE tag = 3 ORDER BY v <-> :'query' LIMIT 4;
SELECT id FROM scan_t WHERE tag = 3 ORDER BY (v <-> :'query') + 0 LIMIT 4;
SELECT count(*) FROM (SELECT FROM scan_t WHERE v <-> :'query' < 0 ORDER BY v <-> :'query' LIMIT 5) s;
SELECT count(*) FROM (SELECT FROM scan_t WHERE random() < 0 ORDER BY v <-> :'query' LIMIT 5) s;

-- cursors
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM scan_t ORDER BY v <-> :'query';
FETCH 2 FROM c;
MOVE 2 FROM c;
FETCH FORWARD 1 FROM c;
MOVE FORWARD 990 FROM c;
FETCH ALL FROM c;
FETCH NEXT FROM c;
CLOSE c;
SELECT array_agg(id) FROM (SELECT id FROM scan_t ORDER BY (v <-> :'query') + 0 LIMIT 5) s;
-- backward only through what a SCROLL cursor keeps
DECLARE c SCROLL CURSOR FOR SELECT id FROM scan_t ORDER BY v <-> :'query';
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH LAST FROM c;
FETCH ABSOLUTE 3 FROM c;
CLOSE c;
DECLARE c CURSOR FOR SELECT id FROM scan_t ORDER BY v <-> :'query';
FETCH 1 FROM c;
FETCH BACKWARD 1 FROM c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT id FROM scan_t ORDER BY v <-> :'query' LIMIT 3;
FETCH 1 FROM c;
COMMIT;
FETCH ALL FROM c;
CLOSE c;
-- two at the same time, and one in a transaction that fails in part
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM scan_t ORDER BY v <-> :'query';
FETCH 1 FROM c;
SAVEPOINT s;
DECLARE d CURSOR FOR SELECT id FROM scan_t ORDER BY v <-> :'query';
FETCH 2 FROM d;
SELECT v <-> '{1}' FROM scan_t;
ROLLBACK TO s;
FETCH 1 FROM c;
COMMIT;

-- rescans: the query changes from row to row of an outer table
SELECT test_plan('SELECT n, s.id FROM scan_q, LATERAL (SELECT id FROM scan_t ORDER BY v <-> q LIMIT 2) s');
SELECT n, s.id FROM scan_q, LATERAL (SELECT id, v FROM scan_t ORDER BY v <-> q LIMIT 2) s ORDER BY n, s.v <-> q;
SELECT n, s.id FROM scan_q, LATERAL (SELECT id, v FROM scan_t ORDER BY (v <-> q) + 0 LIMIT 2) s ORDER BY n, s.v <-> q;
SELECT n, (SELECT id FROM scan_t ORDER BY v <#> q LIMIT 1) AS index, (SELECT id FROM scan_t ORDER BY (v <#> q) + 0 LIMIT 1) AS exact
FROM scan_q ORDER BY n;
SELECT n, count(*) FROM scan_q, LATERAL (SELECT id FROM scan_t WHERE tag = n ORDER BY v <=> q) s GROUP BY n ORDER BY n;
SELECT count(*), bool_and(t.id = s.id) FROM scan_t t, LATERAL (SELECT id FROM scan_t ORDER BY v <-> t.v LIMIT 1) s WHERE t.id <= 200;
SELECT count(*) FROM scan_t t WHERE id <= 20 AND EXISTS (SELECT FROM scan_t u WHERE u.id <> t.id ORDER BY u.v <-> t.v LIMIT 1);
SELECT id FROM scan_t WHERE id IN (SELECT id FROM scan_t ORDER BY v <-> :'query' LIMIT 3) ORDER BY id;
SELECT tag, array_agg(id ORDER BY place)
FROM (SELECT tag, id, row_number() OVER () AS place FROM (SELECT * FROM scan_t ORDER BY v <-> :'query' LIMIT 6) s) s GROUP BY tag ORDER BY tag;

-- prepared: the generic plan of the sixth execution goes by the index too
PREPARE scan_nearest(real[]) AS SELECT id FROM scan_t ORDER BY v <-> $1 LIMIT 2;
EXECUTE scan_nearest(:'query');
EXECUTE scan_nearest(:'query') \g /dev/null
EXECUTE scan_nearest(:'query') \g /dev/null
EXECUTE scan_nearest(:'query') \g /dev/null
EXECUTE scan_nearest(:'query') \g /dev/null
EXECUTE scan_nearest(:'other');
EXPLAIN (COSTS OFF) EXECUTE scan_nearest(:'query');
EXECUTE scan_nearest(:'query');
SELECT generic_plans > 0 AS generic FROM pg_prepared_statements WHERE name = 'scan_nearest';
DEALLOCATE scan_nearest;
PREPARE scan_nearest(real[], int) AS SELECT id FROM scan_t ORDER BY v <-> $1 LIMIT $2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE scan_nearest(:'query', 2);
EXECUTE scan_nearest(:'query', 2);
EXECUTE scan_nearest(:'other', 2);
EXECUTE scan_nearest(NULL, 1001) \g /dev/null
EXECUTE scan_nearest('{1,2}', 1);
RESET plan_cache_mode;
DEALLOCATE scan_nearest;
CREATE FUNCTION scan_loop() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	query real[];
	row record;
	ids text := '';
BEGIN
	FOR query IN SELECT q FROM scan_q ORDER BY n LOOP
		FOR row IN SELECT id FROM scan_t ORDER BY v <-> query LOOP
			ids := ids || ' ' || row.id;
			EXIT;
		END LOOP;
	END LOOP;
	RETURN ids;
END
$$;
SELECT scan_loop() FROM generate_series(1, 3);

-- the same query text again and again, with DISTINCT ON, UNION ALL, FOR UPDATE, incremental sort
SELECT DISTINCT ON (v <-> :'query') id FROM scan_t ORDER BY v <-> :'query' LIMIT 3;
SELECT id FROM (SELECT id, v <-> :'query' AS d FROM scan_t UNION ALL SELECT -id, v <-> :'query' FROM scan_t WHERE tag = 0) s
ORDER BY d, id LIMIT 4;
SELECT id FROM scan_t ORDER BY v <-> :'query' LIMIT 2 FOR UPDATE;
SELECT id FROM scan_t ORDER BY v <-> :'query', id LIMIT 3;
SELECT max(d) >= min(d), count(*) FROM (SELECT v <-> :'query' AS d FROM scan_t ORDER BY v <-> :'query' LIMIT 10) s;

-- changes of the same transaction
BEGIN;
INSERT INTO scan_t SELECT 5000 + n, n, q FROM scan_q;
SELECT n, (SELECT id FROM scan_t ORDER BY v <-> q LIMIT 1) FROM scan_q ORDER BY n;
DELETE FROM scan_t WHERE id > 5002;
SELECT n, (SELECT id FROM scan_t ORDER BY v <-> q LIMIT 1) FROM scan_q ORDER BY n;
SAVEPOINT s;
UPDATE scan_t SET v = (SELECT q FROM scan_q WHERE n = 5) WHERE id = 5001;
SELECT n, (SELECT id FROM scan_t ORDER BY v <-> q LIMIT 1) FROM scan_q ORDER BY n;
ROLLBACK TO s;
SELECT n, (SELECT id FROM scan_t ORDER BY v <-> q LIMIT 1) FROM scan_q ORDER BY n;
ROLLBACK;
SELECT n, (SELECT id FROM scan_t ORDER BY v <-> q LIMIT 1) FROM scan_q ORDER BY n;

-- a query without a place among the vectors: all rows, in whatever order
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM scan_t ORDER BY v <-> NULL) s;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM scan_t ORDER BY v <-> (SELECT q FROM scan_q WHERE n = 99)) s;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM scan_t ORDER BY v <=> '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}') s;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM scan_t ORDER BY v <#> '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}') s;
SELECT n, count(s.id) FROM (SELECT n, q FROM scan_q UNION ALL SELECT 6, NULL) q,
	LATERAL (SELECT id FROM scan_t ORDER BY v <=> q) s GROUP BY n ORDER BY n;

-- rows that the index does not hold are not in a scan of it, as with any index that leaves NULLs out
INSERT INTO scan_t VALUES (6001, 0, NULL), (6002, 0, '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}');
SELECT operator, rows FROM unnest('{<->,<#>,<=>}'::text[]) operator, test_scan('scan_t', quote_literal(:'query'), operator);
DELETE FROM scan_t WHERE id > 6000;

-- orders that the index does not give
SELECT test_plan('SELECT id FROM scan_t ORDER BY v <-> ''{1}'' DESC');
SELECT test_plan('SELECT id FROM scan_t ORDER BY v <-> ''{1}'' NULLS FIRST');
SELECT test_plan('SELECT id FROM scan_t ORDER BY abs(v <-> ''{1}'')');
SELECT test_plan('SELECT id FROM scan_t ORDER BY v');
SELECT test_plan('SELECT id FROM scan_t WHERE v = ''{1}''');
SELECT test_plan('SELECT id FROM scan_t WHERE v IS NOT NULL');
SELECT test_plan('SELECT count(*) FROM scan_t WHERE v <-> ''{1}'' < 3');

-- an exclusion constraint would need an answer to "is there an equal one"
CREATE TABLE scan_exclude (v real[], EXCLUDE USING vecidx (v real_l2_ops WITH =));

RESET enable_seqscan;
RESET enable_sort;
DROP FUNCTION scan_loop;
DROP TABLE scan_t, scan_q;

-- 10,000 rows are walked: what is found is nearly exact, and a scan to the end still meets every row once
CREATE TABLE scan_walk (id int PRIMARY KEY, tag int, v real[]);
INSERT INTO scan_walk SELECT i, i % 100, test_vector(i, 8) FROM generate_series(1, 10000) i;
CREATE INDEX scan_walk_i ON scan_walk USING vecidx (v real_l2_ops);
ANALYZE scan_walk;
SELECT rows, distinct_rows, nearest FROM test_scan('scan_walk', 'test_vector(77, 8)');
SELECT rows, distinct_rows, nearest FROM test_scan('scan_walk', 'test_vector(77777, 8)', tolerance => 0.02);

-- share of the 10 nearest that are found for 50 queries
CREATE FUNCTION scan_recall() RETURNS numeric LANGUAGE sql AS $$
	SELECT avg((near.d <= exact.d + 1e-4)::int)
	FROM generate_series(1, 50) n, LATERAL (SELECT test_vector(-n, 8) AS q OFFSET 0) q,
		LATERAL (SELECT v <-> q AS d FROM scan_walk ORDER BY v <-> q LIMIT 10) near,
		LATERAL (SELECT max(d) AS d FROM (SELECT v <-> q AS d FROM scan_walk ORDER BY (v <-> q) + 0 LIMIT 10) s) exact
$$;
SELECT scan_recall() > 0.9;
SET vecidx.target_recall = 0.999;
SELECT scan_recall() > 0.97;
RESET vecidx.target_recall;

-- settings change what is looked at, never which rows there are
CREATE FUNCTION scan_settings(settings text[]) RETURNS TABLE (setting text, rows bigint, distinct_rows bigint, tagged bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
	FOREACH setting IN ARRAY settings LOOP
		PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
		SELECT s.rows, s.distinct_rows INTO rows, distinct_rows FROM test_scan('scan_walk', 'test_vector(7, 8)') s;
		SELECT count(*) INTO tagged
		FROM (SELECT FROM scan_walk WHERE tag = 42 ORDER BY v <-> '{9,8,7,6,5,4,3,2}' LIMIT 1000) s;
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT * FROM scan_settings('{vecidx.ef_search=1,vecidx.ef_search=10,vecidx.ef_search=1000,vecidx.ef_search=100000,vecidx.ef_search=0,
	vecidx.target_recall=0.5,vecidx.target_recall=0.999,vecidx.target_recall=0.95,
	vecidx.page_access=recent,vecidx.page_access=pinned,vecidx.page_access=unpinned,
	vecidx.kernel=scalar,vecidx.kernel=auto,work_mem=64kB}');

-- a setting changed between rows of a cursor takes hold with the next scan
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM scan_walk ORDER BY v <-> '{9,8,7,6,5,4,3,2}';
MOVE 15 FROM c;
SET LOCAL vecidx.ef_search = 1;
SET LOCAL vecidx.page_access = pinned;
SET LOCAL vecidx.kernel = scalar;
MOVE ALL FROM c;
\echo :ROW_COUNT
COMMIT;

-- an index that changes under a cursor: its rows are those of its snapshot
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM scan_walk ORDER BY v <-> '{9,8,7,6,5,4,3,2}';
MOVE 5 FROM c;
DELETE FROM scan_walk WHERE id % 2 = 0;
INSERT INTO scan_walk SELECT i, 0, test_vector(i, 8) FROM generate_series(10001, 10500) i;
MOVE ALL FROM c;
\echo :ROW_COUNT
COMMIT;
SELECT rows, distinct_rows FROM test_scan('scan_walk', 'test_vector(7, 8)');
SELECT vecidx_check('scan_walk_i');
DROP FUNCTION scan_recall, scan_settings;
DROP TABLE scan_walk;
