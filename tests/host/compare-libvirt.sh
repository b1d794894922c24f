#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Holds the reading of libvirt's XML against a real libvirt.
#
#	compare-libvirt.sh CPU-EVIDENCE
#
# For each model that libvirt knows, with and without features: the command line that libvirt
# makes of it for QEMU must tell what its XML tells, or more. Then a guest is run: what libvirt
# writes of it, running, saved and in a snapshot, must tell what its QEMU was given.
evidence=$(realpath "$1")
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=../examples/libvirt-lib.sh
. "$SOURCE/tests/examples/libvirt-lib.sh"
need_libvirt
need qemu-img jq
configure_host one
start_host one

# domain NAME TYPE: its XML; the <cpu> comes from stdin.
domain() {
	cat <<-EOF
		<domain type='$2'>
		  <name>$1</name>
		  <memory unit='MiB'>64</memory>
		  <os><type arch='x86_64' machine='pc'>hvm</type></os>
		  $(cat)
		  <devices>
		    <emulator>$(command -v qemu-system-x86_64)</emulator>
		    <disk type='file' device='disk'>
		      <driver name='qemu' type='qcow2'/><source file='$place/disk.qcow2'/>
		      <target dev='vda' bus='virtio'/>
		    </disk>
		    <memballoon model='none'/>
		  </devices>
		</domain>
	EOF
}

# told FILE: "SHOWN KNOWN" as numbers, by what libvirt's XML tells.
told() {
	"$evidence" "xml:$1" | sed 's/\([0-9a-f]*\) \([0-9a-f]*\)/0x\1 0x\2/' ||
		die "$1: $("$evidence" "xml:$1" 2>&1)"
}

# of_qemu CPU: the same, by QEMU's -cpu.
of_qemu() {
	"$evidence" "$1" | sed 's/\([0-9a-f]*\) \([0-9a-f]*\)/0x\1 0x\2/'
}

# agree WHAT XML CPU [same]: what the XML tells the -cpu tells, too; `same`: and nothing else.
agree() {
	local shown known cpu_shown cpu_known

	read -r shown known <<<"$(told "$2")"
	read -r cpu_shown cpu_known <<<"$(of_qemu "$3")"
	[ -n "$cpu_known" ] || die "$1: -cpu $3 is not understood"
	(((known & ~cpu_known) == 0 && ((shown ^ cpu_shown) & known) == 0)) ||
		die "$1: XML tells $shown of $known, -cpu $3 $cpu_shown of $cpu_known"
	[ -z "${4-}" ] || [ "$known $shown" = "$cpu_known $cpu_shown" ] ||
		die "$1: XML tells $shown of $known only, -cpu $3 $cpu_shown of $cpu_known"
	compared=$((compared + 1))
}

# native FILE: the -cpu that libvirt makes of it, or nothing.
native() {
	virsh -q -c "$(uri one)" domxml-to-native qemu-argv "$1" 2>"$said/err" |
		grep -oP -- '(?<=-cpu )\S+' | tr -d "'"
}

# compare NAME TYPE [same]: a <cpu> from stdin; not one that this host cannot have.
compare() {
	local cpu

	domain x "$2" >x.xml
	cpu=$(native x.xml) || true
	if [ -z "$cpu" ]; then
		refused=$((refused + 1))
		return
	fi
	agree "$1" x.xml "$cpu" "${3-}"
}

compared=0 refused=0
features="<feature policy='require' name='pku'/><feature policy='disable' name='avx'/>
	<feature policy='force' name='xsave'/><feature policy='require' name='lahf_lm'/>
	<feature policy='disable' name='avx512f'/><feature policy='require' name='osxsave'/>"
for model in $(virsh -q -c "$(uri one)" cpu-models x86_64); do
	model_xml="<model fallback='allow'>$model</model>"
	# What QEMU itself has not, libvirt makes of something else and features; of these Intel
	# CPUs it has another opinion about MPX than QEMU.
	same=same
	case $model in
	cpu64-rhel* | pentiumpro | Icelake-* | Skylake-* | Cascadelake-* | Cooperlake*) same='' ;;
	Denverton* | Snowridge*) same='' ;;
	esac
	compare "$model" qemu $same <<<"<cpu mode='custom' check='none'>$model_xml</cpu>"
	compare "$model, features" qemu $same \
		<<<"<cpu mode='custom' check='none'>$model_xml$features</cpu>"
	compare "$model, optional" kvm <<<"<cpu mode='custom' check='none'>$model_xml
		<feature policy='optional' name='pku'/><feature policy='optional' name='avx'/></cpu>"
done
[ "$compared" -ge 100 ] || die "only $compared CPUs compared, $refused refused: $(cat "$said/err")"
for mode in host-passthrough maximum; do
	compare "$mode" kvm same <<<"<cpu mode='$mode'/>"
	compare "$mode" kvm same <<<"<cpu mode='$mode'><feature policy='disable' name='pku'/></cpu>"
done
compare 'host-model' kvm <<<"<cpu mode='host-model'/>"
compare 'host-model' kvm <<<"<cpu mode='host-model'><feature policy='disable' name='avx'/></cpu>"
compare minimum kvm <<<"<cpu match='minimum'><model>qemu64</model></cpu>"
compare default qemu same <<<""
echo "ok $compared CPUs compared, $refused that libvirt does not give here"

# A guest that runs, and what is written of it.
qemu-img create -q -f qcow2 disk.qcow2 1M
# Not every host's KVM lets a guest have the MSR of arch-capabilities.
domain vm kvm <<<"<cpu mode='host-model'><feature policy='disable' name='arch-capabilities'/>
	<feature policy='disable' name='avx'/></cpu>" >vm.xml
on one define vm.xml
on one start --paused vm
cpu=$(domain_log one vm | grep -oP '(?<=^-cpu )\S+' | tail -n 1)
[ -n "$cpu" ] || die "the log has no -cpu: $(domain_log one vm)"
on one dumpxml vm
cp "$said/out" running.xml
agree 'virsh dumpxml' running.xml "$cpu" same
on one snapshot-create-as vm first
on one snapshot-dumpxml vm first
cp "$said/out" snapshot.xml
agree 'virsh snapshot-dumpxml' snapshot.xml "$cpu"
metadata=$place/one/var/lib/libvirt/qemu/snapshot/vm/first.xml
grep -q '<cookie>' "$metadata" || die "no cookie: $(cat "$metadata")"
agree 'the metadata of a snapshot' "$metadata" "$cpu" same
# /run is another one in there, seen through libvirtd's first process.
cp "/proc/$(pgrep -P "${cleanup[-1]#stop_host }")/root"/run/libvirt/qemu/vm.xml status.xml
grep -q '<domstatus' status.xml || die "no status: $(cat status.xml)"
agree "a running domain's status" status.xml "$cpu" same
on one save vm vm.save
on one save-image-dumpxml vm.save
cp "$said/out" saved.xml
agree 'virsh save-image-dumpxml' saved.xml "$cpu"
echo "ok -cpu $cpu"
