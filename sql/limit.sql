--
-- What a scan learns of the LIMIT above it, told by vecidx_last_scan(), and
-- that the rows are the right ones either way.
--
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- before the first scan of a session there is nothing to tell
SELECT * FROM vecidx_last_scan();

CREATE TABLE limit_t (id int PRIMARY KEY, v real[]);
INSERT INTO limit_t SELECT i, test_vector(i, 16) FROM generate_series(1, 1000) i;
CREATE INDEX limit_l2 ON limit_t USING vecidx (v real_l2_ops);
ANALYZE limit_t;
SELECT test_vector(5003, 16) AS query \gset

-- the place of each row, without the index; the nearest rows have no ties
CREATE TABLE limit_place AS
	SELECT n, id, rank() OVER (PARTITION BY n ORDER BY v <-> test_vector(n, 16)) AS place
	FROM limit_t, generate_series(5001, 5003) n;
CREATE UNIQUE INDEX limit_place_id ON limit_place (n, id);
ANALYZE limit_place;
SELECT count(*) FROM limit_place WHERE place <= 10;
SELECT count(DISTINCT place) FROM limit_place WHERE n = 5003 AND place > 990;
CREATE FUNCTION place(id int, n int DEFAULT 5003) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT p.place FROM limit_place p WHERE p.n = place.n AND p.id = place.id);
END
$$;
CREATE FUNCTION last_k() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT k FROM vecidx_last_scan()';

SET enable_seqscan = off;

-- LIMIT and OFFSET
SELECT test_plan('SELECT id FROM limit_t ORDER BY v <-> ''{}'' LIMIT 3');
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 3;
SELECT index, k, target_recall, ef, strategy, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 2 OFFSET 3;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 2 + 2;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' OFFSET 997;
SELECT k, rows FROM vecidx_last_scan();
SELECT count(*) FROM (SELECT FROM limit_t ORDER BY v <-> :'query' LIMIT 1005) s;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT NULL OFFSET 998;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 4 OFFSET NULL;
SELECT k, rows FROM vecidx_last_scan();
-- no scan begins
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 0;
SELECT k, rows FROM vecidx_last_scan();
EXPLAIN SELECT id FROM limit_t ORDER BY v <-> :'query' LIMIT 2 \g /dev/null
SELECT k, rows FROM vecidx_last_scan();
-- so many that nobody means it
SELECT count(*) FROM (SELECT FROM limit_t ORDER BY v <-> :'query' LIMIT 1000000) s;
SELECT k, rows FROM vecidx_last_scan();
SELECT count(*) FROM (SELECT FROM limit_t ORDER BY v <-> :'query' LIMIT 1000001) s;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 9223372036854775807 OFFSET 999;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 1 OFFSET 9223372036854775807;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT -1;

-- parameters, with a generic plan
PREPARE nearest(bigint, bigint) AS SELECT place(id) FROM limit_t ORDER BY v <-> test_vector(5003, 16) LIMIT $1 OFFSET $2;
SET plan_cache_mode = force_generic_plan;
EXECUTE nearest(3, 0);
SELECT k, rows FROM vecidx_last_scan();
EXECUTE nearest(1, 5);
SELECT k, rows FROM vecidx_last_scan();
EXECUTE nearest(NULL, 998);
SELECT k, rows FROM vecidx_last_scan();
EXECUTE nearest(2, NULL);
SELECT k, rows FROM vecidx_last_scan();
DEALLOCATE nearest;
-- a condition on parameters only lets pass all rows or none
PREPARE nearest(int) AS SELECT place(id) FROM limit_t WHERE $1 > 0 ORDER BY v <-> test_vector(5003, 16) LIMIT 3;
EXECUTE nearest(1);
SELECT k, rows FROM vecidx_last_scan();
EXECUTE nearest(0);
DEALLOCATE nearest;
RESET plan_cache_mode;

