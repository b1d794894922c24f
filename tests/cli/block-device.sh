#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Block devices: as Proxmox keeps its states on, with an older state behind the one that counts,
# found by walking; and one with a qcow2 image. Repaired behind an undo file that must be named,
# and taken back.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need losetup python3 jq

# on_device FILE: a loop device with the file's content.
on_device() {
	device=$(losetup --find --show "$1" 2>"$said/losetup") ||
		skip "no loop device can be had: $(cat "$said/losetup")"
	cleanup+=("losetup --detach $device")
}

# there_and_back FOUND_BY NAME OPTION...: of the state NAME on the device.
there_and_back() {
	local found=$1 name=$2 before
	shift 2
	before=$(hash_of "$device")
	run 4 check --json "$@" "$name"
	jq -e --arg found "$found" '.found_by == $found and .vcpus[0].superfluous == "0x204"' \
		"$said/out" >/dev/null || die "$told: $(cat "$said/out")"
	echo "ok check $name: $found"
	fails 16 'is a block device: name an undo file' fix "$@" --in-place "$name"
	run 1 fix "$@" --in-place --undo-file undo "$name"
	[ "$(hash_of "$device")" != "$before" ] || die "nothing was changed"
	run 0 check "$@" "$name"
	run 0 undo undo
	[ "$(hash_of "$device")" = "$before" ] || die 'not as before after undo'
	echo 'ok fix, check, undo'
}

python3 "$SOURCE/tests/formats/volume.py" volume 4194304 "$samples/leaky-pc-qemu64.qevm" \
	--behind "$samples/leaky-q35-qemu64-smp2.qevm"
printf '%s\n' 'name: web' '' '[before]' 'name: web' 'runningcpu: qemu64,+kvm_pv_eoi,enforce' \
	'runningmachine: pc-i440fx-7.2+pve0' 'snaptime: 1700000000' \
	'vmstate: local-lvm:vm-100-state-before' >100.conf
on_device volume
there_and_back walk "$device" --qm 100.conf:before

python3 "$SOURCE/tests/formats/qcow2.py" make disk.qcow2 \
	--state "before=$samples/leaky-pc-qemu64.qevm" --state "after=$samples/leaky-pc-qemu64.qevm"
on_device disk.qcow2
there_and_back description "$device#after" --cpu qemu64
