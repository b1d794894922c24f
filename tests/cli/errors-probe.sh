#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A KVM that is not there, may not be used or is none: one line, status 8. A KVM
# that refuses a call: the rest is told, and why it is not all; nothing is told wrong.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq unshare setpriv
unshare -m true 2>/dev/null || skip 'no mounts of our own may be made here'

# Ways to start the command, each with a /dev of its own.
with_dev() {
	local node=$1
	shift
	# shellcheck disable=SC2016 # the shell within expands it
	unshare -m sh -c 'node=$0
		mkdir "$node.dev" && mount -t tmpfs none "$node.dev" || exit
		if [ -e "$node" ]; then
			touch "$node.dev/kvm" && mount --bind "$node" "$node.dev/kvm" || exit
		fi
		mount --move "$node.dev" /dev && rmdir "$node.dev" && exec "$@"' "$node" "$@"
}
without_kvm() { with_dev "$said/none" "$XFERRY" "$@"; }
on_null() { with_dev "$said/null" "$XFERRY" "$@"; }
on_file() { with_dev "$said/file" "$XFERRY" "$@"; }
no_leave() {
	with_dev "$said/closed" setpriv --bounding-set=-dac_override,-dac_read_search "$XFERRY" "$@"
}
mknod "$said/null" c 1 3 2>/dev/null || ln -s /dev/null "$said/null"
touch "$said/file" "$said/closed"
chmod 0 "$said/closed"

sample leaky-pc-qemu64.qevm vm
for arguments in probe 'probe --json' 'check --cpu qemu64 --to local vm' \
	'fix --cpu qemu64 --to local --in-place vm' 'check --cpu max --from local vm'; do
	# shellcheck disable=SC2086 # words are meant
	{
		fails_as without_kvm 8 '/dev/kvm: open: No such file' $arguments
		fails_as on_null 8 '/dev/kvm: this is no KVM: KVM_GET_API_VERSION: Inappropriate' \
			$arguments
		fails_as on_file 8 '/dev/kvm: this is no KVM: ' $arguments
		fails_as no_leave 8 '/dev/kvm: open: Permission denied' $arguments
	}
done

[ -e /dev/kvm ] || skip 'the rest needs /dev/kvm'
{ : <>/dev/kvm; } 2>/dev/null || skip 'the rest needs /dev/kvm, which may not be used'

# As somebody who is nobody.
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$XFERRY" "$@"; }
if [[ ${FLAGS:-} == *--coverage* ]]; then
	echo 'nobody may not write what compilers count for coverage'
elif nobody probe >"$said/out" 2>&1; then
	echo 'anybody may use /dev/kvm here'
elif nobody --version >"$said/out" 2>&1; then
	run_as nobody 8 probe
	one_error '/dev/kvm: open: Permission denied'
	echo 'ok as nobody'
else
	echo 'nobody may not read the build here'
fi

# A report that does not reach its reader.
to_full() { "$XFERRY" "$@" >/dev/full; }
for option in '' --json; do
	# shellcheck disable=SC2086 # no word is meant, or one
	run_as to_full 8 probe $option
	one_error 'standard output: No space left'
done

need_countable_calls

run 0 probe --json
cp "$said/out" whole.json
# The ioctls, one a line, the N-th in line N.
strace -o "$said/trace" -e trace=ioctl "$XFERRY" probe >"$said/out"
grep '^ioctl' "$said/trace" >"$said/calls"

first() {
	grep -nE -m 1 "^ioctl\([0-9]+, $1[,)]" "$said/calls" | cut -d : -f 1
}

# failing WHEN ERROR: probes while ioctls fail.
failing() {
	told="probe with ioctl $1 failing with $2"
	strace -o "$said/trace" -e trace=ioctl -e "inject=ioctl:error=$2:when=$1" \
		"$XFERRY" probe --json >"$said/out" 2>"$said/err" && status=0 || status=$?
	grep -q INJECTED "$said/trace" || die "$told: there is no such call"
}

# What is told is a profile, and as without the failure, or null with a reason.
still_right() {
	[ "$status" = 0 ] || die "$told: status $status: $(cat "$said/err")"
	no_error
	cp "$said/out" broken.json
	"$XFERRY" check --cpu qemu64 --to broken.json vm >"$said/out" 2>"$said/err" || [ $? = 4 ] ||
		die "$told: no profile: $(cat "$said/err")"
	jq -e --slurpfile whole whole.json '. as $broken | del(.not_learned) | to_entries
		| all(.key as $key | .value == $whole[0][$key] or
			(.value == null and ($broken.not_learned | has($key))))' broken.json >"$said/out" ||
		die "$told: told otherwise: $(diff whole.json broken.json)"
}

