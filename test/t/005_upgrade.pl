# Extension versions: control files, scripts and Makefile agree; every version
# can be installed and updated to the default one, and ends up the same as a
# fresh installation, with its indexes in working order.  Indexes of an older
# format are read, and are to be built anew.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use Test::More;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use VecidxTest;

# The source tree, or next to the tests a copy of what they need of it.
my ($root) = grep { -f "$_/Makefile" && -d "$_/sql" } map { "$FindBin::RealBin/$_" } ('../..', '..');

# The extension's objects, and how its functions are defined.
my $objects = <<'EOT';
SELECT pg_describe_object(classid, objid, 0),
	   CASE WHEN classid = 'pg_proc'::regclass AND prokind <> 'a' THEN md5(pg_get_functiondef(objid)) END,
	   obj_description(objid, classid::regclass::name)
FROM pg_depend LEFT JOIN pg_proc ON pg_proc.oid = objid
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'EXTENSION')
ORDER BY 1
EOT

sub control_version
{
	my ($text) = @_;
	my ($version) = $text =~ /^default_version = '([^']+)'/m;

	return $version // 'none';
}

my $makefile = slurp_file("$root/Makefile");
$makefile =~ s/\\\n//g;
my ($data) = $makefile =~ /^DATA\s*=\s*(.*)$/m;
my @data = split ' ', $data;
my @scripts = map { s/^\Q$root\E\///r } glob("$root/sql/vecidx*--*.sql");

is_deeply([ sort grep { /\.sql$/ } @data ], [ sort @scripts ], 'the Makefile installs every script');

my ($sharedir) = run_command([ 'pg_config', '--sharedir' ]);
# checksums of pages would see that the version was changed
my $node = new_node('primary', '', no_data_checksums => 1);

$node->start;
foreach my $extension ('vecidx', 'vecidx_pgvector')
{
	my $source = slurp_file("$root/$extension.control");
	my $version = control_version($source);

	is(slurp_file("$sharedir/extension/$extension.control"), $source, "$extension: the control file is installed");
	is( $node->safe_psql('postgres', "SELECT default_version FROM pg_available_extensions WHERE name = '$extension'"),
		$version, "$extension: default version $version is available");
	ok((grep { $_ eq "sql/$extension--$version.sql" } @data), "$extension: version $version has a script of its own");
	is(slurp_file("$sharedir/extension/" . s/.*\///r), slurp_file("$root/$_"), "$_ is installed")
	  foreach grep { /^sql\/$extension--/ } @data;
	is( $node->safe_psql(
			'postgres',
			"SELECT count(*) FROM pg_extension_update_paths('$extension') WHERE target = '$version' AND path IS NULL"),
		0, "$extension: every version leads to $version");
}

# Creates an extension (and what it requires) in a database of its own.
sub install_version
{
	my ($database, $extension, $version) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, "CREATE EXTENSION $extension VERSION '$version' CASCADE");
	return;
}

sub describe
{
	my ($database, $extension) = @_;

	return $node->safe_psql($database, $objects =~ s/EXTENSION/$extension/r);
}

my @extensions = ('vecidx');
push @extensions, 'vecidx_pgvector'
  if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") > 0;

foreach my $extension (@extensions)
{
	my $version = control_version(slurp_file("$root/$extension.control"));
	my @versions = split /\n/,
	  $node->safe_psql('postgres',
		"SELECT version FROM pg_available_extension_versions WHERE name = '$extension' ORDER BY version = '$version'");
	my ($type, $class) = $extension eq 'vecidx' ? ('real[]', 'real_l2_ops') : ('vector(3)', 'vector_l2_ops');
	my $values = $extension eq 'vecidx' ? "ARRAY[i, i % 7, i % 5]::real[]" : "ARRAY[i, i % 7, i % 5]::vector(3)";
	my $nearest = "SET enable_seqscan = off; SELECT array_agg(id) FROM
		(SELECT id FROM t ORDER BY embedding <-> (SELECT embedding FROM t WHERE id = 100) LIMIT 7) AS n";
	my $fresh;

	install_version("fresh_$extension", $extension, $version);
	$fresh = describe("fresh_$extension", $extension);
	cmp_ok(scalar(split /\n/, $fresh), '>', 20, "$extension: version $version has its objects");
	is_deeply([ grep { /^(function|operator|access method)/ && /\|$/ } split /\n/, $fresh ],
		[], "$extension: functions, operators and the access method have comments");
	foreach my $old (@versions)
	{
		my $database = $extension . '_' . ($old =~ s/\W/_/gr);
		my ($rc, $out, $err, $before);

		install_version($database, $extension, $old);
		$before = $node->safe_psql($database, <<EOT);
CREATE TABLE t AS SELECT i AS id, ($values)::$type AS embedding FROM generate_series(1, 300) AS i;
CREATE INDEX t_embedding ON t USING vecidx (embedding $class);
$nearest
EOT
		($rc, $out, $err) = $node->psql($database, "ALTER EXTENSION $extension UPDATE");
		is($rc, 0, "$extension: update from version $old") or diag $err;
		like($err, qr/version "\Q$version\E" of extension "$extension" is already installed/,
			"$extension: nothing to update") if $old eq $version;
		is($node->safe_psql($database, "SELECT extversion FROM pg_extension WHERE extname = '$extension'"),
			$version, "$extension: updated to version $version");
		is(describe($database, $extension), $fresh, "$extension: objects as after a fresh installation");
		is($node->safe_psql($database, $nearest), $before, "$extension: searches answer as before the update");
		is($node->safe_psql($database, "SELECT vecidx_check('t_embedding')"), 300, "$extension: the index is sound");
		is($node->safe_psql($database, "DROP EXTENSION vecidx CASCADE; SELECT to_regclass('t_embedding') IS NULL AND count(*) = 300 FROM t"),
			't', "$extension: goes with its indexes, but leaves the rows");
	}
}

# An index of an older format that can still be read (the metapage's checksum leaves the version out)

$node->safe_psql('fresh_vecidx', <<'EOT');
CREATE TABLE old AS SELECT i AS id, ARRAY[i, i % 7, i % 5]::real[] AS embedding FROM generate_series(1, 300) AS i;
CREATE INDEX old_embedding ON old USING vecidx (embedding real_l2_ops);
CHECKPOINT;
EOT
is($node->safe_psql('fresh_vecidx', "SELECT format_version = 3 AND advice IS NULL FROM vecidx_health('old_embedding')"),
	't', 'format: the newest needs nothing done');
my $file = $node->data_dir . '/' . $node->safe_psql('fresh_vecidx', "SELECT pg_relation_filepath('old_embedding')");
$node->stop;
open my $handle, '+<:raw', $file or die "$file: $!";
sysseek $handle, 24, 0;
sysread $handle, my $head, 8;
is_deeply([ unpack('LL', $head) ], [ 0x56584944, 3 ], 'format: where the version is');
sysseek $handle, 28, 0;
syswrite $handle, pack('L', 2);
close $handle;
$node->start;
is($node->safe_psql('fresh_vecidx', "SELECT format_version, advice FROM vecidx_health('old_embedding')"),
	'2|The index has format version 2, which later releases may not read (new ones have 3): REINDEX INDEX CONCURRENTLY public.old_embedding;',
	'format: an older one is to be built anew');
is($node->safe_psql('fresh_vecidx', "SELECT vecidx_check('old_embedding')"), 300, 'format: and can be read until then');
$node->safe_psql('fresh_vecidx', 'REINDEX INDEX CONCURRENTLY old_embedding');
is($node->safe_psql('fresh_vecidx', "SELECT format_version = 3 AND advice IS NULL FROM vecidx_health('old_embedding')"),
	't', 'format: which is all that it takes');

check_log($node, 'upgrade');
done_testing();
