# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How a case is run, as e2fsck's tests are: what check says, what both ways to repair do,
# what check says then, what undo brings back. For the cases of the command and of the
# formats. A case is a directory, $case, with
#	args        GUEST, TARGET and other options, as words of a shell; @/ is the directory
#	status      of check, fix, and check after fix
#	expected    what a filter of jq makes of check --json
# The state is what $argument names; the file that a repair changes is $file, and $part what
# $argument has behind that: "#name".
# shellcheck source=lib.sh
. "$SOURCE/tests/cli/lib.sh"

: "${case:?names the directory of the case}"
argument=state
file=state
part=

# Reads status and args.
read_case() {
	local word

	read -r check_status fix_status recheck_status <"$case/status" || true
	[ -n "$recheck_status" ] || [ -f "$case/error" ] || die "$case/status has not three numbers"
	args=()
	while IFS= read -r -d '' word; do
		args+=("${word//@\//$case/}")
	done < <(xargs -r -a "$case/args" printf '%s\0')
}

# What edits are about: the file's bytes, or what the case's own script unpacks of it.
content() {
	if [ -f "$case/unpack" ]; then
		bash "$case/unpack" "$1" >"$2" || die "$1 cannot be unpacked"
	else
		cp "$1" "$2"
	fi
}

# The bytes in which two files differ, one "offset old new" a line, in decimal and hex.
differing() {
	[ "$(stat -c %s "$1")" = "$(stat -c %s "$2")" ] || echo 'their sizes'
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

# hold_diff OLD NEW WHAT: as said/listed has it.
hold_diff() {
	content "$1" "$said/old"
	content "$2" "$said/new"
	differing "$said/old" "$said/new" >"$said/differing"
	diff "$said/listed" "$said/differing" || die "$3: the bytes that differ are not those listed"
}

# check --json is as expected, by the filter $1.
check_json() {
	run "$check_status" check --json "${args[@]}" "$argument"
	no_error
	cp "$said/out" "$said/check.json"
	jq -S -f "$1" "$said/check.json" >"$said/got"
	diff "$case/expected" "$said/got" || die "check --json is not as expected"
	echo "ok check --json: status $check_status"
}

# check --json is one report of this format, on the state as it is named.
one_report() {
	local name=$argument

	[ ! -d "$argument" ] || name=$file
	[ "$(wc -l <"$said/check.json")" = 1 ] || die "JSON is not one line"
	jq -e --arg name "$name" --arg format "$1" \
		'.schema == 1 and .file == $name and .format == $format' \
		"$said/check.json" >/dev/null ||
		die "check --json lacks schema, file $name or format $1: $(cat "$said/check.json")"
}

# The text has the findings and the outcomes that JSON has.
check_text() {
	local outcome

	run "$check_status" check "${args[@]}" "$argument"
	no_error
	jq -r '.vcpus[].findings[]' "$said/check.json" | sort -u >"$said/codes"
	{ grep -o 'XF[0-9][0-9][0-9]' "$said/out" || true; } | sort -u | diff "$said/codes" - ||
		die "the text names other findings than the JSON"
	while read -r outcome; do
		grep -q "^  outcome $outcome" "$said/out" ||
			die "the text does not tell the outcome: $outcome"
	done < <(jq -r 'if .target then .outcome else empty end' "$said/check.json")
	nothing_written
	echo "ok check: $(paste -sd ' ' "$said/codes")"
}

fix_nothing() {
	local how

	for how in "-o copy" --in-place; do
		# shellcheck disable=SC2086 # two words
		run "$fix_status" fix "${args[@]}" $how "$argument"
		no_error
		grep -q '^Nothing may be dropped; nothing was written\.$' "$said/out" ||
			die "$told does not say that nothing was written"
		nothing_written
		echo "ok fix $how: nothing written, status $fix_status"
	done
}

# Leaves the repaired copy behind, as "copy".
fix_copy() {
	run "$fix_status" fix "${args[@]}" -o copy "$argument"
	no_error
	[ "$(hash_of "$file")" = "$before" ] || die "fix -o changed the state"
	hold_diff "$file" copy "fix -o"
	run "$recheck_status" check --json "${args[@]}" "copy$part"
	jq -e '.edits == []' "$said/out" >/dev/null || die "edits are left after fix -o"
	echo "ok fix -o: $(wc -l <"$said/listed") bytes differ"
}

fix_again() {
	local how

	mkdir again
	cp copy again/state
	cd again
	remember
	for how in "-o twice" --in-place; do
		# shellcheck disable=SC2086 # two words
		run "$recheck_status" fix "${args[@]}" $how "state$part"
		nothing_written
	done
	cd ..
	rm -r again
	echo "ok a second repair does nothing"
}

names() {
	find . -path ./.said -prune -o -print | sort
}

# Each of several states in a file has one of its own.
undo_name() {
	echo "$file$part.xfundo"
}

fix_in_place() {
	cp "$file" original
	names >"$said/names"
	run "$fix_status" fix --json "${args[@]}" --in-place "$argument"
	no_error
	diff "$said/check.json" "$said/out" || die "fix --json and check --json differ"
	hold_diff original "$file" "fix --in-place"
	content copy "$said/old"
	cmp "$said/old" "$said/new" || die "the two ways to repair differ"
	[ -f "$(undo_name)" ] || die "no undo file"
	run "$recheck_status" check "${args[@]}" "$argument"
}

undo_it() {
	run 0 undo "$(undo_name)"
	no_error
	grep -q ' is as it was before the repair\.$' "$said/out" || die "undo does not say what it did"
	[ "$(hash_of "$file")" = "$before" ] || die "undo did not restore the state"
	names | diff "$said/names" - || die "undo leaves something behind"
	echo "ok fix --in-place and undo: sha256 $before"
}

# Both ways to repair, where there is something to be repaired.
repair() {
	if jq -e '.edits == []' "$said/check.json" >/dev/null; then
		fix_nothing
		return
	fi
	before=$(hash_of "$file")
	listed "$said/check.json" >"$said/listed"
	[ -s "$said/listed" ] || die "edits that change nothing"
	fix_copy
	fix_again
	fix_in_place
	undo_it
}
