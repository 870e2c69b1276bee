# Calibrated with queries that differ from the rows, an index reaches its
# targets for others of that kind; calibrated with rows, for queries like rows.
# Neither spends much more than that takes.  Besides: while others search and
# write, after a crash, on a standby.

use strict;
use warnings;

use FindBin;
use IPC::Run;
use lib "$FindBin::RealBin/../perl";
use Test::More;
use Time::HiRes qw(sleep);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my @targets = (0.90, 0.95, 0.99);
my $given = q{'words_embedding', (SELECT array_agg(embedding ORDER BY id) FROM held_out WHERE id % 2 = 0)};

sub read_gzip
{
	my ($file) = @_;
	my $content = `gzip -dc '$FindBin::RealBin/../data/$file'`;

	die "could not read $file" if $? != 0 || $content eq '';
	return $content;
}

sub calibration
{
	my ($node, $index) = @_;

	return $node->safe_psql('postgres', "SELECT value FROM vecidx_info('$index') WHERE property = 'calibration'");
}

# All that the calibration found.
sub efforts
{
	my ($node, $index) = @_;

	return $node->safe_psql('postgres', <<EOT);
SELECT string_agg(value, '; ' ORDER BY property) FROM vecidx_info('$index')
WHERE property = 'calibration' OR property LIKE 'effort for %'
EOT
}

