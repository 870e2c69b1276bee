--
-- Indexes of several columns: a vector, then filter columns.
--
SET client_min_messages = warning;
SET jit = off;
-- each operator class is sound, and every type has the default that its name tells
SELECT count(*) > 30 AS many, count(*) FILTER (WHERE NOT amvalidate(c.oid)) AS unsound
FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = c.opcmethod WHERE amname = 'vecidx';
SELECT opcname, opcintype::regtype, count(*) AS operators
FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = c.opcmethod JOIN pg_amop AS o ON o.amopfamily = c.opcfamily
WHERE amname = 'vecidx' AND opcdefault GROUP BY 1, 2 ORDER BY 1;
-- a number means the same in all of them
SELECT amopstrategy, string_agg(DISTINCT oprname, ' ') AS names
FROM pg_amop AS a JOIN pg_operator AS o ON o.oid = a.amopopr JOIN pg_am AS m ON m.oid = a.amopmethod
WHERE amname = 'vecidx' AND amoppurpose = 's' GROUP BY 1 ORDER BY 1;
-- what the classes lack of the operators that an order has
SELECT c.opcname, b.amopopr::regoperator
FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = c.opcmethod AND amname = 'vecidx'
	JOIN pg_opclass AS bc ON bc.opcintype = c.opcintype AND bc.opcdefault AND bc.opcmethod = 403
	JOIN pg_amop AS b ON b.amopfamily = bc.opcfamily AND b.amoplefttype = c.opcintype
WHERE c.opcdefault AND NOT EXISTS (SELECT FROM pg_amop AS o WHERE o.amopfamily = c.opcfamily AND o.amopopr = b.amopopr);

-- all types in one table, with nulls, empty values and long ones
CREATE TYPE columns_mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN columns_name AS varchar(20) CHECK (value <> 'nobody');
CREATE TABLE columns_all (
	id int PRIMARY KEY, v real[], c_bool bool, c_int2 int2, c_int4 int4, c_int8 int8, c_numeric numeric, c_float4 float4,
	c_float8 float8, c_money money, c_oid oid, c_xid8 xid8, c_lsn pg_lsn, c_char "char", c_name name, c_text text,
	c_bpchar char(8), c_bytea bytea, c_bit bit(5), c_varbit varbit, c_date date, c_time time, c_timetz timetz,
	c_timestamp timestamp, c_timestamptz timestamptz, c_interval interval, c_uuid uuid, c_inet inet, c_macaddr macaddr,
	c_enum columns_mood, c_domain columns_name, c_jsonb jsonb, c_array int[]);
CREATE FUNCTION columns_fill(first int, last int) RETURNS void LANGUAGE sql AS $$
INSERT INTO columns_all
SELECT i, ARRAY[sin(i), cos(i), sin(i * 3.0), cos(i * 7.0)]::real[], i % 2 = 0, i, i, i * 10000000000, i / 7.0, i / 3.0, i / 3.0,
	i::float8::numeric::money, i, i::text::xid8, '0/1'::pg_lsn + i, chr(65 + i % 26)::"char", 'name' || i,
	repeat('text', i % 5) || i, 'c' || i, convert_to(repeat('b', i % 40), 'UTF8'), (i % 32)::bit(5),
	(i % 32)::bit(5)::varbit || B'1', '2000-01-01'::date + i, '00:00'::time + i * '1 min'::interval, '00:00+02'::timetz,
	'2000-01-01'::timestamp + i * '1 h'::interval, '2000-01-01 UTC'::timestamptz + i * '1 h'::interval,
	i * '1 day'::interval, md5(i::text)::uuid, '10.0.0.0'::inet + i, macaddr '08:00:2b:01:02:03',
	(enum_range(NULL::columns_mood))[1 + i % 3], 'n' || i, jsonb_build_object('i', i, 'even', i % 2 = 0), ARRAY[i, i % 3]
FROM generate_series(first, last) AS i WHERE i % 10 > 0
UNION ALL
SELECT i, ARRAY[sin(i), cos(i), sin(i * 3.0), cos(i * 7.0)]::real[], NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM generate_series(first, last) AS i WHERE i % 10 = 0
$$;
SELECT columns_fill(1, 200);
CREATE INDEX columns_all_1 ON columns_all USING vecidx (v real_l2_ops, c_bool, c_int2, c_int4, c_int8, c_numeric, c_float4,
	c_float8, c_money, c_oid, c_xid8, c_lsn, c_char, c_name, c_text, c_bpchar, c_bytea, c_bit, c_varbit, c_date, c_time, c_timetz,
	c_timestamp, c_timestamptz, c_interval, c_uuid, c_inet, c_macaddr, c_enum, c_domain, c_jsonb, c_array);
