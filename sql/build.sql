--
-- Building: tables of every size, ways to build, and what is left behind.
--
SET client_min_messages = warning;
SET jit = off;

-- nothing to index: no rows, only NULLs, only vectors without a direction
CREATE TABLE build_t (id int, v real[]);
CREATE INDEX build_i ON build_t USING vecidx (v real_l2_ops);
SELECT vecidx_check('build_i');
SELECT * FROM test_scan('build_t', '''{1,2,3}''');
INSERT INTO build_t SELECT i, NULL FROM generate_series(1, 100) i;
REINDEX INDEX build_i;
SELECT vecidx_check('build_i');
SELECT * FROM test_scan('build_t', '''{1,2,3}''');
INSERT INTO build_t SELECT i, '{0,0,0}' FROM generate_series(101, 110) i;
CREATE INDEX build_cosine ON build_t USING vecidx (v real_cosine_ops);
SELECT vecidx_check('build_cosine');
SELECT * FROM test_scan('build_t', '''{1,2,3}''', '<=>');
DROP INDEX build_cosine;

-- NULLs are not indexed; neither are zero vectors under cosine
TRUNCATE build_t;
INSERT INTO build_t SELECT i, CASE WHEN i % 3 = 0 THEN NULL WHEN i % 3 = 1 THEN '{0,0,0}' ELSE test_vector(i, 3) END
FROM generate_series(1, 300) i;
REINDEX INDEX build_i;
CREATE INDEX build_cosine ON build_t USING vecidx (v real_cosine_ops);
SELECT vecidx_check('build_i') AS l2, vecidx_check('build_cosine') AS cosine;
SELECT * FROM test_scan('build_t', '''{1,2,3}''');
SELECT * FROM test_scan('build_t', '''{1,2,3}''', '<=>');
DROP TABLE build_t;

-- sizes around those where the page layout or the way of searching changes
CREATE TABLE build_sizes (id int, v real[]);
DO $$
DECLARE
	size int;
	done int := 0;
	scan record;
BEGIN
	FOREACH size IN ARRAY '{1,2,3,15,16,17,64,65,256,257,1000,1001}'::int[] LOOP
		INSERT INTO build_sizes SELECT i, test_vector(i, 24) FROM generate_series(done + 1, size) i;
		done := size;
		CREATE INDEX build_sizes_i ON build_sizes USING vecidx (v real_l2_ops);
		SELECT * INTO scan FROM test_scan('build_sizes', 'test_vector(1, 24)');
		RAISE WARNING '% rows: % nodes, scan %', size, vecidx_check('build_sizes_i'), scan;
		DROP INDEX build_sizes_i;
	END LOOP;
END
$$;

-- what the catalog says right after
CREATE INDEX build_sizes_i ON build_sizes USING vecidx (v real_l2_ops);
SELECT relname, reltuples, relpages > 0 AS pages FROM pg_class WHERE relname LIKE 'build\_sizes%' ORDER BY 1;
ALTER TABLE build_sizes ADD w real[];
UPDATE build_sizes SET w = v WHERE id % 10 = 0;
CREATE INDEX build_sizes_w ON build_sizes USING vecidx (w real_l2_ops);
SELECT reltuples FROM pg_class WHERE relname = 'build_sizes_w';
SELECT vecidx_check('build_sizes_w');
DROP INDEX build_sizes_w;

-- progress is there to be seen; phases of an access method are named by numbers
SELECT count(*) FROM pg_stat_progress_create_index;
SELECT attname FROM pg_attribute
WHERE attrelid = 'pg_stat_progress_create_index'::regclass AND attname IN ('phase', 'tuples_done', 'tuples_total') ORDER BY 1;
SELECT n, pg_indexam_progress_phasename(oid, n) FROM pg_am, generate_series(1, 10) n WHERE amname = 'vecidx' ORDER BY n;

-- each way to build
DELETE FROM build_sizes WHERE id > 800;
CREATE INDEX CONCURRENTLY build_sizes_c ON build_sizes USING vecidx (v real_ip_ops);
SELECT indisvalid, vecidx_check(indexrelid) FROM pg_index WHERE indexrelid = 'build_sizes_c'::regclass;
SELECT * FROM test_scan('build_sizes', 'test_vector(1, 24)', '<#>');
REINDEX INDEX build_sizes_c;
SELECT vecidx_check('build_sizes_c');
REINDEX INDEX CONCURRENTLY build_sizes_c;
SELECT vecidx_check('build_sizes_c');
REINDEX TABLE build_sizes;
SELECT vecidx_check('build_sizes_c'), vecidx_check('build_sizes_i');
REINDEX TABLE CONCURRENTLY build_sizes;
SELECT vecidx_check('build_sizes_c'), vecidx_check('build_sizes_i');
SELECT * FROM test_scan('build_sizes', 'test_vector(1, 24)', '<#>');
SELECT * FROM test_scan('build_sizes', 'test_vector(1, 24)');

