#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Nothing that is there to be run is forgotten: each case of the command, each route, each script of
# the tests and of the house is named in its meson.build.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

named_in() {
	grep -q "'$1\(\.sh\)\?'" "$2" || complain "$3 is not named in $2"
}

count=0
for case in tests/cli/cases/*/; do
	name=$(basename "$case")
	named_in "$name" tests/cli/meson.build "$case"
	for file in args state status expected; do
		[ -f "$case$file" ] || complain "$case has no $file"
	done
	count=$((count + 1))
done
for route in tests/cli/routes/*/; do
	named_in "$(basename "$route")" tests/cli/meson.build "$route"
	for file in args status expected.json expected.txt; do
		[ -f "$route$file" ] || complain "$route has no $file"
	done
	count=$((count + 1))
done
for case in tests/formats/cases/*/; do
	# Which there are, its meson.build asks list.sh.
	for file in args make status; do
		[ -f "$case$file" ] || complain "$case has no $file"
	done
	[ -f "${case}expected" ] || [ -f "${case}error" ] || complain "$case expects nothing"
	count=$((count + 1))
done
for directory in tests/cli tests/examples tests/formats tests/house tests/kmod tests/package; do
	for script in "$directory"/*.sh; do
		name=$(basename "$script" .sh)
		[ "${name##*-}" = lib ] || named_in "$name" "$directory"/meson.build "$script"
		count=$((count + 1))
	done
done
[ "$count" -gt 30 ] || complain "only $count were seen"
finish "$count cases and scripts are named"
