--
-- vecidx_recall_stats: recall of scans, measured when they end; it is what
-- vecidx_recall says of the same queries, and changes nothing else.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx;
RESET client_min_messages;

CREATE TABLE live_t (id int, v real[], class int, name text) WITH (autovacuum_enabled = off);
INSERT INTO live_t SELECT i, test_vector(i, 24), i % 4, 'a somewhat long name ' || i % 3 FROM generate_series(1, 3000) i;
CREATE TABLE live_q (id int PRIMARY KEY, v real[]);
INSERT INTO live_q SELECT i, test_vector(i, 24) FROM generate_series(20001, 20080) i;
CREATE INDEX live_i ON live_t USING vecidx (v real_l2_ops, class, name) WITH (quantizer = rabitq1, rerank = sq8);
ANALYZE live_t;
SELECT array_agg(v ORDER BY id) AS queries FROM live_q \gset
CREATE VIEW live AS
	SELECT indexrelname AS index, samples, rows_wanted AS wanted, rows_right AS "right", round((recall * rows_wanted)::numeric, 3) = rows_right AS mean
	FROM vecidx_recall_stats WHERE relname LIKE 'live%' ORDER BY 1;
SET enable_seqscan = off;
SET enable_sort = off;
SET enable_bitmapscan = off;
SET max_parallel_workers_per_gather = 0;
SET vecidx.target_recall = 0.5;

-- By default none is measured.
SHOW vecidx.recall_sample_rate;
SHOW vecidx.recall_sample_interval;
SELECT count(*) FROM live_q AS q, LATERAL (SELECT id FROM live_t ORDER BY v <-> q.v LIMIT 9) AS n;
SELECT samples, rows_wanted, rows_right, recall, low, high, since IS NULL AS never FROM vecidx_recall_stats WHERE indexrelname = 'live_i';

-- All of them: rescans, and queries of their own.  Results are those that there were, and so are other statistics.
CREATE FUNCTION live_search(condition text DEFAULT 'true', k int DEFAULT 9) RETURNS SETOF int LANGUAGE plpgsql AS $$
DECLARE
	query real[];
BEGIN
	FOR query IN SELECT v FROM live_q ORDER BY id LOOP
		RETURN QUERY EXECUTE format('SELECT id FROM live_t WHERE %s ORDER BY v <-> $1 LIMIT %s', condition, k) USING query;
	END LOOP;
END $$;
SELECT vecidx_stat_reset();
CREATE TABLE live_off AS SELECT * FROM live_search() WITH ORDINALITY;
CREATE TABLE live_off_stat AS SELECT * FROM pg_stat_vecidx WHERE indexrelname = 'live_i';
SELECT count(*) FROM (SELECT FROM live_t ORDER BY v <-> test_vector(-1, 24) LIMIT 9) AS n;
CREATE TABLE live_off_scan AS SELECT * FROM vecidx_last_scan();
SELECT * FROM live;
SET vecidx.recall_sample_interval = 0;
SET vecidx.recall_sample_rate = 1;
SELECT vecidx_stat_reset();
CREATE TABLE live_on AS SELECT * FROM live_search() WITH ORDINALITY;
CREATE TABLE live_on_stat AS SELECT * FROM pg_stat_vecidx WHERE indexrelname = 'live_i';
SELECT index, samples, wanted, "right" < wanted AS not_all, mean FROM live;
SELECT recall AS sampled, low, high FROM vecidx_recall_stats WHERE indexrelname = 'live_i' \gset
SELECT count(*) AS rows, count(*) FILTER (WHERE a.live_search <> b.live_search) AS others FROM live_off AS a FULL JOIN live_on AS b USING (ordinality);
SELECT DISTINCT key FROM live_off_stat AS a, live_on_stat AS b, LATERAL jsonb_each(to_jsonb(a)) AS x JOIN LATERAL jsonb_each(to_jsonb(b)) AS y USING (key)
	WHERE x.value <> y.value AND key !~ '_hit$|_read$|time$|^latency|^stats_reset';