-- a table that changes between builds
DELETE FROM build_sizes WHERE id > 700;
REINDEX INDEX build_sizes_i;
SELECT vecidx_check('build_sizes_i');
SELECT * FROM test_scan('build_sizes', 'test_vector(1, 24)');

-- built in the transaction that made, filled or changed the table
BEGIN;
CREATE TABLE build_new (id int, v real[]);
INSERT INTO build_new SELECT i, test_vector(i, 5) FROM generate_series(1, 50) i;
CREATE INDEX build_new_i ON build_new USING vecidx (v real_l2_ops);
INSERT INTO build_new SELECT i, test_vector(i, 5) FROM generate_series(51, 100) i;
SELECT * FROM test_scan('build_new', '''{1,2,3,4,5}''');
COMMIT;
BEGIN;
UPDATE build_new SET v = test_vector(id + 1000, 5) WHERE id <= 10;
DELETE FROM build_new WHERE id > 90;
REINDEX INDEX build_new_i;
SELECT * FROM test_scan('build_new', '''{1,2,3,4,5}''');
ROLLBACK;
SELECT * FROM test_scan('build_new', '''{1,2,3,4,5}''');
SELECT vecidx_check('build_new_i');
DROP TABLE build_new;

-- a new column type rewrites the index
CREATE TABLE build_types (id int, v float8[]);
INSERT INTO build_types SELECT i, test_vector(i, 5) FROM generate_series(1, 50) i;
ALTER TABLE build_types ALTER v TYPE real[];
CREATE INDEX build_types_i ON build_types USING vecidx (v real_l2_ops);
ALTER TABLE build_types ALTER v TYPE real[] USING v || 0::real;
SELECT * FROM test_scan('build_types', '''{1,2,3,4,5,6}''');
SELECT vecidx_check('build_types_i');
DROP TABLE build_types;

-- expressions and predicates
CREATE TABLE build_expression (id int, v float8[]);
INSERT INTO build_expression SELECT i, test_vector(i, 5) FROM generate_series(1, 300) i;
CREATE FUNCTION build_front(float8[]) RETURNS real[] LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1[1:3]::real[]';
CREATE INDEX build_expression_i ON build_expression USING vecidx (build_front(v) real_l2_ops);
CREATE INDEX build_expression_p ON build_expression USING vecidx ((v::real[]) real_l2_ops) WHERE id % 2 = 0;
SELECT vecidx_check('build_expression_i'), vecidx_check('build_expression_p');
SET enable_seqscan = off;
SELECT test_plan('SELECT * FROM build_expression ORDER BY build_front(v) <-> ''{1,2,3}''');
SELECT test_plan('SELECT * FROM build_expression WHERE id % 2 = 0 ORDER BY v::real[] <-> ''{1,2,3,4,5}''');
SELECT test_plan('SELECT * FROM build_expression ORDER BY v::real[] <-> ''{1,2,3,4,5}''');
SELECT count(*), bool_and(id % 2 = 0) FROM
	(SELECT * FROM build_expression WHERE id % 2 = 0 ORDER BY v::real[] <-> '{1,2,3,4,5}') s;
INSERT INTO build_expression SELECT i, test_vector(i, 5) FROM generate_series(301, 400) i;
SELECT vecidx_check('build_expression_i'), vecidx_check('build_expression_p');
SELECT array_agg(id) = (SELECT array_agg(id) FROM (SELECT id FROM build_expression ORDER BY (v[1:3]::real[] <-> '{100,100,100}') + 0, id LIMIT 5) s)
FROM (SELECT id FROM build_expression ORDER BY build_front(v) <-> '{100,100,100}' LIMIT 5) s;
UPDATE build_expression SET id = id + 1;
SELECT vecidx_check('build_expression_i') AS whole, vecidx_check('build_expression_p') AS partial;
SELECT count(*), bool_and(id % 2 = 0) FROM
	(SELECT * FROM build_expression WHERE id % 2 = 0 ORDER BY v::real[] <-> '{1,2,3,4,5}') s;
RESET enable_seqscan;
DROP TABLE build_expression;
DROP FUNCTION build_front;

-- little memory
CREATE TABLE build_memory (id int, v real[]);
INSERT INTO build_memory SELECT i, test_vector(i, 16) FROM generate_series(1, 6000) i;
SET maintenance_work_mem = '1MB';
CREATE INDEX build_memory_i ON build_memory USING vecidx (v real_l2_ops);
\set VERBOSITY default
SET client_min_messages = warning;
SET jit = off;
RESET maintenance_work_mem;
SELECT vecidx_check('build_memory_i');
SELECT * FROM test_scan('build_memory', 'test_vector(1, 16)', tolerance => 1);
SELECT * FROM test_scan('build_memory', 'test_vector(6000, 16)', tolerance => 1);
DROP TABLE build_memory;

