#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A real process of two threads: its core dump by the kernel and by gdb's gcore, its checkpoint
# by CRIU. CRIU names the program to be used for that.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need jq
: "${PROCESS:?names the process to be dumped}"
done=0

missed() {
	echo "-- $*"
}

# holds FILE THREADS: what check tells is what the process knows of itself.
holds() {
	local -a words

	read -r -a words <said-by-process
	run 0 check --json "$1"
	no_error
	jq -e --argjson threads "$2" '(.vcpus | length) == $threads and .outcome == "unknown"' \
		"$said/out" >/dev/null || die "$1 has not $2 threads: $(cat "$said/out")"
	while read -r in_use xcr0; do
		[ $((in_use & words[1])) = $((words[1])) ] || die "$1: in use $in_use, not ${words[1]}"
		[ $((in_use & ~words[0])) = 0 ] || die "$1: in use $in_use, enabled ${words[0]}"
		[ "$xcr0" = null ] || [ "$xcr0" = "${words[0]}" ] || die "$1: XCR0 $xcr0, not ${words[0]}"
	done < <(jq -r '.vcpus[] | "\(.xstate_bv) \(.xcr0)"' "$said/out")
	run 4 check --to preset:linux-6.6,-xsave "$1"
	fails 8 "holds a process's registers" fix --in-place "$1"
	done=$((done + 1))
}

end_process() {
	kill -KILL "$1" 2>/dev/null && wait "$1" 2>/dev/null
}

# The process, until it has said what it has. The loop ends with it.
start() {
	setsid "$PROCESS" >said-by-process </dev/null &
	process=$!
	cleanup+=("end_process $process")
	until [ -s said-by-process ]; do
		kill -0 $process || die 'the process ended before it said anything'
		sleep 0.05
	done
}

by_kernel() {
	[[ $(cat /proc/sys/kernel/core_pattern) = core ]] ||
		{ missed 'the kernel gives its core dumps to somebody else'; return; }
	ulimit -c unlimited || { missed 'core dumps are not allowed'; return; }
	mkdir kernel
	(cd kernel && { "$PROCESS" abort >../said-by-process; } 2>/dev/null) || true
	local -a cores=(kernel/core*)
	[ -s "${cores[0]}" ] || { missed 'the kernel wrote no core dump'; return; }
	holds "${cores[0]}" 2
	echo "ok by Linux $(uname -r)"
}

by_gdb() {
	command -v gcore >/dev/null || { missed 'no gcore'; return; }
	start
	gcore -o gdb "$process" >"$said/gcore" 2>&1 ||
		{ missed "gcore: $(tail -n 1 "$said/gcore")"; return; }
	end_process "$process" || true
	holds "gdb.$process" 2
	echo "ok by $(gdb --version | head -n 1)"
}

by_criu() {
	local criu=${CRIU:-criu}

	"$criu" check >"$said/criu" 2>&1 ||
		{ missed "CRIU does not work here: $(grep -m 1 Error "$said/criu" || echo 'not installed')"; return; }
	mkdir images
	start
	"$criu" dump -t "$process" -D images >"$said/criu" 2>&1 ||
		{ missed "criu dump: $(tail -n 1 "$said/criu")"; return; }
	for image in images/core-*.img; do
		holds "$image" 1
	done
	run 64 check images/mm-*.img
	one_error 'is an image of CRIU, but no core-PID.img'
	echo "ok by CRIU, $("$criu" --version | head -n 1)"
}

by_kernel
by_gdb
by_criu
[ "$done" -gt 0 ] || skip 'nothing here dumps a process'
