#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where the result cannot go: names that are taken, places that may not be written,
# full disks, a standard output that nobody reads.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv jq

guest=(--cpu qemu64)
sample leaky-pc-qemu64.qevm vm
before=$(hash_of vm)

# ---- Names that are taken ----
echo mine >copy
fails 8 '^xferry: copy: exists already and is not overwritten$' fix "${guest[@]}" -o copy vm
fails 8 '^xferry: vm: exists already' fix "${guest[@]}" -o vm vm
ln -sf nowhere link
fails 8 '^xferry: link: exists already' fix "${guest[@]}" -o link vm
fails 8 '^xferry: link: exists already' fix "${guest[@]}" --in-place --undo-file link vm
mkdir directory
fails 8 '^xferry: directory: exists already' fix "${guest[@]}" -o directory vm
echo mine >vm.xfundo
fails 8 '^xferry: vm.xfundo: exists already' fix "${guest[@]}" --in-place vm
rm vm.xfundo
fails 8 '^xferry: copy: exists already' fix "${guest[@]}" --in-place --undo-file copy vm
fails 8 '^xferry: no/copy: create: No such file or directory$' fix "${guest[@]}" -o no/copy vm
fails 8 '^xferry: no/undo: create: No such file' fix "${guest[@]}" --in-place --undo-file no/undo vm
rm -rf copy link

# ---- Permissions ----
chmod 0444 vm
fails_as bound 8 '^xferry: vm: open for writing: Permission denied$' fix "${guest[@]}" --in-place vm
run_as bound 1 fix "${guest[@]}" -o copy vm
no_error
[ "$(stat -c %a copy)" = 444 ] || die "the copy's mode is $(stat -c %a copy)"
rm -f copy
chmod 0644 vm
chmod 0555 directory
fails_as bound 8 'directory/copy: create: Permission denied' fix "${guest[@]}" -o directory/copy vm
fails_as bound 8 'directory/undo: create: Permission denied' \
	fix "${guest[@]}" --in-place --undo-file directory/undo vm
chmod 0755 directory

# ---- A limit on the size of files ----
limited() {
	(
		trap '' XFSZ
		ulimit -f 8
		exec "$XFERRY" "$@"
	)
}
# What the test says itself would be limited, too, were it longer.
fails_as limited 8 'copy: (write|set the size|copy): File too large' fix "${guest[@]}" -o copy vm

# ---- Full disks ----
mkdir small
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=256k,nosuid tmpfs small 2>/dev/null; then
	cleanup+=("umount $place/small")
	cp vm small/vm
	fails 8 'small/copy: (write|copy): No space left on device' fix "${guest[@]}" -o small/copy vm
	[ "$(ls -A small)" = vm ] || die "left behind: $(ls -A small)"
	# Filled to the last byte: the undo file finds no room, so nothing is repaired.
	dd if=/dev/zero of=small/fill bs=4k 2>/dev/null || true
	fails 8 'small/vm.xfundo: (write|create): No space left on device' \
		fix "${guest[@]}" --in-place small/vm
	run 1 fix "${guest[@]}" --in-place --undo-file undo small/vm
	run 0 undo undo
	[ "$(hash_of small/vm)" = "$before" ] || die 'not as before, on a full disk'
	mount -o remount,ro small
	fails 8 'small/vm: open for writing: Read-only file system' fix "${guest[@]}" --in-place small/vm
	fails 8 'small/copy: create: Read-only file system' fix "${guest[@]}" -o small/copy vm
	mount -o remount,rw small
	echo 'ok full and read-only disks'
else
	echo 'no tmpfs can be mounted: a limit on the size of files has to do'
fi

# ---- Standard output ----
closed_out() { "$XFERRY" "$@" >&-; }
full_out() { "$XFERRY" "$@" >/dev/full; }
both_closed() { "$XFERRY" "$@" >&- <&-; }
closed_pipe() {
	# The reader is gone before anything is written; SIGPIPE may be what ends it then.
	(
		trap '' PIPE
		status=0
		{
			sleep 0.1
			"$XFERRY" "$@" || status=$?
			echo "$status" >"$said/status"
		} | :
	)
	return "$(cat "$said/status")"
}
for how in closed_out full_out both_closed closed_pipe; do
	for json in '' --json; do
		fails_as $how 12 '^xferry: standard output: ' check $json "${guest[@]}" vm
		# It is repaired all the same, and says so, and what undoes it.
		run_as $how 9 fix $json "${guest[@]}" --in-place vm
		one_error '^xferry: standard output: [^;]*; the repair was made, to take it back: xferry undo vm\.xfundo$'
		run 0 undo vm.xfundo
		[ "$(hash_of vm)" = "$before" ] || die "$how: not as before"
		run_as $how 9 fix $json "${guest[@]}" -o copy vm
		one_error '^xferry: standard output: [^;]*; the repaired copy was written: copy$'
		rm copy
	done
	fails_as $how 8 '^xferry: standard output: ' explain
	fails_as $how 8 '^xferry: standard output: ' check --help
	fails_as $how 8 '^xferry: standard output: ' --version
done
run 4 check "${guest[@]}" vm <&-
no_error

# Without standard error there is still a status, and the state is not what is written to.
status=0
"$XFERRY" check "${guest[@]}" nowhere 2>&- || status=$?
[ "$status" = 8 ] || die "with stderr closed: status $status"
status=0
"$XFERRY" fix "${guest[@]}" --in-place vm <&- >&- 2>&- || status=$?
[ "$status" = 9 ] || die "with all closed: status $status"
status=0
"$XFERRY" fix "${guest[@]}" --in-place vm <&- >&- 2>&- || status=$?
[ "$status" = 8 ] || die "with all closed and nothing to do: status $status"
run 0 undo vm.xfundo
[ "$(hash_of vm)" = "$before" ] || die 'something else was written to the state'
echo 'ok closed standard files'
