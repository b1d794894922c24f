#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fix --relay: an area laid out anew is, byte for byte, the one that a host of the other
# layout would have given.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=lib.sh
. "$SOURCE/tests/formats/lib.sh"
need python3 jq cmp

area() {
	generate area.py "$@"
}

# relaid FROM TO IN-USE WRITTEN [EXPOSED]: of what FROM gives to what TO would give of WRITTEN.
relaid() {
	local from=$1 to=$2 in_use=$3 written=$4
	rm -f from due got
	area from --layout "$from" --in-use "$in_use" --pkru 0x55555554
	area due --layout "$to" --in-use "$written" --pkru 0x55555554
	run 1 fix --layout "$from" --relay "$to" --exposed "${5:-0x602ff}" -o got from
	no_error
	cmp due got || die "$told: not what $to would give"
	echo "ok $from to $to: $in_use as $written, $(stat -c %s got) bytes"
}

# There and back: the same file, for every set of components that both have.
round_trip() {
	local from=$1 to=$2 in_use=$3
	relaid "$from" "$to" "$in_use" "$in_use"
	run 1 fix --layout "$to" --relay "$from" --exposed 0x602ff -o back got
	cmp from back || die "$from to $to and back is another area"
	rm back
}

for in_use in 0x0 0x3 0x6 0x7 0x200 0x207; do
	round_trip intel amd "$in_use"
done
for in_use in 0x7 0x27 0x67 0xa7 0xe7 0x207 0x2e7; do
	round_trip intel amd-avx512 "$in_use"
done
round_trip amd amd-avx512 0x207
round_trip intel intel 0x602ff

# What nothing is known of goes along, and is told.
area from --in-use 0x207
rm got
run 5 fix --layout intel --relay amd -o got from
grep -q '^    XF102 ' "$said/out" || die "$told does not tell what is not known"
rm got
echo 'ok without evidence'

# What may be dropped is, before.
relaid intel amd 0x2ff 0x207 x87,sse,avx,pkru
relaid intel amd 0x60207 0x7 x87,sse,avx
grep -q '^  repair  drops PKRU XTILECFG XTILEDATA' "$said/out" || die "$told does not say what was dropped"
grep -q '^Laid out as amd has it: got$' "$said/out" || die "$told does not say what it wrote"

# Nothing but the layout is changed, and the report says so.
relaid intel amd 0x7 0x7 x87,sse,avx
grep -q '^  Nothing to repair\.$' "$said/out" || die "$told does not say that there was nothing to repair"

# The compacted format, which no KVM loads, becomes the standard one.
area compact --in-use 0x2e7 --compacted 0x602ff --pkru 4
area due --layout amd-avx512 --in-use 0x2e7 --pkru 4
rm -f got
run 1 fix --layout intel --relay amd-avx512 --exposed 0x2e7 -o got compact
cmp due got || die 'a compacted area is laid out otherwise'
rm got
run 1 fix --json --layout intel --relay intel --to preset:linux-6.6 -o got compact --exposed 0x2e7
jq -e '.outcome == "refused" and .vcpus[0].findings == ["XF209"]' "$said/out" >/dev/null ||
	die "$told: not refused for its header"
run 0 check --layout intel --to preset:linux-6.6 got --exposed 0x2e7
echo 'ok compacted'

# What the guest has and the target has no place for is never left behind.
area wide --in-use 0x602e7
for to in amd amd-avx512; do
	fails 8 '^xferry: wide: in use, and without a place in the layout asked for: .*XTILECFG XTILEDATA$' \
		fix --layout intel --relay "$to" -o copy wide
done
fails 8 'without a place in the layout asked for: XTILECFG XTILEDATA$' \
	fix --layout intel --relay amd-avx512 --exposed 0x602e7 -o copy wide
fails 8 'without a place in the layout asked for: opmask ZMM_Hi256 Hi16_ZMM$' \
	fix --layout intel --relay amd --exposed 0xe7 --only pkru,amx -o copy wide

# Whole or not at all, and never in the place of another.
echo other >copy
fails 8 '^xferry: copy: ' fix --layout intel --relay intel -o copy wide
rm copy
fails 8 'no/copy: ' fix --layout intel --relay intel -o no/copy wide
fails 16 'which --layout says whose it is' fix --relay amd -o copy wide
fails 16 'an area that is laid out anew is another file' fix --layout intel --relay amd --in-place wide
fails 16 'a preset tells of a kernel' fix --layout intel --relay preset:linux-6.2 -o copy wide
fails 8 '^xferry: nowhere: ' fix --layout intel --relay nowhere -o copy wide
