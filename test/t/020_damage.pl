# Damaged pages: a query never crashes the server and never returns a wrong
# answer in silence.
#
# Each round copies a template database file by file, damages the index in the
# copy before anybody has connected to it (so that no buffer holds an intact
# page), and runs the same script of reads and writes there.  A statement may
# fail with an error that says the index is damaged; otherwise its result must
# be that of the undamaged copy.  Codes only steer a search: with those damaged
# the nearest rows may be others, but they are rows of the table in the right
# order, and a scan without LIMIT still returns every row or an error.
#
# The same holds where whole upper slots stand in the place of others: to a
# search they look like slots that a vacuum has freed and an insert has taken
# meanwhile, which it has to pass over.  vecidx_check knows better.
#
# VECIDX_DAMAGE_ROUNDS: random damages beside the fixed ones (24)
# VECIDX_DAMAGE_SEED: seed of their choice (1)
#
# Pages of filter rows are tested without being locked.  Damage to a value in them
# is not noticed, but that the page is another one, or none, is: also where the
# page was in memory before the index was used.
#
# Directory pages are not covered: an index has them beyond some eight million
# rows.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{VECIDX_DAMAGE_ROUNDS} || 24;
my $seed = $ENV{VECIDX_DAMAGE_SEED} || 1;

use constant {
	PAGE => 8192,
	START => 24,
	TAIL => 8184,
	META => 1,
	CENTROID => 2,
	CODE => 4,
	ADJACENCY => 5,
	UPPER => 6,
	RERANK => 7,
	FILTER => 8,
};
my %kind_name = (
	META, 'meta', CENTROID, 'centroid', CODE, 'code',
	ADJACENCY, 'adjacency', UPPER, 'upper', RERANK, 'rerank');

# Tables whose index has filter columns (many, so that few rows fill a page), and the condition that queries have.
# Most rows of "many" pass, so that a walk under the filter finds them; few of
# "few", so that all filter rows are passed over.
my %condition = (many => 'WHERE price >= 100', few => 'WHERE price < 300');

# Kinds of which a damaged page may change the order and the choice of rows.
my %steers = (CODE, 1);

# The same for whole slots in the place of others.
my %steers_misplaced = (CODE, 1, UPPER, 1);

# Bytes of the page header, by what they are called in bufpage.h.
my %header = (
	pd_lsn => [ 0, 8 ],
	pd_checksum => [ 8, 2 ],
	pd_flags => [ 10, 2 ],
	pd_lower => [ 12, 2 ],
	pd_upper => [ 14, 2 ],
	pd_special => [ 16, 2 ],
	pd_pagesize_version => [ 18, 2 ],
	pd_prune_xid => [ 20, 4 ]);

# Bytes of the tail (page.h).
my %tail = (
	first => [ TAIL, 4 ],
	kind => [ TAIL + 4, 2 ],
	page_id => [ TAIL + 6, 2 ]);

my $node = PostgreSQL::Test::Cluster->new('damage');
# checksums of pages would see the damage before we do
$node->init(no_data_checksums => 1);
$node->append_conf('postgresql.conf', <<'CONF');
autovacuum = off
jit = off
max_wal_size = 1GB
statement_timeout = 60s
CONF
$node->start;

# The template: an index with every kind of page, chains of extensions, rows
# added after the build, and slots that a vacuum has freed.  The table
# "coarse" has 8-bit rerank vectors, which are relative to the centroid.
$node->safe_psql('postgres', 'CREATE DATABASE pristine');
$node->safe_psql('pristine', <<'SQL');
CREATE EXTENSION vecidx;
SELECT setseed(0.25);
CREATE TABLE vectors AS
	SELECT n AS id, (SELECT array_agg((3 + sin(n % 40 + d) + random())::real)
					 FROM generate_series(1, 24) d WHERE n > 0) AS v
	FROM generate_series(1, 3300) n;
