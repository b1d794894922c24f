#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Files that are not there, are no files, may not be read, are no streams, or are damaged.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need setpriv mkfifo python3

guest=(--cpu qemu64)
sample leaky-pc-qemu64.qevm vm

# Each verb that reads a state, and undo.
for verb in check "fix --in-place" "fix -o copy"; do
	# shellcheck disable=SC2086 # two words
	set -- $verb
	fails 8 '^xferry: nowhere: open: No such file or directory$' "$@" "${guest[@]}" nowhere
	fails 8 '^xferry: vm/x: open: Not a directory$' "$@" "${guest[@]}" vm/x
	# check looks through one: tree.sh
	if [ "$1" = fix ]; then
		mkdir directory
		fails 8 '^xferry: directory: is a directory without the state.json of a Cloud Hypervisor snapshot$' "$@" "${guest[@]}" directory
		rmdir directory
	fi
	fails 8 'is a character device' "$@" "${guest[@]}" /dev/zero
	: >empty
	fails 8 '^xferry: empty: is empty$' "$@" "${guest[@]}" empty
	rm empty
	echo '#!/bin/sh' >script
	fails 64 'script: is no saved state that xferry reads' "$@" "${guest[@]}" script
	gzip -c vm >vm.gz
	fails 64 'compressed by gzip: use .zcat FILE' "$@" "${guest[@]}" vm.gz
	rm script vm.gz
	cp vm closed
	chmod 0 closed
	fails_as bound 8 '^xferry: closed: open: Permission denied$' "$@" "${guest[@]}" closed
	rm -f closed
done
fails 8 '^xferry: nowhere: open: No such file' undo nowhere
mkdir directory
fails 8 '^xferry: directory: read: Is a directory' undo directory
cp vm undo
fails 8 'undo: is no intact undo file' undo undo
: >empty
fails 8 'empty: is no intact undo file' undo empty
mkfifo fifo
fails 8 'fifo: is no intact undo file' undo fifo
chmod 0 undo
fails_as bound 8 'undo: open: Permission denied' undo undo
rm -rf directory undo empty

# A FIFO: nobody writes to it, or somebody does.
fails 8 'fifo: is a FIFO that nobody writes to' check "${guest[@]}" fifo
cat vm >fifo &
run 4 check "${guest[@]}" fifo
wait
cat vm >fifo &
run 16 fix "${guest[@]}" --in-place fifo
one_error 'a pipe cannot be repaired'
wait 2>/dev/null || true
cat vm >fifo &
run 16 fix "${guest[@]}" -o copy fifo
one_error 'a pipe cannot be repaired'
[ ! -e copy ] || die 'a copy of a FIFO'
wait 2>/dev/null || true
rm fifo
echo 'ok FIFOs'

# Standard input: a file, a pipe, part of a file, nothing, closed.
run 4 check --json "${guest[@]}" - <vm
no_error
jq -e '.file == "standard input" and .vcpus[0].superfluous == "0x204"' "$said/out" >/dev/null ||
	die "check - with a file: $(cat "$said/out")"
run 4 check --json "${guest[@]}" - < <(cat vm)
no_error
jq -e '.vcpus[0].superfluous == "0x204" and .found_by == "walk"' "$said/out" >/dev/null ||
	die "check - with a pipe: $(cat "$said/out")"
run 4 check "${guest[@]}" - < <(head -c 5 vm; sleep 0.2; tail -c +6 vm)
no_error
run 8 check "${guest[@]}" - </dev/null
one_error 'standard input: is a character device'
run 8 check "${guest[@]}" - < <(:)
one_error 'standard input: is empty'
run 8 check "${guest[@]}" - < <(head -c 60000 vm)
one_error '^xferry: standard input: '
run 8 check "${guest[@]}" - <&-
one_error '^xferry: standard input: '
echo 'ok standard input'

