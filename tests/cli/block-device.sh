#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A block device, as Proxmox keeps its states on: found by walking, repaired behind an undo
# file that must be named, and taken back.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

sample leaky-pc-qemu64.qevm vm
truncate -s 4M vm
need losetup
device=$(losetup --find --show vm 2>"$said/losetup") ||
	skip "no loop device can be had: $(cat "$said/losetup")"
cleanup+=("losetup --detach $device")
before=$(hash_of "$device")

run 4 check --json --cpu qemu64 "$device"
jq -e '.found_by == "walk" and .vcpus[0].superfluous == "0x204"' "$said/out" >/dev/null ||
	die "$told: $(cat "$said/out")"
echo 'ok check'

fails 16 'is a block device: name an undo file' fix --cpu qemu64 --in-place "$device"
run 1 fix --cpu qemu64 --in-place --undo-file undo "$device"
run 0 check --cpu qemu64 "$device"
run 0 undo undo
[ "$(hash_of "$device")" = "$before" ] || die 'not as before after undo'
echo 'ok fix, check, undo'