-- one and the same vector in every row
CREATE TABLE build_same (id int, v real[]);
INSERT INTO build_same SELECT i, '{1,2,3,4}' FROM generate_series(1, 100000) i;
CREATE INDEX build_same_i ON build_same USING vecidx (v real_l2_ops);
SELECT vecidx_check('build_same_i');
SELECT rows, distinct_rows FROM test_scan('build_same', '''{1,2,3,4}''');
INSERT INTO build_same SELECT i, '{1,2,3,4}' FROM generate_series(1, 1000) i;
INSERT INTO build_same VALUES (0, '{1,2,3,5}');
SELECT vecidx_check('build_same_i');
SELECT rows, distinct_rows, nearest FROM test_scan('build_same', '''{1,2,3,5}''');
DELETE FROM build_same WHERE id % 100 > 0;
VACUUM build_same;
SELECT vecidx_check('build_same_i');
SELECT rows, distinct_rows, nearest FROM test_scan('build_same', '''{1,2,3,5}''');
DELETE FROM build_same WHERE id > 0;
VACUUM build_same;
SELECT vecidx_check('build_same_i');
SELECT rows, distinct_rows, nearest FROM test_scan('build_same', '''{1,2,3,5}''');
DROP TABLE build_same;

-- many groups of equal vectors, in no order
CREATE TABLE build_groups (id int, v real[]);
INSERT INTO build_groups SELECT i, test_vector(i * 7919 % 300, 16) FROM generate_series(1, 3000) i;
CREATE INDEX build_groups_i ON build_groups USING vecidx (v real_l2_ops);
SELECT vecidx_check('build_groups_i');
SELECT * FROM test_scan('build_groups', 'test_vector(17, 16)');
DROP TABLE build_groups, build_sizes;

-- few distinct vectors, each in thousands of rows
CREATE TABLE build_five (id int, v real[]);
INSERT INTO build_five SELECT i, test_vector(i % 5, 16) FROM generate_series(1, 10000) i;
CREATE INDEX build_five_i ON build_five USING vecidx (v real_l2_ops);
SELECT vecidx_check('build_five_i');
SELECT * FROM test_scan('build_five', 'test_vector(3, 16)');
SET enable_seqscan = off;
SELECT id % 5 AS remainder, count(*) FROM (SELECT id FROM build_five ORDER BY v <-> test_vector(3, 16) LIMIT 2001) s
GROUP BY 1 ORDER BY 2 DESC;
RESET enable_seqscan;
DROP TABLE build_five;

-- options at their limits
CREATE TABLE build_options (id int, v real[]);
INSERT INTO build_options SELECT i, test_vector(i, 16) FROM generate_series(1, 2000) i;
DO $$
DECLARE
	options text;
	scan record;
BEGIN
	FOREACH options IN ARRAY '{"m = 2, ef_construction = 4", "m = 2, ef_construction = 1000",
			"m = 100, ef_construction = 100", "m = 100, ef_construction = 1000"}'::text[] LOOP
		EXECUTE format('CREATE INDEX build_options_i ON build_options USING vecidx (v real_l2_ops) WITH (%s)', options);
		SELECT * INTO scan FROM test_scan('build_options', 'test_vector(1, 16)');
		RAISE WARNING '%: % nodes, scan %', options, vecidx_check('build_options_i'), scan;
		DROP INDEX build_options_i;
	END LOOP;
END
$$;
DROP TABLE build_options;

-- Builds by several processes.  What their indexes answer is what that of one
-- answers, if enough is asked for.
CREATE TABLE build_parallel (id int, v real[]);
INSERT INTO build_parallel SELECT i, CASE WHEN i % 100 = 7 THEN NULL WHEN i % 100 = 8 THEN array_fill(0::real, '{24}')
	ELSE test_vector(i % 4000, 24) END FROM generate_series(1, 5000) i;
SET min_parallel_table_scan_size = 0;
SET maintenance_work_mem = '128MB';
SET vecidx.target_recall = 0.999;

