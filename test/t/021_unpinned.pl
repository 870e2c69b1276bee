# Reads without a pin steer a search and decide nothing.
#
# With shared buffers much smaller than the index, every buffer changes its
# page all the time.  While some clients write, vacuum, and drive pages out by
# reading other tables, others run each query under one snapshot in every way
# of reaching pages (vecidx.page_access) and compare: a scan without LIMIT must
# return exactly the rows that the snapshot sees, whatever the way; with LIMIT,
# rows must be the right number, come in order, and be as good as those that
# pinned reads find.  The index keeps whole floats for its rerank vectors, so
# that order is the order of true distances.
#
# VECIDX_UNPINNED_SECONDS: how long (30)

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{VECIDX_UNPINNED_SECONDS} || 30;

my $node = PostgreSQL::Test::Cluster->new('unpinned');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_buffers = 1MB
max_connections = 20
autovacuum = off
jit = off
max_wal_size = 1GB
statement_timeout = 60s
max_parallel_workers_per_gather = 0
CONF
$node->start;

# Rows around 60 centres, so that a search has to find the right ones.
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION vecidx;
SELECT setseed(0.5);
CREATE FUNCTION make_vector(seed int) RETURNS real[] LANGUAGE sql VOLATILE AS $$
	SELECT array_agg((sin(seed % 60 * 7 + d * d) + random() - 0.5)::real) FROM generate_series(1, 32) d
$$;
CREATE TABLE items (id int PRIMARY KEY, v real[], touched int DEFAULT 0) WITH (fillfactor = 80);
INSERT INTO items SELECT n, make_vector(n) FROM generate_series(1, 9000) n;
CREATE TABLE queries AS SELECT n AS qid, make_vector(n) AS q FROM generate_series(1, 200) n;
CREATE SEQUENCE next_id START 100000;
CREATE INDEX items_v ON items USING vecidx (v real_l2_ops) WITH (m = 8, quantizer = 'rabitq4', rerank = 'float');
CREATE INDEX items_touched ON items (touched);
CREATE TABLE other (id int PRIMARY KEY, filler text) WITH (fillfactor = 20);
INSERT INTO other SELECT n, repeat('x', 200) FROM generate_series(1, 5000) n;
CREATE TABLE outcome (scanner int, way text, queries bigint DEFAULT 0, hits bigint DEFAULT 0,
					  disordered bigint DEFAULT 0, PRIMARY KEY (scanner, way)) WITH (fillfactor = 10);
INSERT INTO outcome (scanner, way)
	SELECT s, w FROM generate_series(0, 9) s, unnest(ARRAY['unpinned', 'recent', 'pinned']) w;
ANALYZE;

-- The nearest ten by the index: ids and distances in the order in which they came.
CREATE FUNCTION nearest(q real[], OUT ids int[], OUT distances float8[]) LANGUAGE plpgsql AS $$
BEGIN
	SELECT array_agg(r.id), array_agg(r.d) INTO ids, distances
	FROM (SELECT id, v <-> q AS d FROM items ORDER BY v <-> q LIMIT 10) r;
END $$;

CREATE FUNCTION all_ids(q real[]) RETURNS int[] LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT array_agg(r.id) FROM (SELECT id FROM items ORDER BY v <-> q) r);
END $$;

CREATE FUNCTION sorted(a int[]) RETURNS int[] LANGUAGE sql IMMUTABLE AS
	'SELECT array_agg(e ORDER BY e) FROM unnest(a) e';

