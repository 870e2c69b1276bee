--
-- Inserts and updates: into every kind of index, alone and in numbers, kept and rolled back.
--
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- into an index built empty: the first row fixes the dimensions
CREATE TABLE insert_t (id int, v real[]);
CREATE INDEX insert_i ON insert_t USING vecidx (v real_l2_ops);
SELECT value FROM vecidx_info('insert_i') WHERE property = 'dimensions';
INSERT INTO insert_t VALUES (0, NULL);
SELECT value FROM vecidx_info('insert_i') WHERE property = 'dimensions';
INSERT INTO insert_t VALUES (1, test_vector(1, 10));
SELECT value FROM vecidx_info('insert_i') WHERE property = 'dimensions';
SELECT * FROM test_scan('insert_t', 'test_vector(1, 10)');
SELECT vecidx_check('insert_i');

-- one at a time, past the ends of the first extents
DO $$
BEGIN
	FOR i IN 2..300 LOOP
		INSERT INTO insert_t VALUES (i, test_vector(i, 10));
	END LOOP;
END
$$;
SELECT * FROM test_scan('insert_t', 'test_vector(1, 10)');
SELECT vecidx_check('insert_i');

-- many at a time
INSERT INTO insert_t SELECT i, test_vector(i, 10) FROM generate_series(301, 2000) i;
SELECT rows, distinct_rows, nearest FROM test_scan('insert_t', 'test_vector(1, 10)');
SELECT rows, distinct_rows, nearest FROM test_scan('insert_t', 'test_vector(2000, 10)');
SELECT vecidx_check('insert_i');
COPY insert_t FROM stdin;
2001	{1,2,3,4,5,6,7,8,9,10}
2002	\N
2003	{10,9,8,7,6,5,4,3,2,1}
\.
SET enable_seqscan = off;
SELECT id FROM insert_t ORDER BY v <-> '{1,2,3,4,5,6,7,8,9,10}' LIMIT 2;

-- most rows are the first that is found by their own vector
SELECT count(*) >= 195 FROM generate_series(10, 2000, 10) n,
	LATERAL (SELECT id FROM insert_t ORDER BY v <-> test_vector(n, 10) LIMIT 1) s WHERE id = n;

-- into an index built from rows, which are far from those that come
TRUNCATE insert_t;
INSERT INTO insert_t SELECT i, test_vector(i, 10) FROM generate_series(1, 500) i;
REINDEX INDEX insert_i;
INSERT INTO insert_t SELECT i, (SELECT array_agg(x * -1000 ORDER BY n) FROM unnest(test_vector(i, 10)) WITH ORDINALITY u (x, n))
FROM generate_series(501, 1100) i;
SELECT rows, distinct_rows, nearest FROM test_scan('insert_t', 'test_vector(1, 10)');
SELECT rows, distinct_rows, nearest FROM test_scan('insert_t', '(SELECT v FROM insert_t WHERE id = 1000)');
SELECT vecidx_check('insert_i');

