--
-- Every form of codes and of rerank vectors, every distance, every kernel.
--
SET client_min_messages = warning;
SET jit = off;

-- more dimensions than a register holds and than are kept as floats by default; some rows equal, some NULL
CREATE TABLE options_t (id int PRIMARY KEY, v real[]);
INSERT INTO options_t SELECT i, CASE WHEN i % 50 = 0 THEN NULL ELSE test_vector(i % 290, 100) END FROM generate_series(1, 300) i;

-- Builds an index, inserts rows that are there already, scans to the end, checks, and cleans up.
-- The tolerance is for the error of rerank vectors, and for the few estimates whose bound does not hold.
CREATE FUNCTION options_try(relation regclass, class text, operator text, options text, tolerance float8,
	OUT rows bigint, OUT distinct_rows bigint, OUT nearest bool, OUT sorted bool, OUT itself bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
BEGIN
	EXECUTE format('CREATE INDEX options_i ON %s USING vecidx (v %s) WITH (%s)', relation, class, options);
	EXECUTE format('INSERT INTO %s SELECT id + 100000, v FROM %s WHERE id %% 60 = 7', relation, relation);
	EXECUTE format('SELECT s.rows, s.distinct_rows, s.nearest, s.sorted FROM test_scan(%L, %L, %L, %s) s',
				   relation, '(SELECT v FROM ' || relation || ' WHERE id = 7)', operator, tolerance)
		INTO rows, distinct_rows, nearest, sorted;
	-- of ten stored vectors, how many are the first that a search for them finds
	EXECUTE format('SELECT count(*) FROM %s t, LATERAL (SELECT v FROM %s ORDER BY v %s t.v LIMIT 1) s WHERE t.id %% 30 = 1 AND t.id <= 300 AND s.v = t.v',
				   relation, relation, operator) INTO itself;
	PERFORM vecidx_check('options_i');
	DROP INDEX options_i;
	EXECUTE format('DELETE FROM %s WHERE id > 100000', relation);
END
$$;

SELECT quantizer, rerank, s.*
FROM (VALUES (1, 'auto', 4), (2, 'rabitq1', 1), (3, 'rabitq2', 2), (4, 'rabitq4', 4), (5, 'rabitq8', 1000)) q (n, quantizer, bits),
	(VALUES (1, 'auto', 0.02), (2, 'sq4', 0.1), (3, 'sq8', 0.02), (4, 'half', 0.002), (5, 'float', 1e-5)) r (m, rerank, tolerance),
	LATERAL options_try('options_t', 'real_l2_ops', '<->', format('quantizer = %s, rerank = %L', quantizer, rerank), greatest(tolerance, 0.1 / bits)) s
ORDER BY n, m;

SELECT operator, rerank, s.*
FROM (VALUES (1, 'real_ip_ops', '<#>'), (2, 'real_cosine_ops', '<=>')) o (n, class, operator),
	(VALUES (2, 'sq4', 0.1), (3, 'sq8', 0.02), (4, 'half', 0.005), (5, 'float', 1e-4)) r (m, rerank, tolerance),
	LATERAL options_try('options_t', class, operator, format('quantizer = rabitq2, rerank = %L', rerank), greatest(tolerance, 0.05)) s
ORDER BY n, m;

-- shapes of the graph, with rows enough that a search walks it
CREATE TABLE options_walk (id int PRIMARY KEY, v real[]);
INSERT INTO options_walk SELECT i, test_vector(i, 12) FROM generate_series(1, 1200) i;
SELECT m, ef, quantizer, s.rows, s.distinct_rows, s.nearest, s.itself >= 9 AS itself
FROM (VALUES (2, 4, 'auto'), (5, 64, 'rabitq1'), (16, 16, 'rabitq2'), (16, 64, 'rabitq4'), (16, 64, 'rabitq8'), (100, 200, 'rabitq1')) g (m, ef, quantizer),
	LATERAL options_try('options_walk', 'real_l2_ops', '<->', format('m = %s, ef_construction = %s, quantizer = %s', m, ef, quantizer), 0.1) s
ORDER BY m, ef, quantizer;

-- numbers of dimensions: about the ends of registers and pages
CREATE TABLE options_dimensions (id int PRIMARY KEY, v real[]);
CREATE FUNCTION options_dimensions(dimensions int, count int, quantizer text, OUT r record) LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE options_dimensions;
	INSERT INTO options_dimensions SELECT i, test_vector(i, dimensions) FROM generate_series(1, count) i;
	SELECT s.* INTO r FROM options_try('options_dimensions', 'real_l2_ops', '<->', 'quantizer = ' || quantizer, CASE quantizer WHEN 'rabitq1' THEN 0.1 ELSE 0.02 END) s;
END
$$;
SELECT dimensions, quantizer, options_dimensions(dimensions, 40, quantizer)
FROM unnest('{1,2,3,7,8,9,15,16,17,31,32,33,63,64,65,127,128,129,255,257}'::int[]) dimensions, unnest('{rabitq1,rabitq4}'::text[]) quantizer
ORDER BY dimensions, quantizer;
SELECT dimensions, quantizer, options_dimensions(dimensions, 8, quantizer)
FROM unnest('{1000,2037,2041,4097,8145,8161}'::int[]) dimensions, unnest('{rabitq1,rabitq8}'::text[]) quantizer
ORDER BY dimensions, quantizer;

-- every kernel set that this processor has: an index that one has built serves all others
CREATE FUNCTION options_kernels() RETURNS text LANGUAGE plpgsql SET enable_seqscan = off SET jit = off AS $$
DECLARE
	kernel text;
	quantizer text;
	expected float8[];
	found float8[];
	missed text := '';
BEGIN
	FOREACH quantizer IN ARRAY '{rabitq1,rabitq2,rabitq4,rabitq8}'::text[] LOOP
		PERFORM set_config('vecidx.kernel', 'auto', true);
		EXECUTE format('CREATE INDEX options_i ON options_t USING vecidx (v real_l2_ops) WITH (quantizer = %s)', quantizer);
		FOREACH kernel IN ARRAY '{scalar,avx2,avx512,neon,auto}'::text[] LOOP
			BEGIN
				PERFORM set_config('vecidx.kernel', kernel, true);
			EXCEPTION WHEN invalid_parameter_value THEN
				CONTINUE;
			END;
			-- rows that are nearly at the same distance may change places
			SELECT array_agg(d) INTO found
			FROM (SELECT v <-> test_vector(999, 100) AS d FROM options_t ORDER BY v <-> test_vector(999, 100) LIMIT 100) s;
			expected := CASE WHEN kernel = 'scalar' THEN found ELSE expected END;
			IF (SELECT count(*) <> 100 OR max(abs(f - e)) > 5 FROM unnest(found, expected) u (f, e)) THEN
				missed := missed || format(' %s %s', quantizer, kernel);
			END IF;
		END LOOP;
		DROP INDEX options_i;
	END LOOP;
	RETURN 'differences:' || missed;
END
$$;
SELECT options_kernels();

-- what becomes of options
CREATE INDEX options_i ON options_t USING vecidx (v real_l2_ops) WITH (m = 8, ef_construction = 50, quantizer = rabitq4, rerank = half);
SELECT property, value FROM vecidx_info('options_i') WHERE property IN ('m', 'ef_construction', 'quantizer', 'rerank', 'dimensions', 'metric') ORDER BY 1;
SELECT reloptions FROM pg_class WHERE relname = 'options_i';
-- they take hold with the next build
ALTER INDEX options_i SET (m = 10, rerank = sq8);
SELECT property, value FROM vecidx_info('options_i') WHERE property IN ('m', 'rerank') ORDER BY 1;
INSERT INTO options_t VALUES (1000, test_vector(1000, 100));
SELECT vecidx_check('options_i');
REINDEX INDEX options_i;
SELECT property, value FROM vecidx_info('options_i') WHERE property IN ('m', 'rerank') ORDER BY 1;
ALTER INDEX options_i RESET (m, ef_construction, quantizer, rerank);
REINDEX INDEX options_i;
SELECT property, value FROM vecidx_info('options_i') WHERE property IN ('m', 'ef_construction', 'rerank') ORDER BY 1;
SELECT vecidx_check('options_i');
DROP INDEX options_i;

-- dimensions that no row has told yet
CREATE TABLE options_empty (id int, v real[]);
CREATE INDEX options_empty_i ON options_empty USING vecidx (v real_l2_ops) WITH (dimensions = 3);
SELECT property, value FROM vecidx_info('options_empty_i') WHERE property IN ('m', 'dimensions') ORDER BY 1;
SELECT * FROM test_scan('options_empty', '''{1,2,3}''');
SET enable_seqscan = off;
SELECT * FROM options_empty ORDER BY v <-> '{1,2}';
INSERT INTO options_empty VALUES (1, '{1,2,4}'), (2, '{7,8,9}');
SELECT * FROM options_empty ORDER BY v <-> '{6,6,6}';
SELECT vecidx_check('options_empty_i');
RESET enable_seqscan;

DROP FUNCTION options_try, options_dimensions, options_kernels;
DROP TABLE options_t, options_walk, options_dimensions, options_empty;
