#!/usr/bin/env bash
# Runs every fuzz target of the fuzz preset for some seconds. What it finds is kept under build/fuzz/found/.
# Usage: fuzz.sh SECONDS
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/fuzz/found
status=0
for target in $(find build/fuzz -name 'fuzz_*' -type f -executable); do
	name=$(basename "$target")
	corpus=build/fuzz/corpus/$name
	mkdir -p "$corpus"
	seeds=$(find tests/fuzz -type d \( -path "*/corpus/$name" -o -path "*/corpus/${name#fuzz_}" \) 2>/dev/null | head -1)
	echo "== $name"
	"$target" -max_total_time="$1" -rss_limit_mb=2048 -artifact_prefix=build/fuzz/found/"$name"- "$corpus" ${seeds:+"$seeds"} || status=1
done
exit $status