SELECT columns_fill(201, 300);
SELECT vecidx_check('columns_all_1');
SELECT property, value FROM vecidx_info('columns_all_1') WHERE property IN ('filter columns', 'nodes', 'extensions', 'TIDs');
-- one more than the server allows
CREATE INDEX ON columns_all USING vecidx (v real_l2_ops, id, c_bool, c_int2, c_int4, c_int8, c_numeric, c_float4,
	c_float8, c_money, c_oid, c_xid8, c_lsn, c_char, c_name, c_text, c_bpchar, c_bytea, c_bit, c_varbit, c_date, c_time, c_timetz,
	c_timestamp, c_timestamptz, c_interval, c_uuid, c_inet, c_macaddr, c_enum, c_domain, c_jsonb, c_array);
-- all conditions go into the index, and find what the table has
CREATE FUNCTION columns_find(condition text) RETURNS TABLE (plan text, rows_found int, same bool) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
	line text;
	ids int[];
	truth int[];
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (COSTS OFF) SELECT id FROM columns_all WHERE %s ORDER BY v <-> ''{1,0,1,0}''', condition) LOOP
		plan := coalesce(plan || ' / ', '') || trim(line);
	END LOOP;
	plan := CASE WHEN plan ~ 'Index Cond' AND plan !~ 'Filter' THEN 'index' ELSE plan END;
	EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM columns_all WHERE %s ORDER BY v <-> ''{1,0,1,0}'') AS f',
		condition) INTO ids;
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_indexscan = off;
	EXECUTE format('SELECT array_agg(id ORDER BY id) FROM columns_all WHERE %s', condition) INTO truth;
	rows_found := coalesce(array_length(ids, 1), 0);
	same := ids IS NOT DISTINCT FROM truth;
	SET LOCAL enable_indexscan = on;
	RETURN NEXT;
END
$$;
SELECT condition, f.* FROM unnest(ARRAY[
	'c_int2 < 50::int8', 'c_int4 BETWEEN 10 AND 20', 'c_int8 = 10000000000', 'c_int4 <> 7', 'c_numeric > 10.5', 'c_float4 < 3.5::float8',
	'c_float8 >= 40', 'c_money < ''5''', 'c_oid = 99', 'c_xid8 = ''77''', 'c_lsn > ''0/20''', 'c_char = ''B''', 'c_name = ''name44''',
	'c_text LIKE ''texttext1%''', 'c_text ~ ''^text\d+$''', 'c_text ^@ ''textt''', 'c_bpchar = ''c17''', 'c_bytea = ''bbb''',
	'c_bit = B''00011''', 'c_varbit = B''000111''', 'c_date > ''2000-05-01''::timestamp', 'c_time < ''01:00''', 'c_timetz = ''00:00+02''',
	'c_timestamp < ''2000-01-02''::date', 'c_timestamptz < ''2000-01-02 UTC''', 'c_interval <= ''10 days''',
	'c_uuid = md5(''12'')::uuid', 'c_inet << ''10.0.0.0/29''', 'c_macaddr = ''08:00:2b:01:02:03''', 'c_enum > ''sad''',
	'c_domain = ''n25''', 'c_jsonb @> ''{"even": true}''', 'c_jsonb ? ''i''', 'c_array @> ''{7}''', 'c_array && ''{7,8}''', 'c_array = ''{7,1}''',
	'c_text IS NULL', 'c_text IS NOT NULL AND c_int4 < 10', 'c_enum = ''ok'' AND c_bpchar > ''c2'' AND c_date < ''2000-03-01''']) AS condition,
	LATERAL columns_find(condition) AS f;

-- columns that are expressions, and a condition on the index
CREATE INDEX columns_expression ON columns_all USING vecidx ((v || 0::real) real_l2_ops, (c_int4 % 7), lower(c_text), (c_jsonb ->> 'i'))
WHERE c_bool;
SELECT vecidx_check('columns_expression') = count(*) FROM columns_all WHERE c_bool;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM columns_all WHERE c_bool AND c_int4 % 7 = 3 AND lower(c_text) = 'text31'
ORDER BY v || 0::real <-> '{1,0,1,0,0}' LIMIT 3;
RESET enable_seqscan;
DROP INDEX columns_expression;

