#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A power cut loses what was not synced, which kill -9 does not show; so the order of what is
# asked of the system is held: content, sync, name, sync of the directory, and only then the
# first byte of the state.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_strace

guest=(--cpu qemu64)
sample leaky-q35-qemu64-smp2.qevm vm

# order EXPECTED FILE ARGUMENT...
order() {
	local expected=$1 got
	shift
	told="xferry ${*:2}"
	got=$(calls "$@" | awk '
		$1 ~ /^(pwrite64|ftruncate|copy_file_range|fsync|fdatasync|linkat|unlink)$/ { print $1 }' |
		uniq | paste -sd ' ')
	[ "$got" = "$expected" ] || die "$told: $got; expected: $expected"
	echo "ok $told: $got"
}

order 'pwrite64 fsync linkat fsync pwrite64 fdatasync' vm fix "${guest[@]}" --in-place vm
order 'pwrite64 fdatasync unlink fsync' vm.xfundo undo vm.xfundo
order 'ftruncate copy_file_range pwrite64 fsync linkat fsync' vm fix "${guest[@]}" -o copy vm
order '' vm check "${guest[@]}" vm
