-- Scans under conditions on filter columns: which are handed to the index, how
-- they find their rows, and what stands around them.
SET enable_seqscan = off;
SET enable_sort = off;
SET enable_bitmapscan = off;
CREATE FUNCTION filters_vector(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
	'SELECT array(SELECT (hashint4(seed * 8 + i) % 1000 / 1000.0)::real FROM generate_series(0, 7) i)';
CREATE TABLE filters (id int, tenant int, flag bool, name text, price numeric, tags int[], doc jsonb, v real[]);
INSERT INTO filters SELECT i, i % 10, i % 4 = 0, CASE WHEN i % 7 = 0 THEN NULL ELSE 'name ' || i % 50 END, (i % 100) / 10.0,
	ARRAY[i % 5, i % 11], jsonb_build_object('kind', i % 3, 'word', 'w' || i % 6), filters_vector(i)
	FROM generate_series(1, 3000) i;
CREATE INDEX filters_v ON filters USING vecidx (v real_l2_ops, tenant, flag, name, price, tags, doc, (id % 1000));
ANALYZE filters;

-- the rows by the index, in their order, are those by the table
CREATE FUNCTION filters_agree(condition text, k int, items name DEFAULT 'filters') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	nearest text := format('SELECT array_agg(id) FROM (SELECT id FROM %s WHERE %s ORDER BY v <-> filters_vector(-7) LIMIT %s) a', items, condition, k);
	by_index int[];
	by_table int[];
	how text;
BEGIN
	EXECUTE nearest INTO by_index;
	how := (SELECT strategy FROM vecidx_last_scan());
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true), set_config('enable_indexscan', 'off', true);
	EXECUTE nearest INTO by_table;
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_indexscan', 'on', true);
	RETURN how || ', ' || coalesce(cardinality(by_index), 0) || ' rows, '
		|| CASE WHEN by_index IS NOT DISTINCT FROM by_table THEN 'agree' ELSE 'differ' END;
END $$;

-- (those found by walking are all of the nearest with next to no doubt)
SET vecidx.target_recall = 0.999;
SELECT condition, filters_agree(condition, k) FROM (VALUES
	(10, 'tenant = 3'), (10, 'tenant = 3 AND price < 2'), (5, 'tenant IN (3, 5, NULL)'), (10, 'flag AND tenant = 4'), (10, 'NOT flag AND tenant = 2'),
	(10, 'name IS NULL'), (10, 'name IS NOT NULL AND tenant = 1'), (10, 'name LIKE ''name 1%'' AND tenant = 1'), (1000, 'tags @> ''{3,4}'''),
	(1000, 'doc @> ''{"kind": 1, "word": "w1"}'''), (10, 'doc ? ''none'''), (10, 'NOT (tenant = 3)'),
	(400, 'tenant = 3'), (10, 'tenant = 3 AND id % 1000 = 13'), (10, 'tenant = 12'),
	(10, 'price = 1.50'), (10, 'price BETWEEN 2 AND 2.2'), (10, 'tenant < 1::int8 AND tenant >= 0::int2'), (10, 'v IS NOT NULL AND tenant = 6')) conditions (k, condition);
RESET vecidx.target_recall;

-- many rows that pass, of many: a walk, unless many are wanted
CREATE TABLE filters_many AS SELECT i AS id, i % 10 AS tenant, filters_vector(i) AS v FROM generate_series(1, 8000) i;
CREATE INDEX ON filters_many USING vecidx (v real_l2_ops, tenant);
ANALYZE filters_many;
SET vecidx.target_recall = 0.999;
SELECT filters_agree('NOT (tenant = 3)', k, 'filters_many') FROM (VALUES (1), (10), (3000)) wanted (k);
-- a cursor goes on: what was too far for the first search to test is tested by later ones
CREATE FUNCTION filters_fetched(most int) RETURNS SETOF int LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
	passing CURSOR FOR SELECT id FROM filters_many WHERE tenant < 8 ORDER BY v <-> filters_vector(-5);
	found int;
BEGIN
	OPEN passing;
	FOR i IN 1..most LOOP
		FETCH passing INTO found;
		RETURN NEXT found;
	END LOOP;
	CLOSE passing;
END $$;
SET enable_indexscan = off;
CREATE TEMP TABLE filters_nearest AS SELECT id FROM filters_many WHERE tenant < 8 ORDER BY v <-> filters_vector(-5), id LIMIT 200;
RESET enable_indexscan;
SELECT count(*) >= 196 AS found FROM filters_fetched(200) id WHERE id IN (SELECT id FROM filters_nearest);
SELECT strategy FROM vecidx_last_scan();
DROP FUNCTION filters_fetched;
RESET vecidx.target_recall;
DROP TABLE filters_many;

