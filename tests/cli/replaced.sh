#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fix --in-place of a compressed state, which a new file takes the place of: what that one
# keeps, what stops it, what somebody else saves meanwhile, and the way back. What becomes of
# it when calls fail, or it is killed, or the power fails: tests/faults.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need xz python3

image=(python3 "$SOURCE/tests/formats/libvirt.py")
"${image[@]}" make vm "$samples/leaky-q35-qemu64-smp2.qevm" --pack xz
fix=(fix --in-place vm)
before=$(hash_of vm)
run 1 fix -o repaired vm
after=$(hash_of repaired)

names() {
	find . -maxdepth 1 ! -name . ! -name .said -printf '%f\n' | sort | paste -sd ' '
}

only() {
	[ "$(names)" = "$*" ] || die "$told: there is $(names)"
}

# ---- What it keeps ----
keep=vm
chmod 640 $keep
[ "$(id -u)" != 0 ] || chown 65534:65533 $keep
if setfattr -n user.word -v kept $keep 2>/dev/null && setfacl -m u:1234:r $keep 2>/dev/null; then
	kept=', access list and attributes'
fi
attributes() {
	stat -c '%U %G %a' "$1"
	[ -z "${kept:-}" ] || { getfattr -d "$1" && getfacl -cn "$1"; } 2>/dev/null | grep -v '^#'
}
attributes vm >"$said/attributes"
touch -d '2020-01-02 03:04:05' vm
stat -c %y vm >"$said/time"
run 1 "${fix[@]}"
[ "$(hash_of vm)" = "$after" ] || die 'the copy and the file in place differ'
attributes vm | diff "$said/attributes" - || die 'owner, mode or attributes are not kept'
grep -qx 'Undo needs the original, which is kept: vm\.xforig' "$said/out" ||
	die "$told: does not say where the original is: $(cat "$said/out")"
only repaired vm vm.xforig vm.xfundo
[ "$(hash_of vm.xforig)" = "$before" ] || die 'what is kept is not the original'
run 0 undo vm.xfundo
only repaired vm
[ "$(hash_of vm)" = "$before" ] || die 'undo did not restore the state'
stat -c %y vm | diff "$said/time" - || die 'undo did not bring the very file back'
attributes vm | diff "$said/attributes" -
echo "ok owner, mode${kept:-} are kept; undo brings back the file itself"

mkdir other
ln -s ../vm other/link
run 1 fix --in-place other/link
grep -qx "Undo needs the original, which is kept: $place/vm\.xforig" "$said/out" ||
	die "$told: does not say where the original is: $(cat "$said/out")"
[ -L other/link ] || die 'the symbolic link was replaced'
[ "$(hash_of vm)" = "$after" ] || die 'not what the link names was repaired'
run 0 undo other/link.xfundo
[ "$(hash_of vm)" = "$before" ] || die 'undo did not go through the link'
run 1 fix --in-place --undo-file other/undo vm
only other repaired vm vm.xforig
run 0 undo other/undo
[ "$(hash_of vm)" = "$before" ] || die 'undo from another directory'
rm -r other
only repaired vm
echo 'ok through a symbolic link; an undo file elsewhere'

# ---- What stops it ----
touch vm.xforig
fails 8 'vm\.xforig: exists already and is not overwritten$' "${fix[@]}"
rm vm.xforig
touch vm.xfnew
fails 8 'vm\.xfnew: exists already and is not overwritten$' "${fix[@]}"
rm vm.xfnew
touch vm.xfundo
fails 8 'vm\.xfundo: exists already and is not overwritten; .*: xferry undo vm\.xfundo$' "${fix[@]}"
rm vm.xfundo
ln vm second
fails 8 'vm: has 2 names, ' "${fix[@]}"
rm second
if mkdir full && mount -t tmpfs -o size=96k tmpfs full 2>/dev/null; then
	cleanup=("umount $place/full")
	cp vm full
	fails 8 'full/vm\.xfnew: .*: No space left on device$' fix --in-place full/vm
	umount full
	cleanup=()
fi
rmdir full
mkdir closed
cp -p vm closed
chmod 666 closed/vm
chmod 555 closed
if [ "$(id -u)" = 0 ]; then
	bare() { setpriv --reuid=65532 --regid=65532 --clear-groups "$XFERRY" "$@"; }
	chmod 755 .
	if setpriv --reuid=65532 --regid=65532 --clear-groups "$XFERRY" --version >/dev/null 2>&1; then
		fails_as bare 8 'closed/vm\.xfnew: create: Permission denied$' fix --in-place closed/vm
		chmod 777 closed
		fails_as bare 8 'closed/vm\.xfnew: keep the owner: Operation not permitted$' \
			fix --in-place closed/vm
	fi
