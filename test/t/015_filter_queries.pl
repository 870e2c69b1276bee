# Filtered searches against the truth: random conditions on columns of many
# types, on a table with NULLs, odd numbers, long and short strings, and equal
# vectors with different values.
#
# Whatever a scan returns satisfies its condition; there are as many rows as
# there can be, in the order of their distances; and on average nearly all of
# the nearest are among them.  Then the same at one snapshot, while others
# change what is filtered by.
#
# VECIDX_FILTER_QUERIES: number of queries (1000)

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use List::Util qw(sum);
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

my $queries = $ENV{VECIDX_FILTER_QUERIES} || 1000;
my $rows = 4000;

my $node = new_node('filters', 'shared_buffers = 128MB');

srand(20240607);

sub one_of { return $_[ int(rand(@_)) ]; }
sub whole { return int(rand($_[0])); }

# Values as SQL, for a row and for a condition on it.
my @words = ('a', 'ab', 'abc', 'Abc', 'abc ', '', 'b%', 'b_c', 'été', 'exactly fifteen', 'sixteen letters!',
	'a rather long string that no slot holds', 'a rather long string that no slot holds, either', 'a rather');
my @floats = (qw('NaN' 'Infinity' '-Infinity' -0.0 0 1e-310 1e300 1.5), -2.5, 3, 3.25, 1e10);
my @numerics = (qw(0 1 1.0 1.00 -1 1.5 100 100.0 1e20 'NaN'), '12345678901234567890.123456789', '12345678901234567890.12345678900');
my @addresses = ('10.0.0.1', '10.0.0.0/8', '10.1.0.0/16', '192.168.1.1', '::1', 'fe80::1/64');
my @ranges = ('empty', '[1,5)', '[3,9)', '(,4)', '[7,)', '[2,3)');
my @kinds = ('low', 'middle', 'high');
my @documents = ('{"a": 1}', '{"a": 1.0, "b": [1, 2]}', '{"a": {"b": 2}}', '["x", "y"]', '"x"', '{}', '[]', 'null',
	'{"b": "x", "c": null, "d": true}', '{"x": 1, "y": "a"}');

