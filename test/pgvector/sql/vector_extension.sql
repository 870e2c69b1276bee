--
-- The two extensions and pgvector: how they come, move and go.
--
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS vecidx_pgvector, vecidx, vector;

-- what it needs comes with it, or must be there
CREATE EXTENSION vecidx_pgvector;
CREATE EXTENSION vecidx_pgvector CASCADE;
SELECT extname, extrelocatable FROM pg_extension WHERE extname LIKE 'vec%' ORDER BY extname;

CREATE TABLE extension_t (id int, v vector(2), h halfvec(2));
INSERT INTO extension_t SELECT i, ARRAY[i, 1], ARRAY[i, 1] FROM generate_series(1, 20) i;
CREATE INDEX extension_v ON extension_t USING vecidx (v vector_l2_ops);

-- nothing goes while something needs it
DROP EXTENSION vector;
DROP EXTENSION vecidx;
DROP EXTENSION vecidx_pgvector;
DROP OPERATOR CLASS vector_l2_ops USING vecidx;

-- each in a schema of its own, none of them in the search path
CREATE SCHEMA extension_a;
CREATE SCHEMA extension_b;
ALTER EXTENSION vector SET SCHEMA extension_a;
ALTER EXTENSION vecidx SET SCHEMA extension_b;
ALTER EXTENSION vecidx_pgvector SET SCHEMA extension_b;
SET enable_seqscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM extension_t ORDER BY v OPERATOR(extension_a.<->) '[3,1]' LIMIT 2;
EXPLAIN (COSTS OFF) SELECT id FROM extension_t ORDER BY v OPERATOR(extension_b.<->) '{3,1}'::real[] LIMIT 2;
SELECT id FROM extension_t ORDER BY v OPERATOR(extension_a.<->) '[3.1,1]' LIMIT 2;
INSERT INTO extension_t VALUES (21, '[3,1.5]', '[3,1.5]');
CREATE INDEX extension_h ON extension_t USING vecidx (h extension_b.halfvec_cosine_ops);
REINDEX TABLE extension_t;
SELECT extension_b.vecidx_check('extension_v'), extension_b.vecidx_check('extension_h');

-- names by the search path, as for any other index
SET search_path = public, extension_a, extension_b;
SELECT id FROM extension_t ORDER BY v <-> '{3,1.6}'::float8[] LIMIT 2;
SELECT id FROM extension_t ORDER BY h <=> '[1,1]' LIMIT 1;

-- the bridge goes alone: indexes on pgvector's types with it, those on arrays stay
CREATE INDEX extension_array ON extension_t USING vecidx ((v::real[]) real_l2_ops);
DROP EXTENSION vecidx_pgvector CASCADE;
SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE indrelid = 'extension_t'::regclass ORDER BY relname;
SELECT id FROM extension_t ORDER BY v::real[] <-> '{3,1.6}'::real[] LIMIT 1;
SELECT vecidx_check('extension_array');

-- and comes back
CREATE EXTENSION vecidx_pgvector SCHEMA extension_b;
CREATE INDEX extension_v ON extension_t USING vecidx (v vector_l2_ops);
SELECT id FROM extension_t ORDER BY v <-> '[3,1.6]' LIMIT 1;
SELECT vecidx_check('extension_v');

-- without pgvector, only the column and its indexes are lost
DROP EXTENSION vector CASCADE;
SELECT attname FROM pg_attribute WHERE attrelid = 'extension_t'::regclass AND attnum > 0 AND NOT attisdropped;
SELECT extname FROM pg_extension WHERE extname LIKE 'vec%';
DROP TABLE extension_t;
DROP EXTENSION vecidx;
SELECT count(*) FROM pg_am WHERE amname = 'vecidx';
RESET search_path;
DROP SCHEMA extension_a, extension_b;
