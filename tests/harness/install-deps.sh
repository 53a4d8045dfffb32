#!/usr/bin/env bash
# Installs what `make demo` and `make check` need on Debian and Ubuntu. Says nothing and is quick when all is there.
# Usage: install-deps.sh demo|check
set -eu
cd "$(dirname "$0")/../.."

need_demo=(build-essential cmake ninja-build pkg-config libssl-dev libevent-dev libinih-dev libcurl4-openssl-dev
	libjansson-dev libidn-dev libpq-dev openssl util-linux postgresql postgresql-client python3 python3-psycopg
	python3-psycopg2)
need_check=(libcmocka-dev pgbouncer python3-asyncpg python3-pytest git)
# Without these some tests are skipped, and say so. A command that is there already may have come another way.
want_check=(node:nodejs npm:npm go:golang-go javac:default-jdk-headless clang:clang clang-format:clang-format
	clang-tidy:clang-tidy :libclang-rt-dev :golang-github-lib-pq-dev :libpostgresql-jdbc-java)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@" 2>/dev/null || sudo "$@"; fi
}

missing=() wanted=()
for package in "${need_demo[@]}"; do installed "$package" || missing+=("$package"); done
if [ "${1:-check}" = check ]; then
	for package in "${need_check[@]}"; do installed "$package" || missing+=("$package"); done
	for pair in "${want_check[@]}"; do
		command=${pair%%:*} package=${pair#*:}
		if [ -n "$command" ] && command -v "$command" >/dev/null; then continue; fi
		installed "$package" || wanted+=("$package")
	done
fi
# The distribution's postgresql package is a convenience; any server of version 13 or later will do.
if compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
	kept=()
	for package in "${missing[@]}"; do [ "$package" = postgresql ] || kept+=("$package"); done
	missing=("${kept[@]}")
fi

install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }

# Packages of servers start them: on the ports that the demo would like, and for good. Not here.
policy=/usr/sbin/policy-rc.d
forbid_starting() {
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
		trap 'as_root rm -f "$policy"' EXIT
	fi
	if ! installed postgresql-common; then
		as_root mkdir -p /etc/postgresql-common/createcluster.d
		echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.d/pgweir.conf >/dev/null
	fi
}

if [ ${#missing[@]} -gt 0 ] || [ ${#wanted[@]} -gt 0 ]; then
	echo "installing: ${missing[*]-} ${wanted[*]-}"
	as_root apt-get update -qq
	forbid_starting
	had_pgbouncer=no
	if installed pgbouncer; then had_pgbouncer=yes; fi
	if [ ${#missing[@]} -gt 0 ]; then install "${missing[@]}"; fi
	for package in "${wanted[@]}"; do
		install "$package" || echo "no package $package here: some tests will be skipped"
	done
	if [ "$had_pgbouncer" = no ] && [ -d /run/systemd/system ] && installed pgbouncer; then
		as_root systemctl disable --quiet pgbouncer || true
	fi
fi

# The driver for Node.js, in a cache of the build tree.
if [ "${1:-check}" = check ] && [ ! -d build/npm/node_modules/pg ] && command -v npm >/dev/null; then
	mkdir -p build/npm
	npm install --prefix build/npm --silent --no-audit --no-fund pg@8 >/dev/null 2>&1 ||
		echo "npm could not fetch the pg package: the Node.js tests will be skipped"
fi