# lacks REGEX KEY...: these are null for this reason.
lacks() {
	local why=$1 key
	shift
	still_right
	for key; do
		jq -e --arg key "$key" --arg why "$why" '.not_learned[$key] // "" | test($why)' \
			broken.json >"$said/out" ||
			die "$told: no $key for $why: $(jq .not_learned broken.json)"
	done
}

# Without these, nothing is known.
for row in 'KVM_GET_API_VERSION ENOTTY this is no KVM: KVM_GET_API_VERSION: Inappropriate' \
	'KVM_GET_SUPPORTED_CPUID EIO KVM_GET_SUPPORTED_CPUID: Input/output error' \
	'KVM_GET_SUPPORTED_CPUID E2BIG KVM_GET_SUPPORTED_CPUID: Argument list too long'; do
	read -r name error why <<<"$row"
	failing "$(first "$name")" "$error"
	[ "$status" = 8 ] || die "$told: status $status"
	one_error "/dev/kvm: $why"
	no_output
	echo "ok $name fails with $error"
done

# What we have run out of is no answer: nothing is told as if KVM had been asked.
for row in 'KVM_CREATE_VM EMFILE Too many open files' 'KVM_CREATE_VM ENFILE Too many open files' \
	'KVM_CREATE_VCPU EMFILE Too many open files' 'KVM_CREATE_VCPU ENOMEM out of memory'; do
	read -r name error why <<<"$row"
	failing "$(first "$name")+" "$error"
	[ "$status" = 8 ] || die "$told: status $status"
	one_error "$why"
	no_output
	echo "ok $name fails with $error"
done

# A KVM of another API.
told='probe of another API'
strace -o "$said/trace" -e trace=ioctl -e inject=ioctl:retval=11:when=1 "$XFERRY" probe \
	>"$said/out" 2>"$said/err" && die "$told: it should fail"
one_error '/dev/kvm: KVM_GET_API_VERSION: 11, expected 12'
no_output

# Without a VM or vCPUs, what KVM_GET_SUPPORTED_CPUID says is told.
behaviour='get set get_after_cpuid hook header_checked mxcsr_mask mxcsr_always after_run
	cpuid_rewritten'
# shellcheck disable=SC2086 # words are meant
{
	failing "$(first KVM_CHECK_EXTENSION)" EIO
	lacks 'no KVM_CAP_XSAVE' $behaviour area_size
	failing "$(first KVM_CREATE_VM)" EBUSY
	lacks 'KVM_CREATE_VM: Device or resource busy' $behaviour area_size
	for name in KVM_GET_VCPU_MMAP_SIZE KVM_CREATE_VCPU; do
		failing "$(first "$name")+" EPERM
		lacks "$name: Operation not permitted|KVM_GET_VCPU_MMAP_SIZE" $behaviour
	done
	# From one call on, none works.
	for name in KVM_SET_XSAVE KVM_GET_XSAVE2? KVM_SET_CPUID2 KVM_GET_CPUID2; do
		failing "$(first "$name")+" EIO
		lacks '^(/dev/kvm: )?KVM_[A-Z_0-9]+: Input/output error$' header_checked mxcsr_mask \
			after_run
	done
}
failing "$(first KVM_SET_USER_MEMORY_REGION)" ENOSPC
lacks 'KVM_SET_USER_MEMORY_REGION: No space left' after_run
echo 'ok no VM, no vCPU, no answers'

# KVM_RUN has a thread of its own.
told='probe without threads'
strace -o "$said/trace" -e trace=clone,clone3 -e inject=clone,clone3:error=EAGAIN "$XFERRY" probe \
	--json >"$said/out" 2>"$said/err" && status=0 || status=$?
lacks 'KVM_RUN: Resource temporarily unavailable' after_run
echo 'ok no thread'

# Whichever single call fails: nothing is told wrong. All of them would take a minute.
count=0
for ((n = 3; n <= $(wc -l <"$said/calls"); n += 11)); do
	failing "$n" EIO
	still_right
	count=$((count + 1))
done
[ "$count" -gt 20 ] || die "only $count calls were tried"
echo "ok $count calls of $(wc -l <"$said/calls") fail"

# A call that a signal interrupted is made again.
for name in KVM_CREATE_VM KVM_SET_XSAVE; do
	failing "$(first "$name")" EINTR
	still_right
	cmp broken.json whole.json || die "$told: not all was told"
done
echo 'ok interrupted'