-- the smallest and the largest numbers, and zero
TRUNCATE insert_t;
INSERT INTO insert_t VALUES (1, '{0,0}'), (2, '{-0,0}'), (3, '{1e-45,0}'), (4, '{1e-20,1e-20}'), (5, '{3e38,0}'), (6, '{3e38,3e38}'), (7, '{-3e38,3e38}'), (8, '{1,1}');
SELECT rows, distinct_rows FROM test_scan('insert_t', '''{1,1}''');
SELECT rows, distinct_rows FROM test_scan('insert_t', '''{-3e38,-3e38}''');
SELECT id FROM insert_t ORDER BY v <-> '{1,1}' LIMIT 1;
SELECT vecidx_check('insert_i') > 0;
REINDEX INDEX insert_i;
SELECT rows, distinct_rows FROM test_scan('insert_t', '''{1,1}''');
SELECT vecidx_check('insert_i') > 0;
DROP TABLE insert_t;
-- the other distances, with vectors that one of them leaves out
CREATE TABLE insert_t (id int, v real[]);
CREATE INDEX insert_ip ON insert_t USING vecidx (v real_ip_ops);
CREATE INDEX insert_cosine ON insert_t USING vecidx (v real_cosine_ops);
INSERT INTO insert_t VALUES (1, '{0,0,0,0}');
SELECT value FROM vecidx_info('insert_cosine') WHERE property = 'dimensions';
INSERT INTO insert_t VALUES (2, '{1e-30,0,0,0}'), (3, '{1e30,0,0,0}'), (4, '{-5,0,0,0}'), (5, '{3e38,3e38,3e38,3e38}');
INSERT INTO insert_t SELECT i, test_vector(i, 4) FROM generate_series(6, 100) i;
SELECT rows, distinct_rows FROM test_scan('insert_t', '''{1,0,0,0}''', '<#>');
SELECT rows, distinct_rows, nearest, sorted FROM test_scan('insert_t', '''{1,0,0,0}''', '<=>', 1e-4);
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM insert_t ORDER BY v <=> '{1,0,0,0}' LIMIT 2) s;
SELECT vecidx_check('insert_ip'), vecidx_check('insert_cosine');
-- cosine knows directions only: these are one node
INSERT INTO insert_t SELECT i, ARRAY[i, 0, 0, 0] FROM generate_series(1, 64) i;
SELECT vecidx_check('insert_ip'), vecidx_check('insert_cosine');
SELECT rows, distinct_rows, nearest, sorted FROM test_scan('insert_t', '''{1,0,0,0}''', '<=>', 1e-4);
DROP TABLE insert_t;

-- the same vector again and again: a few rows find room in the node, more need extensions
CREATE TABLE insert_same (id int, v real[]);
CREATE INDEX insert_same_i ON insert_same USING vecidx (v real_l2_ops) WITH (m = 2, ef_construction = 8);
DO $$
BEGIN
	FOR i IN 1..40 LOOP
		INSERT INTO insert_same VALUES (i, '{1,2,3}');
		IF (SELECT count(*) FROM (SELECT FROM insert_same ORDER BY v <-> '{1,2,3}') s) <> i THEN
			RAISE EXCEPTION '% rows were inserted, but not as many are found', i;
		END IF;
	END LOOP;
END
$$;
SELECT vecidx_check('insert_same_i');
SELECT value FROM vecidx_info('insert_same_i') WHERE property = 'TIDs';
INSERT INTO insert_same SELECT i, CASE WHEN i % 2 = 0 THEN '{1,2,3}' ELSE '{3,2,1}' END::real[] FROM generate_series(41, 1000) i;
SELECT * FROM test_scan('insert_same', '''{1,2,3}''');
SELECT vecidx_check('insert_same_i');
DROP TABLE insert_same;

-- rolled back
CREATE TABLE insert_back (id int PRIMARY KEY, v real[]);
CREATE INDEX insert_back_i ON insert_back USING vecidx (v real_l2_ops);
BEGIN;
INSERT INTO insert_back SELECT i, test_vector(i, 6) FROM generate_series(1, 100) i;
SELECT rows, distinct_rows FROM test_scan('insert_back', 'test_vector(1, 6)');
ROLLBACK;
SELECT rows, distinct_rows FROM test_scan('insert_back', 'test_vector(1, 6)');
BEGIN;
INSERT INTO insert_back SELECT i, test_vector(i, 6) FROM generate_series(1, 50) i;
SAVEPOINT s;
INSERT INTO insert_back SELECT i, test_vector(i, 6) FROM generate_series(51, 150) i;
ROLLBACK TO s;
INSERT INTO insert_back SELECT i, test_vector(i, 6) FROM generate_series(151, 200) i;
COMMIT;
SELECT * FROM test_scan('insert_back', 'test_vector(1, 6)');
SELECT id FROM insert_back ORDER BY v <-> test_vector(200, 6) LIMIT 1;
INSERT INTO insert_back VALUES (200, '{1,2,3,4,5,6}');
INSERT INTO insert_back VALUES (200, '{1,2,3,4,5,6}') ON CONFLICT DO NOTHING;
INSERT INTO insert_back VALUES (200, '{1,2,3,4,5,6}') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
SELECT * FROM test_scan('insert_back', '''{1,2,3,4,5,6}''');
SELECT id FROM insert_back ORDER BY v <-> '{1,2,3,4,5,6}' LIMIT 1;
SELECT vecidx_check('insert_back_i');

