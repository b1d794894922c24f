#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# FILE#NAME where names have a '#' themselves, and files that have no name at all: what is judged
# and repaired is the file that was meant, or none.
# shellcheck source=../cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"
# shellcheck source=lib.sh
. "$SOURCE/tests/formats/lib.sh"
need jq python3

guest=(--cpu qemu64 --to 'preset:linux-6.2,-pku')
leaky=$samples/leaky-pc-qemu64.qevm
clean=$samples/clean-pc-qemu64.qevm

# says LINE...: the last run, on standard output.
says() {
	printf '%s\n' "$@" | diff - "$said/out" || die "$told (< expected, > said)"
	nothing_written
	echo "ok $told"
}

# The snapshot '1#a' of vm and the snapshot 'a' of vm#1 are both called vm#1#a.
mkdir fleet
generate qcow2.py make fleet/vm "--state=1#a=$leaky" "--state=b=$leaky"
generate qcow2.py make 'fleet/vm#1' "--state=a=$clean" "--state=b=$clean"
for words in check 'fix --in-place' 'fix -o copy'; do
	# shellcheck disable=SC2086 # words
	fails 16 "^xferry: fleet/vm#1#a: may be a state of 'fleet/vm' or of 'fleet/vm#1', which" \
		$words "${guest[@]}" 'fleet/vm#1#a'
done
fails 16 '^xferry: fleet/vm#1#a: may be a state of' route "${guest[@]:0:2}" 'fleet/vm#1#a' \
	preset:linux-6.2 preset:linux-6.6
remember
# What is found is not looked for by its name again.
run 4 check "${guest[@]}" fleet
no_error
says 'fleet/vm#1#a: qcow2, 1 vCPU: XF101 AVX PKRU; refused, accepted once repaired' \
	'fleet/vm#b: qcow2, 1 vCPU: XF101 AVX PKRU; refused, accepted once repaired' \
	'fleet/vm#1#a: qcow2, 1 vCPU: clean; accepted' \
	'fleet/vm#1#b: qcow2, 1 vCPU: clean; accepted' \
	'4 states: 2 clean, 2 with findings, 2 refused; 0 not judged, 0 other files'
run 4 check --json "${guest[@]}" fleet/vm 'fleet/vm#1'
no_error
jq -r '[.file, .outcome] | join(" ")' "$said/out" >"$said/outcomes"
mv "$said/outcomes" "$said/out"
says 'fleet/vm#1#a refused' 'fleet/vm#b refused' 'fleet/vm#1#a accepted' 'fleet/vm#1#b accepted'

# A file of the whole name comes first; a directory holds no parts.
mkdir a
generate qcow2.py make 'a#1' "--state=b=$leaky"
run 1 fix "${guest[@]}" --in-place 'a#1#b'
run 0 check "${guest[@]}" 'a#1'
cp "$leaky" 'a#1#b'
hash=$(hash_of 'a#1')
run 4 check "${guest[@]}" 'a#1#b'
grep -q '^a#1#b: QEMU migration stream' "$said/out" || die "not the file: $(cat "$said/out")"
[ "$(hash_of 'a#1')" = "$hash" ] || die 'the image has changed'
run 0 undo 'a#1#b.xfundo'
run 4 check "${guest[@]}" 'a#1'
echo 'ok names with #'

# What has no name: standard input. What a format says of a pipe is what is told.
generate elf.py core --in-use 0x7
status=0
# shellcheck disable=SC2002 # a pipe is what this is about
cat core | "$XFERRY" check "${guest[@]}" - >"$said/out" 2>"$said/err" || status=$?
told='check of a core dump in a pipe'
hold_status 16 "$status"
one_error '^xferry: standard input: a core dump cannot be read from a pipe'
told='check of several states on standard input'
status=0
"$XFERRY" check "${guest[@]}" - <fleet/vm >"$said/out" 2>"$said/err" || status=$?
hold_status 4 "$status"
no_error
[ "$(sed -nE 's/: internal .*//p' "$said/out" | paste -sd ' ')" = \
	'standard input#1#a standard input#b' ] || die "$told: $(cat "$said/out")"
echo "ok $told"

# As many snapshots as are read, in a time that does not grow with their square.
generate qcow2.py make many "--state=before=$leaky"
generate qcow2.py repeat many 4096
status=0
timeout 100 "$XFERRY" check --cpu qemu64 many >"$said/out" 2>"$said/err" || status=$?
told='check of 4,096 snapshots'
hold_status 4 "$status"
no_error
[ "$(grep -c '^many#s[0-9]*: internal snapshot' "$said/out")" = 4096 ] || die "$told: not all"
# What is kept of one file in a tree has an end; by itself it is told as it comes.
mkdir empty
words=$(printf ',+avx%.0s' {1..900})
run 68 check --json --cpu "qemu64$words" many empty
one_error '^xferry: many: more than 16 MiB are to be told of its states'
[ "$(stat -c %s "$said/out")" -lt 17000000 ] || die "$told: told more"
[ "$(jq -rs 'map(.error // "") | last' "$said/out")" = "$(sed 's/^xferry: //' "$said/err")" ] ||
	die "$told: the error is not in JSON"
run 4 check --json --cpu "qemu64$words" many
no_error
[ "$(wc -l <"$said/out")" = 4096 ] || die "$told: not all"
generate qcow2.py repeat many 4097
fails 64 '^xferry: many: at byte 60: 4097 snapshots; xferry reads images with 4096 at most' \
	check --cpu qemu64 many
