#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Real libvirt and QEMU with examples/libvirt: a saved image whose state leaked is restored
# without the guard, with it in the domain's XML, and with the hook; then a domain migrates
# live from one libvirtd to another that has the hook.
here=$(realpath "$(dirname "$0")")
# shellcheck source=../cli/lib.sh
. "$here/../cli/lib.sh"
# shellcheck source=libvirt-lib.sh
. "$here/libvirt-lib.sh"
[ -n "${GUARD:-}" ] || skip 'the guard is not built for this machine'
case ${FLAGS:-} in
*-fsanitize*) skip 'a guard with a sanitizer cannot be preloaded into QEMU' ;;
esac
need_libvirt
example=$SOURCE/examples/libvirt

# with_stream IMAGE STREAM: the saved image with another stream behind its header and XML.
with_stream() {
	local header=92 length

	[ "$(head -c 16 "$1")" = LibvirtQemudSave ] || die "$1 is no saved image of libvirt's"
	length=$(od -An -t u4 -j 20 -N 4 "$1")
	head -c $((header + length)) "$1"
	cat "$2"
}

# What the guard said in the log of the run that began last.
guard_said() {
	domain_log "$1" guest | tac | awk '/starting up libvirt/ { exit } /xferry-guard:/'
}

# has_guard HOST: the domain runs with what examples/libvirt gives it.
has_guard() {
	on "$1" dumpxml guest
	grep -q "<qemu:env name='LD_PRELOAD' value='$GUARD'/>" "$said/out" ||
		die "$1's domain has no guard: $(cat "$said/out")"
	grep -q "<qemu:env name='XFERRY_GUARD' value='trim'/>" "$said/out" || die "$(cat "$said/out")"
}

# The files name the guard where it is once installed; here it is where it was built.
installed=/usr/lib/x86_64-linux-gnu/libxferry-guard.so
for file in hook guard.xml; do
	grep -q "'$installed'" "$example/$file" || die "$file does not name $installed"
	sed "s|$installed|$GUARD|" "$example/$file" >"$file"
done
fragment=$(sed -n '/^  <qemu:commandline>/,/<\/qemu:commandline>/p' guard.xml)

head -c 65536 /dev/zero >rom
run 1 fix --cpu qemu64 -o repaired.qevm "$samples/leaky-pc-qemu64.qevm"
domain "$qemu64" '' >plain.xml
domain "$qemu64" "$fragment" >guarded.xml
domain "$qemu64" "${fragment/trim/observe}" >observed.xml

configure_host a
start_host a
for kind in plain guarded observed; do
	on a create --paused $kind.xml
	on a save guest $kind.image
	with_stream $kind.image "$samples/leaky-pc-qemu64.qevm" >$kind.leaky
done
with_stream plain.image repaired.qevm >plain.repaired

restore a plain.repaired
intact=$(xmm5 a)
end a
restore a plain.leaky
lost=$(xmm5 a)
end a
if [ "$lost" = "$intact" ]; then
	skip "this machine's KVM takes the state as it leaked: nothing is to be seen"
fi
echo "ok without the guard the guest loses $intact"

restore a guarded.leaky
has_guard a
[ "$(xmm5 a)" = "$intact" ] || die "the guard did not save the guest: $(xmm5 a)"
guard_said a | grep -q 'direction=set mode=trim .* superfluous=0x[1-9a-f]' || die "$(guard_said a)"
end a
echo 'ok with guard.xml the saved image is restored whole, and the log says what was dropped'

# KubeVirt is not here; what its hook is called with is.
python3 hook --vmi '{}' --domain "$(cat plain.xml)" >defined.xml
on a create --paused defined.xml
has_guard a
end a
[ "$(python3 hook --vmi '{}' --domain "$(cat observed.xml)" | grep -c LD_PRELOAD)" = 1 ] ||
	die 'a second guard'
sed "s|$GUARD|/lib/one.so /lib/two.so|" observed.xml >other.xml
python3 hook --vmi '{}' --domain "$(cat other.xml)" >defined.xml
grep -q "LD_PRELOAD\" value=\"/lib/one.so:/lib/two.so:$GUARD\"" defined.xml ||
	die "other libraries were lost: $(grep LD_PRELOAD defined.xml)"
echo 'ok as onDefineDomain the hook gives the guard to a domain'

restore a observed.leaky
[ "$(xmm5 a)" = "$lost" ] || die "observe changed something: $(xmm5 a)"
guard_said a | grep -q 'direction=set mode=observe .* dropped=0x0' || die "$(guard_said a)"
end a
echo 'ok observe says what is superfluous, and changes nothing'

# A host with the hook, as one would put it there.
configure_host b
install -m 755 hook b/etc/libvirt/hooks/qemu.d/xferry
start_host b

restore b plain.leaky
has_guard b
[ "$(xmm5 b)" = "$intact" ] || die "the guard did not save the guest: $(xmm5 b)"
[ -n "$(guard_said b)" ] || die "no word of the guard: $(domain_log b guest)"
end b
echo 'ok the hook gives the guard to a domain that is restored'

restore b observed.leaky
on b dumpxml guest
grep -q "name='XFERRY_GUARD' value='observe'" "$said/out" || die "the hook changed the mode"
[ "$(grep -c "name='LD_PRELOAD'" "$said/out")" = 1 ] || die "$(cat "$said/out")"
end b
echo 'ok the hook leaves a domain alone that has the guard'

on a create --paused plain.xml
on a migrate --live guest "$(uri b)" --migrateuri "unix://$place/migration"
has_guard b
end b
echo 'ok the hook gives the guard to a domain that migrates'

# Without the library nothing is loaded in its stead.
sed -i "s|$GUARD|$place/nowhere.so|" b/etc/libvirt/hooks/qemu.d/xferry
cp plain.leaky refused.image
! virsh -c "$(uri b)" restore refused.image >"$said/out" 2>"$said/err" || die 'it was restored'
grep -q "there is no $place/nowhere.so" "$said/err" || die "$(cat "$said/err")"
on b list --all --name
[ -z "$(tr -d '[:space:]' <"$said/out")" ] || die "$(cat "$said/out")"
cmp plain.leaky refused.image || die 'the image was changed'
echo 'ok where the guard is missing the hook has nothing restored'
