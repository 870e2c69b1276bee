# Indexes with filter columns under a mixed load, in which rows change what they
# are filtered by: on a primary and its standby (the server compares the pages),
# and through crashes.  Searches under each condition find what the table has.
#
# VECIDX_FILTER_SECONDS sets the length of the load, VECIDX_FILTER_CRASHES how
# many crashes there are.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;
use Time::HiRes qw(sleep);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my $seconds = $ENV{VECIDX_FILTER_SECONDS} || 10;
my $crashes = $ENV{VECIDX_FILTER_CRASHES} || 4;
my $dimensions = 16;
my @tables = ('built', 'begun');
my @conditions = (
	'note = 1', 'note > 3', 'note BETWEEN 0 AND 2', 'label IS NULL', "label = 'short'", "label LIKE 'a label%'",
	"label IS NOT NULL AND note = 2", "tags \@> '{2}'", 'note = 1000', 'note = 76');

# Few links a node, so that extensions hold few TIDs.
sub create_filtered_table
{
	my ($node, $table, $rows) = @_;

	$node->safe_psql('postgres', <<EOT);
SELECT setseed(0.5);
CREATE TABLE $table (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note int, embedding real[],
	label text GENERATED ALWAYS AS (CASE note % 3 WHEN 0 THEN 'short' WHEN 1 THEN 'a label that is longer ' || note END) STORED,
	tags int[] GENERATED ALWAYS AS (ARRAY[note, note + 1]) STORED);
INSERT INTO $table (note, embedding) SELECT i % 5, random_vector($dimensions) FROM generate_series(1, $rows) AS i;
INSERT INTO $table (note, embedding) SELECT note + 1, embedding FROM $table WHERE id % 3 = 0;
CREATE INDEX ${table}_embedding ON $table USING vecidx (embedding real_l2_ops, note, label, tags) WITH (m = 6);
EOT
	return;
}

