--
-- vecidx_calibrate on pgvector's types: queries are arrays of the column's type.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx_pgvector CASCADE;
RESET client_min_messages;

CREATE FUNCTION calibrate_vector(seed int, dimensions int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
	$$SELECT array_agg(sin(seed * 12.9898 + i * 78.233 + seed * i * 0.37)::real ORDER BY i) FROM generate_series(1, dimensions) i$$;
CREATE FUNCTION calibrate_bits(seed int, length int) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg(CASE WHEN sin(seed * 12.9898 + i * 78.233 + seed * i * 0.37) > 0 THEN '1' ELSE '0' END, '' ORDER BY i)
	FROM generate_series(1, length) i$$;
CREATE FUNCTION calibrate_info(index regclass) RETURNS text LANGUAGE sql VOLATILE AS
	$$SELECT value FROM vecidx_info(index) WHERE property = 'calibration'$$;

CREATE TABLE calibrate_t (id int PRIMARY KEY, v vector(12), h halfvec(12), b bit(64));
INSERT INTO calibrate_t
SELECT i, calibrate_vector(i, 12)::vector, calibrate_vector(i, 12)::vector::halfvec, calibrate_bits(i, 64)::bit(64)
FROM generate_series(1, 1500) i;
CREATE TABLE calibrate_q AS
SELECT i AS id, calibrate_vector(i, 12)::vector AS v, calibrate_vector(i, 12)::vector::halfvec AS h, calibrate_bits(i, 64)::bit(64) AS b
FROM generate_series(5001, 5040) i;
CREATE INDEX calibrate_v ON calibrate_t USING vecidx (v vector_cosine_ops);
CREATE INDEX calibrate_h ON calibrate_t USING vecidx (h halfvec_l2_ops);
CREATE INDEX calibrate_b ON calibrate_t USING vecidx (b bit_hamming_ops);

-- with rows
SELECT i AS index, vecidx_calibrate(i) >= 64 AS rows, calibrate_info(i) ~ '^with [0-9]+ rows as queries, at [0-9]+ nodes$' AS told
FROM unnest('{calibrate_v,calibrate_h,calibrate_b}'::regclass[]) AS i;

-- with queries
SELECT vecidx_calibrate('calibrate_v', array_agg(v)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_h', array_agg(h)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_b', array_agg(b)) FROM calibrate_q;
SELECT i AS index, calibrate_info(i) ~ '^with 40 given queries, at [0-9]+ nodes$' AS told, vecidx_check(i) > 1000 AS checked
FROM unnest('{calibrate_v,calibrate_h,calibrate_b}'::regclass[]) AS i;
-- the array's own dimensions do not matter
SELECT vecidx_calibrate('calibrate_v', ARRAY[array_agg(v), array_agg(v)]) FROM calibrate_q;

-- what cannot be a query
SELECT vecidx_calibrate('calibrate_v', array_agg(CASE WHEN id <> 5003 THEN v END ORDER BY id)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_v', array_agg(subvector(v, 1, 5))) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_v', array_agg(h)) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_h', array_agg(h::real[])) FROM calibrate_q;
SELECT vecidx_calibrate('calibrate_b', array_agg(b)) FROM calibrate_q WHERE id <= 5003;

-- recall and estimates
SELECT used, recall > 0.85 AS finds, low < recall AS below FROM vecidx_recall('calibrate_v', (SELECT array_agg(v) FROM calibrate_q));
SELECT used, recall > 0.85 AS finds FROM vecidx_recall('calibrate_h', (SELECT array_agg(h) FROM calibrate_q));
SELECT used, recall > 0.85 AS finds FROM vecidx_recall('calibrate_b', (SELECT array_agg(b) FROM calibrate_q));
SELECT used, recall > 0.85 AS finds FROM vecidx_recall('calibrate_b', sample => 20);
SELECT vecidx_recall('calibrate_v', (SELECT array_agg(h) FROM calibrate_q));
SELECT e.operator_class, e.quantizer = (SELECT value FROM vecidx_info(i) WHERE property = 'quantizer') AS same_quantizer,
	e.index_bytes / pg_relation_size(i)::float8 BETWEEN 0.95 AND 1.05 AS bytes
FROM (VALUES ('v', 'vector_cosine_ops', 'calibrate_v'::regclass), ('h', NULL, 'calibrate_h'), ('b', NULL, 'calibrate_b')) AS c (name, class, i),
	vecidx_estimate('calibrate_t', c.name::name, c.class) AS e;
SELECT index, nodes > 1000 AS nodes, advice FROM vecidx_health WHERE index::text LIKE 'calibrate_%' ORDER BY index::text;

-- built without rows: codes of bits are no worse for that, and want calibration alone
CREATE TABLE calibrate_empty (b bit(64));
CREATE INDEX calibrate_empty_b ON calibrate_empty USING vecidx (b bit_hamming_ops);
INSERT INTO calibrate_empty SELECT ('x' || md5(i::text))::bit(64) FROM generate_series(1, 1000) i;
SELECT nodes, built_nodes, advice FROM vecidx_health('calibrate_empty_b');
INSERT INTO calibrate_empty SELECT ('x' || md5('1001'))::bit(64);
SELECT nodes, built_nodes, advice FROM vecidx_health('calibrate_empty_b');
SELECT vecidx_calibrate('calibrate_empty_b') > 0 AS calibrated;
SELECT nodes, built_nodes, advice FROM vecidx_health('calibrate_empty_b');
SELECT vecidx_check('calibrate_empty_b');
DROP TABLE calibrate_empty;

DROP TABLE calibrate_t, calibrate_q;
DROP FUNCTION calibrate_info(regclass);
DROP FUNCTION calibrate_bits(int, int);
DROP FUNCTION calibrate_vector(int, int);