else
	fails 8 'closed/vm\.xfnew: create: Permission denied$' fix --in-place closed/vm
fi
chmod 755 closed
rm -r closed

# ---- What stops the way back ----
run 1 "${fix[@]}"
cp vm.xforig kept
printf x >>vm
fails 8 'vm: is not as the repair left it; nothing was changed$' undo vm.xfundo
cp repaired vm
printf x >>vm.xforig
fails 8 'vm\.xforig: is not the original that the repair has kept; ' undo vm.xfundo
rm vm.xforig
fails 8 'vm\.xforig: open: No such file or directory$' undo vm.xfundo
mv kept vm.xforig
run 0 undo vm.xfundo
[ "$(hash_of vm)" = "$before" ] || die 'undo did not restore the state'
echo 'ok what was changed since is not undone'

need_countable_calls

# ---- Somebody else saves meanwhile ----

# nth REGEX COMMAND...: the number of the first call of those that `calls` lists.
nth() {
	local line
	line=$(calls "${@:2}" | grep -E "$1" | head -n 1)
	[ -n "$line" ] || die "xferry ${*:3}: makes no call like $1"
	line=${line#* }
	echo "${line%% *}"
}

# meanwhile CALL N FILE WHAT COMMAND...: the function WHAT is run once FILE is there, while
# call N of CALL is held up, which comes behind all that is read of the state.
meanwhile() {
	local name=$1 n=$2 there=$3 what=$4 status=0 child i
	shift 4
	told="xferry $*, and $what meanwhile"
	with "$name" "$n" delay_enter=3000000 "$@" >"$said/out" 2>"$said/err" &
	child=$!
	for ((i = 0; i < 100; i++)); do
		[ -e "$there" ] && break
		sleep 0.02
	done
	[ -e "$there" ] || die "$told: $there never came"
	sleep 1
	"$what"
	wait "$child" || status=$?
	hold_status 8 "$status"
}
written() { printf x | dd of=vm bs=1 seek=100 conv=notrunc status=none; }
exchanged() { printf 'a newer save' >newer && mv newer vm; }
linked() { ln vm second; }

# fix: held up where the second name of the original is made durable.
links=$(calls vm "${fix[@]}" | awk '/^link / { seen = 1 } seen && /^fsync/ { print $2; exit }')
run 0 undo vm.xfundo
cp -p vm saved
for what in written exchanged linked; do
	meanwhile fsync "$links" vm.xforig "$what" "${fix[@]}"
	one_error 'vm: (changed while it was read|was replaced while it was read|has got or lost a name)'
	rm -f second
	only repaired saved vm
	case $what in
	written) [ "$(hash_of vm)" != "$before" ] || die "$told: what was written is gone" ;;
	exchanged) [ "$(cat vm)" = 'a newer save' ] || die "$told: the newer save is gone" ;;
	*) [ "$(hash_of vm)" = "$before" ] || die "$told: not as before" ;;
	esac
	rm vm
	cp -p saved vm
done

# undo: held up where the original is opened, behind the comparison of the state.
opened=$(run 1 "${fix[@]}" && nth '^openat .*vm\.xforig' vm.xfundo undo vm.xfundo)
for what in written exchanged linked; do
	run 1 "${fix[@]}"
	meanwhile openat "$opened" vm.xforig "$what" undo vm.xfundo
	one_error 'vm: (changed while it was read|was replaced while it was read|has got or lost a name)'
	rm -f second
	only repaired saved vm vm.xforig vm.xfundo
	[ "$(hash_of vm.xforig)" = "$before" ] || die "$told: the original is gone"
	case $what in
	written) [ "$(hash_of vm)" != "$after" ] || die "$told: what was written is gone" ;;
	exchanged) [ "$(cat vm)" = 'a newer save' ] || die "$told: the newer save is gone" ;;
	*) [ "$(hash_of vm)" = "$after" ] || die "$told: not as before" ;;
	esac
	rm vm.xfundo vm.xforig vm
	cp -p saved vm
done
rm saved
echo 'ok what is saved while a state is replaced, or put back, stays'
