# An index outlives what administrators do to a cluster: pg_dump and
# pg_restore, pg_basebackup, pg_upgrade.
#
# oldinstall, as in PostgreSQL's own tests, names another version's
# installation to upgrade from; without it the same version serves.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my $node = new_node('primary', '', allows_streaming => 1);
my $definitions = <<'EOT';
SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE '%USING vecidx%' ORDER BY 1;
SELECT extname, extversion FROM pg_extension WHERE extname LIKE 'vec%' ORDER BY 1
EOT
my %indexes = (plain_embedding => '<->', options_embedding => '<=>', filtered_embedding => '<->');

# What a database answers: indexes, extensions, and the nearest rows to some.
sub describe
{
	my ($server, $database) = @_;
	my $answers = $server->safe_psql($database, $definitions);

	foreach my $index (sort keys %indexes)
	{
		my $table = $index =~ s/_embedding//r;
		my $order = "ORDER BY t.embedding $indexes{$index} q.embedding LIMIT 5";
		my $query = "SELECT q.id, array_agg(n.id) FROM $table AS q CROSS JOIN LATERAL
			(SELECT id FROM $table AS t $order) AS n WHERE q.id % 100 = 1 GROUP BY q.id ORDER BY q.id";
		my $set = 'SET enable_seqscan = off; SET enable_sort = off;';

		like($server->safe_psql($database, "$set EXPLAIN $query"),
			qr/using $index\b/, "$database: searches use index $index");
		$answers .= "\n" . $server->safe_psql($database, "$set $query");
	}
	return $answers;
}

# Every index sound, with all rows that have a vector, and fit for more.
sub check_database
{
	my ($server, $what, $database) = @_;

	foreach my $index (sort keys %indexes)
	{
		my $table = $index =~ s/_embedding//r;

		is($server->safe_psql($database, "SELECT vecidx_check('$index') = count(embedding) FROM $table"),
			't', "$what: $index is sound");
		$server->safe_psql($database, <<EOT);
INSERT INTO $table
SELECT id + 10000, (SELECT array_agg(v ORDER BY n DESC)
					FROM unnest(embedding::real[]) WITH ORDINALITY AS u (v, n))@{[ cast_of($table) ]}
FROM $table WHERE id <= 50 AND embedding IS NOT NULL;
DELETE FROM $table WHERE id BETWEEN 51 AND 100;
VACUUM $table;
EOT
		is($server->safe_psql($database, "SELECT vecidx_check('$index') = count(embedding) FROM $table"),
			't', "$what: $index is sound after changes");
	}
	return;
}

sub cast_of
{
	my ($table) = @_;

	return $table eq 'vectors' ? '::vector' : '::real[]';
}

$node->start;
install_helpers($node);
$node->safe_psql('postgres', 'CREATE DATABASE origin');
$node->safe_psql('origin', <<EOT);
CREATE EXTENSION vecidx;
SELECT setseed(0.25);
CREATE TABLE plain AS SELECT i AS id, ARRAY(SELECT random()::real FROM generate_series(1, 12 + i * 0)) AS embedding
FROM generate_series(1, 1500) AS i;
INSERT INTO plain VALUES (5000, NULL);
CREATE INDEX plain_embedding ON plain USING vecidx (embedding real_l2_ops);
CREATE TABLE options (LIKE plain);
CREATE INDEX options_embedding ON options USING vecidx (embedding real_cosine_ops)
WITH (m = 12, ef_construction = 50, quantizer = rabitq4, rerank = half, dimensions = 12);
INSERT INTO options SELECT * FROM plain;
CREATE TABLE filtered AS SELECT id, embedding, id % 7 AS note, repeat('x', id % 40) AS label FROM plain;
CREATE INDEX filtered_embedding ON filtered USING vecidx (embedding real_l2_ops, note, label);
EOT
if ($node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") > 0)
{
	$node->safe_psql('origin', <<EOT);
CREATE EXTENSION vecidx_pgvector CASCADE;
CREATE TABLE vectors AS SELECT id, embedding::vector(12) FROM plain;
CREATE INDEX vectors_embedding ON vectors USING vecidx (embedding vector_ip_ops) WITH (m = 10);
EOT
	$indexes{vectors_embedding} = '<#>';
}
else
{
	note 'pgvector is not installed: its bridge is left out';
}
my $origin = describe($node, 'origin');
like($origin, qr/m='12', ef_construction='50', quantizer=rabitq4, rerank=half, dimensions='12'/, 'options are kept');

# Dump and restore: the index is built again.
my $dump = PostgreSQL::Test::Utils::tempdir('dump') . '/origin.dump';

$node->command_ok([ 'pg_dump', '--format=custom', "--file=$dump", $node->connstr('origin') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'pg_restore');
is($node->safe_psql('restored', $definitions), $node->safe_psql('origin', $definitions), 'restored: the same indexes');
describe($node, 'restored');
check_database($node, 'restored', 'restored');
is( $node->safe_psql('restored', "SELECT count(*) FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.objid
	WHERE d.refclassid = 'pg_extension'::regclass AND extname = 'vecidx_pgvector'"),
	exists $indexes{vectors_embedding} ? 2 : 0, 'restored: the bridge depends on both extensions');

# A base backup, taken while rows come: the index's own pages, replayed.
my $load;

create_mixed_table($node, 'mixed', 500, 16);
$load = start_load($node, ['mixed'], seconds => 4, dimensions => 16);
$node->backup('base');
finish_load($load);
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'base');
$copy->start;
is(describe($copy, 'origin'), $origin, 'base backup: answers as the origin does');
check_database($copy, 'base backup', 'origin');
check_mixed_table($copy, 'mixed', 'base backup', 16);
check_log($copy, 'base backup');
$copy->stop;

# Upgrade: the index's pages stay as they are.
SKIP:
{
	my $old = $node;
	my $new = PostgreSQL::Test::Cluster->new('upgraded');
	my $bindir = $node->config_data('--bindir');
	my $oldbindir = $ENV{oldinstall} ? "$ENV{oldinstall}/bin" : $bindir;

	if ($ENV{oldinstall})
	{
		$old = PostgreSQL::Test::Cluster->new('old', install_path => $ENV{oldinstall});
		$old->init;
		$old->start;
		$old->safe_psql('postgres', 'CREATE DATABASE origin');
		skip 'the old installation has no vecidx', 1
		  if $old->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'vecidx'") == 0;
		$old->command_ok([ "$bindir/pg_restore", '--exit-on-error', '-d', $old->connstr('origin'), $dump ],
			'the old version has the data');
		$origin = describe($old, 'origin');
	}
	$old->stop;
	$new->init;
	chdir $new->basedir or die "chdir: $!";
	command_ok(
		[
			'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir,
			'-b', $oldbindir, '-B', $bindir, '-s', $new->host, '-p', $old->port, '-P', $new->port
		],
		'pg_upgrade');
	$new->start;
	is(describe($new, 'origin'), $origin, 'upgraded: answers as before');
	check_database($new, 'upgraded', 'origin');
	check_log($new, 'upgraded');
}
check_log($node, 'origin');
done_testing();