# The same rows by the index as without it, in one snapshot.
sub install_comparison
{
	my ($node) = @_;
	my $list = join(', ', map { my $quoted = $_ =~ s/'/''/gr; "'$quoted'" } @conditions);

	$node->safe_psql('postgres', <<EOT);
CREATE FUNCTION ids_where(t regclass, query real[], condition text) RETURNS bigint[] LANGUAGE plpgsql STABLE
	SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS \$\$
DECLARE
	ids bigint[];
BEGIN
	EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM %s WHERE %s ORDER BY embedding <-> \$1) AS found', t, condition)
		INTO ids USING query;
	RETURN ids;
END
\$\$;
CREATE FUNCTION truth_where(t regclass, condition text) RETURNS bigint[] LANGUAGE plpgsql STABLE
	SET enable_indexscan = off SET enable_bitmapscan = off AS \$\$
DECLARE
	ids bigint[];
BEGIN
	EXECUTE format('SELECT array_agg(id) FROM %s WHERE %s', t, condition) INTO ids;
	RETURN ids;
END
\$\$;
CREATE FUNCTION compare_where(t regclass, query real[]) RETURNS bigint LANGUAGE plpgsql STABLE AS \$\$
DECLARE
	condition text;
	by_index bigint[];
	by_table bigint[];
	rows bigint := 0;
BEGIN
	FOREACH condition IN ARRAY ARRAY[$list] LOOP
		SELECT coalesce(array_agg(i ORDER BY i), '{}') INTO by_index FROM unnest(ids_where(t, query, condition)) AS i;
		SELECT coalesce(array_agg(i ORDER BY i), '{}') INTO by_table FROM unnest(truth_where(t, condition)) AS i;
		IF by_index <> by_table THEN
			RAISE EXCEPTION 'index and table % differ where %: % rows, not %', t, condition,
				cardinality(by_index), cardinality(by_table);
		END IF;
		rows := rows + cardinality(by_table);
	END LOOP;
	RETURN rows;
END
\$\$;
EOT
	return;
}

sub check_filtered_table
{
	my ($node, $table, $what) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT compare_where('$table', random_vector($dimensions))");

	check_mixed_table($node, $table, $what, $dimensions);
	is($rc, 0, "$what: searches of table $table under conditions find its rows") or diag $err;
	cmp_ok($out, '>', 100, "$what: table $table has rows to find") if $rc == 0;
	return;
}

my @changes = (
	[ 'other', 3, 'INSERT INTO TABLE (note, embedding) SELECT (random() * 6)::int, embedding FROM ONE;' ],
	# few rows have this value: passes for it go by zones
	[ 'rare', 1, 'UPDATE TABLE SET note = CASE note WHEN 76 THEN 1 ELSE 76 END WHERE id IN (SELECT id FROM ONE FOR UPDATE SKIP LOCKED);' ],
	[ 'reset', 2, 'UPDATE TABLE SET note = (random() * 6)::int WHERE id IN (SELECT id FROM ONE FOR UPDATE SKIP LOCKED);' ],
	[ 'where', 1, "SELECT compare_where('TABLE', random_vector(DIMENSIONS));" ]);
my @reads = (
	[ 'search', 10, 'SELECT id FROM TABLE WHERE note < 2 ORDER BY embedding <-> (SELECT random_vector(DIMENSIONS)) LIMIT 20;' ],
	[ 'where', 1, "SELECT compare_where('TABLE', random_vector(DIMENSIONS));" ]);

my $primary = new_node('primary', <<EOT, allows_streaming => 1);
wal_consistency_checking = 'generic'
shared_buffers = 8MB
restart_after_crash = on
EOT

$primary->start;
install_helpers($primary);
install_comparison($primary);
create_filtered_table($primary, 'built', 1500);
ok( uses_index($primary, "SELECT id FROM built WHERE $_ ORDER BY embedding <-> array_fill(0.1::real, ARRAY[$dimensions])", 'built_embedding'),
	"the index serves $_") foreach @conditions;
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nshared_buffers = 4MB\n");
$standby->start;
create_filtered_table($primary, 'begun', 0);
$primary->safe_psql('postgres', "INSERT INTO begun (note, embedding) SELECT note, embedding FROM built WHERE id < 300");
$primary->wait_for_catchup($standby);

# The comparison that all depends on does notice a value that the index has wrong.
my ($rc, $out, $err) = $primary->psql('postgres', <<EOT);
CREATE TABLE blind (LIKE begun INCLUDING ALL EXCLUDING INDEXES);
INSERT INTO blind (note, embedding) SELECT 1, embedding FROM begun;
CREATE INDEX blind_embedding ON blind USING vecidx (embedding real_l2_ops, note, label, tags);
UPDATE pg_index SET indisready = false WHERE indexrelid = 'blind_embedding'::regclass;
UPDATE blind SET note = 2 WHERE id = 1;
UPDATE pg_index SET indisready = true WHERE indexrelid = 'blind_embedding'::regclass;
SELECT compare_where('blind', random_vector($dimensions));
EOT
like($err, qr/index and table blind differ where note = 2|index and table blind differ where note BETWEEN/,
	'a value that the index lacks is noticed');

my $load = start_load($primary, \@tables, seconds => $seconds, dimensions => $dimensions, more => \@changes);
my $readers = start_clients($standby, \@tables, \@reads, clients => 2, seconds => $seconds, seed => 5, dimensions => $dimensions);
my ($done, $complaints) = finish_load($load);

is($complaints, '', 'no client of the primary met an error');
cmp_ok($done, '>', 10 * $seconds, 'the load made changes');
(my $reads, $complaints) = finish_load([$readers]);
is($complaints, '', 'no client of the standby met an error');
note "$done transactions on the primary, $reads on the standby";

$primary->wait_for_catchup($standby);
foreach my $table (@tables)
{
	check_filtered_table($primary, $table, 'primary');
	check_filtered_table($standby, $table, 'standby');
}
$standby->promote;
$load = start_load($standby, \@tables, seconds => 2, seed => 3, dimensions => $dimensions, more => \@changes);
(undef, $complaints) = finish_load($load);
is($complaints, '', 'no client of the promoted server met an error');
check_filtered_table($standby, $_, 'promoted') foreach @tables;
check_log($standby, 'standby');
$standby->stop;

foreach my $crash (1 .. $crashes)
{
	$load = start_load($primary, \@tables, seed => 100 + $crash, dimensions => $dimensions, more => \@changes);
	sleep(0.7 + ($crash % 3) / 2);
	$primary->append_conf('postgresql.conf', 'full_page_writes = ' . ($crash % 2 ? 'on' : 'off'));
	$crash % 2 ? kill9_all($primary) : stop_immediate($primary);
	($done) = finish_load($load);
	check_filtered_table($primary, $_, "crash $crash, after $done transactions") foreach @tables;
}
foreach my $table (@tables)
{
	$primary->safe_psql('postgres', "VACUUM $table");
	check_filtered_table($primary, $table, 'after vacuum');
	$primary->safe_psql('postgres', "DELETE FROM $table WHERE note % 2 = 0; VACUUM $table; REINDEX INDEX CONCURRENTLY ${table}_embedding");
	check_filtered_table($primary, $table, 'after another build');
}
check_log($primary, 'primary', qr/terminating connection|index and table blind differ/);
done_testing();
