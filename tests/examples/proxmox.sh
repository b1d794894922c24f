#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# examples/proxmox on a machine that is no Proxmox host. A stand-in plays `pvesm path`, which
# is all that the hookscript asks Proxmox for; configurations, volumes and streams are real,
# and so are dpkg's diversion and the QEMU behind the wrapper.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
example=$SOURCE/examples/proxmox

# ---- The hookscript ----

# Storages: "dir" has files, "blk" block devices.
mkdir bin dir conf
cat >bin/pvesm <<EOF
#!/bin/sh
[ "\$1" = path ] || exit 1
case \$2 in
dir:*) echo "$place/dir/\${2#dir:}" ;;
blk:*) cat "$place/blk" ;;
rbd:*) echo "rbd:pool/\${2#rbd:}:conf=/etc/pve/ceph.conf" ;;
*) echo "storage does not exist" >&2; exit 2 ;;
esac
EOF
chmod +x bin/pvesm
PATH=$place/bin:$PATH
xferry_built=$XFERRY
export CONFIG=$place/conf UNDO=$place/undo XFERRY

# As Proxmox writes them.
kvm64=kvm64,enforce,+kvm_pv_eoi,+kvm_pv_unhalt,+lahf_lm,+sep
cat >suspended.conf <<EOF
boot: order=scsi0
lock: suspended
memory: 16
runningcpu: $kvm64
runningmachine: pc-i440fx-7.2+pve0
vmstate: dir:100/vm-100-state-suspend-2026-11-22.raw
EOF
cat >snapshot.conf <<EOF
boot: order=scsi0
memory: 16
parent: before
vmgenid: 1f9bb2f6-04a5-4a4e-b0a0-6e0a1a3f1a0c

[PENDING]
memory: 32

[before]
#A description: with a colon, and vmstate: nothing
memory: 16
runningcpu: $kvm64
runningmachine: pc-i440fx-7.2+pve0
snaptime: 1700000000
vmstate: dir:100/vm-100-state-before.raw

[older]
memory: 16
runningcpu: max
vmstate: dir:100/vm-100-state-older.raw
EOF
mkdir dir/100

# volume FILE SAMPLE: a state volume: the stream, and behind it what an earlier one has left.
volume() {
	cp "$samples/$2" "$1"
	chmod u+w "$1"
	truncate -s 1M "$1"
	cat "$samples/leaky-pc-max.qevm" >>"$1"
	truncate -s 4M "$1"
}

# hook STATUS PHASE [TASK]: the hookscript, by a process of that name where one is given.
hook() {
	local due=$1 phase=$2 status=0
	told="hookscript 100 $phase ${3:-}"
	if [ -n "${3:-}" ]; then
		# Not the last command, or bash would be replaced by it.
		(exec -a "$3" bash -c '"$0" 100 "$1"; exit $?' "$example/hookscript" "$phase")
	else
		"$example/hookscript" 100 "$phase"
	fi >"$said/out" 2>"$said/err" || status=$?
	hold_status "$due" "$status"
}
rollback='task UPID:node:00001234:00005678:65A0B0C0:qmrollback:100:root@pam:'
says() { grep -Eq -- "$1" "$said/out" || die "$told: expected /$1/: $(cat "$said/out")"; }
silent() { [ ! -s "$said/out" ] || die "$told: $(cat "$said/out")"; }
same_file() { cmp "$1" "$2" || die "$told: $1 has changed"; }


