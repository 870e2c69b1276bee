# CREATE INDEX under bad conditions: cancelled, timed out, its workers or its
# server killed, with hardly any memory, without workers, without room for
# temporary files, beside inserts.  What fails leaves nothing behind; what comes
# after it works.
#
# Every build is asked for as users do, by max_parallel_maintenance_workers.
# Where builds use no workers, the part that kills one is skipped.
#
# Not driven here: a disk that is really full.  That needs a small file system
# of its own, which only root can mount, and tests run as the server's owner.
# temp_file_limit stands for it as far as temporary files are concerned.
#
# VECIDX_BUILD_CRASHES sets the number of crashes, VECIDX_BUILD_SEED the times.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use List::Util qw(max sum0);
use Test::More;
use Time::HiRes qw(sleep time);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxSearch;
use VecidxTest;

my $crashes = $ENV{VECIDX_BUILD_CRASHES} || 5;
my $tries = 4;
my $dimensions = 24;
my $rows = 2500;
my $vectors = 2400;    # the other rows have none
my %name = (0 => 'serial build', 2 => 'build with 2 workers');

# Dynamic shared memory in files of the data directory, where what is left of it shows.
my $node = new_node('primary', <<EOT);
restart_after_crash = on
dynamic_shared_memory_type = mmap
shared_buffers = 64MB
maintenance_work_mem = 64MB
max_wal_size = 1GB
min_parallel_table_scan_size = 0
EOT

