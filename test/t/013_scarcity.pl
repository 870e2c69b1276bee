# Searching where there is little to search with: the smallest shared buffers
# that a server starts with, and many sessions.
#
# With 16 buffers a search must still be answered, and as with many; a change
# may fail for want of a buffer, but cleanly.  Of 200 sessions that have
# searched each keeps what it knows of the index; that must be little.
#
# VECIDX_SCARCE_SECONDS: how long sessions compete for the buffers (2)
# VECIDX_SESSIONS: how many sessions there are (200)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxSearch;
use VecidxTest;

my $seconds = $ENV{VECIDX_SCARCE_SECONDS} || 2;
my $sessions = $ENV{VECIDX_SESSIONS} || 200;
my $rows = 2000;
my $dimensions = 32;
my $queries = 25;
my $k = 20;
my $want = qr/no unpinned buffers available/;

my $node = new_node('scarcity', 'shared_buffers = 64MB');

sub restart_with
{
	my ($conf) = @_;

	$node->append_conf('postgresql.conf', $conf);
	$node->restart;
	return;
}

# The index is sound, and a scan without a limit returns the table's rows.
sub check_items
{
	my ($what) = @_;
	my ($rc, $out, $err) = $node->psql('postgres',
		"SELECT vecidx_check('nearby') > 0 AND compare('items', (SELECT embedding FROM queries WHERE id = 3)) > 0");

	is($out, 't', "$what: the index is sound and holds its rows") or diag $err;
	return;
}

$node->start;
install_helpers($node);
memory_function($node);
create_items($node, $rows, $queries, $dimensions);
$node->safe_psql('postgres', 'CREATE INDEX nearby ON items USING vecidx (embedding real_l2_ops)');
keep_answers($node, 'table', '<->', $k, by_table);
keep_answers($node, 'many buffers', '<->', $k, by_index);
cmp_ok(recall_of($node, 'many buffers', 'table'), '>', 0.9, 'with many buffers the nearest are found');

# 16 buffers, one session.
restart_with("shared_buffers = 128kB\nmax_parallel_workers_per_gather = 0\n");
is($node->safe_psql('postgres', 'SHOW shared_buffers'), '128kB', 'there are 16 buffers');
foreach my $access ('unpinned', 'recent', 'pinned')
{
	keep_answers($node, "few buffers, $access", '<->', $k, by_index . "SET vecidx.page_access = $access;");
	is_same_answer($node, 'many buffers', "few buffers, $access", 0, "few buffers, $access, against many");
}
check_items('few buffers');

my ($rc, $out, $err) = $node->psql('postgres', <<EOT);
INSERT INTO items SELECT id + 10000, embedding FROM items WHERE id % 10 = 0;
INSERT INTO items SELECT i, random_vector($dimensions) FROM generate_series(20001, 20200) AS i;
EOT
is("$rc $err", '0 ', 'few buffers: rows are inserted');
check_items('few buffers, after inserts');
($rc, $out, $err) = $node->psql('postgres', 'DELETE FROM items WHERE id % 7 = 0; VACUUM items');
is("$rc $err", '0 ', 'few buffers: the table is vacuumed');
check_items('few buffers, after vacuum');
keep_answers($node, 'changed table', '<->', $k, by_table);
keep_answers($node, 'changed, few buffers', '<->', $k, by_index);
cmp_ok(recall_of($node, 'changed, few buffers', 'changed table'), '>', 0.9, 'few buffers: changes are found');

# A build logs 32 pages at a time, more than there are buffers.
foreach my $build ('CREATE INDEX again ON items USING vecidx (embedding real_l2_ops)', 'REINDEX INDEX nearby')
{
	($rc, $out, $err) = $node->psql('postgres', $build);
	ok($rc == 0 || $err =~ $want, "few buffers: a build works or wants buffers: $build") or diag $err;
	note "$build: ", $rc == 0 ? 'done' : $err;
}
$node->safe_psql('postgres', 'DROP INDEX IF EXISTS again');
check_items('few buffers, after builds');

# 16 buffers, several sessions: searches and changes, which may fail for want
# of a buffer but for nothing else.
my $folder = PostgreSQL::Test::Utils::tempdir('scarcity');
my $search = 'SELECT id FROM items ORDER BY embedding <-> (SELECT embedding FROM queries WHERE id = :query) LIMIT';
my %script = (
	'near@6' => "\\set query random(1, $queries)\n$search 10;\n",
	'many@1' => "\\set query random(1, $queries)\n$search 2000;\n",
	'insert@2' => "\\set query random(1, $queries)\nINSERT INTO items SELECT nextval('ids'), random_vector($dimensions);\n",
	'delete@2' => "\\set id random(1, $rows)\nDELETE FROM items WHERE id = :id;\n",
	'vacuum@1' => "VACUUM items;\n");
my @files;

foreach my $name (sort keys %script)
{
	my ($file, $weight) = split /@/, $name;

	append_to_file("$folder/$file.sql", $script{$name});
	push @files, '-f', "$folder/$file.sql\@$weight";
}
$node->safe_psql('postgres', 'CREATE SEQUENCE ids START 100000');

