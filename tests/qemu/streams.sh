#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Real streams of one QEMU, in every layout it can write, through check, fix,
# check and undo. usage: streams.sh XFERRY [SUITE]
# Without SUITE: the QEMU of this machine; else the one of that Debian suite.
set -eu
xferry=$(realpath "$1")
suite=${2:-}
here=$(realpath "$(dirname "$0")")

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

qemu="qemu-system-x86_64"
if [ -n "$suite" ]; then
	"$here/../../script/qemu-root" "$suite" >/dev/null
	qemu="$here/../../script/qemu-root $suite --run qemu-system-x86_64"
elif ! command -v $qemu >/dev/null; then
	echo "no qemu-system-x86_64"
	exit 77
fi

"$here/make-streams" "$place" --qemu "$qemu" --leak 0x204
# As many vCPUs as it can have; with KVM, as emulation takes minutes for that.
if [ -n "$suite" ]; then
	"$here/make-streams" "$place" --qemu "$qemu" --leak 0x204 --layout 'vcpus-*-kvm'
fi
"$here/roundtrip.py" "$xferry" "$place"
