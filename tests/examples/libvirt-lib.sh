# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# libvirt of the test's own, each daemon as if it were another host: its own /etc/libvirt,
# /run and /var, its own processes, its own host name. Nothing of the machine's libvirt,
# should it have one, is seen or touched, and no service is started. Sourced behind
# tests/cli/lib.sh.
: "${place:?}" "${said:?}"

# Skips where it cannot be had.
need_libvirt() {
	need libvirtd virsh unshare qemu-system-x86_64 python3
	[ "$(id -u)" = 0 ] || skip 'only root may give libvirtd directories of its own'
	unshare -m -u -p --fork true 2>/dev/null || skip 'no namespaces may be made here'
	{ : <>/dev/kvm; } 2>/dev/null || skip 'no /dev/kvm that may be used'
}

# Runs in the namespaces, in place of the machine's files, for as long as libvirtd does.
# $1 the host's name, $2 its directory
enter_host() {
	local name=$1 dir=$2

	set -eu
	hostname "$name"
	mount -t tmpfs tmpfs /run
	mount --bind "$dir/etc/libvirt" /etc/libvirt
	mount --bind "$dir/var" /var
	# Debian's libvirt looks its user up, whatever its configuration says.
	if ! id libvirt-qemu >/dev/null 2>&1; then
		{ cat /etc/passwd; echo 'libvirt-qemu:x:64055:64055::/nonexistent:/bin/false'; } >"$dir/passwd"
		{ cat /etc/group; echo 'libvirt-qemu:x:64055:'; } >"$dir/group"
		mount --bind "$dir/passwd" /etc/passwd
		mount --bind "$dir/group" /etc/group
	fi
	# Not exec: QEMUs that end are left to the first process, which libvirtd is no good at.
	libvirtd --config "$dir/libvirtd.conf" --pid-file "$dir/pid" &
	wait $!
}

# configure_host NAME: the files of a host; its hooks go to NAME/etc/libvirt/hooks.
configure_host() {
	local dir=$place/$1

	mkdir -p "$dir/etc/libvirt/hooks/qemu.d" "$dir/sock" "$dir/var/log/libvirt/qemu" \
		"$dir/var/tmp"
	ln -s /run "$dir/var/run"
	cat >"$dir/libvirtd.conf" <<-EOF
		unix_sock_dir = "$dir/sock"
		auth_unix_rw = "none"
		auth_unix_ro = "none"
		host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
		log_outputs = "3:file:$dir/libvirtd.log"
	EOF
	# No user to change to, no cgroups or security module to count on, no other daemon.
	cat >"$dir/etc/libvirt/qemu.conf" <<-EOF
		user = "root"
		group = "root"
		security_driver = "none"
		cgroup_controllers = []
		namespaces = []
		dynamic_ownership = 0
		remember_owner = 0
		stdio_handler = "file"
	EOF
}

start_host() {
	local name=$1 tries=0

	unshare -m -u -p --fork --kill-child --mount-proc \
		bash -c "$(declare -f enter_host); enter_host \"\$@\"" enter_host \
		"$name" "$place/$name" >"$place/$name/said" 2>&1 &
	cleanup+=("stop_host $!")
	until virsh -c "$(uri "$name")" uri >/dev/null 2>&1; do
		kill -0 $! 2>/dev/null || skip "libvirtd does not run here: $(tail -n 1 "$place/$name/said"
			grep 'error :' "$place/$name/libvirtd.log" | tail -n 1)"
		tries=$((tries + 1))
		[ $tries -lt 600 ] || die "libvirtd does not answer: $(cat "$place/$name/libvirtd.log")"
		sleep 0.1
	done
}

# With its first process all processes of a host end.
stop_host() {
	kill -KILL "$1"
	wait "$1" 2>/dev/null
}

uri() {
	echo "qemu+unix:///system?socket=$place/$1/sock/libvirt-sock"
}

# on HOST COMMAND...: virsh, which must succeed.
on() {
	local host=$1
	shift
	virsh -q -c "$(uri "$host")" "$@" >"$said/out" 2>"$said/err" ||
		die "virsh $* on $host: $(cat "$said/err"; tail -n 3 "$place/$host/var/log/libvirt/qemu/"*.log)"
}

# The log of a host's domain, which has the environment, the command and what QEMU said.
domain_log() {
	cat "$place/$1/var/log/libvirt/qemu/$2.log"
}

# The samples' CPU.
# shellcheck disable=SC2034 # for those who source this
qemu64="<cpu mode='custom' match='exact'>
    <model fallback='forbid'>qemu64</model>
    <feature policy='disable' name='svm'/>
  </cpu>"

# The samples' machine: the same devices, a ROM of the same size, which must be there, "rom".
# $1 the CPU, $2 what goes before the end.
domain() {
	cat <<-EOF
		<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
		  <name>guest</name>
		  <uuid>8a62b9f0-7e20-4f2c-9c0e-0d9a6bf3a1c7</uuid>
		  <memory unit='MiB'>16</memory>
		  <vcpu>1</vcpu>
		  <os>
		    <type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>
		    <loader type='rom'>$place/rom</loader>
		  </os>
		  <features><acpi/></features>
		  $1
		  <devices>
		    <emulator>$(command -v qemu-system-x86_64)</emulator>
		    <controller type='usb' model='none'/>
		    <serial type='null'/>
		    <memballoon model='none'/>
		  </devices>
		$2
		</domain>
	EOF
}

# restore HOST IMAGE: a copy of it, which libvirt then writes to. Leaves the domain paused.
restore() {
	cp "$2" "$2.copy"
	on "$1" restore --paused "$2.copy"
}

# xmm5 HOST: the register in which the samples' guest keeps a value, as KVM has it.
xmm5() {
	on "$1" qemu-monitor-command guest --hmp 'info registers'
	grep -o 'XMM05=[0-9a-f ]*' "$said/out"
}

end() {
	on "$1" destroy guest
}
