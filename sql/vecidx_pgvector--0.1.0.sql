/* vecidx_pgvector--0.1.0.sql: pgvector's types as column types of vecidx. */

\echo Use "CREATE EXTENSION vecidx_pgvector" to load this file. \quit

/*
 * Names are not qualified: the search path of this script holds the schemas of
 * the extensions required.
 *
 * Distances from vector to an array.  All four array types are needed:
 * pgvector casts vector to real[] implicitly, so for any that were missing
 * here the operators of the core extension would compete.
 */

CREATE FUNCTION vecidx_l2_distance(vector, real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(vector, real[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_l2_distance(vector, float8[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(vector, float8[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_l2_distance(vector, integer[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(vector, integer[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_l2_distance(vector, numeric[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(vector, numeric[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_negative_inner_product(vector, real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(vector, real[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_negative_inner_product(vector, float8[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(vector, float8[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_negative_inner_product(vector, integer[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(vector, integer[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_negative_inner_product(vector, numeric[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(vector, numeric[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_cosine_distance(vector, real[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(vector, real[]) IS 'cosine distance';

CREATE FUNCTION vecidx_cosine_distance(vector, float8[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(vector, float8[]) IS 'cosine distance';

CREATE FUNCTION vecidx_cosine_distance(vector, integer[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(vector, integer[]) IS 'cosine distance';

CREATE FUNCTION vecidx_cosine_distance(vector, numeric[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_vector_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(vector, numeric[]) IS 'cosine distance';

CREATE OPERATOR <-> (
	LEFTARG = vector, RIGHTARG = real[], FUNCTION = vecidx_l2_distance
);
COMMENT ON OPERATOR <-> (vector, real[]) IS 'Euclidean distance';

CREATE OPERATOR <-> (
	LEFTARG = vector, RIGHTARG = float8[], FUNCTION = vecidx_l2_distance
);
COMMENT ON OPERATOR <-> (vector, float8[]) IS 'Euclidean distance';

CREATE OPERATOR <-> (
	LEFTARG = vector, RIGHTARG = integer[], FUNCTION = vecidx_l2_distance
);
COMMENT ON OPERATOR <-> (vector, integer[]) IS 'Euclidean distance';

CREATE OPERATOR <-> (
	LEFTARG = vector, RIGHTARG = numeric[], FUNCTION = vecidx_l2_distance
);
COMMENT ON OPERATOR <-> (vector, numeric[]) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = vector, RIGHTARG = real[], FUNCTION = vecidx_negative_inner_product
);
COMMENT ON OPERATOR <#> (vector, real[]) IS 'inner product, negated';

CREATE OPERATOR <#> (
	LEFTARG = vector, RIGHTARG = float8[], FUNCTION = vecidx_negative_inner_product
);
COMMENT ON OPERATOR <#> (vector, float8[]) IS 'inner product, negated';

CREATE OPERATOR <#> (
	LEFTARG = vector, RIGHTARG = integer[], FUNCTION = vecidx_negative_inner_product
);
COMMENT ON OPERATOR <#> (vector, integer[]) IS 'inner product, negated';

CREATE OPERATOR <#> (
	LEFTARG = vector, RIGHTARG = numeric[], FUNCTION = vecidx_negative_inner_product
);
COMMENT ON OPERATOR <#> (vector, numeric[]) IS 'inner product, negated';

CREATE OPERATOR <=> (
	LEFTARG = vector, RIGHTARG = real[], FUNCTION = vecidx_cosine_distance
);
COMMENT ON OPERATOR <=> (vector, real[]) IS 'cosine distance';

CREATE OPERATOR <=> (
	LEFTARG = vector, RIGHTARG = float8[], FUNCTION = vecidx_cosine_distance
);
COMMENT ON OPERATOR <=> (vector, float8[]) IS 'cosine distance';

CREATE OPERATOR <=> (
	LEFTARG = vector, RIGHTARG = integer[], FUNCTION = vecidx_cosine_distance
);
COMMENT ON OPERATOR <=> (vector, integer[]) IS 'cosine distance';

CREATE OPERATOR <=> (
	LEFTARG = vector, RIGHTARG = numeric[], FUNCTION = vecidx_cosine_distance
);
COMMENT ON OPERATOR <=> (vector, numeric[]) IS 'cosine distance';

/*
 * Distances from halfvec to an array.  Other arrays of numbers become
 * double precision[] implicitly.  There must be no operator with real[] here:
 * pgvector casts vector to both real[] and halfvec implicitly, so that halfvec
 * against vector would no longer be unique.
 */

CREATE FUNCTION vecidx_l2_distance(halfvec, float8[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_halfvec_l2_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_l2_distance(halfvec, float8[]) IS 'Euclidean distance';

CREATE FUNCTION vecidx_negative_inner_product(halfvec, float8[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_halfvec_negative_inner_product'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_negative_inner_product(halfvec, float8[]) IS 'inner product, negated';

CREATE FUNCTION vecidx_cosine_distance(halfvec, float8[]) RETURNS float8
	AS 'MODULE_PATHNAME', 'vecidx_halfvec_cosine_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION vecidx_cosine_distance(halfvec, float8[]) IS 'cosine distance';

CREATE OPERATOR <-> (
	LEFTARG = halfvec, RIGHTARG = float8[], FUNCTION = vecidx_l2_distance
);
COMMENT ON OPERATOR <-> (halfvec, float8[]) IS 'Euclidean distance';

CREATE OPERATOR <#> (
	LEFTARG = halfvec, RIGHTARG = float8[], FUNCTION = vecidx_negative_inner_product
);
COMMENT ON OPERATOR <#> (halfvec, float8[]) IS 'inner product, negated';

CREATE OPERATOR <=> (
	LEFTARG = halfvec, RIGHTARG = float8[], FUNCTION = vecidx_cosine_distance
);
COMMENT ON OPERATOR <=> (halfvec, float8[]) IS 'cosine distance';

/* Operator classes, named as in pgvector.  None is a default, as with its hnsw. */

CREATE FUNCTION vecidx_vector_l2_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_vector_l2_type(internal) IS 'support function of vector_l2_ops';

CREATE OPERATOR CLASS vector_l2_ops
	FOR TYPE vector USING vecidx AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	OPERATOR 1 <-> (vector, real[]) FOR ORDER BY float_ops,
	OPERATOR 1 <-> (vector, float8[]) FOR ORDER BY float_ops,
	OPERATOR 1 <-> (vector, integer[]) FOR ORDER BY float_ops,
	OPERATOR 1 <-> (vector, numeric[]) FOR ORDER BY float_ops,
	FUNCTION 1 (vector, vector) vecidx_vector_l2_type(internal);
COMMENT ON OPERATOR FAMILY vector_l2_ops USING vecidx IS 'nearest vectors by Euclidean distance';
COMMENT ON OPERATOR CLASS vector_l2_ops USING vecidx IS 'nearest vectors by Euclidean distance';

CREATE FUNCTION vecidx_vector_ip_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_vector_ip_type(internal) IS 'support function of vector_ip_ops';

CREATE OPERATOR CLASS vector_ip_ops
	FOR TYPE vector USING vecidx AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	OPERATOR 1 <#> (vector, real[]) FOR ORDER BY float_ops,
	OPERATOR 1 <#> (vector, float8[]) FOR ORDER BY float_ops,
	OPERATOR 1 <#> (vector, integer[]) FOR ORDER BY float_ops,
	OPERATOR 1 <#> (vector, numeric[]) FOR ORDER BY float_ops,
	FUNCTION 1 (vector, vector) vecidx_vector_ip_type(internal);
COMMENT ON OPERATOR FAMILY vector_ip_ops USING vecidx IS 'nearest vectors by inner product';
COMMENT ON OPERATOR CLASS vector_ip_ops USING vecidx IS 'nearest vectors by inner product';

CREATE FUNCTION vecidx_vector_cosine_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_vector_cosine_type(internal) IS 'support function of vector_cosine_ops';

CREATE OPERATOR CLASS vector_cosine_ops
	FOR TYPE vector USING vecidx AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	OPERATOR 1 <=> (vector, real[]) FOR ORDER BY float_ops,
	OPERATOR 1 <=> (vector, float8[]) FOR ORDER BY float_ops,
	OPERATOR 1 <=> (vector, integer[]) FOR ORDER BY float_ops,
	OPERATOR 1 <=> (vector, numeric[]) FOR ORDER BY float_ops,
	FUNCTION 1 (vector, vector) vecidx_vector_cosine_type(internal);
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING vecidx IS 'nearest vectors by cosine distance';
COMMENT ON OPERATOR CLASS vector_cosine_ops USING vecidx IS 'nearest vectors by cosine distance';

CREATE FUNCTION vecidx_halfvec_l2_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_halfvec_l2_type(internal) IS 'support function of halfvec_l2_ops';

CREATE OPERATOR CLASS halfvec_l2_ops
	FOR TYPE halfvec USING vecidx AS
	OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
	OPERATOR 1 <-> (halfvec, float8[]) FOR ORDER BY float_ops,
	FUNCTION 1 (halfvec, halfvec) vecidx_halfvec_l2_type(internal);
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING vecidx IS 'nearest vectors by Euclidean distance';
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING vecidx IS 'nearest vectors by Euclidean distance';

CREATE FUNCTION vecidx_halfvec_ip_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_halfvec_ip_type(internal) IS 'support function of halfvec_ip_ops';

CREATE OPERATOR CLASS halfvec_ip_ops
	FOR TYPE halfvec USING vecidx AS
	OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
	OPERATOR 1 <#> (halfvec, float8[]) FOR ORDER BY float_ops,
	FUNCTION 1 (halfvec, halfvec) vecidx_halfvec_ip_type(internal);
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING vecidx IS 'nearest vectors by inner product';
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING vecidx IS 'nearest vectors by inner product';

CREATE FUNCTION vecidx_halfvec_cosine_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_halfvec_cosine_type(internal) IS 'support function of halfvec_cosine_ops';

CREATE OPERATOR CLASS halfvec_cosine_ops
	FOR TYPE halfvec USING vecidx AS
	OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
	OPERATOR 1 <=> (halfvec, float8[]) FOR ORDER BY float_ops,
	FUNCTION 1 (halfvec, halfvec) vecidx_halfvec_cosine_type(internal);
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING vecidx IS 'nearest vectors by cosine distance';
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING vecidx IS 'nearest vectors by cosine distance';

CREATE FUNCTION vecidx_bit_hamming_type(internal) RETURNS internal
	AS 'MODULE_PATHNAME' LANGUAGE C STRICT;
COMMENT ON FUNCTION vecidx_bit_hamming_type(internal) IS 'support function of bit_hamming_ops';

CREATE OPERATOR CLASS bit_hamming_ops
	FOR TYPE bit USING vecidx AS
	OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
	FUNCTION 1 (bit, bit) vecidx_bit_hamming_type(internal);
COMMENT ON OPERATOR FAMILY bit_hamming_ops USING vecidx IS 'nearest bit strings by Hamming distance';
COMMENT ON OPERATOR CLASS bit_hamming_ops USING vecidx IS 'nearest bit strings by Hamming distance';
