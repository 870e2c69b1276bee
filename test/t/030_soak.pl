# Everything at once: eight clients search, insert, update vectors and other
# columns, delete and rebuild indexes beside each other, while others vacuum and
# checkpoint and a standby follows, is searched, and compares each page that it
# replays.  Tables and vectors are small, so that clients often meet at a page.
# No client meets an error; in the end the indexes are sound on both servers,
# and an index scan finds every committed row.
#
# VECIDX_SOAK_SECONDS sets the length of the load, VECIDX_SOAK_SEED its choices.
#
# Two kinds of error are no fault of ours, and the statement is tried again:
# deadlocks (REINDEX CONCURRENTLY waits for all who use the table), by pgbench,
# and on the standby indexes that go between a look at the table's list of them
# and their opening, by the function patiently().  (A standby replays the end of
# a REINDEX CONCURRENTLY without waiting for who uses the table: a btree under
# the same load has the same error within seconds.)  Replay waits for statements
# as long as they take: a cancel would find patiently() in a subtransaction, and
# so end the session.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my $seconds = $ENV{VECIDX_SOAK_SECONDS} || 20;
my $seed = $ENV{VECIDX_SOAK_SEED} || 1;
my $dimensions = 8;
my @tables = ('built', 'begun');
my %operators = (embedding => '<->', cosine => '<=>');    # by the end of an index's name
my @retry = ('--max-tries=1000');

# One REINDEX at a time: two would wait for each other.  Who finds another at it
# does without, since one that waited would be waited for.
my $reindex = <<'EOT';
SELECT pg_try_advisory_lock(1) AS mine \gset
\if :mine
REINDEX INDEX CONCURRENTLY TABLE_KIND;
SELECT pg_advisory_unlock(1);
\endif
EOT

my @more = (
	[ 'cosine', 3, 'SELECT id FROM TABLE ORDER BY embedding <=> (SELECT random_vector(DIMENSIONS)) LIMIT 10;' ],
	[ 'compare-cosine', 1, "SELECT compare('TABLE', random_vector(DIMENSIONS), '<=>');" ],
	[
		'notes', 1, 'UPDATE TABLE SET note = note + 1 WHERE id IN
		(SELECT id FROM TABLE WHERE id >= START ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED);'
	],
	[
		'moves', 1, 'UPDATE TABLE SET embedding = random_vector(DIMENSIONS) WHERE id IN
		(SELECT id FROM TABLE WHERE id >= START ORDER BY id LIMIT 20 FOR UPDATE SKIP LOCKED);'
	],
	[
		'deletes', 1, 'DELETE FROM TABLE WHERE id IN
		(SELECT id FROM TABLE WHERE id >= START ORDER BY id LIMIT (SELECT count(*) / 20 FROM TABLE) FOR UPDATE SKIP LOCKED);'
	],
	map({ [ "reindex-$_", 1, $reindex =~ s/KIND/$_/r ] } sort keys %operators));

my $patiently = <<'EOT';
CREATE FUNCTION patiently(query text) RETURNS void
	LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	FOR try IN 1 .. 100 LOOP
		BEGIN
			EXECUTE query;
			RETURN;
		EXCEPTION WHEN internal_error THEN
			IF SQLERRM !~ '^could not open relation with OID' OR try = 100 THEN
				RAISE;
			END IF;
		END;
	END LOOP;
END
$$;
EOT

my @reads = map({
		my $operator = $operators{$_};
		([ "search-$_", 5, "SELECT patiently('SELECT id FROM TABLE ORDER BY embedding $operator (SELECT random_vector(DIMENSIONS)) LIMIT 50');" ],
			[ "compare-$_", 1, "SELECT patiently(\$\$SELECT compare('TABLE', random_vector(DIMENSIONS), '$operator')\$\$);" ]);
	} sort keys %operators);

sub drop_leftovers
{
	my ($node) = @_;

	note 'there were deadlocks';
	$node->safe_psql('postgres', "DROP INDEX $_")
	  foreach split /\n/, $node->safe_psql('postgres', 'SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid');
	return;
}

