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

CREATE FUNCTION vecidx_calibrate(index regclass) RETURNS integer
	AS 'MODULE_PATHNAME', 'vecidx_calibrate_by_rows' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION vecidx_calibrate(regclass) IS
	'measure anew what reaches which recall, with rows of the table as queries: number of queries used';

CREATE FUNCTION vecidx_calibrate(index regclass, queries anyarray) RETURNS integer
	AS 'MODULE_PATHNAME', 'vecidx_calibrate_by_queries' LANGUAGE C STRICT VOLATILE;
COMMENT ON FUNCTION vecidx_calibrate(regclass, anyarray) IS
	'measure anew what reaches which recall, with given queries (of more than 1,024, as many evenly spread): number of queries used';

CREATE FUNCTION vecidx_last_scan(OUT index regclass, OUT k bigint, OUT target_recall float8, OUT ef bigint,
		OUT slack float8, OUT rerank_factor float8, OUT strategy text, OUT expanded bigint, OUT estimates bigint,
		OUT reranked bigint, OUT exact bigint, OUT rows bigint)
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION vecidx_last_scan() IS 'what the latest scan of a vecidx index in this session did';

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
