--
-- Rows with equal vectors and different values of filter columns: slots of
-- one node, each with its own values.
--
SET client_min_messages = warning;
SET jit = off;
CREATE TABLE twins (id int, v real[], a int, b text);
-- does a search under each condition find what the table has?
CREATE FUNCTION twins_compare(OUT searches bigint, OUT wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	condition text;
	by_index int[];
	by_table int[];
BEGIN
	searches := 0;
	wrong := 0;
	FOREACH condition IN ARRAY ARRAY['a = 1', 'a = 3', 'a > 4', 'a BETWEEN 2 AND 5', 'a IS NULL', 'b = ''x''', 'b IS NOT NULL AND a = 2',
		'b LIKE ''a longer text%''', 'b = ''none'''] LOOP
		SET LOCAL enable_seqscan = off;
		SET LOCAL enable_sort = off;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM twins WHERE %s ORDER BY v <-> ''{1,2,3}'') AS f', condition) INTO by_index;
		SET LOCAL enable_indexscan = off;
		SET LOCAL enable_seqscan = on;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM twins WHERE %s', condition) INTO by_table;
		SET LOCAL enable_indexscan = on;
		searches := searches + 1;
		wrong := wrong + (by_index IS DISTINCT FROM by_table)::int;
	END LOOP;
END
$$;
CREATE FUNCTION twins_counts() RETURNS TABLE (property text, value text) LANGUAGE sql AS $$
SELECT * FROM vecidx_info('twins_i'::text::regclass) WHERE property IN ('nodes', 'tombstones', 'extensions', 'free slots', 'TIDs')
$$;
-- a third of the rows have vectors of their own, a third share a few, a third one
CREATE FUNCTION twins_fill(first int, last int) RETURNS void LANGUAGE sql AS $$
INSERT INTO twins SELECT i,
	CASE i % 3 WHEN 0 THEN ARRAY[i, i % 10, i % 7] WHEN 1 THEN ARRAY[i % 20, 2, 3] ELSE ARRAY[1, 2, 3] END::real[],
	nullif(i % 9, 8), CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 'x' ELSE 'a longer text ' || i % 5 END
FROM generate_series(first, last) AS i
$$;

-- built from rows
SELECT twins_fill(1, 900);
CREATE INDEX twins_i ON twins USING vecidx (v real_l2_ops, a, b);
SELECT vecidx_check('twins_i');
SELECT * FROM twins_counts();
SELECT * FROM twins_compare();
-- and inserted
SELECT twins_fill(901, 1800);
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();
-- no slot for a value that has one with room: the same again takes as many slots as it takes TIDs
INSERT INTO twins SELECT 2000 + i, '{100,200,300}', 1, 'x' FROM generate_series(1, 2 + 22 * 3) AS i;
SELECT value AS extensions FROM twins_counts() WHERE property = 'extensions' \gset before_
INSERT INTO twins SELECT 2100 + i, '{100,200,300}', 1, 'x' FROM generate_series(1, 22) AS i;
SELECT value::int - :before_extensions AS one_more FROM twins_counts() WHERE property = 'extensions';
INSERT INTO twins SELECT 2200 + i, '{100,200,300}', 2, 'x' FROM generate_series(1, 22) AS i;
SELECT value::int - :before_extensions AS two_more FROM twins_counts() WHERE property = 'extensions';
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();
DELETE FROM twins WHERE id > 2000;
VACUUM twins;
SELECT vecidx_check('twins_i');
SELECT * FROM twins_counts();