-- Compares the ways for one query; the caller has a REPEATABLE READ snapshot.
CREATE FUNCTION compare_nearest(query int, client int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	query_vector real[] := (SELECT q FROM queries WHERE qid = query);
	truth int[];
	how text;
	found record;
	wrong int;
BEGIN
	PERFORM set_config('enable_indexscan', 'off', true);
	truth := (SELECT array_agg(r.id) FROM (SELECT id FROM items ORDER BY v <-> query_vector LIMIT 10) r);
	PERFORM set_config('enable_indexscan', 'on', true);
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
	FOREACH how IN ARRAY ARRAY['unpinned', 'recent', 'pinned'] LOOP
		PERFORM set_config('vecidx.page_access', how, true);
		found := nearest(query_vector);
		IF cardinality(found.ids) <> 10 OR cardinality(sorted(found.ids)) <> 10
			OR (SELECT count(DISTINCT e) FROM unnest(found.ids) e) <> 10 THEN
			RAISE 'query % (%): not ten rows: %', query, how, found.ids;
		END IF;
		SELECT least(count(*), 1) INTO wrong
		FROM (SELECT d, lag(d, 1, 0::float8) OVER (ORDER BY n) AS before
			  FROM unnest(found.distances) WITH ORDINALITY u(d, n)) s
		WHERE d < before - 0.00001;
		UPDATE outcome o SET queries = queries + 1,
			hits = hits + (SELECT count(*) FROM unnest(found.ids) e WHERE e = ANY (truth)),
			disordered = disordered + wrong
		WHERE o.scanner = client AND o.way = how;
	END LOOP;
END $$;

CREATE FUNCTION compare_all(query int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	query_vector real[] := (SELECT q FROM queries WHERE qid = query);
	truth int[];
	how text;
	found int[];
BEGIN
	PERFORM set_config('enable_indexscan', 'off', true);
	truth := (SELECT array_agg(id ORDER BY id) FROM items WHERE v IS NOT NULL);
	PERFORM set_config('enable_indexscan', 'on', true);
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
	FOREACH how IN ARRAY ARRAY['unpinned', 'recent', 'pinned'] LOOP
		PERFORM set_config('vecidx.page_access', how, true);
		found := sorted(all_ids(query_vector));
		IF found IS DISTINCT FROM truth THEN
			RAISE 'query % (%): % rows instead of %, missing %, twice or invisible %', query, how,
				cardinality(found), cardinality(truth),
				(SELECT array_agg(e) FROM unnest(truth) e WHERE e <> ALL (found)),
				(SELECT array_agg(e) FROM (SELECT unnest(found) EXCEPT ALL SELECT unnest(truth)) x(e));
		END IF;
	END LOOP;
END $$;
SQL

my $pages = $node->safe_psql('postgres', "SELECT pg_relation_size('items_v') / 8192");
cmp_ok($pages, '>', 2 * 128, "the index ($pages pages) is more than twice the shared buffers");
like(
	$node->safe_psql(
		'postgres', q{
		SET enable_seqscan = off; SET enable_sort = off;
		EXPLAIN SELECT id FROM items ORDER BY v <-> (SELECT q FROM queries WHERE qid = 1)}),
	qr/Index Scan using items_v/,
	'complete scans use the index');

# The weights are shares of the transactions of all clients.
my %script = (
	'nearest@12' => <<'SQL',
\set query random(1, 200)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET LOCAL vecidx.ef_search = 24;
SELECT compare_nearest(:query, :client_id);
COMMIT;
SQL
	'all@2' => <<'SQL',
\set query random(1, 200)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT compare_all(:query);
COMMIT;
SQL
	'insert@10' => <<'SQL',
\set seed random(1, 100000)
INSERT INTO items SELECT nextval('next_id'), make_vector(:seed + n) FROM generate_series(1, 4) n;
SQL
	'twin@4' => <<'SQL',
\set id random(1, 9000)
INSERT INTO items SELECT nextval('next_id'), v FROM items WHERE id = :id;
SQL
	'update@8' => <<'SQL',
\set id random(1, 9000)
UPDATE items SET v = make_vector(:id), touched = touched + 1 WHERE id = :id;
SQL
	'touch@8' => <<'SQL',
\set id random(1, 9000)
UPDATE items SET touched = touched + 1 WHERE id = :id;
SQL
	'delete@8' => <<'SQL',
\set id random(1, 9000)
DELETE FROM items WHERE id = :id
	OR id IN (SELECT id FROM items WHERE id >= 100000 ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 4);
SQL
	'vacuum@1' => "VACUUM items;\n",
	'evict@12' => <<'SQL',
\set id random(1, 4900)
SELECT count(filler) FROM other WHERE id BETWEEN :id AND :id + 100;
SQL
	'checkpoint@1' => "CHECKPOINT;\n");

my $folder = PostgreSQL::Test::Utils::tempdir();
my @files;
for my $name (sort keys %script)
{
	my ($file, $weight) = split /@/, $name;

	append_to_file("$folder/$file.sql", $script{$name});
	push @files, '-f', "$folder/$file.sql\@$weight";
}

# Clients may fail with nothing but what the scanners raise.
my ($stdout, $stderr) = ('', '');
my $command = [ 'pgbench', '-n', '-c', 6, '-j', 1, '-T', $seconds, '--random-seed=1', @files, $node->connstr('postgres') ];
my $ok = IPC::Run::run($command, '>', \$stdout, '2>', \$stderr);
ok($ok, 'no client has failed') or diag("$stdout\n$stderr");
unlike($stderr, qr/ERROR/, 'no statement has failed');
note($stdout);

my %outcome;
for my $line (split /\n/, $node->safe_psql('postgres', 'SELECT way, sum(queries), sum(hits), sum(disordered) FROM outcome GROUP BY way'))
{
	my ($way, $queries, $hits, $disordered) = split /\|/, $line;

	$outcome{$way} = { queries => $queries, recall => $queries ? $hits / (10 * $queries) : 0 };
	note("$way: $queries queries, recall $outcome{$way}{recall}, $disordered out of order");

	# where deleted rows leave the first batch short, the second may have nearer ones
	cmp_ok($disordered, '<=', 0.01 * $queries, "$way: rows come in order");
}
cmp_ok($outcome{unpinned}{queries}, '>=', $seconds, 'enough queries were compared');
cmp_ok($outcome{pinned}{recall}, '>', 0.7, 'pinned reads find the nearest rows');
for my $way ('unpinned', 'recent')
{
	# the ways see the same graph but for what is written between their turns
	cmp_ok(abs($outcome{$way}{recall} - $outcome{pinned}{recall}), '<', 0.01, "$way reads find as many");
}

# Vacuum did take slots back, so that pages and slots got new owners meanwhile.
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM items WHERE id >= 100000"), '>', 0, 'rows were added');
$node->safe_psql('postgres', 'VACUUM items');
is($node->safe_psql('postgres', "SELECT vecidx_check('items_v') > 0"), 't', 'the index is intact');
$node->safe_psql('postgres', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT compare_all(1); COMMIT;');
unlike(slurp_file($node->logfile), qr/was terminated by signal|PANIC:|TRAP:/, 'the server has not crashed');
$node->stop;
done_testing();
