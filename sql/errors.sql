--
-- What is refused, and how clearly.
--
SET client_min_messages = warning;
SET jit = off;

-- rows that cannot be indexed: refused by INSERT, UPDATE and COPY, and by CREATE INDEX when they are there before
CREATE TABLE errors_t (id int, v real[]);
CREATE INDEX errors_i ON errors_t USING vecidx (v real_l2_ops);
INSERT INTO errors_t VALUES (1, '{1,2,3}');
INSERT INTO errors_t VALUES (2, '{1,2}');
INSERT INTO errors_t VALUES (2, '{1,2,3,4}');
INSERT INTO errors_t VALUES (2, '{}');
INSERT INTO errors_t VALUES (2, '{1,NULL,3}');
INSERT INTO errors_t VALUES (2, '{1,NaN,3}');
INSERT INTO errors_t VALUES (2, '{1,2,inf}');
INSERT INTO errors_t VALUES (2, '{-inf,2,3}');
INSERT INTO errors_t VALUES (2, '{{1,2,3}}');
INSERT INTO errors_t VALUES (2, '{{1},{2},{3}}');
UPDATE errors_t SET v = v || 4::real;
COPY errors_t FROM stdin;
2	{3,4,5}
3	{1,2,NaN}
\.
SELECT * FROM errors_t;
SELECT vecidx_check('errors_i');
-- lower bounds and names of things make no difference
INSERT INTO errors_t VALUES (2, '[5:7]={3,4,5}');
SELECT id FROM errors_t ORDER BY v <-> '{3,4,4}' LIMIT 1;

CREATE FUNCTION errors_build(v real[], options text DEFAULT '', class text DEFAULT 'real_l2_ops') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	CREATE TABLE errors_new (v real[]);
	INSERT INTO errors_new VALUES ('{1,2,3}'), (NULL), ($1);
	EXECUTE format('CREATE INDEX errors_new_i ON errors_new USING vecidx (v %s) %s', class, options);
	DROP TABLE errors_new;
	RETURN 'built';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN sqlstate || ' ' || sqlerrm || CASE WHEN detail <> '' THEN '; ' || detail ELSE '' END;
END
$$;
SELECT v, errors_build(v::real[])
FROM unnest(ARRAY['{4,5,6}', '{1,2}', '{1,2,3,4}', '{}', '{1,NULL,3}', '{1,NaN,3}', '{1,2,inf}', '{-inf,2,3}', '{{1,2,3}}']) v;
SELECT v, errors_build(v::real[], class => 'real_cosine_ops') FROM unnest(ARRAY['{0,0,0}', '{0,0}', '{1e-40,0,0}', '{3e38,3e38,3e38}']) v;
SELECT v, errors_build(v::real[], class => 'real_ip_ops') FROM unnest(ARRAY['{0,0,0}', '{1e-40,0,0}', '{3e38,3e38,3e38}']) v;
SELECT v, errors_build(v::real[]) FROM unnest(ARRAY['{3e38,3e38,3e38}', '{1e-40,0,0}']) v;

-- as many dimensions as are supported, and one more
CREATE TABLE errors_wide (id int, v real[]);
CREATE INDEX errors_wide_i ON errors_wide USING vecidx (v real_ip_ops);
INSERT INTO errors_wide VALUES (1, array_fill(1::real, ARRAY[16001]));
INSERT INTO errors_wide VALUES (1, array_fill(1::real, ARRAY[16000]));
INSERT INTO errors_wide SELECT n, test_vector(n, 16000) FROM generate_series(2, 4) n;
SET enable_seqscan = off;
SELECT id FROM errors_wide ORDER BY v <#> array_fill(1::real, ARRAY[16000]);
SELECT id FROM errors_wide ORDER BY v <#> array_fill(1::real, ARRAY[16001]);
RESET enable_seqscan;
SELECT vecidx_check('errors_wide_i');
REINDEX INDEX errors_wide_i;
SELECT vecidx_check('errors_wide_i');
INSERT INTO errors_wide SELECT n, test_vector(n, 16000) FROM generate_series(5, 6) n;
SELECT * FROM test_scan('errors_wide', 'test_vector(5, 16000)', '<#>', 0.01);
DROP INDEX errors_wide_i;
INSERT INTO errors_wide VALUES (7, array_fill(1::real, ARRAY[16001]));
CREATE INDEX errors_wide_i ON errors_wide USING vecidx (v real_ip_ops);
CREATE INDEX errors_wide_i ON errors_wide USING vecidx (v real_ip_ops) WITH (dimensions = 16001);
DROP TABLE errors_wide;