# What options name.
fails 8 'nowhere: open: No such file' check --to nowhere vm
fails 8 'nowhere: open: No such file' check --cpuid nowhere vm
fails 8 'nowhere: open: No such file' check --xml nowhere vm
fails 8 'nowhere: open: No such file' check --qm nowhere vm
fails 8 'nowhere: open: No such file' check --qm nowhere:snapshot vm
fails 8 'nowhere: open: No such file' check --cpu max --from nowhere vm
fails 8 'vm: at byte [0-9]+: expected JSON' check --to vm vm
fails 8 '^xferry: vm: ' check --cpuid vm vm
fails 8 '^xferry: vm: ' check --xml vm vm
fails 8 '^xferry: vm: ' check --qm vm vm
printf '{' >profile
fails 8 'profile: at byte 1: the JSON ends here' check --to profile vm
printf '{"schema": 99}' >profile
fails 64 'profile of schema 99' check --to profile vm
mkfifo fifo
fails 8 '^xferry: fifo: ' check --to fifo vm
fails 8 '^xferry: fifo: ' check --cpuid fifo vm
fails 8 '^xferry: fifo: ' check --xml fifo vm
fails 8 '^xferry: fifo: ' check --qm fifo vm
rm fifo

# Names with what a terminal would obey.
mkdir $'a\nb\x1b[2J'
fails 8 'a\?b\?\[2J: is a directory' fix -o copy $'a\nb\x1b[2J'
rmdir $'a\nb\x1b[2J'
cp vm $'v\nm\x1b[2J'
run 4 check "${guest[@]}" $'v\nm\x1b[2J'
if grep -q $'\x1b' "$said/out" || [ "$(head -c 10 "$said/out")" != 'v?m?[2J: Q' ]; then
	die "the report has the name as it is: $(head -n 2 "$said/out" | cat -v)"
fi
run 4 check --json "${guest[@]}" $'v\nm\x1b[2J'
[ "$(jq -r .file "$said/out")" = $'v\nm\x1b[2J' ] || die 'the JSON has another name'
rm $'v\nm\x1b[2J'
# A name that is no UTF-8: JSON is, and U+009B does not reach the terminal.
odd=$'\xc3\xa4-\xff-\xed\xa0\x80-\xc0\xaf-\xf4\x90\x80\x80-\xc2\x9b-\xf0\x9f\x98\x80'
cp vm "$odd"
run 4 check --json "${guest[@]}" "$odd"
python3 -c 'import json, sys; print(ascii(json.load(open(sys.argv[1], "rb"))["file"]))' \
	"$said/out" >"$said/name" || die 'the JSON is no UTF-8'
r='\ufffd'
[ "$(cat "$said/name")" = "'\xe4-$r-$r$r$r-$r$r-$r$r$r$r-\x9b-\U0001f600'" ] ||
	die "the JSON has the name $(cat "$said/name")"
run 4 check "${guest[@]}" "$odd"
! grep -q $'\xc2\x9b' "$said/out" || die 'U+009B reaches the terminal'
rm "$odd"

# Cut off: a hundred places, and each of the last and first bytes.
size=$(stat -c %s vm)
cut_at=(1 2 3 4 5 6 7 8 9 10 11 12 13)
for ((i = 1; i < 40; i++)); do
	cut_at+=($((size * i / 40)))
done
for ((i = 1; i < 12; i++)); do
	cut_at+=($((size - i)))
done
mkdir cut
for at in "${cut_at[@]}"; do
	head -c "$at" vm >"cut/$at"
done
status=0
"$XFERRY" check "${guest[@]}" cut/* >"$said/out" 2>"$said/err" || status=$?
# A stream that ends within its description may be read by the section's signature.
[ $((status & ~(4 | 8 | 64))) = 0 ] || die "cut off: status $status"
[ $((status & 8)) = 8 ] || die "cut off: status $status"
bad=$(grep -cv '^xferry: cut/[0-9]*: ' "$said/err") || true
[ "$bad" = 0 ] || die "cut off: $(grep -v '^xferry: cut/' "$said/err" | head -n 3)"
read -r errors reports <<<"$(wc -l <"$said/err") $(grep -c '^cut/' "$said/out")"
[ $((errors + reports)) = ${#cut_at[@]} ] || die "cut off: $errors errors, $reports reports"
echo "ok cut off at ${#cut_at[@]} places: $errors errors, $reports read to what they have"