undo_all() {
	local file
	for file in undo/*.xfundo; do
		run 0 undo "$file"
	done
}

{ : <>/dev/kvm; } 2>/dev/null || skip 'no /dev/kvm to ask what it would refuse'
volume as-saved leaky-pc-qemu64.qevm

state=dir/100/vm-100-state-suspend-2026-11-22.raw
cp suspended.conf conf/100.conf
cp as-saved $state
for phase in post-start pre-stop post-stop; do
	hook 0 $phase
	silent
done
MODE=check hook 0 pre-start
says 'findings: xferry check --cpu '
same_file $state as-saved
echo 'ok other phases and MODE=check change nothing'

hook 0 pre-start
no_error
says 'repaired; to take it back: xferry undo '
run 0 check --cpu qemu64 $state
hook 0 pre-start
says 'nothing to repair'
undo_all
same_file $state as-saved
echo 'ok what a suspended VM resumes from is repaired, and can be taken back'

state=dir/100/vm-100-state-before.raw
cp snapshot.conf conf/100.conf
cp as-saved $state
cp as-saved dir/100/vm-100-state-older.raw
hook 0 pre-start "$rollback"
no_error
says 'vm-100-state-before.raw: repaired'
run 0 check --cpu qemu64 $state
same_file dir/100/vm-100-state-older.raw as-saved
undo_all
echo 'ok what a VM is rolled back to is repaired, and no other snapshot'

sed -i '/^parent:/d' conf/100.conf
hook 0 pre-start
silent
same_file $state as-saved
sed 's/^vmstate:.*//' snapshot.conf >conf/100.conf
hook 0 pre-start "$rollback"
silent
echo 'ok a VM that loads no state is none of its business'

# The guest's own, where this machine cannot hold it: nothing may be dropped.
sed "s/^runningcpu:.*/runningcpu: max/" snapshot.conf >conf/100.conf
volume own leaky-pc-max.qevm
cp own $state
"$XFERRY" check --cpu max --to local $state >"$said/check" || true
if grep -q 'outcome refused' "$said/check"; then
	hook 1 pre-start "$rollback"
	says 'KVM refuses the state .* the VM is not started'
	START_REFUSED=yes hook 0 pre-start "$rollback"
	hook 0 pre-start
	says 'findings'
	same_file $state own
	echo 'ok a rollback fails that would be refused, a plain start does not'

	# With a CPU that depends on the host, the script tells the way out, and it is one.
	sed "s/^runningcpu:.*/runningcpu: host,+kvm_pv_eoi,+pcid/" snapshot.conf >conf/100.conf
	hook 1 pre-start "$rollback"
	says 'START_REFUSED=yes '
	way=$(sed -n 's/^xferry: VM 100: \(xferry fix .*\)/\1/p' "$said/out")
	"$XFERRY" probe --json >A.json
	run 4 check --cpu host --from A.json --to local $state
	if grep -q '^  repair .* answers then: accepted$' "$said/out"; then
		bash -c "'$XFERRY' ${way#xferry }" >"$said/out" || [ $? = 1 ] ||
			die "$way: $(cat "$said/out")"
		hook 0 pre-start "$rollback"
		run 0 undo undo/100.xfundo
		echo 'ok the way out that a refused start tells'
	else
		echo "not shown: the way out; a 'host' guest of this machine has what it refuses"
	fi
	same_file $state own
else
	echo 'not shown: a state that is refused; this KVM takes all the samples'
fi

# Without xferry nobody knows what would be loaded.
cp snapshot.conf conf/100.conf
cp as-saved $state
XFERRY=$place/nothing hook 1 pre-start "$rollback"
says "there is no $place/nothing"
says 'START_REFUSED=yes '
XFERRY=$place/nothing START_REFUSED=yes hook 0 pre-start "$rollback"
XFERRY=$place/nothing MODE=check hook 0 pre-start "$rollback"
XFERRY=$place/nothing hook 0 pre-start
says 'not installed'
# By the PATH that Proxmox sets.
(
	unset XFERRY
	PATH=$place/bin:/sbin:/bin:/usr/sbin:/usr/bin
	installed=$(command -v xferry || echo /usr/local/bin/xferry)
	[ -x "$installed" ] || hook 1 pre-start "$rollback"
	[ -x "$installed" ] || says 'there is no /usr/local/bin/xferry'
	ln -s "$xferry_built" bin/xferry
	hook 0 pre-start "$rollback"
	says 'repaired'
)
rm bin/xferry
undo_all
same_file $state as-saved
echo 'ok without xferry a VM is not started from what nobody has looked at'

# What can go wrong says so, and does not keep the VM from its start.
sed '/^runningcpu:/d' snapshot.conf >conf/100.conf
cp as-saved $state
hook 0 pre-start "$rollback"
says "no word of its guest.s CPU .*: not repaired; by hand: xferry check --qm '[^']*/100.conf:before' --to local '"
same_file $state as-saved
cp snapshot.conf conf/100.conf
head -c 1M /dev/zero >$state
hook 0 pre-start "$rollback"
one_error 'is no saved state that xferry reads'
says 'not repaired: xferry ended with status 64'
sed -i 's/^vmstate: dir:/vmstate: rbd:/' conf/100.conf
# Proxmox' Perl, which is asked to activate it, is not here.
hook 0 pre-start "$rollback"
says 'is no file of this host'
echo 'ok what cannot be repaired is said'

if device=$(losetup --find --show as-saved 2>/dev/null); then
	cleanup+=("losetup -d $device")
	echo "$device" >blk
	sed 's/^vmstate: dir:/vmstate: blk:/' snapshot.conf >conf/100.conf
	cp as-saved before
	hook 0 pre-start "$rollback"
	says 'repaired'
	run 0 check --cpu qemu64 "$device"
	undo_all
	blockdev --flushbufs "$device"
	same_file as-saved before
	echo 'ok a volume that is a block device'
else
	echo 'not shown: a block device; no loop device may be made here'
fi

# ---- The wrapper ----

case ${FLAGS:-} in
*-fsanitize*) exit 0 ;; # a guard with a sanitizer cannot be preloaded into QEMU
esac
[ -n "${GUARD:-}" ] || exit 0 # not built for this machine
need dpkg-divert qemu-system-x86_64 socat logger

