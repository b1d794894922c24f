#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What fix says and writes, word for word: where it went, how to take it back, what is left.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq python3 gzip

# The last run said exactly this at the end, and nothing of the sort before.
ends() {
	[ "$(tail -n "$(wc -l <<<"$1")" "$said/out")" = "$1" ] ||
		die "$told: does not end with '$1': $(cat "$said/out")"
	[ "$(grep -c -e '^Repaired' -e '^Nothing may' -e '^Laid out' "$said/out")" = 1 ] ||
		die "$told: says more than one outcome: $(cat "$said/out")"
}

misused() {
	local text=$1
	shift
	run 16 fix "$@"
	one_error "$text"
	[ "$(ls)" = "$before" ] || die "$told: wrote something"
}

sample leaky-pc-qemu64.qevm leaky
sample clean-pc-qemu64.qevm clean
before=$(ls)
misused 'name one saved state'
misused 'name one saved state' --in-place leaky clean
misused 'standard input cannot be repaired: name the file' --in-place -
misused 'a copy cannot go to standard output: name a file' -o - leaky
misused 'say where to write: either -o FILE or --in-place' leaky
misused 'say where to write: either -o FILE or --in-place' -o out --in-place leaky
misused '.--undo-file belongs to --in-place' --undo-file u -o out leaky
misused 'of which --layout says whose it is' --relay amd -o out leaky
misused 'is another file: name it with -o' --layout intel --relay amd --in-place leaky
run 16 fix --cpu no-such-model -o out leaky
one_error 'no-such-model'

# A copy, and the file is as it was.
leaky=$(hash_of leaky)
run 1 fix -o out leaky --cpu qemu64
ends 'Repaired copy: out'
[ "$(wc -l <"$said/out")" = 3 ] || die "$told: is all of the report: $(cat "$said/out")"
[ "$(hash_of leaky)" = "$leaky" ] || die 'the file was changed'
run 0 check out --cpu qemu64
repaired=$(hash_of out)

# In place, with the undo file where it was wanted, and beside it.
run 1 fix --in-place leaky --cpu qemu64 --undo-file elsewhere
ends 'Repaired in place. To take it back: xferry undo elsewhere'
[ "$(hash_of leaky)" = "$repaired" ] || die 'not the same as the copy'
run 0 undo elsewhere
run 1 fix --in-place leaky --cpu qemu64
ends 'Repaired in place. To take it back: xferry undo leaky.xfundo'
! grep -q 'Undo needs' "$said/out" || die "$told: nothing else is kept"
run 0 undo leaky.xfundo
[ "$(hash_of leaky)" = "$leaky" ] || die 'not taken back'

# As JSON.
run 1 fix --json -o json leaky --cpu qemu64
jq -e '.edits | length == 1' "$said/out" >/dev/null || die "$told: no edit: $(cat "$said/out")"
run 8 fix --json -o json2 missing --cpu qemu64
jq -e .error "$said/out" >/dev/null || die "$told: no error in JSON: $(cat "$said/out")"

# Nothing to do: nothing is written.
run 0 fix -o nothing clean --cpu qemu64
ends 'Nothing may be dropped; nothing was written.'
[ ! -e nothing ] || die "$told: wrote something"
[ "$(wc -l <"$said/out")" -gt 1 ] || die "$told: has no report"

# Part of it: the rest is told of, in all of the report.
sample leaky-pc-max.qevm max
run 5 fix -o part max --exposed x87,sse,pku --to preset:linux-6.6,-pku
ends "Repaired copy: part
Not all is mended: 'xferry check' tells what is left."
[ "$(wc -l <"$said/out")" -gt 4 ] || die "$told: is not all of the report"
run 4 fix -o nothing leaky
ends 'Nothing may be dropped; nothing was written.'
[ ! -e nothing ] || die "$told: wrote something"

# What is packed anew keeps its original, beside the file itself and not beside a link to it.
mkdir real
python3 "$SOURCE/tests/formats/libvirt.py" make real/packed leaky --pack gzip
ln -s real/packed link
run 1 fix --in-place link --cpu qemu64
ends "Repaired in place. To take it back: xferry undo link.xfundo
Undo needs the original, which is kept: $place/real/packed.xforig"
[ -e real/packed.xforig ] || die "$told: no original"
run 0 undo link.xfundo
run 1 fix --in-place real/packed --cpu qemu64
ends "Repaired in place. To take it back: xferry undo real/packed.xfundo
Undo needs the original, which is kept: real/packed.xforig"

# An area that is laid out anew, with nothing to drop and with something left.
python3 "$SOURCE/tests/formats/area.py" area --layout intel --in-use 0x207 --pkru 0x55555554
run 1 fix --layout intel --relay amd --exposed 0x207 -o laid area
ends 'Laid out as amd has it: laid'
run 5 fix --layout intel --relay amd -o left area
ends 'Laid out as amd has it: left'
run 8 fix --layout intel --relay amd --exposed 0x207 -o laid area
one_error 'laid'
echo ok
