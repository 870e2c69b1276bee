--
-- vecidx_health: each advice when it is due, and not before; who may ask.
-- Unreachable nodes and tombstones are in the isolation test of that name,
-- what is not in memory in 008_prewarm, an older format in 005_upgrade.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx;
RESET client_min_messages;

CREATE TABLE health_t (id int PRIMARY KEY, v real[]) WITH (autovacuum_enabled = off);
CREATE FUNCTION health_add(first int, last int) RETURNS void LANGUAGE sql AS
	$$INSERT INTO health_t SELECT i, test_vector(i, 24) FROM generate_series(first, last) i$$;
CREATE FUNCTION health_advice(index text DEFAULT 'health_i') RETURNS text LANGUAGE sql VOLATILE AS
	$$SELECT advice FROM vecidx_health(index::regclass)$$;

-- Built from rows: nothing to do.  All columns.
SELECT health_add(1, 1500);
CREATE INDEX health_i ON health_t USING vecidx (v real_l2_ops) WITH (m = 8, ef_construction = 40);
SELECT index, nodes, built_nodes, growth, tombstones, tombstone_share, dead_share, unreachable_nodes < 15 AS reached, drift,
	calibrated_nodes BETWEEN 1300 AND 1500 AS calibrated, target_recall, recall, recall_low, recall_high, latency_growth, format_version, advice
FROM vecidx_health('health_i');
SELECT recall BETWEEN 0.9 AND 1 AS recall, recall_low < recall AND recall <= recall_high AS "interval", advice FROM vecidx_health('health_i', true);
SET vecidx.ef_search = 40;
SELECT target_recall, recall > 0.9 AS recall, advice FROM vecidx_health('health_i', measure_recall => true);
RESET vecidx.ef_search;

-- A stale calibration: of half the nodes.
SELECT calibrated_nodes AS calibrated FROM vecidx_health('health_i') \gset
SELECT health_add(1501, 2 * :calibrated);
SELECT nodes = 2 * :calibrated AS twice, advice FROM vecidx_health('health_i');
SELECT health_add(2 * :calibrated + 1, 2 * :calibrated + 1);
SELECT regexp_replace(advice, '[0-9]+', 'n', 'g') FROM vecidx_health('health_i');
SELECT vecidx_calibrate('health_i') >= 64 AS calibrated;
SELECT health_advice();

-- Grown to four times what it was.
DROP INDEX health_i;
DELETE FROM health_t WHERE id > 500;
SELECT pg_stat_force_next_flush();
VACUUM health_t;
CREATE INDEX health_i ON health_t USING vecidx (v real_l2_ops) WITH (m = 8, ef_construction = 40);
SELECT health_add(501, 1000);
SELECT nodes, built_nodes, calibrated_nodes, advice FROM vecidx_health('health_i');
-- from here on a calibration is worth it
SELECT health_add(1001, 1001);
SELECT health_advice();
SELECT vecidx_calibrate('health_i') >= 62 AS calibrated;
SELECT health_add(1002, 2000);
SELECT nodes, growth, advice FROM vecidx_health('health_i');
SELECT health_add(2001, 2001);
SELECT nodes, growth > 4 AS grown, advice FROM vecidx_health('health_i');
REINDEX INDEX health_i;
SELECT nodes, growth, advice FROM vecidx_health('health_i');

-- Rows that are gone: a fifth of the entries.
DELETE FROM health_t WHERE id <= 400;
SELECT pg_stat_force_next_flush();
SELECT round(dead_share::numeric, 2) AS dead, advice FROM vecidx_health('health_i');
DELETE FROM health_t WHERE id = 401;
SELECT pg_stat_force_next_flush();
SELECT health_advice();
VACUUM health_t;
SELECT nodes, dead_share, tombstones, advice FROM vecidx_health('health_i');

