# A scan that begins again very often, and scans that end badly: neither leaves
# memory, pins or a used index behind.
#
# Memory is measured by the session itself, while the statement that is to be
# measured still runs: what a scan forgot until its statement ends counts too.
#
# VECIDX_RESCANS: how often a scan begins again in one statement (100000; 10000 at least)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use List::Util qw(max);
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxSearch;
use VecidxTest;

my $rescans = $ENV{VECIDX_RESCANS} || 100000;
die 'VECIDX_RESCANS must be 10000 or more' if $rescans < 10000;

my $errors = int($rescans / 10);
my $complaints = max(200, int($errors / 10));
my $executions = int($rescans / 2);
my $dimensions = 8;
my $rows = 1500;

# What memory contexts, and the process, may grow by while the rescans go from
# a tenth to all: less than a byte each.
my $context_growth = 64 * 1024;
my $process_growth = 4 * 1024 * 1024;

# checksums of pages would see the damage that is done in the end before we do
my $node = new_node('rescans', 'shared_buffers = 64MB', no_data_checksums => 1);

$node->start;
install_helpers($node);
memory_function($node);
create_items($node, $rows, 50, $dimensions);
$node->safe_psql('postgres', <<EOT);
CREATE INDEX nearby ON items USING vecidx (embedding real_l2_ops) WITH (m = 6);
CREATE INDEX nearby_cosine ON items USING vecidx (embedding real_cosine_ops) WITH (m = 6, quantizer = 'rabitq2', rerank = 'sq4');
CREATE TABLE few AS SELECT * FROM items ORDER BY id LIMIT 60;
CREATE INDEX few_nearby ON few USING vecidx (embedding real_l2_ops);
CREATE FUNCTION some_vector(i int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
\$\$ SELECT ARRAY[sin(i), cos(i), sin(2 * i), cos(3 * i), sin(5 * i), cos(7 * i), sin(11 * i), 0.1]::real[] \$\$;
EOT

sub check_growth
{
	my ($what, $before, $after) = @_;
	my (undef, $contexts_before, $process_before) = split /\|/, $before;
	my (undef, $contexts_after, $process_after) = split /\|/, $after;

	cmp_ok($contexts_after - $contexts_before, '<', $context_growth, "$what: memory contexts do not grow");
	cmp_ok($process_after - $process_before, '<', $process_growth, "$what: the process does not grow");
	note "$what: contexts $contexts_before then $contexts_after bytes, process $process_before then $process_after";
	return;
}

# "scan" is the inner side of a join with generate_series; it must give "count"
# rows each time, which may be an expression of the outer row.  Returns how many
# rows of the table the last scan read for their exact distance.
sub rescan
{
	my ($what, $index, $times, $count, $scan, $settings) = @_;
	my $inner = "CROSS JOIN LATERAL (SELECT count(*) AS rows FROM ($scan) AS s) AS n";
	my $early = int($times / 10);
	my ($short, @measured) = split /\n/, $node->safe_psql('postgres', <<EOT);
@{[ by_index ]} @{[ $settings // '' ]}
CREATE TEMP TABLE measured AS
SELECT i, n.rows, CASE WHEN i IN (10, $early, $times) THEN context_bytes() END AS contexts,
	CASE WHEN i IN (10, $early, $times) THEN process_bytes() END AS process
FROM (SELECT i, n.rows FROM generate_series(1, $times) AS i $inner OFFSET 0) AS n
WHERE i IN (10, $early, $times) OR rows <> $count;
SELECT count(*) FROM measured WHERE rows <> $count;
SELECT i, contexts, process FROM measured WHERE contexts IS NOT NULL ORDER BY i;
SELECT exact FROM vecidx_last_scan();
EOT
	my $exact = pop @measured;

	ok(uses_index($node, "SELECT * FROM generate_series(1, $times) AS i $inner", $index), "$what: by index");
	is($short, 0, "$what: $times scans return $count rows each");
	is(scalar @measured, 3, "$what: memory was measured");
	check_growth($what, @measured[ 1, 2 ]);
	return $exact;
}

rescan('walks', 'nearby', int($rescans * 0.5), 2, 'SELECT id FROM items ORDER BY embedding <-> some_vector(i) LIMIT 2');
rescan('walks by cosine', 'nearby_cosine', int($rescans * 0.1), 12, 'SELECT id FROM items ORDER BY embedding <=> some_vector(i) LIMIT 12');
rescan('walks for more and fewer rows', 'nearby', int($rescans * 0.05), 'i % 30',
	'SELECT id FROM items ORDER BY embedding <-> some_vector(i) LIMIT i % 30');
my $exact = rescan('walks that read rows', 'nearby_cosine', int($rescans * 0.02), 10,
	'SELECT id FROM items ORDER BY embedding <=> some_vector(i) LIMIT 10', 'SET vecidx.target_recall = 0.999;');
cmp_ok($exact, '>', 0, 'walks that read rows: they do');
rescan('sweeps', 'few_nearby', int($rescans * 0.2), 1, 'SELECT id FROM few ORDER BY embedding <-> some_vector(i) LIMIT 1');
rescan('complete sweeps', 'few_nearby', int($rescans * 0.1), 60, 'SELECT id FROM few ORDER BY embedding <-> some_vector(i)');
rescan('scans that return nothing', 'few_nearby', int($rescans * 0.05), 0, 'SELECT id FROM few WHERE id < 0 ORDER BY embedding <-> some_vector(i)');
rescan('scans for NULL', 'nearby', int($rescans * 0.05), 3,
	'SELECT id FROM items ORDER BY embedding <-> CASE WHEN i % 2 = 0 THEN some_vector(i) END LIMIT 3');

# Errors inside a scan, each undone with its subtransaction.
my @measured = split /\n/, $node->safe_psql('postgres', <<EOT);
@{[ by_index ]}
CREATE TEMP TABLE measured (i int, contexts bigint, process bigint);
CREATE FUNCTION fail_in_scan(i int) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
	one record;
	rows int := 0;
BEGIN
	PERFORM set_config('vecidx.target_recall', CASE WHEN i % 3 = 0 THEN '0.999' ELSE '0.95' END, true);
	IF i % 4 = 0 THEN
		PERFORM 1 / (rank - 3) FROM (SELECT row_number() OVER () AS rank FROM
			(SELECT id FROM items ORDER BY embedding <-> some_vector(i)) AS near OFFSET 0) AS s;
	ELSIF i % 4 = 1 THEN
		FOR one IN SELECT id FROM few ORDER BY embedding <-> some_vector(i) LOOP
			rows := rows + 1;
			rows := rows + 0 / (5 - rows);
		END LOOP;
	ELSIF i % 4 = 2 THEN
		PERFORM n.id / (j - 3) FROM generate_series(1, 5) AS j CROSS JOIN LATERAL
			(SELECT id FROM items ORDER BY embedding <=> some_vector(i + j) LIMIT 2) AS n;
	ELSE
		-- fails when the query is read: it has other dimensions
		PERFORM id FROM items ORDER BY embedding <-> ARRAY[1, 2, i]::real[] LIMIT 1;
	END IF;
	RAISE 'did not fail';
END
\$\$;
DO \$\$
BEGIN
	FOR i IN 1 .. $errors LOOP
		BEGIN
			PERFORM fail_in_scan(i);
		EXCEPTION
			WHEN division_by_zero OR data_exception THEN NULL;
		END;
		IF i IN (10, $errors / 10, $errors) THEN
			INSERT INTO measured SELECT i, context_bytes(), process_bytes();
		END IF;
	END LOOP;
END
\$\$;
SELECT * FROM measured ORDER BY i;
SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'vecidx scan%';
-- no index is thought to be in use: the next one sends those away that are gone
CREATE TEMP TABLE other AS SELECT * FROM few;
CREATE INDEX other_nearby ON other USING vecidx (embedding real_l2_ops);
BEGIN;
DROP INDEX nearby, nearby_cosine, few_nearby;
SELECT count(*) FROM (SELECT id FROM other ORDER BY embedding <-> some_vector(1)) AS s;
CREATE INDEX another_nearby ON other USING vecidx (embedding real_cosine_ops);
SELECT count(*) FROM (SELECT id FROM other ORDER BY embedding <=> some_vector(1)) AS s;
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'vecidx handle';
ROLLBACK;
SELECT count(*) FROM (SELECT id FROM items ORDER BY embedding <-> some_vector(1)) AS s;
EOT
check_growth("$errors errors", @measured[ 1, 2 ]);
is($measured[3], 0, 'no scan is left behind');
is("@measured[4, 5]", '60 60', 'other indexes are searched');
cmp_ok($measured[6], '<=', 2, 'what was known of dropped indexes is forgotten');
is($measured[7], $rows, 'the index is searched after all');

# Cancelled at any moment, again and again, in the same session.  The other
# session stops when the victim has given its lock back.
my @kinds = (
	'FROM generate_series(1, 10000000) AS i CROSS JOIN LATERAL (SELECT id FROM items ORDER BY embedding <-> some_vector(i) LIMIT 2) AS n',
	'FROM generate_series(1, 10000000) AS i CROSS JOIN LATERAL (SELECT id FROM items ORDER BY embedding <-> some_vector(i) LIMIT 1000) AS n',
	'FROM generate_series(1, 10000000) AS i CROSS JOIN LATERAL (SELECT id FROM items ORDER BY embedding <=> some_vector(i)) AS n',
	'FROM generate_series(1, 10000000) AS i CROSS JOIN LATERAL (SELECT id FROM few ORDER BY embedding <-> some_vector(i)) AS n');
my $cancels = 0;
my $text = by_index . "SET statement_timeout = '60s';\nSELECT pg_advisory_lock(7);\n";
my $settled = "SELECT 'settled', context_bytes(), process_bytes();\n";
my $answer = "SELECT count(*), min(id) FROM (SELECT id FROM items ORDER BY embedding <-> some_vector(5) LIMIT 700) AS s;\n";

foreach my $round (1 .. 10)
{
	$text .= 'SET vecidx.target_recall = ' . (0.8, 0.999)[ $round % 2 ] . ";\n";
	$text .= 'SET vecidx.page_access = ' . (qw(unpinned recent pinned))[ $round % 3 ] . ";\n";
	$text .= "/* victim */ SELECT count(*) $_;\n" foreach @kinds;
	$cancels += @kinds;
}
$text .= "SELECT pg_advisory_unlock_all();\n" x 3 . "SELECT pg_sleep(0.05);\n" x 2;
srand(1);
foreach my $round (1 .. 12)
{
	foreach my $kind (@kinds)
	{
		$text .= 'SET statement_timeout = ' . (3 + int(rand 15)) . ";\nSELECT count(*) $kind;\nRESET statement_timeout;\n";
		$cancels++;
	}
	$text .= $answer . ($round == 2 || $round == 12 ? $settled : '');
}
$text .= "SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'vecidx scan%';\n";
my $victim = start_psql($node, 'victim', $text);
my $hits = $node->safe_psql('postgres', <<'EOT');
CREATE FUNCTION cancel_victim() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	hits int := 0;
	hit int;
BEGIN
	FOR i IN 1 .. 1000 LOOP
		EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7);
		PERFORM pg_sleep(0.01);
	END LOOP;
	WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7) LOOP
		PERFORM pg_sleep(random() * 0.015), pg_stat_clear_snapshot();
		SELECT count(pg_cancel_backend(pid)) INTO hit FROM pg_stat_activity
		WHERE application_name = 'victim' AND state = 'active' AND query LIKE '/* victim */%';
		hits := hits + hit;
	END LOOP;
	RETURN hits;
END
$$;
SELECT setseed(0.5);
SELECT cancel_victim();
EOT
$victim->{harness}->finish;
my @cancelled = $victim->{stderr} =~ /canceling statement due to (user request|statement timeout)/g;
my @other = grep { /ERROR|FATAL|WARNING/ && !/canceling statement/ } split /\n/, $victim->{stderr};
my @settled = $victim->{stdout} =~ /^(settled\|\d+\|\d+)$/mg;
my @answers = $victim->{stdout} =~ /^(700\|\d+)$/mg;

note scalar(@cancelled) . " cancelled of $cancels, $hits signals";
is(scalar @cancelled, $cancels, 'every endless search was cancelled');
is(join("\n", @other), '', 'and nothing else went wrong');
is(scalar @answers, 12, 'the session goes on searching');
is(scalar(grep { $_ ne $answers[0] } @answers), 0, 'and finds the same');
check_growth('cancelled searches', @settled);
like($victim->{stdout}, qr/\n0\n$/, 'no cancelled scan is left behind');
SKIP:
{
	skip 'there is no pg_buffercache', 1 if $node->psql('postgres', 'CREATE EXTENSION pg_buffercache') != 0;
	is( $node->safe_psql('postgres', <<'EOT'), 0, 'no page of an index is pinned');
SELECT count(*) FROM pg_buffercache
WHERE pinning_backends > 0 AND relfilenode IN (SELECT pg_relation_filenode(oid) FROM pg_class WHERE relname LIKE '%nearby%')
EOT
}

# A prepared statement, executed by a client over and over.
my $folder = PostgreSQL::Test::Utils::tempdir('rescans');
my ($stdout, $stderr) = ('', '');

append_to_file("$folder/prepared.sql", <<EOT);
\\set i :i + 1
SELECT id FROM items ORDER BY embedding <-> some_vector(:i) LIMIT 10;
\\if :i = 10 or :i = $executions / 10 or :i = $executions
INSERT INTO measured SELECT :i, context_bytes(), process_bytes();
\\endif
EOT
$node->safe_psql('postgres', 'CREATE TABLE measured (i int, contexts bigint, process bigint)');
{
	local $ENV{PGOPTIONS} = '-c enable_seqscan=off -c enable_sort=off';

	IPC::Run::run([ 'pgbench', '-n', '-c', 1, '-M', 'prepared', '-t', $executions, '-D', 'i=0', '-f', "$folder/prepared.sql", $node->connstr('postgres') ],
		'>', \$stdout, '2>', \$stderr);
}
unlike($stderr, qr/ERROR/, 'a prepared statement does not fail') or diag $stderr;
@measured = split /\n/, $node->safe_psql('postgres', 'SELECT * FROM measured ORDER BY i');
is(scalar @measured, 3, "it was executed $executions times");
check_growth('a prepared statement', @measured[ 1, 2 ]);

is($node->safe_psql('postgres', "SELECT vecidx_check('nearby')"), $rows, 'the index is sound');

# Errors while a session gathers what it will know of an index: here, of one
# whose codes are damaged.
my $file = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('nearby')");
my $page_size = 8192;
my $damaged = 0;
my $pages;

$node->stop;
$pages = slurp_file($file);
for (my $page = 0; $page < length($pages); $page += $page_size)
{
	# the page's kind stands before its last two bytes: 4 is a page of codes
	next if unpack('S', substr($pages, $page + $page_size - 4, 2)) != 4;
	substr($pages, $page + 24, $page_size - 32) =~ tr/\x00-\xff/\x80-\xff\x00-\x7f/;
	$damaged++;
}
open(my $handle, '>:raw', $file) or die "$file: $!";
print $handle $pages;
close($handle) or die "$file: $!";
cmp_ok($damaged, '>', 0, 'pages of codes were damaged');
$node->start;
@measured = split /\n/, $node->safe_psql('postgres', <<EOT);
@{[ by_index ]}
CREATE TEMP TABLE noted (i int, contexts bigint, process bigint);
DO \$\$
BEGIN
	FOR i IN 1 .. $complaints LOOP
		BEGIN
			PERFORM id FROM items ORDER BY embedding <-> some_vector(i) LIMIT 3;
			RAISE 'did not fail';
		EXCEPTION
			WHEN index_corrupted THEN NULL;
		END;
		IF i IN (10, $complaints / 10, $complaints) THEN
			INSERT INTO noted SELECT i, context_bytes(), process_bytes();
		END IF;
	END LOOP;
END
\$\$;
SELECT * FROM noted ORDER BY i;
EOT
is(scalar @measured, 3, 'a damaged index is complained of each time');
check_growth('searches of a damaged index', @measured[ 1, 2 ]);

check_log($node, 'rescans', qr/canceling statement due to (?:user request|statement timeout)/);
$node->stop;
done_testing();
