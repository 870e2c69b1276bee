--
-- The extension, and what the other tests share.  Runs first.
--
CREATE EXTENSION IF NOT EXISTS vecidx;

-- The n-th vector: pseudo-random whole numbers from 0 to 255, the same on
-- every machine and version.
CREATE FUNCTION test_vector(n int, dimensions int) RETURNS real[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
	SELECT array_agg(get_byte(hash, i)::real ORDER BY block, i)
	FROM generate_series(0, (dimensions - 1) / 64) block,
		LATERAL (SELECT sha512(convert_to(n || ' ' || block, 'UTF8')) AS hash OFFSET 0) h,
		generate_series(0, least(63, dimensions - block * 64 - 1)) i
$$;

-- What a plan does at its bottom: "Index Scan using i on t" and the like.
CREATE FUNCTION test_plan(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	line text;
	found text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ ' (Scan|Search)( |$)' THEN
			found := coalesce(found || ', ', '') || regexp_replace(line, '^\s*(->\s*)?', '');
		END IF;
	END LOOP;
	RETURN found;
END
$$;

-- Reads a whole table in order of the distance of its column v from a query,
-- by an index if there is any.
--
-- nearest: the first row is as near as the nearest one of a sequential scan.
-- sorted: no row is farther than one that follows, but for a tolerance, which
-- is a share of the largest distance.
CREATE FUNCTION test_scan(relation regclass, query text, operator text DEFAULT '<->', tolerance float8 DEFAULT 1e-5,
	OUT plan text, OUT rows bigint, OUT distinct_rows bigint, OUT nearest bool, OUT sorted bool)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET max_parallel_workers_per_gather = 0 SET jit = off AS $$
DECLARE
	-- rounding errors of the distances count against the largest of them
	slack float8;
	least float8;
	first float8;
	scan text := format('SELECT tableoid::text || ctid AS row, v %s %s AS distance FROM %s ORDER BY v %s %s',
						operator, query, relation, operator, query);
BEGIN
	plan := test_plan(scan);
	EXECUTE format('SELECT max(abs(d)) FILTER (WHERE d <> ''NaN'') * %s, min(d) FROM (SELECT v %s %s AS d FROM %s OFFSET 0) s',
				   tolerance, operator, query, relation)
		INTO slack, least;
	EXECUTE format('SELECT count(*), count(DISTINCT row), min(distance) FILTER (WHERE place = 1),
						coalesce(bool_and(distance >= before - %L::float8), true)
					FROM (SELECT row, distance, row_number() OVER () AS place,
							max(distance) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
						  FROM (%s) s) t', coalesce(slack, 0), scan)
		INTO rows, distinct_rows, first, sorted;
	nearest := first <= least + slack;
END
$$;
