# VecidxTest: what the TAP tests share.
#
# Vectors come from a seeded generator of this module's own or from the
# server's random functions; which of the two each function says.

package VecidxTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(
  new_node
  install_helpers
  create_mixed_table
  start_clients
  start_load
  finish_load
  check_mixed_table
  kill9_all
  stop_immediate
  wait_for
  check_log
  mixture
  copy_rows
  load_rows
  recall
  uses_index
);

# A node ready to start: without autovacuum and a log of all statements, and
# with whatever settings the caller adds.
sub new_node
{
	my ($name, $conf, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%init);
	$node->append_conf('postgresql.conf', <<EOT);
autovacuum = off
log_statement = none
max_connections = 20
wal_keep_size = 4GB
jit = off
$conf
EOT
	return $node;
}

# SQL functions: random vectors, and the comparison of a table with its index.
#
# ids_by_table and ids_by_index are STABLE, so that both see the snapshot of
# the query that calls them: they must agree however many rows come and go
# meanwhile.
sub install_helpers
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION vecidx;

CREATE FUNCTION random_vector(dimensions int) RETURNS real[]
	LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	centre int := (random() * 20)::int;
	v real[] := '{}';
BEGIN
	FOR i IN 1 .. dimensions LOOP
		v := v || (sin(centre * 7 + i * 13) + random() - 0.5)::real;
	END LOOP;
	RETURN v;
END
$$;

CREATE FUNCTION ids_by_table(t regclass) RETURNS bigint[]
	LANGUAGE plpgsql STABLE
	SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_bitmapscan = off AS $$
DECLARE
	ids bigint[];
BEGIN
	EXECUTE format('SELECT array_agg(id) FROM %s', t) INTO ids;
	RETURN ids;
END
$$;

CREATE FUNCTION ids_by_index(t regclass, query real[], operator text) RETURNS bigint[]
	LANGUAGE plpgsql STABLE
	SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS $$
DECLARE
	ids bigint[];
BEGIN
	EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM %s ORDER BY embedding %s $1) AS found', t, operator)
		INTO ids USING query;
	RETURN ids;
END
$$;

CREATE FUNCTION compare(t regclass, query real[], operator text DEFAULT '<->') RETURNS bigint
	LANGUAGE plpgsql STABLE AS $$
DECLARE
	result record;
BEGIN
	WITH by_table AS (SELECT id FROM unnest(ids_by_table(t)) AS id),
		 by_index AS (SELECT id, count(*) AS times FROM unnest(ids_by_index(t, query, operator)) AS id GROUP BY id)
	SELECT count(by_table.id) AS rows,
		   count(*) FILTER (WHERE by_index.id IS NULL) AS missing,
		   count(*) FILTER (WHERE by_table.id IS NULL) AS alien,
		   count(*) FILTER (WHERE times > 1) AS repeated,
		   min(by_table.id) FILTER (WHERE by_index.id IS NULL) AS example
	INTO result FROM by_table FULL JOIN by_index USING (id);
	IF result.missing + result.alien + result.repeated > 0 THEN
		RAISE EXCEPTION 'index and table % differ: % rows, % missing (such as id %), % alien, % repeated',
			t, result.rows, result.missing, result.example, result.alien, result.repeated;
	END IF;
	RETURN result.rows;
END
$$;

-- Share of sampled rows that come first, or tie, in a search for their own vector.
CREATE FUNCTION self_recall(t regclass, sample int) RETURNS float8
	LANGUAGE plpgsql STABLE
	SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
	share float8;
BEGIN
	EXECUTE format('SELECT avg((found.distance = 0)::int)
					FROM (SELECT embedding FROM %1$s ORDER BY md5(id::text) LIMIT $1) AS own
					CROSS JOIN LATERAL (SELECT embedding <-> own.embedding AS distance FROM %1$s
										ORDER BY embedding <-> own.embedding LIMIT 1) AS found', t)
		INTO share USING sample;
	RETURN share;
END
$$;
EOT
	return;
}

