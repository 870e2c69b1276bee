# vecidx_prewarm on a server whose shared buffers are empty: it brings in just
# the parts that were asked for, pg_buffercache agrees (where it is installed),
# and the next call finds nothing left to do.  On a server with few buffers it
# stops in time; on a standby it works as well.  vecidx_health advises it when
# scans have become slow and pages are missing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my $dimensions = 64;
my $index = 'built_embedding';
my $search = "SET enable_seqscan = off; SET enable_sort = off;
	SELECT count(*) FROM (SELECT id FROM built ORDER BY embedding <-> array_fill(0.1::real, ARRAY[$dimensions]) LIMIT 10) AS nearest";

# Which part a page belongs to is told by its kind, in its tail; pages never
# used are zero.  The file is read as it lies on disk.
my $kinds = <<EOT;
CREATE FUNCTION page_part(block bigint) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE
	kind bytea := pg_read_binary_file(pg_relation_filepath('$index'), block * 8192 + 8188, 2);
BEGIN
	RETURN ('{none,entry,entry,entry,codes,adjacency,entry,rerank}'::text[])[1 + get_byte(kind, 0) + get_byte(kind, 1)];
END
\$\$;
EOT
my $blocks = "generate_series(0, pg_relation_size('$index') / 8192 - 1)";

# "adjacency 12, codes 3" and so on, for blocks that a query gives.
sub count_parts
{
	my ($node, $query) = @_;

	return $node->safe_psql('postgres', <<EOT);
SELECT string_agg(part || ' ' || count, ', ' ORDER BY part)
FROM (SELECT page_part(block) AS part, count(*) AS count FROM ($query) AS b (block) GROUP BY 1) AS counts;
EOT
}

sub cached
{
	my ($node) = @_;

	return count_parts($node, <<EOT);
SELECT relblocknumber FROM pg_buffercache
WHERE relfilenode = pg_relation_filenode('$index') AND relforknumber = 0
	AND reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
EOT
}

# What a call says, in order: [part, pages, touched, loaded, bytes]; and its notices.
sub prewarm
{
	my ($node, $what) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT * FROM vecidx_prewarm('$index', '$what')");

	is($rc, 0, $node->name . ": prewarming \"$what\" succeeds") or diag $err;
	return ([ map { [ split /\|/ ] } split /\n/, $out ], $err);
}

sub sum
{
	my ($parts, $column) = @_;
	my $sum = 0;

	$sum += $_->[$column] foreach @$parts;
	return $sum;
}

sub describe
{
	my ($parts) = @_;

	return join ', ', sort map { "$_->[0] $_->[2]" } @$parts;
}

# After a restart a call reads all it was asked for, and once.
sub check_cold
{
	my ($node, $what, $buffercache) = @_;
	my $name = $node->name . ", \"$what\"";
	my ($parts, $notices);
	my $expected;

	$node->restart;
	is(cached($node), '', "$name: no page is there after a restart") if $buffercache;
	($parts, $notices) = prewarm($node, $what);
	is($notices, '', "$name: nothing is left out");
	foreach my $counts (@$parts)
	{
		my ($part, $pages, $touched, $loaded, $bytes) = @$counts;

		cmp_ok($pages, '>', 0, "$name: part $part has pages");
		is($touched, $pages, "$name: all pages of part $part are touched");
		is($loaded, $pages, "$name: all pages of part $part are loaded");
		is($bytes, $pages * 8192, "$name: bytes of part $part");
	}
	$expected = describe($parts);
	# the handle reads the metapage and the centroid whatever it is made for
	$expected .= ', entry 2' if $expected !~ /entry/;
	is(cached($node), $expected, "$name: these pages are there, and no others") if $buffercache;
	($parts, $notices) = prewarm($node, $what);
	is(sum($parts, 3), 0, "$name: the second call loads nothing");
	return;
}

my $node = new_node('primary', 'shared_buffers = 32MB', allows_streaming => 1);
my $buffercache;

$node->start;
install_helpers($node);
create_mixed_table($node, 'built', 4000, $dimensions);
$node->safe_psql('postgres', <<EOT);
$kinds
INSERT INTO built (note, embedding) SELECT 0, random_vector($dimensions) FROM generate_series(1, 500);
CHECKPOINT;
EOT
$buffercache = $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_buffercache'");
$node->safe_psql('postgres', 'CREATE EXTENSION pg_buffercache') if $buffercache;
$node->backup('base');

