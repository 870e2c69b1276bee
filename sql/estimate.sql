--
-- vecidx_estimate: what it foretells is what a build makes; who may ask, and
-- of what.  Times are only seen to be there.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx;
RESET client_min_messages;

CREATE TABLE estimate_t (id int PRIMARY KEY, v real[], name text);
INSERT INTO estimate_t SELECT i, test_vector(i, 100), 'a' FROM generate_series(1, 3000) i;

-- An estimate against the index that is built: the same bits, as many bytes (upper slots are drawn by chance).
CREATE FUNCTION estimate_holds(opclass text, options text, OUT foretold text, OUT same_quantizer bool, OUT bytes bool, OUT hot_bytes bool)
LANGUAGE plpgsql VOLATILE AS
$$
DECLARE
	e record;
	built float8;
	hot float8;
BEGIN
	SELECT * INTO e FROM vecidx_estimate('estimate_t', 'v', opclass, options);
	EXECUTE format('CREATE INDEX estimate_i ON estimate_t USING vecidx (v %s) %s', opclass, 'WITH (' || nullif(options, '') || ')');
	built := pg_relation_size('estimate_i');
	SELECT sum(r.bytes) INTO hot FROM vecidx_residency('estimate_i') AS r WHERE kind IN ('code', 'adjacency', 'upper');
	foretold := format('%s rows, %s dimensions, %s, %s, %s, %s part', e.rows, e.dimensions, e.operator_class, e.quantizer, e.rerank, e.build_parts);
	same_quantizer := e.quantizer = (SELECT value FROM vecidx_info('estimate_i') WHERE property = 'quantizer');
	bytes := e.index_bytes / built BETWEEN 0.98 AND 1.02;
	hot_bytes := e.hot_bytes / hot BETWEEN 0.95 AND 1.05;
	DROP INDEX estimate_i;
END
$$;
SELECT * FROM estimate_holds('real_l2_ops', '');
SELECT * FROM estimate_holds('real_cosine_ops', 'm = 8, ef_construction = 30');
SELECT * FROM estimate_holds('real_ip_ops', 'quantizer = rabitq2, rerank = half');
SELECT * FROM estimate_holds('real_l2_ops', 'quantizer=rabitq8,rerank=float,m=32,ef_construction=80');

-- The class and the options may be left out.
SELECT operator_class, quantizer, rerank, target_recall, expected_recall BETWEEN 0.95 AND 1 AS aimed,
	build_memory BETWEEN 3000 * 300 AND 3000 * 3000 AS memory, build_seconds > 0 AS timed
FROM vecidx_estimate('estimate_t', 'v');
SELECT operator_class, dimensions FROM vecidx_estimate('estimate_t', 'v', 'public.real_ip_ops', '');
SET vecidx.target_recall = 0.8;
SELECT target_recall, expected_recall BETWEEN 0.8 AND 0.9 AS aimed FROM vecidx_estimate('estimate_t', 'v');
RESET vecidx.target_recall;

-- The fewer queries a build can hold back, the more calibration adds to the target.
SELECT few.expected_recall > many.expected_recall AS more, many.expected_recall = most.expected_recall AS same
FROM vecidx_estimate('estimate_t', 'v', rows => 2000) AS few, vecidx_estimate('estimate_t', 'v', rows => 100000) AS many,
	vecidx_estimate('estimate_t', 'v', rows => 10000000) AS most;

-- Lists are in memory beside the candidates, which are as many here: 2 m neighbours on level 0.
SELECT long.build_memory - short.build_memory >= 3000 * 2 * (32 - 8) * 4 AS lists
FROM vecidx_estimate('estimate_t', 'v', options => 'm = 8, ef_construction = 128') AS short,
	vecidx_estimate('estimate_t', 'v', options => 'm = 32, ef_construction = 128') AS long;

-- A table that will grow: a hundred times as much of all, in parts where memory is short.
SET maintenance_work_mem = '20MB';
SELECT g.rows, g.index_bytes / t.index_bytes::float8 BETWEEN 95 AND 105 AS bytes, g.build_memory / t.build_memory::float8 BETWEEN 95 AND 105 AS memory,
	g.build_seconds > 10 * t.build_seconds AS seconds, t.build_parts, g.build_parts > 1 AS parts
