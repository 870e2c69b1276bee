# Recovery to any point: after each record of the log, were it the last one to
# reach the disk, the index is sound, holds the committed rows, and takes more.
# Besides: unlogged and temporary tables, and prepared transactions.
#
# VECIDX_RECOVERY_STEPS sets how many points are tried, VECIDX_RECOVERY_SEED
# which.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use List::Util qw(sum);
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my $steps = $ENV{VECIDX_RECOVERY_STEPS} || 12;
my $seed = $ENV{VECIDX_RECOVERY_SEED} || 1;
my $dimensions = 4;

my $primary = new_node('primary', "checkpoint_timeout = 1h\nmax_wal_size = 1GB", allows_streaming => 1, has_archiving => 1);

$primary->start;
install_helpers($primary);

# What a crash makes of tables that it does not keep.
$primary->safe_psql('postgres', <<EOT);
CREATE UNLOGGED TABLE fleeting (id bigint, embedding real[]);
INSERT INTO fleeting SELECT i, random_vector(8) FROM generate_series(1, 1500) AS i;
CREATE INDEX fleeting_embedding ON fleeting USING vecidx (embedding real_l2_ops);
CREATE TABLE prepared (id bigint, embedding real[]);
CREATE INDEX prepared_embedding ON prepared USING vecidx (embedding real_l2_ops);
INSERT INTO prepared SELECT i, random_vector(8) FROM generate_series(1, 100) AS i;
EOT
$primary->append_conf('postgresql.conf', 'max_prepared_transactions = 5');
$primary->restart;
is($primary->safe_psql('postgres', "SELECT vecidx_check('fleeting_embedding')"), 1500, 'unlogged: kept by an orderly restart');
$primary->safe_psql('postgres', <<EOT);
BEGIN; INSERT INTO prepared SELECT i, random_vector(8) FROM generate_series(101, 130) AS i; PREPARE TRANSACTION 'kept';
BEGIN; INSERT INTO prepared SELECT i, random_vector(8) FROM generate_series(201, 230) AS i; PREPARE TRANSACTION 'dropped';
EOT
$primary->stop('immediate');
$primary->start;
is($primary->safe_psql('postgres', "SELECT vecidx_check('fleeting_embedding')"), 0, 'unlogged: the index is empty after a crash');
is( $primary->safe_psql('postgres', <<EOT), "600\n600", 'unlogged: and takes rows again');
INSERT INTO fleeting SELECT i, random_vector(16) FROM generate_series(1, 600) AS i;
SELECT compare('fleeting', random_vector(16));
SELECT vecidx_check('fleeting_embedding');
EOT
is( $primary->safe_psql('postgres', <<EOT), "100\n130\n130", 'prepared transactions: as if they had not been, until committed');
SELECT compare('prepared', random_vector(8));
COMMIT PREPARED 'kept';
ROLLBACK PREPARED 'dropped';
SELECT compare('prepared', random_vector(8));
VACUUM prepared;
SELECT vecidx_check('prepared_embedding');
EOT
is( $primary->safe_psql('postgres', <<EOT), "700\n1000\n700\n0\n50", 'temporary tables');
CREATE TEMP TABLE mine (id bigint, embedding real[]) ON COMMIT PRESERVE ROWS;
CREATE INDEX mine_embedding ON mine USING vecidx (embedding real_l2_ops);
INSERT INTO mine SELECT i, random_vector(8) FROM generate_series(1, 1000) AS i;
DELETE FROM mine WHERE id > 700;
SELECT compare('mine', random_vector(8));
SELECT vecidx_check('mine_embedding');
VACUUM mine;
SELECT vecidx_check('mine_embedding');
TRUNCATE mine;
SELECT vecidx_check('mine_embedding');
INSERT INTO mine SELECT i, random_vector(8) FROM generate_series(1, 50) AS i;
SELECT compare('mine', random_vector(8));
EOT

# Few links a node, so that many nodes have several levels; slots freed by
# vacuum and taken again.
$primary->safe_psql('postgres', <<EOT);
CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, embedding real[]);
CREATE INDEX t_embedding ON t USING vecidx (embedding real_l2_ops) WITH (m = 2, ef_construction = 8);
INSERT INTO t (embedding) SELECT random_vector($dimensions) FROM generate_series(1, 150);
EOT
# The same with a filter column: rows with equal vectors and different values.
$primary->safe_psql('postgres', <<EOT);
CREATE TABLE u (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind int, embedding real[]);
CREATE INDEX u_embedding ON u USING vecidx (embedding real_l2_ops, kind) WITH (m = 2, ef_construction = 8);
INSERT INTO u (kind, embedding) SELECT i % 3, random_vector($dimensions) FROM generate_series(1, 50) AS i;
CREATE FUNCTION kinds_found() RETURNS TABLE (kind int, ids bigint[]) LANGUAGE plpgsql AS \$\$
BEGIN
	FOR kind IN 0 .. 5 LOOP
		SELECT array_agg(id ORDER BY id) INTO ids FROM
			(SELECT id FROM u WHERE u.kind = kinds_found.kind ORDER BY embedding <-> array_fill(0.1::real, ARRAY[$dimensions])) AS f;
		RETURN NEXT;
	END LOOP;
