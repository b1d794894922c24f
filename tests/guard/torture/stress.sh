#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guard under load, and what it wrote meanwhile: whole lines, each once, and a summary.
# usage: stress.sh PROGRAM KERNEL real|fake ARGUMENT...
# KERNEL is the library of kernel.c; the arguments are stress.c's.
set -eu
program=$1 kernel=$2 kind=$3
shift 3

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
log=$place/log

# A child of many threads may do as it does here, and the order of libraries is as it must be.
status=0
env LD_PRELOAD="$kernel" TORTURE_KVM="$kind" XFERRY_GUARD=trim XFERRY_GUARD_LOG="$log" \
	TSAN_OPTIONS=die_after_fork=0:exitcode=66:second_deadlock_stack=1 \
	ASAN_OPTIONS=verify_asan_link_order=0 \
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	"$program" "$@" || status=$?
[ "$status" = 0 ] || exit "$status"

hex='0x[0-9a-f]+'
found="vcpu=[0-9]+ direction=(set|get) mode=trim xstate_bv=$hex shown=$hex superfluous=$hex"
found+=" dropped=$hex result=(0|E[A-Z]+) components=\"[^\"]+\""
summary="summary vcpus=[0-9]+ set=[0-9]+ get=[0-9]+ superfluous=$hex dropped=$hex"
off='vcpu=[0-9]+ hands_off="[^"]+"'
if grep -Evn "^xferry-guard: pid=[0-9]+ ($found|$summary|$off)\$" "$log"; then
	echo 'FAILED: the above is no line of the guard'
	exit 1
fi
[ "$(grep -c ' summary ' "$log")" = 1 ] || {
	echo "FAILED: $(grep -c ' summary ' "$log") summaries"
	exit 1
}
echo "$(wc -l <"$log") lines"
grep ' hands_off=' "$log" | sed 's/.*hands_off/hands_off/' | sort | uniq -c
tail -n 1 "$log"
