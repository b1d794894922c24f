#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Images that real libvirt has saved: in each format that this one knows (zstd from 10.10 on), by virsh save and managedsave, of
# each kind of CPU. Behind its own header comes a stream that has leaked; what xferry repairs
# of that, libvirt restores, and the guest has its registers.
# shellcheck source=../cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"
# shellcheck source=../examples/libvirt-lib.sh
. "$SOURCE/tests/examples/libvirt-lib.sh"
need_libvirt
need gzip bzip2 xz lzop zstd jq
target=(--to 'preset:linux-6.2,-pku')
leaky=$samples/leaky-pc-qemu64.qevm

image() {
	python3 "$SOURCE/tests/formats/libvirt.py" "$@"
}

# start_with FORMAT: a libvirtd that saves in it.
start_with() {
	configure_host "$1"
	echo "save_image_format = \"$1\"" >>"$1/etc/libvirt/qemu.conf"
	start_host "$1"
}

# value FILTER: of the last run with --json.
value() {
	jq -r "$1" "$said/out"
}

# has_registers HOST: the samples' guest has what it had when it was saved.
has_registers() {
	xmm5 "$1" | grep -q 600dcafe || die "$told: the guest restored by $1 has $(xmm5 "$1")"
}

# Repairs a leaky image by both ways; leaves the copy as $1.fixed and takes the other back.
repair() {
	run 4 check --json "${target[@]}" "$1"
	[ "$(value .format)" = libvirt ] || die "$(cat "$said/out")"
	run 1 fix "${target[@]}" -o "$1.fixed" "$1"
	cp "$1" "$1.before"
	run 1 fix "${target[@]}" --in-place "$1"
	cmp <(image unpack "$1") <(image unpack "$1.fixed") || die "$told: not as the copy"
	run 0 undo "$1.xfundo"
	cmp "$1" "$1.before" || die "$told: not as before"
	run 0 check "${target[@]}" "$1.fixed"
}

# try_format FORMAT: saved, repaired, restored.
try_format() {
	local format=$1

	start_with "$format"
	on "$format" create --paused plain.xml
	if ! virsh -c "$(uri "$format")" save guest saved >"$said/out" 2>&1; then
		grep -q 'Invalid save image format' "$said/out" || die "$format: $(cat "$said/out")"
		echo "note: libvirt $(virsh --version) does not save as $format"
		end "$format"
		return
	fi
	run 0 check --json "${target[@]}" saved
	value .evidence | grep -q '^saved: qemu64 ' || die "evidence: $(value .evidence)"
	run 0 check saved
	head -n 1 "$said/out" | grep -q "^saved: libvirt save image, $format, " ||
		die "it is called: $(head -n 1 "$said/out")"

	image put "$leaky" saved "$format.save"
	repair "$format.save"
	restore "$format" "$format.save.fixed"
	has_registers "$format"
	end "$format"

	on "$format" save-image-dumpxml "$format.save.fixed"
	sed 's/<name>guest</<title>edited<\/title>&/' "$said/out" >edited.xml
	on "$format" save-image-define "$format.save.fixed" edited.xml
	on "$format" save-image-dumpxml "$format.save.fixed"
	grep -q '<title>edited</title>' "$said/out" || die "$format: the XML cannot be edited"
	run 0 check "${target[@]}" "$format.save.fixed"
	restore "$format" "$format.save.fixed"
	has_registers "$format"
	end "$format"
	echo "ok $format: saved, repaired, edited and restored by libvirt"
	rm -f saved "$format".save*
}

# Where the KVM takes the state as it leaked, a restored guest proves nothing.
leak_matters() {
	on raw create --paused plain.xml
	on raw save guest saved
	image put "$leaky" saved leaky.save
	cp leaky.save leaky.copy
	virsh -q -c "$(uri raw)" restore --paused leaky.copy >"$said/out" 2>&1 || return 0
	! xmm5 raw | grep -q 600dcafe || echo "note: this machine's KVM takes the state as it leaked"
	end raw
}

# A managed save, where libvirt keeps it, is repaired in place; start restores it.
try_managed() {
	local kept=$place/xz/var/lib/libvirt/qemu/save/guest.save

	on xz define plain.xml
	on xz start --paused guest
	on xz managedsave guest
	[ -f "$kept" ] || die "no managed save: $(ls "${kept%/*}")"
	image put "$leaky" "$kept" leaky.save
	cat leaky.save >"$kept"
	run 1 fix "${target[@]}" --in-place "$kept"
	on xz start --paused guest
	has_registers xz
	end xz
	on xz undefine guest
	echo 'ok a managed save is repaired in place, and started'
}

# saved_with CPU: what the image of a guest with this <cpu> tells.
saved_with() {
	domain "$1" '' >other.xml
	on raw create --paused other.xml
	on raw save guest saved
	run 0 check --json saved
}

try_cpus() {
	# A KVM inside a virtual machine may not let this MSR be set.
	local off="<feature policy='disable' name='arch-capabilities'/>"

	saved_with "<cpu mode='host-model'>$off</cpu>"
	grep -aq '<cookie>' saved || die 'no cookie in the image'
	[ "$(value '.vcpus[0].exposed')" != null ] || die "host-model: $(cat "$said/out")"
	echo "ok host-model: $(value .evidence)"
	run 0 check "${target[@]}" saved

	saved_with "<cpu mode='host-passthrough'>$off</cpu>"
	value .evidence | grep -q 'host-passthrough (depends on the host' || die "$(cat "$said/out")"
	echo "ok host-passthrough: $(value .evidence)"

	saved_with "<cpu mode='custom' match='exact' check='none'><model>qemu64</model>
		<feature name='avx' policy='disable'/></cpu>"
	[ "$(value '.vcpus[0].exposed')" = 0x3 ] || die "custom: $(cat "$said/out")"
	echo "ok custom: $(value .evidence)"
}

head -c 65536 /dev/zero >rom
domain "$qemu64" '' >plain.xml
for format in raw gzip bzip2 xz lzop zstd; do
	try_format "$format"
done
leak_matters
try_managed
try_cpus