-- Recall below its target: calibrated with what is easy, and asked for what is not.
SELECT vecidx_calibrate('health_i', array_agg(array_fill(1e6::real, '{24}'))) FROM generate_series(1, 20);
SELECT health_advice();
SET vecidx.target_recall = 0.98;
SELECT recall_high < target_recall AS low, regexp_replace(advice, '0\.[0-9]+', 'n', 'g') AS advice FROM vecidx_health('health_i', true);
-- as high as it may be is enough (to all targets the calibration gives the same effort)
SELECT recall_high AS high, recall_high + 0.001 AS more FROM vecidx_health('health_i', true) \gset
SET vecidx.target_recall = :high;
SELECT recall_high = target_recall AS high, advice FROM vecidx_health('health_i', true);
SET vecidx.target_recall = :more;
SELECT recall_high < target_recall AS low, advice IS NOT NULL AS advice FROM vecidx_health('health_i', true);
SET vecidx.target_recall = 0.98;
SELECT vecidx_calibrate('health_i') >= 64 AS calibrated;
SELECT recall_high < target_recall AS low, advice FROM vecidx_health('health_i', true);
RESET vecidx.target_recall;

-- Scans that take longer than the first ones: their work is many times as much.
CREATE FUNCTION health_search(times int, k int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_sort = off;
	FOR i IN 1 .. times LOOP
		PERFORM id FROM health_t ORDER BY v <-> '{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24}'::real[] LIMIT k;
	END LOOP;
END $$;
CREATE FUNCTION health_growth(OUT grown bool, OUT advice text) LANGUAGE sql AS
	$$SELECT latency_growth > 2, regexp_replace(advice, '[0-9]+\.[0-9]', 'n') FROM vecidx_health('health_i')$$;
REINDEX INDEX health_i;
SELECT health_search(999, 50);
SELECT vecidx_stat_reset('health_i');
SELECT health_search(1000, 50);
SELECT health_search(999, 1000);
SELECT * FROM health_growth();
SELECT health_search(1, 1000);
SELECT * FROM health_growth();
-- a reset keeps the first ones
SELECT vecidx_stat_reset('health_i');
SELECT * FROM health_growth();
SELECT health_search(1000, 1);
SELECT * FROM health_growth();
-- there is something that explains it, too
SELECT vecidx_stat_reset('health_i');
SELECT health_search(1000, 1000);
SELECT * FROM health_growth();
SELECT health_add(2002, 2101 + calibrated_nodes::int) FROM vecidx_health('health_i');
SELECT grown, regexp_replace(advice, '[0-9]+', 'n', 'g') AS advice FROM health_growth();
DELETE FROM health_t WHERE id > 2001;
VACUUM health_t;
REINDEX INDEX health_i;
SELECT * FROM health_growth();

-- Built without rows.
CREATE TABLE health_empty (v real[]);
CREATE INDEX "health ""Empty" ON health_empty USING vecidx (v real_l2_ops);
SELECT * FROM vecidx_health('"health ""Empty"', true) \gx
INSERT INTO health_empty SELECT test_vector(i, 24) FROM generate_series(1, 1000) i;
SELECT nodes, built_nodes, growth, drift IS NOT NULL AS drift FROM vecidx_health('"health ""Empty"');
DROP TABLE health_empty;
-- around the origin, so that nothing has drifted
CREATE TABLE health_empty (v real[]);
CREATE INDEX "health ""Empty" ON health_empty USING vecidx (v real_l2_ops);
INSERT INTO health_empty SELECT (SELECT array_agg(x - 127.5) FROM unnest(test_vector(i, 24)) AS x) FROM generate_series(1, 1000) i;
SELECT nodes, built_nodes, growth, round(drift::numeric, 1) AS drift, advice FROM vecidx_health('"health ""Empty"');
INSERT INTO health_empty SELECT (SELECT array_agg(x - 127.5) FROM unnest(test_vector(i, 24)) AS x) FROM generate_series(1001, 1001) i;
SELECT health_advice('"health ""Empty"');
REINDEX INDEX "health ""Empty";
SELECT health_advice('"health ""Empty"');
DROP TABLE health_empty;

-- Built with few rows: growth counts from 1,000 on.
CREATE TABLE health_few (v real[]) WITH (autovacuum_enabled = off);
INSERT INTO health_few SELECT test_vector(i, 24) FROM generate_series(1, 100) i;
CREATE INDEX health_few_i ON health_few USING vecidx (v real_l2_ops);
INSERT INTO health_few SELECT test_vector(i, 24) FROM generate_series(101, 1000) i;
SELECT nodes, growth, advice FROM vecidx_health('health_few_i');
INSERT INTO health_few SELECT test_vector(1001, 24);
SELECT nodes, growth, advice FROM vecidx_health('health_few_i');
DROP TABLE health_few;

-- Drift: of 500 rows that came later, and lie somewhat aside.
CREATE TABLE health_drift (v real[]) WITH (autovacuum_enabled = off);
INSERT INTO health_drift SELECT test_vector(i, 24) FROM generate_series(1, 400) i;
CREATE INDEX health_drift_i ON health_drift USING vecidx (v real_l2_ops);
CREATE FUNCTION health_aside(first int, last int, aside real) RETURNS void LANGUAGE sql AS
	$$INSERT INTO health_drift SELECT (SELECT array_agg(x + aside) FROM unnest(test_vector(i, 24)) x) FROM generate_series(first, last) i$$;
SELECT health_aside(1001, 1500, 24.5);
SELECT drift BETWEEN 0.09 AND 0.1 AS drift, advice FROM vecidx_health('health_drift_i');
SELECT health_aside(1501, 1530, 40);
SELECT drift BETWEEN 0.1 AND 0.11 AS drift, regexp_replace(advice, '0\.1[0-9]+', 'n') AS advice FROM vecidx_health('health_drift_i');
DROP TABLE health_drift;

-- vecidx_info says the same.
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'health_i'::regclass;
SELECT health_advice();
SELECT value = health_advice() AS same FROM vecidx_info('health_i') WHERE property = 'advice';
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'health_i'::regclass;

-- The view: all indexes that the user may read.
CREATE TABLE health_other (v real[]);
CREATE INDEX health_other_i ON health_other USING vecidx (v real_l2_ops);
CREATE TEMPORARY TABLE health_temp (v real[]);
CREATE INDEX health_temp_i ON health_temp USING vecidx (v real_l2_ops);
SELECT index FROM vecidx_health WHERE index::text LIKE 'health_%' ORDER BY index::text COLLATE "C";
SELECT h.* = v.* AS same FROM vecidx_health('health_i') AS h JOIN vecidx_health AS v USING (index);
CREATE ROLE regress_vecidx_none;
CREATE ROLE regress_vecidx_reader;
GRANT SELECT ON health_t TO regress_vecidx_reader;
SET ROLE regress_vecidx_reader;
SELECT index FROM vecidx_health;
SELECT nodes FROM vecidx_health('health_i', true);
SELECT vecidx_health('health_other_i');
SET ROLE regress_vecidx_none;
SELECT index FROM vecidx_health;
SELECT vecidx_health('health_i');
RESET ROLE;

-- Not what it is for.
SELECT vecidx_health('health_t');
SELECT vecidx_health('health_t_pkey');
SELECT vecidx_health(4294967295);
SELECT count(*) FROM vecidx_health(NULL);
CREATE TABLE health_parent (v real[]) PARTITION BY HASH (v);
CREATE INDEX health_parent_i ON health_parent USING vecidx (v real_l2_ops);
SELECT vecidx_health('health_parent_i');

SELECT vecidx_check('health_i') > 1000 AS checked;
DROP TABLE health_t, health_other, health_temp, health_parent;
DROP FUNCTION health_add(int, int), health_search(int, int), health_growth(), health_aside(int, int, real);
DROP FUNCTION health_advice(text);
DROP ROLE regress_vecidx_none, regress_vecidx_reader;