-- updates: of other columns (heap-only where the page has room), of the vector, of all
ALTER TABLE insert_back ADD note text;
UPDATE insert_back SET note = 'x' WHERE id % 2 = 0;
SELECT * FROM test_scan('insert_back', '''{1,2,3,4,5,6}''');
UPDATE insert_back SET note = repeat('y', 2000);
SELECT * FROM test_scan('insert_back', '''{1,2,3,4,5,6}''');
UPDATE insert_back SET v = test_vector(id + 1000, 6) WHERE id % 3 = 0;
UPDATE insert_back SET v = NULL WHERE id % 7 = 0;
SELECT * FROM test_scan('insert_back', '''{1,2,3,4,5,6}''');
UPDATE insert_back SET v = test_vector(id, 6);
UPDATE insert_back SET v = v;
SELECT * FROM test_scan('insert_back', '''{1,2,3,4,5,6}''');
SELECT count(*) FROM insert_back t, LATERAL (SELECT id FROM insert_back ORDER BY v <-> t.v LIMIT 1) s WHERE s.id = t.id;
SELECT vecidx_check('insert_back_i');
MERGE INTO insert_back t USING (SELECT i AS id FROM generate_series(190, 210) i) s ON t.id = s.id
	WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, test_vector(s.id, 6));
SELECT * FROM test_scan('insert_back', '''{1,2,3,4,5,6}''');
SELECT vecidx_check('insert_back_i');
DROP TABLE insert_back;

-- rows too long for a page of the table
CREATE TABLE insert_wide (id int, v real[]);
CREATE INDEX insert_wide_i ON insert_wide USING vecidx (v real_cosine_ops);
INSERT INTO insert_wide SELECT i, test_vector(i, 3000) FROM generate_series(1, 40) i;
SELECT * FROM test_scan('insert_wide', 'test_vector(3, 3000)', '<=>', 0.02);
SELECT vecidx_check('insert_wide_i');
UPDATE insert_wide SET v = test_vector(id + 40, 3000) WHERE id <= 5;
SELECT * FROM test_scan('insert_wide', 'test_vector(43, 3000)', '<=>', 0.02);
SELECT vecidx_check('insert_wide_i');
DROP TABLE insert_wide;

-- by every way of reaching pages and every kernel there always is
CREATE TABLE insert_ways (id int, v real[]);
CREATE INDEX insert_ways_i ON insert_ways USING vecidx (v real_l2_ops);
SET vecidx.page_access = pinned;
INSERT INTO insert_ways SELECT i, test_vector(i, 10) FROM generate_series(1, 300) i;
SET vecidx.page_access = recent;
SET vecidx.kernel = scalar;
INSERT INTO insert_ways SELECT i, test_vector(i, 10) FROM generate_series(301, 600) i;
SET vecidx.page_access = unpinned;
INSERT INTO insert_ways SELECT i, test_vector(i, 10) FROM generate_series(601, 900) i;
RESET vecidx.kernel;
INSERT INTO insert_ways SELECT i, test_vector(i, 10) FROM generate_series(1, 900) i;
SELECT * FROM test_scan('insert_ways', 'test_vector(3, 10)');
SELECT vecidx_check('insert_ways_i');
DROP TABLE insert_ways;
