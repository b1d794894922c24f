# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs the examples of a document: in its fenced blocks, a line that begins with
# "$ " is a command, what follows up to the next one is what it prints. After
# "[exit status N]" it must have exited so; without, with none of the errors.
# Sourced behind tests/cli/lib.sh.

xferry() { "$XFERRY" "$@"; }

# Every fenced block that has a command; a line "---" behind each.
example_blocks() {
	awk '/^```/ { inside = !inside; if (!inside && found) printf "%s---\n", block
			block = ""; found = 0; next }
		inside { block = block $0 "\n"; if (/^\$ /) found = 1 }' "$1"
}

# finish_example COMMAND EXPECTED: runs it, compares.
finish_example() {
	local command=$1 expected=$2 status=0 actual

	actual=$(eval "$command" 2>&1) || status=$?
	if [[ $expected == *"[exit status "* ]]; then
		actual+=${actual:+$'\n'}"[exit status $status]"
	else
		(((status & ~5) == 0)) || die "\$ $command: status $status: $actual"
	fi
	examples=$((examples + 1))
	[ -n "$expected" ] || return 0
	diff <(echo "$expected") <(echo "$actual") ||
		die "\$ $command: prints something else than the document says"
}

# How many commands were run is in $examples.
run_examples() {
	local line command='' expected=''

	examples=0
	while IFS= read -r line; do
		if [[ $line == '$ '* || $line == --- ]]; then
			# A blank line before a command or at the end is there for the eye.
			expected=${expected%$'\n'}
			[ -z "$command" ] || finish_example "$command" "${expected%$'\n'}"
			command=${line#'$ '} expected=
			[ "$line" != --- ] || command=
		else
			expected+=$line$'\n'
		fi
	done < <(example_blocks "$1")
}
