--
-- vecidx_residency: every page of an index is of one kind, and where it is
-- agrees with what others say; who may ask, and of what.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vecidx;
CREATE EXTENSION pg_buffercache;
RESET client_min_messages;

-- vectors without a random generator
CREATE FUNCTION residency_vector(seed int, dimensions int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
	$$SELECT array_agg(sin(seed * 12.9898 + i * 78.233 + seed * i * 0.37)::real ORDER BY i) FROM generate_series(1, dimensions) i$$;

-- bytes of an index that pg_buffercache sees
CREATE FUNCTION residency_seen(index regclass) RETURNS numeric LANGUAGE sql VOLATILE AS
	$$SELECT count(*) * current_setting('block_size')::numeric FROM pg_buffercache
	  WHERE relfilenode = pg_relation_filenode(index) AND relforknumber = 0
		AND reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())$$;

-- an index in another tablespace has no page in shared buffers
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_vecidx_residency LOCATION '';
CREATE PROCEDURE residency_cool(index regclass) LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('ALTER INDEX %s SET TABLESPACE regress_vecidx_residency', index);
	EXECUTE format('ALTER INDEX %s SET TABLESPACE pg_default', index);
END
$$;

CREATE TABLE residency_t (id int PRIMARY KEY, v real[], class int) WITH (autovacuum_enabled = off);
INSERT INTO residency_t SELECT i, residency_vector(i, 20), i % 7 FROM generate_series(1, 400) i;
CREATE INDEX residency_i ON residency_t USING vecidx (v real_l2_ops) WITH (quantizer = rabitq4, rerank = sq8, m = 8);
CREATE INDEX residency_f ON residency_t USING vecidx (v real_l2_ops, class) WITH (quantizer = rabitq4, rerank = sq8, m = 8);

-- Kinds: those that there are, and together all pages, also of extents that are not full.
SELECT kind, bytes = pages * current_setting('block_size')::int AS in_bytes FROM vecidx_residency('residency_i');
SELECT kind, pages > 0 AS some FROM vecidx_residency('residency_f');
SELECT sum(bytes) = pg_relation_size('residency_f') AS whole FROM vecidx_residency('residency_f');
INSERT INTO residency_t SELECT i, residency_vector(i, 20), i % 7 FROM generate_series(401, 900) i;
SELECT sum(bytes) = pg_relation_size('residency_i') AS whole FROM vecidx_residency('residency_i');
SELECT sum(bytes) = pg_relation_size('residency_f') AS whole FROM vecidx_residency('residency_f');
SELECT kind, pages = (SELECT split_part(value, ' ', 1)::bigint FROM vecidx_info('residency_f') WHERE property = kind || ' pages') AS as_told
FROM vecidx_residency('residency_f') WHERE kind NOT IN ('meta', 'spare');

-- Cold: asking reads the metapage, and of the others none.
CALL residency_cool('residency_i');
SELECT kind, buffer_bytes FROM vecidx_residency('residency_i') WHERE kind NOT IN ('meta', 'spare');
SELECT residency_seen('residency_i') = sum(buffer_bytes) AS agrees FROM vecidx_residency('residency_i');

-- Warmer, kind by kind, and as pg_buffercache has it.
SELECT sum(touched) > 0 AS touched FROM vecidx_prewarm('residency_i', 'codes');
SELECT kind, buffer_bytes > 0 AS some FROM vecidx_residency('residency_i') WHERE kind NOT IN ('meta', 'spare');
SELECT residency_seen('residency_i') = sum(buffer_bytes) AS agrees FROM vecidx_residency('residency_i');
SELECT sum(touched) > 0 AS touched FROM vecidx_prewarm('residency_i');
SELECT kind, buffer_bytes > 0 AS some, buffer_bytes <= bytes AS within FROM vecidx_residency('residency_i') WHERE kind <> 'spare';
SELECT residency_seen('residency_i') = sum(buffer_bytes) AS agrees FROM vecidx_residency('residency_i');

-- The operating system's cache: never more than there is, or not told.
SELECT bool_and(cache_bytes BETWEEN 0 AND bytes) IS DISTINCT FROM false AS within FROM vecidx_residency('residency_i');

-- An index without rows.
CREATE TABLE residency_empty (v real[]);
CREATE INDEX residency_empty_i ON residency_empty USING vecidx (v real_l2_ops);
SELECT kind, pages, buffer_bytes > 0 AS buffered FROM vecidx_residency('residency_empty_i');
DROP TABLE residency_empty;

-- Temporary, unlogged, partitions.
CREATE TEMPORARY TABLE residency_temp AS SELECT v FROM residency_t;
CREATE INDEX residency_temp_i ON residency_temp USING vecidx (v real_l2_ops);
SELECT sum(bytes) = pg_relation_size('residency_temp_i') AND sum(buffer_bytes) > 0 AS "temporary" FROM vecidx_residency('residency_temp_i');
DROP TABLE residency_temp;
CREATE UNLOGGED TABLE residency_unlogged AS SELECT v FROM residency_t;
CREATE INDEX residency_unlogged_i ON residency_unlogged USING vecidx (v real_l2_ops);
SELECT residency_seen('residency_unlogged_i') = sum(buffer_bytes) AS "unlogged" FROM vecidx_residency('residency_unlogged_i');
DROP TABLE residency_unlogged;
CREATE TABLE residency_parent (v real[]) PARTITION BY HASH (v);
CREATE INDEX residency_parent_i ON residency_parent USING vecidx (v real_l2_ops);

-- Not what it is for.
SELECT vecidx_residency('residency_parent_i');
SELECT vecidx_residency('residency_t');
SELECT vecidx_residency('residency_t_pkey');
SELECT vecidx_residency(4294967295);
SELECT count(*) FROM vecidx_residency(NULL);

-- Rights: the table's reader.
CREATE ROLE regress_vecidx_none;
CREATE ROLE regress_vecidx_reader;
GRANT SELECT ON residency_t TO regress_vecidx_reader;
SET ROLE regress_vecidx_none;
SELECT vecidx_residency('residency_i');
SET ROLE regress_vecidx_reader;
SELECT count(*) FROM vecidx_residency('residency_i');
RESET ROLE;

DROP TABLE residency_t, residency_parent;
DROP PROCEDURE residency_cool(regclass);
DROP FUNCTION residency_seen(regclass);
DROP FUNCTION residency_vector(int, int);
DROP TABLESPACE regress_vecidx_residency;
DROP EXTENSION pg_buffercache;
DROP ROLE regress_vecidx_none, regress_vecidx_reader;
