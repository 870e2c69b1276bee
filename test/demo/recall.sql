-- Recall@10 over the held-out queries.  The exact answer comes from a scan of
-- the whole table; a row counts as right when it is no farther than the exact
-- tenth, so that ties are not held against the index.

SET max_parallel_workers_per_gather = 0;

CREATE TEMP TABLE probe AS
	SELECT row_number() OVER () AS id, embedding
	FROM demo_queries WHERE kind = 'held-out';
ANALYZE probe;

CREATE TEMP VIEW answer AS
	SELECT probe.id, nearest.distance
	FROM probe CROSS JOIN LATERAL
		(SELECT words.embedding <=> probe.embedding AS distance
		 FROM words
		 ORDER BY words.embedding <=> probe.embedding
		 LIMIT 10) AS nearest;

SET enable_indexscan = off;
SELECT clock_timestamp() AS t0 \gset
CREATE TEMP TABLE exact AS
	SELECT id, max(distance) AS tenth FROM answer GROUP BY id;
SELECT clock_timestamp() AS t1 \gset
RESET enable_indexscan;

-- The figures below must be the index's own.
SET enable_seqscan = off;
DO $$
DECLARE
	line text;
	plan text := '';
BEGIN
	FOR line IN EXPLAIN SELECT * FROM answer LOOP
		plan := plan || line || chr(10);
	END LOOP;
	IF plan NOT LIKE '%Index Scan using words_embedding%' THEN
		RAISE EXCEPTION 'the search does not use the index' USING DETAIL = plan;
	END IF;
END
$$;

SELECT clock_timestamp() AS t2 \gset
CREATE TEMP TABLE approximate AS
	SELECT id, distance FROM answer;
SELECT clock_timestamp() AS t3 \gset

CREATE TEMP TABLE result AS
	SELECT (SELECT count(*) FROM probe) AS queries,
		   count(*) FILTER (WHERE distance <= tenth) AS hits
	FROM approximate JOIN exact USING (id);

SELECT queries,
	   round(hits / (10.0 * queries), 3) AS "recall@10",
	   round(1000 * extract(epoch FROM :'t3'::timestamptz - :'t2') / queries, 2) AS "ms a query, index",
	   round(1000 * extract(epoch FROM :'t1'::timestamptz - :'t0') / queries, 2) AS "ms a query, exact"
FROM result;

DO $$
BEGIN
	IF (SELECT hits < 9 * queries FROM result) THEN
		RAISE EXCEPTION 'recall@10 is below 0.9';
	END IF;
END
$$;