# A table for the mixed load.  Its second index makes updates of "note" new
# index entries of an old vector.  With rows, the index is built on them;
# without, it begins empty.
sub create_mixed_table
{
	my ($node, $table, $rows, $dimensions) = @_;

	$node->safe_psql('postgres', <<EOT);
SELECT setseed(0.5);
CREATE TABLE $table (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note int, embedding real[]);
CREATE INDEX ON $table (note);
INSERT INTO $table (note, embedding) SELECT 0, random_vector($dimensions) FROM generate_series(1, $rows);
CREATE INDEX ${table}_embedding ON $table USING vecidx (embedding real_l2_ops);
EOT
	return;
}

# Scripts of the load: name, weight, SQL.  Deletes take the more rows the more
# there are, so that a table stays at a few thousand.
my @load = (
	[
		'insert', 6,
		'INSERT INTO TABLE (note, embedding) SELECT 0, random_vector(DIMENSIONS) FROM generate_series(1, 4);'
	],
	[
		'rollback', 1,
		"BEGIN;\nINSERT INTO TABLE (note, embedding) SELECT 9, random_vector(DIMENSIONS) FROM generate_series(1, 3);\nROLLBACK;"
	],
	[ 'twin', 1, 'INSERT INTO TABLE (note, embedding) SELECT 1, embedding FROM ONE;' ],
	[ 'popular', 1, 'INSERT INTO TABLE (note, embedding) SELECT 2, array_fill(0.25::real, ARRAY[DIMENSIONS]);' ],
	[
		'move', 3,
		'UPDATE TABLE SET embedding = random_vector(DIMENSIONS) WHERE id IN (SELECT id FROM ONE FOR UPDATE SKIP LOCKED);'
	],
	[
		'note', 3,
		'UPDATE TABLE SET note = note + 1 WHERE id IN (SELECT id FROM ONE FOR UPDATE SKIP LOCKED);'
	],
	[
		'delete', 2,
		'DELETE FROM TABLE WHERE id IN (SELECT id FROM TABLE WHERE id >= START ORDER BY id
		 LIMIT (SELECT 1 + count(*) / 500 FROM TABLE) FOR UPDATE SKIP LOCKED);'
	],
	[
		'search', 3,
		'SELECT id FROM TABLE ORDER BY embedding <-> (SELECT random_vector(DIMENSIONS)) LIMIT 10;'
	],
	[ 'compare', 1, 'SELECT compare(\'TABLE\', random_vector(DIMENSIONS));' ]);

my @vacuum = ([ 'vacuum', 1, "VACUUM TABLE;\n\\sleep 50 ms" ]);
my @checkpoint = ([ 'checkpoint', 1, "CHECKPOINT;\n\\sleep 300 ms" ]);

sub write_scripts
{
	my ($scripts, $tables, $dimensions) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir('load');
	my @arguments;

	foreach my $table (@$tables)
	{
		foreach my $script (@$scripts)
		{
			my ($name, $weight, $sql) = @$script;
			my $file = "$folder/$table-$name.sql";

			$sql =~ s/ONE/TABLE WHERE id >= START ORDER BY id LIMIT 1/;
			$sql =~ s/START/(SELECT min(id) + ((max(id) - min(id)) * :share)::bigint FROM TABLE)/g;
			$sql =~ s/TABLE/$table/g;
			$sql =~ s/DIMENSIONS/$dimensions/g;
			append_to_file($file, "\\set share random(0, 999) / 1000.0\n$sql\n");
			push @arguments, '-f', "$file\@$weight";
		}
	}
	return @arguments;
}

sub start_pgbench
{
	my ($node, $clients, $seconds, $seed, @scripts) = @_;
	my $run = { stdout => '', stderr => '' };
	my @command = (
		'pgbench', '-n', '-c', $clients, '-T', $seconds, "--random-seed=$seed",
		'-h', $node->host, '-p', $node->port, @scripts, 'postgres');

	local $ENV{PGAPPNAME} = 'load';
	local $ENV{PGOPTIONS} = '-c enable_seqscan=off -c enable_sort=off';
	$run->{harness} = IPC::Run::start(\@command, '<', \undef, '>', \$run->{stdout}, '2>', \$run->{stderr});
	return $run;
}

