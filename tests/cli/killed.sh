#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# kill -9 at every call that concerns files. In place: the file is as before, or undo makes
# it so. A copy: it is not there, or it is whole. undo: it can be run again.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_countable_calls

guest=(--cpu qemu64)
sample leaky-q35-qemu64-smp2.qevm vm
before=$(hash_of vm)
run 1 fix "${guest[@]}" -o repaired vm
after=$(hash_of repaired)
fix=(fix "${guest[@]}" --in-place vm)

killed() {
	local status=0
	with "$1" "$2" signal=KILL "${@:3}" >"$said/out" 2>"$said/err" || status=$?
	[ "$status" = 137 ] || die "xferry ${*:3}: call $2 of $1: status $status: $(cat "$said/err")"
	told="xferry ${*:3}, killed at call $2 of $1"
}

only() {
	[ "$(find . -maxdepth 1 ! -name . ! -name .said | sort | paste -sd ' ')" = "$*" ] ||
		die "$told: there is $(ls -A)"
}

# ---- fix --in-place ----
calls vm "${fix[@]}" >"$said/calls"
run 0 undo vm.xfundo
count=0 changed=0
while read -r name n _; do
	killed "$name" "$n" "${fix[@]}"
	count=$((count + 1))
	if [ "$(hash_of vm)" != "$before" ]; then
		changed=$((changed + 1))
		[ -e vm.xfundo ] || die "$told: changed, and no undo file"
	fi
	if [ -e vm.xfundo ]; then
		only ./repaired ./vm ./vm.xfundo
		run 0 undo vm.xfundo
	fi
	only ./repaired ./vm
	[ "$(hash_of vm)" = "$before" ] || die "$told: not as before after undo"
done <"$said/calls"
[ "$count" -gt 20 ] || die "only $count calls were seen"
[ "$changed" -gt 2 ] || die "only $changed kills came after the first write"
echo "ok fix --in-place: killed at $count calls, $changed of them after the first write"

# ---- fix -o ----
calls vm fix "${guest[@]}" -o copy vm >"$said/calls"
rm copy
count=0 there=0
while read -r name n _; do
	killed "$name" "$n" fix "${guest[@]}" -o copy vm
	count=$((count + 1))
	if [ -e copy ]; then
		there=$((there + 1))
		[ "$(hash_of copy)" = "$after" ] || die "$told: half a copy"
		rm copy
	fi
	only ./repaired ./vm
	[ "$(hash_of vm)" = "$before" ] || die "$told: the state was changed"
done <"$said/calls"
[ "$count" -gt 20 ] || die "only $count calls were seen"
[ "$there" -gt 0 ] || die 'never killed once the copy had its name'
echo "ok fix -o: killed at $count calls, the copy was there after $there, whole"

# ---- undo ----
run 1 "${fix[@]}"
cp vm.xfundo undo
calls vm.xfundo undo vm.xfundo >"$said/calls"
count=0 gone=0
while read -r name n _; do
	cp repaired vm
	cp undo vm.xfundo
	killed "$name" "$n" undo vm.xfundo
	count=$((count + 1))
	if [ -e vm.xfundo ]; then
		run 0 undo vm.xfundo
	else
		gone=$((gone + 1))
	fi
	only ./repaired ./undo ./vm
	[ "$(hash_of vm)" = "$before" ] || die "$told: not as before"
done <"$said/calls"
[ "$count" -gt 10 ] || die "only $count calls were seen"
[ "$gone" -gt 0 ] || die 'never killed once the undo file was gone'
echo "ok undo: killed at $count calls, the undo file was gone after $gone"
