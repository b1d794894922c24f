#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guard in a VMM on this machine's KVM: what the VMM sees (guard-vmm checks that
# itself), and what is logged, to the letter.
# SANITIZER is a library that must come before all others, or empty.
# Usage: guard.sh GUARD VMM LEAKY SANITIZER
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
guard=$(realpath "$1") vmm=$(realpath "$2") leaky=$(realpath "$3") sanitizer=${4-}
cd "$place"

if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	skip '/dev/kvm cannot be opened'
fi

# vmm SCENARIO trim|keep PRELOADS SETTING…: runs it; leaves what it said in out and err, with
# its process' number taken out.
vmm() {
	local scenario=$1 due=$2 preloads=$3 status=0 pid
	shift 3
	env LD_PRELOAD="$sanitizer:$preloads" "$@" "$vmm" "$scenario" "$due" >out 2>said || status=$?
	[ $status != 77 ] || return 77
	[ $status = 0 ] || die "$scenario, $*: status $status: $(cat out said)"
	pid=$(sed -n 's/^pid=//p' out)
	sed "s/pid=$pid /pid=0 /" said >err
}

# Exactly these lines were logged.
logged() {
	diff - err >differs || die "$1: (< due, > logged)
$(cat differs)"
	echo "ok $1"
}

strange=0x4000000000000000
in_use=0x4000000000000003

# found VCPU MODE DROPPED RESULT: the line of a vCPU to which bit 62 was set.
found() {
	echo "xferry-guard: pid=0 vcpu=$1 direction=set mode=$2 xstate_bv=$in_use shown=$shown" \
		"superfluous=$strange dropped=$3 result=$4 components=\"bit 62\""
}

# summary VCPUS SET DROPPED
summary() {
	echo "xferry-guard: pid=0 summary vcpus=$1 set=$2 get=0 superfluous=$strange dropped=$3"
}

# ---- Without the guard, and with one that finds nothing ----
vmm basic keep '' XFERRY_GUARD=trim
logged 'no guard, nothing said' </dev/null
vmm clean trim "$guard" XFERRY_GUARD=trim
logged 'nothing found, nothing said' </dev/null
vmm no-cpuid keep "$guard" XFERRY_GUARD=trim
logged 'no CPUID, hands off' </dev/null

# What this KVM shows a guest that is shown nothing; the lines say it.
vmm basic keep "$guard"
shown=$(sed -n '1s/.*shown=\(0x[0-9a-f]*\).*/\1/p' err)
[ -n "$shown" ] || die "no line: $(cat err)"

# ---- The modes ----
{
	found 0 observe 0x0 EINVAL
	found 1 observe 0x0 EINVAL
	summary 2 7 0x0
} >observed
vmm basic keep "$guard"
logged 'observe is the default' <observed
vmm basic keep "$guard" XFERRY_GUARD=observe
logged 'observe' <observed
{
	found 0 trim $strange 0
	found 1 trim $strange 0
	summary 2 7 $strange
} >trimmed
vmm basic trim "$guard" XFERRY_GUARD=trim
logged 'trim' <trimmed
vmm basic trim "$guard" XFERRY_GUARD=trim XFERRY_GUARD_ONLY='pkru,bit62'
logged 'only what is named' <trimmed
{
	found 0 trim 0x0 EINVAL
	found 1 trim 0x0 EINVAL
	summary 2 7 0x0
} >spared
vmm basic keep "$guard" XFERRY_GUARD=trim XFERRY_GUARD_ONLY=pkru
logged 'what is not named is spared' <spared

# ---- What is no setting: one line each, and nothing is dropped for it ----
{
	echo "xferry-guard: pid=0 setting=\"XFERRY_GUARD=trimm: expected observe or trim; observing\""
	cat observed
} >due
vmm basic keep "$guard" XFERRY_GUARD=trimm
logged 'a bad XFERRY_GUARD' <due
{
	echo "xferry-guard: pid=0 setting=\"XFERRY_GUARD_ONLY: unknown state component 'pkro'; the" \
		"nearest name is 'pkru'; a mask is written 0x207 or x87,sse,avx,pkru; observing\""
	cat observed
} >due
vmm basic keep "$guard" XFERRY_GUARD=trim XFERRY_GUARD_ONLY=pkro
logged 'a bad XFERRY_GUARD_ONLY' <due
{
	echo "xferry-guard: pid=0 setting=\"XFERRY_GUARD_LOG=guard.log: expected stderr, syslog or an" \
		"absolute path; logging to stderr\""
	cat trimmed
} >due
vmm basic trim "$guard" XFERRY_GUARD=trim XFERRY_GUARD_LOG=guard.log
logged 'a bad XFERRY_GUARD_LOG' <due
env LD_PRELOAD="$sanitizer:$guard" XFERRY_GUARD=trimm XFERRY_GUARD_ONLY=pkro true 2>err
logged 'a program that is no VMM hears nothing' </dev/null

# ---- Where it goes ----
vmm basic trim "$guard" XFERRY_GUARD=trim XFERRY_GUARD_LOG="$place/log"
[ ! -s err ] || die "a log, and on standard error: $(cat err)"
sed 's/pid=[0-9]* /pid=0 /' log >err
logged 'a file' <trimmed
{
	echo 'xferry-guard: pid=0 setting="XFERRY_GUARD_LOG=/nonexistent/log: ENOENT; logging to stderr"'
	cat trimmed
} >due
vmm basic trim "$guard" XFERRY_GUARD=trim XFERRY_GUARD_LOG=/nonexistent/log
logged 'a file that cannot be' <due

# ---- File descriptors, processes, pointers ----
for scenario in new-cpuid duplicates reuse ranges vfork pointers others; do
	for mode in 'trim trim' 'observe keep' 'none keep'; do
		preload=$guard
		[ "$mode" != 'none keep' ] || preload=
		if vmm $scenario "${mode#* }" "$preload" XFERRY_GUARD="${mode% *}"; then
			echo "ok $scenario, ${mode% *}"
		else
			cat out
		fi
	done
done
vmm fork trim "$guard" XFERRY_GUARD=trim
# The child's lines have its own number.
sed -i 's/pid=[1-9][0-9]* /pid=1 /' err
{
	found 0 trim $strange 0
	found 8 trim $strange 0 | sed 's/pid=0/pid=1/'
	summary 1 1 $strange | sed 's/pid=0/pid=1/'
	summary 1 2 $strange
} >due
logged 'a child has its own' <due

# ---- A KVM that leaks ----
vmm leak trim "$guard:$leaky" XFERRY_GUARD=trim
{
	echo 'xferry-guard: pid=0 vcpu=0 direction=get mode=trim xstate_bv=0x7 shown=0x3' \
		'superfluous=0x4 dropped=0x4 result=0 components="AVX"'
	echo 'xferry-guard: pid=0 summary vcpus=1 set=0 get=3 superfluous=0x4 dropped=0x4'
} >due
logged 'what leaks is trimmed' <due
vmm leak keep "$guard:$leaky"
sed -i 's/mode=trim/mode=observe/; s/dropped=0x4/dropped=0x0/' due
logged 'what leaks is seen' <due
vmm leak keep "$guard:$leaky" XFERRY_GUARD=trim XFERRY_GUARD_ONLY=pkru
sed -i 's/mode=observe/mode=trim/' due
logged 'what leaks and is not named is spared' <due
