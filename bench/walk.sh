#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Reading a stream from its start, from a pipe, against 'cat FILE | cat'.
#
#	walk.sh DUMP-STATE LARGE-STREAM.PY SAMPLE [MIB]
#
# Prints the best of seven runs each and their ratio; fails below 0.9. The file
# is in the page cache, so the disk is not measured.

set -euo pipefail

dump=$1 large=$2 sample=$3 mib=${4:-2048}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$large" "$sample" "$dir/state" "$mib"
cat "$dir/state" >/dev/null

# Milliseconds that a command takes.
elapsed()
{
	local start=${EPOCHREALTIME/./}

	"$@" >/dev/null
	echo $(((${EPOCHREALTIME/./} - start) / 1000))
}

copy()
{
	# shellcheck disable=SC2002 # the pipe is what is measured
	cat "$dir/state" | cat
}

walk()
{
	# shellcheck disable=SC2002
	cat "$dir/state" | "$dump" - | grep -q '"found_by": 1'
}

best_copy=1000000 best_walk=1000000
for _ in 1 2 3 4 5 6 7; do
	ms=$(elapsed copy)
	best_copy=$((ms < best_copy ? ms : best_copy))
	ms=$(elapsed walk)
	best_walk=$((ms < best_walk ? ms : best_walk))
done
printf x >>"$dir/state" # something behind: the file is read from its start, too
best_file=1000000
for _ in 1 2 3 4 5 6 7; do
	ms=$(elapsed "$dump" "$dir/state")
	best_file=$((ms < best_file ? ms : best_file))
done
awk -v copy="$best_copy" -v walk="$best_walk" -v file="$best_file" -v mib="$mib" 'BEGIN {
	printf "%d MiB: cat | cat %d ms, cat | walk %d ms, walk of the file %d ms\n",
		mib, copy, walk, file
	printf "speed against cat | cat: %.2f from a pipe, %.2f from a file\n",
		copy / walk, copy / file
	exit copy / walk < 0.9
}'
