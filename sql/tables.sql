--
-- Every kind of table that can have an index.
--
SET client_min_messages = warning;
SET jit = off;
SET enable_seqscan = off;

-- unlogged; and back and forth
CREATE UNLOGGED TABLE tables_unlogged (id int, v real[]);
CREATE INDEX tables_unlogged_i ON tables_unlogged USING vecidx (v real_l2_ops);
INSERT INTO tables_unlogged SELECT i, test_vector(i, 6) FROM generate_series(1, 100) i;
SELECT * FROM test_scan('tables_unlogged', '''{1,2,3,4,5,6}''');
SELECT vecidx_check('tables_unlogged_i');
DELETE FROM tables_unlogged WHERE id % 2 = 0;
VACUUM tables_unlogged;
INSERT INTO tables_unlogged SELECT i, test_vector(i, 6) FROM generate_series(101, 200) i;
SELECT * FROM test_scan('tables_unlogged', '''{1,2,3,4,5,6}''');
SELECT vecidx_check('tables_unlogged_i');
ALTER TABLE tables_unlogged SET LOGGED;
SELECT relname, relpersistence FROM pg_class WHERE relname LIKE 'tables\_unlogged%' ORDER BY 1;
SELECT * FROM test_scan('tables_unlogged', '''{1,2,3,4,5,6}''');
SELECT vecidx_check('tables_unlogged_i');
INSERT INTO tables_unlogged SELECT i, test_vector(i, 6) FROM generate_series(201, 210) i;
ALTER TABLE tables_unlogged SET UNLOGGED;
INSERT INTO tables_unlogged SELECT i, test_vector(i, 6) FROM generate_series(211, 220) i;
REINDEX INDEX tables_unlogged_i;
SELECT * FROM test_scan('tables_unlogged', '''{1,2,3,4,5,6}''');
SELECT vecidx_check('tables_unlogged_i');
DROP TABLE tables_unlogged;
CREATE UNLOGGED TABLE tables_unlogged (id int, v real[]);
CREATE INDEX tables_unlogged_i ON tables_unlogged USING vecidx (v real_l2_ops) WITH (dimensions = 3, m = 5);
ALTER TABLE tables_unlogged SET LOGGED;
INSERT INTO tables_unlogged VALUES (1, '{1,2}');
INSERT INTO tables_unlogged VALUES (1, '{1,2,3}');
SELECT vecidx_check('tables_unlogged_i');
DROP TABLE tables_unlogged;

-- temporary: its pages are in the session's own buffers
CREATE TEMPORARY TABLE tables_temporary (id int, v real[]);
CREATE INDEX tables_temporary_i ON tables_temporary USING vecidx (v real_l2_ops);
INSERT INTO tables_temporary SELECT i, test_vector(i, 20) FROM generate_series(1, 1100) i;
SELECT rows, distinct_rows, nearest FROM test_scan('tables_temporary', 'test_vector(1, 20)');
SELECT vecidx_check('tables_temporary_i');
DELETE FROM tables_temporary WHERE id % 2 = 0;
VACUUM tables_temporary;
SELECT vecidx_check('tables_temporary_i');
INSERT INTO tables_temporary SELECT i, test_vector(i, 20) FROM generate_series(1101, 1700) i;
SELECT rows, distinct_rows, nearest FROM test_scan('tables_temporary', 'test_vector(1, 20)');
SELECT vecidx_check('tables_temporary_i');
REINDEX INDEX tables_temporary_i;
SET vecidx.page_access = recent;
SELECT rows, distinct_rows, nearest FROM test_scan('tables_temporary', 'test_vector(1, 20)');
SET vecidx.page_access = pinned;
SELECT rows, distinct_rows, nearest FROM test_scan('tables_temporary', 'test_vector(1, 20)');
RESET vecidx.page_access;
SELECT vecidx_check('tables_temporary_i');
DROP TABLE tables_temporary;
CREATE TEMPORARY TABLE tables_temporary (id int, v real[]) ON COMMIT DELETE ROWS;
CREATE INDEX tables_temporary_i ON tables_temporary USING vecidx (v real_l2_ops);
BEGIN;
INSERT INTO tables_temporary SELECT i, test_vector(i, 6) FROM generate_series(1, 100) i;
SELECT * FROM test_scan('tables_temporary', '''{1,2,3,4,5,6}''');
COMMIT;
SELECT * FROM test_scan('tables_temporary', '''{1,2,3,4,5,6}''');
BEGIN;
-- other dimensions than before: the index has forgotten
INSERT INTO tables_temporary SELECT i, test_vector(i, 3) FROM generate_series(1, 50) i;
SELECT * FROM test_scan('tables_temporary', '''{1,2,3}''');
SELECT vecidx_check('tables_temporary_i');
COMMIT;
SELECT vecidx_check('tables_temporary_i');
BEGIN;
CREATE TEMPORARY TABLE tables_dropped (id int, v real[]) ON COMMIT DROP;
CREATE INDEX ON tables_dropped USING vecidx (v real_l2_ops);
INSERT INTO tables_dropped SELECT i, test_vector(i, 6) FROM generate_series(1, 100) i;
SELECT rows FROM test_scan('tables_dropped', '''{1,2,3,4,5,6}''');
COMMIT;
DROP TABLE tables_temporary;

