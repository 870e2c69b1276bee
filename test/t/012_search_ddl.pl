# Searches while the index under them is dropped, made, rebuilt with other
# options, vacuumed and truncated.
#
# Sessions loop over prepared statements (plans made once, and plans made for
# each execution) and cursors, and compare what they find with what is known to
# be there.  No statement may fail, and no answer may be wrong, whatever index
# there is, or none.
#
# VECIDX_DDL_SECONDS: how long (5), and at least until each change has been made

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxSearch;
use VecidxTest;

my $seconds = $ENV{VECIDX_DDL_SECONDS} || 5;
my $rows = 1500;
my $queries = 25;
my $k = 10;

my $node = new_node('ddl', 'shared_buffers = 64MB');

$node->start;
install_helpers($node);
create_items($node, $rows, $queries, 16);
keep_answers($node, 'table', '<->', $k, by_table);

# "items" keeps its rows for good; those of "emptied" come and go together.
$node->safe_psql('postgres', <<EOT);
CREATE INDEX nearby ON items USING vecidx (embedding real_l2_ops);
CREATE TABLE emptied AS SELECT * FROM items WHERE id <= 1200;
CREATE INDEX emptied_nearby ON emptied USING vecidx (embedding real_l2_ops);
CREATE TABLE truth AS SELECT query, array_agg(id) AS ids FROM answers GROUP BY query;
CREATE TABLE outcome (what text, hits int);
SELECT vecidx_check('nearby');

-- Complains unless "ids" are those of ten rows, most of them among the true nearest.
CREATE FUNCTION judge(what text, query_id int, ids int[]) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
	hits int := (SELECT count(*) FROM truth AS t, unnest(t.ids) AS e WHERE t.query = query_id AND e = ANY (judge.ids));
BEGIN
	IF cardinality(ids) <> $k OR (SELECT count(DISTINCT e) FROM unnest(judge.ids) AS e) <> $k OR hits < 5 THEN
		RAISE 'wrong answer to query % (%): % of %', query_id, what, hits, ids;
	END IF;
	INSERT INTO outcome VALUES (what, hits);
END
\$\$;

-- The statements' plans are kept by the session.
CREATE FUNCTION search_prepared(query_id int) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
	query real[] := (SELECT embedding FROM queries WHERE id = query_id);
BEGIN
	PERFORM judge(current_setting('plan_cache_mode'), query_id,
		(SELECT array_agg(id) FROM (SELECT id FROM items ORDER BY embedding <-> query LIMIT $k) AS n));
	IF (SELECT count(DISTINCT id) FROM (SELECT id FROM items ORDER BY embedding <-> query) AS n) <> $rows THEN
		RAISE 'rows are missing or come twice (%)', current_setting('plan_cache_mode');
	END IF;
END
\$\$;

-- A cursor stays open for a while.
CREATE FUNCTION search_cursor(query_id int, pause float8) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
	query real[] := (SELECT embedding FROM queries WHERE id = query_id);
	near CURSOR FOR SELECT id FROM items ORDER BY embedding <-> query;
	one int;
	ids int[] := '{}';
BEGIN
	OPEN near;
	LOOP
		FETCH near INTO one;
		EXIT WHEN NOT FOUND;
		ids := ids || one;
		IF cardinality(ids) IN (3, 300) THEN
			PERFORM pg_sleep(pause);
		END IF;
	END LOOP;
	CLOSE near;
	PERFORM judge('cursor', query_id, ids[1:$k]);
	IF cardinality(ids) <> $rows OR (SELECT count(DISTINCT e) FROM unnest(ids) AS e) <> $rows THEN
		RAISE 'a cursor returned % rows', cardinality(ids);
	END IF;
END
\$\$;

CREATE FUNCTION search_emptied(query_id int) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
	query real[] := (SELECT embedding FROM queries WHERE id = query_id);
	ids int[];
BEGIN
	ids := (SELECT array_agg(id) FROM (SELECT id FROM emptied ORDER BY embedding <-> query) AS n);
	IF cardinality(ids) <> 1200 OR (SELECT count(DISTINCT e) FROM unnest(ids) AS e) <> cardinality(ids) THEN
		RAISE 'an emptied table returned % rows', cardinality(ids);
	END IF;
	INSERT INTO outcome VALUES (CASE WHEN ids IS NULL THEN 'empty' ELSE 'filled' END, 0);
END
\$\$;
EOT

my $folder = PostgreSQL::Test::Utils::tempdir('ddl');
my %script = (
	generic => "SET plan_cache_mode = force_generic_plan;\nSELECT search_prepared(:query);\n",
	custom => "SET plan_cache_mode = force_custom_plan;\nSELECT search_prepared(:query);\n",
	exact => "SET vecidx.target_recall = 0.999;\nSELECT search_prepared(:query);\nRESET vecidx.target_recall;\n",
	cursor => "SELECT search_cursor(:query, 0.003);\n",
	named => "BEGIN;\nDECLARE c CURSOR WITH HOLD FOR SELECT id FROM items ORDER BY embedding <-> (SELECT embedding FROM queries WHERE id = :query);\n"
	  . "FETCH 5 FROM c;\nCOMMIT;\nFETCH 5 FROM c;\nCLOSE c;\n",
	emptied => "SELECT search_emptied(:query);\n",
	direct => "SELECT id FROM items ORDER BY embedding <-> (SELECT embedding FROM queries WHERE id = :query) LIMIT 10;\n");
