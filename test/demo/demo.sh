#!/usr/bin/env bash
#
# Show vecidx at work, from nothing: install what is missing, build and install
# the extension, start a private throw-away server, load 20,000 dictionary
# entries, index and search them, and clean up.
#
# "make demo" runs it.  PG_CONFIG, when set, chooses the PostgreSQL.  Run as
# root it can install what is missing, and the server runs as "postgres"; run
# as anybody else the packages must be there, and PostgreSQL's extension
# folders writable.  The server has no TCP port, only a socket in its own folder.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
readonly root demo="$root/test/demo" data="$root/test/data"
work=""
SECONDS=0

heading()
{
	printf '\n== %s\n\n' "$1"
}

# Run a command quietly; show what it said only if it fails.
quietly()
{
	"$@" >"$work/log" 2>&1 ||
		{
			cat "$work/log" >&2
			echo "demo: failed: $*" >&2
			exit 1
		}
}

# Run a command as the server's owner, with nothing of the caller's settings.
as_owner()
{
	local -a become=()

	[ "$(id -u)" != 0 ] || become=(runuser -u "$owner" --)
	(cd "$work" && "${become[@]}" env -i PATH=/usr/bin:/bin HOME="$work" LC_ALL=C.UTF-8 PSQL_PAGER=cat "$@")
}

psql()
{
	as_owner "$bin/psql" -X -q -P footer=off -v ON_ERROR_STOP=1 -h "$work" -U postgres "$@"
}

clean_up()
{
	trap - EXIT
	[ -n "$work" ] || return 0
	if [ -s "$work/data/postmaster.pid" ]; then
		as_owner "$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null || true
	fi
	rm -rf "$work"
}

build()
{
	quietly make -C "$root" -j"$(nproc)" PG_CONFIG="$PG_CONFIG"
	quietly make -C "$root" PG_CONFIG="$PG_CONFIG" install
}

start_server()
{
	owner=$(id -un)
	if [ "$owner" = root ]; then
		owner=$(id -un postgres 2>/dev/null || echo nobody)
		chown "$owner" "$work"
	fi
	quietly as_owner "$bin/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C --no-sync
	as_owner tee -a "$work/data/postgresql.conf" >/dev/null <<-EOT
		listen_addresses = ''
		unix_socket_directories = '$work'
		fsync = off
	EOT
	quietly as_owner "$bin/pg_ctl" -D "$work/data" -l "$work/data/log" -w start
}

load_words()
{
	psql <"$demo/load.sql"
	gunzip -c "$data/words.copy.gz" | psql -c "COPY words FROM STDIN"
	gunzip -c "$data/queries.copy.gz" | psql -c "COPY demo_queries FROM STDIN"
	psql -c "VACUUM (ANALYZE)"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# What a calling make hands down would reach the make below.
unset MAKEFLAGS MFLAGS MAKELEVEL

PG_CONFIG=$("$root/test/bootstrap.sh" build)
bin=$("$PG_CONFIG" --bindir)
work=$(mktemp -d /tmp/vecidx-demo.XXXXXX)

heading "Building vecidx for $("$PG_CONFIG" --version)"
build

heading "Starting a private server and loading 20,000 dictionary entries"
echo "Each entry is a word, its meaning, its category, and the embedding of its meaning (384 numbers)."
start_server
load_words

heading "Building the index"
psql <"$demo/index.sql"

heading "Searching by meaning: the nearest entries to a phrase"
psql <"$demo/search.sql"

heading "How PostgreSQL runs such a search"
psql <"$demo/explain.sql"

heading "How good the answers are: the ten nearest by the index, against a scan of the whole table"
psql <"$demo/recall.sql"

heading "Done in $SECONDS seconds; the server stops and its files go"
