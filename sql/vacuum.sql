--
-- Vacuum: dead rows leave, their slots serve again, and searches find what is left.
--
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET enable_seqscan = off;

-- What an index is made of, in numbers.
CREATE FUNCTION vacuum_info(index regclass, OUT checked bigint, OUT nodes int, OUT tombstones int, OUT free int, OUT extensions int, OUT tids int, OUT unreachable int)
LANGUAGE sql AS $$
	SELECT vecidx_check(index),
		(SELECT value::int FROM vecidx_info(index) WHERE property = 'nodes'),
		(SELECT value::int FROM vecidx_info(index) WHERE property = 'tombstones'),
		(SELECT value::int FROM vecidx_info(index) WHERE property = 'free slots'),
		(SELECT value::int FROM vecidx_info(index) WHERE property = 'extensions'),
		(SELECT value::int FROM vecidx_info(index) WHERE property = 'TIDs'),
		(SELECT value::int FROM vecidx_info(index) WHERE property = 'unreachable nodes')
$$;

CREATE TABLE vacuum_t (id int PRIMARY KEY, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO vacuum_t SELECT i, test_vector(i, 8) FROM generate_series(1, 2000) i;
CREATE INDEX vacuum_i ON vacuum_t USING vecidx (v real_l2_ops);
SELECT * FROM vacuum_info('vacuum_i');

-- nothing to do
VACUUM vacuum_t;
SELECT * FROM vacuum_info('vacuum_i');

-- deleted but not vacuumed: still there, never returned
DELETE FROM vacuum_t WHERE id % 10 = 0;
SELECT * FROM vacuum_info('vacuum_i');
SELECT rows, distinct_rows, nearest FROM test_scan('vacuum_t', 'test_vector(5, 8)');
SELECT rows, distinct_rows, nearest FROM test_scan('vacuum_t', 'test_vector(10, 8)', tolerance => 0.05);

-- vacuumed: gone
VACUUM vacuum_t;
SELECT * FROM vacuum_info('vacuum_i');
SELECT rows, distinct_rows, nearest FROM test_scan('vacuum_t', 'test_vector(5, 8)');
SELECT rows, distinct_rows, nearest FROM test_scan('vacuum_t', 'test_vector(10, 8)', tolerance => 0.05);
SELECT reltuples FROM pg_class WHERE relname = 'vacuum_i';

-- new rows take the free slots: the index does not grow however often rows come and go
SELECT pg_relation_size('vacuum_i') AS size \gset
INSERT INTO vacuum_t SELECT i, test_vector(i + 10000, 8) FROM generate_series(10, 2000, 10) i;
SELECT * FROM vacuum_info('vacuum_i');
DELETE FROM vacuum_t WHERE id % 5 = 1;
VACUUM vacuum_t;
INSERT INTO vacuum_t SELECT i, test_vector(i + 20000, 8) FROM generate_series(1, 2000, 5) i;
DELETE FROM vacuum_t WHERE id % 5 = 2;
VACUUM vacuum_t;
INSERT INTO vacuum_t SELECT i, test_vector(i + 30000, 8) FROM generate_series(2, 2000, 5) i;
DELETE FROM vacuum_t WHERE id % 5 = 3;
VACUUM vacuum_t;
INSERT INTO vacuum_t SELECT i, test_vector(i + 40000, 8) FROM generate_series(3, 2000, 5) i;
DELETE FROM vacuum_t WHERE id % 5 = 4;
VACUUM vacuum_t;
INSERT INTO vacuum_t SELECT i, test_vector(i + 50000, 8) FROM generate_series(4, 2000, 5) i;
DELETE FROM vacuum_t WHERE id % 5 = 0;
VACUUM vacuum_t;
INSERT INTO vacuum_t SELECT i, test_vector(i + 60000, 8) FROM generate_series(5, 2000, 5) i;
SELECT pg_relation_size('vacuum_i') <= :size AS "as small as before";
SELECT checked, nodes, tombstones, free, tids FROM vacuum_info('vacuum_i');
SELECT rows, distinct_rows FROM test_scan('vacuum_t', 'test_vector(5, 8)');
SELECT count(*) >= 95 AS found FROM (SELECT id, v FROM vacuum_t WHERE id % 20 = 0) t,
	LATERAL (SELECT id FROM vacuum_t ORDER BY v <-> t.v LIMIT 1) s WHERE s.id = t.id;

-- rows of the same transaction that is rolled back die, too
BEGIN;
INSERT INTO vacuum_t SELECT i, test_vector(i, 8) FROM generate_series(3001, 3100) i;
ROLLBACK;
SELECT checked, tids FROM vacuum_info('vacuum_i');
VACUUM vacuum_t;
SELECT checked, free, tids FROM vacuum_info('vacuum_i');

-- ways to vacuum
DELETE FROM vacuum_t WHERE id % 4 = 0;
VACUUM (INDEX_CLEANUP off) vacuum_t;
SELECT checked, tids FROM vacuum_info('vacuum_i');
SELECT rows, distinct_rows FROM test_scan('vacuum_t', 'test_vector(5, 8)');
VACUUM (INDEX_CLEANUP on) vacuum_t;
SELECT checked, tids FROM vacuum_info('vacuum_i');
DELETE FROM vacuum_t WHERE id % 4 = 1;
VACUUM (FREEZE, ANALYZE) vacuum_t;
SELECT checked, tids FROM vacuum_info('vacuum_i');
DELETE FROM vacuum_t WHERE id % 8 = 2;
SET min_parallel_index_scan_size = 0;
VACUUM (PARALLEL 2) vacuum_t;
RESET min_parallel_index_scan_size;
SELECT checked, tids FROM vacuum_info('vacuum_i');
DELETE FROM vacuum_t WHERE id % 8 = 6;
VACUUM FULL vacuum_t;
SELECT * FROM vacuum_info('vacuum_i');
SELECT rows, distinct_rows, nearest, sorted FROM test_scan('vacuum_t', 'test_vector(5, 8)');
-- ANALYZE leaves the index alone
SELECT md5(string_agg(property || value, ',')) AS before FROM vecidx_info('vacuum_i') \gset
DELETE FROM vacuum_t WHERE id % 8 = 3;
ANALYZE vacuum_t;
SELECT md5(string_agg(property || value, ',')) = :'before' AS unchanged FROM vecidx_info('vacuum_i');
CLUSTER vacuum_t USING vacuum_t_pkey;
SELECT checked, tids FROM vacuum_info('vacuum_i');

-- two indexes at a time, by parallel workers
CREATE TABLE vacuum_two (id int PRIMARY KEY, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO vacuum_two SELECT i, test_vector(i, 8) FROM generate_series(1, 1000) i;
CREATE INDEX vacuum_two_l2 ON vacuum_two USING vecidx (v real_l2_ops);
CREATE INDEX vacuum_two_ip ON vacuum_two USING vecidx (v real_ip_ops);
DELETE FROM vacuum_two WHERE id % 3 = 0;
SET min_parallel_index_scan_size = 0;
VACUUM (PARALLEL 2) vacuum_two;
RESET min_parallel_index_scan_size;
SELECT checked, nodes, tombstones, free, tids FROM vacuum_info('vacuum_two_l2');
SELECT checked, nodes, tombstones, free, tids FROM vacuum_info('vacuum_two_ip');
DROP TABLE vacuum_two;

-- the nodes of several levels all go, and as many come: they find room on their levels in the slots that are free
CREATE TABLE vacuum_levels (id int, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO vacuum_levels SELECT i, test_vector(i, 4) FROM generate_series(1, 3000) i;
CREATE INDEX vacuum_levels_i ON vacuum_levels USING vecidx (v real_l2_ops) WITH (m = 2, ef_construction = 8);
DELETE FROM vacuum_levels;
VACUUM vacuum_levels;
INSERT INTO vacuum_levels SELECT i, test_vector(i, 4) FROM generate_series(5001, 7800) i;
DELETE FROM vacuum_levels;
VACUUM vacuum_levels;
INSERT INTO vacuum_levels SELECT i, test_vector(i, 4) FROM generate_series(8001, 10800) i;
SELECT checked, nodes, free FROM vacuum_info('vacuum_levels_i');
-- half of the nodes reach level 1, of these half level 2, and so on
SELECT bool_and(split_part(part, ': ', 2)::int BETWEEN 0.75 * 2800 / 2 ^ split_part(part, ': ', 1)::int AND 1.25 * 2800 / 2 ^ split_part(part, ': ', 1)::int) AS levels
	FROM vecidx_info('vacuum_levels_i'), string_to_table(value, ', ') part
	WHERE property = 'nodes by level' AND split_part(part, ': ', 1)::int BETWEEN 1 AND 4;
DROP TABLE vacuum_levels;

-- all rows go, and others come
DELETE FROM vacuum_t;
VACUUM vacuum_t;
SELECT checked, nodes, tombstones, extensions, tids FROM vacuum_info('vacuum_i');
SELECT * FROM test_scan('vacuum_t', 'test_vector(5, 8)');
SELECT pg_relation_size('vacuum_i') AS size \gset
INSERT INTO vacuum_t SELECT i, test_vector(i, 8) FROM generate_series(1, 250) i;
SELECT * FROM test_scan('vacuum_t', 'test_vector(5, 8)');
SELECT pg_relation_size('vacuum_i') <= :size AS "as small as before";
SELECT checked, nodes, tombstones, extensions, tids FROM vacuum_info('vacuum_i');
DELETE FROM vacuum_t;
VACUUM vacuum_t;
VACUUM vacuum_t;
INSERT INTO vacuum_t VALUES (1, test_vector(1, 8));
SELECT id FROM vacuum_t ORDER BY v <-> test_vector(5, 8);
SELECT vecidx_check('vacuum_i');
DROP TABLE vacuum_t;

-- the entry of the graph dies again and again
CREATE TABLE vacuum_entry (id int PRIMARY KEY, v real[]) WITH (autovacuum_enabled = off);
CREATE INDEX vacuum_entry_i ON vacuum_entry USING vecidx (v real_l2_ops) WITH (m = 4, ef_construction = 16);
INSERT INTO vacuum_entry SELECT i, test_vector(i, 4) FROM generate_series(1, 400) i;
DELETE FROM vacuum_entry WHERE id > 200;
VACUUM vacuum_entry;
SELECT checked, nodes, tombstones, free FROM vacuum_info('vacuum_entry_i');
DELETE FROM vacuum_entry WHERE id > 50;
VACUUM vacuum_entry;
SELECT checked, nodes, tombstones, free FROM vacuum_info('vacuum_entry_i');
SELECT * FROM test_scan('vacuum_entry', 'test_vector(5, 4)');
DELETE FROM vacuum_entry WHERE id > 1;
VACUUM vacuum_entry;
SELECT checked, nodes, tombstones, free FROM vacuum_info('vacuum_entry_i');
SELECT * FROM test_scan('vacuum_entry', 'test_vector(5, 4)');
INSERT INTO vacuum_entry SELECT i, test_vector(i, 4) FROM generate_series(2, 1500) i;
-- lists of four, and levels drawn at random: only a wide search is sure to find the way
SET vecidx.ef_search = 200;
SELECT rows, distinct_rows, nearest FROM test_scan('vacuum_entry', 'test_vector(5, 4)', tolerance => 0.05);
RESET vecidx.ef_search;
SELECT vecidx_check('vacuum_entry_i');
DROP TABLE vacuum_entry;

-- many rows of one node: its chain of extensions loses links at either end and between
CREATE TABLE vacuum_same (id int PRIMARY KEY, v real[]) WITH (autovacuum_enabled = off);
CREATE INDEX vacuum_same_i ON vacuum_same USING vecidx (v real_l2_ops) WITH (m = 2, ef_construction = 8);
INSERT INTO vacuum_same SELECT i, '{1,2,3}' FROM generate_series(1, 202) i;
SELECT * FROM vacuum_info('vacuum_same_i');
DELETE FROM vacuum_same WHERE id % 3 = 0;
VACUUM vacuum_same;
SELECT checked, nodes, tombstones, tids FROM vacuum_info('vacuum_same_i');
SELECT * FROM test_scan('vacuum_same', '''{1,2,3}''');
DELETE FROM vacuum_same WHERE id BETWEEN 50 AND 150;
VACUUM vacuum_same;
SELECT checked, nodes, tombstones, tids FROM vacuum_info('vacuum_same_i');
SELECT * FROM test_scan('vacuum_same', '''{1,2,3}''');
SELECT pg_relation_size('vacuum_same_i') AS size \gset
INSERT INTO vacuum_same SELECT i, '{1,2,3}' FROM generate_series(301, 400) i;
SELECT pg_relation_size('vacuum_same_i') <= :size AS "as small as before";
DELETE FROM vacuum_same WHERE id <= 49 OR id BETWEEN 150 AND 390;
VACUUM vacuum_same;
SELECT checked, nodes, tombstones, tids FROM vacuum_info('vacuum_same_i');
SELECT * FROM test_scan('vacuum_same', '''{1,2,3}''');
-- the first slot is empty while the chain is not
INSERT INTO vacuum_same SELECT i, '{1,2,3}' FROM generate_series(401, 410) i;
DELETE FROM vacuum_same WHERE id <= 402;
VACUUM vacuum_same;
SELECT * FROM test_scan('vacuum_same', '''{1,2,3}''');
DELETE FROM vacuum_same;
VACUUM vacuum_same;
SELECT checked, nodes, tombstones, extensions, tids FROM vacuum_info('vacuum_same_i');
INSERT INTO vacuum_same SELECT i, '{1,2,3}' FROM generate_series(1, 20) i;
SELECT * FROM test_scan('vacuum_same', '''{1,2,3}''');
SELECT checked, nodes, tombstones, tids FROM vacuum_info('vacuum_same_i');
DROP TABLE vacuum_same;

-- updates: those that stay on their page change nothing in the index, others add a row to the same node
CREATE TABLE vacuum_update (id int PRIMARY KEY, note int, v real[]) WITH (autovacuum_enabled = off, fillfactor = 50);
INSERT INTO vacuum_update SELECT i, 0, test_vector(i, 8) FROM generate_series(1, 300) i;
CREATE INDEX vacuum_update_i ON vacuum_update USING vecidx (v real_l2_ops);
UPDATE vacuum_update SET note = 1;
SELECT checked, tids FROM vacuum_info('vacuum_update_i');
VACUUM vacuum_update;
SELECT checked, tids FROM vacuum_info('vacuum_update_i');
SELECT * FROM test_scan('vacuum_update', 'test_vector(5, 8)');
CREATE INDEX vacuum_update_note ON vacuum_update (note);
UPDATE vacuum_update SET note = 2;
SELECT checked, tids FROM vacuum_info('vacuum_update_i');
SELECT * FROM test_scan('vacuum_update', 'test_vector(5, 8)');
UPDATE vacuum_update SET note = 3 WHERE id % 2 = 0;
UPDATE vacuum_update SET note = 4 WHERE id % 2 = 0;
VACUUM vacuum_update;
SELECT checked, nodes, tombstones, tids FROM vacuum_info('vacuum_update_i');
SELECT * FROM test_scan('vacuum_update', 'test_vector(5, 8)');
UPDATE vacuum_update SET v = test_vector(id + 1, 8);
VACUUM vacuum_update;
SELECT checked, nodes, tombstones, tids FROM vacuum_info('vacuum_update_i');
SELECT * FROM test_scan('vacuum_update', 'test_vector(5, 8)');
SELECT id FROM vacuum_update ORDER BY v <-> test_vector(100, 8) LIMIT 1;
DROP TABLE vacuum_update;

-- rows wider than a page, and the other distances
CREATE TABLE vacuum_wide (id int PRIMARY KEY, v real[]) WITH (autovacuum_enabled = off);
CREATE INDEX vacuum_wide_ip ON vacuum_wide USING vecidx (v real_ip_ops) WITH (quantizer = rabitq8, rerank = half);
CREATE INDEX vacuum_wide_cosine ON vacuum_wide USING vecidx (v real_cosine_ops);
INSERT INTO vacuum_wide SELECT i, test_vector(i, 5000) FROM generate_series(1, 20) i;
DELETE FROM vacuum_wide WHERE id % 3 = 0;
VACUUM vacuum_wide;
SELECT pg_relation_size('vacuum_wide_ip') AS ip, pg_relation_size('vacuum_wide_cosine') AS cosine \gset
INSERT INTO vacuum_wide SELECT i, test_vector(i + 100, 5000) FROM generate_series(3, 18, 3) i;
SELECT pg_relation_size('vacuum_wide_ip') = :ip AS ip, pg_relation_size('vacuum_wide_cosine') = :cosine AS cosine;
SELECT vecidx_check('vacuum_wide_ip') AS ip, vecidx_check('vacuum_wide_cosine') AS cosine;
SELECT * FROM test_scan('vacuum_wide', 'test_vector(5, 5000)', '<#>', 0.05);
SELECT * FROM test_scan('vacuum_wide', 'test_vector(5, 5000)', '<=>', 0.05);
DROP TABLE vacuum_wide;

-- thousands of rows of one node among others, most of them dead
CREATE TABLE vacuum_many (id int, v real[]) WITH (autovacuum_enabled = off);
CREATE INDEX vacuum_many_i ON vacuum_many USING vecidx (v real_l2_ops);
INSERT INTO vacuum_many SELECT i, CASE WHEN i % 100 = 0 THEN test_vector(i, 3) ELSE '{1,2,3}' END FROM generate_series(1, 10000) i;
DELETE FROM vacuum_many WHERE id % 200 > 0;
VACUUM vacuum_many;
SELECT checked, nodes, tombstones, extensions, tids FROM vacuum_info('vacuum_many_i');
SELECT * FROM test_scan('vacuum_many', '''{1,2,3}''');
DROP TABLE vacuum_many;

-- a region dies and leaves parts that no links joined: searches reach them all the same
CREATE TABLE vacuum_gap (id int, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO vacuum_gap SELECT i, ARRAY[i / 70, i % 70] FROM generate_series(0, 4899) i;
CREATE INDEX vacuum_gap_i ON vacuum_gap USING vecidx (v real_l2_ops);
DELETE FROM vacuum_gap WHERE v[1] BETWEEN 30 AND 39;
VACUUM vacuum_gap;
SELECT checked, nodes, tombstones, unreachable FROM vacuum_info('vacuum_gap_i');
DROP TABLE vacuum_gap;
CREATE TABLE vacuum_gap (id int, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO vacuum_gap SELECT i, ARRAY[i, 1] FROM generate_series(1, 5000) i;
CREATE INDEX vacuum_gap_i ON vacuum_gap USING vecidx (v real_l2_ops);
DELETE FROM vacuum_gap WHERE id % 40 < 20;
VACUUM vacuum_gap;
SELECT checked, nodes, tombstones, unreachable FROM vacuum_info('vacuum_gap_i');
DROP TABLE vacuum_gap;
-- clusters, half of which die; with lists so short that they are full
CREATE TABLE vacuum_gap (id int, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO vacuum_gap SELECT i, (SELECT array_agg(4 * x + y) FROM unnest(test_vector(i / 50, 16), test_vector(i, 16)) AS u (x, y))
	FROM generate_series(1, 4000) i;
CREATE INDEX vacuum_gap_i ON vacuum_gap USING vecidx (v real_l2_ops);
CREATE INDEX vacuum_gap_short ON vacuum_gap USING vecidx (v real_ip_ops) WITH (m = 2, ef_construction = 8);
DELETE FROM vacuum_gap WHERE id / 50 % 2 = 0;
VACUUM vacuum_gap;
SELECT checked, nodes, tombstones, unreachable FROM vacuum_info('vacuum_gap_i');
SELECT checked = nodes AS checked, tombstones, unreachable FROM vacuum_info('vacuum_gap_short');
DROP TABLE vacuum_gap;
DROP FUNCTION vacuum_info;