CREATE TABLE queries AS SELECT id AS qid, v AS q FROM vectors WHERE id IN (11, 222, 1333, 2444);
CREATE TABLE fine (id int PRIMARY KEY, v real[]);
CREATE TABLE coarse (id int PRIMARY KEY, v real[]);
CREATE TABLE many (id int PRIMARY KEY, v real[], price int DEFAULT 500, a uuid, b uuid, c uuid, d uuid, e uuid, f uuid);
CREATE TABLE few (LIKE many INCLUDING ALL);
INSERT INTO many SELECT g * 4000 + id, v[g:] || v[:g - 1], id * 7919 % 1000 FROM vectors, generate_series(1, 3) AS g;
INSERT INTO few SELECT * FROM many;
CREATE INDEX many_v ON many USING vecidx (v real_l2_ops, price, a, b, c, d, e, f)
	WITH (m = 8, rerank = 'float', quantizer = 'rabitq4');
CREATE INDEX few_v ON few USING vecidx (v real_l2_ops, price, a, b, c, d, e, f)
	WITH (m = 8, rerank = 'float', quantizer = 'rabitq4');
INSERT INTO fine SELECT * FROM vectors WHERE id <= 3000;
INSERT INTO fine SELECT 10000 + n, v FROM vectors, generate_series(1, 40) n WHERE id = 222;
INSERT INTO coarse SELECT * FROM vectors WHERE id <= 3000;
CREATE INDEX fine_v ON fine USING vecidx (v real_l2_ops) WITH (m = 8, rerank = 'float', quantizer = 'rabitq4');
CREATE INDEX coarse_v ON coarse USING vecidx (v real_l2_ops) WITH (m = 8, rerank = 'sq8', quantizer = 'rabitq4');
INSERT INTO fine SELECT * FROM vectors WHERE id > 3000;
DELETE FROM fine WHERE id % 41 = 0;
VACUUM fine;
INSERT INTO coarse SELECT * FROM vectors WHERE id > 3000;
VACUUM coarse;
SQL

my %file = map { $_ => $node->safe_psql('pristine', "SELECT pg_relation_filepath('${_}_v')") } qw(fine coarse many few);
my $settings = <<'SQL';
SET enable_seqscan = off;
SET enable_sort = off;
SET vecidx.ef_search = 10;
SQL

# The plans must be those that this test is about.
for my $limit ('', 'LIMIT 10')
{
	like(
		$node->safe_psql(
			'pristine', "$settings EXPLAIN SELECT id FROM fine ORDER BY v <-> (SELECT q FROM queries WHERE qid = 11) $limit"),
		qr/Index Scan using fine_v/,
		"queries use the index ($limit)");
}

# Reading and writing.

# The nearest rows of each query, and whether they come in order: exactly, or as 8-bit distances can.
sub nearest
{
	my ($table) = @_;
	my $exact = $table eq 'coarse' ? 0.97 : 1;
	my $condition = $condition{$table} // '';

	return <<"SQL";
SELECT qid, count(*), count(DISTINCT id), bool_and(d >= before * $exact - 0.00001), string_agg(id::text, ' ' ORDER BY n)
FROM queries, LATERAL (
	SELECT id, d, row_number() OVER () AS n, lag(d, 1, 0.0::float8) OVER () AS before
	FROM (SELECT id, v <-> q AS d FROM $table $condition ORDER BY v <-> q LIMIT 10) AS inner_rows) AS r
GROUP BY qid ORDER BY qid;
SQL
}

# Every row, in any order.
sub all_rows
{
	my ($table) = @_;
	my $condition = $condition{$table} // '';

	return <<"SQL";
SELECT count(*), md5(string_agg(id::text, ' ' ORDER BY id))
FROM (SELECT id FROM $table $condition ORDER BY v <-> (SELECT q FROM queries WHERE qid = 222)) AS r;
SQL
}

sub true_rows
{
	my ($table) = @_;
	my $condition = $condition{$table} // '';

	return "SELECT count(*), md5(string_agg(id::text, ' ' ORDER BY id)) FROM $table $condition;";
}