-- TRUNCATE: alone, rolled back, in the transaction that made the table
CREATE TABLE tables_truncate (id int, v real[]);
CREATE INDEX tables_truncate_i ON tables_truncate USING vecidx (v real_l2_ops);
INSERT INTO tables_truncate SELECT i, test_vector(i, 6) FROM generate_series(1, 100) i;
BEGIN;
TRUNCATE tables_truncate;
SELECT * FROM test_scan('tables_truncate', '''{1,2,3,4,5,6}''');
INSERT INTO tables_truncate SELECT i, test_vector(i, 2) FROM generate_series(1, 10) i;
SELECT * FROM test_scan('tables_truncate', '''{1,2}''');
ROLLBACK;
SELECT * FROM test_scan('tables_truncate', '''{1,2,3,4,5,6}''');
SELECT vecidx_check('tables_truncate_i');
TRUNCATE tables_truncate;
SELECT vecidx_check('tables_truncate_i');
INSERT INTO tables_truncate SELECT i, test_vector(i, 2) FROM generate_series(1, 10) i;
SELECT * FROM test_scan('tables_truncate', '''{1,2}''');
SELECT vecidx_check('tables_truncate_i');
DROP TABLE tables_truncate;
BEGIN;
CREATE TABLE tables_truncate (id int, v real[]);
INSERT INTO tables_truncate SELECT i, test_vector(i, 6) FROM generate_series(1, 100) i;
CREATE INDEX tables_truncate_i ON tables_truncate USING vecidx (v real_l2_ops);
TRUNCATE tables_truncate;
SELECT * FROM test_scan('tables_truncate', '''{1,2}''');
INSERT INTO tables_truncate SELECT i, test_vector(i, 2) FROM generate_series(1, 10) i;
SELECT * FROM test_scan('tables_truncate', '''{1,2}''');
SAVEPOINT s;
TRUNCATE tables_truncate;
INSERT INTO tables_truncate VALUES (1, '{1,2,3,4}');
SELECT * FROM test_scan('tables_truncate', '''{1,2,3,4}''');
ROLLBACK TO s;
SELECT * FROM test_scan('tables_truncate', '''{1,2}''');
COMMIT;
SELECT * FROM test_scan('tables_truncate', '''{1,2}''');
SELECT vecidx_check('tables_truncate_i');
DROP TABLE tables_truncate;