-- rescans: each row of the outer table brings its own query and limit; the
-- scan told of while a row is given out is that of the row before
SELECT n, wanted, s.place, last_k()
FROM (VALUES (1, 5001, 2), (2, 5002, 4), (3, 5003, 0), (4, 5003, 1), (5, 5001, NULL), (6, 5002, 3)) o (i, n, wanted),
	LATERAL (SELECT place(id, n) FROM limit_t ORDER BY v <-> test_vector(n, 16) LIMIT wanted) s
WHERE s.place <= 4;
SELECT k, rows FROM vecidx_last_scan();
SELECT n, ARRAY(SELECT place(id, n) FROM limit_t ORDER BY v <-> test_vector(n, 16) LIMIT n - 5000 OFFSET n - 5000)
FROM generate_series(5001, 5003) n;
SELECT k, rows FROM vecidx_last_scan();
-- what is not asked for to the end
SELECT n FROM generate_series(5001, 5002) n WHERE EXISTS (SELECT FROM limit_t ORDER BY v <-> test_vector(n, 16) LIMIT n - 4990 OFFSET 2);
SELECT k, rows FROM vecidx_last_scan();

-- cursors, read piece by piece, side by side and beyond their ends
BEGIN;
DECLARE a CURSOR FOR SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 4 OFFSET 1;
DECLARE b CURSOR FOR SELECT place(id) FROM limit_t ORDER BY v <-> :'query';
DECLARE c SCROLL CURSOR FOR SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 3;
FETCH 2 FROM b;
FETCH 2 FROM a;
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 1;
FETCH 2 FROM c;
FETCH 3 FROM a;
FETCH 1 FROM a;
FETCH 1 FROM b;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
SELECT k, rows FROM vecidx_last_scan();
CLOSE a;
SELECT k, rows FROM vecidx_last_scan();
CLOSE b;
SELECT k, rows FROM vecidx_last_scan();
CLOSE c;
SELECT k, rows FROM vecidx_last_scan();
-- one that has been forgotten half-way with its subtransaction
DECLARE a CURSOR FOR SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 7;
SAVEPOINT s;
DECLARE b CURSOR FOR SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 8;
FETCH 1 FROM b;
SELECT 1 / (place(id) - 3) FROM limit_t ORDER BY v <-> :'query' LIMIT 9;
ROLLBACK TO s;
FETCH 1 FROM a;
SELECT place(id) FROM limit_t WHERE id > 0 ORDER BY v <-> :'query' LIMIT 1;
SELECT k FROM vecidx_last_scan();
COMMIT;
SELECT k, rows FROM vecidx_last_scan();

-- where rows get lost or multiplied between scan and Limit, or compared, nothing is learned
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' FETCH FIRST 3 ROWS WITH TIES;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) > 0 AS found FROM limit_t WHERE id % 2 = 0 ORDER BY v <-> :'query' LIMIT 2;
SELECT k, rows > 1 FROM vecidx_last_scan();
SELECT i, place(id) FROM (SELECT id, generate_series(1, 2) AS i FROM limit_t ORDER BY v <-> :'query' LIMIT 5) s;
SELECT k, rows FROM vecidx_last_scan();
SELECT s.place FROM (SELECT place(id) FROM limit_t ORDER BY v <-> :'query' OFFSET 0) s WHERE s.place > 2 LIMIT 2;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query', id LIMIT 2;
-- where none does, it is
SELECT s.place + 100 FROM (SELECT place(id) FROM limit_t ORDER BY v <-> :'query' OFFSET 0) s LIMIT 2;
SELECT k, rows FROM vecidx_last_scan();
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 3 FOR UPDATE;
SELECT k, rows FROM vecidx_last_scan();

-- several scans in one query
SELECT place, k
FROM (SELECT * FROM (SELECT place(id), 2 AS k FROM limit_t ORDER BY v <-> :'query' LIMIT 2) a
	  UNION ALL
	  SELECT * FROM (SELECT place(id), 3 AS k FROM limit_t ORDER BY v <-> :'query' LIMIT 3) b) s;
