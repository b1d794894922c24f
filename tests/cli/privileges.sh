#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every verb that works on files does so for a user without any privilege, where nothing can be
# written but the states' directory: no network, a /proc and a /dev with nothing in them but
# /dev/null. What it says is what it says elsewhere. And who may read what a repair makes, whose
# undo file is believed, and that nobody gets rights by the program's file.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=../formats/lib.sh
. "$SOURCE/tests/formats/lib.sh"
: "${BUILD:?names the build directory}"
case ${FLAGS:-} in
*-fsanitize*) skip 'a sanitizer needs /proc' ;;
*--coverage*) skip 'counts are not written as another user' ;;
esac
need setpriv unshare mount zstd lzop setfacl
[ "$(id -u)" = 0 ] || skip 'makes a place without privileges, which needs root'
unshare --mount --net --pid --ipc --uts --fork true 2>/dev/null || skip 'no namespace can be made here'

nobody=65534
chmod 755 "$place"
# The user must be able to read it, wherever it was built.
mkdir program
cp -t program "$XFERRY" "$BUILD"/libxferry.so.0
as_nobody=(setpriv "--reuid=$nobody" "--regid=$nobody" --clear-groups --no-new-privs
	--bounding-set=-all --inh-caps=-all --ambient-caps=-all)

# ---- The place ----
# confined DIRECTORY COMMAND...: the directory is /mnt, and the only one that can be written,
# unless `writable` is no.
confined() {
	# shellcheck disable=SC2016 # expanded inside
	unshare --mount --net --pid --ipc --uts --fork --kill-child bash -euc '
		directory=$1 program=$2 writable=$3
		shift 3
		mount --make-rprivate /
		mount --bind "$program" /srv
		mount --bind "$directory" /mnt
		awk "{ print \$5 }" /proc/self/mountinfo | while read -r point; do
			case $point in
			/mnt) [ "$writable" = no ] || continue ;;
			esac
			mount -o remount,bind,ro "$point" 2>/dev/null || true
		done
		for point in /tmp /var/tmp /run /dev /proc /sys; do
			[ ! -d "$point" ] || mount -t tmpfs -o mode=755 none "$point"
		done
		(umask 000; mknod /dev/null c 1 3)
		for point in /tmp /var/tmp /run /dev /proc /sys; do
			[ ! -d "$point" ] || mount -o remount,bind,ro "$point"
		done
		cd /mnt
		exec "$@"
	' confined "$1" "$place/program" "${writable:-yes}" "${as_nobody[@]}" \
		env LD_LIBRARY_PATH=/srv "${@:2}"
}

# Is it such a place? As the test's own user would find, too, who is root.
mkdir states
chown $nobody:$nobody states
# shellcheck disable=SC2016 # expanded there
confined "$PWD/states" bash -c 'set -e
	touch /mnt/here; rm /mnt/here
	for place in / /tmp /etc /var/tmp /dev /proc /srv /root /home; do
		! touch "$place/there" 2>/dev/null || { echo "$place can be written"; exit 1; }
	done
	[ "$(id -u)$(id -g)" = 6553465534 ] || { echo "is somebody else"; exit 1; }
	[ -z "$(ls /proc)" ] && [ "$(ls /dev)" = null ] || { echo "there is $(ls /proc /dev)"; exit 1; }
	! bash -c ": <>/dev/tcp/127.0.0.1/9" 2>/dev/null' || die 'the place is not what it should be'

# ---- Each verb, here and there ----
each_format states
generate libvirt.py make states/libvirt.zst states/qemu --pack zstd
generate libvirt.py make states/libvirt.lzo states/qemu --pack lzop
generate area.py states/area --in-use 0x207
chown -R $nobody:$nobody states
guest=(--cpu qemu64)
target=(--to 'preset:linux-6.2,-pku')

