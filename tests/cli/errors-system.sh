#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The system refuses. What a file system cannot do is done in another way; of a real error check
# tells in one line, with the right status. How what writes meets those: tests/faults.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_countable_calls

guest=(--cpu qemu64)
sample leaky-q35-qemu64-smp2.qevm vm
before=$(hash_of vm)
run 1 fix "${guest[@]}" -o repaired vm
after=$(hash_of repaired)
kinds='^(openat|pread64|read|pwrite64|fsync|fdatasync|ftruncate|linkat|unlink|fstat|newfstatat) '

# refused STATUSES NAME N ERROR ARGUMENT...: one line, and one of the statuses.
refused() {
	local due=$1 status=0
	shift
	with "$1" "$2" "error=$3" "${@:4}" >"$said/out" 2>"$said/err" || status=$?
	told="xferry ${*:4}, $3 at call $2 of $1"
	[[ " $due " = *" $status "* ]] || hold_status "one of: $due" "$status"
}

only() {
	[ "$(find . -maxdepth 1 ! -name . ! -name .said | sort | paste -sd ' ')" = "$*" ] ||
		die "$told: there is $(ls -A)"
}

# Calls that may fail without anybody minding: the C library's, to find its own files and
# to learn what standard output is; a look whether a name is taken, or is still the file's.
may_fail() {
	case $1 in
	*/usr/* | */etc/* | */proc/self/maps* | '1, "", '* | *ENOENT* | 'AT_FDCWD, "'*'", {st'*)
		return 0
		;;
	esac
	return 1
}

fix=(fix "${guest[@]}" --in-place vm)

# What is not the disk's fault is copied by hand.
for error in EXDEV ENOSYS EPERM EINVAL; do
	refused 1 copy_file_range 1 $error fix "${guest[@]}" -o copy vm
	[ "$(hash_of copy)" = "$after" ] || die "$told: another copy"
	rm copy
done
echo 'ok fix -o without copy_file_range'

# ---- check: whatever fails, nothing is written ----
remember
count=0
while read -r name n arguments; do
	! may_fail "$arguments" || continue
	refused 8 "$name" "$n" EIO check "${guest[@]}" vm
	one_error '^xferry: .*Input/output error$'
	nothing_written
	count=$((count + 1))
done < <(calls vm check "${guest[@]}" vm | grep -E "$kinds")
[ "$count" -gt 3 ] || die "only $count errors"
echo "ok check: $count errors"

# ---- File systems without O_TMPFILE ----
tmpfile_call() {
	calls vm "$@" | awk '/O_TMPFILE/ { print $2; exit }'
}
n=$(tmpfile_call fix "${guest[@]}" -o copy vm)
rm copy
[ -n "$n" ] || die 'no O_TMPFILE was asked for'
for error in EOPNOTSUPP EISDIR EINVAL; do
	refused 1 openat "$n" $error fix "${guest[@]}" -o copy vm
	[ "$(hash_of copy)" = "$after" ] || die "$told: another copy"
	only ./copy ./repaired ./vm
	rm copy
done
n=$(tmpfile_call "${fix[@]}")
run 0 undo vm.xfundo
refused 1 openat "$n" EOPNOTSUPP "${fix[@]}"
only ./repaired ./vm ./vm.xfundo
run 0 undo vm.xfundo
[ "$(hash_of vm)" = "$before" ] || die 'not as before, without O_TMPFILE'
echo 'ok without O_TMPFILE'