SELECT k, rows FROM vecidx_last_scan();
WITH near AS MATERIALIZED (SELECT id, v FROM limit_t ORDER BY v <-> :'query' LIMIT 6)
SELECT place(id) FROM near WHERE id = (SELECT id FROM limit_t ORDER BY v <-> :'query' LIMIT 1 OFFSET 4);
BEGIN;
DELETE FROM limit_t WHERE id IN (SELECT id FROM limit_t ORDER BY v <-> :'query' LIMIT 2);
-- rows that the query cannot see do not count
SELECT place(id) FROM limit_t ORDER BY v <-> :'query' LIMIT 3;
SELECT k, rows FROM vecidx_last_scan();
ROLLBACK;
CREATE TABLE limit_parts (id int, v real[]) PARTITION BY HASH (id);
CREATE TABLE limit_part_0 PARTITION OF limit_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE limit_part_1 PARTITION OF limit_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO limit_parts SELECT * FROM limit_t;
CREATE INDEX ON limit_parts USING vecidx (v real_l2_ops);
ANALYZE limit_parts;
SELECT test_plan('SELECT id FROM limit_parts ORDER BY v <-> ''{}'' LIMIT 3');
SELECT place(id) FROM limit_parts ORDER BY v <-> :'query' LIMIT 5;
SELECT k FROM vecidx_last_scan();