-- partitions: each has its index, and the nearest of all is merged from theirs
CREATE TABLE tables_parts (id int, v real[]) PARTITION BY RANGE (id);
CREATE TABLE tables_part1 PARTITION OF tables_parts FOR VALUES FROM (1) TO (101);
CREATE TABLE tables_part2 PARTITION OF tables_parts FOR VALUES FROM (101) TO (201);
CREATE INDEX tables_parts_i ON tables_parts USING vecidx (v real_l2_ops) WITH (m = 8);
CREATE TABLE tables_part3 PARTITION OF tables_parts FOR VALUES FROM (201) TO (1000);
INSERT INTO tables_parts SELECT i, test_vector(i, 6) FROM generate_series(1, 300) i;
SELECT relname, relkind, reloptions FROM pg_class
WHERE relname LIKE 'tables\_part%' AND relkind IN ('i', 'I') ORDER BY relname;
SELECT * FROM test_scan('tables_parts', '''{1,2,3,4,5,6}''');
SET enable_sort = off;
SELECT id FROM tables_parts ORDER BY v <-> '{100,100,100,100,100,100}' LIMIT 3;
SELECT id FROM tables_parts ORDER BY (v <-> '{100,100,100,100,100,100}') + 0 LIMIT 3;
SELECT test_plan('SELECT id FROM tables_parts WHERE id < 150 ORDER BY v <-> ''{1,2,3,4,5,6}'' LIMIT 3');
RESET enable_sort;
UPDATE tables_parts SET id = id + 100 WHERE id <= 50;
SELECT rows, distinct_rows FROM test_scan('tables_parts', '''{1,2,3,4,5,6}''');
ALTER TABLE tables_parts DETACH PARTITION tables_part2;
SELECT rows, distinct_rows FROM test_scan('tables_parts', '''{1,2,3,4,5,6}''');
SELECT rows, distinct_rows FROM test_scan('tables_part2', '''{1,2,3,4,5,6}''');
ALTER TABLE tables_parts ATTACH PARTITION tables_part2 FOR VALUES FROM (101) TO (201);
SELECT count(*) FROM pg_inherits WHERE inhparent = 'tables_parts_i'::regclass;
REINDEX INDEX tables_parts_i;
SELECT c.relname, vecidx_check(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid
WHERE c.relname LIKE 'tables\_part_' AND c.relkind = 'r' ORDER BY 1;
SELECT vecidx_check('tables_parts_i');
DROP TABLE tables_parts;

-- inheritance
CREATE TABLE tables_parent (id int, v real[]);
CREATE TABLE tables_child () INHERITS (tables_parent);
CREATE INDEX ON tables_parent USING vecidx (v real_l2_ops);
CREATE INDEX ON tables_child USING vecidx (v real_l2_ops);
INSERT INTO tables_parent SELECT i, test_vector(i, 6) FROM generate_series(1, 10) i;
INSERT INTO tables_child SELECT i, test_vector(i, 6) FROM generate_series(11, 20) i;
SELECT rows, distinct_rows, nearest, sorted FROM test_scan('tables_parent', '''{1,2,3,4,5,6}''');
DROP TABLE tables_parent CASCADE;

-- a materialized view
CREATE TABLE tables_base (id int, v real[]);
INSERT INTO tables_base SELECT i, test_vector(i, 6) FROM generate_series(1, 100) i;
CREATE MATERIALIZED VIEW tables_view AS SELECT id, v FROM tables_base WHERE id % 2 = 0 WITH NO DATA;
CREATE INDEX tables_view_i ON tables_view USING vecidx (v real_l2_ops);
CREATE UNIQUE INDEX tables_view_id ON tables_view (id);
REFRESH MATERIALIZED VIEW tables_view;
SELECT * FROM test_scan('tables_view', '''{1,2,3,4,5,6}''');
UPDATE tables_base SET v = test_vector(id + 1, 6) WHERE id % 4 = 0;
DELETE FROM tables_base WHERE id % 10 = 0;
REFRESH MATERIALIZED VIEW CONCURRENTLY tables_view;
SELECT * FROM test_scan('tables_view', '''{1,2,3,4,5,6}''');
SELECT vecidx_check('tables_view_i');
DROP MATERIALIZED VIEW tables_view;

-- columns and tables that change
CREATE INDEX tables_base_i ON tables_base USING vecidx (v real_l2_ops);
ALTER TABLE tables_base ADD note text DEFAULT 'x', ALTER id TYPE bigint;
SELECT * FROM test_scan('tables_base', '''{1,2,3,4,5,6}''');
ALTER TABLE tables_base RENAME v TO w;
ALTER TABLE tables_base RENAME w TO v;
ALTER INDEX tables_base_i RENAME TO tables_base_j;
ALTER TABLE tables_base SET TABLESPACE pg_default;
SELECT * FROM test_scan('tables_base', '''{1,2,3,4,5,6}''');
CREATE TABLE tables_like (LIKE tables_base INCLUDING ALL);
INSERT INTO tables_like SELECT * FROM tables_base;
SELECT plan ~ 'tables_like_v_idx', rows, distinct_rows FROM test_scan('tables_like', '''{1,2,3,4,5,6}''');
SELECT pg_get_indexdef('tables_base_j'::regclass);
ALTER TABLE tables_base DROP v;
SELECT count(*) FROM pg_class WHERE relname = 'tables_base_j';
DROP TABLE tables_base, tables_like;

-- two indexes of the same column, and a key beside
CREATE TABLE tables_two (id int PRIMARY KEY, v real[], CHECK (v <-> '{0,0}' < 1000));
CREATE INDEX tables_two_l2 ON tables_two USING vecidx (v real_l2_ops);
CREATE INDEX tables_two_again ON tables_two USING vecidx (v real_l2_ops) WITH (quantizer = rabitq1);
CREATE INDEX tables_two_ip ON tables_two USING vecidx (v real_ip_ops);
INSERT INTO tables_two SELECT i, ARRAY[i, -i] FROM generate_series(1, 300) i;
SELECT rows, distinct_rows FROM test_scan('tables_two', '''{1,2}''');
SELECT rows, distinct_rows FROM test_scan('tables_two', '''{1,2}''', '<#>');
INSERT INTO tables_two VALUES (301, '{1000,1000}');
SELECT vecidx_check('tables_two_l2'), vecidx_check('tables_two_again'), vecidx_check('tables_two_ip');
DROP INDEX tables_two_l2;
SELECT rows, distinct_rows FROM test_scan('tables_two', '''{1,2}''');
DROP TABLE tables_two;

-- a domain over real[]
CREATE DOMAIN tables_embedding AS real[] CHECK (cardinality(VALUE) = 3);
CREATE TABLE tables_domain (id int, v tables_embedding);
CREATE INDEX tables_domain_i ON tables_domain USING vecidx (v real_l2_ops);
INSERT INTO tables_domain SELECT i, test_vector(i, 3) FROM generate_series(1, 100) i;
INSERT INTO tables_domain VALUES (101, '{1,2}');
SELECT * FROM test_scan('tables_domain', '''{1,2,3}''');
SELECT vecidx_check('tables_domain_i');
DROP TABLE tables_domain;
DROP DOMAIN tables_embedding;