# pgbench gives up a client whose statement failed, so each round has new ones.
my $complaints = '';
my $end = time + $seconds;
my $done = 0;
my $round = 0;

while (time < $end)
{
	my ($stdout, $stderr) = ('', '');

	local $ENV{PGOPTIONS} = '-c enable_seqscan=off -c enable_sort=off';
	$round++;
	IPC::Run::run([ 'pgbench', '-n', '-c', 8, '-T', 1, "--random-seed=$round", @files, $node->connstr('postgres') ],
		'>', \$stdout, '2>', \$stderr);
	$done += $1 if $stdout =~ /number of transactions actually processed: (\d+)/;
	$complaints .= $stderr;
}
cmp_ok($done, '>', 50, 'few buffers, several sessions: most are served');
my @errors = $complaints =~ /(ERROR: .*|FATAL: .*|PANIC: .*|server closed .*)/g;
my @strange = grep { $_ !~ $want } @errors;
note "$done transactions, " . scalar(@errors) . ' wanted a buffer';
is(join("\n", @strange), '', 'few buffers, several sessions: no other error');
check_items('few buffers, after several sessions');

# Many sessions.  Each searches, notes what it has allocated, and waits until
# the index has been made anew; then it searches again.
restart_with("shared_buffers = 32MB\nmax_connections = " . ($sessions + 10) . "\n");
check_items('many buffers again');
keep_answers($node, 'before', '<->', $k, by_table);
$node->safe_psql('postgres', <<'EOT');
CREATE TABLE noted (pid int, round int, query int, bytes bigint, right_rows bigint);
CREATE INDEX ON answers (source, query);
-- Searches for a query; how many of its true nearest are among the rows.
CREATE FUNCTION note_search(round int, query int) RETURNS void LANGUAGE plpgsql
	SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
	ids int[];
BEGIN
	SELECT array_agg(id) INTO ids
	FROM (SELECT id FROM items ORDER BY embedding <-> (SELECT q.embedding FROM queries AS q WHERE q.id = query) LIMIT 20) AS found;
	INSERT INTO noted SELECT pg_backend_pid(), round, query, context_bytes('vecidx%'),
		(SELECT count(*) FROM answers AS a WHERE a.source = 'before' AND a.query = $2 AND a.id = ANY (ids));
END
$$;
EOT
append_to_file("$folder/session.sql", <<EOT);
\\set query random(1, $queries)
SELECT note_search(1, :query);
SELECT pg_advisory_lock_shared(1);
SELECT note_search(2, :query);
SELECT pg_advisory_lock_shared(2);
EOT

# Should a session fail, the others must not wait for it for ever.
my $gate = start_psql($node, 'gate', <<EOT);
SET statement_timeout = '60s';
SELECT pg_advisory_lock(1), pg_advisory_lock(2);
DO \$\$ BEGIN
	WHILE (SELECT count(*) FROM noted WHERE round = 1) < $sessions LOOP
		COMMIT;
		PERFORM pg_sleep(0.02);
	END LOOP;
END \$\$;
SELECT 'clients', count(*) FROM pg_stat_activity WHERE application_name = 'many';
REINDEX INDEX nearby;
SELECT pg_advisory_unlock(1);
DO \$\$ BEGIN
	WHILE (SELECT count(*) FROM noted WHERE round = 2) < $sessions LOOP
		COMMIT;
		PERFORM pg_sleep(0.02);
	END LOOP;
END \$\$;
SELECT pg_advisory_unlock(2);
EOT
my ($stdout, $stderr) = ('', '');
{
	local $ENV{PGAPPNAME} = 'many';

	$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_locks WHERE locktype = 'advisory' AND granted");
	IPC::Run::run([ 'pgbench', '-n', '-c', $sessions, '-t', 1, '--random-seed=1', '-f', "$folder/session.sql", $node->connstr('postgres') ],
		'>', \$stdout, '2>', \$stderr);
}
unlike($stderr, qr/ERROR|FATAL/, "no session of $sessions fails") or diag $stderr;
$gate->{harness}->finish;
like($gate->{stdout}, qr/^clients\|$sessions$/m, "$sessions sessions are there at once") or diag $gate->{stderr};
foreach my $round (1, 2)
{
	my ($pids, $share, $bytes) =
	  split /\|/, $node->safe_psql('postgres', "SELECT count(DISTINCT pid), sum(right_rows) / (count(*) * $k), max(bytes) FROM noted WHERE round = $round");

	is($pids, $sessions, "search $round: all sessions have searched");
	cmp_ok($share, '>', 0.9, "search $round: they find the nearest");
	cmp_ok($bytes, '>', 0, "search $round: a session remembers the index");
	cmp_ok($bytes, '<', 256 * 1024, "search $round: in less than 256 kB");
	note "search $round: recall $share, at most $bytes bytes a session";
}
check_items('after many sessions');

check_log($node, 'scarcity', qr/$want|connection to client lost/);
$node->stop;
done_testing();