sub quoted { my ($text) = @_; $text =~ s/'/''/g; return "'$text'"; }

my %columns = (
	tenant => ['int', sub { whole(whole(40) + 1) }, [qw(= < <= > >= <>)], 1],
	small => ['int2', sub { whole(9) - 4 }, [qw(= < <= > >= <>)], 1],
	big => ['int8', sub { one_of(0, 5, -5, '9223372036854775807', '-9223372036854775808', whole(1000)) }, [qw(= < <= > >= <>)], 1],
	price => ['float8', sub { one_of(@floats, whole(50)) }, [qw(= < <= > >= <>)], 1],
	ratio => ['float4', sub { one_of(qw('NaN' 'Infinity' -0.0 0), whole(10) / 10) }, [qw(= < <= > >= <>)], 1],
	amount => ['numeric', sub { one_of(@numerics, whole(20)) }, [qw(= < <= > >= <>)], 1],
	name => ['text', sub { quoted(one_of(@words)) }, [qw(= < <= > >= <> ~~ !~~ ~~* ^@)], 1],
	code => ['varchar', sub { quoted(one_of(@words)) }, [qw(= < >= <>)], 1],
	padded => ['char(6)', sub { quoted(substr(one_of(@words), 0, 6)) }, [qw(= < >= <>)], 1],
	flag => ['bool', sub { one_of('true', 'false') }, [qw(= <>)], 1],
	day => ['date', sub { "date '2024-01-01' + " . whole(60) }, [qw(= < <= > >= <>)], 0],
	at => ['timestamptz', sub { "timestamptz '2024-01-01 00:00+00' + interval '1 hour' * " . whole(1500) }, [qw(< <= > >=)], 0],
	uid => ['uuid', sub { "md5('" . whole(50) . "')::uuid" }, [qw(= < > <>)], 0],
	tags => ['int[]', sub { "array[" . join(',', map { whole(15) } 1 .. whole(5)) . "]::int[]" }, [qw(@> <@ && =)], 0],
	labels => ['text[]', sub { "array[" . join(',', map { quoted(one_of(@words)) } 1 .. whole(3)) . "]::text[]" }, [qw(@> <@ && =)], 0],
	doc => ['jsonb', sub { quoted(one_of(@documents)) }, [qw(@> =)], 1],
	kind => ['kind', sub { quoted(one_of(@kinds)) }, [qw(= < >= <>)], 1],
	address => ['inet', sub { quoted(one_of(@addresses)) }, [qw(= < << >>= &&)], 1],
	span => ['int4range', sub { quoted(one_of(@ranges)) }, [qw(= && @> <@)], 1]);
my @names = sort keys %columns;

sub value
{
	my ($name) = @_;
	my ($type, $make) = @{ $columns{$name} };

	return '(' . $make->() . ")::$type";
}

# A condition on one column.
sub simple
{
	my ($name) = @_;
	my ($type, undef, $operators, $listed) = @{ $columns{$name} };
	my $way = whole(10);

	return "$name IS " . one_of('NULL', 'NOT NULL') if $way == 0;
	return "$name = ANY (ARRAY[" . join(', ', (map { value($name) } 0 .. whole(6)), one_of('NULL', value($name))) . "]::${type}[])"
	  if $way == 1 && $listed;
	return "$name BETWEEN " . value($name) . ' AND ' . value($name) if $way == 2 && grep { $_ eq '<' } @$operators;
	return one_of('flag', 'NOT flag') if $name eq 'flag' && $way < 6;
	return one_of("tenant = 7::int8", "tenant < 3::int2", "big > 2", "small <= 1::int8", "price < 2::float4", "ratio >= 0.3::float8",
		"day < timestamp '2024-02-01 12:00'", "at >= date '2024-02-01'", "doc ? 'a'", "doc ?| array['x', 'c']", "doc ?& array['a', 'b']",
		"doc \@? '\$.a'", "name LIKE 'a rather%'", "name ~ '^a.*s'", "span \@> 4", "tags \@> array[3]", "tags && array[1, 2]",
		"at < timestamp '2024-01-20'", "name = 'abc'::varchar", "'ab' = name", "lower(code) = 'abc'", "lower(code) LIKE 'a%'")
	  if $way == 3;
	return "$name " . one_of(@$operators) . ' ' . value($name);
}

sub condition
{
	my @parts = map { simple(one_of(@names)) } 0 .. whole(3);
	my $all = join(' AND ', @parts);

	return 'true' if whole(30) == 0;
	return "($all OR " . simple(one_of(@names)) . ')' if whole(8) == 0;
	return "NOT ($all)" if whole(10) == 0;
	return $all;
}

sub fill_table
{
	my @lines = map {
		"($_, " . whole($rows * 2 / 3) . ', ' . join(', ', map { whole(8) == 0 ? 'NULL' : value($_) } @names) . ')'
	} 1 .. $rows;

	$node->safe_psql('postgres', "CREATE TYPE kind AS ENUM ('low', 'middle', 'high');
CREATE TABLE items (id int PRIMARY KEY, seed int, " . join(', ', map { "$_ $columns{$_}[0]" } @names) . ", e real[]);
SELECT setseed(0.25);
CREATE TABLE vectors AS SELECT seed, array(SELECT (random() + random() + random())::real FROM generate_series(1, 12) WHERE seed >= 0) AS e
	FROM generate_series(0, $rows) seed;
INSERT INTO items (id, seed, " . join(', ', @names) . ") VALUES\n" . join(",\n", @lines) . ";
UPDATE items SET e = vectors.e FROM vectors WHERE vectors.seed = items.seed;
VACUUM FULL items;
ANALYZE items;
CREATE INDEX nearby ON items USING vecidx (e real_l2_ops, " . join(', ', @names) . ", lower(code));");
	return;
}

# The k nearest with a condition by the index, and whether that is right.
sub create_functions
{
	$node->safe_psql('postgres', <<'EOT');
CREATE FUNCTION try_query(condition text, k int, query real[], OUT wrong int, OUT returned int, OUT expected int, OUT hits int, OUT misplaced int, OUT how text)
LANGUAGE plpgsql AS $$
DECLARE
	ids int[];
	truth float8[];
	got float8[];
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_indexscan', 'on', true);
	EXECUTE format('SELECT array_agg(id), array_agg(d) FROM (SELECT id, e <-> $1 AS d FROM items WHERE %s ORDER BY e <-> $1 LIMIT %s) a',
				   condition, k) INTO ids, got USING query;
	how := (SELECT strategy FROM vecidx_last_scan());
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true), set_config('enable_indexscan', 'off', true);
	EXECUTE format('SELECT array_agg(d) FROM (SELECT e <-> $1 AS d FROM items WHERE %s ORDER BY 1 LIMIT %s) a', condition, k)
		INTO truth USING query;
	EXECUTE format('SELECT count(*) FROM unnest($1) i WHERE NOT EXISTS (SELECT FROM items WHERE id = i AND (%s))', condition)
		INTO wrong USING ids;
	wrong := wrong + coalesce(cardinality(ids), 0) - (SELECT count(DISTINCT i) FROM unnest(ids) i);
	returned := coalesce(cardinality(ids), 0);
	expected := coalesce(cardinality(truth), 0);
	hits := (SELECT count(*) FROM unnest(got) d WHERE d <= truth[cardinality(truth)] + 1e-6);
	misplaced := (SELECT count(*) FROM (SELECT d, max(d) OVER (ORDER BY n) AS before FROM unnest(got) WITH ORDINALITY u (d, n)) a
				  WHERE d < before - 0.02);
END $$;
EOT
	return;
}

# By what happened meanwhile: sums of recall, and of how many queries.
my %recalls;

sub check_recalls
{
	foreach my $what (sort keys %recalls)
	{
		my $recall = sum(map { $_->[0] } @{ $recalls{$what} }) / (sum(map { $_->[1] } @{ $recalls{$what} }) || 1);

		cmp_ok($recall, '>=', $what eq 'at rest' ? 0.95 : 0.93, "$what: the nearest are found");
		note "$what: recall $recall";
	}
	return;
}

# Tries conditions, and counts what is not right.
sub try_queries
{
	my ($count, $isolation, $what) = @_;
	my $batch = '';
	my @tried;

	for (1 .. $count)
	{
		my $condition = condition();
		my $k = one_of(1, 3, 10, 10, 10, 50, 300);
		my $query = 'array[' . join(',', map { sprintf('%.3f', rand(3)) } 1 .. 12) . ']::real[]';

		push @tried, "$condition LIMIT $k";
		$batch .= "SELECT * FROM try_query(" . quoted($condition) . ", $k, $query);\n";
	}
	my ($rc, $out, $err) = $node->psql('postgres', "BEGIN ISOLATION LEVEL $isolation;\n${batch}COMMIT;", on_error_stop => 1);
	is($rc, 0, "$what: no query failed") or diag $err;
	judge($out, $what, \@tried);
	return;
}

sub judge
{
	my ($out, $what, $tried) = @_;
	my ($wrong, $short, $rows, $unsorted, $recall, $counted) = (0, 0, 0, 0, 0, 0);
	my %ways;					# by strategy: queries, of those with an answer, and their recall

	foreach my $line (grep { /\|/ } split(/\n/, $out))
	{
		my ($bad, $returned, $expected, $hits, $misplaced, $how) = split(/\|/, $line);
		my $condition = shift @$tried;
		my $right = $bad == 0 && $returned == $expected;

		$wrong += $bad > 0;
		$short += $returned != $expected;
		$rows += $returned;
		$unsorted += $misplaced;
		my $way = $ways{ $how || 'none' } //= [ 0, 0, 0 ];
		$way->[0]++;
		diag "$condition: $line" unless $right;
		next if $expected == 0;
		$recall += $hits / $expected;
		$counted++;
		$way->[1]++;
		$way->[2] += $hits / $expected;
	}
	is(scalar(@$tried), 0, "$what: all were answered");
	is($wrong, 0, "$what: every row satisfies its condition");
	is($short, 0, "$what: there are as many rows as there can be");
	# a condition that is checked above the scan, or a row that others have changed, makes it go on for more, which it may find nearer
	cmp_ok($unsorted, '<=', 0.03 * $rows, "$what: rows come in the order of their distances");
	push @{ $recalls{$what} }, [ $recall, $counted ];
	note "$what: recall " . $recall / ($counted || 1) . ', ' . join(', ',
		map { sprintf('%s: %d of %.3f', $_, $ways{$_}[0], $ways{$_}[2] / ($ways{$_}[1] || 1)) } sort keys %ways);
	return;
}

$node->start;
install_helpers($node);
fill_table();
create_functions();
try_queries($queries, 'READ COMMITTED', 'at rest');

# others change what is filtered by, one column at a time, while one snapshot stays
my $script = PostgreSQL::Test::Utils::tempdir() . '/changes.sql';
append_to_file($script, "\\set id random(1, $rows)\n\\set other random(1, $rows)\n"
	  . "UPDATE items SET tenant = random() * 20, price = other.price, name = other.name, tags = other.tags, doc = other.doc\n"
	  . "	FROM (SELECT * FROM items WHERE id = :other) other WHERE items.id = :id;\n"
	  . "UPDATE items SET e = other.e FROM (SELECT e FROM items WHERE id = :other) other WHERE items.id = :id AND :id % 5 = 0;\n");
my $load = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '2', '-T', 600 + $queries, '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ],
	'>', '/dev/null', '2>', '/dev/null');
try_queries(int($queries / 10), 'REPEATABLE READ', 'while values change') for 1 .. 4;
$node->safe_psql('postgres', 'VACUUM items');
try_queries(int($queries / 10), 'REPEATABLE READ', 'while values change, after a vacuum') for 1 .. 3;
$load->signal('TERM');
$load->finish;
try_queries(int($queries / 4), 'READ COMMITTED', 'when values have changed');
check_recalls();
cmp_ok($node->safe_psql('postgres', "SELECT vecidx_check('nearby')"), '>', 0, 'the index is sound');
$node->stop;

done_testing();
