# Recall at default settings, of at least the target's default 0.95: after
# builds, inserts, deletes and vacuum, and on the demo's data with queries that
# are not in it.  Besides: the target's effect, and searches for more rows than
# there are.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my @counts = (1, 10, 100);
my %metrics = (l2 => '<->', cosine => '<=>', ip => '<#>');

sub query_of
{
	my ($table, $operator, $queries, $limit) = @_;

	return "SELECT id FROM $table ORDER BY embedding $operator (SELECT embedding FROM $queries LIMIT 1) $limit";
}

sub check_recall
{
	my ($node, $what, $table, $operator, $queries) = @_;
	my @recall = recall($node, $table, $operator, $queries, \@counts);

	note sprintf '%s: recall @1 %.3f, @10 %.3f, @100 %.3f', $what, @recall;
	cmp_ok($recall[$_], '>=', 0.95, "$what: recall\@$counts[$_]") foreach 0 .. $#counts;
	return;
}

# As many different rows as asked for or as there are.
sub check_complete
{
	my ($node, $what, $table, $operator, $queries) = @_;
	my $rows = $node->safe_psql('postgres', "SELECT count(*) FROM $table");

	foreach my $limit (1000, $rows - 1, $rows, $rows + 1000)
	{
		my $expected = $limit < $rows ? $limit : $rows;
		my $query = query_of($table, $operator, $queries, "LIMIT $limit");

		is( $node->safe_psql('postgres', <<EOT), "$expected|$expected", "$what: LIMIT $limit of $rows rows");
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*), count(DISTINCT id) FROM ($query) AS found;
EOT
	}
	return;
}

# One table of dimensions and metric through its life.
sub check_life
{
	my ($node, $dimensions, $metric, $rows) = @_;
	my $table = "v${dimensions}_$metric";
	my $operator = $metrics{$metric};
	my @check = ($table, $operator, "q$dimensions");
	my $third = int($rows * 0.3);

	$node->safe_psql('postgres', <<EOT);
CREATE TABLE $table AS SELECT * FROM source$dimensions WHERE id <= $rows;
CREATE INDEX ${table}_embedding ON $table USING vecidx (embedding real_${metric}_ops);
EOT
	ok(uses_index($node, query_of(@check, 'LIMIT 10'), "${table}_embedding"), "$table: searches use the index");
	check_recall($node, "$table, built", @check);

	$node->safe_psql('postgres', <<EOT);
INSERT INTO $table SELECT * FROM source$dimensions WHERE id > $rows AND id <= $rows + $third;
TRUNCATE truth;
EOT
	check_recall($node, "$table, 30 % inserted", @check);

	$node->safe_psql('postgres', <<EOT);
DELETE FROM $table WHERE id % 10 IN (1, 4, 7);
TRUNCATE truth;
VACUUM $table;
EOT
	check_recall($node, "$table, 30 % deleted, vacuumed", @check);
	check_complete($node, $table, @check);
	is( $node->safe_psql('postgres', "SELECT vecidx_check('${table}_embedding') = count(*) FROM $table"),
		't', "$table: the index is sound, with a node for each row");
	$node->safe_psql('postgres', "DROP TABLE $table");
	return;
}

sub read_gzip
{
	my ($file) = @_;
	my $content = `gzip -dc '$FindBin::RealBin/../data/$file'`;

	die "could not read $file" if $? != 0 || $content eq '';
	return $content;
}

my $node = new_node('primary', <<EOT);
shared_buffers = 128MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
EOT

$node->start;
install_helpers($node);

