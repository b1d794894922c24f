#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Reading the vCPUs of a 2 GiB stream against QEMU's own analyze-migration.py,
# and what it costs: time, bytes read, memory.
#
#	analyze-migration.sh DUMP-STATE MAKE-STREAM LARGE-STREAM.PY SAMPLE [ANALYZE-MIGRATION.PY]
#
# QEMU's script is in its source tree, scripts/analyze-migration.py; without it
# only our side is measured. Fails when we are not 100 times faster, or read
# more than we may. strace is used if it is there.

set -euo pipefail

dump=$1 make=$2 large=$3 sample=$4 script=${5:-}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# Microseconds that a command takes, the best of some runs.
best()
{
	local runs=$1 best=1000000000 start us
	shift

	for ((i = 0; i < runs; i++)); do
		start=${EPOCHREALTIME/./}
		"$@" >/dev/null
		us=$((${EPOCHREALTIME/./} - start))
		best=$((us < best ? us : best))
	done
	echo "$best"
}

measure()
{
	local file=$1 us rss bytes='-'

	us=$(best 20 "$dump" "$file")
	rss=$(/usr/bin/time -f %M "$dump" "$file" 2>&1 >/dev/null)
	if command -v strace >/dev/null; then
		bytes=$(strace -qq -e trace=read,pread64 -P "$file" "$dump" "$file" 2>&1 >/dev/null |
			awk '{ n += $NF } END { print n }')
	fi
	printf '%-28s %8s us, %10s bytes read, %6s KiB peak\n' "$2" "$us" "$bytes" "$rss"
}

"$large" "$sample" "$dir/64M" 64
"$large" "$sample" "$dir/2G" 2048
"$make" "$dir/64G" 65536 1 mapped
"$make" "$dir/1024" 64 1024 mapped
measure "$dir/64M" '64 MiB'
measure "$dir/2G" '2 GiB'
measure "$dir/64G" '64 GiB, made up'
measure "$dir/1024" '1,024 vCPUs, made up'
[[ $script ]] || exit 0

ours=$(best 20 "$dump" "$dir/2G")
theirs=$(best 1 python3 "$script" -f "$dir/2G" -d state)
awk -v ours="$ours" -v theirs="$theirs" 'BEGIN {
	printf "2 GiB: analyze-migration.py %d us, xferry %d us: %d times\n", theirs, ours,
		theirs / ours
	exit theirs / ours < 100
}'
