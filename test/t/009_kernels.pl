# Every kernel set that the processor runs gives the same answers: for each
# metric, form of codes and of rerank vectors, whichever set built the index,
# and also where set and page access change under an open cursor.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxSearch;
use VecidxTest;

# The dimensions are no multiple of any vector register's width.
my $rows = 2000;
my $dimensions = 67;
my $queries = 40;
my $k = 10;

my $node = new_node('kernels', 'shared_buffers = 64MB');

$node->start;
install_helpers($node);
create_items($node, $rows, $queries, $dimensions);

# Which sets there are is the processor's affair, but two always are.
my @kernels = ('scalar', 'auto');
my %error;

foreach my $kernel ('avx2', 'avx512', 'neon', 'no such set', '', 'AUTO', 'scalar ')
{
	my ($rc, $out, $err) = $node->psql('postgres', "LOAD 'vecidx'; SET vecidx.kernel = '$kernel'; SHOW vecidx.kernel");

	if ($rc == 0)
	{
		is($out, $kernel, "kernel $kernel: the setting tells");
		push @kernels, $kernel;
	}
	else
	{
		like($err, qr/invalid value for parameter "vecidx.kernel": "$kernel"\nDETAIL: .*\nHINT: /, "kernel \"$kernel\" is refused");
		$error{$kernel} = 1;
	}
}
ok($error{$_}, "\"$_\" is no kernel") foreach 'no such set', '', 'AUTO', 'scalar ';
note "kernels: @kernels";

# An unknown name in a session's start options is known for one only when the
# library comes in; the session goes on with the default.
{
	local $ENV{PGOPTIONS} = '-c vecidx.kernel=nonsense';
	my ($rc, $out, $err) = $node->psql('postgres', "LOAD 'vecidx'; SHOW vecidx.kernel; SELECT '{0,3}'::real[] <-> '{4,0}'::real[]");

	is("$rc $out", "0 auto\n5", 'an unknown kernel from before the library was loaded gives way to the default');
	like($err, qr/WARNING: .*invalid value for parameter "vecidx.kernel": "nonsense"/, 'and is complained of');
}

# What an error leaves in force.
is($node->psql('postgres', <<'EOT', on_error_stop => 0), 0, 'a refused kernel ends no session');
LOAD 'vecidx';
SET vecidx.kernel = scalar;
SET vecidx.kernel = 'no such set';
EOT
is( $node->safe_psql('postgres', <<'EOT'), 'scalar', 'what was set stays, when a later one is rolled back');
LOAD 'vecidx';
SET vecidx.kernel = scalar;
BEGIN;
SET LOCAL vecidx.kernel = auto;
ROLLBACK;
SHOW vecidx.kernel;
EOT

sub compare_kernels
{
	my ($what, $index, $operator, $column, $least) = @_;

	$node->safe_psql('postgres', "CREATE INDEX nearby ON items USING vecidx $index");
	keep_answers($node, "$what, table", $operator, $k, by_table, $column);
	foreach my $kernel (@kernels)
	{
		my $recall;

		keep_answers($node, "$what, $kernel", $operator, $k, by_index . "SET vecidx.kernel = $kernel;", $column);
		$recall = recall_of($node, "$what, $kernel", "$what, table");
		note "$what: recall $recall";
		cmp_ok($recall, '>', $least, "$what: kernel $kernel finds the nearest");
		is_same_answer($node, "$what, $kernel", "$what, scalar", $queries * $k / 200, "$what: kernels $kernel and scalar")
		  if $kernel ne 'scalar';
	}
	$node->safe_psql('postgres', 'DROP INDEX nearby');
	return;
}

# The cost of a scan by table must not be a scan by another index: there is one at a time.
compare_kernels('L2, 1 bit', "(embedding real_l2_ops) WITH (quantizer = 'rabitq1', rerank = 'sq8')", '<->', 'embedding', 0.9);
compare_kernels('cosine, 2 bits', "(embedding real_cosine_ops) WITH (quantizer = 'rabitq2', rerank = 'sq4')", '<=>', 'embedding', 0.75);
compare_kernels('inner product, 4 bits', "(embedding real_ip_ops) WITH (quantizer = 'rabitq4', rerank = 'half')", '<#>', 'embedding', 0.9);
compare_kernels('L2, 8 bits', "(embedding real_l2_ops) WITH (quantizer = 'rabitq8', rerank = 'float')", '<->', 'embedding', 0.9);