-- queries
SET enable_seqscan = off;
SELECT id FROM errors_t ORDER BY v <-> '{1,2}';
SELECT id FROM errors_t ORDER BY v <-> '{1,2,3,4}'::float8[];
SELECT id FROM errors_t ORDER BY v <-> '{}';
SELECT id FROM errors_t ORDER BY v <-> '{1,NULL,3}';
SELECT id FROM errors_t ORDER BY v <-> '{1,NaN,3}';
SELECT id FROM errors_t ORDER BY v <-> '{1,2,inf}'::float8[];
SELECT id FROM errors_t ORDER BY v <-> '{1,2,1e300}'::float8[];
SELECT id FROM errors_t ORDER BY v <-> '{1,2,1e300}'::numeric[];
SELECT id FROM errors_t ORDER BY v <-> '{{1,2,3}}';
SELECT id FROM errors_t ORDER BY v <-> 'not an array';
SELECT id FROM errors_t ORDER BY v <-> '{a,b,c}';
SELECT id FROM errors_t ORDER BY v <-> ARRAY['a'];
SELECT id FROM errors_t ORDER BY v <-> 1;
SELECT id FROM errors_t ORDER BY v <-> '{1,2,3}'::bigint[];
SELECT id FROM errors_t ORDER BY v <-> $$[1,2,3]$$;
-- after which the next one works
SELECT id FROM errors_t ORDER BY v <-> '{1,2,2}';
RESET enable_seqscan;

-- options
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (lists = 100);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (m = 1);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (m = 101);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (m = many);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (ef_construction = 3);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (ef_construction = 1001);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (m = 40, ef_construction = 39);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (m = 65);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (quantizer = rabitq3);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (rerank = none);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (dimensions = -1);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (dimensions = 4);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) WITH (fillfactor = 90);
ALTER INDEX errors_i SET (m = 1);
ALTER INDEX errors_i SET (m = 65);
REINDEX INDEX errors_i;
ALTER INDEX errors_i RESET (m);
ALTER INDEX errors_i SET (ef_construction = 200);
REINDEX INDEX errors_i;
SELECT vecidx_check('errors_i');
CREATE TABLE errors_empty (v real[]);
CREATE INDEX errors_empty_i ON errors_empty USING vecidx (v real_l2_ops) WITH (dimensions = 3);
INSERT INTO errors_empty VALUES ('{1,2}');
INSERT INTO errors_empty VALUES ('{1,2,3}');
CREATE INDEX ON errors_empty USING vecidx (v real_l2_ops) WITH (m = 20, ef_construction = 19);
DROP TABLE errors_empty;

-- operator classes and columns
CREATE INDEX ON errors_t USING vecidx (v);
CREATE INDEX ON errors_t USING vecidx (v real_l1_ops);
CREATE INDEX ON errors_t USING vecidx (id real_l2_ops);
CREATE INDEX ON errors_t USING vecidx (id);
CREATE INDEX ON errors_t USING vecidx ((v::float8[]) real_l2_ops);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops, v real_ip_ops);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops) INCLUDE (id);
CREATE UNIQUE INDEX ON errors_t USING vecidx (v real_l2_ops);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops DESC);
CREATE INDEX ON errors_t USING vecidx (v real_l2_ops NULLS FIRST);
ALTER TABLE errors_t ADD EXCLUDE USING vecidx (v real_l2_ops WITH =);
ALTER TABLE errors_t CLUSTER ON errors_i;
CLUSTER errors_t USING errors_i;

-- settings
SET vecidx.target_recall = 0.4;
SET vecidx.target_recall = 1;
SET vecidx.target_recall = 'most';
SET vecidx.ef_search = -1;
SET vecidx.ef_search = 100001;
SET vecidx.page_access = 'whatever';
SET vecidx.kernel = 'nonsense';
SET vecidx.kernel = '';
SET vecidx.no_such_setting = 1;
SELECT name, setting, boot_val FROM pg_settings
WHERE name IN ('vecidx.target_recall', 'vecidx.ef_search', 'vecidx.page_access', 'vecidx.kernel') ORDER BY name;

-- functions about indexes, asked about something else
SELECT vecidx_check('errors_t');
SELECT * FROM vecidx_info('errors_t');
CREATE INDEX errors_btree ON errors_t (id);
SELECT vecidx_check('errors_btree');
SELECT * FROM vecidx_info('errors_btree');
SELECT vecidx_check('no_such_index');
SELECT vecidx_check(0);
SELECT vecidx_check(NULL);

-- the type's description cannot be called by hand
SELECT vecidx_real_l2_type(NULL);

SELECT vecidx_check('errors_i');
DROP FUNCTION errors_build;
DROP TABLE errors_t;
