--
-- vecidx indexes on pgvector's types.
--
-- Distances in these tables differ by more than a rerank vector's error, so
-- the index has to give the exact order.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx_pgvector CASCADE;
RESET client_min_messages;

CREATE TABLE bridge_t (id int PRIMARY KEY, v vector(3), h halfvec(3), b bit(16));
INSERT INTO bridge_t
SELECT i, format('[%s,%s,%s]', i, 2 * i, 1)::vector,
	format('[%s,%s,0]', cos(i * 0.1), sin(i * 0.1))::halfvec,
	((1 << (i % 17)) - 1)::bit(16)
FROM generate_series(1, 30) i;
INSERT INTO bridge_t VALUES (31, NULL, NULL, NULL), (32, '[0,0,0]', '[0,0,0]', B'0000000000000000');

CREATE INDEX bridge_v_l2 ON bridge_t USING vecidx (v vector_l2_ops);
CREATE INDEX bridge_v_ip ON bridge_t USING vecidx (v vector_ip_ops) WITH (m = 8, ef_construction = 32);
CREATE INDEX bridge_h_cosine ON bridge_t USING vecidx (h halfvec_cosine_ops);
CREATE INDEX bridge_b ON bridge_t USING vecidx (b bit_hamming_ops);
SET enable_seqscan = off;

-- every way to write the query uses the index
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY v <-> '[7,14,1]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY v <-> '{7,14,1}'::real[] LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY v <-> '{7,14,1}'::float8[] LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY v <-> ARRAY[7,14,1] LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY v <-> ARRAY[7.0,14,1] LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY v <#> '[1,0,0]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY h <=> '[1,0,0]' LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY h <=> '[1,0,0]'::vector LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY h <=> '{1,0,0}'::real[] LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM bridge_t ORDER BY b <~> B'0000000000000111' LIMIT 5;

-- and gives the same rows
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY v <-> '[7.2,14.4,1]' LIMIT 7) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY v <-> '{7.2,14.4,1}'::real[] LIMIT 7) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY v <-> '{7.2,14.4,1}'::float8[] LIMIT 7) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY v <-> ARRAY[7.2,14.4,1] LIMIT 7) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY v <-> ARRAY[0,0,1] LIMIT 7) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY v <#> '[1,0,0]' LIMIT 7) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY v <#> '{-1,0,0}'::float8[] LIMIT 7) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY h <=> '[1,0,0]' LIMIT 7) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY h <=> '[1,0,0]'::vector LIMIT 7) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY h <=> '{-2,0.1,0}'::float8[] LIMIT 7) s;

-- equal distances come in any order: compare the distances
SELECT array_agg(d) FROM (SELECT b <~> B'0000000000000111' AS d FROM bridge_t ORDER BY b <~> B'0000000000000111' LIMIT 20) s;

-- no row is missing but NULL, and for cosine the zero vector
SELECT count(*), count(v) FROM (SELECT v FROM bridge_t ORDER BY v <-> '[7,14,1]') s;
SELECT count(*), count(h) FROM (SELECT h FROM bridge_t ORDER BY h <=> '[1,0,0]') s;
SELECT count(*), count(b) FROM (SELECT b FROM bridge_t ORDER BY b <~> B'0000000000000111') s;

-- insert, update, delete, vacuum
INSERT INTO bridge_t VALUES (40, '[7.2,14.4,1]', '[0.5,0.5,9]', B'1010101010101010');
UPDATE bridge_t SET v = '[7.2,14.4,2.5]' WHERE id = 8;
DELETE FROM bridge_t WHERE id = 7;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY v <-> '[7.2,14.4,1]' LIMIT 5) s;
VACUUM bridge_t;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY v <-> '[7.2,14.4,1]' LIMIT 5) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY h <=> '[0,0,1]' LIMIT 1) s;
SELECT array_agg(id) FROM (SELECT id FROM bridge_t ORDER BY b <~> B'1010101010101010' LIMIT 1) s;
SELECT indexrelid::regclass AS index, vecidx_check(indexrelid) > 0 AS sound
FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam
WHERE amname = 'vecidx' AND indrelid = 'bridge_t'::regclass
ORDER BY c.relname;

-- both access methods on one column, told apart by name alone
CREATE INDEX bridge_v_hnsw ON bridge_t USING hnsw (v vector_l2_ops);
SELECT c.relname, amname, opcname, opcmethod = relam AS own
FROM pg_index i JOIN pg_class c ON c.oid = indexrelid JOIN pg_am a ON a.oid = relam JOIN pg_opclass o ON o.oid = indclass[0]
WHERE indrelid = 'bridge_t'::regclass AND opcname = 'vector_l2_ops'
ORDER BY c.relname;

-- wrong classes
CREATE INDEX ON bridge_t USING vecidx (v);
CREATE INDEX ON bridge_t USING vecidx (v real_l2_ops);
CREATE INDEX ON bridge_t USING vecidx (h vector_l2_ops);
CREATE INDEX ON bridge_t USING vecidx (v bit_hamming_ops);

-- the extension cannot go while an index needs it
\set VERBOSITY terse
DROP EXTENSION vecidx_pgvector;
\set VERBOSITY default

DROP TABLE bridge_t;