FROM vecidx_estimate('estimate_t', 'v') AS t, vecidx_estimate('estimate_t', 'v', rows => 300000) AS g;
RESET maintenance_work_mem;
-- and a small one, which is looked at as a whole
SELECT rows, expected_recall FROM vecidx_estimate('estimate_t', 'v', rows => 900);

-- NULLs are not indexed; other kinds of tables.
CREATE TABLE estimate_few AS SELECT CASE WHEN i % 2 = 0 THEN test_vector(i, 5) END AS v FROM generate_series(1, 40) i;
SELECT rows, dimensions, quantizer, rerank FROM vecidx_estimate('estimate_few', 'v');
CREATE MATERIALIZED VIEW estimate_view AS SELECT v FROM estimate_t LIMIT 500;
SELECT rows, dimensions FROM vecidx_estimate('estimate_view', 'v');
CREATE TEMPORARY TABLE estimate_temp AS SELECT v FROM estimate_t LIMIT 600;
SELECT rows, dimensions FROM vecidx_estimate('estimate_temp', 'v');

-- Bad input.
SELECT vecidx_estimate(NULL, 'v') IS NULL AND vecidx_estimate('estimate_t', NULL) IS NULL AS "null";
SELECT vecidx_estimate('estimate_t', 'w');
SELECT vecidx_estimate('estimate_t', 'ctid');
SELECT vecidx_estimate('estimate_t', 'name');
SELECT vecidx_estimate('estimate_t', 'name', 'real_l2_ops');
SELECT vecidx_estimate('estimate_t', 'v', 'no_ops');
SELECT vecidx_estimate('estimate_t', 'v', 'uuid_ops');
SELECT vecidx_estimate('estimate_t', 'v', options => 'm = 1');
SELECT vecidx_estimate('estimate_t', 'v', options => 'fillfactor = 90');
SELECT vecidx_estimate('estimate_t', 'v', options => 'm');
SELECT vecidx_estimate('estimate_t', 'v', options => 'm = 64, ef_construction = 40');
SELECT vecidx_estimate('estimate_t', 'v', options => 'dimensions = 99');
SELECT vecidx_estimate('estimate_t', 'v', rows => 0);
SELECT vecidx_estimate('estimate_t', 'v', rows => 4000000000);
SELECT vecidx_estimate(4294967295, 'v');
SELECT vecidx_estimate('estimate_t_pkey', 'id');
CREATE TABLE estimate_parent (v real[]) PARTITION BY HASH (v);
SELECT vecidx_estimate('estimate_parent', 'v');
DELETE FROM estimate_few;
SELECT vecidx_estimate('estimate_few', 'v');
INSERT INTO estimate_few VALUES (NULL);
SELECT vecidx_estimate('estimate_few', 'v');
INSERT INTO estimate_few VALUES ('{1,2}'), ('{1,2,3}');
SELECT vecidx_estimate('estimate_few', 'v');

-- Rights: the table's reader, but not where policies hide rows.
CREATE ROLE regress_vecidx_none;
CREATE ROLE regress_vecidx_reader;
GRANT SELECT ON estimate_t TO regress_vecidx_reader;
SET ROLE regress_vecidx_none;
SELECT vecidx_estimate('estimate_t', 'v');
SET ROLE regress_vecidx_reader;
SELECT rows FROM vecidx_estimate('estimate_t', 'v');
RESET ROLE;
ALTER TABLE estimate_t ENABLE ROW LEVEL SECURITY;
SET ROLE regress_vecidx_reader;
SELECT vecidx_estimate('estimate_t', 'v');
RESET ROLE;
SELECT rows FROM vecidx_estimate('estimate_t', 'v');

DROP MATERIALIZED VIEW estimate_view;
DROP TABLE estimate_t, estimate_few, estimate_temp, estimate_parent;
DROP FUNCTION estimate_holds(text, text);
DROP ROLE regress_vecidx_none, regress_vecidx_reader;