# What happens in each copy, in this order: name, statement, and what is to be done before it.
sub steps
{
	my ($table, %option) = @_;
	my @steps = (
		[ nearest => nearest($table) ],
		[ again => nearest($table) ],
		[ pinned => nearest($table), 'SET vecidx.page_access = pinned;' ],
		[ all => all_rows($table), 'RESET vecidx.page_access;' ],
		[ check => "SELECT vecidx_check('${table}_v') > 0;" ],
		[ insert => "INSERT INTO $table SELECT 20000 + id, array_cat(v[2:], v[:1]) FROM vectors WHERE id % 300 = 0;" ],
		[ attach => "INSERT INTO $table SELECT 30000 + id, v FROM vectors WHERE id % 300 = 1;" ],
		[ delete => "DELETE FROM $table WHERE id % 37 = 0;" ],
		[ vacuum => "VACUUM $table;" ],
		[ truth_later => true_rows($table) ],
		[ nearest_later => nearest($table) ],
		[ all_later => all_rows($table) ],
		[ check_later => "SELECT vecidx_check('${table}_v') > 0;" ]);

	push @steps, map { [ "often$_" => nearest($table) ] } 1 .. $option{often} if $option{often};
	unshift @steps, [ load => "SELECT vecidx_prewarm('${table}_v') > 0;" ] if $option{loaded};
	if ($option{repair})
	{
		push @steps,
		  [ reindex => "REINDEX INDEX ${table}_v;" ],
		  [ truth_repaired => true_rows($table) ],
		  [ all_repaired => all_rows($table) ],
		  [ check_repaired => "SELECT vecidx_check('${table}_v') > 0;" ];
	}
	return @steps;
}

