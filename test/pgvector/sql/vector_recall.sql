--
-- Recall on pgvector's types, at the default target, against a sequential
-- scan.  A row counts as found when it is no farther than the k-th nearest.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx_pgvector CASCADE;
RESET client_min_messages;
SET jit = off;

-- pseudo-random bits and vectors, the same everywhere
CREATE FUNCTION recall_bits(text) RETURNS bit(256)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN substr(sha512(convert_to($1, 'UTF8'))::text, 2, 65)::bit(256);

CREATE FUNCTION recall_row(text) RETURNS vector(64)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT array_agg(get_byte(hash, i) - 127.5)::vector(64)
	FROM sha512(convert_to($1, 'UTF8')) hash, generate_series(0, 63) i
$$;

-- 40 groups of rows; bits differ from their group's in an eighth of places
CREATE TABLE recall_t (id int PRIMARY KEY, v vector(64), h halfvec(64), b bit(256));
INSERT INTO recall_t
SELECT i, v, v, recall_bits('group ' || i % 40) # (recall_bits('x' || i) & recall_bits('y' || i) & recall_bits('z' || i))
FROM (SELECT i, recall_row('group ' || i % 40) + recall_row('row ' || i) AS v FROM generate_series(1, 4000) i) s;

-- queries are of the same kind, but none is a row
CREATE TABLE recall_q AS
SELECT i, v, v::halfvec(64) AS h,
	recall_bits('group ' || i % 40) # (recall_bits('X' || i) & recall_bits('Y' || i) & recall_bits('Z' || i)) AS b
FROM (SELECT i, recall_row('group ' || i % 40) + recall_row('query ' || i) AS v FROM generate_series(1, 30) i) s;

CREATE INDEX recall_v ON recall_t USING vecidx (v vector_cosine_ops);
CREATE INDEX recall_v1 ON recall_t USING vecidx (v vector_l2_ops) WITH (quantizer = rabitq1);
CREATE INDEX recall_h ON recall_t USING vecidx (h halfvec_l2_ops);
CREATE INDEX recall_hip ON recall_t USING vecidx (h halfvec_ip_ops);
CREATE INDEX recall_b ON recall_t USING vecidx (b bit_hamming_ops);
ANALYZE recall_t;

-- share of the k nearest rows of all queries that the index gives
CREATE FUNCTION recall_of(col text, operator text, k int, OUT plan text, OUT rows int, OUT recall float8)
LANGUAGE plpgsql AS $$
DECLARE
	query record;
	reach float8;
	given int;
	right_ones int;
BEGIN
	rows := 0;
	recall := 0;
	FOR query IN EXECUTE format('SELECT %I::text AS value, format_type(atttypid, atttypmod) AS type
		FROM recall_q, pg_attribute WHERE attrelid = ''recall_t''::regclass AND attname = %L', col, col) LOOP
		PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true);
		EXECUTE format('SELECT max(d) FROM (SELECT %I %s %L::%s AS d FROM recall_t ORDER BY d LIMIT %s) s',
					   col, operator, query.value, query.type, k) INTO reach;
		PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true);
		EXECUTE format('SELECT count(*), count(*) FILTER (WHERE d <= %1$L::float8 + abs(%1$L::float8) * 1e-6)
						FROM (SELECT %2$I %3$s %4$L::%5$s AS d FROM recall_t ORDER BY d LIMIT %6$s) s',
					   reach, col, operator, query.value, query.type, k) INTO given, right_ones;
		rows := rows + given;
		recall := recall + right_ones;
	END LOOP;
	recall := recall / rows;
	FOR plan IN EXECUTE format('EXPLAIN (COSTS OFF) SELECT id FROM recall_t ORDER BY %I %s %L::%s LIMIT %s',
							   col, operator, query.value, query.type, k) LOOP
		EXIT WHEN plan ~ 'Scan';
	END LOOP;
END
$$;

SELECT col, operator, k, plan, rows, recall >= 0.93 AS well_found
FROM (VALUES ('v', '<=>', 10), ('v', '<->', 10), ('h', '<->', 1), ('h', '<->', 10), ('h', '<#>', 10), ('b', '<~>', 1), ('b', '<~>', 10), ('b', '<~>', 100)) q (col, operator, k),
	LATERAL recall_of(col, operator, k);

-- all rows, each once
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM recall_t ORDER BY b <~> (SELECT b FROM recall_q WHERE i = 1)) s;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM recall_t ORDER BY h <-> (SELECT h FROM recall_q WHERE i = 1)) s;

-- Hamming codes are the bits themselves: distances come in exact order
SELECT bool_and(d >= before) AS sorted
FROM (SELECT d, lag(d) OVER () AS before
	  FROM (SELECT b <~> (SELECT b FROM recall_q WHERE i = 2) AS d FROM recall_t ORDER BY d LIMIT 200) s) t;

SELECT c.relname, vecidx_check(c.oid)
FROM pg_class c JOIN pg_index ON indexrelid = c.oid
WHERE indrelid = 'recall_t'::regclass AND NOT indisprimary
ORDER BY c.relname;

-- half of the rows go, and others come
DELETE FROM recall_t WHERE id % 2 = 0;
VACUUM recall_t;
INSERT INTO recall_t
SELECT 10000 + i, v, v, recall_bits('group ' || i % 40) # (recall_bits('x' || -i) & recall_bits('y' || -i) & recall_bits('z' || -i))
FROM (SELECT i, recall_row('group ' || i % 40) + recall_row('row ' || -i) AS v FROM generate_series(1, 500) i) s;
SELECT col, operator, k, plan, rows, recall >= 0.93 AS well_found
FROM (VALUES ('h', '<->', 10), ('b', '<~>', 10)) q (col, operator, k),
	LATERAL recall_of(col, operator, k);
SELECT c.relname, vecidx_check(c.oid) >= 2500 AS sound
FROM pg_class c JOIN pg_index ON indexrelid = c.oid
WHERE indrelid = 'recall_t'::regclass AND NOT indisprimary
ORDER BY c.relname;

RESET enable_seqscan;
RESET enable_sort;
DROP TABLE recall_t, recall_q;
DROP FUNCTION recall_of, recall_row, recall_bits;