SELECT count(*) FROM (SELECT FROM live_t ORDER BY v <-> test_vector(-1, 24) LIMIT 9) AS n;
SELECT count(*) AS same FROM (SELECT * FROM live_off_scan INTERSECT SELECT * FROM vecidx_last_scan()) AS n;
SELECT vecidx_stat_reset();
SELECT count(*) FROM live_q AS q, LATERAL (SELECT id FROM live_t ORDER BY v <-> q.v LIMIT 9) AS n;
SELECT samples, round(recall::numeric, 6) = round(:sampled::numeric, 6) AS same FROM vecidx_recall_stats WHERE indexrelname = 'live_i';
SET vecidx.recall_sample_rate = 0;
SELECT used, round(recall::numeric, 6) = round(:sampled::numeric, 6) AS recall, round(low::numeric, 6) = round(:low::numeric, 6) AS low,
	round(high::numeric, 6) = round(:high::numeric, 6) AS high FROM vecidx_recall('live_i', :'queries'::real[], 9);

-- Under filters, also such whose values the executor has freed by then.
SET vecidx.recall_sample_rate = 1;
SELECT vecidx_stat_reset();
SELECT count(*) FROM live_search('class = 1');
SELECT index, samples, wanted, mean FROM live;
SELECT recall AS sampled FROM vecidx_recall_stats WHERE indexrelname = 'live_i' \gset
SET vecidx.recall_sample_rate = 0;
SELECT used, round(recall::numeric, 6) = round(:sampled::numeric, 6) AS recall FROM vecidx_recall('live_i', :'queries'::real[], 9, 'class') WHERE filter_value = '1';
SET vecidx.recall_sample_rate = 1;
SELECT vecidx_stat_reset();
SELECT count(*) FROM live_q AS q, LATERAL (SELECT id FROM live_t WHERE name = 'a somewhat long name ' || q.id % 3 ORDER BY v <-> q.v LIMIT 9) AS n;
SELECT count(*) FROM live_q AS q, LATERAL (SELECT id FROM live_t WHERE name > 'a somewhat long name ' || q.id % 2 ORDER BY v <-> q.v LIMIT 9) AS n;
-- how many that are depends on the graph, but they are more than those that the conditions leave
SELECT l.index, l.samples, wanted = s.rows AS wanted, wanted > 160 * 9 AS more, "right" > 0.5 * wanted AS finds
FROM live AS l JOIN pg_stat_vecidx AS s ON indexrelname = l.index;

-- Conditions that the index does not know: what counts is what it returned.
SELECT vecidx_stat_reset();
SELECT count(*) FROM (SELECT id FROM live_t WHERE id % 10 = 0 ORDER BY v <-> test_vector(-1, 24) LIMIT 3) AS n;
SELECT l.samples, wanted = s.rows AS wanted FROM live AS l JOIN pg_stat_vecidx AS s ON indexrelname = l.index;

-- A cursor that is closed early; at the end of a transaction; not after an error, nor of what is rolled back.
SELECT vecidx_stat_reset();
BEGIN;
DECLARE few CURSOR FOR SELECT id FROM live_t ORDER BY v <-> test_vector(-1, 24);
MOVE 4 FROM few;
CLOSE few;
SELECT * FROM live;
DECLARE open CURSOR FOR SELECT id FROM live_t ORDER BY v <-> test_vector(-1, 24);
MOVE 2 FROM open;
DECLARE none CURSOR FOR SELECT id FROM live_t ORDER BY v <-> test_vector(-1, 24);
DECLARE held CURSOR WITH HOLD FOR SELECT id FROM live_t ORDER BY v <-> test_vector(-1, 24) LIMIT 3;
COMMIT;
CLOSE held;
SELECT index, samples, wanted FROM live;
BEGIN;
DECLARE few CURSOR FOR SELECT id FROM live_t ORDER BY v <-> test_vector(-1, 24);
MOVE 4 FROM few;
SAVEPOINT s;
DECLARE failing CURSOR FOR SELECT 1 / (id - id) FROM live_t ORDER BY v <-> test_vector(-1, 24);
FETCH 1 FROM failing;
ROLLBACK TO s;
ROLLBACK;
DO $$ BEGIN
	PERFORM 1 / (id - id) FROM live_t ORDER BY v <-> test_vector(-1, 24);
