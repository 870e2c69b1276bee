# Statistics and the memory that sessions share: what all sessions do is
# counted, none of it twice; indexes without number, resets and the death of
# sessions at any moment do no harm; without shared memory it works all the same.
#
# VECIDX_STAT_KILLS sets how many sessions are killed, POSTGRES_EXPORTER the
# program that reads the metrics.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use IO::Socket::INET;
use IPC::Run;
use Test::More;
use Time::HiRes qw(sleep);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxSearch;
use VecidxTest;

my $kills = $ENV{VECIDX_STAT_KILLS} || 4;
my $dimensions = 16;
my $search = "SELECT id FROM t ORDER BY embedding <-> array_fill(0.3::real, ARRAY[$dimensions]) LIMIT 5";

sub count_of
{
	my ($node, $columns, $index) = @_;

	$index //= 't_embedding';
	return $node->safe_psql('postgres', "SELECT $columns FROM pg_stat_vecidx WHERE indexrelname = '$index'");
}

sub status_of
{
	my ($node, $property) = @_;

	return $node->safe_psql('postgres', "SELECT value FROM vecidx_status() WHERE property = '$property'");
}

sub search
{
	my ($node, $times) = @_;

	$node->safe_psql('postgres', by_index() . "$search;" x ($times // 1));
	return;
}

# Clients that run each of the scripts in turn, as often as is said.
sub run_clients
{
	my ($node, $clients, $transactions, @scripts) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir('clients');
	my @files;

	local $ENV{PGOPTIONS} = '-c enable_seqscan=off -c enable_sort=off';
	foreach my $i (0 .. $#scripts)
	{
		append_to_file("$folder/$i.sql", $scripts[$i]);
		push @files, '-f', "$folder/$i.sql";
	}
	return IPC::Run::start(
		[ 'pgbench', '-n', '-c', $clients, '-t', $transactions, '-h', $node->host, '-p', $node->port, @files, 'postgres' ],
		'<', \undef, '>', '/dev/null', '2>', '/dev/null');
}

my $node = new_node('primary', <<EOT, allows_streaming => 1);
restart_after_crash = on
max_parallel_maintenance_workers = 1
min_parallel_table_scan_size = 0
EOT
$node->start;
install_helpers($node);
create_mixed_table($node, 't', 3000, $dimensions);

# Sessions share what they count

is(status_of($node, 'state'), 'shared memory, taken when it was first needed', 'without preloading, memory is shared');
search($node, 3);
search($node, 2);
is(count_of($node, 'scans, rows, walks'), '5|25|5', 'scans of two sessions are added up');

my $harness = run_clients($node, 4, 200, "$search;");
$harness->finish;
is(count_of($node, 'scans, rows'), '805|4025', 'of scans at the same time none is lost');

$node->safe_psql('postgres', 'SELECT vecidx_stat_reset()');
$harness = run_clients($node, 6, 100, "$search;", "SELECT vecidx_stat_reset('t_embedding');", "SELECT vecidx_stat_reset();",
	"SELECT scans FROM pg_stat_vecidx;", "INSERT INTO t (note, embedding) SELECT 0, random_vector($dimensions);");
$harness->finish;
is(count_of($node, 'rows = 5 * scans, scans = walks, scans <= 600, inserts <= 600'), 't|t|t|t', 'resets are whole');
$node->safe_psql('postgres', 'SELECT vecidx_stat_reset()');
search($node);
is(count_of($node, 'scans, rows, inserts'), '1|5|0', 'and zero all');

# Each scan audited, while others write and vacuum; queries differ, as one alone may miss a row each time

my $varied = $search =~ s/array_fill\(.*?\]\)/(SELECT random_vector($dimensions))/r;

$node->append_conf('postgresql.conf', "vecidx.recall_sample_rate = 1\nvecidx.recall_sample_interval = 0\n");
$node->reload;
$node->safe_psql('postgres', 'SELECT vecidx_stat_reset()');
$harness = run_clients($node, 4, 150, "$varied;", "BEGIN; DECLARE c CURSOR FOR $varied; MOVE 3 FROM c; COMMIT;",
	"INSERT INTO t (note, embedding) SELECT 0, random_vector($dimensions);", "DELETE FROM t WHERE id IN (SELECT max(id) - (random() * 900)::int FROM t);");
foreach my $round (1 .. 10)
{
	$node->safe_psql('postgres', 'VACUUM t');
	sleep 0.02;
}
$harness->finish;
is(count_of($node, 'scans > 100, aborted'), 't|0', 'audits end no scan');
is( $node->safe_psql('postgres', "SELECT r.samples = s.scans, r.recall > 0.9, r.rows_wanted <= s.rows
		FROM vecidx_recall_stats r JOIN pg_stat_vecidx s USING (indexrelid) WHERE s.indexrelname = 't_embedding'"),
	't|t|t', 'and what they find is likely');
is($node->safe_psql('postgres', "SELECT vecidx_check('t_embedding') > 0"), 't', 'the index is sound');
$node->append_conf('postgresql.conf', "vecidx.recall_sample_rate = 0\nvecidx.recall_sample_interval = 1000\n");
$node->reload;
$node->safe_psql('postgres', 'VACUUM t');
$node->safe_psql('postgres', 'SELECT vecidx_stat_reset()');
search($node);

# What an end of a session leaves

my $cursor = start_psql($node, 'cursor', by_index() . "BEGIN; DECLARE c CURSOR FOR $search; MOVE 2 FROM c; SELECT pg_sleep(600);");
wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
eval { $cursor->{harness}->finish };
is(count_of($node, 'scans, aborted, rows'), '2|1|7', 'a scan counts whose session was ended');

# The log

my $offset = -s $node->logfile;
$node->safe_psql('postgres', by_index() . "SET vecidx.log_min_duration = 0; $search; SET vecidx.log_min_duration = 3600000; $search;");
my @lines = grep { /scan of vecidx index/ } split /\n/, slurp_file($node->logfile, $offset);
is(scalar @lines, 1, 'a scan is logged that is slow enough');
like($lines[0], qr/LOG:  duration: \d+\.\d{3} ms  scan of vecidx index "public\.t_embedding": walk; rows: 5, expanded: \d+, estimates: \d+, reranked: \d+, exact: \d+, restarts: 0$/,
	'with what it did');
unlike(slurp_file($node->logfile, $offset), qr/array_fill|STATEMENT/, 'and without the query');

$node->safe_psql('postgres', 'DELETE FROM t WHERE id <= 20');
my (undef, undef, $told) = $node->psql('postgres', 'SET client_min_messages = debug1; VACUUM t');
like($told, qr/index "t_embedding": $_ took \d+\.\d{3} ms/, "vacuum tells of $_")
  foreach ('taking out dead rows', 'looking for nodes without rows', 'linking past nodes without rows', 'joining what came apart', 'freeing nodes');
like($told, qr/index "t_embedding": freed 20 of \d+ nodes/, 'vacuum tells what it freed');

# Builds

my @phases = ('sampling table', 'loading tuples', 'finding near tuples', 'linking near tuples', 'writing pages', 'calibrating searches',
	'inserting held tuples', 'writing WAL');
foreach my $phase (@phases)
{
	my $holder = start_psql($node, 'holder', "SELECT pg_advisory_lock(837); SELECT pg_sleep(600);");
	my $builder;
	my $seen;

	wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
	$builder = start_psql($node, 'builder', "SET max_parallel_maintenance_workers = 0; SET vecidx.debug_wait = '$phase'; REINDEX INDEX t_embedding;");
	wait_for($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'");
	$seen = $node->safe_psql('postgres', 'SELECT phase FROM pg_stat_progress_create_index');
	is($seen, "building index: $phase", "pg_stat_progress_create_index shows phase \"$phase\"");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
	eval { $holder->{harness}->finish };
	$builder->{harness}->finish;
}
(undef, undef, $told) = $node->psql('postgres', 'SET client_min_messages = debug1; REINDEX INDEX t_embedding');
is(join(', ', grep { $told !~ /index "t_embedding": \Q$_\E took \d+\.\d{3} ms/ } @phases), '', 'a build tells how long its phases took');

SKIP:
{
	skip 'waits have names from version 17 on', 1 if $node->pg_version < 17;
	is($node->safe_psql('postgres', "SELECT string_agg(name, ', ' ORDER BY name) FROM pg_wait_events WHERE name LIKE 'Vecidx%'"),
		'VecidxBuildStep, VecidxBuildTeam', 'waits of builds have names');
}

# A standby counts for itself

my $standby = PostgreSQL::Test::Cluster->new('standby');
$node->backup('base');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
$node->safe_psql('postgres', 'SELECT vecidx_stat_reset()');
search($standby, 2);
is(count_of($standby, 'scans'), '2', 'scans of a standby are counted there');
$standby->safe_psql('postgres', by_index() . "SET vecidx.recall_sample_rate = 1; $search;");
is($standby->safe_psql('postgres', "SELECT samples, rows_wanted FROM vecidx_recall_stats WHERE indexrelname = 't_embedding'"), '1|5', 'and can be audited there');
is(count_of($node, 'scans'), '0', 'and nowhere else');
$standby->safe_psql('postgres', 'SELECT vecidx_stat_reset()');
is(count_of($standby, 'scans'), '0', 'a standby resets its own');
$standby->stop;

# Metrics

sub read_metrics
{
	my ($port) = @_;
	my $socket;
	my $page = '';

	for my $try (1 .. 100)
	{
		last if $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5);
		sleep 0.1;
	}
	return '' if !$socket;
	print $socket "GET /metrics HTTP/1.0\r\n\r\n";
	$page .= $_ while <$socket>;
	return $page;
}

# All that a file of queries names.
sub named_metrics
{
	my ($file) = @_;
	my $space;
	my @names;

	foreach my $line (split /\n/, slurp_file($file))
	{
		$space = $1 if $line =~ /^(\w+):$/;
		push @names, "${space}_$1" if $line =~ /^ +- (\w+): \{usage: "(?:COUNTER|GAUGE)"/;
	}
	return @names;
}

SKIP:
{
	my $labels = 'datname="postgres",indexrelname="t_embedding",relname="t",schemaname="public"';
	my ($exporter) = grep { defined $_ && -x $_ } $ENV{POSTGRES_EXPORTER},
	  map { ("$_/prometheus-postgres-exporter", "$_/postgres_exporter") } '/usr/local/bin', '/usr/bin';
	my ($shared, $port, $run, $page, @named);

	skip 'the exporter for Prometheus is not installed', 8 if !defined $exporter;
	$shared = `$ENV{PG_CONFIG} --sharedir`;
	chomp $shared;
	$port = PostgreSQL::Test::Cluster::get_free_port();
	search($node);
	$node->safe_psql('postgres', by_index() . "SET vecidx.recall_sample_rate = 1; SET vecidx.recall_sample_interval = 0; $search; $search;");
	local $ENV{DATA_SOURCE_NAME} = 'postgresql:///postgres?sslmode=disable&host=' . $node->host . '&port=' . $node->port;
	$run = IPC::Run::start([ $exporter, "--web.listen-address=127.0.0.1:$port", '--disable-default-metrics',
			"--extend.query-path=$shared/extension/vecidx_exporter.yaml" ], '<', \undef, '>', '/dev/null', '2>', '/dev/null');
	$page = read_metrics($port);
	$run->kill_kill;
	like($page, qr/^pg_stat_vecidx_scans\{$labels,server="[^"]*"\} 3$/m, 'Prometheus sees what an index did');
	like($page, qr/^pg_stat_vecidx_latency_p99_seconds\{[^}]*\} [\d.e-]+$/m, 'and how long it took');
	like($page, qr/^vecidx_recall_stats_samples\{$labels,server="[^"]*"\} 2$/m, 'and how many scans were audited');
	like($page, qr/^vecidx_recall_stats_rows_wanted\{$labels,server="[^"]*"\} 10$/m, 'and for how many rows');
	is($page =~ /^vecidx_recall_stats_recall\{[^}]*\} (\S+)$/m && $1,
		$node->safe_psql('postgres', "SELECT recall FROM vecidx_recall_stats WHERE indexrelname = 't_embedding'"), 'and with which result');
	like($page, qr/^vecidx_status_shared\{[^}]*\} 1$/m, 'and where that is kept');
	@named = named_metrics("$shared/extension/vecidx_exporter.yaml");
	cmp_ok(scalar @named, '>', 50, 'the file names more');
	is(join(', ', grep { $page !~ /^$_\{/m } @named), '', 'all of which is there');
}

# Indexes without number

$node->safe_psql('postgres', <<EOT);
DO \$\$ BEGIN
	FOR i IN 1 .. 1000 LOOP
		EXECUTE format('CREATE TABLE many_%s (v real[]); CREATE INDEX ON many_%s USING vecidx (v real_l2_ops); INSERT INTO many_%s VALUES (''{1,2}'')', i, i, i);
		IF i % 50 = 0 THEN COMMIT; END IF;
	END LOOP;
END \$\$;
EOT
is($node->safe_psql('postgres', "SELECT count(*), sum(inserts) FROM pg_stat_vecidx WHERE relname LIKE 'many%'"), '1000|1000', 'a thousand indexes are counted');
is(status_of($node, 'statistics evictions'), '0', 'all have room');

$node->append_conf('postgresql.conf', 'vecidx.statistics_slots = 100');
$node->restart;
is(status_of($node, 'statistics slots used'), '0', 'a new server begins anew');
is(status_of($node, 'statistics slots'), '100', 'with as many slots as are set');
$node->safe_psql('postgres', "INSERT INTO many_$_ VALUES ('{1,2}')") foreach (1 .. 10);
search($node);
$node->safe_psql('postgres', 'DO $$ BEGIN FOR i IN 11 .. 200 LOOP EXECUTE format(\'INSERT INTO many_%s VALUES (\'\'{1,2}\'\')\', i); END LOOP; END $$');
is(status_of($node, 'statistics slots used'), '100', 'slots are no more than that');
is(status_of($node, 'statistics evictions'), '101', 'indexes that were unused longest make way');
is($node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE stats_reset IS NULL AND inserts = 0), sum(inserts) FROM pg_stat_vecidx WHERE relname LIKE 'many%'"),
	'900|100', 'and begin anew');
$harness = run_clients($node, 4, 100, "\\set i random(1, 300)\nINSERT INTO many_:i VALUES ('{1,3}');", "$search;", 'SELECT vecidx_stat_reset();');
$harness->finish;
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_vecidx WHERE relname LIKE 'many%' AND inserts > 400"), '0', 'sessions that fight for slots count right');
like(status_of($node, 'statistics slots used'), qr/^100$/, 'within their number');

# The death of a session

foreach my $cycle (1 .. $kills)
{
	my $load = start_load($node, ['t'], seed => $cycle, dimensions => $dimensions, clients => 4,
		more => [ [ 'reset', 4, 'SELECT vecidx_stat_reset();' ], [ 'look', 4, 'SELECT sum(scans) FROM pg_stat_vecidx;' ] ]);
	my $victim;

	sleep(0.2 + rand(0.6));
	$victim = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'load' ORDER BY random() LIMIT 1");
	kill 9, $victim;
	wait_for($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'load'");
	wait_for($node, 'SELECT NOT pg_is_in_recovery()');
	finish_load($load);
	like($victim, qr/^\d+$/, "kill $cycle: a session is killed");
	is(status_of($node, 'statistics slots used'), '0', "kill $cycle: the state is made anew");
	search($node, 2);
	# rows of transactions that were cut off are returned, too
	is(count_of($node, 'scans, rows >= 10'), '2|t', "kill $cycle: and counts");
}
check_mixed_table($node, 't', 'after kills', $dimensions);

# Preloaded

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'vecidx'");
$node->restart;
is(status_of($node, 'state'), 'shared memory, set aside at the start of the server', 'with preloading, memory is set aside');
search($node, 2);
search($node, 1);
is(count_of($node, 'scans'), '3', 'and sessions share it');
# exporters older than the server ask it for columns that are no more
check_log($node, 'statistics', qr/terminating connection|terminated by signal|canceling|column "checkpoints_timed" does not exist/);
$node->stop;

# Without shared memory: no file can be made where pieces of it would lie

my $lone = new_node('lone', 'dynamic_shared_memory_type = mmap');
$lone->start;
install_helpers($lone);
create_mixed_table($lone, 't', 1200, $dimensions);
# from 17 on this makes the server's registry, in which what fails later leaves an entry half made
$lone->safe_psql('postgres', 'CREATE EXTENSION pg_prewarm; SELECT autoprewarm_dump_now()')
  if $lone->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_prewarm'") > 0;
chmod 0500, $lone->data_dir . '/pg_dynshmem';
SKIP:
{
	skip 'the superuser may write everywhere', 4 if $> == 0;
	is($lone->safe_psql('postgres', by_index() . "SELECT count(*) FROM ($search) AS found; SELECT scans, aborted FROM pg_stat_vecidx; SELECT value FROM vecidx_status() WHERE property = 'state'"),
		"5\n1|0\nmemory of this session alone", 'without shared memory a session counts for itself');
	like(status_of($lone, 'why not shared'), qr/could not open shared memory segment/, 'and says why');
	is(count_of($lone, 'scans'), '0', 'another begins with nothing');
	chmod 0700, $lone->data_dir . '/pg_dynshmem';
	is(status_of($lone, 'state'), 'shared memory, taken when it was first needed', 'when there is shared memory again, new sessions share it');
}
chmod 0700, $lone->data_dir . '/pg_dynshmem';
check_log($lone, 'without shared memory');
$lone->stop;
done_testing();
