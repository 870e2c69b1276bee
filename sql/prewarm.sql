--
-- vecidx_prewarm: each part's pages, no more and no less; who may ask, and
-- for what.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx;
RESET client_min_messages;

-- vectors without a random generator
CREATE FUNCTION prewarm_vector(seed int, dimensions int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
	$$SELECT array_agg(sin(seed * 12.9898 + i * 78.233 + seed * i * 0.37)::real ORDER BY i) FROM generate_series(1, dimensions) i$$;

-- pages that vecidx_info tells, of one kind or of several
CREATE FUNCTION prewarm_info(index regclass, kinds text[]) RETURNS bigint LANGUAGE sql VOLATILE AS
	$$SELECT sum(split_part(value, ' ', 1)::bigint) FROM vecidx_info(index) WHERE property = ANY (kinds)$$;

-- an index in another tablespace has no page in shared buffers
CREATE PROCEDURE prewarm_cool(index regclass) LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('ALTER INDEX %s SET TABLESPACE regress_vecidx_space', index);
	EXECUTE format('ALTER INDEX %s SET TABLESPACE pg_default', index);
END
$$;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_vecidx_space LOCATION '';

CREATE TABLE prewarm_t (id int PRIMARY KEY, v real[]);
INSERT INTO prewarm_t SELECT i, prewarm_vector(i, 20) FROM generate_series(1, 300) i;
CREATE INDEX prewarm_i ON prewarm_t USING vecidx (v real_l2_ops) WITH (quantizer = rabitq4, rerank = sq8, m = 8, dimensions = 20);

-- Built: what vecidx_info says.  How many upper pages are in use is drawn by chance.
SELECT part, pages, pages = touched AS whole, bytes = pages * current_setting('block_size')::int AS in_bytes
FROM vecidx_prewarm('prewarm_i') WHERE part <> 'entry';
SELECT p.part, p.pages = prewarm_info('prewarm_i', ARRAY[i.kind]) AS as_told
FROM vecidx_prewarm('prewarm_i') AS p
JOIN (VALUES ('codes', 'code pages'), ('adjacency', 'adjacency pages'), ('rerank', 'rerank pages')) AS i (part, kind) USING (part);
SELECT pages > prewarm_info('prewarm_i', '{meta pages,centroid pages,directory pages}')
	AND pages <= prewarm_info('prewarm_i', '{meta pages,centroid pages,directory pages,upper pages}') AS entry
FROM vecidx_prewarm('prewarm_i', 'entry');

-- Grown by extents: of the last one only what is in use.
INSERT INTO prewarm_t SELECT i, prewarm_vector(i, 20) FROM generate_series(301, 800) i;
SELECT split_part(value, ',', 1) AS extents FROM vecidx_info('prewarm_i') WHERE property = 'extents';
SELECT part, pages, touched FROM vecidx_prewarm('prewarm_i') WHERE part <> 'entry';
SELECT p.part, p.pages < prewarm_info('prewarm_i', ARRAY[i.kind]) AS fewer
FROM vecidx_prewarm('prewarm_i') AS p
JOIN (VALUES ('adjacency', 'adjacency pages'), ('rerank', 'rerank pages')) AS i (part, kind) USING (part);
SELECT sum(pages) <= pg_relation_size('prewarm_i') / current_setting('block_size')::int AS in_the_file FROM vecidx_prewarm('prewarm_i');

-- Cold: just what was asked for is read, once.
CALL prewarm_cool('prewarm_i');
SELECT part, loaded = pages AS loaded FROM vecidx_prewarm('prewarm_i', 'entry');
SELECT part, loaded = pages AS loaded FROM vecidx_prewarm('prewarm_i', 'codes');
SELECT part, loaded = CASE WHEN part = 'adjacency' THEN pages ELSE 0 END AS rest_loaded FROM vecidx_prewarm('prewarm_i', 'hot');
SELECT part, loaded = CASE WHEN part = 'rerank' THEN pages ELSE 0 END AS rest_loaded FROM vecidx_prewarm('prewarm_i');
SELECT part, touched = pages AS touched, loaded FROM vecidx_prewarm('prewarm_i');
CALL prewarm_cool('prewarm_i');
SELECT part, pages = touched AND touched = loaded AS loaded FROM vecidx_prewarm('prewarm_i', 'all');
CALL prewarm_cool('prewarm_i');
SELECT sum(loaded) FROM vecidx_prewarm('prewarm_i', 'rerank, codes');
SELECT sum(loaded) = sum(pages) - (SELECT sum(pages) FROM vecidx_prewarm('prewarm_i', 'codes,rerank')) - 1 AS all_but_metapage
FROM vecidx_prewarm('prewarm_i');

-- The order is that of their worth, whatever the list's is.
SELECT part FROM vecidx_prewarm('prewarm_i', 'rerank,entry,rerank');
SELECT part FROM vecidx_prewarm('prewarm_i', ' Adjacency , codes ');
SELECT part FROM vecidx_prewarm('prewarm_i', 'hot,rerank');
SELECT part FROM vecidx_prewarm(what => 'adjacency', index => 'prewarm_i');
SELECT count(*) FROM vecidx_prewarm('prewarm_i', NULL);
SELECT count(*) FROM vecidx_prewarm(NULL);
DO $$
DECLARE
	wrong text;
	state text;
	hint text;
BEGIN
	FOREACH wrong IN ARRAY ARRAY['', ' ', 'vectors', 'codes,', ',codes', 'codes;rerank', 'codes rerank', 'all,nothing', '*'] LOOP
		BEGIN
			PERFORM * FROM vecidx_prewarm('prewarm_i', wrong);
			RAISE WARNING '"%" was taken', wrong;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, hint = PG_EXCEPTION_HINT;
			IF state <> '22023' OR hint NOT LIKE '%"hot"%' THEN
				RAISE WARNING '"%": % %', wrong, state, hint;
			END IF;
		END;
	END LOOP;
END
$$;
SELECT * FROM vecidx_prewarm('prewarm_i', 'vectors');

-- Slots that span pages; a slot at the beginning of a large extent.
CREATE TABLE prewarm_wide AS SELECT i AS id, prewarm_vector(i, 16000) AS v FROM generate_series(1, 3) i;
CREATE INDEX prewarm_wide_i ON prewarm_wide USING vecidx (v real_l2_ops) WITH (quantizer = rabitq8, rerank = 'float');
SELECT part, pages, touched FROM vecidx_prewarm('prewarm_wide_i') WHERE part <> 'entry';
INSERT INTO prewarm_wide SELECT 4, prewarm_vector(4, 16000);
SELECT part, pages, touched FROM vecidx_prewarm('prewarm_wide_i') WHERE part <> 'entry';
CALL prewarm_cool('prewarm_wide_i');
SELECT part, loaded = pages AS loaded FROM vecidx_prewarm('prewarm_wide_i');
SELECT vecidx_check('prewarm_wide_i');
DROP TABLE prewarm_wide;

-- Without rows, with the first one, and empty again.
CREATE TABLE prewarm_empty (v real[]);
CREATE INDEX prewarm_unknown ON prewarm_empty USING vecidx (v real_l2_ops);
CREATE INDEX prewarm_declared ON prewarm_empty USING vecidx (v real_l2_ops) WITH (dimensions = 3);
SELECT part, pages, touched FROM vecidx_prewarm('prewarm_unknown');
SELECT part, pages, touched FROM vecidx_prewarm('prewarm_declared') WHERE part <> 'entry';
INSERT INTO prewarm_empty VALUES ('{1,2,3}');
SELECT part, pages, touched FROM vecidx_prewarm('prewarm_unknown') WHERE part <> 'entry';
TRUNCATE prewarm_empty;
SELECT part, pages, touched FROM vecidx_prewarm('prewarm_unknown');
DROP TABLE prewarm_empty;

-- Partitions, unlogged and temporary tables.
CREATE TABLE prewarm_parent (id int, v real[]) PARTITION BY RANGE (id);
CREATE TABLE prewarm_child PARTITION OF prewarm_parent FOR VALUES FROM (0) TO (100);
CREATE INDEX prewarm_parent_i ON prewarm_parent USING vecidx (v real_l2_ops);
INSERT INTO prewarm_parent SELECT i, prewarm_vector(i, 4) FROM generate_series(1, 70) i;
SELECT part, pages > 0 AS pages FROM vecidx_prewarm('prewarm_child_v_idx');
SELECT * FROM vecidx_prewarm('prewarm_parent_i');
DROP TABLE prewarm_parent;
CREATE UNLOGGED TABLE prewarm_unlogged AS SELECT prewarm_vector(i, 5) AS v FROM generate_series(1, 50) i;
CREATE INDEX prewarm_unlogged_i ON prewarm_unlogged USING vecidx (v real_l2_ops);
CALL prewarm_cool('prewarm_unlogged_i');
SELECT sum(loaded) = sum(pages) AS loaded FROM vecidx_prewarm('prewarm_unlogged_i');
DROP TABLE prewarm_unlogged;

-- Not what it is for.
CREATE VIEW prewarm_view AS SELECT v FROM prewarm_t;
SELECT * FROM vecidx_prewarm('prewarm_t');
SELECT * FROM vecidx_prewarm('prewarm_t_pkey');
SELECT * FROM vecidx_prewarm('prewarm_view');
SELECT * FROM vecidx_prewarm(4294967295);
DROP VIEW prewarm_view;

-- Rights: as to read the table.
CREATE ROLE regress_vecidx_owner;
CREATE ROLE regress_vecidx_reader;
CREATE ROLE regress_vecidx_stranger;
ALTER TABLE prewarm_t OWNER TO regress_vecidx_owner;
REVOKE ALL ON prewarm_t FROM regress_vecidx_owner;
GRANT SELECT ON prewarm_t TO regress_vecidx_reader;
SET ROLE regress_vecidx_owner;
SELECT part FROM vecidx_prewarm('prewarm_i', 'codes');
SET ROLE regress_vecidx_reader;
SELECT part FROM vecidx_prewarm('prewarm_i', 'codes');
SET ROLE regress_vecidx_stranger;
SELECT part FROM vecidx_prewarm('prewarm_i', 'codes');
SELECT part FROM vecidx_prewarm('prewarm_i', 'vectors');
RESET ROLE;

-- It takes no writing, and keeps no lock.
BEGIN READ ONLY;
SELECT part FROM vecidx_prewarm('prewarm_i', 'codes');
SELECT count(*) FROM pg_locks WHERE relation IN ('prewarm_t'::regclass, 'prewarm_i'::regclass) AND pid = pg_backend_pid();
COMMIT;

-- More than fits: it stops before the first pages would be lost again.
\c
SET temp_buffers = 100;
CREATE TEMPORARY TABLE prewarm_temp AS SELECT i AS id, prewarm_vector(i, 500) AS v FROM generate_series(1, 1000) i;
CREATE INDEX prewarm_temp_i ON prewarm_temp USING vecidx (v real_l2_ops) WITH (quantizer = rabitq4, rerank = sq8);
-- how much of it is the buffer manager's affair: others' pages are there, too
SET client_min_messages = warning;
SELECT sum(pages) > 100 AS too_many, sum(touched) < 100 AS stopped FROM vecidx_prewarm('prewarm_temp_i');
SELECT count(*) AS out_of_order
FROM (SELECT touched > 0 AND lag(touched < pages) OVER (ORDER BY ordinality) AS later
	  FROM vecidx_prewarm('prewarm_temp_i') WITH ORDINALITY) AS parts
WHERE later;
RESET client_min_messages;
SELECT part, touched = pages AS whole FROM vecidx_prewarm('prewarm_temp_i', 'codes');
DROP TABLE prewarm_temp;

DROP TABLE prewarm_t;
DROP PROCEDURE prewarm_cool(regclass);
DROP FUNCTION prewarm_info(regclass, text[]);
DROP FUNCTION prewarm_vector(int, int);
DROP TABLESPACE regress_vecidx_space;
DROP ROLE regress_vecidx_owner, regress_vecidx_reader, regress_vecidx_stranger;