-- the ids nearest to some queries, by a build with so many helpers
CREATE FUNCTION build_answers(helpers int, class text, operator text, OUT nodes bigint, OUT tuples real, OUT answers text)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
	EXECUTE format('ALTER TABLE build_parallel SET (parallel_workers = %s)', helpers);
	EXECUTE format('CREATE INDEX build_parallel_i ON build_parallel USING vecidx (v %s)', class);
	nodes := vecidx_check('build_parallel_i');
	SELECT reltuples FROM pg_class WHERE relname = 'build_parallel_i' INTO tuples;
	-- so many are asked for that a sweep follows; rows at the same distance count as the same
	EXECUTE format('SELECT string_agg(distances, '';'' ORDER BY n) FROM generate_series(1, 4000, 500) n,
		LATERAL (SELECT string_agg(round(d::numeric, 3)::text, '' '' ORDER BY d) AS distances
			FROM (SELECT d FROM (SELECT v %1$s test_vector(n, 24) AS d FROM build_parallel
				ORDER BY v %1$s test_vector(n, 24) LIMIT 1000) s ORDER BY d LIMIT 10) t) u', operator) INTO answers;
	DROP INDEX build_parallel_i;
END
$$;
-- under inner product a row held back need not find its twin
SELECT class, CASE WHEN operator <> '<#>' THEN one.nodes END AS nodes, one.tuples,
	two.tuples = one.tuples AND (two.nodes = one.nodes OR operator = '<#>') AS same,
	two.answers = one.answers AS same_answers, length(one.answers) > 100 AS some
FROM (VALUES (1, 'real_l2_ops', '<->'), (2, 'real_ip_ops', '<#>'), (3, 'real_cosine_ops', '<=>')) AS metric (number, class, operator),
	build_answers(0, class, operator) one, build_answers(2, class, operator) two
ORDER BY number;
RESET vecidx.target_recall;

ALTER TABLE build_parallel SET (parallel_workers = 2);
CREATE INDEX build_parallel_i ON build_parallel USING vecidx (v real_l2_ops);
SELECT * FROM test_scan('build_parallel', 'test_vector(1, 24)');
CREATE INDEX CONCURRENTLY build_parallel_c ON build_parallel USING vecidx (v real_cosine_ops);
CREATE INDEX build_parallel_e ON build_parallel USING vecidx ((v[1:12]) real_l2_ops);
CREATE INDEX build_parallel_p ON build_parallel USING vecidx (v real_l2_ops) WHERE id % 2 = 0;
SELECT relname, reltuples, vecidx_check(oid) FROM pg_class WHERE relname LIKE 'build\_parallel\__' ORDER BY 1;
REINDEX TABLE build_parallel;
REINDEX TABLE CONCURRENTLY build_parallel;
SELECT relname, reltuples, vecidx_check(oid) FROM pg_class WHERE relname LIKE 'build\_parallel\__' ORDER BY 1;
DROP INDEX build_parallel_c, build_parallel_e, build_parallel_p;

-- a row that cannot be indexed, in whichever process meets it
\set SHOW_CONTEXT never
CREATE TABLE build_odd WITH (parallel_workers = 2) AS
	SELECT i AS id, CASE WHEN i = 4999 THEN '{1,2,3}' ELSE test_vector(i, 24) END AS v FROM generate_series(1, 5000) i;
CREATE INDEX build_odd_i ON build_odd USING vecidx (v real_l2_ops);
SELECT count(*) FROM pg_class WHERE relname = 'build_odd_i';
DROP TABLE build_odd;

-- few rows, and one vector, for many processes
TRUNCATE build_parallel;
INSERT INTO build_parallel VALUES (1, test_vector(1, 24));
REINDEX INDEX build_parallel_i;
SELECT * FROM test_scan('build_parallel', 'test_vector(1, 24)');
TRUNCATE build_parallel;
REINDEX INDEX build_parallel_i;
SELECT * FROM test_scan('build_parallel', 'test_vector(1, 24)');
INSERT INTO build_parallel SELECT i, test_vector(1, 24) FROM generate_series(1, 5000) i;
REINDEX INDEX build_parallel_i;
SELECT vecidx_check('build_parallel_i');
SELECT * FROM test_scan('build_parallel', 'test_vector(1, 24)');
DROP FUNCTION build_answers;
DROP TABLE build_parallel;
RESET min_parallel_table_scan_size;
RESET maintenance_work_mem;

-- rows that differ by less than a step of the rerank vector are one node, whatever their codes are
CREATE TABLE build_near AS SELECT i AS id, test_vector(i, 24) AS v FROM generate_series(1, 1000) i;
INSERT INTO build_near SELECT id + 1000, (SELECT array_agg(x + 1e-6 * n ORDER BY n) FROM unnest(v) WITH ORDINALITY AS u (x, n))::real[] FROM build_near;
CREATE INDEX build_near_i ON build_near USING vecidx (v real_cosine_ops) WITH (quantizer = rabitq8, rerank = sq4);
SELECT vecidx_check('build_near_i') < 2000 AS joined;
SELECT rows, distinct_rows FROM test_scan('build_near', 'test_vector(1, 24)', '<=>');
DROP TABLE build_near;