SKIP:
{
	skip 'pgvector is not installed', 1
	  if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name IN ('vector', 'vecidx_pgvector')") != 2
	  || $node->psql('postgres', 'CREATE EXTENSION vecidx_pgvector CASCADE') != 0;
	$node->safe_psql('postgres', <<EOT);
CREATE FUNCTION signs(v real[]) RETURNS bit($dimensions) LANGUAGE sql IMMUTABLE AS
\$\$ SELECT string_agg((e > 0)::int::text, '' ORDER BY n)::bit($dimensions) FROM unnest(v) WITH ORDINALITY AS u(e, n) \$\$;
ALTER TABLE items ADD half halfvec($dimensions), ADD signs bit($dimensions);
ALTER TABLE queries ADD half halfvec($dimensions), ADD signs bit($dimensions);
UPDATE items SET half = embedding::halfvec, signs = signs(embedding);
UPDATE queries SET half = embedding::halfvec, signs = signs(embedding);
EOT
	compare_kernels('halfvec, cosine', '(half halfvec_cosine_ops)', '<=>', 'half', 0.85);
	compare_kernels('bit, Hamming', '(signs bit_hamming_ops)', '<~>', 'signs', 0.9);
}

# One set builds, another searches.
keep_answers($node, 'build, table', '<->', $k, by_table);
foreach my $builder (grep { $_ ne 'auto' } @kernels)
{
	$node->safe_psql('postgres', "LOAD 'vecidx'; SET vecidx.kernel = $builder; CREATE INDEX nearby ON items USING vecidx (embedding real_l2_ops)");
	foreach my $kernel (@kernels)
	{
		my $source = "built by $builder, searched by $kernel";

		keep_answers($node, $source, '<->', $k, by_index . "SET vecidx.kernel = $kernel;");
		cmp_ok(recall_of($node, $source, 'build, table'), '>', 0.9, $source);
	}
	is($node->safe_psql('postgres', "SELECT vecidx_check('nearby')"), $rows, "built by $builder: the index is sound");
	$node->safe_psql('postgres', 'DROP INDEX nearby') if $builder ne $kernels[-1];
}

# A cursor under which kernels and ways to pages change: each row once, and
# those that come first are the nearest.
my $fetches = '';
my $some = 8;
foreach my $kernel (@kernels)
{
	foreach my $access ('pinned', 'unpinned', 'recent')
	{
		$fetches .= "SET vecidx.kernel = $kernel; SET vecidx.page_access = $access; SELECT read_on('c', $some);\n"
		  . "SELECT count(*) FROM (SELECT FROM items ORDER BY embedding <-> (SELECT embedding FROM queries WHERE id = 2) LIMIT 1) AS other;\n";
		$some += 4;
	}
}
$node->safe_psql('postgres', <<EOT);
CREATE TABLE seen (place serial, id int);
CREATE FUNCTION read_on(c refcursor, count int) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
	next int;
BEGIN
	FOR i IN 1 .. count LOOP
		FETCH c INTO next;
		EXIT WHEN NOT FOUND;
		INSERT INTO seen (id) VALUES (next);
	END LOOP;
END
\$\$;
@{[ by_index ]}
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM items ORDER BY embedding <-> (SELECT embedding FROM queries WHERE id = 1);
$fetches
SELECT read_on('c', $rows * 2);
COMMIT;
EOT
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM seen'), "$rows|$rows", 'a cursor under changing settings returns each row once');
cmp_ok( $node->safe_psql('postgres', by_table . <<'EOT'), '>', 90, 'and the nearest first');
SELECT count(*) FROM (SELECT id FROM seen ORDER BY place LIMIT 100) AS first
JOIN (SELECT id FROM items ORDER BY embedding <-> (SELECT embedding FROM queries WHERE id = 1) LIMIT 100) AS nearest USING (id)
EOT

check_log($node, 'kernels', qr/invalid value for parameter "vecidx.kernel"/);
$node->stop;
done_testing();
