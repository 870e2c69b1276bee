--
-- pgvector's types: dimensions, parameters, kinds of columns and tables.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx_pgvector CASCADE;
RESET client_min_messages;
\set VERBOSITY terse
SET enable_seqscan = off;
SET enable_sort = off;

-- columns that say their dimensions, and columns that do not
CREATE TABLE limits_t (id int PRIMARY KEY, v vector, v3 vector(3), h halfvec, b bit(8), vb bit varying);
CREATE INDEX limits_v ON limits_t USING vecidx (v vector_l2_ops);
CREATE INDEX limits_v3 ON limits_t USING vecidx (v3 vector_l2_ops);
CREATE INDEX limits_h ON limits_t USING vecidx (h halfvec_ip_ops) WITH (dimensions = 2);
CREATE INDEX limits_b ON limits_t USING vecidx (b bit_hamming_ops);
CREATE INDEX limits_vb ON limits_t USING vecidx (vb bit_hamming_ops);
INSERT INTO limits_t SELECT i, ARRAY[i, 2], ARRAY[i, 1, 0], ARRAY[i, 1], i::bit(8), i::bit(8) FROM generate_series(1, 20) i;
INSERT INTO limits_t (id, v) VALUES (21, '[1,2,3]');
INSERT INTO limits_t (id, v3) VALUES (21, '[1,2]');
INSERT INTO limits_t (id, h) VALUES (21, '[1,2,3]');
INSERT INTO limits_t (id, vb) VALUES (21, B'101');
INSERT INTO limits_t (id, vb) VALUES (21, B'');
SELECT id FROM limits_t ORDER BY v <-> '[1,2,3]' LIMIT 1;
SELECT id FROM limits_t ORDER BY v3 <-> '{1,2}'::real[] LIMIT 1;
SELECT id FROM limits_t ORDER BY b <~> B'101' LIMIT 1;
CREATE INDEX limits_wrong ON limits_t USING vecidx (v vector_l2_ops) WITH (dimensions = 4);
CREATE INDEX limits_wrong ON limits_t USING vecidx (v3 vector_l2_ops) WITH (dimensions = 4);

-- a bit string of any kind finds a bit string of any kind
EXPLAIN (COSTS OFF) SELECT id FROM limits_t ORDER BY vb <~> '00000111' LIMIT 3;
EXPLAIN (COSTS OFF) SELECT id FROM limits_t ORDER BY b <~> '00000111'::varbit LIMIT 3;
SELECT array_agg(d) FROM (SELECT vb <~> '00000111' AS d FROM limits_t ORDER BY vb <~> '00000111' LIMIT 5) s;

-- parameters: of the column's type when no type is given, also without a value
PREPARE limits_vector AS SELECT id FROM limits_t ORDER BY v <-> $1 LIMIT 2;
PREPARE limits_float8(float8[]) AS SELECT id FROM limits_t ORDER BY v3 <-> $1 LIMIT 2;
PREPARE limits_bit AS SELECT id FROM limits_t ORDER BY b <~> $1 LIMIT 1;
SELECT name, parameter_types FROM pg_prepared_statements WHERE name LIKE 'limits\_%' ORDER BY name;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE limits_vector('[7,2]');
EXECUTE limits_vector('[7.1,2]');
EXPLAIN (COSTS OFF) EXECUTE limits_float8('{7,1,0}');
EXECUTE limits_float8('{7.1,1,0}');
EXECUTE limits_bit('00000101');
EXECUTE limits_bit('0101');
SELECT count(*) FROM (SELECT id FROM limits_t ORDER BY v <-> NULL) s;
EXECUTE limits_vector('[1]');
RESET plan_cache_mode;
DEALLOCATE ALL;
EXPLAIN (COSTS OFF)
SELECT a.id, n.id FROM limits_t a, LATERAL (SELECT id FROM limits_t b ORDER BY b.v <-> a.v LIMIT 2) n WHERE a.id <= 2;
SELECT a.id, array_agg(n.id ORDER BY n.id) FROM limits_t a, LATERAL (SELECT id FROM limits_t b ORDER BY b.v <-> a.v LIMIT 2) n
WHERE a.id IN (1, 20) GROUP BY a.id ORDER BY a.id;