-- functions in the target list that run queries on the same index
CREATE FUNCTION limit_inner(wanted int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	places bigint[];
BEGIN
	places := ARRAY(SELECT place(id) FROM limit_t ORDER BY v <-> test_vector(5003, 16) LIMIT wanted);
	RETURN format('%s of %s', places, last_k());
END
$$;
SELECT place(id), limit_inner(place(id)::int + 3) FROM limit_t ORDER BY v <-> :'query' LIMIT 2;
SELECT k, rows FROM vecidx_last_scan();
-- a query vector that is itself looked for, before the outer scan begins
CREATE FUNCTION limit_vector() RETURNS real[] LANGUAGE plpgsql STABLE AS $$
DECLARE
	near int;
BEGIN
	SELECT place(id) INTO near FROM limit_t WHERE id > 0 ORDER BY v <-> test_vector(5003, 16) LIMIT 1;
	RAISE WARNING 'found %, k %', near, (SELECT k FROM vecidx_last_scan());
	RETURN test_vector(5003, 16);
END
$$;
PREPARE nearest AS SELECT place(id) FROM limit_t ORDER BY v <-> limit_vector() LIMIT 4;
EXECUTE nearest;
SELECT k, rows FROM vecidx_last_scan();
DEALLOCATE nearest;
-- one that fails under a scan that goes on
CREATE FUNCTION limit_fail() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	PERFORM 1 / (place(id) - 2) FROM limit_t ORDER BY v <-> test_vector(5003, 16) LIMIT 8;
	RETURN 'none';
EXCEPTION WHEN division_by_zero THEN
	RETURN SQLERRM;
END
$$;
SELECT place(id), limit_fail() FROM limit_t ORDER BY v <-> :'query' LIMIT 2;
SELECT k, rows FROM vecidx_last_scan();

-- EXPLAIN tells the same of each scan, since PostgreSQL 18
CREATE FUNCTION limit_explain(options text, query text, expected text, OUT right_lines bool) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	line text;
	found text := '';
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (SUMMARY OFF, %s) %s', options, query) LOOP
		IF line ~ '^ *(Target Recall|Rows Wanted|Strategy|Index Rows):' THEN
			found := found || trim(line) || '; ';
		END IF;
	END LOOP;
	IF current_setting('server_version_num')::int < 180000 THEN
		expected := '';
	END IF;
	right_lines := found = expected;
	IF NOT right_lines THEN
		RAISE WARNING 'found: %', found;
	END IF;
END
$$;
SELECT limit_explain('COSTS ON', 'SELECT id FROM limit_t ORDER BY v <-> test_vector(5003, 16) LIMIT 2 OFFSET 1',
					 'Target Recall: 0.950; Rows Wanted: 3; ');
SELECT limit_explain('COSTS ON', 'SELECT id FROM limit_t ORDER BY v <-> test_vector(5003, 16) LIMIT (SELECT 2)',
					 'Target Recall: 0.950; ');
SELECT limit_explain('COSTS OFF', 'SELECT id FROM limit_t ORDER BY v <-> test_vector(5003, 16) LIMIT 2', '');
SELECT limit_explain('COSTS ON', 'SELECT id FROM limit_t WHERE id = 3', '');
SELECT limit_explain('ANALYZE, COSTS OFF, TIMING OFF',
					 '(SELECT id FROM limit_t ORDER BY v <-> test_vector(5003, 16) LIMIT (SELECT 2))
					  UNION ALL (SELECT id FROM limit_t ORDER BY v <-> test_vector(5002, 16) OFFSET 997)
					  UNION ALL (SELECT id FROM limit_t ORDER BY v <-> test_vector(5002, 16) LIMIT 0)',
					 'Target Recall: 0.950; Rows Wanted: 2; Strategy: sweep; Index Rows: 2; ' ||
					 'Target Recall: 0.950; Strategy: sweep; Index Rows: 1000; ');
SELECT limit_explain('ANALYZE, COSTS OFF, TIMING OFF',
					 'SELECT FROM generate_series(1, 4) n, LATERAL (SELECT FROM limit_t ORDER BY v <-> test_vector(n, 16) LIMIT n) s',
					 'Target Recall: 0.950; Rows Wanted: 4; Strategy: sweep; Index Rows: 10; ');

-- a graph that is walked
INSERT INTO limit_t SELECT i, test_vector(i, 16) FROM generate_series(1001, 4000) i;
REINDEX INDEX limit_l2;
SET vecidx.ef_search = 50;
SELECT count(*) FROM (SELECT FROM limit_t ORDER BY v <-> :'query' LIMIT 5) s;
SELECT index, k, ef >= 50 AS wide, strategy LIKE 'walk%' AS walked, rows FROM vecidx_last_scan();
SELECT count(*) FROM (SELECT FROM limit_t ORDER BY v <-> :'query') s;
SELECT index, k, strategy, rows FROM vecidx_last_scan();
RESET vecidx.ef_search;

-- the distance that nobody reads is dropped, also from plans kept since before the session knew of vecidx
\c -
SET client_min_messages = warning;
SET enable_seqscan = off;
SET plan_cache_mode = force_generic_plan;
PREPARE nearest (real[]) AS SELECT id FROM limit_t ORDER BY v <-> $1 LIMIT 2;
EXECUTE nearest (:'query');
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE nearest (:'query');
-- so it is where the scan is all of a query or a subquery, but not where something there may read the distance
PREPARE counted (real[]) AS SELECT count(*) FROM (SELECT id FROM limit_t ORDER BY v <-> $1) s;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE counted (:'query');
EXECUTE counted (:'query');
PREPARE listed (real[]) AS WITH s AS MATERIALIZED (SELECT id FROM limit_t ORDER BY v <-> $1) SELECT id FROM s;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE listed (:'query');
PREPARE apart (real[]) AS SELECT DISTINCT ON (v <-> $1) id FROM limit_t ORDER BY v <-> $1;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE apart (:'query');
PREPARE grouped (real[]) AS SELECT count(*) FROM limit_t GROUP BY v <-> $1 ORDER BY v <-> $1;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE grouped (:'query');
SELECT count(*) = (SELECT count(DISTINCT v <-> :'query') FROM limit_t) AS as_many
	FROM (SELECT DISTINCT ON (v <-> :'query') id FROM limit_t ORDER BY v <-> :'query') s;
SELECT count(*) = (SELECT count(DISTINCT v <-> :'query') FROM limit_t) AS as_many
	FROM (SELECT FROM limit_t GROUP BY v <-> :'query' ORDER BY v <-> :'query') s;
PREPARE locked (real[]) AS SELECT id FROM limit_t ORDER BY v <-> $1 FOR UPDATE;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE locked (:'query');

DROP FUNCTION limit_explain, limit_fail, limit_inner, limit_vector, last_k, place;
DROP TABLE limit_t, limit_place, limit_parts;
