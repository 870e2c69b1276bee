--
-- vecidx_check and vecidx_info: indexes of every kind hold their invariants
-- after each way of changing them; who may ask, and about what.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx;
RESET client_min_messages;

-- vectors without a random generator
CREATE FUNCTION check_vector(seed int, dimensions int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
	$$SELECT array_agg(sin(seed * 12.9898 + i * 78.233 + seed * i * 0.37)::real ORDER BY i) FROM generate_series(1, dimensions) i$$;

CREATE TABLE check_t (id int PRIMARY KEY, v real[]);
INSERT INTO check_t SELECT i, check_vector(i, 20) FROM generate_series(1, 300) i;
-- duplicates, many and few; and rows that have no place in an index
INSERT INTO check_t SELECT 1000 + i, check_vector(7, 20) FROM generate_series(1, 100) i;
INSERT INTO check_t SELECT 2000 + i, check_vector(i, 20) FROM generate_series(1, 30) i;
INSERT INTO check_t VALUES (3000, NULL), (3001, NULL);

-- every distance, every code, every rerank vector
DO $$
DECLARE
	metric text;
	quantizer text;
	rerank text;
	m int;
	nodes bigint;
BEGIN
	FOREACH metric IN ARRAY '{l2,ip,cosine}'::text[] LOOP
		FOR quantizer, rerank, m IN VALUES
			('auto', 'auto', 16), ('rabitq1', 'sq4', 2), ('rabitq2', 'sq8', 5), ('rabitq4', 'half', 30), ('rabitq8', 'float', 60)
		LOOP
			EXECUTE format('CREATE INDEX check_i ON check_t USING vecidx (v real_%s_ops) '
						   'WITH (quantizer = %L, rerank = %L, m = %s)', metric, quantizer, rerank, m);
			nodes := vecidx_check('check_i');
			IF rerank IN ('float', 'auto') AND nodes <> 300 THEN
				RAISE WARNING '% % %: % nodes', metric, quantizer, rerank, nodes;
			END IF;
			IF (SELECT value FROM vecidx_info('check_i') WHERE property = 'TIDs') <> '430' THEN
				RAISE WARNING '% % %: wrong number of TIDs', metric, quantizer, rerank;
			END IF;
			IF (SELECT value FROM vecidx_info('check_i') WHERE property = 'nodes') <> nodes::text THEN
				RAISE WARNING '% % %: not the nodes that the check finds', metric, quantizer, rerank;
			END IF;
			DROP INDEX check_i;
		END LOOP;
	END LOOP;
END
$$;

-- what vecidx_info tells; levels are drawn by chance, and with them all that depends on them
CREATE INDEX check_i ON check_t USING vecidx (v real_cosine_ops) WITH (quantizer = rabitq4, rerank = sq8, m = 8, ef_construction = 40);
SELECT property FROM vecidx_info('check_i');
SELECT * FROM vecidx_info('check_i')
WHERE property IN ('format version', 'dimensions', 'metric', 'quantizer', 'quantizer chosen', 'rerank', 'm',
	'ef_construction', 'nodes', 'tombstones', 'extensions', 'free slots', 'TIDs', 'unreachable nodes', 'calibration');
SELECT value ~ '^0: 300(, [0-9]+: [0-9]+)*$' AS levels FROM vecidx_info('check_i') WHERE property = 'nodes by level';
SELECT value ~ '^node [0-9]+ on level [0-9]+$' AS entry FROM vecidx_info('check_i') WHERE property = 'entry';
SELECT (SELECT split_part(value, ' ', 1)::int FROM vecidx_info('check_i') WHERE property = 'pages')
	= (SELECT sum(split_part(value, ' ', 1)::int) FROM vecidx_info('check_i') WHERE property LIKE '% pages') AS pages_add_up;
DROP INDEX check_i;

-- drift: rows that come later have the same centre, or another
CREATE TABLE check_drift (id int, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO check_drift SELECT i, check_vector(i, 16) FROM generate_series(1, 400) i;
CREATE INDEX "check Drift" ON check_drift USING vecidx (v real_l2_ops);
SELECT * FROM vecidx_info('"check Drift"') WHERE property IN ('drift', 'advice');
INSERT INTO check_drift SELECT i, check_vector(i, 16) FROM generate_series(1001, 1400) i;
SELECT value::float8 < 0.05 AS small FROM vecidx_info('"check Drift"') WHERE property = 'drift';
SELECT * FROM vecidx_info('"check Drift"') WHERE property = 'advice';
-- also where they take the places of others
DELETE FROM check_drift WHERE id > 200;
VACUUM check_drift;
INSERT INTO check_drift SELECT i, (SELECT array_agg(x + 1.5) FROM unnest(check_vector(i, 16)) x) FROM generate_series(2001, 2400) i;
SELECT value::float8 BETWEEN 0.5 AND 1 AS large FROM vecidx_info('"check Drift"') WHERE property = 'drift';
SELECT regexp_replace(value, '[0-9]\.[0-9]+', 'n') FROM vecidx_info('"check Drift"') WHERE property = 'advice';
REINDEX INDEX "check Drift";
SELECT * FROM vecidx_info('"check Drift"') WHERE property IN ('drift', 'advice');
DROP TABLE check_drift;

-- calibrated
CREATE TABLE check_large AS SELECT i AS id, check_vector(i, 6) AS v FROM generate_series(1, 1200) i;
CREATE INDEX check_large_i ON check_large USING vecidx (v real_l2_ops);
SELECT vecidx_check('check_large_i');
SELECT property, value ~ '^(by the build, with [0-9]+ rows as queries, at [0-9]+ nodes|(k 10*: slack [0-9.]+, factor [0-9.]+(, exact)?, [0-9]+ nodes \(at most [0-9]+\)(; )?){3})$' AS is_measured
FROM vecidx_info('check_large_i') WHERE property LIKE 'effort%' OR property = 'calibration';
SELECT value ~ '^by [0-9]+ sampled rows: contrast [0-9.]+, error of 1, 2, 4, 8 bits [0-9.]+, [0-9.]+, [0-9.]+, [0-9.]+$'
	OR value ~ '^by dimensions' AS reason
FROM vecidx_info('check_large_i') WHERE property = 'quantizer chosen';
DROP TABLE check_large;

-- without rows: dimensions by the first one, or by option
CREATE TABLE check_empty (v real[]);
CREATE INDEX check_empty_unknown ON check_empty USING vecidx (v real_l2_ops);
CREATE INDEX check_empty_declared ON check_empty USING vecidx (v real_ip_ops) WITH (dimensions = 3);
SELECT vecidx_check('check_empty_unknown'), vecidx_check('check_empty_declared');
SELECT * FROM vecidx_info('check_empty_unknown');
SELECT * FROM vecidx_info('check_empty_declared') WHERE property IN ('dimensions', 'quantizer', 'quantizer chosen', 'entry');
INSERT INTO check_empty VALUES (NULL);
SELECT vecidx_check('check_empty_unknown'), vecidx_check('check_empty_declared');
INSERT INTO check_empty VALUES ('{1,2,3}');
SELECT vecidx_check('check_empty_unknown'), vecidx_check('check_empty_declared');
INSERT INTO check_empty SELECT check_vector(i, 3) FROM generate_series(1, 400) i;
INSERT INTO check_empty SELECT '{1,2,3}' FROM generate_series(1, 100);
SELECT vecidx_check('check_empty_unknown'), vecidx_check('check_empty_declared');
TRUNCATE check_empty;
SELECT vecidx_check('check_empty_unknown'), vecidx_check('check_empty_declared');
DROP TABLE check_empty;

-- slots that span pages; the smallest and the largest lists
CREATE TABLE check_wide AS SELECT i AS id, check_vector(i, 16000) AS v FROM generate_series(1, 8) i;
CREATE INDEX check_wide_i ON check_wide USING vecidx (v real_l2_ops) WITH (quantizer = rabitq8, rerank = 'float');
SELECT vecidx_check('check_wide_i');
INSERT INTO check_wide SELECT i, check_vector(i, 16000) FROM generate_series(9, 12) i;
SELECT vecidx_check('check_wide_i');
DROP TABLE check_wide;
CREATE INDEX check_m2 ON check_t USING vecidx (v real_l2_ops) WITH (m = 2, ef_construction = 4);
CREATE INDEX check_m100 ON check_t USING vecidx (v real_l2_ops) WITH (m = 100, ef_construction = 100);
INSERT INTO check_t SELECT 4000 + i, check_vector(4000 + i, 20) FROM generate_series(1, 100) i;
-- so small a graph does not always lead to the node that has the vector already
SELECT vecidx_check('check_m2') BETWEEN 400 AND 530 AS m2, vecidx_check('check_m100') AS m100;
DROP INDEX check_m2, check_m100;

-- a graph that outgrows its memory while it is built
SET maintenance_work_mem = '1MB';
CREATE TABLE check_tight AS SELECT i AS id, check_vector(i, 64) AS v FROM generate_series(1, 2000) i;
CREATE INDEX check_tight_i ON check_tight USING vecidx (v real_l2_ops) WITH (rerank = 'float');
SELECT vecidx_check('check_tight_i');
DROP TABLE check_tight;
RESET maintenance_work_mem;

-- expressions, predicates, unlogged tables, materialized views, partitions
CREATE INDEX check_expression ON check_t USING vecidx ((v[1:4]) real_l2_ops) WHERE id < 50;
SELECT vecidx_check('check_expression');
DROP INDEX check_expression;
CREATE UNLOGGED TABLE check_unlogged AS SELECT check_vector(i, 5) AS v FROM generate_series(1, 50) i;
CREATE INDEX check_unlogged_i ON check_unlogged USING vecidx (v real_l2_ops);
INSERT INTO check_unlogged SELECT check_vector(i, 5) FROM generate_series(51, 150) i;
SELECT vecidx_check('check_unlogged_i');
DROP TABLE check_unlogged;
CREATE MATERIALIZED VIEW check_matview AS SELECT v FROM check_t WHERE id <= 60;
CREATE INDEX check_matview_i ON check_matview USING vecidx (v real_l2_ops);
SELECT vecidx_check('check_matview_i');
DROP MATERIALIZED VIEW check_matview;
CREATE TABLE check_parent (id int, v real[]) PARTITION BY RANGE (id);
CREATE TABLE check_child PARTITION OF check_parent FOR VALUES FROM (0) TO (100);
CREATE INDEX check_parent_i ON check_parent USING vecidx (v real_l2_ops);
INSERT INTO check_parent SELECT i, check_vector(i, 4) FROM generate_series(1, 70) i;
SELECT vecidx_check('check_child_v_idx');
SELECT vecidx_check('check_parent_i');
DROP TABLE check_parent;

-- Deletes.  In a temporary table vacuum takes away all that this session
-- deleted, whatever other sessions do.
CREATE TEMPORARY TABLE check_temp (id int, v real[]);
CREATE INDEX check_temp_i ON check_temp USING vecidx (v real_l2_ops);
INSERT INTO check_temp SELECT i, check_vector(i, 8) FROM generate_series(1, 500) i;
INSERT INTO check_temp SELECT 1000 + i, check_vector(1, 8) FROM generate_series(1, 90) i;
SELECT vecidx_check('check_temp_i');
-- chains get shorter, nodes stay
DELETE FROM check_temp WHERE id > 1000 AND id % 2 = 0;
VACUUM check_temp;
SELECT vecidx_check('check_temp_i');
SELECT * FROM vecidx_info('check_temp_i') WHERE property IN ('tombstones', 'free slots', 'TIDs', 'nodes');
DELETE FROM check_temp WHERE id > 1000;
VACUUM check_temp;
SELECT vecidx_check('check_temp_i');
SELECT * FROM vecidx_info('check_temp_i') WHERE property IN ('tombstones', 'extensions', 'TIDs', 'nodes');
-- dead rows that no vacuum has looked at are still there; then they are not
DELETE FROM check_temp WHERE id % 3 > 0;
SELECT vecidx_check('check_temp_i');
VACUUM check_temp;
SELECT vecidx_check('check_temp_i');
SELECT * FROM vecidx_info('check_temp_i') WHERE property IN ('tombstones', 'TIDs');
-- freed slots are used again
INSERT INTO check_temp SELECT 2000 + i, check_vector(2000 + i, 8) FROM generate_series(1, 300) i;
SELECT vecidx_check('check_temp_i');
-- updates that keep the vector attach to its node; others make one
UPDATE check_temp SET id = id + 10000 WHERE id < 500;
SELECT vecidx_check('check_temp_i') - 466 < 10 AS few_nodes_made;
UPDATE check_temp SET v = check_vector(id, 8) WHERE id > 10000 AND id % 2 = 0;
VACUUM check_temp;
SELECT vecidx_check('check_temp_i') - (SELECT count(*) FROM check_temp) AS surplus;
-- rolled back rows are dead rows
BEGIN;
INSERT INTO check_temp SELECT 5000 + i, check_vector(5000 + i, 8) FROM generate_series(1, 50) i;
ROLLBACK;
SELECT vecidx_check('check_temp_i') - (SELECT count(*) FROM check_temp) AS surplus;
VACUUM check_temp;
SELECT vecidx_check('check_temp_i') - (SELECT count(*) FROM check_temp) AS surplus;
-- all rows, and a new beginning
DELETE FROM check_temp;
VACUUM check_temp;
SELECT vecidx_check('check_temp_i');
SELECT * FROM vecidx_info('check_temp_i') WHERE property IN ('nodes', 'tombstones', 'TIDs', 'nodes by level', 'entry', 'bytes per node');
INSERT INTO check_temp SELECT i, check_vector(i, 8) FROM generate_series(1, 40) i;
SELECT vecidx_check('check_temp_i');
REINDEX INDEX check_temp_i;
SELECT vecidx_check('check_temp_i');
DROP TABLE check_temp;

-- not what it is for
CREATE VIEW check_view AS SELECT v FROM check_t;
CREATE SEQUENCE check_sequence;
SELECT vecidx_check('check_t');
SELECT vecidx_check('check_t_pkey');
SELECT vecidx_check('check_view');
SELECT vecidx_check('check_sequence');
SELECT vecidx_check('check_nothing');
SELECT vecidx_check(4294967295);
SELECT vecidx_check(0);
SELECT vecidx_check(NULL) IS NULL AS "null";
SELECT * FROM vecidx_info('check_t');
SELECT * FROM vecidx_info('check_t_pkey');
SELECT * FROM vecidx_info(4294967295);
SELECT count(*) FROM vecidx_info(NULL);
DROP VIEW check_view;
DROP SEQUENCE check_sequence;

-- indexes whose concurrent creation failed: before the build, and after it
INSERT INTO check_t VALUES (9999, '{1,2}');
CREATE INDEX CONCURRENTLY check_i ON check_t USING vecidx (v real_l2_ops) WITH (dimensions = 20);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'check_i'::regclass;
SELECT vecidx_check('check_i');
SELECT * FROM vecidx_info('check_i');
DELETE FROM check_t WHERE id = 9999;
DROP INDEX check_i;
CREATE INDEX check_i ON check_t USING vecidx (v real_l2_ops) WITH (rerank = 'float');
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'check_i'::regclass;
SELECT vecidx_check('check_i');

-- rights: the owner checks, readers of the table ask
CREATE ROLE regress_vecidx_owner;
CREATE ROLE regress_vecidx_member IN ROLE regress_vecidx_owner;
CREATE ROLE regress_vecidx_reader;
CREATE ROLE regress_vecidx_stranger;
ALTER TABLE check_t OWNER TO regress_vecidx_owner;
GRANT SELECT ON check_t TO regress_vecidx_reader;
SET ROLE regress_vecidx_owner;
SELECT vecidx_check('check_i');
SELECT value FROM vecidx_info('check_i') WHERE property = 'nodes';
SET ROLE regress_vecidx_member;
SELECT vecidx_check('check_i');
SET ROLE regress_vecidx_reader;
SELECT vecidx_check('check_i');
SELECT value FROM vecidx_info('check_i') WHERE property = 'nodes';
SET ROLE regress_vecidx_stranger;
SELECT vecidx_check('check_i');
SELECT value FROM vecidx_info('check_i') WHERE property = 'nodes';
RESET ROLE;

-- locks: writers wait during the check, not longer
BEGIN;
SELECT vecidx_check('check_i');
SELECT count(*) FROM pg_locks WHERE relation IN ('check_t'::regclass, 'check_i'::regclass) AND pid = pg_backend_pid()
	AND mode IN ('ShareLock', 'RowExclusiveLock');
COMMIT;
-- it takes no writing
BEGIN READ ONLY;
SELECT vecidx_check('check_i');
SELECT value FROM vecidx_info('check_i') WHERE property = 'nodes';
COMMIT;

DROP TABLE check_t;
DROP FUNCTION check_vector(int, int);
DROP ROLE regress_vecidx_member, regress_vecidx_owner, regress_vecidx_reader, regress_vecidx_stranger;