EXCEPTION WHEN division_by_zero THEN NULL;
END $$;
SELECT index, samples, wanted FROM live;
SELECT scans, aborted FROM pg_stat_vecidx WHERE indexrelname = 'live_i';
-- more rows than are compared
SELECT vecidx_stat_reset();
SELECT count(*) FROM (SELECT id FROM live_t ORDER BY v <-> test_vector(-1, 24) LIMIT 500) AS n;
SELECT index, samples, wanted FROM live;
-- a search under serializable isolation leaves no more locks than it has to; a query that is NULL is at no distance
SELECT vecidx_stat_reset();
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM (SELECT id FROM live_t ORDER BY v <-> test_vector(-1, 24) LIMIT 5) AS n;
COMMIT;
SELECT count(*) FROM (SELECT id FROM live_t ORDER BY v <-> NULL::real[] LIMIT 5) AS n;
SELECT index, samples FROM live;

-- Rows that the snapshot cannot see are nobody's; rows with equal vectors are as good as each other.
DELETE FROM live_t WHERE id <= 1500;
INSERT INTO live_t SELECT id, v, class, name FROM live_t WHERE id % 5 = 0;
UPDATE live_t SET name = 'b' WHERE id % 7 = 0;
SELECT vecidx_stat_reset();
SELECT count(*) FROM live_search();
SELECT l.index, l.samples, wanted, scans, rows > wanted AS unseen, mean FROM live AS l JOIN pg_stat_vecidx AS s ON indexrelname = l.index;
SELECT recall AS sampled FROM vecidx_recall_stats WHERE indexrelname = 'live_i' \gset
SET vecidx.recall_sample_rate = 0;
SELECT used, round(recall::numeric, 6) = round(:sampled::numeric, 6) AS recall FROM vecidx_recall('live_i', :'queries'::real[], 9);

-- Of an expression, whose function wants a snapshot, and by cosine.
SET vecidx.recall_sample_rate = 1;
CREATE FUNCTION live_half(v real[]) RETURNS real[] LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN (SELECT v[1:12] FROM generate_series(1, 1)); END $$;
CREATE INDEX live_expression ON live_t USING vecidx (live_half(v) real_cosine_ops);
SELECT vecidx_stat_reset();
SELECT count(*) FROM live_q AS q, LATERAL (SELECT id FROM live_t ORDER BY live_half(v) <=> live_half(q.v) LIMIT 9) AS n;
BEGIN;
DECLARE open CURSOR FOR SELECT id FROM live_t ORDER BY live_half(v) <=> live_half(test_vector(-1, 24));
MOVE 9 FROM open;
COMMIT;
SELECT index, samples, wanted FROM live;
DROP INDEX live_expression;

-- Small tables: a sweep is what they get anyway.
CREATE TABLE live_small AS SELECT i AS id, test_vector(i % 50, 5) AS v FROM generate_series(1, 100) i;
CREATE INDEX live_small_i ON live_small USING vecidx (v real_l2_ops);
SELECT count(*) FROM (SELECT id FROM live_small ORDER BY v <-> test_vector(-1, 5)) AS n;
SELECT count(*) FROM (SELECT id FROM live_small ORDER BY v <-> test_vector(-1, 5) LIMIT 1) AS n;
SELECT index, samples, wanted, "right" FROM live WHERE index = 'live_small_i';

-- A cancel is answered, and no harm done: here when the function of an index is called, which the scan itself does not.
-- A query that has ended by then has; one that goes on does not.  Other errors are nobody's.
CREATE FUNCTION live_slow(v real[]) RETURNS real[] LANGUAGE plpgsql IMMUTABLE AS
	$$ BEGIN PERFORM pg_sleep(current_setting('live.sleep')::float8); RETURN v; END $$;