# Pages in use, as the file has them: all that were ever written.
my ($parts) = prewarm($node, 'codes,adjacency,rerank');
my $in_file = count_parts($node, "SELECT * FROM $blocks");
my $extents = $node->safe_psql('postgres', "SELECT value FROM vecidx_info('$index') WHERE property = 'extents'");

cmp_ok($extents =~ s/,.*//r, '>', 2, 'the index has several extents');
like($in_file, qr/\b$_->[0] $_->[1]\b/, "part $_->[0] is what lies in the file") foreach @$parts;

check_cold($node, $_, $buffercache) foreach 'hot', 'all', 'entry', 'codes', 'entry,rerank';

# A search finds all it needs but rerank vectors.
if ($buffercache)
{
	my ($before, $after);

	$node->restart;
	prewarm($node, 'hot');
	$before = cached($node);
	is($node->safe_psql('postgres', $search), '10', 'a search after prewarming');
	$after = cached($node);
	unlike($before, qr/rerank/, 'no rerank vectors are there before a search');
	like($after, qr/, rerank [1-9]\d*$/, 'a search brings in rerank vectors');
	is($after =~ s/, rerank \d+$//r, $before, 'and nothing else');
}

# A session that has had pages read looks with pins more often for a while, and no longer: what was only announced does not count.
{
	my $session = sub {
		my ($count) = @_;

		return "DO \$\$ BEGIN FOR i IN 1 .. $count LOOP
			PERFORM id FROM built ORDER BY embedding <-> array_fill(0.1::real, ARRAY[$dimensions]) LIMIT 10;
		END LOOP; END \$\$;";
	};
	my $visits = "SELECT pg_stat_force_next_flush();
		SELECT idx_blks_hit FROM pg_statio_user_indexes WHERE indexrelname = '$index';";
	my ($before, $after);

	$node->restart;
	($before, $after) = grep { /./ } split /\n/, $node->safe_psql('postgres',
		"SET enable_seqscan = off; SET enable_sort = off;" . $session->(150) . $visits . $session->(200) . $visits);
	note 'pages that a search pins: ' . ($after - $before) / 200;
	cmp_ok(($after - $before) / 200, '<', 5, 'a search that finds all in memory pins few pages');
}

# Few buffers: parts come whole and in order until there is no more room.
sub check_tight
{
	my ($buffers) = @_;
	my ($tight, $notices);
	my $stopped = 0;

	$node->append_conf('postgresql.conf', "shared_buffers = $buffers");
	$node->restart;
	($tight, $notices) = prewarm($node, 'all');
	note "$buffers buffers: " . describe($tight);
	like($notices, qr/NOTICE:  stopped after \d+ of \d+ pages of index "$index"/, "$buffers buffers: it says that it stopped");
	like($notices, qr/HINT:  Choose fewer parts, or increase "shared_buffers"/, "$buffers buffers: it says what to do");
	cmp_ok(sum($tight, 2), '<=', $buffers / 2, "$buffers buffers: it leaves some to others");
	is(sum($tight, 3), sum($tight, 2), "$buffers buffers: what was touched was loaded");
	foreach my $counts (@$tight)
	{
		my ($part, $pages, $touched) = @$counts;

		is($touched, 0, "$buffers buffers: part $part has to wait") if $stopped;
		$stopped = 1 if $touched < $pages;
	}
	is($stopped, 1, "$buffers buffers: not all parts fit");
	return $tight;
}

my $tight = check_tight(128);
my ($entry, $notices) = prewarm($node, 'entry');

cmp_ok(sum($tight, 2), '>', 30, '128 buffers: those that are free are used');
is($notices, '', '128 buffers: the first part fits');
check_tight(16);

# An index of more than 1500 pages, and more free buffers than it may take.
$node->append_conf('postgresql.conf', 'shared_buffers = 1600');
$node->restart;
$node->safe_psql('postgres', <<'EOT');
CREATE TABLE wide AS SELECT i AS id, (SELECT array_agg(sin(i * 0.7 + i * j * 0.13)::real) FROM generate_series(1, 16000) AS j) AS embedding
FROM generate_series(1, 150) AS i;
CREATE INDEX wide_embedding ON wide USING vecidx (embedding real_l2_ops) WITH (quantizer = rabitq8, rerank = 'float');
EOT
$node->restart;
my ($rc, $out, $err) = $node->psql('postgres',
	"SELECT sum(touched), sum(loaded), sum(pages) > 1500 FROM vecidx_prewarm('wide_embedding')");
is($out, '1272|1272|t', '1600 buffers: those that may be taken are filled');
like($err, qr/DETAIL:  Loading more would evict them again: "shared_buffers" is 1600 pages/, '1600 buffers: it says why it stopped');
is( $node->safe_psql('postgres', "SELECT count(*) FROM pg_buffercache WHERE relfilenode = pg_relation_filenode('wide_embedding')"),
	1272, '1600 buffers: what was loaded is there')
  if $buffercache;
is($node->safe_psql('postgres', "SELECT sum(touched), sum(loaded) FROM vecidx_prewarm('wide_embedding')"),
	'1272|0', '1600 buffers: the second call loads nothing');

# vecidx_health: pages that are missing are a reason where scans take longer than the first ones.
my $hot = "SELECT block FROM $blocks AS block WHERE page_part(block) IN ('codes', 'adjacency')
	OR get_byte(pg_read_binary_file(pg_relation_filepath('$index'), block * 8192 + 8188, 1), 0) = 6";

sub search_often
{
	my ($times, $limit) = @_;

	$node->safe_psql('postgres', <<EOT);
SET enable_seqscan = off;
SET enable_sort = off;
DO \$\$ BEGIN FOR i IN 1 .. $times LOOP
	PERFORM id FROM built ORDER BY embedding <-> array_fill(0.1::real, ARRAY[$dimensions]) LIMIT $limit;
END LOOP; END \$\$;
EOT
	return;
}

# What is advised where all pages that searches need are there, but for so many.
sub advice_without
{
	my ($missing) = @_;

	$node->safe_psql('postgres', "SELECT pg_prewarm('filler') FROM generate_series(1, 3)");
	is($node->safe_psql('postgres', "SELECT sum(buffer_bytes) FROM vecidx_residency('$index') WHERE kind <> 'meta'"), 0, 'no page is there');
	$node->safe_psql('postgres', "SELECT pg_prewarm('$index', 'buffer', 'main', block, block) FROM ($hot ORDER BY block OFFSET $missing) AS b");
	return $node->safe_psql('postgres', "SELECT latency_growth > 2, advice FROM vecidx_health('$index')");
}

SKIP:
{
	my ($pages, $permitted, $advice);

	skip 'pg_prewarm is not installed', 10
	  if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_prewarm'") == 0;
	$node->append_conf('postgresql.conf', 'shared_buffers = 512');
	$node->restart;
	$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION pg_prewarm;
CREATE TABLE filler AS SELECT repeat('x', 2000) AS text FROM generate_series(1, 10000);
CHECKPOINT;
EOT
	search_often(1000, 10);
	$node->safe_psql('postgres', "SELECT vecidx_stat_reset('$index')");
	search_often(999, 3000);
	is(advice_without(1000), '|', 'nothing is advised after few scans');
	search_often(1, 3000);
	$pages = $node->safe_psql('postgres', "SELECT count(*) FROM ($hot) AS b");
	$permitted = int($pages / 50);
	cmp_ok($permitted, '>', 0, "of $pages pages $permitted may be missing");
	like(advice_without($permitted), qr/^t\|Scans take \d+\.\d times as long as the first ones did: REINDEX INDEX CONCURRENTLY public\.$index;$/,
		'these are no reason');
	like(advice_without($permitted + 1), qr/^t\|.*, and [2-9] % of the pages that all of them need are not in shared buffers: SELECT vecidx_prewarm/,
		'more of them are');
	$advice = advice_without($pages);
	like($advice, qr/^t\|.*, and 100 % of the pages .*: SELECT vecidx_prewarm\('public\.$index'\);$/, 'all of them, too');
	$node->safe_psql('postgres', $advice =~ s/.*: //r);
	like($node->safe_psql('postgres', "SELECT advice FROM vecidx_health('$index')"), qr/ times as long as the first ones did: REINDEX/,
		'what is advised mends that');
}

# A standby, and the server that it becomes.
$node->append_conf('postgresql.conf', 'shared_buffers = 32MB');
$node->restart;
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
check_cold($standby, $_, $buffercache) foreach 'hot', 'all';
$standby->promote;
is(sum((prewarm($standby, 'all'))[0], 3), 0, 'promoted: all pages are still there');
$standby->safe_psql('postgres', "INSERT INTO built (note, embedding) SELECT 0, random_vector($dimensions) FROM generate_series(1, 2000)");
check_cold($standby, 'all', $buffercache);
check_log($node, 'primary');
check_log($standby, 'standby');
done_testing();
