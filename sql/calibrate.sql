--
-- vecidx_calibrate: the effort is measured anew, with rows or with queries;
-- who may, on what, and with which.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx;
RESET client_min_messages;

-- vectors without a random generator
CREATE FUNCTION calibrate_vector(seed int, dimensions int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
	$$SELECT array_agg(sin(seed * 12.9898 + i * 78.233 + seed * i * 0.37)::real ORDER BY i) FROM generate_series(1, dimensions) i$$;

CREATE FUNCTION calibrate_info(index regclass) RETURNS text LANGUAGE sql VOLATILE AS
	$$SELECT value FROM vecidx_info(index) WHERE property = 'calibration'$$;

-- the table of efforts, as text
CREATE FUNCTION calibrate_efforts(index regclass) RETURNS text LANGUAGE sql VOLATILE AS
	$$SELECT string_agg(value, '; ' ORDER BY property) FROM vecidx_info(index) WHERE property LIKE 'effort for recall %'$$;

CREATE TABLE calibrate_t (id int PRIMARY KEY, v real[]) WITH (autovacuum_enabled = off);
INSERT INTO calibrate_t SELECT i, calibrate_vector(i, 12) FROM generate_series(1, 2000) i;
INSERT INTO calibrate_t VALUES (3000, NULL), (3001, NULL);
CREATE TABLE calibrate_q (id int PRIMARY KEY, v real[]);
INSERT INTO calibrate_q SELECT i, calibrate_vector(i, 12) FROM generate_series(5001, 5100) i;

-- share of the ten nearest rows that searches by an operator find
CREATE FUNCTION calibrate_recall(operator text) RETURNS float8 LANGUAGE plpgsql VOLATILE AS
$$
DECLARE
	nearest text := format('SELECT q.id AS query, n.id FROM calibrate_q AS q CROSS JOIN LATERAL
		(SELECT t.id FROM calibrate_t AS t WHERE v IS NOT NULL ORDER BY t.v %s q.v LIMIT 10) AS n', operator);
	share float8;
BEGIN
	CREATE TEMPORARY TABLE truth (query int, id int);
	SET LOCAL enable_indexscan = off;
	EXECUTE 'INSERT INTO truth ' || nearest;
	SET LOCAL enable_indexscan = on;
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_sort = off;
	EXECUTE format('SELECT count(*) / 1000.0 FROM (%s) AS found JOIN truth USING (query, id)', nearest) INTO share;
	DROP TABLE truth;
	RETURN share;
END
$$;

-- Every distance: by the build, with rows, with queries.
CREATE INDEX calibrate_l2 ON calibrate_t USING vecidx (v real_l2_ops);
SELECT calibrate_info('calibrate_l2') ~ '^by the build, with [0-9]+ rows as queries, at [0-9]+ nodes$' AS by_build;
SELECT vecidx_calibrate('calibrate_l2');
SELECT calibrate_info('calibrate_l2');
SELECT calibrate_recall('<->') >= 0.9 AS finds;
SELECT vecidx_calibrate('calibrate_l2', array_agg(v ORDER BY id)) FROM calibrate_q;
SELECT calibrate_info('calibrate_l2');
SELECT calibrate_recall('<->') >= 0.9 AS finds;
SELECT vecidx_check('calibrate_l2');
DROP INDEX calibrate_l2;

CREATE INDEX calibrate_ip ON calibrate_t USING vecidx (v real_ip_ops) WITH (quantizer = rabitq2);
SELECT vecidx_calibrate('calibrate_ip');
SELECT calibrate_info('calibrate_ip'), calibrate_recall('<#>') >= 0.9 AS finds;
SELECT vecidx_calibrate('calibrate_ip', array_agg(v ORDER BY id)) FROM calibrate_q;
SELECT calibrate_info('calibrate_ip'), calibrate_recall('<#>') >= 0.9 AS finds;
SELECT vecidx_check('calibrate_ip');
DROP INDEX calibrate_ip;

CREATE INDEX calibrate_cosine ON calibrate_t USING vecidx (v real_cosine_ops) WITH (rerank = sq8);
SELECT vecidx_calibrate('calibrate_cosine');
SELECT calibrate_info('calibrate_cosine'), calibrate_recall('<=>') >= 0.9 AS finds;
-- zero vectors do not count
SELECT vecidx_calibrate('calibrate_cosine', array_agg(CASE WHEN id % 4 = 0 THEN array_fill(0::real, '{12}') ELSE v END ORDER BY id))
FROM calibrate_q;
SELECT calibrate_info('calibrate_cosine'), calibrate_recall('<=>') >= 0.9 AS finds;
SELECT vecidx_calibrate('calibrate_cosine', array_agg(CASE WHEN id > 5015 THEN array_fill(0::real, '{12}') ELSE v END ORDER BY id))
FROM calibrate_q;
SELECT vecidx_check('calibrate_cosine');

-- The same queries, the same answer; others, another.
CREATE INDEX calibrate_l2 ON calibrate_t USING vecidx (v real_l2_ops);
SELECT vecidx_calibrate('calibrate_l2');
SELECT calibrate_efforts('calibrate_l2') AS once \gset
SELECT vecidx_calibrate('calibrate_l2');
SELECT calibrate_efforts('calibrate_l2') = :'once' AS same;
SELECT vecidx_calibrate('calibrate_l2', array_agg(calibrate_vector(i, 12))) FROM generate_series(6001, 6050) i;
SELECT calibrate_efforts('calibrate_l2') <> :'once' AS other;

-- Arrays of all numbers that can be sought.
SELECT vecidx_calibrate('calibrate_l2', array_agg(v::float8[])) FROM calibrate_q WHERE id <= 5020;
SELECT vecidx_calibrate('calibrate_l2', array_agg(v::numeric[])) FROM calibrate_q WHERE id <= 5021;
SELECT vecidx_calibrate('calibrate_l2', array_agg(array_fill(id % 3, '{12}'))) FROM calibrate_q WHERE id <= 5022;
SELECT vecidx_calibrate('calibrate_l2', array_agg(v)) FROM calibrate_q WHERE id <= 5016;
-- the most there may be, and more than are used
SELECT vecidx_calibrate('calibrate_l2', array_agg(calibrate_vector(i, 12))) FROM generate_series(1, 1024) i;
SELECT vecidx_calibrate('calibrate_l2', array_agg(calibrate_vector(i, 12))) FROM generate_series(1, 1100) i;
SELECT calibrate_info('calibrate_l2');

-- What cannot be a query; nothing is measured then.
SELECT vecidx_calibrate('calibrate_l2', array_agg(v)) FROM calibrate_q WHERE id <= 5015;
SELECT vecidx_calibrate('calibrate_l2', '{}'::real[]);
SELECT vecidx_calibrate('calibrate_l2', calibrate_vector(1, 12));
SELECT vecidx_calibrate('calibrate_l2', array_fill(1::real, '{20,12,2}'));
SELECT vecidx_calibrate('calibrate_l2', array_agg(v[1:11])) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_l2', array_agg(CASE WHEN id = 5007 THEN '{1,2,3,4,NULL,6,7,8,9,10,11,12}' ELSE v END ORDER BY id)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_l2', array_agg(CASE WHEN id = 5008 THEN '{1,2,3,4,5,6,7,8,9,10,11,NaN}' ELSE v END ORDER BY id)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_l2', array_agg(CASE WHEN id = 5100 THEN '{1,-Infinity,3,4,5,6,7,8,9,10,11,12}' ELSE v END ORDER BY id)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_l2', array_agg(v::text[])) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_l2', array_agg(id)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_l2', array_agg(v::text)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_l2', NULL::real[]) IS NULL AS "null";
SELECT vecidx_calibrate(NULL) IS NULL AS "null";
SELECT calibrate_info('calibrate_l2');

-- Rows that are deleted, equal, or new since the build.  The index still has
-- those that are gone until they are vacuumed.
DELETE FROM calibrate_t WHERE id % 10 = 0;
INSERT INTO calibrate_t SELECT 10000 + i, calibrate_vector(i % 100, 12) FROM generate_series(1, 500) i;
UPDATE calibrate_t SET id = id + 20000 WHERE id BETWEEN 500 AND 600;
UPDATE calibrate_t SET v = calibrate_vector(id + 7000, 12) WHERE id BETWEEN 700 AND 800;
SELECT vecidx_calibrate('calibrate_l2') >= 64 AS rows;
SELECT vecidx_calibrate('calibrate_l2', array_agg(v)) FROM calibrate_q;
VACUUM calibrate_t;
SELECT vecidx_calibrate('calibrate_l2', array_agg(v)) FROM calibrate_q;
SELECT vecidx_check('calibrate_l2') > 1500 AS checked;

-- An index that was empty when it was built knows nothing before.
CREATE TABLE calibrate_grown (v real[]);
CREATE INDEX calibrate_grown_i ON calibrate_grown USING vecidx (v real_l2_ops);
SELECT vecidx_calibrate('calibrate_grown_i');
INSERT INTO calibrate_grown SELECT calibrate_vector(i, 12) FROM generate_series(1, 1000) i;
-- too small
SELECT vecidx_calibrate('calibrate_grown_i');
SELECT vecidx_calibrate('calibrate_grown_i', array_agg(v)) FROM calibrate_q;
SELECT calibrate_info('calibrate_grown_i');
INSERT INTO calibrate_grown SELECT calibrate_vector(i, 12) FROM generate_series(1001, 1500) i;
SELECT vecidx_calibrate('calibrate_grown_i');
SELECT calibrate_info('calibrate_grown_i');
-- its nodes are there, its rows are not
DELETE FROM calibrate_grown;
SELECT vecidx_calibrate('calibrate_grown_i');
SELECT vecidx_calibrate('calibrate_grown_i', array_agg(v)) FROM calibrate_q;
SELECT calibrate_info('calibrate_grown_i');
DROP TABLE calibrate_grown;

-- Rows all alike: no other can be told from them.
CREATE TABLE calibrate_same (v real[]);
INSERT INTO calibrate_same SELECT '{1,2,3}' FROM generate_series(1, 3000);
INSERT INTO calibrate_same SELECT calibrate_vector(i % 1010, 3) FROM generate_series(1, 2020) i;
CREATE INDEX calibrate_same_i ON calibrate_same USING vecidx (v real_l2_ops) WITH (rerank = 'float');
SELECT vecidx_calibrate('calibrate_same_i') > 0 AS calibrated;
SELECT vecidx_check('calibrate_same_i') > 1000 AS checked;
DROP TABLE calibrate_same;

-- Expressions and predicates.
CREATE INDEX calibrate_expression ON calibrate_t USING vecidx ((v[1:8]) real_l2_ops) WHERE id % 5 <> 2;
SELECT vecidx_calibrate('calibrate_expression') >= 64 AS rows;
SELECT vecidx_calibrate('calibrate_expression', array_agg(v[1:8])) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_expression', array_agg(v)) FROM calibrate_q;
SELECT calibrate_info('calibrate_expression') ~ '^with 100 given queries' AS told;
SELECT vecidx_check('calibrate_expression') > 1000 AS checked;
DROP INDEX calibrate_expression;

-- Temporary and unlogged tables, materialized views, partitions.
CREATE TEMPORARY TABLE calibrate_temp AS SELECT v FROM calibrate_t;
CREATE INDEX calibrate_temp_i ON calibrate_temp USING vecidx (v real_l2_ops);
SELECT vecidx_calibrate('calibrate_temp_i', array_agg(v)) FROM calibrate_q;
SELECT vecidx_check('calibrate_temp_i') > 1500 AS checked;
DROP TABLE calibrate_temp;
CREATE UNLOGGED TABLE calibrate_unlogged AS SELECT v FROM calibrate_t;
CREATE INDEX calibrate_unlogged_i ON calibrate_unlogged USING vecidx (v real_l2_ops);
SELECT vecidx_calibrate('calibrate_unlogged_i', array_agg(v)) FROM calibrate_q;
SELECT vecidx_check('calibrate_unlogged_i') > 1500 AS checked;
DROP TABLE calibrate_unlogged;
CREATE MATERIALIZED VIEW calibrate_matview AS SELECT v FROM calibrate_t;
CREATE INDEX calibrate_matview_i ON calibrate_matview USING vecidx (v real_l2_ops);
SELECT vecidx_calibrate('calibrate_matview_i', array_agg(v)) FROM calibrate_q;
DROP MATERIALIZED VIEW calibrate_matview;
CREATE TABLE calibrate_parent (id int, v real[]) PARTITION BY RANGE (id);
CREATE TABLE calibrate_child PARTITION OF calibrate_parent FOR VALUES FROM (0) TO (100000);
CREATE INDEX calibrate_parent_i ON calibrate_parent USING vecidx (v real_l2_ops);
INSERT INTO calibrate_parent SELECT * FROM calibrate_t;
SELECT vecidx_calibrate('calibrate_child_v_idx', array_agg(v)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_parent_i');
DROP TABLE calibrate_parent;

-- Not what it is for.
SELECT vecidx_calibrate('calibrate_t');
SELECT vecidx_calibrate('calibrate_t_pkey');
SELECT vecidx_calibrate(4294967295);
CREATE INDEX calibrate_invalid ON calibrate_t USING vecidx (v real_l2_ops);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'calibrate_invalid'::regclass;
SELECT vecidx_calibrate('calibrate_invalid');
DROP INDEX calibrate_invalid;

-- Rights: the owner's.  What the index evaluates runs as the owner, whoever
-- calls, with no rights to change the session.
CREATE ROLE regress_vecidx_owner;
CREATE ROLE regress_vecidx_member IN ROLE regress_vecidx_owner;
CREATE ROLE regress_vecidx_reader;
CREATE TABLE calibrate_owned AS SELECT id, v FROM calibrate_t WHERE v IS NOT NULL;
CREATE FUNCTION calibrate_spy(v real[]) RETURNS real[] LANGUAGE plpgsql IMMUTABLE AS
$$
BEGIN
	IF current_user <> 'regress_vecidx_owner' THEN
		RAISE EXCEPTION 'run as %', current_user;
	END IF;
	PERFORM set_config('vecidx.target_recall', '0.5', false);
	RETURN v;
END
$$;
ALTER TABLE calibrate_owned OWNER TO regress_vecidx_owner;
CREATE INDEX calibrate_owned_i ON calibrate_owned USING vecidx (v real_l2_ops);
CREATE INDEX calibrate_owned_spy ON calibrate_owned USING vecidx (calibrate_spy(v) real_l2_ops);
GRANT SELECT ON calibrate_owned TO regress_vecidx_reader;
SELECT vecidx_calibrate('calibrate_owned_spy') >= 64 AS superuser;
SELECT current_user = session_user AS back;
SHOW vecidx.target_recall;
SET ROLE regress_vecidx_owner;
SELECT vecidx_calibrate('calibrate_owned_i') >= 64 AS owner;
SET ROLE regress_vecidx_member;
SELECT vecidx_calibrate('calibrate_owned_i') >= 64 AS member;
SET ROLE regress_vecidx_reader;
SELECT vecidx_calibrate('calibrate_owned_i');
SELECT vecidx_calibrate('calibrate_owned_i', array_fill(1::real, '{20,12}'));
RESET ROLE;
-- an error gives the user back, too
CREATE OR REPLACE FUNCTION calibrate_spy(v real[]) RETURNS real[] LANGUAGE plpgsql IMMUTABLE AS
	$$ BEGIN RAISE EXCEPTION 'no'; END $$;
SELECT vecidx_calibrate('calibrate_owned_spy');
SELECT current_user = session_user AS back;

-- Locks: none is kept; a transaction rolled back does not take the result back.
BEGIN;
SELECT vecidx_calibrate('calibrate_owned_i', array_fill(1::real, '{33,12}'));
SELECT count(*) FROM pg_locks WHERE relation IN ('calibrate_owned'::regclass, 'calibrate_owned_i'::regclass)
	AND pid = pg_backend_pid() AND mode = 'ShareUpdateExclusiveLock';
ROLLBACK;
SELECT calibrate_info('calibrate_owned_i') ~ '^with 33 given queries' AS told;

-- A cursor of the same session goes on.
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
DECLARE calibrate_cursor CURSOR FOR SELECT id FROM calibrate_t WHERE v IS NOT NULL ORDER BY v <-> calibrate_vector(1, 12);
CREATE TEMPORARY TABLE calibrate_seen (id int);
CREATE FUNCTION calibrate_read(c refcursor, count int) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	row int;
	read bigint := 0;
BEGIN
	WHILE read < count LOOP
		FETCH c INTO row;
		EXIT WHEN NOT FOUND;
		INSERT INTO calibrate_seen VALUES (row);
		read := read + 1;
	END LOOP;
	RETURN read;
END
$$;
SELECT calibrate_read('calibrate_cursor', 5);
SELECT vecidx_calibrate('calibrate_l2', array_agg(v)) FROM calibrate_q;
SELECT calibrate_read('calibrate_cursor', 20);
SELECT vecidx_calibrate('calibrate_l2') >= 64 AS rows;
SELECT calibrate_read('calibrate_cursor', 100000) + 25 = (SELECT count(*) FROM calibrate_t WHERE v IS NOT NULL) AS all_read;
SELECT count(*) = count(DISTINCT id) AS once FROM calibrate_seen;
COMMIT;

DROP TABLE calibrate_t, calibrate_q, calibrate_owned, calibrate_seen;
DROP FUNCTION calibrate_read(refcursor, int);
DROP FUNCTION calibrate_spy(real[]);
DROP FUNCTION calibrate_recall(text);
DROP FUNCTION calibrate_efforts(regclass);
DROP FUNCTION calibrate_info(regclass);
DROP FUNCTION calibrate_vector(int, int);
DROP ROLE regress_vecidx_member, regress_vecidx_owner, regress_vecidx_reader;
