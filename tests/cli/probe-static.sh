#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A static build probes with /dev/kvm alone: the only program of a file system, with
# neither /proc nor /sys nor libraries. It says what the other one says.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
[ -e /dev/kvm ] || skip 'no /dev/kvm'
{ : <>/dev/kvm; } 2>/dev/null || skip '/dev/kvm may not be used'
static=${XFERRY}-static
[ -x "$static" ] || skip 'no static build here'
unshare -m true 2>/dev/null || skip 'no file system of our own may be made here'

same_profile() {
	diff profile.json "$said/out" || die "$1 says something else"
}

run 0 probe --json
cp "$said/out" profile.json
mkdir -p root/dev
cp "$static" root/init
unshare -m sh -c 'touch root/dev/kvm && mount --bind /dev/kvm root/dev/kvm &&
	exec chroot root /init probe --json' >"$said/out" 2>"$said/err" ||
	die "static, alone: $(cat "$said/err")"
same_profile 'static, alone, it'
echo 'ok static, alone'

# As the first program it has a process number that it must not mind.
unshare -mpf true 2>/dev/null || skip 'no process numbers of our own may be had here'
unshare -mpf sh -c 'mount --bind /dev/kvm root/dev/kvm &&
	exec chroot root /init probe --json' >"$said/out" 2>"$said/err" ||
	die "static, first: $(cat "$said/err")"
same_profile 'static, as the first program, it'
echo 'ok static, as the first program'