END
\$\$;
EOT
$primary->backup('base');

my $insert = "INSERT INTO t (embedding) VALUES (random_vector($dimensions));\n";
my $twins = "INSERT INTO t (embedding) SELECT embedding FROM t WHERE id % 7 = 0;\n";
my @inserts = (20, 60, 20);
my $insert_u = "INSERT INTO u (kind, embedding) VALUES ((random() * 4)::int, random_vector($dimensions));\n";
my $twins_u = "INSERT INTO u (kind, embedding) SELECT (kind + id) % 5, embedding FROM u WHERE id % 4 = 0;\n";
my $change_u = "UPDATE u SET kind = (kind + 1) % 5 WHERE id % 3 > 0;\n";
my $changes_u = $twins_u . $twins_u . $change_u . "VACUUM u;\n" . $change_u . ($insert_u x 5) . "VACUUM u;\n" . $change_u
  . "DELETE FROM u WHERE id % 5 = 0;\nVACUUM u;\n" . $twins_u;
my $start = $primary->lsn('insert');

$primary->safe_psql('postgres',
	    ($insert x $inserts[0]) . $twins . $twins
	  . "DELETE FROM t WHERE id % 3 = 0;\nVACUUM t;\n"
	  . ($insert x $inserts[1])
	  . "DELETE FROM t WHERE id % 7 = 0;\nVACUUM t;\n"
	  . $twins
	  . ($insert x $inserts[2])
	  . $changes_u);
my $end = $primary->lsn('insert');
is($primary->safe_psql('postgres', "SELECT compare('t', random_vector($dimensions)) > 100 AND vecidx_check('t_embedding') > 100"),
	't', 'the log was written by a sound index');
my ($segment) = split /\n/, $primary->safe_psql('postgres', 'SELECT pg_walfile_name(pg_switch_wal())');
$primary->poll_query_until('postgres', "SELECT last_archived_wal >= '$segment' FROM pg_stat_archiver")
  or die 'the log was not archived';

sub check_kinds
{
	my ($node, $what) = @_;
	my @answers = map { $node->safe_psql('postgres', "SET enable_seqscan = $_; SET enable_indexscan = " . ($_ eq 'on' ? 'off' : 'on')
		  . '; SELECT * FROM kinds_found()') } ('on', 'off');

	check_mixed_table($node, 'u', $what, $dimensions);
	is($answers[1], $answers[0], "$what: searches of table u find all rows of each kind");
	return;
}

# Where each of the index's records begins.
my ($dump) = run_command(
	[ 'pg_waldump', '--rmgr=Generic', "--start=$start", "--end=$end", '--path=' . $primary->data_dir . '/pg_wal' ]);
my @records = $dump =~ /lsn: ([0-9A-F]+\/[0-9A-F]+)/g;

# A row takes a record for its node and one for the links back; half of them,
# with two links a node, rise to upper levels by as many again.  Twins and
# vacuums come on top.
cmp_ok(scalar @records, '>', 3 * sum(@inserts), 'rows are inserted in several steps, each of which is a point to stop at');
srand($seed);
foreach my $step (1 .. $steps)
{
	my $record = int(@records * ($step - rand()) / $steps);
	my $node = PostgreSQL::Test::Cluster->new("step$step");
	my ($rc, $out, $err);

	$node->init_from_backup($primary, 'base', has_restoring => 1, standby => 0);
	$node->append_conf('postgresql.conf', <<EOT);
archive_mode = off
recovery_target_lsn = '$records[$record]'
recovery_target_action = promote
EOT
	$node->start;
	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery did not end';
	check_mixed_table($node, 't', "stopped at record $record of " . scalar(@records), $dimensions);
	($rc, $out, $err) = $node->psql('postgres',
		$insert x 40 . "DELETE FROM t WHERE id % 2 = 0;\nVACUUM t;\n" . $insert x 40 . "VACUUM t;\n");
	is($rc, 0, 'and took more rows') or diag $err;
	check_mixed_table($node, 't', "and went on from record $record", $dimensions);
	check_kinds($node, "stopped at record $record");
	($rc, $out, $err) = $node->psql('postgres', $changes_u);
	is($rc, 0, 'and took rows with equal vectors') or diag $err;
	check_kinds($node, "and went on from record $record");
	check_log($node, "step $step");
	$node->stop('immediate');
	$node->clean_node;
}
check_log($primary, 'primary');
done_testing();