# Recall of queries that had no part in the calibration, at each target.
sub reached
{
	my ($node, $what, $queries) = @_;
	my @reached;

	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS truth');
	@reached = map { (recall($node, 'words', '<=>', $queries, [10], "SET vecidx.target_recall = $_;"))[0] } @targets;
	note "$what: $queries: " . join(', ', map { sprintf '%s: %.4f', $targets[$_], $reached[$_] } 0 .. $#targets);
	return @reached;
}

sub check_reached
{
	my ($node, $what, $queries) = @_;
	my @reached = reached($node, $what, $queries);

	foreach my $i (0 .. $#targets)
	{
		cmp_ok($reached[$i], '>=', $targets[$i] - 0.02, "$what: recall at target $targets[$i] is reached");
		cmp_ok($reached[$i], '<=', $targets[$i] + 0.05, "$what: recall at target $targets[$i] is not overdone");
		cmp_ok($reached[$i], '>', $reached[ $i - 1 ], "$what: recall rises to target $targets[$i]") if $i > 0;
	}
	return;
}

my $node = new_node('primary', <<EOT, allows_streaming => 1);
shared_buffers = 128MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
EOT

$node->start;
install_helpers($node);
$node->safe_psql('postgres', <<EOT);
CREATE TABLE words (id int PRIMARY KEY, lemma text, gloss text, category text, senses int, embedding real[]);
CREATE TABLE demo_queries (text text PRIMARY KEY, kind text, embedding real[]);
EOT
load_rows($node, 'words', read_gzip('words.copy.gz'));
load_rows($node, 'demo_queries', read_gzip('queries.copy.gz'));
$node->safe_psql('postgres', <<EOT);
CREATE TABLE held_out AS SELECT row_number() OVER (ORDER BY text) AS id, embedding FROM demo_queries WHERE kind = 'held-out';
CREATE TABLE others AS SELECT * FROM held_out WHERE id % 2 = 1;
CREATE TABLE rows_left_out AS SELECT id, embedding FROM words WHERE id % 67 = 0;
DELETE FROM words WHERE id % 67 = 0;
VACUUM words;
CREATE INDEX words_embedding ON words USING vecidx (embedding real_cosine_ops);
EOT
is($node->safe_psql('postgres', 'SELECT count(*) FROM others'), 150, 'the demo has its queries');
my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM words');
ok(uses_index($node, "SELECT id FROM words ORDER BY embedding <=> (SELECT embedding FROM others LIMIT 1) LIMIT 10", 'words_embedding'),
	'searches use the index');

# Recall by target.
reached($node, 'by the build', $_) foreach 'others', 'rows_left_out';
is($node->safe_psql('postgres', "SELECT vecidx_calibrate($given)"), 150, 'calibrated with queries');
is(calibration($node, 'words_embedding'), "with 150 given queries, at $rows nodes", 'the index says with what');
check_reached($node, 'with queries', 'others');
my $by_queries = efforts($node, 'words_embedding');

is($node->safe_psql('postgres', "SELECT vecidx_calibrate('words_embedding') >= 64"), 't', 'calibrated with rows');
like(calibration($node, 'words_embedding'), qr/^with \d+ rows as queries, at $rows nodes$/, 'the index says with what');
reached($node, 'with rows', 'others');
check_reached($node, 'with rows', 'rows_left_out');
my $by_rows = efforts($node, 'words_embedding');

isnt($by_rows, $by_queries, 'rows and queries lead to other efforts');

# A calibration that is cancelled changes nothing.
my ($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '50ms'; SELECT vecidx_calibrate($given)");
like($err, qr/canceling statement due to statement timeout/, 'a calibration can be cancelled');
is(efforts($node, 'words_embedding'), $by_rows, 'a cancelled calibration leaves the old one in force');

# A crash right behind it: either result is in force.
sub crash_after
{
	my ($what, $then) = @_;
	my $before = efforts($node, 'words_embedding');
	my $session = '';
	my @children = ();

	is($node->safe_psql('postgres', "SELECT vecidx_calibrate($given); $then"), 150, "$what: calibrated");
	@children = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	$node->kill9;
	kill 9, @children;
	for (1 .. 2000)
	{
		last if !kill 0, @children;
		sleep 0.01;
	}
	$node->start;
	return $before;
}

my $before = crash_after('crash', '');
my $after = efforts($node, 'words_embedding');

ok($after eq $before || $after eq $by_queries, 'crash: the result is kept or dropped');
is($node->safe_psql('postgres', "SELECT vecidx_check('words_embedding')"), $rows, 'crash: the index is sound');
$node->safe_psql('postgres', "SELECT vecidx_calibrate('words_embedding')");
crash_after('crash behind a flush', 'CHECKPOINT');
is(efforts($node, 'words_embedding'), $by_queries, 'crash behind a flush: the result is kept');
is($node->safe_psql('postgres', "SELECT vecidx_check('words_embedding')"), $rows, 'crash behind a flush: the index is sound');

# A standby takes part in it, and may not do it.
$node->backup('start');
my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($node, 'start', has_streaming => 1);
$standby->start;
is(efforts($standby, 'words_embedding'), $by_queries, 'standby: as in the backup');
$node->safe_psql('postgres', "SELECT vecidx_calibrate('words_embedding')");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is(efforts($standby, 'words_embedding'), efforts($node, 'words_embedding'), 'standby: as on the primary');
like(efforts($standby, 'words_embedding'), qr/^with \d+ rows/, 'standby: the new one');
($rc, $out, $err) = $standby->psql('postgres', '\set VERBOSITY sqlstate' . "\nSELECT vecidx_calibrate('words_embedding')");
like($err, qr/ERROR:\s+25006/, 'standby: it cannot calibrate');
$standby->stop;
check_log($standby, 'standby', qr/cannot execute vecidx_calibrate\(\) during recovery/);

# While others search and write.
my $dimensions = 32;

create_mixed_table($node, 'mixed', 3000, $dimensions);
my $load = start_load($node, ['mixed'], dimensions => $dimensions, seconds => 12);
my $rounds = 0;
my $end = time + 10;

while (time < $end)
{
	($rc, $out, $err) = $node->psql('postgres', <<EOT);
SET client_min_messages = warning;
SELECT vecidx_calibrate('mixed_embedding') > 0;
SELECT setseed(0.3);
SELECT vecidx_calibrate('mixed_embedding', array_agg(random_vector($dimensions))) FROM generate_series(1, 64);
EOT
	last if $rc != 0 || $out !~ /^t\n\n64$/;
	$rounds++;
}
my ($transactions, $complaints) = finish_load($load);

is($err, '', 'load: no calibration fails');
cmp_ok($rounds, '>', 0, "load: $rounds rounds of calibration");
cmp_ok($transactions, '>', 100, "load: $transactions transactions meanwhile");
is($complaints, '', 'load: none of them failed');
check_mixed_table($node, 'mixed', 'load', $dimensions);
like(calibration($node, 'mixed_embedding'), qr/^with 64 given queries/, 'load: the last calibration is in force');

check_log($node, 'primary', qr/canceling statement due to statement timeout/);
done_testing();