SET live.sleep = 0;
CREATE INDEX live_slow_i ON live_small USING vecidx (live_slow(v) real_l2_ops);
BEGIN;
DECLARE slow CURSOR FOR SELECT id FROM live_small ORDER BY live_slow(v) <-> '{1,2,3,4,5}'::real[];
MOVE 3 FROM slow;
SAVEPOINT s;
SET LOCAL live.sleep = 600;
SET LOCAL statement_timeout = '50ms';
CLOSE slow;
SELECT 1 AS next;
SELECT count(*) FROM generate_series(1, 2) AS q, LATERAL (SELECT id FROM live_small ORDER BY live_slow(v) <-> ARRAY[q,2,3,4,5]::real[] LIMIT 3) AS n;
ROLLBACK TO s;
SET LOCAL live.sleep = 'none';
SELECT count(*) FROM generate_series(1, 2) AS q, LATERAL (SELECT id FROM live_small ORDER BY live_slow(v) <-> ARRAY[q,2,3,4,5]::real[] LIMIT 3) AS n;
SELECT index, samples FROM live WHERE index = 'live_slow_i';
SET LOCAL live.sleep = 0;
SELECT count(*) FROM (SELECT id FROM live_small ORDER BY live_slow(v) <-> '{1,2,3,4,5}'::real[] LIMIT 3) AS n;
COMMIT;
SELECT index, samples, wanted, "right" FROM live WHERE index = 'live_slow_i';
SELECT scans, aborted FROM pg_stat_vecidx WHERE indexrelname = 'live_slow_i';
DROP INDEX live_slow_i;

-- At most one in the time that is set; some, with a chance between none and all.
SELECT vecidx_stat_reset();
SET vecidx.recall_sample_interval = '1h';
SELECT count(*) FROM live_search();
SELECT count(*) FROM live_search();
SELECT index, samples FROM live WHERE index = 'live_i';
SET vecidx.recall_sample_interval = 0;
SET vecidx.recall_sample_rate = 0.5;
SELECT vecidx_stat_reset();
SELECT count(*) FROM live_search();
SELECT count(*) FROM live_search();
SELECT index, samples BETWEEN 30 AND 130 AS half FROM live WHERE index = 'live_i';
SET vecidx.recall_sample_rate = 1;
SET vecidx.track_statistics = off;
SELECT vecidx_stat_reset();
SELECT count(*) FROM live_search();
RESET vecidx.track_statistics;
SELECT index, samples FROM live WHERE index = 'live_i';

-- Rights.
CREATE ROLE regress_vecidx_reader;
CREATE ROLE regress_vecidx_none;
GRANT SELECT ON live_small TO regress_vecidx_reader;
SELECT count(*) FROM (SELECT id FROM live_small ORDER BY v <-> test_vector(-1, 5) LIMIT 4) AS n;
SET ROLE regress_vecidx_reader;
SELECT indexrelname, samples, rows_wanted, rows_right, recall FROM vecidx_recall_stats WHERE relname LIKE 'live%' ORDER BY 1;
SELECT count(*) FROM (SELECT id FROM live_small ORDER BY v <-> test_vector(-1, 5) LIMIT 4) AS n;
SELECT indexrelname, samples FROM vecidx_recall_stats WHERE relname LIKE 'live%' ORDER BY 1;
SET vecidx.recall_sample_rate = 1;
SET vecidx.recall_sample_interval = 0;
SET ROLE regress_vecidx_none;
SELECT indexrelname, samples, since FROM vecidx_recall_stats WHERE relname LIKE 'live%' ORDER BY 1;
RESET ROLE;
SET vecidx.recall_sample_rate = 1.5;
SELECT vecidx_recall_stat(0);
SELECT vecidx_check('live_i') > 0 AS checked;
DROP VIEW live;
DROP TABLE live_t, live_q, live_small, live_off, live_on, live_off_stat, live_on_stat, live_off_scan;
DROP FUNCTION live_search(text, int), live_half(real[]), live_slow(real[]);
DROP ROLE regress_vecidx_reader, regress_vecidx_none;