# Runs the steps; returns for each its result, or its SQLSTATE and message with hint.
sub play
{
	my ($database, $table, %option) = @_;
	my @steps = steps($table, %option);
	my $script = "\\set VERBOSITY verbose\n$settings";
	my ($out, $err);
	my %result;
	my @errors;

	$script .= ($_->[2] // '') . "\n$_->[1]\n\\echo @@ $_->[0] :SQLSTATE\n" for @steps;
	$node->psql(
		$database, $script,
		stdout => \$out,
		stderr => \$err,
		on_error_stop => 0);

	push @errors, { state => $1, text => $2 } while $err =~ /ERROR:  (\w{5}): (.*?)(?=\n[^\n]*ERROR:  |\z)/gs;
	while ($out =~ /\G(.*?)^@@ (\w+) (\S+)\n?/gsm)
	{
		$result{$2} = { state => $3, rows => $1 };
		$result{$2}{text} = shift(@errors)->{text} if $3 ne '00000';
	}
	return \%result;
}

# Judging.

# Says that the index is damaged, or that the server could not read the file.
sub is_honest
{
	my ($result) = @_;
	my $text = $result->{text} // '';

	return $text =~ /REINDEX/ if $result->{state} eq 'XX002';
	return $text =~ /format version/ && $text =~ /REINDEX/ if $result->{state} eq '0A000';
	return $text =~ /could not read block|invalid page in block|could not open file/ if $result->{state} eq 'XX001';
	return 0;
}

sub is_nearest
{
	my ($rows) = @_;

	return (() = $rows =~ /^\d+\|10\|10\|t\|/gm) == 4;
}

# What is wrong with the results of a damaged copy, as a list of complaints.
sub judge
{
	my ($result, $sound, $steers) = @_;
	my @wrong;
	my %good = map { $_ => ($result->{$_}{state} // '') eq '00000' } keys %$sound;

	for my $step (sort keys %$sound)
	{
		if (!exists $result->{$step})
		{
			push @wrong, "$step: no answer";
		}
		elsif (!$good{$step} && !is_honest($result->{$step}))
		{
			push @wrong, "$step: $result->{$step}{state} $result->{$step}{text}";
		}
	}
	return @wrong if @wrong;

	for my $step (grep { $good{$_} } qw(nearest again pinned))
	{
		next if $result->{$step}{rows} eq $sound->{$step}{rows};
		push @wrong, "$step: wrong rows\n$result->{$step}{rows}"
		  unless $steers && is_nearest($result->{$step}{rows});
	}
	# a code is checked when it is read under lock, as the first time; once it is known where it lies, it steers as it stands
	push @wrong, "again: the error of the first time is gone"
	  if $good{again} && !$good{nearest} && !$steers;
	push @wrong, "all: wrong rows $result->{all}{rows}"
	  if $good{all} && $result->{all}{rows} ne $sound->{all}{rows};
	push @wrong, "nearest_later: wrong rows\n$result->{nearest_later}{rows}"
	  if $good{nearest_later} && !is_nearest($result->{nearest_later}{rows});
	push @wrong, "all_later: $result->{all_later}{rows} instead of $result->{truth_later}{rows}"
	  if $good{all_later} && $result->{all_later}{rows} ne $result->{truth_later}{rows};
	push @wrong, "vecidx_check finds nothing, but a query fails"
	  if $good{check} && grep { !$good{$_} } qw(nearest again pinned all);
	push @wrong, "vecidx_check finds nothing, but rows differ"
	  if $good{check} && !$steers && grep { $result->{$_}{rows} ne $sound->{$_}{rows} } qw(nearest again pinned);
	if (exists $sound->{reindex})
	{
		push @wrong, "REINDEX does not repair"
		  unless $good{all_repaired} && $good{check_repaired} &&
		  $result->{all_repaired}{rows} eq $result->{truth_repaired}{rows};
	}
	return @wrong;
}

# Copies.

my $copies = 0;

# Makes a copy, lets $damage change the bytes of its index, and plays the script there.
sub play_damaged
{
	my ($table, $damage, %option) = @_;
	my $database = 'copy' . ++$copies;
	my $result;

	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE pristine STRATEGY file_copy");
	if ($damage)
	{
		my $oid = $node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = '$database'");
		my $path = $node->data_dir . '/' . ($file{$table} =~ s{base/\d+/}{base/$oid/}r);
		my $bytes = slurp_file($path);

		$damage->(\$bytes);
		open my $handle, '>', $path or die "could not open $path: $!";
		binmode $handle;
		print $handle $bytes;
		close $handle or die "could not write $path: $!";
	}
	$result = play($database, $table, %option);
	$node->safe_psql('postgres', "DROP DATABASE $database");
	return $result;
}

my %sound;
my %intact;
my %blocks;    # by table and kind, the blocks of its pages
for my $table (sort keys %file)
{
	$sound{$table} = play_damaged($table, sub { $intact{$table} = ${ $_[0] } }, repair => 1);
	is(join(' ', grep { $sound{$table}{$_}{state} ne '00000' } sort keys %{ $sound{$table} }),
		'', "no step fails on an intact index ($table)");
	is($sound{$table}{all_later}{rows}, $sound{$table}{truth_later}{rows}, "all rows are found ($table)");
	is($sound{$table}{check}{rows}, "t\n", "intact index is verified ($table)");
	for (my $block = 0; $block * PAGE < length $intact{$table}; $block++)
	{
		my ($kind, $id) = unpack('SS', substr($intact{$table}, $block * PAGE + TAIL + 4, 4));

		push @{ $blocks{$table}{$kind} }, $block if $id == 0xFF94;
	}
}
is(scalar(grep { $blocks{fine}{$_} } keys %kind_name), scalar(keys %kind_name), 'the index has pages of all kinds');

sub expect_honesty
{
	my ($name, $table, $damage, %option) = @_;
	my %expected = %{ $sound{$table} };
	my @wrong;
	my $result = play_damaged($table, $damage, %option);

	delete @expected{ grep { /reindex|repaired/ } keys %expected } unless $option{repair};
	@wrong = judge($result, \%expected, $option{steers});
	push @wrong, "no query and no check finds it"
	  if $option{found} && !grep { $result->{$_}{state} ne '00000' } qw(nearest again pinned all check);
	ok(!@wrong, $name) or diag(join("\n", @wrong));
	return $result;
}

# Fixed damages.

sub first_block { return $blocks{ $_[0] }{ $_[1] }[0] }

sub set_bytes
{
	my ($bytes, $block, $offset, $new) = @_;

	substr($$bytes, $block * PAGE + $offset, length $new) = $new;
}

{
	my $result = expect_honesty(
		'another format version', 'fine',
		sub { set_bytes($_[0], 0, START + 4, pack('L', 4)) },
		repair => 1, found => 1);

	like($result->{nearest}{text}, qr/format version 4/, 'the version is told');
}
expect_honesty('another magic number', 'fine', sub { set_bytes($_[0], 0, START, 'BOGO') }, repair => 1, found => 1);
expect_honesty('file cut in half', 'fine', sub { ${ $_[0] } = substr(${ $_[0] }, 0, int(length(${ $_[0] }) / PAGE / 2) * PAGE) },
	repair => 1, found => 1);
expect_honesty('file cut inside a page', 'fine', sub { ${ $_[0] } = substr(${ $_[0] }, 0, length(${ $_[0] }) - 1000) });
expect_honesty('file empty', 'fine', sub { ${ $_[0] } = '' }, repair => 1, found => 1);

for my $kind (sort keys %kind_name)
{
	my $block = first_block('fine', $kind);

	expect_honesty("zeroed $kind_name{$kind} page", 'fine', sub { set_bytes($_[0], $block, 0, "\0" x PAGE) },
		steers => $steers{$kind}, found => 1);
}
for my $pair ([ CODE, ADJACENCY ], [ ADJACENCY, UPPER ], [ UPPER, RERANK ], [ RERANK, CODE ], [ CENTROID, META ])
{
	my ($from, $to) = @$pair;

	expect_honesty(
		"$kind_name{$from} page in place of $kind_name{$to} page", 'fine',
		sub { set_bytes($_[0], first_block('fine', $to), 0, substr($intact{fine}, first_block('fine', $from) * PAGE, PAGE)) },
		steers => $steers{$to}, found => 1);
}

# Misplaced as a whole, and with tails that do not tell.
for my $kind (CODE, ADJACENCY, UPPER, RERANK)
{
	my ($one, $two) = @{ $blocks{fine}{$kind} }[ 0, 1 ];

	for my $length (PAGE, TAIL)
	{
		expect_honesty(
			"two $kind_name{$kind} pages swapped" . ($length == PAGE ? '' : ', but for their tails'), 'fine',
			sub {
				set_bytes($_[0], $one, 0, substr($intact{fine}, $two * PAGE, $length));
				set_bytes($_[0], $two, 0, substr($intact{fine}, $one * PAGE, $length));
			},
			steers => $steers_misplaced{$kind}, found => 1);
	}
}

# Pages of filter rows: of some rows that pass and some that do not.
for my $table (sort keys %condition)
{
	my $pages = $blocks{$table}{ FILTER() };
	my $code = first_block($table, CODE);

	cmp_ok(scalar @$pages, '>', 80, "filter rows take more pages than a sample looks at, and sends for ($table)");
	for my $loaded (0, 1)
	{
		my $when = $loaded ? ', that was in memory' : '';

		for my $place (0, 1, 50, -1)
		{
			expect_honesty(
				"zeroed filter page $pages->[$place] of $table$when", $table,
				sub { set_bytes($_[0], $pages->[$place], 0, "\0" x PAGE) },
				loaded => $loaded, found => 1);
			expect_honesty(
				"filter page $pages->[2] of $table in place of $pages->[$place]$when", $table,
				sub { set_bytes($_[0], $pages->[$place], 0, substr($intact{$table}, $pages->[2] * PAGE, PAGE)) },
				loaded => $loaded, found => 1);
		}
		expect_honesty(
			"code page in place of a filter page of $table$when", $table,
			sub { set_bytes($_[0], $pages->[1], 0, substr($intact{$table}, $code * PAGE, PAGE)) },
			loaded => $loaded, found => 1);
	}
}

# A page that is damaged is found to be so however often it is looked at, whatever way that goes.
{
	my %seen;

	for my $block (map { $blocks{many}{ FILTER() }[$_] } 0, 1, 50, -1)
	{
		my $result = play_damaged('many', sub { set_bytes($_[0], $block, 0, "\0" x PAGE) }, often => 60);
		my %states = map { $_->{state} => 1 } @$result{ map { "often$_" } 1 .. 60 };

		is(scalar(keys %states), 1, "zeroed filter page $block of many is met each time, or never") or diag join(' ', sort keys %states);
		@seen{ keys %states } = ();
	}
	ok(exists $seen{XX002}, 'one of these pages is met');
}

# Centroids of indexes whose distances depend on them.
for my $pattern ("\xFF" x 4, "\0" x 4, pack('f', 1e30), pack('f', -3))
{
	expect_honesty('centroid of 8-bit rerank vectors: ' . unpack('H*', $pattern), 'coarse',
		sub { set_bytes($_[0], first_block('coarse', CENTROID), START + 8, $pattern) },
		found => 1);
}

# Random damages.

sub some { return int(rand(shift)) }

# A field of the page header, one of the tail, or bytes of the contents: name, offset, length.
sub choose_bytes
{
	my ($kind, $page) = @_;
	my @fields = (map({ [ $_, @{ $header{$_} } ] } sort keys %header), map({ [ $_, @{ $tail{$_} } ] } sort keys %tail));
	my $length = (1, 4, 16, 100)[ some(4) ];
	my $used = TAIL;
	my $from;

	return @{ $fields[ some(scalar @fields) ] } if some(3) == 0;

	# not where nothing is written
	$used = length($1) if substr($page, 0, TAIL) =~ /\A(.*[^\0])/s;
	$from = START + some($used - START - $length);

	# the blocks of the extents come last in the metapage
	$from = $used - 4 - some(8) if $kind == META && some(3) == 0;
	return ("bytes from $from", $from, $length);
}

sub spoil
{
	my ($bytes) = @_;
	my $length = length $bytes;
	my $spoilt = $bytes;
	my $way;

	while ($spoilt eq $bytes)
	{
		$way = some(5);
		$spoilt = ~$bytes if $way == 0;
		$spoilt = "\0" x $length if $way == 1;
		$spoilt = "\xFF" x $length if $way == 2;
		$spoilt = join '', map { chr(some(256)) } 1 .. $length if $way == 3;
		vec($spoilt, some($length * 8), 1) ^= 1 if $way == 4;
	}
	return ($spoilt, ('inverted', 'zero', 'ones', 'random', 'one bit')[$way]);
}

srand($seed);
my @kinds = sort keys %kind_name;
for my $round (0 .. $rounds - 1)
{
	my $kind = $kinds[ $round % @kinds ];
	my $table = $kind == CENTROID ? 'coarse' : 'fine';
	my $blocks = $blocks{$table}{$kind};
	my ($block, $other) = map { $blocks->[ some(scalar @$blocks) ] } 1 .. 2;
	my $page = substr($intact{$table}, $block * PAGE, PAGE);
	my ($name, $from, $length) = choose_bytes($kind, $page);
	my ($spoilt, $how) = spoil(substr($page, $from, $length));
	my $steers = $steers{$kind};

	# now and then a page where another one belongs
	if ($block != $other && some(5) == 0)
	{
		($name, $from, $length, $how) = ("page $other", 0, PAGE, 'copied over');
		$spoilt = substr($intact{$table}, $other * PAGE, PAGE);
		$steers = $steers_misplaced{$kind};
	}
	expect_honesty(
		"round $round: $kind_name{$kind} page $block, $name, $length bytes, $how", $table,
		sub { set_bytes($_[0], $block, $from, $spoilt) },
		steers => $steers);
}

my $log = slurp_file($node->logfile);
unlike($log, qr/was terminated by signal|PANIC:|TRAP:/, 'the server has not crashed');
is($node->safe_psql('pristine', "SELECT vecidx_check('fine_v') > 0"), 't', 'the template is intact');
$node->stop;
done_testing();
