-- Build the index, and compare its size with the table's.

\echo 'CREATE INDEX words_embedding ON words USING vecidx (embedding real_cosine_ops);'
\timing on
CREATE INDEX words_embedding ON words USING vecidx (embedding real_cosine_ops);
\timing off
\echo

SELECT pg_size_pretty(pg_table_size('words')) AS "table",
       pg_size_pretty(pg_relation_size('words_embedding')) AS "index",
       round(100.0 * pg_relation_size('words_embedding') / pg_table_size('words')) || ' %' AS "index : table";