# A root as dpkg sees it, with a kvm as Proxmox' package has it.
mkdir -p root/usr/bin root/var/lib/dpkg/info
touch root/var/lib/dpkg/status
ln -s "$(command -v qemu-system-x86_64)" root/usr/bin/kvm
divert() { dpkg-divert --root "$place/root" --local --rename "$@" >/dev/null; }
divert --divert /usr/bin/kvm.distrib --add /usr/bin/kvm
grep -q '^#	dpkg-divert --local --rename --divert /usr/bin/kvm.distrib --add /usr/bin/kvm$' \
	"$example/kvm-wrapper" || die 'the wrapper tells of another diversion'
sed "s|^GUARD=.*|GUARD=$GUARD|; s|^KVM=|&$place/root|; s|^export XFERRY_GUARD_LOG=.*|export XFERRY_GUARD_LOG=$place/log|" \
	"$example/kvm-wrapper" >root/usr/bin/kvm
chmod 755 root/usr/bin/kvm
head -c 65536 /dev/zero >rom

# load MODE: has the wrapped QEMU load the sample; a register of its guest is in $register.
load() {
	rm -f log qmp
	sed -i "s|^export XFERRY_GUARD=.*|export XFERRY_GUARD=$1|" root/usr/bin/kvm
	root/usr/bin/kvm -accel kvm -S -machine pc-i440fx-7.2 -cpu qemu64 -m 16 \
		-nodefaults -display none -bios rom -serial null -daemonize -pidfile pid \
		-monitor "unix:$place/qmp,server=on,wait=off" \
		-incoming "exec:cat $samples/leaky-pc-qemu64.qevm" >"$said/out" 2>"$said/err" ||
		die "kvm: $(cat "$said/err")"
	cleanup+=("kill $(cat pid)")
	for try in {1..50}; do
		printf 'info status\n' | socat -t 0.2 - UNIX-CONNECT:qmp >"$said/status"
		! grep -q 'paused (inmigrate)' "$said/status" || { sleep 0.1; continue; }
		break
	done
	[ "$try" -lt 50 ] || die 'the state was not loaded'
	# As PVE::QemuServer::Helpers finds its VMs.
	tr '\0' '\n' <"/proc/$(cat pid)/cmdline" | head -n 1 | grep -q 'kvm$' ||
		die "Proxmox would not know it: $(tr '\0' ' ' <"/proc/$(cat pid)/cmdline")"
	for wait in 0.2 2 8; do
		register=$(printf 'info registers\n' | socat -t $wait - UNIX-CONNECT:qmp |
			grep -o 'XMM05=[0-9a-f ]*') || continue
		break
	done
	kill "$(cat pid)"
	while [ -e pid ]; do sleep 0.05; done
	unset 'cleanup[-1]'
}
load observe
observed=$register
grep -q 'mode=observe' log || die 'the guard said nothing'
load trim
[ "$register" != "$observed" ] || die "trim and observe give the same: $observed"
grep -q 'mode=trim' log || die 'the guard said nothing'
sed -i 's|^GUARD=.*|GUARD=/nowhere.so|' root/usr/bin/kvm
# The real logger, with a socket of the test's for the journal.
printf '#!/bin/sh\nexec %s --socket %s "$@"\n' "$(command -v logger)" "$place/journal" >bin/logger
chmod +x bin/logger
socat -u UNIX-RECV:journal OPEN:logged,creat &
cleanup+=("kill $!")
until [ -S journal ]; do sleep 0.05; done
load trim
grep -q 'xferry-guard: there is no /nowhere.so' logged || die 'the missing guard was not logged'
[ "$register" = "$observed" ] || die 'there should have been no guard'
[ ! -e log ] || die 'there should have been no guard'
echo 'ok the wrapper starts kvm with the guard, by its own name'

rm root/usr/bin/kvm
divert --remove /usr/bin/kvm
[ -L root/usr/bin/kvm ] || die 'the diversion was not taken back'
echo 'ok the diversion is taken back'
