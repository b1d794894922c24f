#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Raw areas and this machine's own KVM: what it gives is read, and what was laid out for it it
# takes and gives back.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=lib.sh
. "$SOURCE/tests/formats/lib.sh"
need python3 jq cmp

kvm() {
	generate kvm-area.py "$@" >"$said/kvm" || skip 'there is no KVM here that can be asked'
}

# The registers: MXCSR, XMM, XSTATE_BV and all that lies behind the header.
registers() {
	for range in 24:4 160:256 512:8 576:3520; do
		tail -c +$((${range%:*} + 1)) "$1" | head -c "${range#*:}"
	done
}

kvm get area
"$XFERRY" probe --json >host.json
run 0 check --json --layout host.json --exposed "$(jq -r .supported host.json)" --to host.json area
jq -e '.format == "area" and .outcome == "accepted" and .vcpus[0].xcr0 == null' "$said/out" >/dev/null ||
	die "$told: not an area that is accepted"
said_bv=$(jq -r '.vcpus[0].xstate_bv' "$said/out")
own_bv=$(od -An -j 512 -N 8 -t u8 area | tr -d ' ')
[ $((said_bv)) = "$own_bv" ] || die "XSTATE_BV is $own_bv and not $said_bv"
echo "ok an area of this KVM's: XSTATE_BV $said_bv"

# What an Intel host would have given, as far as this one holds it, and back.
in_use=$(printf 0x%x $(($(jq -r .supported host.json) & 0xe7)))
generate area.py intel --in-use "$in_use"
run 1 fix --layout intel --relay host.json --exposed "$in_use" -o here intel
kvm set here given
[ "$(cat "$said/kvm")" = taken ] || die "KVM: $(cat "$said/kvm")"
run 1 fix --layout host.json --relay intel --exposed "$in_use" -o back given
cmp <(registers intel) <(registers back) || die 'KVM has other registers than the area'
echo "ok laid out for this host, loaded, saved and laid out for Intel: $in_use"

# A leak that this host cannot hold: refused as it is, taken after the repair.
if [ $(($(jq -r .supported host.json) & 0x200)) = 0 ]; then
	generate area.py leaky --in-use $((in_use | 0x200)) --pkru 0x55555554
	kvm set leaky given
	grep -q '^refused' "$said/kvm" || die "KVM took PKRU, which this host has not"
	fails 8 'without a place in the layout asked for: PKRU$' \
		fix --layout intel --relay host.json -o copy leaky
	rm -f here
	run 1 fix --layout intel --relay host.json --exposed "$in_use" -o here leaky
	kvm set here given
	[ "$(cat "$said/kvm")" = taken ] || die "KVM, after the repair: $(cat "$said/kvm")"
	cmp <(registers here) <(registers given) || die 'KVM has other registers than the repaired area'
	echo 'ok a leak is refused, and taken out is taken'
fi