-- expressions: a cast to a smaller type, a part of a vector, its signs
CREATE INDEX limits_half ON limits_t USING vecidx ((v3::halfvec(3)) halfvec_l2_ops);
CREATE INDEX limits_part ON limits_t USING vecidx ((subvector(v3, 1, 2)::vector(2)) vector_cosine_ops) WHERE v3 IS NOT NULL;
CREATE INDEX limits_sign ON limits_t USING vecidx ((binary_quantize(v3)::bit(3)) bit_hamming_ops);
EXPLAIN (COSTS OFF) SELECT id FROM limits_t ORDER BY v3::halfvec(3) <-> '[7,1,0]' LIMIT 1;
SELECT id FROM limits_t ORDER BY v3::halfvec(3) <-> '[7,1,0]' LIMIT 1;
EXPLAIN (COSTS OFF) SELECT id FROM limits_t WHERE v3 IS NOT NULL ORDER BY subvector(v3, 1, 2)::vector(2) <=> '[9,1]' LIMIT 1;
SELECT id FROM limits_t WHERE v3 IS NOT NULL ORDER BY subvector(v3, 1, 2)::vector(2) <=> '[9,1]' LIMIT 1;
SELECT count(*) FROM (SELECT id FROM limits_t ORDER BY binary_quantize(v3)::bit(3) <~> B'110') s;

-- the column's type changes, and the index with it
ALTER TABLE limits_t ALTER v TYPE vector(4) USING (ARRAY[id, 2, 3, 4]::vector(4));
SELECT id FROM limits_t ORDER BY v <-> '[5,2,3,4]' LIMIT 1;
ALTER TABLE limits_t ALTER v TYPE halfvec(4);
SELECT c.relname, vecidx_check(c.oid) > 0 AS sound
FROM pg_class c JOIN pg_index ON indexrelid = c.oid
WHERE indrelid = 'limits_t'::regclass AND NOT indisprimary
ORDER BY c.relname;

-- as many dimensions as there may be, and one more
CREATE UNLOGGED TABLE limits_large (id int, v vector(16000), h halfvec(16000), b bit(16000), b1 bit(16001), b64 bit(64000));
INSERT INTO limits_large
SELECT i, v, v, repeat(substr('100110', 1 + i % 5, 2), 8000)::bit(16000), NULL, NULL
FROM generate_series(1, 12) i, LATERAL (SELECT array_agg((i * j) % 17) AS v FROM generate_series(1, 16000) j) s;
CREATE INDEX limits_large_v ON limits_large USING vecidx (v vector_l2_ops);
CREATE INDEX limits_large_h ON limits_large USING vecidx (h halfvec_cosine_ops);
CREATE INDEX limits_large_b ON limits_large USING vecidx (b bit_hamming_ops);
CREATE INDEX limits_large_b1 ON limits_large USING vecidx (b1 bit_hamming_ops);
CREATE INDEX limits_large_b64 ON limits_large USING vecidx (b64 bit_hamming_ops);
INSERT INTO limits_large SELECT id + 12, v + v, h + h, b << 1 FROM limits_large;
SELECT id FROM limits_large ORDER BY v <-> (SELECT v FROM limits_large WHERE id = 17) LIMIT 1;
SELECT id FROM limits_large ORDER BY h <=> (SELECT h FROM limits_large WHERE id = 4) LIMIT 1;
SELECT b <~> (SELECT b FROM limits_large WHERE id = 14) AS d FROM limits_large ORDER BY d LIMIT 1;
DELETE FROM limits_large WHERE id % 2 = 0;
VACUUM limits_large;
SELECT count(*) FROM (SELECT id FROM limits_large ORDER BY v <-> (SELECT v FROM limits_large WHERE id = 17)) s;
SELECT c.relname, vecidx_check(c.oid) > 0 AS sound
FROM pg_class c JOIN pg_index ON indexrelid = c.oid
WHERE indrelid = 'limits_large'::regclass
ORDER BY c.relname;
DROP TABLE limits_large;

-- vectors without a direction are in no cosine index, but in every other one
CREATE TEMP TABLE limits_zero (id int, v vector(2), h halfvec(2));
INSERT INTO limits_zero VALUES (1, '[0,0]', '[0,0]'), (2, '[1,0]', '[1,0]'), (3, NULL, NULL), (4, '[0,1]', '[1e-7,0]');
CREATE INDEX limits_zero_v ON limits_zero USING vecidx (v vector_cosine_ops);
CREATE INDEX limits_zero_h ON limits_zero USING vecidx (h halfvec_cosine_ops);
INSERT INTO limits_zero VALUES (5, '[0,0]', '[0,0]'), (6, '[-1,0]', '[-1,0]');
SELECT array_agg(id) FROM (SELECT id FROM limits_zero ORDER BY v <=> '[1,0]') s;
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM limits_zero ORDER BY h <=> '[1,0]') s;
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM limits_zero ORDER BY v <=> '[0,0]') s;
SELECT vecidx_check('limits_zero_v'), vecidx_check('limits_zero_h');
CREATE INDEX limits_zero_ip ON limits_zero USING vecidx (v vector_ip_ops);
SELECT vecidx_check('limits_zero_ip');
SELECT array_agg(id) FROM (SELECT id FROM limits_zero ORDER BY v <#> '[1,0.5]' LIMIT 2) s;

RESET enable_seqscan;
RESET enable_sort;
DROP TABLE limits_t, limits_zero;
