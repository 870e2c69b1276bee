/* vecidx--0.1.0.sql: the access method, and real[] as its column type. */

\echo Use "CREATE EXTENSION vecidx" to load this file. \quit

/* The access method. */

CREATE FUNCTION vecidx_handler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME' LANGUAGE C;
COMMENT ON FUNCTION vecidx_handler(internal) IS 'handler of access method vecidx';

CREATE ACCESS METHOD vecidx TYPE INDEX HANDLER vecidx_handler;
COMMENT ON ACCESS METHOD vecidx IS 'nearest vectors, by a graph over quantized vectors';

CREATE FUNCTION vecidx_check(index regclass) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION vecidx_check(regclass) IS 'verify a vecidx index: number of nodes checked, or an error on damage';

CREATE FUNCTION vecidx_info(index regclass, OUT property text, OUT value text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION vecidx_info(regclass) IS 'what a vecidx index is made of';

CREATE FUNCTION vecidx_prewarm(index regclass, what text DEFAULT 'all')
	RETURNS TABLE (part text, pages bigint, touched bigint, loaded bigint, bytes bigint)
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE ROWS 4;
COMMENT ON FUNCTION vecidx_prewarm(regclass, text) IS 'load the pages of a vecidx index into shared buffers';

CREATE FUNCTION vecidx_recall(index regclass, INOUT k integer DEFAULT 10, sample integer DEFAULT 100, filter_column name DEFAULT NULL,
		OUT filter_value text, OUT used integer, OUT recall float8, OUT low float8, OUT high float8, OUT worst float8,
		OUT search_ms float8, OUT exact_ms float8)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'vecidx_recall_by_rows' LANGUAGE C VOLATILE ROWS 1 COST 100000;
COMMENT ON FUNCTION vecidx_recall(regclass, integer, integer, name) IS
	'share of the k nearest rows that searches find now, with rows of the table as queries: mean, interval at 95 percent, worst, time of a search and of an exact answer';

CREATE FUNCTION vecidx_recall(index regclass, queries anyarray, INOUT k integer DEFAULT 10, filter_column name DEFAULT NULL,
		OUT filter_value text, OUT used integer, OUT recall float8, OUT low float8, OUT high float8, OUT worst float8,
		OUT search_ms float8, OUT exact_ms float8)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'vecidx_recall_by_queries' LANGUAGE C VOLATILE ROWS 1 COST 100000;
COMMENT ON FUNCTION vecidx_recall(regclass, anyarray, integer, name) IS
	'share of the k nearest rows that searches find now, with given queries (of more than 10,000, as many evenly spread)';

CREATE FUNCTION vecidx_health(INOUT index regclass, measure_recall boolean DEFAULT false,
		OUT nodes bigint, OUT built_nodes bigint, OUT growth float8, OUT tombstones bigint,
		OUT tombstone_share float8, OUT dead_share float8, OUT unreachable_nodes bigint, OUT drift float8,
		OUT calibrated_nodes bigint, OUT target_recall float8, OUT recall float8, OUT recall_low float8, OUT recall_high float8,
		OUT latency_growth float8, OUT format_version integer, OUT advice text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE ROWS 1 COST 10000;
COMMENT ON FUNCTION vecidx_health(regclass, boolean) IS
	'how a vecidx index has fared since it was built, and what to do about it; on request with a measurement of its recall';

-- OFFSET 0: nothing is asked about an index before it is known that the user may
CREATE VIEW vecidx_indexes AS
	SELECT t.oid AS relid, i.oid AS indexrelid, n.nspname AS schemaname, t.relname, i.relname AS indexrelname
	FROM pg_catalog.pg_index x
	JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
	JOIN pg_catalog.pg_class t ON t.oid = x.indrelid
	JOIN pg_catalog.pg_am a ON a.oid = i.relam AND a.amhandler = 'vecidx_handler(internal)'::regprocedure
	LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
	WHERE i.relkind = 'i';
COMMENT ON VIEW vecidx_indexes IS 'the vecidx indexes of this database';
GRANT SELECT ON vecidx_indexes TO PUBLIC;

CREATE VIEW vecidx_health AS
	SELECT health.*
	FROM (SELECT i.indexrelid
		FROM vecidx_indexes AS i
			JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
			JOIN pg_catalog.pg_class AS t ON t.oid = i.relid
		WHERE NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)
			AND NOT (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery())
			AND pg_catalog.pg_relation_size(c.oid) > 0
			AND (pg_catalog.has_table_privilege(t.oid, 'SELECT') OR pg_catalog.pg_has_role(t.relowner, 'USAGE'))
		OFFSET 0) AS i
		CROSS JOIN LATERAL vecidx_health(i.indexrelid) AS health;
GRANT SELECT ON vecidx_health TO PUBLIC;
COMMENT ON VIEW vecidx_health IS 'how the vecidx indexes of the database that the user may read have fared';

CREATE FUNCTION vecidx_estimate("table" regclass, "column" name, opclass text DEFAULT NULL, options text DEFAULT NULL,
		INOUT rows bigint DEFAULT NULL,
		OUT dimensions integer, OUT operator_class text, OUT quantizer text, OUT rerank text, OUT index_bytes bigint,
		OUT hot_bytes bigint, OUT build_memory bigint, OUT build_parts integer, OUT build_seconds float8,
		OUT target_recall float8, OUT expected_recall float8)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE COST 100000;
COMMENT ON FUNCTION vecidx_estimate(regclass, name, text, text, bigint) IS
	'what a vecidx index of a column would be, by a sample of its rows; expected_recall is what its build would calibrate searches for, not a measurement';

CREATE FUNCTION vecidx_residency(index regclass)
	RETURNS TABLE (kind text, pages bigint, bytes bigint, buffer_bytes bigint, cache_bytes bigint)
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE ROWS 7;
COMMENT ON FUNCTION vecidx_residency(regclass) IS
	'pages of a vecidx index by kind, and how much of them is in shared buffers and in the cache of the operating system';

CREATE FUNCTION vecidx_calibrate(index regclass) RETURNS integer
	AS 'MODULE_PATHNAME', 'vecidx_calibrate_by_rows' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION vecidx_calibrate(regclass) IS
	'measure anew what reaches which recall, with rows of the table as queries: number of queries used';

CREATE FUNCTION vecidx_calibrate(index regclass, queries anyarray) RETURNS integer
	AS 'MODULE_PATHNAME', 'vecidx_calibrate_by_queries' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION vecidx_calibrate(regclass, anyarray) IS
	'measure anew what reaches which recall, with given queries (of more than 1,024, as many evenly spread): number of queries used';

CREATE FUNCTION vecidx_add_operator_classes() RETURNS TABLE (type regtype, operator_class text)
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION vecidx_add_operator_classes() FROM PUBLIC;
COMMENT ON FUNCTION vecidx_add_operator_classes() IS
	'make operator classes of filter columns for types of other extensions: what was made';

CREATE FUNCTION vecidx_last_scan(OUT index regclass, OUT k bigint, OUT target_recall float8, OUT ef bigint,
		OUT slack float8, OUT rerank_factor float8, OUT strategy text, OUT expanded bigint, OUT estimates bigint,
		OUT reranked bigint, OUT exact bigint, OUT rows bigint, OUT filter_share float8, OUT filter_tests bigint,
		OUT filter_passes bigint, OUT filter_switch text)
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION vecidx_last_scan() IS 'what the latest scan of a vecidx index in this session did';

/* What has been done with indexes. */

CREATE FUNCTION vecidx_stat(index oid,
		OUT scans bigint, OUT aborted bigint, OUT rows bigint, OUT expanded bigint, OUT estimates bigint,
		OUT reranked bigint, OUT exact bigint, OUT restarts bigint, OUT walks bigint, OUT sweeps bigint,
		OUT walks_then_sweeps bigint, OUT filtered_walks bigint, OUT passes bigint,
		OUT filtered_walks_then_passes bigint, OUT filter_tests bigint, OUT filter_passes bigint, OUT bridged bigint,
		OUT switched_too_costly bigint, OUT switched_nothing_left bigint, OUT switched_many_wanted bigint,
		OUT code_hit bigint, OUT code_read bigint, OUT adjacency_hit bigint, OUT adjacency_read bigint,
		OUT upper_hit bigint, OUT upper_read bigint, OUT rerank_hit bigint, OUT rerank_read bigint,
		OUT filter_hit bigint, OUT filter_read bigint, OUT other_hit bigint, OUT other_read bigint,
		OUT scan_time float8, OUT inserts bigint, OUT attached bigint, OUT deletes bigint,
		OUT tombstones_made bigint, OUT tombstones_freed bigint, OUT vacuums bigint, OUT vacuum_time float8,
		OUT latency_p50 float8, OUT latency_p95 float8, OUT latency_p99 float8, OUT stats_reset timestamptz)
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION vecidx_stat(oid) IS
	'what all sessions have done with a vecidx index; NULL for who may not read its table';

CREATE VIEW pg_stat_vecidx AS
	SELECT i.*, s.* FROM vecidx_indexes i CROSS JOIN LATERAL vecidx_stat(i.indexrelid) s;
COMMENT ON VIEW pg_stat_vecidx IS 'what all sessions have done with the vecidx indexes of this database';
GRANT SELECT ON pg_stat_vecidx TO PUBLIC;

CREATE FUNCTION vecidx_recall_stat(index oid,
		OUT samples bigint, OUT rows_wanted bigint, OUT rows_right bigint, OUT recall float8, OUT low float8, OUT high float8,
		OUT since timestamptz)
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION vecidx_recall_stat(oid) IS
	'recall of those scans of a vecidx index that were measured when they ended; NULL for who may not read its table';

CREATE VIEW vecidx_recall_stats AS
	SELECT i.*, s.* FROM vecidx_indexes i CROSS JOIN LATERAL vecidx_recall_stat(i.indexrelid) s;
COMMENT ON VIEW vecidx_recall_stats IS 'recall of those scans of the vecidx indexes of this database that were measured when they ended (vecidx.recall_sample_rate)';
GRANT SELECT ON vecidx_recall_stats TO PUBLIC;

CREATE FUNCTION vecidx_stat_reset() RETURNS void
	AS 'MODULE_PATHNAME', 'vecidx_stat_reset_all' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION vecidx_stat_reset() FROM PUBLIC;
COMMENT ON FUNCTION vecidx_stat_reset() IS 'zero the statistics of all vecidx indexes of this database';

CREATE FUNCTION vecidx_stat_reset(index regclass) RETURNS void
	AS 'MODULE_PATHNAME', 'vecidx_stat_reset_index' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION vecidx_stat_reset(regclass) FROM PUBLIC;
COMMENT ON FUNCTION vecidx_stat_reset(regclass) IS 'zero the statistics of a vecidx index';

CREATE FUNCTION vecidx_status(OUT property text, OUT value text) RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION vecidx_status() IS 'where what sessions share is kept, and how much of it there is';

/*
 * Distances.
 *
 * One side is real[].  The other may be any array of numbers: drivers send
 * lists as double precision[], and ARRAY[1, 2] and ARRAY[0.1, 0.2] are
 * integer[] and numeric[].  An operator for each of these spares the query a
 * cast and leaves it no ambiguity.
 */

CREATE FUNCTION vecidx_l2_distance(real[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(real[], real[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_l2_distance(real[], float8[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(real[], float8[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_l2_distance(float8[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(float8[], real[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_l2_distance(real[], integer[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(real[], integer[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_l2_distance(integer[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(integer[], real[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_l2_distance(real[], numeric[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(real[], numeric[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_l2_distance(numeric[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(numeric[], real[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_negative_inner_product(real[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(real[], real[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_negative_inner_product(real[], float8[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(real[], float8[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_negative_inner_product(float8[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(float8[], real[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_negative_inner_product(real[], integer[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(real[], integer[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_negative_inner_product(integer[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(integer[], real[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_negative_inner_product(real[], numeric[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(real[], numeric[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_negative_inner_product(numeric[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(numeric[], real[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_cosine_distance(real[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(real[], real[]) IS 'cosine distance';

CREATE FUNCTION vecidx_cosine_distance(real[], float8[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(real[], float8[]) IS 'cosine distance';

CREATE FUNCTION vecidx_cosine_distance(float8[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(float8[], real[]) IS 'cosine distance';

CREATE FUNCTION vecidx_cosine_distance(real[], integer[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(real[], integer[]) IS 'cosine distance';

CREATE FUNCTION vecidx_cosine_distance(integer[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(integer[], real[]) IS 'cosine distance';

CREATE FUNCTION vecidx_cosine_distance(real[], numeric[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(real[], numeric[]) IS 'cosine distance';

CREATE FUNCTION vecidx_cosine_distance(numeric[], real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_array_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(numeric[], real[]) IS 'cosine distance';

CREATE OPERATOR <-> (
	LEFTARG = real[], RIGHTARG = real[], FUNCTION = vecidx_l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (real[], real[]) IS 'Euclidean distance';

CREATE OPERATOR <-> (
	LEFTARG = real[], RIGHTARG = float8[], FUNCTION = vecidx_l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (real[], float8[]) IS 'Euclidean distance';

CREATE OPERATOR <-> (
	LEFTARG = float8[], RIGHTARG = real[], FUNCTION = vecidx_l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (float8[], real[]) IS 'Euclidean distance';

CREATE OPERATOR <-> (
	LEFTARG = real[], RIGHTARG = integer[], FUNCTION = vecidx_l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (real[], integer[]) IS 'Euclidean distance';

CREATE OPERATOR <-> (
	LEFTARG = integer[], RIGHTARG = real[], FUNCTION = vecidx_l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (integer[], real[]) IS 'Euclidean distance';

CREATE OPERATOR <-> (
	LEFTARG = real[], RIGHTARG = numeric[], FUNCTION = vecidx_l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (real[], numeric[]) IS 'Euclidean distance';

CREATE OPERATOR <-> (
	LEFTARG = numeric[], RIGHTARG = real[], FUNCTION = vecidx_l2_distance,
	COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (numeric[], real[]) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = real[], RIGHTARG = real[], FUNCTION = vecidx_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (real[], real[]) IS 'inner product, negated';

CREATE OPERATOR <#> (
	LEFTARG = real[], RIGHTARG = float8[], FUNCTION = vecidx_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (real[], float8[]) IS 'inner product, negated';

CREATE OPERATOR <#> (
	LEFTARG = float8[], RIGHTARG = real[], FUNCTION = vecidx_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (float8[], real[]) IS 'inner product, negated';

CREATE OPERATOR <#> (
	LEFTARG = real[], RIGHTARG = integer[], FUNCTION = vecidx_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (real[], integer[]) IS 'inner product, negated';

CREATE OPERATOR <#> (
	LEFTARG = integer[], RIGHTARG = real[], FUNCTION = vecidx_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (integer[], real[]) IS 'inner product, negated';

CREATE OPERATOR <#> (
	LEFTARG = real[], RIGHTARG = numeric[], FUNCTION = vecidx_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (real[], numeric[]) IS 'inner product, negated';

CREATE OPERATOR <#> (
	LEFTARG = numeric[], RIGHTARG = real[], FUNCTION = vecidx_negative_inner_product,
	COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (numeric[], real[]) IS 'inner product, negated';

CREATE OPERATOR <=> (
	LEFTARG = real[], RIGHTARG = real[], FUNCTION = vecidx_cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (real[], real[]) IS 'cosine distance';

CREATE OPERATOR <=> (
	LEFTARG = real[], RIGHTARG = float8[], FUNCTION = vecidx_cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (real[], float8[]) IS 'cosine distance';

CREATE OPERATOR <=> (
	LEFTARG = float8[], RIGHTARG = real[], FUNCTION = vecidx_cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (float8[], real[]) IS 'cosine distance';

CREATE OPERATOR <=> (
	LEFTARG = real[], RIGHTARG = integer[], FUNCTION = vecidx_cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (real[], integer[]) IS 'cosine distance';

CREATE OPERATOR <=> (
	LEFTARG = integer[], RIGHTARG = real[], FUNCTION = vecidx_cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (integer[], real[]) IS 'cosine distance';

CREATE OPERATOR <=> (
	LEFTARG = real[], RIGHTARG = numeric[], FUNCTION = vecidx_cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (real[], numeric[]) IS 'cosine distance';

CREATE OPERATOR <=> (
	LEFTARG = numeric[], RIGHTARG = real[], FUNCTION = vecidx_cosine_distance,
	COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (numeric[], real[]) IS 'cosine distance';

/*
 * Operator classes.  None is the default for real[], so that every index
 * says which distance it serves.
 */

CREATE FUNCTION vecidx_real_l2_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_real_l2_type(internal) IS 'support function of real_l2_ops';

CREATE OPERATOR CLASS real_l2_ops
	FOR TYPE real[] USING vecidx AS
	OPERATOR 1 <-> (real[], real[]) FOR ORDER BY float_ops,
	OPERATOR 1 <-> (real[], float8[]) FOR ORDER BY float_ops,
	OPERATOR 1 <-> (real[], integer[]) FOR ORDER BY float_ops,
	OPERATOR 1 <-> (real[], numeric[]) FOR ORDER BY float_ops,
	FUNCTION 1 (real[], real[]) vecidx_real_l2_type(internal);
COMMENT ON OPERATOR FAMILY real_l2_ops USING vecidx IS 'nearest vectors by Euclidean distance';
COMMENT ON OPERATOR CLASS real_l2_ops USING vecidx IS 'nearest vectors by Euclidean distance';

CREATE FUNCTION vecidx_real_ip_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_real_ip_type(internal) IS 'support function of real_ip_ops';

CREATE OPERATOR CLASS real_ip_ops
	FOR TYPE real[] USING vecidx AS
	OPERATOR 1 <#> (real[], real[]) FOR ORDER BY float_ops,
	OPERATOR 1 <#> (real[], float8[]) FOR ORDER BY float_ops,
	OPERATOR 1 <#> (real[], integer[]) FOR ORDER BY float_ops,
	OPERATOR 1 <#> (real[], numeric[]) FOR ORDER BY float_ops,
	FUNCTION 1 (real[], real[]) vecidx_real_ip_type(internal);
COMMENT ON OPERATOR FAMILY real_ip_ops USING vecidx IS 'nearest vectors by inner product';
COMMENT ON OPERATOR CLASS real_ip_ops USING vecidx IS 'nearest vectors by inner product';

CREATE FUNCTION vecidx_real_cosine_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_real_cosine_type(internal) IS 'support function of real_cosine_ops';

CREATE OPERATOR CLASS real_cosine_ops
	FOR TYPE real[] USING vecidx AS
	OPERATOR 1 <=> (real[], real[]) FOR ORDER BY float_ops,
	OPERATOR 1 <=> (real[], float8[]) FOR ORDER BY float_ops,
	OPERATOR 1 <=> (real[], integer[]) FOR ORDER BY float_ops,
	OPERATOR 1 <=> (real[], numeric[]) FOR ORDER BY float_ops,
	FUNCTION 1 (real[], real[]) vecidx_real_cosine_type(internal);
COMMENT ON OPERATOR FAMILY real_cosine_ops USING vecidx IS 'nearest vectors by cosine distance';
COMMENT ON OPERATOR CLASS real_cosine_ops USING vecidx IS 'nearest vectors by cosine distance';

/*
 * Operator classes of filter columns, which follow the vector.  They need no
 * support function: what an operator means its function tells.  The numbers
 * are 1 to 5 for an order, as btree's are, 6 for <>, and one for each other
 * name of an operator.
 */

CREATE OPERATOR CLASS bool_ops
	DEFAULT FOR TYPE boolean USING vecidx AS
	OPERATOR 1 < (boolean, boolean),
	OPERATOR 2 <= (boolean, boolean),
	OPERATOR 3 = (boolean, boolean),
	OPERATOR 4 >= (boolean, boolean),
	OPERATOR 5 > (boolean, boolean),
	OPERATOR 6 <> (boolean, boolean);
COMMENT ON OPERATOR FAMILY bool_ops USING vecidx IS 'filter columns of type boolean';
COMMENT ON OPERATOR CLASS bool_ops USING vecidx IS 'filter columns of type boolean';

CREATE OPERATOR CLASS int2_ops
	DEFAULT FOR TYPE smallint USING vecidx AS
	OPERATOR 1 < (smallint, smallint),
	OPERATOR 1 < (smallint, bigint),
	OPERATOR 1 < (smallint, integer),
	OPERATOR 2 <= (smallint, smallint),
	OPERATOR 2 <= (smallint, bigint),
	OPERATOR 2 <= (smallint, integer),
	OPERATOR 3 = (smallint, smallint),
	OPERATOR 3 = (smallint, bigint),
	OPERATOR 3 = (smallint, integer),
	OPERATOR 4 >= (smallint, smallint),
	OPERATOR 4 >= (smallint, bigint),
	OPERATOR 4 >= (smallint, integer),
	OPERATOR 5 > (smallint, smallint),
	OPERATOR 5 > (smallint, bigint),
	OPERATOR 5 > (smallint, integer),
	OPERATOR 6 <> (smallint, smallint),
	OPERATOR 6 <> (smallint, bigint),
	OPERATOR 6 <> (smallint, integer);
COMMENT ON OPERATOR FAMILY int2_ops USING vecidx IS 'filter columns of type smallint';
COMMENT ON OPERATOR CLASS int2_ops USING vecidx IS 'filter columns of type smallint';

CREATE OPERATOR CLASS int4_ops
	DEFAULT FOR TYPE integer USING vecidx AS
	OPERATOR 1 < (integer, integer),
	OPERATOR 1 < (integer, bigint),
	OPERATOR 1 < (integer, smallint),
	OPERATOR 2 <= (integer, integer),
	OPERATOR 2 <= (integer, bigint),
	OPERATOR 2 <= (integer, smallint),
	OPERATOR 3 = (integer, integer),
	OPERATOR 3 = (integer, bigint),
	OPERATOR 3 = (integer, smallint),
	OPERATOR 4 >= (integer, integer),
	OPERATOR 4 >= (integer, bigint),
	OPERATOR 4 >= (integer, smallint),
	OPERATOR 5 > (integer, integer),
	OPERATOR 5 > (integer, bigint),
	OPERATOR 5 > (integer, smallint),
	OPERATOR 6 <> (integer, integer),
	OPERATOR 6 <> (integer, bigint),
	OPERATOR 6 <> (integer, smallint);
COMMENT ON OPERATOR FAMILY int4_ops USING vecidx IS 'filter columns of type integer';
COMMENT ON OPERATOR CLASS int4_ops USING vecidx IS 'filter columns of type integer';

CREATE OPERATOR CLASS int8_ops
	DEFAULT FOR TYPE bigint USING vecidx AS
	OPERATOR 1 < (bigint, bigint),
	OPERATOR 1 < (bigint, smallint),
	OPERATOR 1 < (bigint, integer),
	OPERATOR 2 <= (bigint, bigint),
	OPERATOR 2 <= (bigint, smallint),
	OPERATOR 2 <= (bigint, integer),
	OPERATOR 3 = (bigint, bigint),
	OPERATOR 3 = (bigint, smallint),
	OPERATOR 3 = (bigint, integer),
	OPERATOR 4 >= (bigint, bigint),
	OPERATOR 4 >= (bigint, smallint),
	OPERATOR 4 >= (bigint, integer),
	OPERATOR 5 > (bigint, bigint),
	OPERATOR 5 > (bigint, smallint),
	OPERATOR 5 > (bigint, integer),
	OPERATOR 6 <> (bigint, bigint),
	OPERATOR 6 <> (bigint, smallint),
	OPERATOR 6 <> (bigint, integer);
COMMENT ON OPERATOR FAMILY int8_ops USING vecidx IS 'filter columns of type bigint';
COMMENT ON OPERATOR CLASS int8_ops USING vecidx IS 'filter columns of type bigint';

CREATE OPERATOR CLASS numeric_ops
	DEFAULT FOR TYPE numeric USING vecidx AS
	OPERATOR 1 < (numeric, numeric),
	OPERATOR 2 <= (numeric, numeric),
	OPERATOR 3 = (numeric, numeric),
	OPERATOR 4 >= (numeric, numeric),
	OPERATOR 5 > (numeric, numeric),
	OPERATOR 6 <> (numeric, numeric);
COMMENT ON OPERATOR FAMILY numeric_ops USING vecidx IS 'filter columns of type numeric';
COMMENT ON OPERATOR CLASS numeric_ops USING vecidx IS 'filter columns of type numeric';

CREATE OPERATOR CLASS float4_ops
	DEFAULT FOR TYPE real USING vecidx AS
	OPERATOR 1 < (real, real),
	OPERATOR 1 < (real, float8),
	OPERATOR 2 <= (real, real),
	OPERATOR 2 <= (real, float8),
	OPERATOR 3 = (real, real),
	OPERATOR 3 = (real, float8),
	OPERATOR 4 >= (real, real),
	OPERATOR 4 >= (real, float8),
	OPERATOR 5 > (real, real),
	OPERATOR 5 > (real, float8),
	OPERATOR 6 <> (real, real),
	OPERATOR 6 <> (real, float8);
COMMENT ON OPERATOR FAMILY float4_ops USING vecidx IS 'filter columns of type real';
COMMENT ON OPERATOR CLASS float4_ops USING vecidx IS 'filter columns of type real';

CREATE OPERATOR CLASS float8_ops
	DEFAULT FOR TYPE float8 USING vecidx AS
	OPERATOR 1 < (float8, float8),
	OPERATOR 1 < (float8, real),
	OPERATOR 2 <= (float8, float8),
	OPERATOR 2 <= (float8, real),
	OPERATOR 3 = (float8, float8),
	OPERATOR 3 = (float8, real),
	OPERATOR 4 >= (float8, float8),
	OPERATOR 4 >= (float8, real),
	OPERATOR 5 > (float8, float8),
	OPERATOR 5 > (float8, real),
	OPERATOR 6 <> (float8, float8),
	OPERATOR 6 <> (float8, real);
COMMENT ON OPERATOR FAMILY float8_ops USING vecidx IS 'filter columns of type float8';
COMMENT ON OPERATOR CLASS float8_ops USING vecidx IS 'filter columns of type float8';

CREATE OPERATOR CLASS money_ops
	DEFAULT FOR TYPE money USING vecidx AS
	OPERATOR 1 < (money, money),
	OPERATOR 2 <= (money, money),
	OPERATOR 3 = (money, money),
	OPERATOR 4 >= (money, money),
	OPERATOR 5 > (money, money),
	OPERATOR 6 <> (money, money);
COMMENT ON OPERATOR FAMILY money_ops USING vecidx IS 'filter columns of type money';
COMMENT ON OPERATOR CLASS money_ops USING vecidx IS 'filter columns of type money';

CREATE OPERATOR CLASS oid_ops
	DEFAULT FOR TYPE oid USING vecidx AS
	OPERATOR 1 < (oid, oid),
	OPERATOR 2 <= (oid, oid),
	OPERATOR 3 = (oid, oid),
	OPERATOR 4 >= (oid, oid),
	OPERATOR 5 > (oid, oid),
	OPERATOR 6 <> (oid, oid);
COMMENT ON OPERATOR FAMILY oid_ops USING vecidx IS 'filter columns of type oid';
COMMENT ON OPERATOR CLASS oid_ops USING vecidx IS 'filter columns of type oid';

CREATE OPERATOR CLASS xid8_ops
	DEFAULT FOR TYPE xid8 USING vecidx AS
	OPERATOR 1 < (xid8, xid8),
	OPERATOR 2 <= (xid8, xid8),
	OPERATOR 3 = (xid8, xid8),
	OPERATOR 4 >= (xid8, xid8),
	OPERATOR 5 > (xid8, xid8),
	OPERATOR 6 <> (xid8, xid8);
COMMENT ON OPERATOR FAMILY xid8_ops USING vecidx IS 'filter columns of type xid8';
COMMENT ON OPERATOR CLASS xid8_ops USING vecidx IS 'filter columns of type xid8';

CREATE OPERATOR CLASS pg_lsn_ops
	DEFAULT FOR TYPE pg_lsn USING vecidx AS
	OPERATOR 1 < (pg_lsn, pg_lsn),
	OPERATOR 2 <= (pg_lsn, pg_lsn),
	OPERATOR 3 = (pg_lsn, pg_lsn),
	OPERATOR 4 >= (pg_lsn, pg_lsn),
	OPERATOR 5 > (pg_lsn, pg_lsn),
	OPERATOR 6 <> (pg_lsn, pg_lsn);
COMMENT ON OPERATOR FAMILY pg_lsn_ops USING vecidx IS 'filter columns of type pg_lsn';
COMMENT ON OPERATOR CLASS pg_lsn_ops USING vecidx IS 'filter columns of type pg_lsn';

CREATE OPERATOR CLASS char_ops
	DEFAULT FOR TYPE "char" USING vecidx AS
	OPERATOR 1 < ("char", "char"),
	OPERATOR 2 <= ("char", "char"),
	OPERATOR 3 = ("char", "char"),
	OPERATOR 4 >= ("char", "char"),
	OPERATOR 5 > ("char", "char"),
	OPERATOR 6 <> ("char", "char");
COMMENT ON OPERATOR FAMILY char_ops USING vecidx IS 'filter columns of type "char"';
COMMENT ON OPERATOR CLASS char_ops USING vecidx IS 'filter columns of type "char"';

CREATE OPERATOR CLASS name_ops
	DEFAULT FOR TYPE name USING vecidx AS
	OPERATOR 1 < (name, name),
	OPERATOR 1 < (name, text),
	OPERATOR 2 <= (name, name),
	OPERATOR 2 <= (name, text),
	OPERATOR 3 = (name, name),
	OPERATOR 3 = (name, text),
	OPERATOR 4 >= (name, name),
	OPERATOR 4 >= (name, text),
	OPERATOR 5 > (name, name),
	OPERATOR 5 > (name, text),
	OPERATOR 6 <> (name, name),
	OPERATOR 6 <> (name, text),
	OPERATOR 7 ~~ (name, text),
	OPERATOR 8 !~~ (name, text),
	OPERATOR 9 ~~* (name, text),
	OPERATOR 10 !~~* (name, text),
	OPERATOR 11 ~ (name, text),
	OPERATOR 12 !~ (name, text),
	OPERATOR 13 ~* (name, text),
	OPERATOR 14 !~* (name, text);
COMMENT ON OPERATOR FAMILY name_ops USING vecidx IS 'filter columns of type name';
COMMENT ON OPERATOR CLASS name_ops USING vecidx IS 'filter columns of type name';

CREATE OPERATOR CLASS text_ops
	DEFAULT FOR TYPE text USING vecidx AS
	OPERATOR 1 < (text, text),
	OPERATOR 1 < (text, name),
	OPERATOR 2 <= (text, text),
	OPERATOR 2 <= (text, name),
	OPERATOR 3 = (text, text),
	OPERATOR 3 = (text, name),
	OPERATOR 4 >= (text, text),
	OPERATOR 4 >= (text, name),
	OPERATOR 5 > (text, text),
	OPERATOR 5 > (text, name),
	OPERATOR 6 <> (text, text),
	OPERATOR 6 <> (text, name),
	OPERATOR 7 ~~ (text, text),
	OPERATOR 8 !~~ (text, text),
	OPERATOR 9 ~~* (text, text),
	OPERATOR 10 !~~* (text, text),
	OPERATOR 11 ~ (text, text),
	OPERATOR 12 !~ (text, text),
	OPERATOR 13 ~* (text, text),
	OPERATOR 14 !~* (text, text),
	OPERATOR 15 ^@ (text, text);
COMMENT ON OPERATOR FAMILY text_ops USING vecidx IS 'filter columns of type text';
COMMENT ON OPERATOR CLASS text_ops USING vecidx IS 'filter columns of type text';

CREATE OPERATOR CLASS bpchar_ops
	DEFAULT FOR TYPE bpchar USING vecidx AS
	OPERATOR 1 < (bpchar, bpchar),
	OPERATOR 2 <= (bpchar, bpchar),
	OPERATOR 3 = (bpchar, bpchar),
	OPERATOR 4 >= (bpchar, bpchar),
	OPERATOR 5 > (bpchar, bpchar),
	OPERATOR 6 <> (bpchar, bpchar),
	OPERATOR 7 ~~ (bpchar, text),
	OPERATOR 8 !~~ (bpchar, text),
	OPERATOR 9 ~~* (bpchar, text),
	OPERATOR 10 !~~* (bpchar, text),
	OPERATOR 11 ~ (bpchar, text),
	OPERATOR 12 !~ (bpchar, text),
	OPERATOR 13 ~* (bpchar, text),
	OPERATOR 14 !~* (bpchar, text);
COMMENT ON OPERATOR FAMILY bpchar_ops USING vecidx IS 'filter columns of type bpchar';
COMMENT ON OPERATOR CLASS bpchar_ops USING vecidx IS 'filter columns of type bpchar';

CREATE OPERATOR CLASS bytea_ops
	DEFAULT FOR TYPE bytea USING vecidx AS
	OPERATOR 1 < (bytea, bytea),
	OPERATOR 2 <= (bytea, bytea),
	OPERATOR 3 = (bytea, bytea),
	OPERATOR 4 >= (bytea, bytea),
	OPERATOR 5 > (bytea, bytea),
	OPERATOR 6 <> (bytea, bytea),
	OPERATOR 7 ~~ (bytea, bytea),
	OPERATOR 8 !~~ (bytea, bytea);
COMMENT ON OPERATOR FAMILY bytea_ops USING vecidx IS 'filter columns of type bytea';
COMMENT ON OPERATOR CLASS bytea_ops USING vecidx IS 'filter columns of type bytea';

CREATE OPERATOR CLASS bit_ops
	DEFAULT FOR TYPE bit USING vecidx AS
	OPERATOR 1 < (bit, bit),
	OPERATOR 2 <= (bit, bit),
	OPERATOR 3 = (bit, bit),
	OPERATOR 4 >= (bit, bit),
	OPERATOR 5 > (bit, bit),
	OPERATOR 6 <> (bit, bit);
COMMENT ON OPERATOR FAMILY bit_ops USING vecidx IS 'filter columns of type bit';
COMMENT ON OPERATOR CLASS bit_ops USING vecidx IS 'filter columns of type bit';

CREATE OPERATOR CLASS varbit_ops
	DEFAULT FOR TYPE varbit USING vecidx AS
	OPERATOR 1 < (varbit, varbit),
	OPERATOR 2 <= (varbit, varbit),
	OPERATOR 3 = (varbit, varbit),
	OPERATOR 4 >= (varbit, varbit),
	OPERATOR 5 > (varbit, varbit),
	OPERATOR 6 <> (varbit, varbit);
COMMENT ON OPERATOR FAMILY varbit_ops USING vecidx IS 'filter columns of type varbit';
COMMENT ON OPERATOR CLASS varbit_ops USING vecidx IS 'filter columns of type varbit';

CREATE OPERATOR CLASS date_ops
	DEFAULT FOR TYPE date USING vecidx AS
	OPERATOR 1 < (date, date),
	OPERATOR 1 < (date, timestamp),
	OPERATOR 1 < (date, timestamptz),
	OPERATOR 2 <= (date, date),
	OPERATOR 2 <= (date, timestamp),
	OPERATOR 2 <= (date, timestamptz),
	OPERATOR 3 = (date, date),
	OPERATOR 3 = (date, timestamp),
	OPERATOR 3 = (date, timestamptz),
	OPERATOR 4 >= (date, date),
	OPERATOR 4 >= (date, timestamp),
	OPERATOR 4 >= (date, timestamptz),
	OPERATOR 5 > (date, date),
	OPERATOR 5 > (date, timestamp),
	OPERATOR 5 > (date, timestamptz),
	OPERATOR 6 <> (date, date),
	OPERATOR 6 <> (date, timestamp),
	OPERATOR 6 <> (date, timestamptz);
COMMENT ON OPERATOR FAMILY date_ops USING vecidx IS 'filter columns of type date';
COMMENT ON OPERATOR CLASS date_ops USING vecidx IS 'filter columns of type date';

CREATE OPERATOR CLASS time_ops
	DEFAULT FOR TYPE time USING vecidx AS
	OPERATOR 1 < (time, time),
	OPERATOR 2 <= (time, time),
	OPERATOR 3 = (time, time),
	OPERATOR 4 >= (time, time),
	OPERATOR 5 > (time, time),
	OPERATOR 6 <> (time, time);
COMMENT ON OPERATOR FAMILY time_ops USING vecidx IS 'filter columns of type time';
COMMENT ON OPERATOR CLASS time_ops USING vecidx IS 'filter columns of type time';

CREATE OPERATOR CLASS timetz_ops
	DEFAULT FOR TYPE timetz USING vecidx AS
	OPERATOR 1 < (timetz, timetz),
	OPERATOR 2 <= (timetz, timetz),
	OPERATOR 3 = (timetz, timetz),
	OPERATOR 4 >= (timetz, timetz),
	OPERATOR 5 > (timetz, timetz),
	OPERATOR 6 <> (timetz, timetz);
COMMENT ON OPERATOR FAMILY timetz_ops USING vecidx IS 'filter columns of type timetz';
COMMENT ON OPERATOR CLASS timetz_ops USING vecidx IS 'filter columns of type timetz';

CREATE OPERATOR CLASS timestamp_ops
	DEFAULT FOR TYPE timestamp USING vecidx AS
	OPERATOR 1 < (timestamp, timestamp),
	OPERATOR 1 < (timestamp, date),
	OPERATOR 1 < (timestamp, timestamptz),
	OPERATOR 2 <= (timestamp, timestamp),
	OPERATOR 2 <= (timestamp, date),
	OPERATOR 2 <= (timestamp, timestamptz),
	OPERATOR 3 = (timestamp, timestamp),
	OPERATOR 3 = (timestamp, date),
	OPERATOR 3 = (timestamp, timestamptz),
	OPERATOR 4 >= (timestamp, timestamp),
	OPERATOR 4 >= (timestamp, date),
	OPERATOR 4 >= (timestamp, timestamptz),
	OPERATOR 5 > (timestamp, timestamp),
	OPERATOR 5 > (timestamp, date),
	OPERATOR 5 > (timestamp, timestamptz),
	OPERATOR 6 <> (timestamp, timestamp),
	OPERATOR 6 <> (timestamp, date),
	OPERATOR 6 <> (timestamp, timestamptz);
COMMENT ON OPERATOR FAMILY timestamp_ops USING vecidx IS 'filter columns of type timestamp';
COMMENT ON OPERATOR CLASS timestamp_ops USING vecidx IS 'filter columns of type timestamp';

CREATE OPERATOR CLASS timestamptz_ops
	DEFAULT FOR TYPE timestamptz USING vecidx AS
	OPERATOR 1 < (timestamptz, timestamptz),
	OPERATOR 1 < (timestamptz, date),
	OPERATOR 1 < (timestamptz, timestamp),
	OPERATOR 2 <= (timestamptz, timestamptz),
	OPERATOR 2 <= (timestamptz, date),
	OPERATOR 2 <= (timestamptz, timestamp),
	OPERATOR 3 = (timestamptz, timestamptz),
	OPERATOR 3 = (timestamptz, date),
	OPERATOR 3 = (timestamptz, timestamp),
	OPERATOR 4 >= (timestamptz, timestamptz),
	OPERATOR 4 >= (timestamptz, date),
	OPERATOR 4 >= (timestamptz, timestamp),
	OPERATOR 5 > (timestamptz, timestamptz),
	OPERATOR 5 > (timestamptz, date),
	OPERATOR 5 > (timestamptz, timestamp),
	OPERATOR 6 <> (timestamptz, timestamptz),
	OPERATOR 6 <> (timestamptz, date),
	OPERATOR 6 <> (timestamptz, timestamp);
COMMENT ON OPERATOR FAMILY timestamptz_ops USING vecidx IS 'filter columns of type timestamptz';
COMMENT ON OPERATOR CLASS timestamptz_ops USING vecidx IS 'filter columns of type timestamptz';

CREATE OPERATOR CLASS interval_ops
	DEFAULT FOR TYPE interval USING vecidx AS
	OPERATOR 1 < (interval, interval),
	OPERATOR 2 <= (interval, interval),
	OPERATOR 3 = (interval, interval),
	OPERATOR 4 >= (interval, interval),
	OPERATOR 5 > (interval, interval),
	OPERATOR 6 <> (interval, interval);
COMMENT ON OPERATOR FAMILY interval_ops USING vecidx IS 'filter columns of type interval';
COMMENT ON OPERATOR CLASS interval_ops USING vecidx IS 'filter columns of type interval';

CREATE OPERATOR CLASS uuid_ops
	DEFAULT FOR TYPE uuid USING vecidx AS
	OPERATOR 1 < (uuid, uuid),
	OPERATOR 2 <= (uuid, uuid),
	OPERATOR 3 = (uuid, uuid),
	OPERATOR 4 >= (uuid, uuid),
	OPERATOR 5 > (uuid, uuid),
	OPERATOR 6 <> (uuid, uuid);
COMMENT ON OPERATOR FAMILY uuid_ops USING vecidx IS 'filter columns of type uuid';
COMMENT ON OPERATOR CLASS uuid_ops USING vecidx IS 'filter columns of type uuid';

CREATE OPERATOR CLASS inet_ops
	DEFAULT FOR TYPE inet USING vecidx AS
	OPERATOR 1 < (inet, inet),
	OPERATOR 2 <= (inet, inet),
	OPERATOR 3 = (inet, inet),
	OPERATOR 4 >= (inet, inet),
	OPERATOR 5 > (inet, inet),
	OPERATOR 6 <> (inet, inet),
	OPERATOR 18 && (inet, inet),
	OPERATOR 24 << (inet, inet),
	OPERATOR 25 <<= (inet, inet),
	OPERATOR 26 >> (inet, inet),
	OPERATOR 27 >>= (inet, inet);
COMMENT ON OPERATOR FAMILY inet_ops USING vecidx IS 'filter columns of type inet';
COMMENT ON OPERATOR CLASS inet_ops USING vecidx IS 'filter columns of type inet';

CREATE OPERATOR CLASS macaddr_ops
	DEFAULT FOR TYPE macaddr USING vecidx AS
	OPERATOR 1 < (macaddr, macaddr),
	OPERATOR 2 <= (macaddr, macaddr),
	OPERATOR 3 = (macaddr, macaddr),
	OPERATOR 4 >= (macaddr, macaddr),
	OPERATOR 5 > (macaddr, macaddr),
	OPERATOR 6 <> (macaddr, macaddr);
COMMENT ON OPERATOR FAMILY macaddr_ops USING vecidx IS 'filter columns of type macaddr';
COMMENT ON OPERATOR CLASS macaddr_ops USING vecidx IS 'filter columns of type macaddr';

CREATE OPERATOR CLASS macaddr8_ops
	DEFAULT FOR TYPE macaddr8 USING vecidx AS
	OPERATOR 1 < (macaddr8, macaddr8),
	OPERATOR 2 <= (macaddr8, macaddr8),
	OPERATOR 3 = (macaddr8, macaddr8),
	OPERATOR 4 >= (macaddr8, macaddr8),
	OPERATOR 5 > (macaddr8, macaddr8),
	OPERATOR 6 <> (macaddr8, macaddr8);
COMMENT ON OPERATOR FAMILY macaddr8_ops USING vecidx IS 'filter columns of type macaddr8';
COMMENT ON OPERATOR CLASS macaddr8_ops USING vecidx IS 'filter columns of type macaddr8';

CREATE OPERATOR CLASS enum_ops
	DEFAULT FOR TYPE anyenum USING vecidx AS
	OPERATOR 1 < (anyenum, anyenum),
	OPERATOR 2 <= (anyenum, anyenum),
	OPERATOR 3 = (anyenum, anyenum),
	OPERATOR 4 >= (anyenum, anyenum),
	OPERATOR 5 > (anyenum, anyenum),
	OPERATOR 6 <> (anyenum, anyenum);
COMMENT ON OPERATOR FAMILY enum_ops USING vecidx IS 'filter columns of any enum type';
COMMENT ON OPERATOR CLASS enum_ops USING vecidx IS 'filter columns of any enum type';

CREATE OPERATOR CLASS jsonb_ops
	DEFAULT FOR TYPE jsonb USING vecidx AS
	OPERATOR 1 < (jsonb, jsonb),
	OPERATOR 2 <= (jsonb, jsonb),
	OPERATOR 3 = (jsonb, jsonb),
	OPERATOR 4 >= (jsonb, jsonb),
	OPERATOR 5 > (jsonb, jsonb),
	OPERATOR 6 <> (jsonb, jsonb),
	OPERATOR 16 @> (jsonb, jsonb),
	OPERATOR 17 <@ (jsonb, jsonb),
	OPERATOR 19 ? (jsonb, text),
	OPERATOR 20 ?| (jsonb, text[]),
	OPERATOR 21 ?& (jsonb, text[]),
	OPERATOR 22 @? (jsonb, jsonpath),
	OPERATOR 23 @@ (jsonb, jsonpath);
COMMENT ON OPERATOR FAMILY jsonb_ops USING vecidx IS 'filter columns of type jsonb';
COMMENT ON OPERATOR CLASS jsonb_ops USING vecidx IS 'filter columns of type jsonb';

CREATE OPERATOR CLASS array_ops
	DEFAULT FOR TYPE anyarray USING vecidx AS
	OPERATOR 1 < (anyarray, anyarray),
	OPERATOR 2 <= (anyarray, anyarray),
	OPERATOR 3 = (anyarray, anyarray),
	OPERATOR 4 >= (anyarray, anyarray),
	OPERATOR 5 > (anyarray, anyarray),
	OPERATOR 6 <> (anyarray, anyarray),
	OPERATOR 16 @> (anyarray, anyarray),
	OPERATOR 17 <@ (anyarray, anyarray),
	OPERATOR 18 && (anyarray, anyarray);
COMMENT ON OPERATOR FAMILY array_ops USING vecidx IS 'filter columns of any array type';
COMMENT ON OPERATOR CLASS array_ops USING vecidx IS 'filter columns of any array type';

CREATE OPERATOR CLASS range_ops
	DEFAULT FOR TYPE anyrange USING vecidx AS
	OPERATOR 1 < (anyrange, anyrange),
	OPERATOR 2 <= (anyrange, anyrange),
	OPERATOR 3 = (anyrange, anyrange),
	OPERATOR 4 >= (anyrange, anyrange),
	OPERATOR 5 > (anyrange, anyrange),
	OPERATOR 6 <> (anyrange, anyrange),
	OPERATOR 16 @> (anyrange, anyrange),
	OPERATOR 16 @> (anyrange, anyelement),
	OPERATOR 16 @> (anyrange, anymultirange),
	OPERATOR 17 <@ (anyrange, anyrange),
	OPERATOR 17 <@ (anyrange, anymultirange),
	OPERATOR 18 && (anyrange, anyrange),
	OPERATOR 18 && (anyrange, anymultirange),
	OPERATOR 24 << (anyrange, anyrange),
	OPERATOR 24 << (anyrange, anymultirange),
	OPERATOR 26 >> (anyrange, anyrange),
	OPERATOR 26 >> (anyrange, anymultirange),
	OPERATOR 28 &< (anyrange, anyrange),
	OPERATOR 28 &< (anyrange, anymultirange),
	OPERATOR 29 &> (anyrange, anyrange),
	OPERATOR 29 &> (anyrange, anymultirange),
	OPERATOR 30 -|- (anyrange, anyrange),
	OPERATOR 30 -|- (anyrange, anymultirange);
COMMENT ON OPERATOR FAMILY range_ops USING vecidx IS 'filter columns of any range type';
COMMENT ON OPERATOR CLASS range_ops USING vecidx IS 'filter columns of any range type';

CREATE OPERATOR CLASS multirange_ops
	DEFAULT FOR TYPE anymultirange USING vecidx AS
	OPERATOR 1 < (anymultirange, anymultirange),
	OPERATOR 2 <= (anymultirange, anymultirange),
	OPERATOR 3 = (anymultirange, anymultirange),
	OPERATOR 4 >= (anymultirange, anymultirange),
	OPERATOR 5 > (anymultirange, anymultirange),
	OPERATOR 6 <> (anymultirange, anymultirange),
	OPERATOR 16 @> (anymultirange, anymultirange),
	OPERATOR 16 @> (anymultirange, anyelement),
	OPERATOR 16 @> (anymultirange, anyrange),
	OPERATOR 17 <@ (anymultirange, anymultirange),
	OPERATOR 17 <@ (anymultirange, anyrange),
	OPERATOR 18 && (anymultirange, anymultirange),
	OPERATOR 18 && (anymultirange, anyrange),
	OPERATOR 24 << (anymultirange, anymultirange),
	OPERATOR 24 << (anymultirange, anyrange),
	OPERATOR 26 >> (anymultirange, anymultirange),
	OPERATOR 26 >> (anymultirange, anyrange),
	OPERATOR 28 &< (anymultirange, anymultirange),
	OPERATOR 28 &< (anymultirange, anyrange),
	OPERATOR 29 &> (anymultirange, anymultirange),
	OPERATOR 29 &> (anymultirange, anyrange),
	OPERATOR 30 -|- (anymultirange, anymultirange),
	OPERATOR 30 -|- (anymultirange, anyrange);
COMMENT ON OPERATOR FAMILY multirange_ops USING vecidx IS 'filter columns of any multirange type';
COMMENT ON OPERATOR CLASS multirange_ops USING vecidx IS 'filter columns of any multirange type';
