-- Updates that leave the vector alone, which find its node by the version that they replace.

-- every row with a vector, and how many of them are the nearest to their own vector
CREATE FUNCTION update_found(name text, OUT rows bigint, OUT own bigint, OUT checked bool) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
	EXECUTE format('SELECT count(*), count(*) FILTER (WHERE s.id = t.id) FROM %1$I t,
		LATERAL (SELECT id FROM %1$I ORDER BY v <-> t.v LIMIT 1) s WHERE t.v IS NOT NULL', name) INTO rows, own;
	SELECT bool_and(vecidx_check(indexrelid) > 0) INTO checked FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_am a ON a.oid = c.relam
		WHERE i.indrelid IN (SELECT name::regclass UNION SELECT relid FROM pg_partition_tree(name::regclass))
			AND a.amname = 'vecidx' AND c.relkind = 'i';
END $$;

-- vectors out of line: they are not read
CREATE TABLE update_wide (id int PRIMARY KEY, note int, v real[], name text)
	WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off, fillfactor = 30);
ALTER TABLE update_wide ALTER v SET STORAGE external;
INSERT INTO update_wide SELECT i, 0, test_vector(i, 1000), 'a' FROM generate_series(1, 200) i;
CREATE INDEX update_wide_i ON update_wide USING vecidx (v real_l2_ops) WITH (m = 4);
CREATE INDEX update_wide_note ON update_wide (note);
CREATE VIEW update_toast AS SELECT toast_blks_hit + toast_blks_read + tidx_blks_hit + tidx_blks_read AS blocks
	FROM pg_statio_user_tables WHERE relname = 'update_wide';
SELECT pg_stat_force_next_flush();
SELECT blocks > 0 AS read_by_build, blocks AS before FROM update_toast \gset
\echo :read_by_build
UPDATE update_wide SET note = note + 1;
UPDATE update_wide SET note = note + 1 WHERE id % 3 = 0;
-- nor where the index knows the first of a chain of versions on a page
UPDATE update_wide SET name = 'b';
SELECT pg_stat_force_next_flush();
SELECT n_tup_hot_upd > 0 AS chains FROM pg_stat_user_tables WHERE relname = 'update_wide';
UPDATE update_wide SET note = note + 1;
SELECT pg_stat_force_next_flush();
SELECT blocks - :before AS blocks_read FROM update_toast;
SELECT pg_stat_force_next_flush();
SELECT sum(v[1]) > 0 AS read FROM update_wide;
SELECT pg_stat_force_next_flush();
SELECT blocks > :before AS seen FROM update_toast;
DROP VIEW update_toast;
SELECT * FROM update_found('update_wide');
-- a row that is updated again and again
DO $$ BEGIN FOR i IN 1..60 LOOP UPDATE update_wide SET note = note + 1 WHERE id = 7; END LOOP; END $$;
SELECT * FROM update_found('update_wide');
VACUUM update_wide;
SELECT * FROM update_found('update_wide');
SELECT vecidx_check('update_wide_i') AS nodes;
UPDATE update_wide SET note = note + 1;
-- what is undone does not count
BEGIN;
UPDATE update_wide SET note = note + 1 WHERE id <= 100;
SAVEPOINT s;
UPDATE update_wide SET note = note + 1 WHERE id <= 50;
ROLLBACK TO s;
UPDATE update_wide SET note = note + 1 WHERE id <= 75;
ROLLBACK;
UPDATE update_wide SET note = note + 1 WHERE id <= 150;
SELECT * FROM update_found('update_wide');
-- places of rows that are gone are used again
DELETE FROM update_wide WHERE id % 2 = 0;
VACUUM update_wide;
INSERT INTO update_wide SELECT i, 0, test_vector(i + 5000, 1000) FROM generate_series(2, 200, 2) i;
UPDATE update_wide SET note = note + 1;
SELECT * FROM update_found('update_wide');
-- one row's vector in another, as it is stored
UPDATE update_wide t SET v = s.v, note = t.note + 1 FROM update_wide s WHERE s.id = t.id + 1 AND t.id % 4 = 1;
UPDATE update_wide SET note = note + 1 WHERE id % 4 IN (1, 2);
SELECT count(*) AS twins, vecidx_check('update_wide_i') > 0 AS checked FROM update_wide t,
	LATERAL (SELECT count(*) FROM (SELECT v <-> t.v AS d FROM update_wide ORDER BY v <-> t.v LIMIT 2) s WHERE d = 0) s
	WHERE id % 4 = 1 AND s.count = 2;
DROP TABLE update_wide;

-- nor is a vector read where a filter column changes
CREATE TABLE update_filter (id int PRIMARY KEY, price int, v real[]) WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE update_filter ALTER v SET STORAGE external;
INSERT INTO update_filter SELECT i, i, test_vector(i, 1000) FROM generate_series(1, 200) i;
CREATE INDEX update_filter_i ON update_filter USING vecidx (v real_l2_ops, price) WITH (m = 4);
CREATE VIEW update_toast AS SELECT toast_blks_hit + toast_blks_read + tidx_blks_hit + tidx_blks_read AS blocks
	FROM pg_statio_user_tables WHERE relname = 'update_filter';
