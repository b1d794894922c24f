#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One case of the command: run-case.sh DIRECTORY. In it, besides what case-lib.sh tells,
#	state       a sample's name, then what patch-state.py shall change in it
#	check.jq    a filter of its own
case=$1
# shellcheck source=case-lib.sh
. "$(dirname "$0")/case-lib.sh"
need jq python3 cmp

make_state() {
	local -a words
	read -r -d '' -a words <"$case/state" || true
	sample "${words[0]}" "$1"
	[ ${#words[@]} -eq 1 ] ||
		python3 "$SOURCE/tests/cli/patch-state.py" "$1" "${words[@]:1}"
}

filter=$case/check.jq
[ -f "$filter" ] || filter=$SOURCE/tests/cli/check.jq
read_case
make_state state
remember
check_json "$filter"
one_report qemu
check_text
repair
