# Cancel, termination and statement_timeout are answered at once in every phase
# of a build, in scans, inserts and vacuum; the index stays sound, and nothing
# is left pinned.
#
# The aim is 100 ms.  So that a busy machine does not fail the test, only a hang
# of a minute does; it reports what it measured, and VECIDX_INTERRUPT_MS makes
# it strict.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use List::Util qw(max);
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my $allowed = $ENV{VECIDX_INTERRUPT_MS} || 60000;
my $dimensions = 48;
my $rows = 6000;
my %answers = (
	pg_cancel_backend => qr/canceling statement due to user request/,
	pg_terminate_backend => qr/terminating connection due to administrator command/);

my $node = new_node('primary', <<EOT);
shared_buffers = 64MB
maintenance_work_mem = 64MB
max_wal_size = 1GB
EOT

$node->start;
install_helpers($node);
$node->safe_psql('postgres', <<EOT);
SELECT setseed(0.5);
CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, embedding real[]);
INSERT INTO t (embedding) SELECT random_vector($dimensions) FROM generate_series(1, $rows);

-- Wide rows, to make the phases of a build long.
CREATE TABLE wide AS
SELECT i AS id, array_agg((sin(i % 20 * j) + random())::real) AS embedding
FROM generate_series(1, 1500) AS i CROSS JOIN generate_series(1, 1000) AS j GROUP BY i;

-- Waits until the session "victim" is where the condition says, and then some
-- time; strikes it; returns how many ms it took to stop.  NULL if the victim
-- ended by itself before.
CREATE FUNCTION strike(blow text, condition text, delay_ms float8) RETURNS float8
	LANGUAGE plpgsql VOLATILE AS \$\$
DECLARE
	victim int;
	there bool := false;
	start timestamptz;
BEGIN
	FOR i IN 1 .. 1000 LOOP
		PERFORM pg_stat_clear_snapshot();
		SELECT pid INTO victim FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active';
		EXIT WHEN FOUND;
		PERFORM pg_sleep(0.001);
	END LOOP;
	WHILE NOT there LOOP
		PERFORM pg_stat_clear_snapshot();
		IF NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = victim AND state = 'active') THEN
			RETURN NULL;
		END IF;
		EXECUTE 'SELECT EXISTS (SELECT FROM ' || condition || ' AND pid = \$1)' INTO there USING victim;
	END LOOP;
	PERFORM pg_sleep(delay_ms / 1000);
	start := clock_timestamp();
	EXECUTE format('SELECT %I(\$1)', blow) USING victim;
	LOOP
		PERFORM pg_stat_clear_snapshot();
		EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = victim AND state = 'active');
	END LOOP;
	RETURN extract(epoch FROM clock_timestamp() - start) * 1000;
END
\$\$;
EOT

# Runs the statement in a session of its own and strikes it there.  Tries
# again, after "prepare", when it was missed.  Returns the ms until it stopped.
sub strike
{
	my ($what, $blow, $statement, %how) = @_;
	my $condition = $how{condition} // "pg_stat_activity WHERE state = 'active'";
	my ($harness, $out, $err, $ms);

	foreach my $try (1 .. 10)
	{
		my $delay = $how{delay} ? rand($how{delay}) : 0;

		$node->safe_psql('postgres', $how{prepare}) if $how{prepare};
		{
			local $ENV{PGAPPNAME} = 'victim';
			local $ENV{PGOPTIONS} = '-c enable_seqscan=off -c enable_sort=off';

			($out, $err) = ('', '');
			$harness = IPC::Run::start([ 'psql', '-XqAt', '-h', $node->host, '-p', $node->port, map({ ('-c', $_) } split /;/, $statement), 'postgres' ],
				'<', \undef, '>', \$out, '2>', \$err);
		}
		$ms = $node->safe_psql('postgres', "SELECT strike('$blow', \$\$$condition\$\$, $delay)");
		$harness->finish;
		last if $ms ne '' && $err =~ $answers{$blow};
		note "$what: missed, " . ($ms eq '' ? 'ended before' : "ended as struck: $err");
		$ms = '';
	}
	like($err, $answers{$blow}, "$what: $blow is obeyed");
	if ($ms ne '')
	{
		note sprintf '%s: %s answered in %.1f ms', $what, $blow, $ms;
		cmp_ok($ms, '<', $allowed, "$what: $blow is answered in time");
	}
	return;
}

sub check_index
{
	my ($what) = @_;
	my ($rc, $out, $err) =
	  $node->psql('postgres', "SELECT vecidx_check('t_embedding') > 0 AND compare('t', random_vector($dimensions)) > 0");

	is($out, 't', "$what: the index is sound and holds its rows") or diag $err;
	return;
}

