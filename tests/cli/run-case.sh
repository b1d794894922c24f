#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One case, as e2fsck's tests have them: run-case.sh DIRECTORY. In it
#	state       a sample's name, then what patch-state.py shall change in it
#	args        GUEST, TARGET and other options, as words of a shell; @/ is the directory
#	status      of check, fix, and check after fix
#	expected    what check.jq (the case's own, or the common one) makes of check --json
# Both ways to repair, the second repair and undo are run, and every byte that
# differs must be one that an edit lists.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq python3 cmp

case=$1
read -r check_status fix_status recheck_status <"$case/status"
[ -n "$recheck_status" ] || die "$case/status has not three numbers"
filter=$case/check.jq
[ -f "$filter" ] || filter=$SOURCE/tests/cli/check.jq
declare -a args=()
while IFS= read -r -d '' word; do
	args+=("${word//@\//$case/}")
done < <(xargs -r -a "$case/args" printf '%s\0')

make_state() {
	local -a words
	read -r -d '' -a words <"$case/state" || true
	sample "${words[0]}" "$1"
	[ ${#words[@]} -eq 1 ] ||
		python3 "$SOURCE/tests/cli/patch-state.py" "$1" "${words[@]:1}"
}

# The bytes in which two files differ, one "offset old new" a line, in decimal and hex.
differing() {
	{ cmp -l "$1" "$2" || true; } |
		while read -r offset old new; do
			printf '%d %02x %02x\n' $((offset - 1)) $((8#$old)) $((8#$new))
		done
}

# The same of the edits in a report: what differs must be this and nothing else.
listed() {
	jq -r '.edits[] | .offset as $o | [.old, .new]
		| map([match("..";"g").string]) | transpose | to_entries[]
		| select(.value[0] != .value[1]) | "\($o + .key) \(.value[0]) \(.value[1])"' "$1"
}

hold_diff() {
	differing "$1" "$2" >"$said/differing"
	diff "$said/listed" "$said/differing" || die "$3: the bytes that differ are not those listed"
}

make_state state
before=$(hash_of state)
remember

run "$check_status" check --json "${args[@]}" state
no_error
[ "$(wc -l <"$said/out")" = 1 ] || die "JSON is not one line"
cp "$said/out" "$said/check.json"
jq -S -f "$filter" "$said/check.json" >"$said/got"
diff "$case/expected" "$said/got" || die "check --json is not as expected"
jq -e '.schema == 1 and .file == "state" and .format == "qemu"' "$said/out" >/dev/null ||
	die "check --json lacks schema, file or format"
echo "ok check --json: status $check_status"

run "$check_status" check "${args[@]}" state
no_error
jq -r '.vcpus[].findings[]' "$said/check.json" | sort -u >"$said/codes"
grep -o 'XF[0-9][0-9][0-9]' "$said/out" | sort -u | diff "$said/codes" - ||
	die "the text names other findings than the JSON"
outcome=$(jq -r 'if .target then .outcome else empty end' "$said/check.json")
[ -z "$outcome" ] || grep -q "^  outcome $outcome" "$said/out" ||
	die "the text does not tell the outcome: $outcome"
nothing_written
echo "ok check: $(paste -sd ' ' "$said/codes") $outcome"

edits=$(jq '.edits | length' "$said/check.json")
if [ "$edits" = 0 ]; then
	for how in "-o copy" --in-place; do
		# shellcheck disable=SC2086 # two words
		run "$fix_status" fix "${args[@]}" $how state
		no_error
		grep -q '^Nothing may be dropped; nothing was written\.$' "$said/out" ||
			die "$told does not say that nothing was written"
		nothing_written
		echo "ok fix $how: nothing written, status $fix_status"
	done
	exit 0
fi

listed "$said/check.json" >"$said/listed"
[ -s "$said/listed" ] || die "edits that change nothing"

run "$fix_status" fix "${args[@]}" -o copy state
no_error
[ "$(hash_of state)" = "$before" ] || die "fix -o changed the state"
hold_diff state copy "fix -o"
run "$recheck_status" check --json "${args[@]}" copy
jq -e '.edits == []' "$said/out" >/dev/null || die "edits are left after fix -o"
echo "ok fix -o: $edits edits, $(wc -l <"$said/listed") bytes differ"

mkdir again
cp copy again/state
cd again
remember
for how in "-o twice" --in-place; do
	# shellcheck disable=SC2086 # two words
	run "$recheck_status" fix "${args[@]}" $how state
	nothing_written
done
cd ..
echo "ok a second repair does nothing"

cp state original
run "$fix_status" fix --json "${args[@]}" --in-place state
no_error
diff "$said/check.json" "$said/out" || die "fix --json and check --json differ"
hold_diff original state "fix --in-place"
cmp copy state || die "the two ways to repair differ"
[ -f state.xfundo ] || die "no undo file"
run "$recheck_status" check "${args[@]}" state
run 0 undo state.xfundo
no_error
grep -q ' is as it was before the repair\.$' "$said/out" || die "undo does not say what it did"
[ "$(hash_of state)" = "$before" ] || die "undo did not restore the state"
[ ! -e state.xfundo ] || die "the undo file is still there"
echo "ok fix --in-place and undo: sha256 $before"