-- what is refused
CREATE INDEX ON columns_all USING vecidx (c_int4, v real_l2_ops);
CREATE INDEX ON columns_all USING vecidx (v real_l2_ops, v real_ip_ops);
CREATE INDEX ON columns_all USING vecidx (v);
CREATE INDEX ON columns_all USING vecidx (v real_l2_ops) INCLUDE (id);
CREATE UNIQUE INDEX ON columns_all USING vecidx (v real_l2_ops, id);
ALTER TABLE columns_all ADD EXCLUDE USING vecidx (id WITH =);
CREATE TABLE columns_point (v real[], p point, x xml);
CREATE INDEX ON columns_point USING vecidx (v real_l2_ops, p);
CREATE INDEX ON columns_point USING vecidx (v real_l2_ops, x);
CREATE UNLOGGED TABLE columns_unlogged (v real[], a int);
CREATE INDEX ON columns_unlogged USING vecidx (a, v real_l2_ops);
CREATE INDEX columns_unlogged_i ON columns_unlogged USING vecidx (v real_l2_ops, a);
INSERT INTO columns_unlogged VALUES ('{1,2}', 1), ('{1,2}', 2);
SELECT vecidx_check('columns_unlogged_i');

-- classes that are not sound
CREATE OPERATOR FAMILY columns_bad USING vecidx;
CREATE OPERATOR CLASS columns_none FOR TYPE point USING vecidx FAMILY columns_bad AS STORAGE point;
SET client_min_messages = notice;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'columns_none';
ALTER OPERATOR FAMILY columns_bad USING vecidx ADD OPERATOR 1 <-> (point, point) FOR ORDER BY float_ops;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'columns_none';
SET client_min_messages = warning;
DROP OPERATOR FAMILY columns_bad USING vecidx CASCADE;

-- classes for a type of another extension, or of the user
CREATE TYPE columns_code;
CREATE FUNCTION columns_code_in(cstring) RETURNS columns_code LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION columns_code_out(columns_code) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE columns_code (INPUT = columns_code_in, OUTPUT = columns_code_out, LIKE = text, COLLATABLE = true);
CREATE FUNCTION columns_code_eq(columns_code, columns_code) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'texteq';
CREATE FUNCTION columns_code_ne(columns_code, columns_code) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'textne';
CREATE FUNCTION columns_code_like(columns_code, text) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'textlike';
CREATE FUNCTION columns_code_hash(columns_code) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'hashtext';
CREATE OPERATOR = (LEFTARG = columns_code, RIGHTARG = columns_code, FUNCTION = columns_code_eq, NEGATOR = <>, COMMUTATOR = =);
CREATE OPERATOR <> (LEFTARG = columns_code, RIGHTARG = columns_code, FUNCTION = columns_code_ne, NEGATOR = =, COMMUTATOR = <>);
CREATE OPERATOR ~~ (LEFTARG = columns_code, RIGHTARG = text, FUNCTION = columns_code_like);
CREATE OPERATOR CLASS columns_code_hash_ops DEFAULT FOR TYPE columns_code USING hash AS
	OPERATOR 1 = (columns_code, columns_code), FUNCTION 1 columns_code_hash(columns_code);
CREATE ROLE columns_user;
SET ROLE columns_user;
SELECT * FROM vecidx_add_operator_classes();
RESET ROLE;
GRANT EXECUTE ON FUNCTION vecidx_add_operator_classes() TO columns_user;
SET ROLE columns_user;
SELECT * FROM vecidx_add_operator_classes();
RESET ROLE;
REVOKE EXECUTE ON FUNCTION vecidx_add_operator_classes() FROM columns_user;
DROP ROLE columns_user;
SELECT * FROM vecidx_add_operator_classes();
SELECT * FROM vecidx_add_operator_classes();
SELECT amopstrategy, amopopr::regoperator, amvalidate(c.oid)
FROM pg_opclass AS c JOIN pg_amop AS a ON amopfamily = opcfamily WHERE opcname = 'columns_code_ops' ORDER BY 1, 2;
CREATE TABLE columns_codes AS SELECT i AS id, ARRAY[i, i % 7]::real[] AS v, ('code' || i % 10)::columns_code AS code FROM generate_series(1, 100) AS i;
CREATE INDEX columns_codes_i ON columns_codes USING vecidx (v real_l2_ops, code);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM columns_codes WHERE code = 'code3' AND code ~~ 'c%' ORDER BY v <-> '{50,3}' LIMIT 3;
SELECT id FROM columns_codes WHERE code = 'code3' AND code ~~ 'c%' ORDER BY v <-> '{50,3}' LIMIT 3;
RESET enable_seqscan;

DROP TABLE columns_all, columns_point, columns_unlogged, columns_codes;
DROP TYPE columns_code CASCADE;
DROP TYPE columns_mood;
DROP DOMAIN columns_name;
DROP FUNCTION columns_fill, columns_find;
