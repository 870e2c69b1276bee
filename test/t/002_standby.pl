# A streaming standby under the same load as the primary: the replay of each
# page change gives the primary's page (the server compares them), queries on
# the standby never fail nor miss a row, both answer alike in the end, and the
# standby takes over.
#
# VECIDX_STANDBY_SECONDS sets the length of the load.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my $seconds = $ENV{VECIDX_STANDBY_SECONDS} || 12;
my $dimensions = 32;
my @tables = ('built', 'begun');

# What both must answer alike: the ids of many searches, in order.
sub answers
{
	my ($node, $table) = @_;

	return $node->safe_psql('postgres', <<EOT);
SET enable_seqscan = off;
SET enable_sort = off;
SELECT q.id, array_agg(n.id)
FROM queries AS q CROSS JOIN LATERAL
	(SELECT id FROM $table AS t ORDER BY t.embedding <-> q.embedding LIMIT 30) AS n
GROUP BY q.id ORDER BY q.id;
SELECT array_agg(id) FROM (SELECT id FROM $table ORDER BY embedding <-> array_fill(0.1::real, ARRAY[$dimensions])) AS whole;
EOT
}

# What the functions that look at an index in use tell of a table's.
sub looks
{
	my ($node, $table) = @_;

	return $node->safe_psql('postgres', <<EOT);
SELECT k, used, recall, low, high, worst FROM vecidx_recall('${table}_embedding', 10, 50);
SELECT nodes, built_nodes, tombstones, unreachable_nodes, drift, calibrated_nodes, format_version
FROM vecidx_health WHERE index = '${table}_embedding'::regclass;
SELECT recall FROM vecidx_health('${table}_embedding', true);
SELECT sum(bytes) = pg_relation_size('${table}_embedding'), sum(buffer_bytes) > 0 FROM vecidx_residency('${table}_embedding');
SELECT rows, quantizer, index_bytes FROM vecidx_estimate('$table', 'embedding');
EOT
}

# What clients of the standby do: searches, and comparisons of index and table.
my @reads = (
	[ 'search', 10, 'SELECT id FROM TABLE ORDER BY embedding <-> (SELECT random_vector(DIMENSIONS)) LIMIT 50;' ],
	[ 'compare', 1, "SELECT compare('TABLE', random_vector(DIMENSIONS));" ]);

my $primary = new_node('primary', <<EOT, allows_streaming => 1);
wal_consistency_checking = 'generic'
shared_buffers = 16MB
max_wal_size = 256MB
checkpoint_timeout = 30s
EOT

$primary->start;
install_helpers($primary);
create_mixed_table($primary, 'built', 2000, $dimensions);
$primary->backup('base');

# Replay waits for queries, so that none of them may fail.
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', <<EOT);
max_standby_streaming_delay = -1
shared_buffers = 4MB
EOT
$standby->start;

# The second index begins while the standby follows, as does a built one.
create_mixed_table($primary, 'begun', 0, $dimensions);
$primary->safe_psql('postgres', <<EOT);
CREATE TABLE queries AS SELECT i AS id, random_vector($dimensions) AS embedding FROM generate_series(1, 100) AS i;
CREATE INDEX built_again ON built USING vecidx (embedding real_l2_ops) WITH (m = 8);
DROP INDEX built_embedding;
ALTER INDEX built_again RENAME TO built_embedding;
EOT
$primary->wait_for_catchup($standby);

my $load = start_load($primary, \@tables, seconds => $seconds, dimensions => $dimensions);
my $readers = start_clients($standby, \@tables, \@reads,
	clients => 2, seconds => $seconds, seed => 5, dimensions => $dimensions);
my ($done, $complaints) = finish_load($load);

is($complaints, '', 'no client of the primary met an error');
cmp_ok($done, '>', 20 * $seconds, 'the load made changes');
(my $reads, $complaints) = finish_load([$readers]);
is($complaints, '', 'no client of the standby met an error');
note "$done transactions on the primary, $reads on the standby";
cmp_ok($reads, '>', 10 * $seconds, 'the standby answered queries meanwhile');

$primary->wait_for_catchup($standby);
foreach my $table (@tables)
{
	my $ours = answers($primary, $table);

	check_mixed_table($primary, $table, 'primary', $dimensions);
	check_mixed_table($standby, $table, 'standby', $dimensions);
	cmp_ok(length($ours), '>', 1000, "primary answers from table $table");
	ok(answers($standby, $table) eq $ours, "primary and standby answer alike from table $table");
	is( $standby->safe_psql('postgres', "SELECT vecidx_check('${table}_embedding')"),
		$primary->safe_psql('postgres', "SELECT vecidx_check('${table}_embedding')"),
		"primary and standby count the same nodes of table $table");
	my $looks = looks($primary, $table);

	like($looks, qr/^10\|50\|(1|0\.[89])/, "recall is measured on the primary, table $table");
	is(looks($standby, $table), $looks, "primary and standby tell the same of table $table");
}

# The standby takes over, in the middle of a load whose last changes it may
# never see.
$load = start_load($primary, \@tables, seconds => 2, seed => 2, dimensions => $dimensions);
sleep 1;
$standby->promote;
finish_load($load);
check_mixed_table($standby, $_, 'promoted', $dimensions) foreach @tables;

$load = start_load($standby, \@tables, seconds => 3, seed => 3, dimensions => $dimensions);
($done, $complaints) = finish_load($load);
is($complaints, '', 'no client of the promoted server met an error');
cmp_ok($done, '>', 60, 'the promoted server takes changes');
foreach my $table (@tables)
{
	$standby->safe_psql('postgres', "VACUUM $table");
	check_mixed_table($standby, $table, 'promoted, after changes', $dimensions);
	cmp_ok($standby->safe_psql('postgres', "SELECT self_recall('$table', 500)"),
		'>=', 0.93, "searches of the promoted server's table $table find rows by their own vectors");
}
check_log($primary, 'primary');
check_log($standby, 'standby');
done_testing();