# SQL of a build with so many workers.
sub build_sql
{
	my ($workers, %how) = @_;
	my ($table, $how) = ($how{table} // 't', $how{concurrently} ? 'CONCURRENTLY' : '');

	return <<EOT;
SET max_parallel_maintenance_workers = $workers;
@{[ $how{settings} // '' ]}
CREATE INDEX $how ${table}_embedding ON $table USING vecidx (embedding real_l2_ops) @{[ $how{options} // '' ]};
EOT
}

# A build in a session of its own, under way when this returns.
sub start_build
{
	my ($workers, %how) = @_;
	my $run = start_psql($node, 'victim', build_sql($workers, %how));

	$node->poll_query_until('postgres',
		"SELECT to_regclass('t_embedding') IS NOT NULL
		 OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'victim' AND query LIKE 'CREATE INDEX%')")
	  or die 'the build does not begin';
	return $run;
}

# What the session said in the end.
sub finish
{
	my ($run) = @_;

	$run->{harness}->finish;
	return $run->{stderr};
}

sub folder
{
	my ($path) = @_;

	opendir(my $handle, $node->data_dir . "/$path") or return ();
	return grep { !/^\.\.?$/ } readdir $handle;
}

# Numbers of relation files that no relation has.
sub orphans
{
	my $database = $node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = 'postgres'");
	my %known;
	my %orphans;

	# the file of a dropped relation goes with the next checkpoint
	$node->safe_psql('postgres', 'CHECKPOINT');
	$known{$_} = 1 foreach split /\n/, $node->safe_psql('postgres', 'SELECT pg_relation_filenode(oid) FROM pg_class');
	foreach my $file (folder("base/$database"))
	{
		$orphans{$1} = 1 if $file =~ /^(?:t\d+_)?(\d+)/ && !$known{$1};
	}
	return sort keys %orphans;
}

# Files of the moment: temporary ones, and segments of shared memory.
sub passing_files
{
	return ((map { "base/pgsql_tmp/$_" } folder('base/pgsql_tmp')), (map { "pg_dynshmem/$_" } sort(folder('pg_dynshmem'))));
}

# Bytes of all segments of shared memory.
sub shared_bytes
{
	return sum0(map { -s $node->data_dir . "/pg_dynshmem/$_" // 0 } folder('pg_dynshmem'));
}

# A failed build has left no index and no file.
sub check_nothing_left
{
	my ($what, $passing_before, @orphans_before) = @_;
	my @orphans = orphans();
	my @passing = passing_files();

	is($node->safe_psql('postgres', "SELECT to_regclass('t_embedding') IS NULL"), 't', "$what: no index is left");
	is("@orphans", "@orphans_before", "$what: no relation's file is left");
	is("@passing", "@$passing_before", "$what: no temporary file or shared memory is left");
	return;
}

# The table's index is sound, and holds just its rows.
sub check_index
{
	my ($what, $table) = @_;
	my ($rc, $out, $err);

	$table //= 't';
	($rc, $out, $err) = $node->psql('postgres', <<EOT);
SELECT vecidx_check('${table}_embedding') = count(DISTINCT embedding) FROM $table;
SELECT compare('${table}_rows', array_fill(0.1::real, ARRAY[$dimensions])) = count(*) FROM ${table}_rows;
EOT
	is($out, "t\nt", "$what: the index is sound and holds its rows") or diag $err;
	return;
}

sub check_build_works
{
	my ($what, $workers, %how) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', build_sql($workers, %how));

	is($rc, 0, "$what: $name{$workers} works") or diag $err;
	check_index("$what, $name{$workers}");
	return;
}

sub drop_index { return $node->safe_psql('postgres', 'DROP INDEX IF EXISTS t_embedding'); }

# Builds that are broken off at random moments of the time that one takes.
# "breaker" starts one and breaks it off after so many ms; it returns the
# session's complaint.
sub break_off
{
	my ($what, $workers, $span, $breaker, $expected) = @_;
	my @passing = passing_files();
	my @orphans = orphans();
	my ($broken, $strange) = (0, '');

	foreach my $try (1 .. $tries)
	{
		my $complaint = $breaker->($workers, 1 + int(rand($span)));

		if    ($complaint =~ $expected) { $broken++; }
		elsif ($complaint eq '')        { drop_index(); }
		else                            { $strange .= $complaint; }
	}
	is($strange, '', "$what, $name{$workers}: ends as expected");
	cmp_ok($broken, '>', 0, "$what, $name{$workers}: broken off ($broken of $tries)");
	check_nothing_left("$what, $name{$workers}", \@passing, @orphans);
	check_build_works("after $what", $workers);
	drop_index();
	return;
}

sub cancel_build
{
	my ($workers, $ms) = @_;
	my $run = start_build($workers);

	sleep($ms / 1000);
	$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'");
	return finish($run);
}

sub time_build_out
{
	my ($workers, $ms) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', build_sql($workers, settings => "SET statement_timeout = $ms;"));

	return $err;
}

# Strikes a parallel worker of a build.  Returns the session's complaint, undef
# where builds have no workers.
sub strike_worker
{
	my ($blow) = @_;

	foreach my $try (1 .. 20)
	{
		my $run = start_build(2);
		my $worker = $node->safe_psql('postgres', 'SELECT worker_of_victim()');
		my $complaint;

		sleep(rand($try < 10 ? 0.1 : 0.01));
		$blow->($worker) if $worker ne '';
		$complaint = finish($run);
		return $complaint if $complaint ne '';
		drop_index();
		return undef if $worker eq '';
	}
	die 'no worker was struck';
}

sub kill_process { kill 9, $_[0]; return; }

sub terminate_process
{
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($_[0])");
	return;
}

# Crash after a random part of a build.
sub crash_build
{
	my ($cycle, $span) = @_;
	my $workers = $cycle % 2 ? 2 : 0;
	my $run = start_build($workers);

	sleep(rand($span) / 1000);
	$cycle % 4 < 2 ? kill9_all($node) : stop_immediate($node);
	finish($run);
	return $workers;
}

# The counts of rows that the planner goes by.
sub check_counts
{
	my ($what) = @_;

	is($node->safe_psql('postgres', "SELECT reltuples FROM pg_class WHERE oid = 't'::regclass"), $rows,
		"$what: the table's count of rows stays");
	is($node->safe_psql('postgres', "SELECT reltuples FROM pg_class WHERE oid = 't_embedding'::regclass"), $vectors,
		"$what: the index's count is that of the vectors");
	return;
}

srand($ENV{VECIDX_BUILD_SEED} || 1);
$node->start;
install_helpers($node);
$node->safe_psql('postgres', 'CREATE TABLE t (id bigint, embedding real[]) WITH (parallel_workers = 2)');
load_rows($node, 't', copy_rows(mixture(1, $vectors, $dimensions), 1));
$node->safe_psql('postgres', <<EOT);
INSERT INTO t SELECT i, NULL FROM generate_series($vectors + 1, $rows) AS i;
ANALYZE t;
-- an index knows nothing of rows without a vector
CREATE SEQUENCE more START 100001;
CREATE VIEW t_rows AS SELECT * FROM t WHERE embedding IS NOT NULL;

-- A parallel worker of the session "victim"; NULL if it ended without one.
CREATE FUNCTION worker_of_victim() RETURNS int LANGUAGE plpgsql VOLATILE AS \$\$
DECLARE
	worker int;
BEGIN
	LOOP
		PERFORM pg_stat_clear_snapshot();
		SELECT w.pid INTO worker FROM pg_stat_activity AS w JOIN pg_stat_activity AS v ON v.pid = w.leader_pid
		WHERE w.backend_type = 'parallel worker' AND v.application_name = 'victim';
		EXIT WHEN FOUND OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'victim');
	END LOOP;
	RETURN worker;
END
\$\$;
EOT

# In peace; no workers where none are asked for.
my %span;
foreach my $workers (sort keys %name)
{
	my $start = time;

	check_build_works('in peace', $workers);
	$span{$workers} = 1000 * (time - $start);
	check_counts("in peace, $name{$workers}");
	drop_index();
}
my $peaceful = start_build(0);
is($node->safe_psql('postgres', 'SELECT worker_of_victim()'), '', 'no workers where none are asked for');
is(finish($peaceful), '', 'the build without workers ends well');
check_index('without workers');
drop_index();

# Broken off.
foreach my $workers (sort keys %name)
{
	break_off('cancel', $workers, $span{$workers}, \&cancel_build, qr/canceling statement due to user request/);
	break_off('statement_timeout', $workers, $span{$workers}, \&time_build_out, qr/canceling statement due to statement timeout/);
}

# Workers struck.  One that is told to end makes the build end.
#
# One that is killed takes the server down.  A relation that was being made then
# keeps its file, whatever access method it has: PostgreSQL knows of no owner
# for it any more.  More than that one a crash must not leave.
my $fallen = 0;
my @passing = passing_files();
SKIP:
{
	my @orphans = orphans();
	my $complaint = strike_worker(\&terminate_process);

	skip 'builds use no parallel workers', 1 unless defined $complaint;
	like($complaint, qr/terminating .* due to administrator command/, 'a worker terminated: the build ends');
	check_nothing_left('a worker terminated', \@passing, @orphans);
	check_build_works('a worker terminated', 2);
	drop_index();

	$complaint = strike_worker(\&kill_process);
	$fallen++;
	like($complaint, qr/server closed the connection|connection to server was lost|terminating connection/,
		'a worker killed: the server falls');
	wait_for($node, 'SELECT NOT pg_is_in_recovery()');
	is($node->safe_psql('postgres', "SELECT to_regclass('t_embedding') IS NULL"), 't', 'a worker killed: no index is left');
	check_build_works('a worker killed', 2);
	drop_index();
}

foreach my $cycle (1 .. $crashes)
{
	my $workers = crash_build($cycle, $span{ $cycle % 2 ? 2 : 0 });

	$fallen++;
	drop_index();
	check_build_works("crash $cycle", $workers);
	drop_index();
}
my @orphans = orphans();
my @passing_now = passing_files();
cmp_ok(scalar @orphans, '<=', $fallen, "no more files left than servers fell ($fallen)");
note scalar(@orphans) . ' files left';
is(scalar(grep { /pgsql_tmp/ } @passing_now), 0, 'crashes: no temporary file is left');
is(scalar @passing_now, scalar @passing, 'crashes: no shared memory is left');

# A build takes the memory that is foretold, here much of it for lists: what
# the server needs for itself and the team is within the slack.  What was seen
# is the most at any of many moments, so the build was seen at its widest.
my $slack = 4 * 1024 * 1024;
my ($foretold, $parts) = split /\|/, $node->safe_psql('postgres', <<EOT);
CREATE TABLE roomy (embedding real[]) WITH (parallel_workers = 2);
INSERT INTO roomy SELECT random_vector($dimensions) FROM generate_series(1, 20000);
SELECT build_memory, build_parts FROM vecidx_estimate('roomy', 'embedding', 'real_l2_ops', 'm = 64, ef_construction = 100');
EOT
my $most = 0;

is($parts, 1, 'memory: all rows at once');
{
	my $before = shared_bytes();
	my $run = start_psql($node, 'roomy', build_sql(2, table => 'roomy', options => 'WITH (m = 64, ef_construction = 100)'));

	while ($run->{harness}->pumpable)
	{
		$most = max($most, shared_bytes() - $before);
		$run->{harness}->pump_nb;
		sleep 0.01;
	}
	is(finish($run), '', 'memory: the index is built');
}
note "memory: $foretold bytes foretold, $most seen";
cmp_ok($most, '>', $foretold * 0.9, 'memory: as much as is foretold');
cmp_ok($most, '<', $foretold + $slack, 'memory: no more than is foretold');
$node->safe_psql('postgres', 'DROP TABLE roomy');

# Hardly any memory.
$node->safe_psql('postgres', 'CREATE TABLE wide (id bigint, embedding real[]) WITH (parallel_workers = 2); CREATE TABLE queries (LIKE wide)');
load_rows($node, 'wide', copy_rows(mixture(3, 3000, 128), 1));
load_rows($node, 'queries', copy_rows(mixture(4, 100, 128), 1));
foreach my $workers (sort keys %name)
{
	my ($rc, $out, $err) = $node->psql('postgres', build_sql($workers, table => 'wide', settings => "SET maintenance_work_mem = '1MB';"));
	my $share;

	is($rc, 0, "1 MB, $name{$workers} works") or diag $err;
	is($node->safe_psql('postgres', "SELECT vecidx_check('wide_embedding') = count(*) FROM wide"), 't', "1 MB, $name{$workers}: the index is sound");
	is($node->safe_psql('postgres', "SELECT reltuples FROM pg_class WHERE relname = 'wide_embedding'"), 3000, "1 MB, $name{$workers}: all rows are counted");
	ok(uses_index($node, "SELECT id FROM wide ORDER BY embedding <-> '{1}' LIMIT 10", 'wide_embedding'), "1 MB, $name{$workers}: the index is used");
	($share) = recall($node, 'wide', '<->', 'queries', [10], 'SET vecidx.target_recall = 0.95;');
	note "1 MB, $name{$workers}: recall $share";
	cmp_ok($share, '>=', 0.9, "1 MB, $name{$workers}: recall");
	$node->safe_psql('postgres', 'DROP INDEX wide_embedding');
}

# Hardly any room for temporary files: a build does without or says so.
foreach my $workers (sort keys %name)
{
	my @before = passing_files();
	my $scarce = "SET maintenance_work_mem = '1MB'; SET temp_file_limit = '1MB';";
	my ($rc, $out, $err) = $node->psql('postgres', build_sql($workers, settings => $scarce));

	note "temp_file_limit, $name{$workers}: " . ($rc ? $err : 'works');
	if ($rc == 0)
	{
		check_index("temp_file_limit, $name{$workers}");
		drop_index();
	}
	else
	{
		like($err, qr/temporary file size exceeds "?temp_file_limit/, "temp_file_limit, $name{$workers}: a clear error");
	}
	check_nothing_left("temp_file_limit, $name{$workers}", \@before, @orphans);
	check_build_works('after temp_file_limit', $workers);
	drop_index();
}

# Beside inserts: the build waits for older transactions, so some rows are in
# its first scan of the table, some only in its second, and some come after.
# Inserts are held back: while they have no index to feed, they outrun it.
foreach my $workers (sort keys %name)
{
	my $inserts = start_clients($node, ['t'],
		[ [ 'insert', 1, 'INSERT INTO TABLE SELECT nextval(\'more\'), random_vector(DIMENSIONS) FROM generate_series(1, 3);' ] ],
		clients => 4, seconds => 6, dimensions => $dimensions, arguments => ['--rate=150']);
	my ($rc, $out, $err, $done, $complaints);

	sleep 0.5;
	($rc, $out, $err) = $node->psql('postgres', build_sql($workers, concurrently => 1));
	is($rc, 0, "concurrently, $name{$workers} works") or diag $err;
	($done, $complaints) = finish_load([$inserts]);
	is($complaints, '', "concurrently, $name{$workers}: no insert failed");
	cmp_ok($done, '>', 10, "concurrently, $name{$workers}: rows came meanwhile");
	check_index("concurrently, $name{$workers}");
	drop_index();
}

# A build whose worker and postmaster have been killed may say so before its own
# end comes; a worker may start when its leader is gone already, or be gone
# when it is to be struck.  Without a postmaster, a leader takes the index's file
# away under a worker that it cannot wait for; workers give no application name.
check_log($node, 'bad conditions',
	qr/canceling statement due to|terminating (?:connection|background worker)|temporary file size exceeds|because of crash of another server process|lost connection to parallel worker|could not map dynamic shared memory segment|AbortTransaction while in ABORT state|\[\d+\] ERROR:  could not read block \d+ in file "[^"]+": read only 0 of 8192 bytes|is not a PostgreSQL (?:backend|server) process/);
done_testing();