# alike STATUS ARGUMENT...: there as here, in a copy of the states.
alike() {
	local due=$1

	shift
	cp -a states here
	cp -a states there
	(cd here && run "$due" "$@" <qemu && mv "$said/out" "$said/out-here" && mv "$said/err" "$said/err-here")
	confined "$PWD/there" /srv/xferry "$@" <states/qemu >"$said/out" 2>"$said/err" || status=$?
	told="xferry $*, without privileges"
	hold_status "$due" "${status:-0}"
	status=
	diff "$said/out-here" "$said/out" || die "$told: says something else"
	diff "$said/err-here" "$said/err" || die "$told: says something else"
	diff -r here there || die "$told: made something else"
	count=$((count + 1))
	rm -r here there
}

count=0 status=
alike 4 check "${guest[@]}" "${target[@]}" qemu
alike 4 check "${guest[@]}" "${target[@]}" --json .
alike 4 check "${guest[@]}" -
for packed in libvirt libvirt.gz libvirt.zst libvirt.lzo; do
	alike 4 check "${target[@]}" $packed
done
# gzip and lzop write the time of day into their headers.
alike 1 fix "${target[@]}" --in-place libvirt.zst
alike 1 fix "${target[@]}" -o copy libvirt.zst
alike 1 fix "${guest[@]}" "${target[@]}" --in-place qemu
alike 1 fix "${guest[@]}" "${target[@]}" -o copy qemu
alike 1 fix "${guest[@]}" "${target[@]}" --in-place 'qcow2#before'
alike 1 fix "${guest[@]}" "${target[@]}" -o copy 'qcow2#before'
alike 1 fix "${target[@]}" --in-place cloud-hypervisor
alike 1 fix "${target[@]}" --in-place firecracker
alike 1 fix "${guest[@]}" --layout intel --relay amd -o copy area
alike 4 route "${guest[@]}" qemu preset:pve-7 preset:linux-6.2,-pku
alike 0 explain XF101
alike 1 filter "${guest[@]}"
echo "ok $count commands, without privileges and where nothing else can be written"

# fix and undo in one go, to the byte.
cp -a states there
# shellcheck disable=SC2016 # expanded there
confined "$PWD/there" bash -euc '
	for state in qemu libvirt.zst libvirt.lzo; do
		/srv/xferry fix --cpu qemu64 --in-place $state || [ $? = 1 ]
		/srv/xferry undo $state.xfundo
	done' >"$said/out" 2>&1 || die "$(cat "$said/out")"
diff -r states there || die 'undo without privileges leaves something else'
rm -r there
echo 'ok undo, without privileges'

# Where not even the states can be written: check is as ever, fix says one line.
run 4 check "${guest[@]}" "${target[@]}" --json states/qemu
sed 's,states/qemu,qemu,' "$said/out" >due
writable=no confined "$PWD/states" /srv/xferry check "${guest[@]}" "${target[@]}" --json qemu >got || true
diff due got || die 'check of what can only be read says something else'
for how in --in-place '-o copy'; do
	status=0
	# shellcheck disable=SC2086 # words are meant
	writable=no confined "$PWD/states" /srv/xferry fix "${guest[@]}" $how qemu \
		>"$said/out" 2>"$said/err" || status=$?
	told="xferry fix $how, where nothing can be written"
	hold_status 8 $status
	one_error 'Read-only file system'
done
echo 'ok where nothing can be written at all'

# ---- Who may read what a repair makes ----
# private FILE: nobody but its owner.
private() {
	[ "$(stat -c %a "$1")" = 600 ] || die "$1 has the mode $(stat -c %a "$1")"
}