my @files;

foreach my $name (sort keys %script)
{
	append_to_file("$folder/$name.sql", "\\set query random(1, $queries)\n$script{$name}");
	push @files, '-f', "$folder/$name.sql\@1";
}

# What happens to the indexes meanwhile, in this order, over and over.
my @changes = (
	'DROP INDEX nearby',
	'CREATE INDEX nearby ON items USING vecidx (embedding real_l2_ops)',
	'REINDEX INDEX nearby',
	"ALTER INDEX nearby SET (m = 6, quantizer = 'rabitq8'); REINDEX INDEX nearby",
	'VACUUM (INDEX_CLEANUP ON) items',
	'REINDEX INDEX CONCURRENTLY nearby',
	"ALTER INDEX nearby SET (m = 24, ef_construction = 32, quantizer = 'rabitq2', rerank = 'float')",
	'REINDEX TABLE CONCURRENTLY items',
	'DROP INDEX CONCURRENTLY nearby',
	'CREATE INDEX CONCURRENTLY nearby ON items USING vecidx (embedding real_l2_ops)',
	'BEGIN; TRUNCATE emptied; INSERT INTO emptied SELECT * FROM items WHERE id <= 1200; COMMIT',
	'UPDATE items SET embedding = embedding WHERE id % 20 = 0',
	'VACUUM items',
	'BEGIN; DROP INDEX nearby; SELECT pg_sleep(0.05); ROLLBACK',
	'TRUNCATE emptied; INSERT INTO emptied SELECT * FROM items WHERE id <= 1200',
	"ALTER INDEX nearby RESET (m, quantizer, rerank)",
	'VACUUM FULL items',
	'ALTER TABLE items ALTER embedding SET STORAGE external; CLUSTER items USING items_pkey',
	'ANALYZE items; ANALYZE emptied');

my ($stdout, $stderr) = ('', '');
my $load;
{
	local $ENV{PGOPTIONS} = '-c enable_seqscan=off -c enable_sort=off -c max_parallel_workers_per_gather=0 -c statement_timeout=60s';

	$load = IPC::Run::start(
		[ 'pgbench', '-n', '-c', 4, '-M', 'prepared', '-T', $seconds, '--random-seed=1', @files, $node->connstr('postgres') ],
		'<', \undef, '>', \$stdout, '2>', \$stderr);
}

# All have timeouts, so that a wait without end fails the test.
my %made;
my @failed;
do
{
	foreach my $change (@changes)
	{
		my ($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '60s';\n$change");

		push @failed, "$change: $err" if $rc != 0;
		$made{$change}++;
		$load->pump_nb if $load->pumpable;
	}
} while ($load->pumpable);
$load->finish;
is(join("\n", @failed), '', 'no change of the index fails');
unlike($stderr, qr/ERROR|FATAL|aborted/, 'no search fails') or diag $stderr;
is($load->result(0), 0, 'all sessions go on to the end');
note $stdout =~ /(number of transactions actually processed: \d+)/;
note join("\n", map { "$made{$_} times $_" } sort keys %made);

my %outcome = map { my ($what, @rest) = split /\|/; ($what => \@rest) }
  split /\n/, $node->safe_psql('postgres', "SELECT what, count(*), avg(hits) FROM outcome GROUP BY what");
foreach my $what ('force_generic_plan', 'force_custom_plan', 'cursor')
{
	cmp_ok($outcome{$what}[0] // 0, '>', 10, "$what: there were searches");
	cmp_ok($outcome{$what}[1] // 0, '>', 0.9 * $k, "$what: they found the nearest");
}
cmp_ok($outcome{filled}[0] // 0, '>', 5, 'the emptied table was searched');

cmp_ok($node->safe_psql('postgres', "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'emptied_nearby'"),
	'>', 5, 'by its index');

# All is still there, and searched by index.
$node->safe_psql('postgres', 'CREATE INDEX IF NOT EXISTS nearby ON items USING vecidx (embedding real_l2_ops)');
ok(uses_index($node, "SELECT id FROM items ORDER BY embedding <-> '{}' LIMIT 1", 'nearby'), 'a search uses the index');
keep_answers($node, 'after', '<->', $k, by_index);
cmp_ok(recall_of($node, 'after', 'table'), '>', 0.9, 'and finds the nearest');
cmp_ok($node->safe_psql('postgres', "SELECT vecidx_check('$_')"), '>=', 1200, "$_ is sound") foreach 'nearby', 'emptied_nearby';
check_log($node, 'ddl');
$node->stop;
done_testing();