SELECT pg_stat_force_next_flush();
SELECT blocks > 0 AS read_by_build, blocks AS before FROM update_toast \gset
\echo :read_by_build
UPDATE update_filter SET price = price + 1000;
UPDATE update_filter SET price = NULL WHERE id % 10 = 3;
UPDATE update_filter SET price = price + 1000 WHERE id % 2 = 0;
SELECT pg_stat_force_next_flush();
SELECT blocks - :before AS blocks_read FROM update_toast;
DROP VIEW update_toast;
SELECT count(*), min(price) AS lowest FROM (SELECT price FROM update_filter WHERE price < 2000 ORDER BY v <-> test_vector(1, 1000)) s;
SELECT count(*) FROM (SELECT id FROM update_filter WHERE price IS NULL ORDER BY v <-> test_vector(1, 1000)) s;
SELECT * FROM update_found('update_filter');
VACUUM update_filter;
SELECT id, price FROM update_filter WHERE price = 2050 ORDER BY v <-> test_vector(1, 1000);
SELECT * FROM update_found('update_filter');
DROP TABLE update_filter;

-- the server does not see that a trigger changes the vector
CREATE TABLE update_trigger (id int PRIMARY KEY, note int, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO update_trigger SELECT i, 0, test_vector(i, 8) FROM generate_series(1, 100) i;
CREATE INDEX update_trigger_i ON update_trigger USING vecidx (v real_l2_ops) WITH (m = 4);
CREATE INDEX update_trigger_note ON update_trigger (note);
UPDATE update_trigger SET note = note + 1;
CREATE FUNCTION update_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id % 5 = 0 THEN
		NEW.v := test_vector(NEW.id + 1000 * NEW.note, 8);
	ELSIF NEW.id % 5 = 1 THEN
		NEW.v := NULL;
	ELSIF NEW.id % 5 = 2 THEN
		NEW.v := (SELECT v FROM update_trigger WHERE id = 105 - NEW.id);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER turn BEFORE UPDATE ON update_trigger FOR EACH ROW WHEN (NEW.note > 1) EXECUTE FUNCTION update_turn();
UPDATE update_trigger SET note = note + 1;
UPDATE update_trigger SET note = note + 1;
UPDATE update_trigger SET note = note + 1;
SELECT count(*) FILTER (WHERE s.d > 0) AS lost, count(*), vecidx_check('update_trigger_i') > 0 AS checked FROM update_trigger t,
	LATERAL (SELECT v <-> t.v AS d FROM update_trigger ORDER BY v <-> t.v LIMIT 1) s WHERE v IS NOT NULL;
-- statements within a statement
DROP TRIGGER turn ON update_trigger;
UPDATE update_trigger SET v = test_vector(id, 8);
CREATE FUNCTION update_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE update_trigger SET note = note + 1 WHERE id = NEW.id + 1 AND note = 0;
	RETURN NULL;
END $$;
CREATE TRIGGER other AFTER UPDATE ON update_trigger FOR EACH ROW EXECUTE FUNCTION update_other();
UPDATE update_trigger SET note = 0;
UPDATE update_trigger SET note = note + 1 WHERE id % 10 = 1;
SELECT note, count(*) FROM update_trigger GROUP BY note ORDER BY note;
SELECT * FROM update_found('update_trigger');
DROP TABLE update_trigger;

-- rows known to the index by the first of a chain of versions on a page
CREATE TABLE update_chain (id int PRIMARY KEY, note int, name text, v real[]) WITH (autovacuum_enabled = off, fillfactor = 40);
INSERT INTO update_chain SELECT i, 0, 'a', test_vector(i, 8) FROM generate_series(1, 100) i;
CREATE INDEX update_chain_i ON update_chain USING vecidx (v real_l2_ops) WITH (m = 4);
CREATE INDEX update_chain_note ON update_chain (note);
UPDATE update_chain SET name = 'b';
UPDATE update_chain SET name = 'c' WHERE id % 2 = 0;
UPDATE update_chain SET note = note + 1;
SELECT * FROM update_found('update_chain');
UPDATE update_chain SET name = 'd';
VACUUM update_chain;
UPDATE update_chain SET note = note + 1;
SELECT * FROM update_found('update_chain');
-- other ways to update
INSERT INTO update_chain SELECT i, 9, 'e', test_vector(i, 8) FROM generate_series(1, 120) i
	ON CONFLICT (id) DO UPDATE SET note = update_chain.note + 1;
MERGE INTO update_chain t USING generate_series(1, 130) s (i) ON t.id = s.i
	WHEN MATCHED AND s.i % 3 = 0 THEN UPDATE SET note = note + 1
	WHEN MATCHED AND s.i % 3 = 1 THEN UPDATE SET v = test_vector(s.i + 2000, 8)
	WHEN NOT MATCHED THEN INSERT VALUES (s.i, 0, 'f', test_vector(s.i, 8));
WITH changed AS (UPDATE update_chain SET note = note + 1 WHERE id <= 60 RETURNING id)
	UPDATE update_chain SET note = note + 2 WHERE id > 60 AND id IN (SELECT id + 60 FROM changed);
SELECT * FROM update_found('update_chain');
DO $$
DECLARE
	c CURSOR FOR SELECT * FROM update_chain FOR UPDATE;
BEGIN
	FOR r IN c LOOP
		UPDATE update_chain SET note = r.note + 1 WHERE CURRENT OF c;
	END LOOP;
END $$;
SELECT * FROM update_found('update_chain');
DROP TABLE update_chain;

-- rows that an index does not have, and indexes of what is computed
CREATE TABLE update_part (id int PRIMARY KEY, note int, v real[], w real[]) WITH (autovacuum_enabled = off);
INSERT INTO update_part SELECT i, i, CASE WHEN i % 3 > 0 THEN test_vector(i, 8) END, test_vector(i + 300, 8) FROM generate_series(1, 100) i;
INSERT INTO update_part VALUES (101, 101, '{0,0,0,0,0,0,0,0}', '{0,0,0,0,0,0,0,0}');
CREATE INDEX update_part_v ON update_part USING vecidx (v real_l2_ops) WITH (m = 4);
CREATE INDEX update_part_cosine ON update_part USING vecidx (w real_cosine_ops) WITH (m = 4);
CREATE INDEX update_part_some ON update_part USING vecidx (w real_ip_ops) WITH (m = 4) WHERE note > 150;
CREATE INDEX update_part_computed ON update_part USING vecidx ((w[1:4]) real_l2_ops) WITH (m = 4, dimensions = 4);
CREATE INDEX update_part_note ON update_part (note);
UPDATE update_part SET note = note + 1;
UPDATE update_part SET note = note + 80;
UPDATE update_part SET note = note + 1;
UPDATE update_part SET note = note - 90;
UPDATE update_part SET w = w WHERE id % 2 = 0;
SELECT * FROM update_found('update_part');
SELECT count(*) FROM update_part t, LATERAL (SELECT id FROM update_part ORDER BY w <=> t.w LIMIT 1) s WHERE s.id = t.id;
SELECT count(*) FROM update_part t, LATERAL (SELECT id FROM update_part ORDER BY (w[1:4]) <-> t.w[1:4] LIMIT 1) s WHERE s.id = t.id;
DROP TABLE update_part;

-- partitions, and a table of the session
CREATE TABLE update_parts (id int, note int, v real[]) PARTITION BY RANGE (id);
CREATE TABLE update_parts_1 PARTITION OF update_parts FOR VALUES FROM (0) TO (50);
CREATE TABLE update_parts_2 (note int, v real[], id int);
ALTER TABLE update_parts ATTACH PARTITION update_parts_2 FOR VALUES FROM (50) TO (1000);
CREATE INDEX update_parts_i ON update_parts USING vecidx (v real_l2_ops) WITH (m = 4, dimensions = 8);
CREATE INDEX update_parts_note ON update_parts (note);
INSERT INTO update_parts SELECT i, 0, test_vector(i, 8) FROM generate_series(1, 99) i;
UPDATE update_parts SET note = note + 1;
UPDATE update_parts SET note = note + 1;
UPDATE update_parts SET id = id + 30 WHERE id BETWEEN 40 AND 49;
UPDATE update_parts SET note = note + 1 WHERE note = 2;
SELECT * FROM update_found('update_parts');
DROP TABLE update_parts;
CREATE TEMP TABLE update_temp (id int, note int, v real[]);
INSERT INTO update_temp SELECT i, 0, test_vector(i, 600) FROM generate_series(1, 100) i;
CREATE INDEX update_temp_i ON update_temp USING vecidx (v real_l2_ops) WITH (m = 4);
CREATE INDEX update_temp_note ON update_temp (note);
UPDATE update_temp SET note = note + 1;
REINDEX TABLE update_temp;
UPDATE update_temp SET note = note + 1;
TRUNCATE update_temp;
INSERT INTO update_temp SELECT i, 0, test_vector(i, 600) FROM generate_series(1, 50) i;
UPDATE update_temp SET note = note + 1;
SELECT * FROM update_found('update_temp');

-- codes that span pages
CREATE TABLE update_span (id int PRIMARY KEY, note int, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO update_span SELECT i, 0, test_vector(i, 9000) FROM generate_series(1, 10) i;
CREATE INDEX update_span_i ON update_span USING vecidx (v real_l2_ops) WITH (quantizer = rabitq8);
CREATE INDEX update_span_note ON update_span (note);
DO $$ BEGIN FOR i IN 1..30 LOOP UPDATE update_span SET note = note + 1; END LOOP; END $$;
SELECT * FROM update_found('update_span');
VACUUM update_span;
DO $$ BEGIN FOR i IN 1..30 LOOP UPDATE update_span SET note = note + 1; END LOOP; END $$;
SELECT * FROM update_found('update_span');
DROP TABLE update_span;

DROP FUNCTION update_found, update_turn, update_other;