# Starts clients that run the scripts (name, weight, SQL) on each of the tables.
# In the SQL, TABLE and DIMENSIONS are replaced, ONE is a row drawn at random
# and START the id from which on to look for some.
sub start_clients
{
	my ($node, $tables, $scripts, %given) = @_;
	my %options = (clients => 1, seconds => 600, seed => 1, dimensions => 32, arguments => [], %given);

	return start_pgbench($node, @options{ 'clients', 'seconds', 'seed' },
		@{ $options{arguments} }, write_scripts($scripts, $tables, $options{dimensions}));
}

# Starts the mixed load on the tables, by "clients" for rows (which do "more"
# besides), one for vacuum and one for checkpoints.
sub start_load
{
	my ($node, $tables, %given) = @_;
	my %options = (clients => 2, more => [], %given);

	return [
		start_clients($node, $tables, [ @load, @{ $options{more} } ], %options),
		start_clients($node, $tables, \@vacuum, %options, clients => 1),
		start_clients($node, [ $tables->[0] ], \@checkpoint, %options, clients => 1)
	];
}

# Waits for the load's end.  Returns how many transactions its clients for
# rows made, and what any client complained of (a crash gives reason to).
sub finish_load
{
	my ($load) = @_;
	my $complaints = '';
	my $transactions;

	foreach my $run (@$load)
	{
		$run->{harness}->finish;
		$complaints .= $run->{stderr} if $run->{harness}->result(0) != 0;
	}
	($transactions) = $load->[0]->{stdout} =~ /number of transactions actually processed: (\d+)/;
	return ($transactions // 0, $complaints);
}

sub uses_index
{
	my ($node, $query, $index) = @_;

	return $node->safe_psql('postgres',
		"SET enable_seqscan = off; SET enable_sort = off; EXPLAIN (COSTS OFF) $query") =~
	  /Index Scan using $index\b/;
}

# The index is sound, and holds just the table's rows.
sub check_mixed_table
{
	my ($node, $table, $what, $dimensions) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', <<EOT);
SELECT vecidx_check('${table}_embedding');
SELECT compare('$table', array_fill(0.1::real, ARRAY[$dimensions]));
SELECT compare('$table', random_vector($dimensions));
SELECT count(DISTINCT embedding) FROM $table;
EOT
	my ($nodes, $rows, undef, $vectors) = split /\n/, $out;

	is($rc, 0, "$what: index of table $table is sound and holds its rows") or diag $err;
	cmp_ok($nodes, '>=', $vectors, "$what: index of table $table has a node for each vector") if $rc == 0;
	note "$what: $table: $nodes nodes, $rows rows" if $rc == 0;
	return;
}

# No process of the server gets the chance to write anything more.
sub kill9_all
{
	my ($node) = @_;
	my @children = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	my $tries = 0;

	$node->kill9;
	kill 9, @children;
	sleep 0.01 while $tries++ < 2000 && kill 0, @children;
	$node->start;
	return;
}

sub stop_immediate
{
	my ($node) = @_;

	$node->stop('immediate');
	$node->start;
	return;
}

# Waits until a query says "t".  Unlike poll_query_until it gives psql nothing to
# read, which breaks the pipe when the server is not there to connect to.
sub wait_for
{
	my ($node, $query) = @_;

	for my $try (1 .. 1800)
	{
		my ($answer, $complaint) = ('', '');

		IPC::Run::run([ 'psql', '-XAt', '-d', $node->connstr('postgres'), '-c', $query ],
			'<', '/dev/null', '>', \$answer, '2>', \$complaint);
		return if $answer eq "t\n";
		sleep 0.1;
	}
	die 'server did not come back';
}

# Nothing in the server's log that a sound server does not say.  "expected" is
# a pattern of errors that the test has provoked.
sub check_log
{
	my ($node, $what, $expected) = @_;
	my @lines = split /\n/, slurp_file($node->logfile);
	my @bad = grep { /PANIC:|TRAP:|refcount leak|reference leak|terminated by signal (?!9:)|inconsistent page/ } @lines;

	push @bad, grep { /(?:ERROR|WARNING): / && !(defined $expected && /$expected/) } @lines;
	is(scalar @bad, 0, "$what: the log has no complaint") or diag join("\n", @bad[ 0 .. ($#bad < 9 ? $#bad : 9) ]);
	return;
}

# Random numbers that are the same on every Perl: between 0 and 1 by 32-bit
# xorshift, and normal ones made of them by Box and Muller's method.
sub uniforms
{
	my ($seed) = @_;
	my $state = ($seed * 2654435761 + 1) & 0xFFFFFFFF;

	return sub {
		$state ^= ($state << 13) & 0xFFFFFFFF;
		$state ^= $state >> 17;
		$state ^= ($state << 5) & 0xFFFFFFFF;
		return ($state + 0.5) / 4294967296;
	};
}

sub normals
{
	my ($seed) = @_;
	my $uniform = uniforms($seed);
	my $spare;

	return sub {
		my $value = $spare;

		if (!defined $value)
		{
			my $radius = sqrt(-2 * log($uniform->()));
			my $angle = 6.283185307179586 * $uniform->();

			$spare = $radius * sin($angle);
			return $radius * cos($angle);
		}
		undef $spare;
		return $value;
	};
}

# "count" vectors as COPY writes arrays, from a mixture of normal distributions
# around 60 centres.  Spread falls with the coordinate, as in embeddings turned
# to their principal axes; the length of all vectors is about 1.  The centres
# are the same for every seed.
sub mixture
{
	my ($seed, $count, $dimensions) = @_;
	my $centre_normal = normals(77);
	my $normal = normals($seed + 1000);
	my $uniform = uniforms($seed + 2000);
	my @spread = map { ($_ + 4)**-0.5 } 0 .. $dimensions - 1;
	my $scale = 0;
	my @centres;
	my @vectors;

	$scale += $_ * $_ foreach @spread;
	$_ /= sqrt($scale) foreach @spread;
	push @centres, [ map { 0.5 * $_ * $centre_normal->() } @spread ] foreach 1 .. 60;
	foreach my $i (1 .. $count)
	{
		my $centre = $centres[ int(60 * $uniform->()) ];

		push @vectors,
		  '{' . join(',', map { sprintf '%.5g', $centre->[$_] + 0.8 * $spread[$_] * $normal->() } 0 .. $dimensions - 1) . '}';
	}
	return \@vectors;
}

# Rows "id, vector" for COPY, ids from "first" on.
sub copy_rows
{
	my ($vectors, $first) = @_;

	return join('', map { ($first + $_) . "\t$vectors->[$_]\n" } 0 .. $#$vectors);
}

# COPYs text into a table.
sub load_rows
{
	my ($node, $table, $text) = @_;
	my $stderr;

	IPC::Run::run(
		[
			'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port,
			'-c', "COPY $table FROM STDIN", 'postgres'
		],
		'<', \$text, '2>', \$stderr) or die "COPY $table: $stderr";
	return;
}

# Recall at each of several k: the share of the k rows returned that are no
# farther from the query than the true k-th row, so that ties count as right.
# "queries" is a table of (id, embedding).  True distances are kept in table
# "truth" until the caller empties it.
sub recall
{
	my ($node, $table, $operator, $queries, $counts, $settings) = @_;
	my $most = max(@$counts);
	my $source = "source = '$table $operator'";
	my $nearest = "SELECT q.id, n.distance FROM $queries AS q CROSS JOIN LATERAL
		(SELECT t.embedding $operator q.embedding AS distance FROM $table AS t
		 ORDER BY t.embedding $operator q.embedding LIMIT";
	my $sql = <<EOT;
SET max_parallel_workers_per_gather = 0;
SET client_min_messages = warning;
@{[ $settings // '' ]}
CREATE TABLE IF NOT EXISTS truth (source text, id bigint, k bigint, distance float8);
SET enable_indexscan = off;
INSERT INTO truth SELECT '$table $operator', id, row_number() OVER (PARTITION BY id ORDER BY distance), distance
FROM ($nearest $most) AS n) AS exact WHERE NOT EXISTS (SELECT FROM truth WHERE $source AND k = $most);
SET enable_indexscan = on;
SET enable_seqscan = off;
SET enable_sort = off;
EOT

	$sql .= <<EOT foreach @$counts;
SELECT count(*) FILTER (WHERE found.distance <= truth.distance) / ($_.0 * (SELECT count(*) FROM $queries))
FROM ($nearest $_) AS n) AS found JOIN truth ON truth.id = found.id AND $source AND k = $_;
EOT
	return split /\n/, $node->safe_psql('postgres', $sql);
}

1;
