-- How PostgreSQL runs such a search.

\pset tuples_only on
EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF)
	SELECT lemma, gloss FROM words
	ORDER BY embedding <=> (SELECT embedding FROM demo_queries
							WHERE text = 'water falling from the sky')
	LIMIT 10;
