#!/usr/bin/env bash
#
# Building, inserting, scanning and vacuuming under valgrind, in small sizes.
#
# Needs valgrind and an installed vecidx, built with -g for line numbers.
# PG_CONFIG chooses the PostgreSQL.  Run as root, the server runs as
# "postgres".  Prints what valgrind found, and ends with 1 if that is anything.
# Takes about three minutes.  Not part of "make check".
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$("${PG_CONFIG:-pg_config}" --bindir)
work=$(mktemp -d /tmp/vecidx-valgrind.XXXXXX)
server=""
readonly root bin work

clean_up()
{
	[ -z "$server" ] || kill -INT "$(head -1 "$work/data/postmaster.pid")" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" || true
	rm -rf "$work"
}

as_owner()
{
	if [ "$(id -u)" = 0 ]; then
		runuser -u postgres -- "$@"
	else
		"$@"
	fi
}

run_sql()
{
	as_owner "$bin/psql" -X -q -At -v ON_ERROR_STOP=1 -h "$work" -d postgres "$@"
}

trap clean_up EXIT
cp "$root/test/valgrind.supp" "$work/"
[ "$(id -u)" != 0 ] || chown -R postgres "$work"
as_owner "$bin/initdb" -D "$work/data" -A trust --no-locale -E UTF8 >"$work/initdb.log"
as_owner valgrind --leak-check=no --trace-children=yes --error-limit=no --num-callers=20 \
	--suppressions="$work/valgrind.supp" --log-file="$work/%p.log" \
	"$bin/postgres" -D "$work/data" -c listen_addresses= -c unix_socket_directories="$work" -c fsync=off \
	-c autovacuum=off -c shared_buffers=16MB -c jit=off -c max_parallel_workers=0 >"$work/server.log" 2>&1 &
server=$!
for _ in $(seq 120); do
	run_sql -c "" 2>"$work/wait.log" && break
	sleep 1
done

run_sql >"$work/answers" <<'SQL'
CREATE EXTENSION vecidx;
CREATE FUNCTION row_of(n int, dimensions int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(((hashint8(n::int8 * 1000 + i) & 1023) - 512)::real) FROM generate_series(1, dimensions) i
$$;
-- more than a thousand rows, so that searches walk
CREATE TABLE t (id int, v real[], w real[]);
INSERT INTO t SELECT i, row_of(i, 8), row_of(i, 100) FROM generate_series(1, 1200) i;
CREATE INDEX t_l2 ON t USING vecidx (v real_l2_ops) WITH (m = 4, ef_construction = 16);
CREATE INDEX t_cosine ON t USING vecidx (w real_cosine_ops) WITH (m = 6, ef_construction = 16);
CREATE INDEX t_ip ON t USING vecidx (w real_ip_ops) WITH (m = 6, ef_construction = 16, quantizer = rabitq1, rerank = sq8);
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*) = 20 FROM (SELECT id FROM t ORDER BY v <-> row_of(7777, 8) LIMIT 20) s;
SELECT count(*) = 150 FROM (SELECT id FROM t ORDER BY w <=> row_of(7777, 100) LIMIT 150) s;
SET vecidx.ef_search = 200;
SELECT count(*) = 20 FROM (SELECT id FROM t ORDER BY w <#> row_of(7777, 100)::float8[] LIMIT 20) s;
SET vecidx.page_access = pinned;
SELECT count(*) = 20 FROM (SELECT id FROM t ORDER BY w <#> row_of(7777, 100)::float8[] LIMIT 20) s;
RESET vecidx.page_access;
INSERT INTO t SELECT i, row_of(i % 1250, 8), row_of(i % 1250, 100) FROM generate_series(1201, 1300) i;
INSERT INTO t SELECT i, row_of(3, 8), row_of(3, 100) FROM generate_series(1301, 1400) i;
UPDATE t SET v = row_of(id + 9000, 8) WHERE id % 7 = 0;
DELETE FROM t WHERE id % 3 = 0;
VACUUM t;
INSERT INTO t SELECT i, row_of(i, 8), row_of(i, 100) FROM generate_series(2601, 2700) i;
SELECT (SELECT count(*) FROM t) = count(*) FROM (SELECT id FROM t ORDER BY v <-> row_of(7778, 8)) s;
SELECT vecidx_check('t_l2') > 0, vecidx_check('t_cosine') > 0, vecidx_check('t_ip') > 0;
SELECT count(*) > 0 FROM vecidx_info('t_ip');
-- vectors over several pages; an index that is only inserted into
CREATE UNLOGGED TABLE large (id int, v real[]);
CREATE INDEX large_i ON large USING vecidx (v real_l2_ops) WITH (quantizer = rabitq8, rerank = float);
INSERT INTO large SELECT i, row_of(i, 9000) FROM generate_series(1, 12) i;
DELETE FROM large WHERE id % 2 = 0;
VACUUM large;
SELECT count(*) = 6 FROM (SELECT id FROM large ORDER BY v <-> row_of(1, 9000)) s;
SELECT vecidx_check('large_i') = 6;
SQL

[ "$(tr '|' '\n' <"$work/answers" | sort -u)" = t ] || { echo "valgrind: wrong answers"; cat "$work/answers"; exit 1; }
as_owner "$bin/pg_ctl" -D "$work/data" -m fast stop >/dev/null
wait "$server" || true
server=""
if grep -L 'ERROR SUMMARY: 0 errors' "$work"/*[0-9].log | xargs -r cat | grep -E '^==[0-9]+== ' >"$work/found"; then
	cat "$work/found"
	exit 1
fi
echo "valgrind: nothing found"