foreach my $dimensions (64, 256)
{
	# enough that searches walk the graph: an index that is small, measured by
	# what a walk would meet, is swept
	my $rows = $dimensions == 64 ? 10000 : 8000;

	$node->safe_psql('postgres', <<EOT);
CREATE TABLE source$dimensions (id bigint, embedding real[]);
CREATE TABLE q$dimensions (id bigint, embedding real[]);
EOT
	load_rows($node, "source$dimensions", copy_rows(mixture(1, int($rows * 1.3), $dimensions), 1));
	load_rows($node, "q$dimensions", copy_rows(mixture(2, 150, $dimensions), 1));
	check_life($node, $dimensions, $_, $rows) foreach sort keys %metrics;

	# an index that knew no row to choose its codes by, and measured no beam
	$node->safe_psql('postgres', <<EOT);
CREATE TABLE grown$dimensions (LIKE source$dimensions);
CREATE INDEX grown${dimensions}_embedding ON grown$dimensions USING vecidx (embedding real_l2_ops);
INSERT INTO grown$dimensions SELECT * FROM source$dimensions WHERE id <= $rows;
EOT
	check_recall($node, "v${dimensions}_l2, grown from nothing", "grown$dimensions", '<->', "q$dimensions");
	is($node->safe_psql('postgres', "SELECT vecidx_check('grown${dimensions}_embedding')"),
		$rows, "v${dimensions}_l2, grown from nothing: the index is sound");
}

# The demo's data: dictionary entries, and queries of the same kind that are not among them.
$node->safe_psql('postgres', <<EOT);
CREATE TABLE words (id int PRIMARY KEY, lemma text, gloss text, category text, senses int, embedding real[]);
CREATE TABLE demo_queries (text text PRIMARY KEY, kind text, embedding real[]);
EOT
load_rows($node, 'words', read_gzip('words.copy.gz'));
load_rows($node, 'demo_queries', read_gzip('queries.copy.gz'));
$node->safe_psql('postgres', <<EOT);
-- rows taken out, so that the index does not know them
CREATE TABLE taken_out AS SELECT row_number() OVER (ORDER BY id) AS id, embedding FROM words WHERE id % 20 = 3;
DELETE FROM words WHERE id % 20 = 3;
-- rarer words: they lie farther from all rows than these do from each other
CREATE TABLE held_out AS SELECT row_number() OVER (ORDER BY text) AS id, embedding FROM demo_queries WHERE kind = 'held-out';
CREATE INDEX words_embedding ON words USING vecidx (embedding real_cosine_ops);
TRUNCATE truth;
EOT
is($node->safe_psql('postgres', 'SELECT count(*) FROM held_out'), 300, 'the demo has its queries');
ok(uses_index($node, query_of('words', '<=>', 'taken_out', 'LIMIT 10'), 'words_embedding'), 'words: searches use the index');
check_complete($node, 'words', 'words', '<=>', 'taken_out');
check_recall($node, 'words', 'words', '<=>', 'taken_out');

# A higher target finds more; so does a wider beam.
sub check_rising
{
	my ($what, $queries, $setting, @values) = @_;
	my @recall;

	$node->safe_psql('postgres', 'TRUNCATE truth');
	@recall = map { recall($node, 'words', '<=>', $queries, [10], "SET $setting = $_;") } @values;

	note "$what: " . join(', ', map { sprintf '%s: %.4f', $values[$_], $recall[$_] } 0 .. $#values);
	cmp_ok($recall[$_], '>=', $recall[ $_ - 1 ] - 0.002, "recall does not fall from $setting = $values[$_ - 1] to $values[$_]")
	  foreach 1 .. $#values;
	cmp_ok($recall[-1], '>', $recall[0] + 0.01, "recall rises from $setting = $values[0] to $values[-1]");
	return @recall;
}

my @targets = (0.8, 0.9, 0.95, 0.98, 0.99);
my @reached = check_rising('words, recall@10 by target', 'taken_out', 'vecidx.target_recall', @targets);
cmp_ok($reached[$_], '>=', $targets[$_] - 0.01, "target $targets[$_] is reached") foreach 0 .. $#targets;
check_rising('words, recall@10 of rarer words by target', 'held_out', 'vecidx.target_recall', @targets);
check_rising('words, recall@10 by beam', 'taken_out', 'vecidx.ef_search', 10, 40, 160, 640);
is($node->safe_psql('postgres', "SELECT vecidx_check('words_embedding')"), 19000, 'words: the index is sound');
check_log($node, 'recall');
done_testing();
