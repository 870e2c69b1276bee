--
-- vecidx_recall: what it says is what a count by hand says; who may, on what,
-- and with which queries.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx;
RESET client_min_messages;

CREATE TABLE recall_t (id int PRIMARY KEY, v real[], class int, name text) WITH (autovacuum_enabled = off);
INSERT INTO recall_t SELECT i, test_vector(i, 24), i % 4, CASE i % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' END FROM generate_series(1, 3000) i;
INSERT INTO recall_t VALUES (9000, NULL, 1, 'a');
CREATE TABLE recall_q (id int PRIMARY KEY, v real[]);
INSERT INTO recall_q SELECT i, test_vector(i, 24) FROM generate_series(20001, 20080) i;
CREATE INDEX recall_i ON recall_t USING vecidx (v real_l2_ops, class) WITH (quantizer = rabitq1, rerank = sq8);
ANALYZE recall_t;

-- The same by hand, of given queries (own = 0), or of some rows without themselves (own = 1).
CREATE FUNCTION recall_by_hand(queries text, k int, condition text DEFAULT 'true', operator text DEFAULT '<->', own int DEFAULT 0)
RETURNS numeric LANGUAGE plpgsql VOLATILE AS
$$
DECLARE
	nearest text := format('SELECT q.id AS query, n.id, n.d, row_number() OVER (PARTITION BY q.id ORDER BY n.d) AS n
		FROM (%s) AS q CROSS JOIN LATERAL (SELECT t.id, t.v %s q.v AS d FROM recall_t AS t WHERE %s
			ORDER BY t.v %s q.v LIMIT %s) AS n WHERE n.id <> q.id', queries, operator, condition, operator, k + own);
	share numeric;
BEGIN
	SET LOCAL enable_indexscan = off;
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_sort = on;
	EXECUTE 'CREATE TEMPORARY TABLE truth AS ' || nearest;
	SET LOCAL enable_indexscan = on;
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_sort = off;
	EXECUTE 'CREATE TEMPORARY TABLE found AS ' || nearest;
	SELECT avg(share_of_one) INTO share FROM (
		SELECT count(*) FILTER (WHERE f.d <= (SELECT max(d) FROM truth AS t WHERE t.query = f.query AND t.n <= k) * (1 + 1e-6)) / k::numeric AS share_of_one
		FROM found AS f WHERE n <= k GROUP BY query) AS s;
	DROP TABLE truth, found;
	RETURN share;
END
$$;
SELECT array_agg(v ORDER BY id) AS queries FROM recall_q \gset

-- Rows as queries: those that come first by a hash of where they are.
SET vecidx.target_recall = 0.5;
SELECT k, filter_value, used, recall < 1 AS not_all,
	round(recall::numeric, 6) = round(recall_by_hand('SELECT id, v FROM recall_t WHERE v IS NOT NULL ORDER BY hashtid(ctid), ctid LIMIT 50', 10, own => 1), 6) AS by_hand,
	low < recall AND recall < high AND high < 1 AS "interval", worst < recall AS worst, search_ms > 0 AND exact_ms > 0 AS timed
FROM vecidx_recall('recall_i', 10, 50);
SELECT used, round(recall::numeric, 6) = round(recall_by_hand('SELECT id, v FROM recall_t WHERE v IS NOT NULL ORDER BY hashtid(ctid), ctid LIMIT 60', 1, own => 1), 6) AS by_hand
FROM vecidx_recall('recall_i', 1, 60);
SELECT used FROM vecidx_recall('recall_i', sample => 10000);
SELECT used FROM vecidx_recall('recall_i');

-- Given queries, of any type that the operator takes; the session's settings count.
SELECT used, round(recall::numeric, 6) = round(recall_by_hand('SELECT id, v FROM recall_q', 9), 6) AS by_hand, recall AS half
FROM vecidx_recall('recall_i', :'queries'::real[], 9) \gset
SELECT :used AS used, :'by_hand' AS by_hand;
SET vecidx.target_recall = 0.99;
SELECT used, round(recall::numeric, 6) = round(recall_by_hand('SELECT id, v FROM recall_q', 9), 6) AS by_hand, recall > :half AS more
FROM vecidx_recall('recall_i', :'queries'::real[], 9);
SELECT used, recall > :half AS more FROM vecidx_recall('recall_i', :'queries'::float8[], 9);
SELECT used, recall > :half AS more FROM vecidx_recall('recall_i', :'queries'::int[], 9);
SELECT used, recall > :half AS more FROM vecidx_recall('recall_i', :'queries'::numeric[], k => 9);
RESET vecidx.target_recall;

-- By the values of a filter column, the most frequent first.
SELECT filter_value, used, round(recall::numeric, 6) = round(recall_by_hand('SELECT id, v FROM recall_q', 10, 'class = ' || filter_value), 6) AS by_hand
FROM vecidx_recall('recall_i', :'queries'::real[], filter_column => 'class');
UPDATE recall_t SET class = id WHERE id <= 20;
SELECT count(*), count(DISTINCT filter_value), bool_and(used = 5) AS used, bool_and(recall BETWEEN 0.9 AND 1) AS finds
FROM vecidx_recall('recall_i', 10, 5, 'class');
SELECT string_agg(filter_value, ' ') FROM (SELECT filter_value FROM vecidx_recall('recall_i', 10, 5, 'class') LIMIT 4) AS f;
CREATE INDEX recall_name ON recall_t USING vecidx (v real_l2_ops, (upper(name)), name);
SELECT filter_value, used, recall > 0.9 AS finds FROM vecidx_recall('recall_name', 10, 20, 'name');
SELECT filter_value, used, recall > 0.9 AS finds FROM vecidx_recall('recall_name', 10, 20, 'upper');
ALTER TABLE recall_t RENAME COLUMN name TO label;
SELECT filter_value FROM vecidx_recall('recall_name', 10, 20, 'label');
ALTER TABLE recall_t RENAME COLUMN label TO name;

-- Of several indexes, the one that is asked about: its target is the same, its codes are not.
CREATE INDEX recall_part ON recall_t USING vecidx ((v[1:12]) real_l2_ops) WITH (quantizer = rabitq8) WHERE class < 2;
SELECT used, recall >= 0.9 AS finds FROM vecidx_recall('recall_part', 10, 40);
SELECT used, recall >= 0.9 AS finds FROM vecidx_recall('recall_part', (SELECT array_agg(v[1:12]) FROM recall_q));
CREATE INDEX recall_cosine ON recall_t USING vecidx (v real_cosine_ops) WITH (rerank = 'float');
SELECT used, round(recall::numeric, 6) = round(recall_by_hand('SELECT id, v FROM recall_q', 10, operator => '<=>'), 6) AS by_hand
FROM vecidx_recall('recall_cosine', :'queries'::real[]);
SELECT used, recall >= 0.9 AS finds FROM vecidx_recall('recall_i', 10, 20);
-- nothing is left behind
SELECT current_setting('enable_seqscan'), current_setting('enable_sort'), current_setting('jit') = (SELECT reset_val FROM pg_settings WHERE name = 'jit') AS jit;
SET enable_seqscan = off;
SELECT test_plan('SELECT id FROM recall_t ORDER BY v <=> ''{1,2,3}'' LIMIT 5');
RESET enable_seqscan;

-- Zero vectors under cosine are in no index, and no query.
INSERT INTO recall_t SELECT 30000 + i, array_fill(0::real, '{24}') FROM generate_series(1, 5) i;
SELECT used FROM vecidx_recall('recall_cosine', (SELECT array_agg(CASE WHEN id % 2 = 0 THEN array_fill(0::real, '{24}') ELSE v END) FROM recall_q));
SELECT used, recall FROM vecidx_recall('recall_cosine', array_fill(0::real, '{3,24}'));
DELETE FROM recall_t WHERE id > 30000;

-- Small tables are looked at as a whole; that is no proof that more queries would find all.
CREATE TABLE recall_small AS SELECT i AS id, test_vector(i % 50, 5) AS v FROM generate_series(1, 100) i;
CREATE INDEX recall_small_i ON recall_small USING vecidx (v real_l2_ops);
SELECT k, used, recall, low BETWEEN 0.98 AND 0.99 AS low, high, worst FROM vecidx_recall('recall_small_i');
SELECT k, used, recall, low BETWEEN 0 AND 0.9 AS low, high, worst FROM vecidx_recall('recall_small_i', sample => 1);
-- more than there are: of 100 rows, 99 others
SELECT k, used, recall, worst FROM vecidx_recall('recall_small_i', 1000, 7);
-- the same vector everywhere: all are as near
UPDATE recall_small SET v = '{1,2,3,4,5}';
SELECT used, recall, worst FROM vecidx_recall('recall_small_i');

-- Bad input.
CREATE TABLE recall_empty (v real[]);
CREATE INDEX recall_empty_i ON recall_empty USING vecidx (v real_l2_ops);
SELECT vecidx_recall('recall_empty_i');
SELECT vecidx_recall('recall_empty_i', '{{1,2},{3,4}}'::real[]);
INSERT INTO recall_empty VALUES (NULL), (NULL);
SELECT vecidx_recall('recall_empty_i');
INSERT INTO recall_empty VALUES ('{1,2}');
SELECT used, recall FROM vecidx_recall('recall_empty_i');
SELECT used, recall FROM vecidx_recall('recall_empty_i', '{{1,2},{3,4}}'::real[]);
DROP TABLE recall_empty;
SELECT vecidx_recall('recall_i', 0);
SELECT vecidx_recall('recall_i', 1001);
SELECT vecidx_recall('recall_i', -1);
SELECT vecidx_recall('recall_i', NULL::int);
SELECT vecidx_recall('recall_i', 10, 0);
SELECT vecidx_recall('recall_i', 10, 10001);
SELECT vecidx_recall('recall_i', 10, NULL);
SELECT count(*) FROM vecidx_recall(NULL, 10);
SELECT count(*) FROM vecidx_recall('recall_i', NULL::real[]);
SELECT vecidx_recall('recall_i', 10, 10, 'v');
SELECT vecidx_recall('recall_i', 10, 10, 'name');
SELECT vecidx_recall('recall_cosine', 10, 10, 'class');
SELECT vecidx_recall('recall_i', '{}'::real[]);
SELECT vecidx_recall('recall_i', test_vector(1, 24));
SELECT vecidx_recall('recall_i', array_fill(1::real, '{3,23}'));
SELECT vecidx_recall('recall_i', '{a,b}'::text[]);
SELECT vecidx_recall('recall_i', array_fill(NULL::real, '{2,24}'));
SELECT vecidx_recall('recall_i', array_fill('NaN'::real, '{2,24}'));
SELECT vecidx_recall('recall_t');
SELECT vecidx_recall('recall_t_pkey');
SELECT vecidx_recall(4294967295);
CREATE TABLE recall_parent (v real[]) PARTITION BY HASH (v);
CREATE INDEX recall_parent_i ON recall_parent USING vecidx (v real_l2_ops);
SELECT vecidx_recall('recall_parent_i');
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'recall_name'::regclass;
SELECT vecidx_recall('recall_name');
DROP INDEX recall_name;
-- plans see all indexes again after an error
SET enable_seqscan = off;
SELECT test_plan('SELECT id FROM recall_t ORDER BY v <=> ''{1,2,3}'' LIMIT 5');
RESET enable_seqscan;

-- A cancel is answered.
SET statement_timeout = '20ms';
SELECT vecidx_recall('recall_i', 10, 3000);
RESET statement_timeout;

-- Temporary tables, materialized views, tables with children.
CREATE TEMPORARY TABLE recall_temp AS SELECT v FROM recall_t;
CREATE INDEX recall_temp_i ON recall_temp USING vecidx (v real_l2_ops);
SELECT used, recall >= 0.9 AS finds FROM vecidx_recall('recall_temp_i', sample => 20);
CREATE MATERIALIZED VIEW recall_view AS SELECT v FROM recall_t;
CREATE INDEX recall_view_i ON recall_view USING vecidx (v real_l2_ops);
SELECT used, recall >= 0.9 AS finds FROM vecidx_recall('recall_view_i', sample => 20);
CREATE TABLE "recall ""Odd" ("the v" real[], "a ""class" text);
CREATE TABLE recall_child () INHERITS ("recall ""Odd");
INSERT INTO "recall ""Odd" SELECT v, 'x' FROM recall_t WHERE id <= 500;
INSERT INTO recall_child SELECT v, 'y' FROM recall_t WHERE id > 500;
CREATE INDEX "recall Odd i" ON "recall ""Odd" USING vecidx ("the v" real_l2_ops, "a ""class");
SELECT filter_value, used, recall >= 0.9 AS finds FROM vecidx_recall('"recall Odd i"', 10, 20, 'a "class');
DROP TABLE "recall ""Odd", recall_child;

-- Rights: the table's reader, but not where policies hide rows.  What the index evaluates runs as the owner.
CREATE ROLE regress_vecidx_owner;
CREATE ROLE regress_vecidx_reader;
CREATE ROLE regress_vecidx_none;
CREATE TABLE recall_owned AS SELECT id, v FROM recall_t WHERE v IS NOT NULL;
CREATE FUNCTION recall_spy(v real[]) RETURNS real[] LANGUAGE plpgsql IMMUTABLE AS
$$
BEGIN
	IF current_user <> 'regress_vecidx_owner' THEN
		RAISE EXCEPTION 'run as %', current_user;
	END IF;
	PERFORM set_config('vecidx.target_recall', '0.5', false);
	RETURN v;
END
$$;
ALTER TABLE recall_owned OWNER TO regress_vecidx_owner;
CREATE INDEX recall_owned_i ON recall_owned USING vecidx (v real_l2_ops);
CREATE INDEX recall_owned_spy ON recall_owned USING vecidx (recall_spy(v) real_l2_ops);
GRANT SELECT ON recall_owned TO regress_vecidx_reader;
SELECT used FROM vecidx_recall('recall_owned_spy', sample => 5);
SELECT current_user = session_user AS back;
SHOW vecidx.target_recall;
SET ROLE regress_vecidx_reader;
SELECT used FROM vecidx_recall('recall_owned_spy', sample => 5);
SET ROLE regress_vecidx_owner;
SELECT used FROM vecidx_recall('recall_owned_i', sample => 5);
SET ROLE regress_vecidx_none;
SELECT vecidx_recall('recall_owned_i');
RESET ROLE;
ALTER TABLE recall_owned ENABLE ROW LEVEL SECURITY;
SET ROLE regress_vecidx_reader;
SELECT vecidx_recall('recall_owned_i');
SET ROLE regress_vecidx_owner;
SELECT used FROM vecidx_recall('recall_owned_i', sample => 5);
RESET ROLE;
SELECT used FROM vecidx_recall('recall_owned_i', sample => 5);
ALTER TABLE recall_owned FORCE ROW LEVEL SECURITY;
SELECT vecidx_recall('recall_owned_i', sample => 5);
CREATE OR REPLACE FUNCTION recall_spy(v real[]) RETURNS real[] LANGUAGE plpgsql IMMUTABLE AS
	$$ BEGIN RAISE EXCEPTION 'no'; END $$;
ALTER TABLE recall_owned DISABLE ROW LEVEL SECURITY;
\set SHOW_CONTEXT never
SELECT vecidx_recall('recall_owned_spy');
\set SHOW_CONTEXT errors
SELECT current_user = session_user AS back;

SELECT vecidx_check('recall_i') > 2000 AS checked;
DROP MATERIALIZED VIEW recall_view;
DROP TABLE recall_t, recall_q, recall_small, recall_owned, recall_parent, recall_temp;
DROP FUNCTION recall_spy(real[]);
DROP FUNCTION recall_by_hand(text, int, text, text, int);
DROP ROLE regress_vecidx_owner, regress_vecidx_reader, regress_vecidx_none;