# Runs the statement under timeouts spread over "span" ms; returns by how many
# ms it overran the worst of them.
sub overrun
{
	my ($statement, $span, $prepare) = @_;
	my @overruns;

	foreach my $i (1 .. 6)
	{
		my $timeout = int($span * $i / 6);
		my ($rc, $out, $err);

		$node->safe_psql('postgres', $prepare) if $prepare;
		local $ENV{PGOPTIONS} = '-c enable_seqscan=off -c enable_sort=off';
		($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = $timeout;\n\\timing on\n$statement");
		next unless $err =~ /canceling statement due to statement timeout/ && $out =~ /Time: ([\d.]+) ms/;
		push @overruns, $1 - $timeout;
	}
	return @overruns ? max(@overruns) : undef;
}

sub check_overrun
{
	my ($what, @arguments) = @_;
	my $overrun = overrun(@arguments);

	ok(defined $overrun, "$what: statement_timeout is obeyed");
	if (defined $overrun)
	{
		note sprintf '%s: statement_timeout overrun by %.1f ms at most', $what, $overrun;
		cmp_ok($overrun, '<', $allowed, "$what: statement_timeout is obeyed in time");
	}
	return;
}

srand(1);

# Builds, in each phase but the last, which is over before a blow falls; then one
# in peace.
my $build = 'CREATE INDEX t_embedding ON t USING vecidx (embedding real_l2_ops)';
my $build_wide = 'CREATE INDEX wide_embedding ON wide USING vecidx (embedding real_cosine_ops)';

foreach my $phase ('sampling table', 'loading tuples', 'finding near tuples', 'linking near tuples',
	'writing pages', 'calibrating searches', 'inserting held tuples')
{
	foreach my $blow (sort keys %answers)
	{
		strike("build, $phase", $blow, $build_wide,
			prepare => 'DROP INDEX IF EXISTS wide_embedding',
			condition => "pg_stat_progress_create_index WHERE phase = 'building index: $phase'",
			delay => $phase eq 'loading tuples' ? 200 : 0);
		is($node->safe_psql('postgres', "SELECT to_regclass('wide_embedding') IS NULL"), 't', "build, $phase: nothing is left");
	}
}
check_overrun('build', "$build;", 600, 'DROP INDEX IF EXISTS t_embedding');
$node->safe_psql('postgres', "DROP INDEX IF EXISTS t_embedding; $build");
check_index('build');

# A build that its memory does not hold is made cell by cell.
strike('build beyond maintenance_work_mem', 'pg_cancel_backend',
	"SET maintenance_work_mem = '1MB'; CREATE INDEX again ON t USING vecidx (embedding real_l2_ops)",
	prepare => 'DROP INDEX IF EXISTS again', delay => 200);
is($node->safe_psql('postgres', "SELECT to_regclass('again') IS NULL"), 't', 'build beyond maintenance_work_mem: nothing is left');

# Scans: sweeps over everything, walks, and a cursor left in the middle.
my $sweep = "SELECT count(*) FROM generate_series(1, 1000) AS i CROSS JOIN LATERAL
	(SELECT id FROM t ORDER BY embedding <-> array_fill(i::real, ARRAY[$dimensions])) AS n";
my $walk = "SELECT count(*) FROM generate_series(1, 100000) AS i CROSS JOIN LATERAL
	(SELECT id FROM t ORDER BY embedding <-> array_fill(sin(i)::real, ARRAY[$dimensions]) LIMIT 10) AS n";

foreach my $blow (sort keys %answers)
{
	strike('sweep', $blow, $sweep, delay => 100) foreach 1 .. 3;
	strike('walk', $blow, $walk, delay => 100);
	strike('one long walk', $blow, "SET vecidx.ef_search = 1000; $walk", delay => 100);
}
check_overrun('sweep', "$sweep;", 90);
check_index('scans');
is( $node->safe_psql('postgres', <<EOT), "5\n5", 'a cursor survives an error beside it');
SET enable_seqscan = off;
\\set ON_ERROR_STOP off
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY embedding <-> array_fill(0::real, ARRAY[$dimensions]);
\\o /dev/null
MOVE 3 IN c;
\\o
SELECT count(*) FROM (SELECT id FROM t ORDER BY embedding <-> array_fill(0::real, ARRAY[$dimensions]) LIMIT 5) AS n;
SAVEPOINT s;
SELECT id FROM t ORDER BY embedding <-> '{1,2}'::real[] LIMIT 1;
ROLLBACK TO s;
MOVE 1000 IN c;
COMMIT;
SELECT count(*) FROM (SELECT id FROM t ORDER BY embedding <-> array_fill(0::real, ARRAY[$dimensions]) LIMIT 5) AS n;
EOT

# Inserts.
my $insert = "INSERT INTO t (embedding) SELECT random_vector($dimensions) FROM generate_series(1, 100000)";

foreach my $blow (sort keys %answers)
{
	strike('insert', $blow, $insert, delay => 200);
	check_index("insert, $blow");
}
check_overrun('insert', "$insert;", 300);
check_index('insert under timeouts');

# Vacuum: while it takes dead rows out, and while it mends the graph.
# The first phase is short, so that its delays are made to stretch it.
my $change = "INSERT INTO t (embedding) SELECT random_vector($dimensions) FROM generate_series(1, 300)";
my $delete = 'DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY md5(id::text) LIMIT 300)';
my %slow = ('vacuuming indexes' => 'SET vacuum_cost_delay = 1; SET vacuum_cost_limit = 50;', 'cleaning up indexes' => '');

foreach my $phase (sort keys %slow)
{
	foreach my $blow (sort keys %answers)
	{
		foreach my $delay (0, 20)
		{
			strike("vacuum, $phase", $blow, "$slow{$phase} VACUUM (INDEX_CLEANUP ON) t",
				prepare => "$change; $delete",
				condition => "pg_stat_progress_vacuum WHERE phase = '$phase'",
				delay => $delay);
			check_index("vacuum, $phase, $blow");
			$node->safe_psql('postgres', $change);
			check_index('insert after the broken vacuum');
		}
	}
}
$node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP ON) t');
check_index('vacuum in peace');
is($node->safe_psql('postgres', "SELECT vecidx_check('t_embedding') = count(*) FROM t"), 't', 'vacuum leaves no node without a row');

# A worker of a build may start when its leader has been struck already.
check_log($node, 'interrupts',
	qr/canceling statement due to (?:user request|statement timeout)|could not map dynamic shared memory segment|vector has 2 dimensions|is not a PostgreSQL backend/);
done_testing();
