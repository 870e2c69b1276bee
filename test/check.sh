#!/usr/bin/env bash
#
# Every test layer, in order, on one PostgreSQL:
#
#   unit        kernels and codes, no server, under sanitizers
#   arm64       the same compiled for arm64, where there is a compiler for it
#   fuzz        decoders of untrusted bytes, a few seconds
#   regress     SQL, by pg_regress, in a server of its own
#   pgvector    the bridge, where pgvector is installed
#   isolation   races between sessions
#   tap         crash, standby, recall, damage, dump
#
# "make check" runs it.  PG_CONFIG, when set, chooses the PostgreSQL; STEPS,
# when set, the steps ("build" must have run once).  Run as root it installs
# what is missing, and servers run as "postgres".  The last line is
# "N passed, N failed".
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
readonly root
steps=${STEPS:-build unit arm64 fuzz regress pgvector isolation tap}
passed=0
failed=0
work=""

say()
{
	printf '\n== %s\n' "$*"
}

clean_up()
{
	[ -z "$work" ] || rm -rf "$work"
}

# Run a command as somebody who may run a server, in the folder that is theirs.
as_owner()
{
	local -a become=()

	[ "$(id -u)" != 0 ] || become=(runuser -u postgres --)
	(cd "$work" && "${become[@]}" env -i PATH="$bin:/usr/bin:/bin" HOME="$work" LC_ALL=C.UTF-8 "$@")
}