-- a filter column changes again and again: slots are used again
CREATE PROCEDURE twins_change(rounds int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. rounds LOOP
		UPDATE twins SET a = (a + 1) % 8 WHERE id % 3 = 0;
		COMMIT;
	END LOOP;
END
$$;
CALL twins_change(1);
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();
VACUUM twins;
SELECT vecidx_check('twins_i');
SELECT * FROM twins_counts();
CALL twins_change(1);
VACUUM twins;
SELECT * FROM twins_counts();
CALL twins_change(1);
VACUUM twins;
SELECT * FROM twins_counts();
CALL twins_change(1);
VACUUM twins;
SELECT vecidx_check('twins_i');
SELECT * FROM twins_counts();
SELECT * FROM twins_compare();
-- several changes between two vacuums
CALL twins_change(5);
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();
VACUUM twins;
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();

-- what dies: a value of a vector, all values of another, in the middle of chains
DELETE FROM twins WHERE a = 3 OR v = '{4,2,3}' OR id % 5 = 0;
SELECT * FROM twins_compare();
VACUUM twins;
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();
DELETE FROM twins WHERE v = '{1,2,3}';
VACUUM twins;
SELECT vecidx_check('twins_i');
SELECT twins_fill(1801, 2700);
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();
-- nothing is left, and all of it is used again
DELETE FROM twins;
VACUUM twins;
SELECT * FROM twins_counts();
SELECT vecidx_check('twins_i');
SELECT twins_fill(1, 900);
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();
REINDEX INDEX twins_i;
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();
REINDEX INDEX CONCURRENTLY twins_i;
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();

-- changes of a transaction that fails, and of one that goes on in parts
BEGIN;
UPDATE twins SET a = 100, b = 'gone';
ROLLBACK;
BEGIN;
UPDATE twins SET a = 3 WHERE a = 4;
SAVEPOINT s;
UPDATE twins SET a = 200 WHERE a = 3;
ROLLBACK TO s;
UPDATE twins SET b = NULL WHERE a = 3;
COMMIT;
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();
VACUUM twins;
SELECT vecidx_check('twins_i');
SELECT * FROM twins_compare();

-- other kinds of tables: not yet filled, temporary, partitioned; other kinds of vectors, of more pages than one
DROP INDEX twins_i;
TRUNCATE twins;
CREATE INDEX twins_i ON twins USING vecidx (v real_ip_ops, b, a);
SELECT vecidx_check('twins_i');
SELECT twins_fill(1, 900);
SELECT vecidx_check('twins_i') > 0 AS sound;
DROP INDEX twins_i;
CREATE TEMP TABLE twins_temp AS SELECT * FROM twins;
CREATE INDEX twins_temp_i ON twins_temp USING vecidx (v real_cosine_ops, a);
INSERT INTO twins_temp SELECT id + 1000, v, a + 1, b FROM twins;
UPDATE twins_temp SET a = a + 1 WHERE id % 2 = 0;
SELECT vecidx_check('twins_temp_i');
CREATE TABLE twins_parts (LIKE twins) PARTITION BY LIST (a);
CREATE TABLE twins_parts_1 PARTITION OF twins_parts FOR VALUES IN (0, 1, 2, 3);
CREATE TABLE twins_parts_2 PARTITION OF twins_parts DEFAULT;
CREATE INDEX twins_parts_i ON twins_parts USING vecidx (v real_l2_ops, a, b);
INSERT INTO twins_parts SELECT * FROM twins;
UPDATE twins_parts SET a = a + 1 WHERE id % 2 = 0;
SELECT relid, vecidx_check(relid) > 0 AS sound FROM pg_partition_tree('twins_parts_i') WHERE isleaf;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM twins_parts WHERE a = 4 ORDER BY v <-> '{1,2,3}') AS f;
SET enable_seqscan = on;
SELECT count(*) FROM twins_parts WHERE a = 4;
CREATE TABLE twins_wide AS SELECT i AS id, array_fill(i % 25, ARRAY[2500])::real[] AS v, i % 4 AS a FROM generate_series(1, 100) AS i;
CREATE INDEX twins_wide_i ON twins_wide USING vecidx (v real_l2_ops, a) WITH (rerank = float, quantizer = rabitq8);
SELECT vecidx_check('twins_wide_i');
INSERT INTO twins_wide SELECT id + 100, v, a + 2 FROM twins_wide;
UPDATE twins_wide SET a = a + 1 WHERE id % 2 = 0;
SELECT vecidx_check('twins_wide_i');
DELETE FROM twins_wide WHERE id % 3 = 0;
VACUUM twins_wide;
SELECT vecidx_check('twins_wide_i');
UPDATE twins_wide SET a = a + 1 WHERE id % 2 = 0;
VACUUM twins_wide;
SELECT vecidx_check('twins_wide_i');
-- a build in parts, and one with helpers
SET maintenance_work_mem = '1MB';
CREATE TABLE twins_many AS SELECT i AS id, ARRAY[i % 3000, i % 17, i % 11]::real[] AS v, i % 7 AS a, repeat('y', i % 50) AS b FROM generate_series(1, 12000) AS i;
CREATE INDEX twins_many_i ON twins_many USING vecidx (v real_l2_ops, a, b) WITH (m = 4);
SELECT vecidx_check('twins_many_i') = count(DISTINCT v) FROM twins_many;
RESET maintenance_work_mem;
SET max_parallel_maintenance_workers = 2;
SET min_parallel_table_scan_size = 0;
CREATE INDEX twins_many_j ON twins_many USING vecidx (v real_l2_ops, a, b) WITH (m = 4);
SELECT vecidx_check('twins_many_j') = count(DISTINCT v) FROM twins_many;
SELECT i.value = j.value AS same_slots FROM vecidx_info('twins_many_i') AS i JOIN vecidx_info('twins_many_j') AS j USING (property) WHERE property = 'extensions';

DROP TABLE twins, twins_temp, twins_parts, twins_wide, twins_many CASCADE;
DROP FUNCTION twins_compare, twins_fill, twins_counts;
DROP PROCEDURE twins_change;