mkdir modes
sample leaky-pc-qemu64.qevm modes/vm
chmod 600 modes/vm
umask 000
run 1 fix "${guest[@]}" -o modes/copy modes/vm
private modes/copy
run 1 fix "${guest[@]}" --in-place modes/vm
private modes/vm.xfundo
private modes/vm
run 0 undo modes/vm.xfundo
# Others may not change the undo file, whoever may change the state.
chmod 666 modes/vm
run 1 fix "${guest[@]}" --in-place modes/vm
[ "$(stat -c %a modes/vm.xfundo)" = 644 ] || die "the undo file has $(stat -c %a modes/vm.xfundo)"
run 0 undo modes/vm.xfundo
rm modes/copy
# What is of a group is not for another one.
chmod 640 modes/vm
chgrp $nobody modes/vm
run 1 fix "${guest[@]}" -o modes/copy modes/vm
private modes/copy
rm modes/copy
chmod 644 modes/vm
run 1 fix "${guest[@]}" -o modes/copy modes/vm
[ "$(stat -c %a modes/copy)" = 644 ] || die "anybody may read: $(stat -c %a modes/copy)"
rm modes/copy
chmod 604 modes/vm
run 1 fix "${guest[@]}" -o modes/copy modes/vm
[ "$(stat -c %a modes/copy)" = 604 ] || die "all but a group: $(stat -c %a modes/copy)"
rm modes/copy
chmod 640 modes/vm
chgrp 0 modes/vm
run 1 fix "${guest[@]}" -o modes/copy modes/vm
[ "$(stat -c %a modes/copy)" = 640 ] || die "of the same group: $(stat -c %a modes/copy)"
mkdir -m 2777 modes/shared
chgrp $nobody modes/shared
run 1 fix "${guest[@]}" -o modes/shared/copy modes/vm
private modes/shared/copy
# With a list of who may, the group's bits are the list's, not the group's.
chmod 600 modes/vm
if setfacl -m u:$nobody:-,o::r modes/vm 2>/dev/null; then
	run 1 fix "${guest[@]}" -o modes/listed modes/vm
	private modes/listed
else
	echo "note: no access lists in $place"
fi
cp states/libvirt.zst modes/packed
chmod 600 modes/packed
run 1 fix --in-place modes/packed
for name in packed packed.xfundo packed.xforig; do
	private modes/$name
done
umask 022
echo 'ok modes'

# ---- Whose undo file is believed ----
mkdir -m 1777 sticky
sample leaky-pc-qemu64.qevm sticky/vm
run 1 fix "${guest[@]}" --in-place sticky/vm
chown $nobody sticky/vm.xfundo
fails 8 'vm.xfundo: belongs to user 65534, who is neither you nor the owner of .*vm: it is not believed' \
	undo sticky/vm.xfundo
chown 0 sticky/vm.xfundo
chmod 666 sticky/vm.xfundo
fails 8 'vm.xfundo: can be written by others, who cannot write .*: it is not believed' \
	undo sticky/vm.xfundo
# Of the state's own owner it is: he could change the state himself.
chmod 644 sticky/vm.xfundo
chown $nobody sticky/vm.xfundo sticky/vm
run 0 undo sticky/vm.xfundo
cp states/libvirt.zst sticky/packed
chown 0 sticky/packed
run 1 fix --in-place sticky/packed
chown $nobody sticky/packed.xfundo
fails 8 'packed.xfundo: belongs to user 65534' undo sticky/packed.xfundo
echo 'ok undo files of others'

# ---- Names that somebody has put there ----
# A link in the way of an undo file or a copy is not followed, not even one that leads nowhere.
sample leaky-pc-qemu64.qevm sticky/vm
ln -s ../target sticky/vm.xfundo
fails 8 'vm.xfundo: exists already and is not overwritten' fix "${guest[@]}" --in-place sticky/vm
fails 8 'vm.xfundo: exists already and is not overwritten' fix "${guest[@]}" -o sticky/vm.xfundo sticky/vm
[ ! -e target ] || die 'a link was followed'
echo 'ok links'

# ---- Rights of the program's file ----
# The one that needs no library: for such a program the linker looks in the system's places only.
[ -x "$BUILD/cli/xferry-static" ] || skip 'xferry-static is not built; all but set-user-ID is tested'
mkdir -m 755 raised
for mode in 4755 2755; do
	cp "$BUILD/cli/xferry-static" raised/xferry
	chmod $mode raised/xferry
	status=0
	setpriv "--reuid=$nobody" "--regid=$nobody" --clear-groups raised/xferry check sticky/vm \
		>"$said/out" 2>"$said/err" || status=$?
	told="xferry, with the mode $mode"
	hold_status 8 $status
	no_output
	one_error 'is set-user-ID or set-group-ID, and refuses to run so'
done
echo 'ok rights of its file'