# Add to the totals; a step that ends badly without a failed test counts as one.
count()
{
	local ok=$1 bad=$2 status=$3

	[ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
	passed=$((passed + ok))
	failed=$((failed + bad))
	echo "-- $ok passed, $bad failed"
}

# Run a command that ends with "name: N passed, N failed".
step_counted()
{
	local status=0 line

	"$@" 2>&1 | tee "$work/log" || status=$?
	line=$(grep -E '^[a-z]+: [0-9]+ passed, [0-9]+ failed' "$work/log" | tail -1 || true)
	count "$(sed 's/.*: \([0-9]*\) passed.*/\1/' <<<"${line:-x: 0 passed, 0 failed}")" \
		"$(sed 's/.*, \([0-9]*\) failed.*/\1/' <<<"${line:-x: 0 passed, 0 failed}")" "$status"
}

# Run pg_regress or pg_isolation_regress, which print "test x ... ok" up to 15 and "ok 1 - x" from 16 on.
step_regress()
{
	local status=0

	as_owner "$@" 2>&1 | tee "$work/log" || status=$?
	count "$(grep -cE '^(ok +[0-9]|test .*\.\.\. ok)' "$work/log" || true)" \
		"$(grep -cE '^(not ok +[0-9]|test .*\.\.\. FAILED)' "$work/log" || true)" "$status"
	[ "$status" = 0 ] || find "$work" -name regression.diffs -exec head -200 {} +
}

step_build()
{
	say "build, warnings are errors"
	make -s -C "$root" PG_CONFIG="$PG_CONFIG" clean >/dev/null
	make -s -C "$root" -j"$(nproc)" PG_CONFIG="$PG_CONFIG" COPT=-Werror with_llvm=no
	make -s -C "$root" PG_CONFIG="$PG_CONFIG" with_llvm=no install >/dev/null
}

step_unit()
{
	say "unit"
	step_counted make -s -C "$root/test/unit" PG_CONFIG="$PG_CONFIG" BUILD="$work/unit" check
}

# Code for other processors must compile, warnings being errors; it is not run.
step_arm64()
{
	local status=0

	say "arm64"
	if ! command -v aarch64-linux-gnu-gcc >/dev/null; then
		echo "aarch64-linux-gnu-gcc is not installed: skipped"
		return
	fi
	make -s -C "$root/test/unit" -j"$(nproc)" PG_CONFIG="$PG_CONFIG" BUILD="$work/arm64" CC=aarch64-linux-gnu-gcc SANITIZE= all ||
		status=$?
	count "$((status == 0))" 0 "$status"
}

step_fuzz()
{
	local status=0

	say "fuzz"
	make -s -C "$root/test/fuzz" PG_CONFIG="$PG_CONFIG" BUILD="$work/fuzz" check 2>&1 | tee "$work/log" || status=$?
	# a target counts as one test, however many inputs it took
	count "$(grep -cE ': [0-9]+ inputs, 0 failed' "$work/log" || true)" \
		"$(grep -E ': [0-9]+ inputs, [0-9]+ failed' "$work/log" | grep -cvE ', 0 failed' || true)" "$status"
}

step_regress_core()
{
	say "regress"
	mkdir -p "$work/regress"
	cp -r "$root/sql" "$root/expected" "$work/regress/"
	give "$work/regress"
	# shellcheck disable=SC2046
	step_regress "$pgxs/src/test/regress/pg_regress" --bindir="$bin" --inputdir=regress --outputdir=regress \
		--temp-instance=regress/instance --temp-config="$work/regress.conf" $(listed REGRESS)
}

step_pgvector()
{
	say "pgvector"
	if [ ! -f "$("$PG_CONFIG" --sharedir)/extension/vector.control" ]; then
		echo "pgvector is not installed: skipped"
		return
	fi
	mkdir -p "$work/pgvector"
	cp -r "$root/test/pgvector/." "$work/pgvector/"
	give "$work/pgvector"
	# shellcheck disable=SC2046
	step_regress "$pgxs/src/test/regress/pg_regress" --bindir="$bin" --inputdir=pgvector --outputdir=pgvector \
		--temp-instance=pgvector/instance --temp-config="$work/regress.conf" $(listed PGVECTOR_REGRESS)
}

step_isolation()
{
	say "isolation"
	mkdir -p "$work/isolation"
	cp -r "$root/test/specs" "$root/test/expected" "$work/isolation/"
	give "$work/isolation"
	# shellcheck disable=SC2046
	step_regress "$pgxs/src/test/isolation/pg_isolation_regress" --bindir="$bin" --inputdir=isolation \
		--outputdir=isolation --load-extension=vecidx --temp-instance=isolation/instance \
		--temp-config="$work/regress.conf" $(listed ISOLATION)
}

step_tap()
{
	local status=0

	say "tap"
	mkdir -p "$work/tap"
	cp -r "$root/test/t" "$root/test/perl" "$root/test/data" "$work/tap/"
	give "$work/tap"
	mkdir -p "$work/tap/log" "$work/tap/tmp" "$work/tap/sql"
	cp "$root"/vecidx*.control "$root/Makefile" "$work/tap/"
	cp "$root"/sql/*--*.sql "$work/tap/sql/"
	give "$work/tap"
	as_owner sh -c 'cd tap && exec env "$@"' tap \
		PG_REGRESS="$pgxs/src/test/regress/pg_regress" TESTDIR="$work/tap" TESTDATADIR="$work/tap/tmp" \
		TESTLOGDIR="$work/tap/log" top_builddir="$work/tap" PG_CONFIG="$PG_CONFIG" \
		prove -I "$pgxs/src/test/perl" -I perl --ext .pl t/ 2>&1 | tee "$work/log" || status=$?
	local files tests
	files=$(sed -n 's/^Files=\([0-9]*\), Tests=.*/\1/p' "$work/log")
	tests=$(sed -n 's/^Files=[0-9]*, Tests=\([0-9]*\).*/\1/p' "$work/log")
	local bad
	bad=$(sed -n 's/.*Failed: \([0-9]*\)).*/\1/p' "$work/log" | awk '{ n += $1 } END { print n + 0 }')
	echo "${files:-0} files"
	[ "${files:-0}" -gt 0 ] || status=1
	count "$((${tests:-0} - bad))" "$bad" "$status"
}

# A list of tests, as the Makefile has it.
listed()
{
	sed -n "/^$1 *=/,/[^\\\\]\$/p" "$root/Makefile" | tr -d '\\' | sed "s/^$1 *=//"
}

# Let the server's owner write there.
give()
{
	[ "$(id -u)" != 0 ] || chown -R postgres "$1"
}

PG_CONFIG=$("$root/test/bootstrap.sh" build test)
bin=$("$PG_CONFIG" --bindir)
pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")/../..
pgxs=$(cd "$pgxs" && pwd)
readonly PG_CONFIG bin pgxs
unset MAKEFLAGS MAKELEVEL
work=$(mktemp -d /tmp/vecidx-check.XXXXXX)
trap clean_up EXIT
give "$work"
# what autovacuum has under way keeps rows that vacuums of the tests are to remove: it is on, but does not come
printf "%s\n" "fsync = off" "jit = off" "max_prepared_transactions = 2" "autovacuum_naptime = 20d" >"$work/regress.conf"
chmod a+r "$work/regress.conf"

"$PG_CONFIG" --version
for step in $steps; do
	case $step in
		regress) step_regress_core ;;
		*) "step_$step" ;;
	esac
done
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