-- rows of a tenant lie together: passes learn at which rows they need not look, and unlearn it when these change
CREATE TABLE filters_zones AS SELECT i AS id, i / 100 AS tenant, 'n' || i / 100 AS name,
	array(SELECT (i / 100 * 10 + e)::real FROM unnest(filters_vector(i)) e) AS v FROM generate_series(0, 7999) i;
CREATE INDEX filters_zones_v ON filters_zones USING vecidx (v real_l2_ops, tenant, name) WITH (rerank = 'float');
ANALYZE filters_zones;
CREATE FUNCTION filters_zoned(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	agree text := filters_agree(condition, 200, 'filters_zones');
BEGIN
	RETURN agree || CASE WHEN (SELECT filter_tests FROM vecidx_last_scan()) < 6000 THEN ', few tests' ELSE ', many tests' END;
END $$;
SELECT n, filters_zoned('tenant = 3') AS number, filters_zoned('name = ''n3''') AS bytes FROM generate_series(1, 4) n;
SELECT condition, filters_zoned(condition) FROM (VALUES ('tenant IN (5, 8)'), ('tenant < 2 AND name <> ''n1'''), ('tenant BETWEEN 6 AND 7'),
	('tenant = 99'), ('tenant = 3 AND name IS NULL'), ('tenant = 3 AND name = ''n4''')) conditions (condition);
INSERT INTO filters_zones SELECT 8000 + i, 3, 'n3', array(SELECT (i * 50 + e)::real FROM unnest(filters_vector(-i)) e) FROM generate_series(1, 15) i;
UPDATE filters_zones SET tenant = 3, name = 'n3' WHERE id IN (750, 7777);
DELETE FROM filters_zones WHERE id BETWEEN 310 AND 320 OR id BETWEEN 5010 AND 5020;
SELECT n, filters_zoned('tenant = 3') AS number, filters_zoned('name = ''n3''') AS bytes FROM generate_series(1, 2) n;
VACUUM filters_zones;
INSERT INTO filters_zones SELECT 9000 + i, 3, 'n3', filters_vector(9000 + i) FROM generate_series(1, 22) i;
SELECT n, filters_zoned('tenant = 3') AS number, filters_zoned('name = ''n3''') AS bytes FROM generate_series(1, 2) n;
REINDEX INDEX filters_zones_v;
SELECT n, filters_zoned('tenant = 3') AS number, filters_zoned('name = ''n3''') AS bytes FROM generate_series(1, 4) n;
ALTER TABLE filters_zones SET UNLOGGED;
SELECT n, filters_zoned('tenant = 3') AS number, filters_zoned('name = ''n3''') AS bytes FROM generate_series(1, 4) n;
DROP TABLE filters_zones;
DROP FUNCTION filters_zoned;

-- what the planner hands to the index
EXPLAIN (COSTS OFF) SELECT id FROM filters WHERE tenant = ANY ('{1,2}') AND flag AND name ~ '^n' AND tags && '{1}' AND doc ? 'kind'
	ORDER BY v <-> filters_vector(1) LIMIT 3;
EXPLAIN (COSTS OFF) SELECT id FROM filters WHERE NOT flag AND 3 = tenant AND id % 1000 > 5 ORDER BY v <-> filters_vector(1) LIMIT 3;

-- what a scan tells
SELECT count(*) FROM (SELECT FROM filters WHERE tenant = 3 AND flag IS NOT NULL ORDER BY v <-> filters_vector(1) LIMIT 4) a;
SELECT k, strategy, rows, filter_share BETWEEN 0.05 AND 0.2 AS share, filter_tests >= 3000 AS tests, filter_passes >= 300 AS passes, filter_switch
	FROM vecidx_last_scan();

-- laterals, DISTINCT ON, cursors, generic plans
SELECT tenant, ids FROM generate_series(1, 3) wanted,
	LATERAL (SELECT tenant, array_agg(id) AS ids FROM (SELECT id, tenant FROM filters WHERE tenant = wanted ORDER BY v <-> filters_vector(wanted) LIMIT 3) a
			 GROUP BY tenant) b;
SELECT DISTINCT ON (v <-> filters_vector(5)) id FROM filters WHERE tenant = 5 ORDER BY v <-> filters_vector(5) LIMIT 3;
BEGIN;
DECLARE nearest CURSOR FOR SELECT id FROM filters WHERE tenant = 2 ORDER BY v <-> filters_vector(2);
FETCH 2 FROM nearest;
UPDATE filters SET tenant = 9 WHERE tenant = 2;
MOVE 290 FROM nearest;
FETCH ALL FROM nearest;
ROLLBACK;
SET plan_cache_mode = force_generic_plan;
PREPARE by_tenant(int, int[], text) AS SELECT id FROM filters WHERE tenant = $1 AND tags && $2 AND name = $3 ORDER BY v <-> filters_vector(8) LIMIT 2;
EXECUTE by_tenant(8, '{3}', 'name 8');
EXECUTE by_tenant(8, '{3}', NULL);
EXECUTE by_tenant(7, '{2,3}', 'name 7');
DEALLOCATE by_tenant;
RESET plan_cache_mode;

-- row-level security: its condition is the index's, and so are those that give nothing away
CREATE ROLE regress_vecidx_tenant;
GRANT SELECT ON filters TO regress_vecidx_tenant;
ALTER TABLE filters ENABLE ROW LEVEL SECURITY;
CREATE POLICY filters_own ON filters FOR SELECT USING (tenant = current_setting('filters.tenant')::int);
CREATE VIEW filters_barrier WITH (security_barrier) AS SELECT * FROM filters WHERE tenant = 4;
GRANT SELECT ON filters_barrier TO regress_vecidx_tenant;
CREATE FUNCTION filters_spy(text) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END $$;
SET ROLE regress_vecidx_tenant;
SET filters.tenant = 6;
EXPLAIN (COSTS OFF) SELECT id FROM filters WHERE price < 3 AND filters_spy(name) ORDER BY v <-> filters_vector(6) LIMIT 2;
SELECT id, tenant FROM filters WHERE price < 3 AND filters_spy(name) ORDER BY v <-> filters_vector(6) LIMIT 2;
SELECT id, tenant FROM filters_barrier WHERE flag AND length(name) > 5 ORDER BY v <-> filters_vector(6) LIMIT 2;
RESET ROLE;
ALTER TABLE filters DISABLE ROW LEVEL SECURITY;

-- conditions that fail, fail the query
SELECT id FROM filters WHERE name LIKE 'name\' ORDER BY v <-> filters_vector(1) LIMIT 1;
SELECT id FROM filters WHERE name ~ '(' ORDER BY v <-> filters_vector(1) LIMIT 1;

-- a partial index, and partitions by a filter column
CREATE INDEX filters_cheap ON filters USING vecidx (v real_l2_ops, tenant) WHERE price < 1;
EXPLAIN (COSTS OFF) SELECT id FROM filters WHERE price < 1 AND tenant = 3 ORDER BY v <-> filters_vector(3) LIMIT 2;
CREATE TABLE filters_parts (id int, tenant int, price numeric, v real[]) PARTITION BY LIST (tenant);
CREATE TABLE filters_part1 PARTITION OF filters_parts FOR VALUES IN (1, 2);
CREATE TABLE filters_part3 PARTITION OF filters_parts FOR VALUES IN (3, 4);
INSERT INTO filters_parts SELECT id, tenant, price, v FROM filters WHERE tenant BETWEEN 1 AND 4;
CREATE INDEX ON filters_parts USING vecidx (v real_l2_ops, tenant, price);
EXPLAIN (COSTS OFF) SELECT id FROM filters_parts WHERE tenant = 3 AND price < 5 ORDER BY v <-> filters_vector(3) LIMIT 2;
SELECT id, tenant FROM filters_parts WHERE tenant IN (2, 3) AND price < 5 ORDER BY v <-> filters_vector(3) LIMIT 3;
SELECT id, tenant FROM filters WHERE tenant IN (2, 3) AND price < 5 ORDER BY v <-> filters_vector(3) LIMIT 3;

-- a pass leaves out what is farther than those wanted; if these are gone, others come in their place, in order
DELETE FROM filters WHERE id IN (SELECT id FROM filters WHERE tenant = 6 ORDER BY v <-> filters_vector(-7) LIMIT 40);
SELECT k, filters_agree('tenant = 6', k), (SELECT filter_tests > 2 * 3000 FROM vecidx_last_scan() WHERE k > 0) AS passed_again
	FROM (VALUES (1), (10), (50), (300)) wanted (k);

SELECT vecidx_check('filters_v') > 0 AS sound;
DROP VIEW filters_barrier;
DROP TABLE filters, filters_parts;
DROP ROLE regress_vecidx_tenant;
DROP FUNCTION filters_agree, filters_vector, filters_spy;
RESET enable_seqscan;
RESET enable_sort;
RESET enable_bitmapscan;
