#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# undo, when the undo file or the state is not what it was. (tests/report/undo_test.c has
# every byte and every bit of an undo file.)
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv python3

guest=(--cpu qemu64)
sample leaky-q35-qemu64-smp2.qevm vm
before=$(hash_of vm)
cp vm original
run 1 fix "${guest[@]}" --in-place vm
after=$(hash_of vm)
cp vm repaired
cp vm.xfundo undo

# The repair is not hidden: a person can read what will be written.
[ "$(wc -l <vm.xfundo)" = 2 ] || die 'the undo file has not two lines'
head -n 1 vm.xfundo | jq -e '.xferry_undo == 1 and .state == "vm" and (.edits | length) == 2
	and .edits[0].old == "0000000000000207" and .edits[0].new == "0000000000000003"' \
	>/dev/null || die "the undo file: $(cat vm.xfundo)"

# ---- Damaged ----
size=$(stat -c %s undo)
for ((at = 0; at < size; at += 17)); do
	head -c "$at" undo >vm.xfundo
	fails 8 'vm.xfundo: is no intact undo file' undo vm.xfundo >/dev/null
done
for ((at = 0; at < size; at += 29)); do
	{ head -c "$at" undo; printf '\377'; tail -c +$((at + 2)) undo; } >vm.xfundo
	fails 8 'vm.xfundo: is no intact undo file' undo vm.xfundo >/dev/null
done
[ "$(hash_of vm)" = "$after" ] || die 'a damaged undo file changed the state'
cp undo vm.xfundo
echo 'ok damaged undo files'

# ---- The state is another by now ----
offset=$(head -n 1 undo | jq '.edits[0].offset')
for at in $offset $((offset - 1)) $((offset + 8)) $((offset + 30)); do
	printf '\125' | dd of=vm bs=1 seek="$at" conv=notrunc 2>/dev/null
	fails 8 'vm: at byte [0-9]*: is not as the repair left it; nothing was changed' undo vm.xfundo
	cp repaired vm
done
echo >>vm
fails 8 'vm: has [0-9]* bytes, the file that was repaired had' undo vm.xfundo
head -c 1000 repaired >vm
fails 8 'vm: has 1000 bytes, the file that was repaired had' undo vm.xfundo
rm vm
fails 8 'vm: open: No such file' undo vm.xfundo
mkdir vm
fails 8 'vm: is a directory' undo vm.xfundo
rmdir vm
mkfifo vm
cat repaired >vm &
writer=$!
run 8 undo vm.xfundo
one_error '^xferry: .*vm: '
kill $writer 2>/dev/null || true
wait
rm vm
cp repaired vm
chmod 0444 vm
fails_as bound 8 'vm: open for writing: Permission denied' undo vm.xfundo
chmod 0644 vm

# Another program has it locked for itself.
locked() {
	python3 - "$XFERRY" "$@" <<'PYTHON'
import fcntl, struct, subprocess, sys
with open('vm', 'r+b') as file:
    fcntl.fcntl(file, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
    sys.exit(subprocess.run(sys.argv[1:]).returncode)
PYTHON
}
fails_as locked 8 'vm: is locked by another process' undo vm.xfundo
mv vm.xfundo away
cp original vm
fails_as locked 8 'vm: is locked by another process' fix "${guest[@]}" --in-place vm
cp repaired vm
mv away vm.xfundo
echo 'ok changed states'

# ---- The directory of the undo file cannot be written: the state is restored, and it says ----
mkdir fixed
mv vm.xfundo fixed/vm.xfundo
cp repaired fixed/vm
chmod 0555 fixed
run_as bound 8 undo fixed/vm.xfundo
one_error 'fixed/vm\.xfundo: remove: Permission denied; to go on: xferry undo fixed/vm\.xfundo$'
[ "$(hash_of fixed/vm)" = "$before" ] || die 'not restored'
chmod 0755 fixed
run 0 undo fixed/vm.xfundo
grep -q ' was as before the repair already\.$' "$said/out" || die "$told: $(cat "$said/out")"
rm -r fixed
echo 'ok a directory that cannot be written'

# ---- Interrupted: some edits are taken back already ----
cp undo vm.xfundo
dd if=original of=vm bs=1 skip="$offset" seek="$offset" count=8 conv=notrunc 2>/dev/null
[ "$(hash_of vm)" != "$after" ] || die 'nothing was taken back'
run 0 undo vm.xfundo
no_error
[ "$(hash_of vm)" = "$before" ] || die 'not as before'
fails 8 'vm.xfundo: open: No such file' undo vm.xfundo
echo 'ok interrupted, then twice'

# ---- Names: elsewhere, relative, moved together ----
mkdir -p one/two
cp original one/vm
run 1 fix "${guest[@]}" --in-place --undo-file one/two/undo one/vm
[ ! -e one/vm.xfundo ] || die 'two undo files'
run 0 undo one/two/undo
[ "$(hash_of one/vm)" = "$before" ] || die 'not as before'
run 1 fix "${guest[@]}" --in-place one/vm
mv one other
run 0 undo other/vm.xfundo
[ "$(hash_of other/vm)" = "$before" ] || die 'not as before, moved'
ln -s other/vm link
run 1 fix "${guest[@]}" --in-place link
[ -f link.xfundo ] || die 'the undo file is not beside the name that was given'
[ "$(hash_of other/vm)" = "$after" ] || die 'the file behind the link is not repaired'
[ -L link ] || die 'the link was replaced'
run 0 undo link.xfundo
[ "$(hash_of other/vm)" = "$before" ] || die 'not as before, through a link'
# The name of a file may be anything but '/' and zero.
odd=$'a "b"\n\\c\xff'
cp original "$odd"
run 1 fix "${guest[@]}" --in-place "$odd"
run 0 undo "$odd.xfundo"
[ "$(hash_of "$odd")" = "$before" ] || die 'not as before, with an odd name'
# Options end at "--".
cp original ./--json
run 1 fix "${guest[@]}" --in-place -- --json
run 0 undo -- --json.xfundo
[ "$(hash_of ./--json)" = "$before" ] || die 'not as before, with an option for a name'
echo 'ok names'

# ---- Cut short between two places: the file is damaged, and there is a way back ----
rm -f snapshot snapshot.xfundo
python3 "$SOURCE/tests/formats/firecracker.py" --release 1.14 snapshot
before=$(hash_of snapshot)
run 1 fix --json --in-place snapshot
jq -e '.edits | length > 1' "$said/out" >/dev/null || die 'one place only: nothing to be cut'
python3 - "$said/out" <<'END'
import json
import sys

with open(sys.argv[1], encoding='utf-8') as file:
    last = json.load(file)['edits'][-1]
with open('snapshot', 'r+b') as file:
    file.seek(last['offset'])
    file.write(bytes.fromhex(last['old']))
END
cut='snapshot: .*; a repair may have been cut short: xferry undo snapshot\.xfundo$'
fails 8 "$cut" check snapshot
fails 8 "$cut" fix --in-place snapshot
# Not where the undo file is none, or of a file that is read from standard input.
cp snapshot.xfundo kept
printf 'no undo file\n' >snapshot.xfundo
run 8 check snapshot
! grep -q 'cut short' "$said/err" || die "$told: speaks of a repair"
cp kept snapshot.xfundo
cp kept 'standard input.xfundo'
run 8 check - <snapshot
! grep -q 'cut short' "$said/err" || die "$told: speaks of a repair"
rm 'standard input.xfundo' kept
run 0 undo snapshot.xfundo
[ "$(hash_of snapshot)" = "$before" ] || die 'undo did not restore the snapshot'
echo 'ok a repair that was cut short'
