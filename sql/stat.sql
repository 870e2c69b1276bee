-- What is counted of all sessions' work with an index: each figure against
-- work that is known.
SET enable_seqscan = off;
SET enable_sort = off;
SET enable_bitmapscan = off;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE stat (id int, part int, rare int, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO stat SELECT i, i % 2, i % 500, test_vector(i, 8) FROM generate_series(1, 10000) i;
CREATE INDEX stat_i ON stat USING vecidx (v real_l2_ops, part, rare);
CREATE TABLE stat_small (v real[]) WITH (autovacuum_enabled = off);
INSERT INTO stat_small SELECT test_vector(i, 8) FROM generate_series(1, 200) i;
CREATE INDEX stat_small_i ON stat_small USING vecidx (v real_l2_ops);
ANALYZE stat, stat_small;

-- nothing has been done with them: builds do not count
SELECT schemaname, relid::regclass, indexrelid::regclass, relname, indexrelname, scans, rows, inserts, scan_time, latency_p50, stats_reset
	FROM pg_stat_vecidx WHERE relname LIKE 'stat%' ORDER BY indexrelname;

-- the sum of what each scan says of itself is what the view says
CREATE TABLE stat_seen AS SELECT * FROM vecidx_last_scan() LIMIT 0;
CREATE FUNCTION stat_run(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	rows bigint;
	how text;
BEGIN
	EXECUTE 'SELECT count(*) FROM (' || query || ') a' INTO rows;
	INSERT INTO stat_seen SELECT * FROM vecidx_last_scan() RETURNING concat_ws(', ', strategy, filter_switch) INTO how;
	RETURN rows || ' rows, ' || how;
END $$;
CREATE VIEW stat_sums AS
	SELECT index::oid AS indexrelid, count(*) AS scans, sum(rows) AS rows, sum(expanded) AS expanded, sum(estimates) AS estimates,
		sum(reranked) AS reranked, sum(exact) AS exact, count(*) FILTER (WHERE strategy = 'walk') AS walks,
		count(*) FILTER (WHERE strategy = 'sweep') AS sweeps, count(*) FILTER (WHERE strategy = 'walk, then sweep') AS walks_then_sweeps,
		count(*) FILTER (WHERE strategy = 'filtered walk') AS filtered_walks, count(*) FILTER (WHERE strategy = 'pass') AS passes,
		count(*) FILTER (WHERE strategy = 'filtered walk, then pass') AS filtered_walks_then_passes,
		coalesce(sum(filter_tests), 0) AS filter_tests, coalesce(sum(filter_passes), 0) AS filter_passes,
		count(*) FILTER (WHERE filter_switch = 'too costly') AS switched_too_costly,
		count(*) FILTER (WHERE filter_switch = 'nothing left') AS switched_nothing_left,
		count(*) FILTER (WHERE filter_switch = 'many wanted') AS switched_many_wanted
	FROM stat_seen GROUP BY index;
CREATE FUNCTION stat_differences(OUT indexrelname name, OUT counter text, OUT counted text, OUT expected text) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT s.indexrelname, e.key, (to_jsonb(s) ->> e.key), e.value
	FROM stat_sums e0 JOIN pg_stat_vecidx s USING (indexrelid), LATERAL jsonb_each_text(to_jsonb(e0)) e (key, value)
	WHERE to_jsonb(s) ->> e.key IS DISTINCT FROM e.value
$$;
SELECT stat_run('SELECT FROM stat ORDER BY v <-> test_vector(-1, 8) LIMIT 5');
SELECT stat_run('SELECT FROM stat ORDER BY v <-> test_vector(-2, 8) LIMIT 50');
SELECT stat_run('SELECT FROM stat ORDER BY v <-> test_vector(-3, 8)');
SELECT stat_run('SELECT FROM stat WHERE part = 1 ORDER BY v <-> test_vector(-4, 8) LIMIT 5');
SELECT stat_run('SELECT FROM stat WHERE part = 1 ORDER BY v <-> test_vector(-4, 8)');
SELECT stat_run('SELECT FROM stat WHERE rare = 7 ORDER BY v <-> test_vector(-5, 8) LIMIT 5');
SELECT stat_run('SELECT FROM stat WHERE part < 0 AND part > 1 ORDER BY v <-> test_vector(-5, 8) LIMIT 5');
SELECT stat_run('SELECT FROM stat_small ORDER BY v <-> test_vector(-6, 8) LIMIT 5');
SELECT count(*) AS scans, count(DISTINCT strategy) AS strategies FROM stat_seen;
SELECT * FROM stat_differences();

-- the server counts as many scans, and rows
SELECT pg_stat_force_next_flush();
SELECT indexrelname, scans = idx_scan AS scans_agree, rows = idx_tup_read AS rows_agree
	FROM pg_stat_vecidx JOIN pg_stat_user_indexes USING (indexrelid, indexrelname) WHERE indexrelname LIKE 'stat%' ORDER BY 1;

-- each rescan is a scan; none is lost when a query is stopped early, or by an error
SELECT vecidx_stat_reset('stat_i');
SELECT count(*) FROM generate_series(1, 7) q, LATERAL (SELECT id FROM stat ORDER BY v <-> test_vector(-q, 8) LIMIT 3) a;
BEGIN;
DECLARE few CURSOR FOR SELECT id FROM stat ORDER BY v <-> test_vector(-1, 8);
MOVE 2 FROM few;
CLOSE few;
DECLARE failing CURSOR FOR SELECT 1 / (id - id) FROM stat ORDER BY v <-> test_vector(-1, 8);
FETCH 1 FROM failing;
ROLLBACK;
DO $$ BEGIN
	PERFORM 1 / (id - id) FROM stat ORDER BY v <-> test_vector(-1, 8);
EXCEPTION WHEN division_by_zero THEN NULL;
END $$;
SELECT scans, aborted, rows, walks, restarts, latency_p50 > 0 AS p50, latency_p50 <= latency_p95 AND latency_p95 <= latency_p99 AS ascending,
	scan_time > 0 AS time, age(stats_reset) < '1 hour' AS reset FROM pg_stat_vecidx WHERE indexrelname = 'stat_i';

-- a restart is a search for more than before: the first finds 10 nodes, those after 20, 40, 80
CREATE FUNCTION stat_restarts(n int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	PERFORM vecidx_stat_reset('stat_i');
	PERFORM FROM (SELECT row_number() OVER () AS place FROM (SELECT FROM stat ORDER BY v <-> test_vector(-1, 8)) a) b WHERE place <= n LIMIT n;
	RETURN (SELECT restarts FROM pg_stat_vecidx WHERE indexrelname = 'stat_i');
END $$;
SELECT n, stat_restarts(n) FROM (VALUES (10), (11), (20), (21), (80), (81)) counts (n);

-- pages: as many of each kind whether they are pinned or not, and as many as the server counts if all are
CREATE FUNCTION stat_pages(access text, OUT code bigint, OUT adjacency bigint, OUT upper bigint, OUT rerank bigint, OUT filter bigint, OUT other bigint)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('vecidx.page_access', access, true), vecidx_stat_reset('stat_i');
	PERFORM FROM stat ORDER BY v <-> test_vector(-9, 8) LIMIT 20;
	PERFORM FROM stat WHERE part = 1 ORDER BY v <-> test_vector(-9, 8) LIMIT 20;
	SELECT code_hit + code_read, adjacency_hit + adjacency_read, upper_hit + upper_read, rerank_hit + rerank_read, filter_hit + filter_read,
		other_hit + other_read INTO code, adjacency, upper, rerank, filter, other FROM pg_stat_vecidx WHERE indexrelname = 'stat_i';
END $$;
SELECT array_agg(p) FILTER (WHERE access = 'unpinned') = array_agg(p) FILTER (WHERE access = 'pinned') AS agree,
	bool_and(code > 100 AND adjacency > 40 AND rerank >= 40 AND filter > 40 AND other = 2) AS plausible
	FROM (VALUES ('unpinned'), ('pinned')) ways (access), stat_pages(access) p;

SET vecidx.page_access = pinned;
SET plan_cache_mode = force_generic_plan;
PREPARE stat_query AS SELECT count(*) FROM (SELECT FROM stat WHERE rare < $1 ORDER BY v <-> test_vector($2, 8) LIMIT 20) a;
EXECUTE stat_query(400, -9);
SELECT pg_stat_force_next_flush(), vecidx_stat_reset('stat_i');
SELECT idx_blks_hit + idx_blks_read AS before FROM pg_statio_user_indexes WHERE indexrelname = 'stat_i' \gset
EXECUTE stat_query(400, -10);
EXECUTE stat_query(2, -10);
SELECT pg_stat_force_next_flush();
SELECT idx_blks_hit + idx_blks_read - :before
	= code_hit + code_read + adjacency_hit + adjacency_read + upper_hit + upper_read + rerank_hit + rerank_read + filter_hit + filter_read
	+ other_hit + other_read AS agree FROM pg_statio_user_indexes JOIN pg_stat_vecidx USING (indexrelid) WHERE indexrelid = 'stat_i'::regclass;
DEALLOCATE stat_query;
RESET vecidx.page_access;
RESET plan_cache_mode;

-- writes
SELECT vecidx_stat_reset();
SELECT count(*) FROM pg_stat_vecidx WHERE scans + inserts + vacuums > 0;
INSERT INTO stat SELECT 15000 + i, 1, 1, test_vector(15000 + i, 8) FROM generate_series(1, 20) i;
INSERT INTO stat SELECT 16000 + i, 1, 1, test_vector(i, 8) FROM generate_series(1, 5) i;
UPDATE stat SET part = 3 WHERE id <= 10;
INSERT INTO stat VALUES (17000, 1, 1, NULL);
BEGIN;
INSERT INTO stat VALUES (17001, 1, 1, test_vector(17001, 8));
ROLLBACK;
COPY stat (id, v) FROM stdin;
18000	{1,2,3,4,5,6,7,8}
18001	{1,2,3,4,5,6,7}
\.
SELECT inserts, attached, deletes, tombstones_made, tombstones_freed, vacuums FROM pg_stat_vecidx WHERE indexrelname = 'stat_i';
DELETE FROM stat WHERE id BETWEEN 101 AND 150;
VACUUM stat;
SELECT inserts, attached, deletes, tombstones_made, tombstones_freed, vacuums, vacuum_time > 0 AS time FROM pg_stat_vecidx WHERE indexrelname = 'stat_i';

-- it can be turned off
SET vecidx.track_statistics = off;
SELECT count(*) FROM (SELECT FROM stat ORDER BY v <-> test_vector(-1, 8) LIMIT 5) a;
INSERT INTO stat VALUES (19000, 1, 1, test_vector(19000, 8));
DELETE FROM stat WHERE id = 200;
VACUUM stat;
RESET vecidx.track_statistics;
SELECT scans, inserts, deletes, vacuums FROM pg_stat_vecidx WHERE indexrelname = 'stat_i';

-- an index that is built anew begins anew; one that is dropped is not shown
SELECT count(*) FROM (SELECT FROM stat ORDER BY v <-> test_vector(-1, 8) LIMIT 5) a;
BEGIN;
REINDEX INDEX stat_i;
SELECT scans, stats_reset IS NULL AS never FROM pg_stat_vecidx WHERE indexrelname = 'stat_i';
SELECT count(*) FROM (SELECT FROM stat ORDER BY v <-> test_vector(-1, 8) LIMIT 5) a;
ROLLBACK;
SELECT scans FROM pg_stat_vecidx WHERE indexrelname = 'stat_i';
REINDEX INDEX stat_i;
SELECT scans FROM pg_stat_vecidx WHERE indexrelname = 'stat_i';
SELECT count(*) FROM (SELECT FROM stat ORDER BY v <-> test_vector(-1, 8) LIMIT 5) a;
SELECT scans FROM pg_stat_vecidx WHERE indexrelname = 'stat_i';
SELECT count(*) FROM (SELECT FROM stat_small ORDER BY v <-> test_vector(-1, 8) LIMIT 5) a;
TRUNCATE stat_small;
SELECT scans FROM pg_stat_vecidx WHERE indexrelname = 'stat_small_i';
DROP INDEX stat_small_i;
SELECT indexrelname FROM pg_stat_vecidx WHERE indexrelname LIKE 'stat%';

-- of what a user may read he sees the work of all, of other indexes that they exist
CREATE ROLE stat_reader;
CREATE ROLE stat_owner;
CREATE TABLE stat_hidden (v real[]);
ALTER TABLE stat_hidden OWNER TO stat_owner;
CREATE INDEX stat_hidden_i ON stat_hidden USING vecidx (v real_l2_ops);
GRANT SELECT (id) ON stat TO stat_reader;
SET ROLE stat_reader;
SELECT indexrelname, scans, stats_reset IS NULL AS never FROM pg_stat_vecidx WHERE indexrelname LIKE 'stat%' ORDER BY 1;
SELECT vecidx_stat_reset();
SELECT vecidx_stat_reset('stat_i');
SET vecidx.track_statistics = off;
SET vecidx.log_min_duration = 0;
SELECT count(*) FROM vecidx_status();
SET ROLE stat_owner;
SELECT indexrelname, scans FROM pg_stat_vecidx WHERE indexrelname LIKE 'stat%' ORDER BY 1;
RESET ROLE;
GRANT pg_read_all_stats TO stat_reader;
GRANT EXECUTE ON FUNCTION vecidx_stat_reset(regclass) TO stat_reader;
SET ROLE stat_reader;
SELECT indexrelname, scans FROM pg_stat_vecidx WHERE indexrelname LIKE 'stat%' ORDER BY 1;
SELECT vecidx_stat_reset('stat_i');
RESET ROLE;
SELECT indexrelname, scans FROM pg_stat_vecidx WHERE indexrelname LIKE 'stat%' ORDER BY 1;
DROP TABLE stat_hidden;
REVOKE ALL ON stat FROM stat_reader;
REVOKE EXECUTE ON FUNCTION vecidx_stat_reset(regclass) FROM stat_reader;
DROP ROLE stat_reader, stat_owner;

-- what is no vecidx index
SELECT vecidx_stat_reset('stat');
SELECT vecidx_stat_reset('pg_class_oid_index');
SELECT vecidx_stat(0);
SELECT vecidx_stat('stat'::regclass);

-- a temporary index, an empty one, a partitioned one, whose parts have rows of their own
CREATE TEMP TABLE stat_temporary (v real[]);
CREATE INDEX stat_temporary_i ON stat_temporary USING vecidx (v real_l2_ops);
SELECT count(*) FROM (SELECT FROM stat_temporary ORDER BY v <-> '{1,2}'::real[] LIMIT 5) a;
INSERT INTO stat_temporary VALUES ('{1,2}');
CREATE TABLE stat_parts (n int, v real[]) PARTITION BY LIST (n);
CREATE TABLE stat_part_1 PARTITION OF stat_parts FOR VALUES IN (1);
CREATE TABLE stat_part_2 PARTITION OF stat_parts FOR VALUES IN (2);
CREATE INDEX ON stat_parts USING vecidx (v real_l2_ops);
INSERT INTO stat_parts VALUES (1, '{1,2}'), (1, '{2,3}'), (2, '{1,2}');
SELECT relname, scans, inserts, walks + sweeps AS searches FROM pg_stat_vecidx WHERE relname LIKE 'stat_%' ORDER BY 1;

-- where it is kept
SELECT property, value FROM vecidx_status() WHERE property IN ('state', 'why not shared', 'bytes at most', 'statistics', 'statistics slots', 'statistics evictions');
SELECT count(*) FILTER (WHERE property = 'bytes used' AND value::int BETWEEN 1024 * 1024 AND 8 * 1024 * 1024) AS bytes,
	count(*) FILTER (WHERE property = 'statistics slots used' AND value::int BETWEEN 5 AND 1024) AS used FROM vecidx_status();

SELECT vecidx_check('stat_i') > 3900 AS sound;
DROP VIEW stat_sums;
DROP TABLE stat, stat_seen, stat_small, stat_parts, stat_temporary CASCADE;
DROP FUNCTION stat_run, stat_differences, stat_restarts, stat_pages;
