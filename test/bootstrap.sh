#!/usr/bin/env bash
#
# Install what building or testing vecidx needs, where it is missing.
#
#   test/bootstrap.sh build        compiler, make, PostgreSQL and its headers
#   test/bootstrap.sh build test   and what the tests need besides
#   test/bootstrap.sh build test cross   and a compiler for the other processor, on x86-64
#
# The only line on standard output is the pg_config to use.  PG_CONFIG, when
# set, decides which; otherwise it is the newest supported PostgreSQL that is
# installed, or else the newest that apt offers.  Quick and silent when nothing
# is missing.  Installing needs Debian or a relative of it, and root.  No
# server is started.
set -euo pipefail

readonly majors="18 17 16 15"
readonly cluster_conf=/etc/postgresql-common/createcluster.conf
readonly exporter=/usr/local/bin/prometheus-postgres-exporter

say()
{
	echo "bootstrap: $*" >&2
}

die()
{
	say "$@"
	exit 1
}

have()
{
	command -v "$1" >/dev/null
}

# Can extensions be built with this pg_config, and its server be run?
usable()
{
	local major

	[ -x "$1" ] && [ -x "$("$1" --bindir)/initdb" ] || return 1
	# Debian's client package has the makefiles, but only the server's headers make them work
	[ -f "$("$1" --pgxs)" ] && [ -f "$("$1" --includedir-server)/postgres.h" ] || return 1
	major=$("$1" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
	[[ " $majors " == *" $major "* ]]
}

# Print the pg_config to use; fail if PostgreSQL has to be installed first.
find_pg_config()
{
	local candidate major

	if [ -n "${PG_CONFIG:-}" ]; then
		candidate=$(command -v "$PG_CONFIG") || die "no such program: PG_CONFIG=$PG_CONFIG"
		usable "$candidate" ||
			die "PG_CONFIG=$PG_CONFIG lacks the server or its headers, or is not of PostgreSQL ${majors// /, }"
		echo "$candidate"
		return
	fi
	for major in $majors; do
		candidate=/usr/lib/postgresql/$major/bin/pg_config
		if usable "$candidate"; then
			echo "$candidate"
			return
		fi
	done
	candidate=$(command -v pg_config) && usable "$candidate" && echo "$candidate"
}

# Print the major version to install: the newest whose server is there already
# and lacks only its headers, or else the newest that apt offers.
choose_major()
{
	local major

	for major in $majors; do
		if [ -x "/usr/lib/postgresql/$major/bin/postgres" ]; then
			echo "$major"
			return
		fi
	done
	for major in $majors; do
		if apt-cache show "postgresql-server-dev-$major" >/dev/null 2>&1; then
			echo "$major"
			return
		fi
	done
	return 1
}

# Print the packages of the tools that are missing, PostgreSQL's left out.
missing_tools()
{
	local tests=$1 cross=$2

	have make || echo make
	have gcc || echo gcc
	[ -f /usr/include/stdio.h ] || echo libc6-dev
	if [ "$tests" = yes ]; then
		have prove || echo perl
		perl -MIPC::Run -e 1 2>/dev/null || echo libipc-run-perl
	fi
	if [ "$cross" = yes ] && [ "$(uname -m)" = x86_64 ] && ! have aarch64-linux-gnu-gcc; then
		echo gcc-aarch64-linux-gnu
		echo libc6-dev-arm64-cross
	fi
}

apt()
{
	DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 \
		apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null >"$log" 2>&1 ||
		{
			cat "$log" >&2
			die "apt-get $1 failed"
		}
}

# Install packages.  Debian's PostgreSQL would also create a cluster and start
# a server on the usual port; ours are private, so that is held back for the
# time of this installation, unless the machine's owner has decided already.
install()
{
	local held=no

	if [ ! -e "$cluster_conf" ]; then
		held=yes
		mkdir -p "$(dirname "$cluster_conf")"
		echo "create_main_cluster = false" >"$cluster_conf"
	fi
	apt install --no-install-recommends "$@"
	if [ "$held" = yes ]; then
		rm "$cluster_conf"
		[ ! -e "$cluster_conf.ucf-dist" ] || mv "$cluster_conf.ucf-dist" "$cluster_conf"
	fi
}

# Unpack the exporter for Prometheus, whose test is skipped without it: the
# program alone, since the package would also start a server.
fetch_exporter()
{
	local folder

	[ ! -x "$exporter" ] && [ ! -x /usr/bin/prometheus-postgres-exporter ] || return 0
	have apt-get && have dpkg-deb && [ "$(id -u)" = 0 ] || return 0
	[ -n "$(apt-cache madison prometheus-postgres-exporter 2>/dev/null)" ] || return 0
	folder=$(mktemp -d)
	if (cd "$folder" && apt-get -qq download prometheus-postgres-exporter && dpkg-deb -x ./*.deb .) </dev/null >/dev/null 2>&1; then
		say "installing $exporter"
		command install -D -m 755 "$folder/usr/bin/prometheus-postgres-exporter" "$exporter"
	fi
	rm -rf "$folder"
}

main()
{
	local want=" $* " tests=no cross=no pg_config="" major
	local -a packages

	[[ "$want" =~ ^(\ (build|test|cross))+\ $ ]] || die "usage: test/bootstrap.sh build [test] [cross]"
	[[ "$want" != *" test "* ]] || tests=yes
	[[ "$want" != *" cross "* ]] || cross=yes

	pg_config=$(find_pg_config) || [ -z "${PG_CONFIG:-}" ] || exit 1
	mapfile -t packages < <(missing_tools "$tests" "$cross")
	if [ "${#packages[@]}" -gt 0 ] || [ -z "$pg_config" ]; then
		if ! have apt-get || [ "$(id -u)" != 0 ]; then
			[ -n "$pg_config" ] || packages+=("PostgreSQL with its server headers (${majors// /, })")
			die "missing: ${packages[*]}; on Debian, as root, test/bootstrap.sh $* installs it"
		fi
		log=$(mktemp)
		trap 'rm -f "$log"' EXIT
		apt update
		if [ -z "$pg_config" ]; then
			major=$(choose_major) || die "apt offers no PostgreSQL of ${majors// /, }"
			packages+=("postgresql-$major" "postgresql-server-dev-$major")
		fi
		say "installing ${packages[*]}"
		install "${packages[@]}"
		pg_config=${pg_config:-$(find_pg_config)}
	fi
	[ "$tests" = no ] || fetch_exporter
	echo "$pg_config"
}

main "$@"
