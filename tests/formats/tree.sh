#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A directory with a state of each format, and with files that only look like one.
# shellcheck source=../cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"
# shellcheck source=lib.sh
. "$SOURCE/tests/formats/lib.sh"
need jq python3

each_format fleet
# Disks without a machine's state, a program, CRIU's other images, JSON with the word.
generate qcow2.py make fleet/disk
generate qcow2.py make fleet/disk-of-two --bare=before
cp "$BASH" fleet/program
head -c 4096 fleet/program >fleet/program-cut
{ printf '\x19\x43\x56\x54\x24\x90\x62\x30'; head -c 100 /dev/zero; } >fleet/criu-other
echo '{"result_key": "snapshots"}' >fleet/words.json
target=(--to 'preset:linux-6.2,-pku')
remember

# says LINE...: the last run, on standard output.
says() {
	printf '%s\n' "$@" | diff - "$said/out" || die "$told (< expected, > said)"
	nothing_written
	echo "ok $told"
}

# By what each tells itself.
run 4 check "${target[@]}" fleet
no_error
says 'fleet/cloud-hypervisor/state.json: cloud-hypervisor, 2 vCPUs: XF101 PKRU; refused, accepted once repaired' \
	'fleet/criu: criu, 1 vCPU: clean; accepted' \
	'fleet/elf: elf, 1 vCPU: clean; accepted' \
	'fleet/firecracker: firecracker, 3 vCPUs: XF101 PKRU; refused, accepted once repaired' \
	'fleet/libvirt: libvirt, 1 vCPU: XF101 AVX PKRU; refused, accepted once repaired' \
	'fleet/libvirt.gz: libvirt, 1 vCPU: XF101 AVX PKRU; refused, accepted once repaired' \
	'fleet/qcow2#before: qcow2, 1 vCPU: XF102 AVX PKRU, XF203 PKRU; refused' \
	'fleet/qcow2#after: qcow2, 1 vCPU: clean; accepted' \
	'fleet/qemu: qemu, 1 vCPU: XF102 AVX PKRU, XF203 PKRU; refused' \
	'9 states: 3 clean, 6 with findings, 6 refused; 0 not judged, 6 other files'

# A snapshot's directory is a state itself, and is walked where it is one of several.
run 4 check "${target[@]}" fleet/cloud-hypervisor
grep -q '^fleet/cloud-hypervisor/state.json: Cloud Hypervisor snapshot, 2 vCPUs$' "$said/out" ||
	die "no report: $(cat "$said/out")"

# What is named is missed: the same files are errors then.
for file in disk disk-of-two program criu-other words.json; do
	run 64 check "${target[@]}" "fleet/$file"
	one_error "^xferry: fleet/$file: "
done

# Broken ones of each format, in the order of their names.
mkdir broken
for file in qemu libvirt libvirt.gz qcow2 firecracker elf criu cloud-hypervisor/state.json; do
	head -c 300 "fleet/$file" >"broken/${file//\//-}"
done
status=0
"$XFERRY" check "${target[@]}" broken >"$said/out" 2>"$said/err" || status=$?
told='check of broken files'
hold_status 8 "$status"
grep -o '^xferry: broken/[a-z0-9.-]*' "$said/err" | cut -d / -f 2 >"$said/names"
printf '%s\n' cloud-hypervisor-state.json criu elf firecracker libvirt libvirt.gz qcow2 qemu |
	diff - "$said/names" || die "errors: $(cat "$said/err")"
[ "$(cat "$said/out")" = \
	'0 states: 0 clean, 0 with findings, 0 refused; 8 not judged, 0 other files' ] ||
	die "said: $(cat "$said/out")"
echo "ok $told"
