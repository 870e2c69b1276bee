# Crashes under load: after each, the index is sound and holds every row that
# was committed and no other.
#
# VECIDX_CRASH_CYCLES sets how many, VECIDX_CRASH_SEED the times and settings.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;
use Time::HiRes qw(sleep);

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my $cycles = $ENV{VECIDX_CRASH_CYCLES} || 6;
my $seed = $ENV{VECIDX_CRASH_SEED} || 1;
my $dimensions = 32;
my @tables = ('built', 'begun');

# Little memory and a busy background writer: pages reach the disk long before
# the checkpoint does.  Without full-page writes the replay begins from pages
# that are newer than the records.
my @settings = (
	"shared_buffers = 16MB\nfull_page_writes = on",
	"shared_buffers = 1MB\nfull_page_writes = on",
	"shared_buffers = 512kB\nfull_page_writes = off",
	"shared_buffers = 2MB\nfull_page_writes = off\nwal_compression = on");
my @ways = ('kill9_all', 'stop_immediate', 'kill9_backend');

# The postmaster sees a child die, ends all others and starts again by itself.
sub kill9_backend
{
	my ($node) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
	my $victim = $node->safe_psql('postgres', <<EOT);
SELECT pid FROM pg_stat_activity WHERE application_name = 'load' ORDER BY pid LIMIT 1
EOT

	kill 9, $victim;
	wait_for($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'load'");
	wait_for($node, 'SELECT NOT pg_is_in_recovery()');
	is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'),
		$before, 'the postmaster outlived its child');

	# to let the next cycle's settings come into force
	$node->restart;
	return;
}

my %crash = (
	kill9_all => \&kill9_all,
	stop_immediate => \&stop_immediate,
	kill9_backend => \&kill9_backend);

my $node = new_node('primary', <<EOT);
restart_after_crash = on
wal_level = replica
max_wal_size = 64MB
checkpoint_timeout = 30s
bgwriter_delay = 10ms
bgwriter_lru_maxpages = 1000
bgwriter_lru_multiplier = 10
maintenance_work_mem = 64MB
EOT
my $transactions = 0;

srand($seed);
$node->start;
install_helpers($node);
create_mixed_table($node, 'built', 2000, $dimensions);
create_mixed_table($node, 'begun', 0, $dimensions);
ok(uses_index($node, "SELECT id FROM $_ ORDER BY embedding <-> '{1,2}'", "${_}_embedding"),
	"table $_ can be read in the index's order")
  foreach @tables;

# The comparison that all depends on does notice a row that the index lacks.
create_mixed_table($node, 'blind', 100, $dimensions);
my ($rc, $out, $err) = $node->psql('postgres', <<EOT);
UPDATE pg_index SET indisready = false WHERE indexrelid = 'blind_embedding'::regclass;
INSERT INTO blind (embedding) SELECT random_vector($dimensions);
UPDATE pg_index SET indisready = true WHERE indexrelid = 'blind_embedding'::regclass;
SELECT compare('blind', random_vector($dimensions));
EOT
like($err, qr/index and table blind differ: 101 rows, 1 missing/, 'a row that the index lacks is noticed');

foreach my $cycle (1 .. $cycles)
{
	my $way = $ways[ $cycle % @ways ];
	my $load = start_load($node, \@tables, seed => $seed * 1000 + $cycle, dimensions => $dimensions);
	my $done;

	sleep(0.7 + rand(1.3));
	$node->append_conf('postgresql.conf', $settings[ $cycle % @settings ]);
	$crash{$way}->($node);
	($done) = finish_load($load);
	$transactions += $done;
	check_mixed_table($node, $_, "cycle $cycle, $way, after $done transactions", $dimensions) foreach @tables;
}
cmp_ok($transactions, '>', 20 * $cycles, 'the load made changes');

# What crashes have left behind: nothing that vacuum cannot deal with, and
# graphs that searches find their way through.
foreach my $table (@tables)
{
	my $counts = $node->safe_psql('postgres',
		"VACUUM $table; SELECT vecidx_check('${table}_embedding') <= count(*) FROM $table");
	my $share = $node->safe_psql('postgres', "SELECT self_recall('$table', 500)");

	is($counts, 't', "vacuum leaves index of table $table no more nodes than rows");
	check_mixed_table($node, $table, 'after vacuum', $dimensions);
	note "$table: $share of rows found by their own vector";
	cmp_ok($share, '>=', 0.93, "searches of table $table find rows by their own vectors");
}
check_log($node, 'crashes', qr/terminating connection|index and table blind differ/);
done_testing();
