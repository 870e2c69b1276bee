# VecidxSearch: what the tests of searching under bad conditions share.
#
# Answers are kept in a table, "answers", under a name of their circumstances,
# so that those of any two circumstances can be compared.

package VecidxSearch;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use Test::More;

use PostgreSQL::Test::Utils;
use VecidxTest;

our @EXPORT = qw(
  by_index
  by_table
  create_items
  keep_answers
  is_same_answer
  recall_of
  start_psql
  memory_function
);

# Settings under which a query by distance uses the index, or the table.
our $by_index = 'SET enable_seqscan = off; SET enable_sort = off; SET max_parallel_workers_per_gather = 0;';
our $by_table = 'SET enable_indexscan = off; SET max_parallel_workers_per_gather = 0;';

sub by_index { return $by_index; }
sub by_table { return $by_table; }

# Tables "items" and "queries" of (id, embedding), and an empty "answers".
sub create_items
{
	my ($node, $rows, $queries, $dimensions) = @_;

	$node->safe_psql('postgres', <<'EOT');
CREATE TABLE items (id int PRIMARY KEY, embedding real[]);
CREATE TABLE queries (id int PRIMARY KEY, embedding real[]);
CREATE TABLE answers (source text, query int, rank int, id int, distance float8);
EOT
	load_rows($node, 'items', copy_rows(mixture(1, $rows, $dimensions), 1));
	load_rows($node, 'queries', copy_rows(mixture(2, $queries, $dimensions), 1));
	$node->safe_psql('postgres', 'ANALYZE items; ANALYZE queries');
	return;
}

# Keeps the k nearest items of each query, in the order in which they came.
sub keep_answers
{
	my ($node, $source, $operator, $k, $settings, $column) = @_;

	$column //= 'embedding';
	$node->safe_psql('postgres', <<EOT);
$settings
INSERT INTO answers
SELECT '$source', q.id, n.rank, n.id, n.distance
FROM queries AS q CROSS JOIN LATERAL
	(SELECT row_number() OVER () AS rank, id, distance
	 FROM (SELECT t.id, t.$column $operator q.$column AS distance FROM items AS t
		   ORDER BY t.$column $operator q.$column LIMIT $k) AS nearest) AS n;
EOT
	return;
}

# The same rows in both answers, but for "allowed" of them, which may have
# changed places with rows as near.
sub is_same_answer
{
	my ($node, $one, $other, $allowed, $what) = @_;
	my ($rows, $strange) = split /\|/, $node->safe_psql('postgres', <<EOT);
SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (
	SELECT FROM answers AS o WHERE o.source = '$other' AND o.query = a.query AND o.id = a.id))
	+ (SELECT abs(count(*) FILTER (WHERE source = '$one') - count(*) FILTER (WHERE source = '$other')) FROM answers)
FROM answers AS a WHERE source = '$one'
EOT

	cmp_ok($rows, '>', 0, "$what: there are answers");
	cmp_ok($strange, '<=', $allowed, "$what: the same rows ($strange of $rows differ)");
	return;
}

# Share of rows returned that are no farther than the true k-th one.
sub recall_of
{
	my ($node, $found, $truth) = @_;

	return $node->safe_psql('postgres', <<EOT);
SELECT (SELECT count(*) FROM answers AS f
		JOIN (SELECT query, max(distance) AS farthest FROM answers WHERE source = '$truth' GROUP BY query) AS t USING (query)
		WHERE f.source = '$found' AND f.distance <= t.farthest + 1e-5 * (1 + abs(t.farthest)))::float8
	/ (SELECT count(*) FROM answers WHERE source = '$truth')
EOT
}

# A session of its own, which runs the text while the caller goes on.
sub start_psql
{
	my ($node, $name, $text) = @_;
	my $run = { stdout => '', stderr => '' };
	my $file = PostgreSQL::Test::Utils::tempdir('session') . "/$name.sql";

	append_to_file($file, $text);
	local $ENV{PGAPPNAME} = $name;
	$run->{harness} = IPC::Run::start([ 'psql', '-XqAt', '-h', $node->host, '-p', $node->port, '-f', $file, 'postgres' ],
		'<', \undef, '>', \$run->{stdout}, '2>', \$run->{stderr});
	return $run;
}

# SQL functions that tell how many bytes the calling backend has allocated: in
# memory contexts of a kind, in all contexts, and from the system.
sub memory_function
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<'EOT');
CREATE FUNCTION context_bytes(pattern text DEFAULT '%') RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT coalesce(sum(total_bytes), 0)::bigint FROM pg_backend_memory_contexts WHERE name LIKE pattern $$;

-- Pages of its own that the process has, where the system tells; else 0.
CREATE FUNCTION process_bytes() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT coalesce((regexp_match(pg_read_file('/proc/self/status', 0, 100000, true), 'RssAnon:\s+(\d+) kB'))[1]::bigint * 1024, 0) $$;
EOT
	return;
}

1;
