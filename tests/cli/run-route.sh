#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One journey: run-route.sh DIRECTORY. In it
#	args           the words behind "route"; @/ is the directory
#	state          the file called "state" in args, if it is: a sample's name, then
#	               what patch-state.py shall change in it
#	status         the exit status
#	expected.json  what route.jq makes of --json
#	expected.txt   the text, to the letter
# With --update, writes what is printed now into the two last ones instead.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq python3

update=no
[ "$1" != --update ] || { update=yes; shift; }
case=$1
declare -a args=()
while IFS= read -r -d '' word; do
	args+=("${word//@\//./}")
done < <(xargs -r -a "$case/args" printf '%s\0')
for profile in "$case"/*.json; do
	[ "${profile##*/}" = expected.json ] || [ ! -f "$profile" ] || cp "$profile" .
done
if [ -f "$case/state" ]; then
	read -r -d '' -a words <"$case/state" || true
	sample "${words[0]}" state
	[ ${#words[@]} -eq 1 ] ||
		python3 "$SOURCE/tests/cli/patch-state.py" state "${words[@]:1}"
fi
remember

run "$(cat "$case/status")" route --json "${args[@]}"
no_error
[ "$(wc -l <"$said/out")" = 1 ] || die "JSON is not one line"
cp "$said/out" "$said/json"
jq -S -f "$SOURCE/tests/cli/route.jq" "$said/json" >"$said/got"
run "$(cat "$case/status")" route "${args[@]}"
no_error
nothing_written
if [ $update = yes ]; then
	cat "$said/got" >"$case/expected.json"
	cat "$said/out" >"$case/expected.txt"
	exit
fi
diff "$case/expected.json" "$said/got" || die "route --json is not as expected"
diff "$case/expected.txt" "$said/out" || die "the text is not as expected"
echo "ok $(jq -r '"\(.outcome), repaired \(.outcome_repaired)"' "$said/json")"

# Each code that the JSON has is told, and no other.
jq -r '.hops[] | .as_saved, .repaired | select(.) | .vcpus[].findings[]' "$said/json" |
	sort -u >"$said/codes"
grep -o 'XF[0-9][0-9][0-9]' "$said/out" | sort -u | diff "$said/codes" - ||
	die "the text names other findings than the JSON"

# What it says is to be done does what it says: the repaired journey is accepted then.
if [ -f state ] && grep -q '^  repair before hop 1: ' "$said/out"; then
	sed -n 's/^  repair before hop 1: xferry \(.*\)/\1/p' "$said/out" >"$said/fix"
	declare -a fix=()
	while IFS= read -r -d '' word; do
		fix+=("$word")
	done < <(xargs -a "$said/fix" printf '%s\0')
	run 1 "${fix[@]}"
	mv COPY state
	"$XFERRY" route --json "${args[@]}" >"$said/again" || [ $? = 4 ] || die "route, after fix"
	jq -e '.hops[0].as_saved.outcome == "accepted"' "$said/again" >"$said/out" ||
		die "the first hop is not accepted after: ${fix[*]}"
	echo "ok ${fix[*]}"
fi