# All vecidx indexes of a server are valid and sound, and give each row once.
sub check_server
{
	my ($node, $what) = @_;
	my $indexes = $node->safe_psql('postgres', <<EOT);
SELECT string_agg(c.relname || ' ' || i.indisvalid, ', ' ORDER BY c.relname)
FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam JOIN pg_index AS i ON i.indexrelid = c.oid WHERE a.amname = 'vecidx'
EOT

	is($indexes, join(', ', map { my $t = $_; map { "${t}_$_ true" } sort keys %operators } sort @tables),
		"$what: all indexes are there and valid, and no others");
	foreach my $table (@tables)
	{
		foreach my $kind (sort keys %operators)
		{
			my $operator = $operators{$kind};
			my ($rc, $out, $err) = $node->psql('postgres', <<EOT);
SELECT vecidx_check('${table}_$kind') >= count(DISTINCT embedding) FROM $table;
SELECT compare('$table', random_vector($dimensions), '$operator') = count(*) FROM $table;
EOT

			is($out, "t\nt", "$what: index ${table}_$kind is sound and finds all rows") or diag $err;
			ok( uses_index($node, "SELECT id FROM $table ORDER BY embedding $operator '{1,2}'", "${table}_$kind"),
				"$what: and is used");
		}
	}
	return;
}

my $primary = new_node('primary', <<EOT, allows_streaming => 1);
wal_consistency_checking = 'generic'
shared_buffers = 16MB
max_wal_size = 256MB
checkpoint_timeout = 30s
maintenance_work_mem = 16MB
EOT

$primary->start;
install_helpers($primary);
$primary->safe_psql('postgres', $patiently);
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', <<EOT);
max_standby_streaming_delay = -1
shared_buffers = 4MB
EOT
$standby->start;

create_mixed_table($primary, 'built', 500, $dimensions);
create_mixed_table($primary, 'begun', 0, $dimensions);
$primary->safe_psql('postgres', "CREATE INDEX ${_}_cosine ON $_ USING vecidx (embedding real_cosine_ops)") foreach @tables;
$primary->wait_for_catchup($standby);

# Commits wait for the standby.  Else it may fall so far behind that the primary
# removes log that it has not had: the images to compare with make a lot of it.
$primary->append_conf('postgresql.conf', <<EOT);
synchronous_standby_names = 'standby'
synchronous_commit = remote_apply
EOT
$primary->reload;

my %common = (seconds => $seconds, seed => $seed, dimensions => $dimensions, arguments => \@retry);
my $relations = "SELECT string_agg(pg_relation_filenode(oid)::text, ' ' ORDER BY relname) FROM pg_class WHERE relname ~ '^(built|begun)_(embedding|cosine)\$'";
my @built = split / /, $primary->safe_psql('postgres', $relations);
my $load = start_load($primary, \@tables, %common, clients => 8, more => \@more);
my $readers = start_clients($standby, \@tables, \@reads, %common, clients => 2);
my ($done, $complaints) = finish_load($load);
my ($reads, $complaints_standby) = finish_load([$readers]);

is($complaints, '', 'no client of the primary met an error');
is($complaints_standby, '', 'no client of the standby met an error');
cmp_ok($done, '>', 10 * $seconds, 'the load made changes');
cmp_ok($reads, '>', 2 * $seconds, 'the standby answered queries meanwhile');
my @rebuilt = split / /, $primary->safe_psql('postgres', $relations);
isnt("@rebuilt", "@built", 'indexes were rebuilt meanwhile');
note "$done transactions on the primary, $reads on the standby";

# A REINDEX that ended in a deadlock leaves an index that is not valid.
drop_leftovers($primary) if slurp_file($primary->logfile) =~ /deadlock detected/;
$primary->wait_for_catchup($standby);
check_server($primary, 'primary');
check_server($standby, 'standby');

# What is left can be vacuumed, and searches find their way.
foreach my $table (@tables)
{
	$primary->safe_psql('postgres', "VACUUM $table");
	is($primary->safe_psql('postgres', "SELECT vecidx_check('${table}_$_') <= count(*) FROM $table"),
		't', "vacuum leaves index ${table}_$_ no more nodes than rows")
	  foreach sort keys %operators;
	cmp_ok($primary->safe_psql('postgres', "SELECT self_recall('$table', 500)"),
		'>=', 0.93, "searches of table $table find rows by their own vectors");
}
$primary->wait_for_catchup($standby);
check_server($standby, 'standby, after vacuum');

check_log($primary, 'primary', qr/deadlock detected/);
check_log($standby, 'standby', qr/deadlock detected|due to conflict with recovery/);
done_testing();
