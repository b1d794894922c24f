#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Trees of files: one line a state, in the order of the names, whatever the number of workers;
# what is no state is counted.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq python3 mkfifo

guest=(--cpu qemu64 --to 'preset:linux-6.2,-pku')
mkdir -p fleet/a/deep fleet/b fleet/empty
sample leaky-pc-qemu64.qevm fleet/a/leaky
sample clean-pc-qemu64.qevm fleet/a/deep/clean
sample leaky-q35-qemu64-smp2.qevm fleet/b/two
sample leaky-pc-max.qevm fleet/c

# says LINE...: these are what the last run said on standard output.
says() {
	printf '%s\n' "$@" | diff - "$said/out" || die "$told (< expected, > said)"
	no_error
	nothing_written
	echo "ok $told"
}

leaky_tree=(
	'fleet/a/deep/clean: qemu, 1 vCPU: clean; accepted'
	'fleet/a/leaky: qemu, 1 vCPU: XF101 AVX PKRU; refused, accepted once repaired'
	'fleet/b/two: qemu, 2 vCPUs: XF101 AVX PKRU; refused, accepted once repaired'
	'fleet/c: qemu, 1 vCPU: XF101 AVX PKRU; refused, accepted once repaired'
)
remember
for jobs in '' --jobs=1 --jobs=2 --jobs=7; do
	# shellcheck disable=SC2086 # or no word at all
	run 4 check "${guest[@]}" $jobs fleet
	says "${leaky_tree[@]}" \
		'4 states: 1 clean, 3 with findings, 3 refused; 0 not judged, 0 other files'
done
# Without a target there is no outcome; a name may end in a slash.
run 4 check --cpu qemu64 fleet/a/
says 'fleet/a/deep/clean: qemu, 1 vCPU: clean' 'fleet/a/leaky: qemu, 1 vCPU: XF101 AVX PKRU' \
	'2 states: 1 clean, 1 with findings; 0 not judged, 0 other files'
# Without evidence nothing is to be repaired.
run 4 check --to 'preset:linux-6.2,-pku' fleet/a
says 'fleet/a/deep/clean: qemu, 1 vCPU: clean; accepted' \
	'fleet/a/leaky: qemu, 1 vCPU: XF102 AVX PKRU, XF203 PKRU; refused' \
	'2 states: 1 clean, 1 with findings, 1 refused; 0 not judged, 0 other files'
run 0 check "${guest[@]}" fleet/empty
says '0 states: 0 clean, 0 with findings, 0 refused; 0 not judged, 0 other files'
run 0 check "${guest[@]}" fleet/a/deep
says 'fleet/a/deep/clean: qemu, 1 vCPU: clean; accepted' \
	'1 state: 1 clean, 0 with findings, 0 refused; 0 not judged, 0 other files'

# Several directories, and files among them, in the order in which they are named.
run 4 check "${guest[@]}" fleet/b fleet/c fleet/a/deep
says "${leaky_tree[2]}" "${leaky_tree[3]}" "${leaky_tree[0]}" \
	'3 states: 1 clean, 2 with findings, 2 refused; 0 not judged, 0 other files'
# Named files without a directory keep their reports.
run 4 check "${guest[@]}" --jobs 2 fleet/c fleet/b/two
[ "$(grep -c '^fleet/[a-z/]*: QEMU migration stream, machine ' "$said/out")" = 2 ] ||
	die "no reports: $(cat "$said/out")"

# JSON: an object a state, the same one as of the file alone.
run 4 check --json "${guest[@]}" fleet
cp "$said/out" "$said/tree"
no_error
for path in fleet/a/deep/clean fleet/a/leaky fleet/b/two fleet/c; do
	"$XFERRY" check --json "${guest[@]}" "$path" || true
done >"$said/each"
diff "$said/each" "$said/tree" || die 'a tree and its files give other JSON (< files, > tree)'
echo 'ok JSON'

# What is no state, though it is in the tree: empty, of another format, one of our own.
: >fleet/b/nothing
echo 'a letter' >fleet/b/letter
printf 'QEV' >fleet/b/short
gzip -c fleet/c >fleet/b/log.gz
cp fleet/c fleet/b/.xferry-k2jd9s
ln -s ../c fleet/b/link
ln -s .. fleet/b/up
ln -s nowhere fleet/b/dangling
mkfifo fleet/b/fifo
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("fleet/b/socket")'
run 5 fix "${guest[@]}" --in-place fleet/b/two --only pkru
cp fleet/c fleet/b/two.xforig
cp fleet/c fleet/b/two.xfnew
remember
status=0
timeout 20 "$XFERRY" check "${guest[@]}" fleet/b fleet/c fleet/b/link >"$said/out" 2>"$said/err" ||
	status=$?
told='check with all kinds of files'
hold_status 4 "$status"
says 'fleet/b/two: qemu, 2 vCPUs: XF101 AVX; refused, accepted once repaired' \
	"${leaky_tree[3]}" "${leaky_tree[3]/c:/b\/link:}" \
	'3 states: 0 clean, 3 with findings, 3 refused; 0 not judged, 13 other files'

# What is only called a little as our own files are: it is a state, and judged.
mkdir alike
for name in vm.xfundo vm.xfundo.qevm .xferry-backup.qevm .xferry-ab.def lost.xforig lost.xfnew; do
	cp fleet/c "alike/$name"
done
remember
run 4 check "${guest[@]}" alike
states=()
for name in .xferry-ab.def .xferry-backup.qevm lost.xfnew lost.xforig vm.xfundo vm.xfundo.qevm; do
	states+=("${leaky_tree[3]/fleet\/c:/alike/$name:}")
done
says "${states[@]}" \
	'6 states: 0 clean, 6 with findings, 6 refused; 0 not judged, 0 other files'

# '-' is standard input, even where there is a directory of that name.
mkdir ./-
cp fleet/c ./-/state
remember
status=0
"$XFERRY" check "${guest[@]}" - <fleet/a/deep/clean >"$said/out" 2>"$said/err" || status=$?
told='check of standard input beside a directory called -'
hold_status 0 "$status"
no_error
grep -q '^standard input: QEMU migration stream' "$said/out" || die "$told: $(cat "$said/out")"
run 4 check "${guest[@]}" ./-
says "${leaky_tree[3]/fleet\/c:/./-/state:}" \
	'1 state: 0 clean, 1 with findings, 1 refused; 0 not judged, 0 other files'
