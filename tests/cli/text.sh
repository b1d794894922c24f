#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the report for people says, where it depends on what was found.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

sample leaky-pc-qemu64.qevm vm
sample leaky-q35-qemu64-smp2.qevm two
sample leaky-pc-max.qevm max
sample clean-pc-qemu64.qevm clean
patch() { python3 "$SOURCE/tests/cli/patch-state.py" "$@"; }

says() {
	grep -Eq -- "$1" "$said/out" || { cat "$said/out"; die "$told: does not say: $1"; }
}
silent() {
	! grep -Eq -- "$1" "$said/out" || { cat "$said/out"; die "$told: says: $1"; }
}

# What the target's QEMU does with a refusal: corrupts, exits, or one of the two.
corrupts='silent corruption'
exits='8\.2 and newer exits'
run 4 check --cpu qemu64 --to preset:linux-6.2,-pku vm
says "$corrupts"
says "$exits"
for version in 5.2 7.2 8.1.5; do
	run 4 check --cpu qemu64 --to "preset:linux-6.2,-pku,qemu=$version" vm
	says "$corrupts"
	silent "$exits"
done
for version in 8.2 9.0 10.0.13 11.1; do
	run 4 check --cpu qemu64 --to "preset:linux-6.2,-pku,qemu=$version" vm
	says "$exits"
	silent "$corrupts"
done
# The module on the target: offered where it would help, and only there.
module='load the xferry module there, in trim mode'
run 4 check --cpu qemu64 --to preset:linux-6.2,-pku vm
says "$module"
run 4 check --cpu qemu64 --to preset:linux-6.2,-pku --only pkru vm
silent "$module"
run 4 check --cpu qemu64 --to preset:linux-6.6 vm
silent "$module"
run 4 check --cpu qemu64 --to preset:debian-11,-pku vm
says 'outcome refused'
silent "$module"
run 16 check --cpu qemu64 --to preset:debian-11,-pku,+hook vm
one_error 'preset debian-11: the xferry module does not load on this kernel'
cat >old.json <<'JSON'
{"schema": 1, "supported": "0x7", "get": "trims", "set": "host", "header_checked": false}
JSON
run 4 check --cpu qemu64 --to old.json vm
says 'outcome refused'
silent "$module"
# Words are for presets.
for target in old.json local; do
	run 16 check --cpu qemu64 --to "$target,+hook" vm
	one_error "\"$target,\+hook\": words behind a comma are for presets"
done
run 4 check --cpu qemu64 --to preset:linux-6.2,-pku,+hook vm
says '^          the xferry module takes out what the guest was not shown;$'
says '^          then its KVM accepts only what the guest was shown$'
says '^          - for this target nothing need be done: its module takes it out$'
says '^          - drop it from this state'
says "^  outcome accepted: the target's module takes out AVX PKRU and the rest is loaded\\.$"
run 4 check --json --cpu qemu64 --to preset:linux-6.2,-pku,+hook vm
says '"module":\{"set":"0xffffffffffffffff","get":"0x0"\}'
run 4 check --json --cpu qemu64 --to preset:linux-6.2,-pku vm
says '"module":null'
run 4 check --cpu qemu64 --to preset:linux-6.6,+hook vm
says '^          then its KVM accepts what the host holds$'
# One that was told of PKRU alone, and one of which it is not known.
cat >pkru.json <<'JSON'
{"schema": 1, "supported": "0x7", "get": "trims", "set": "host", "module": {"set": "0x200"}}
JSON
run 4 check --cpu qemu64 --to pkru.json vm
says '^          the xferry module takes out what the guest was not shown of PKRU;$'
says '^          - for this target nothing need be done: its module takes PKRU out$'
says "^  outcome accepted: the target's module takes out PKRU and the rest is loaded\\.$"
sed 's/"module": .*/"not_learned": {"module": "?"}}/' pkru.json >unsure.json
run 4 check --cpu qemu64 --to unsure.json vm
says 'outcome unknown'
silent 'nothing need be done'
run 4 check --json --cpu qemu64 --to unsure.json vm
says '"module":null'
# What the module on the host left takes out, a leaky KVM has not saved.
run 0 route 0x207 --cpu qemu64 preset:pve-7,+hook-get preset:linux-6.6
says 'note    this KVM leaks, and the module there takes it out again \(trim_get=1\)'
run 0 route 0x207 --cpu qemu64 preset:pve-7 preset:linux-6.6
says 'note    this KVM leaks: what the host itself has in use is saved too$'
run 4 check --cpu qemu64 --to preset:linux-6.2,-pku,+hook vm
silent "$module"
# The guest's own is not the module's to take.
run 4 check --cpu max --to preset:linux-6.6,-pku,+hook vm
silent 'outcome accepted'
# A machine type is the oldest QEMU that the target can have.
sed 's/pc-i440fx-7\.2/pc-i440fx-9.2/g' vm >newer
run 4 check --cpu qemu64 --to preset:linux-6.2,-pku newer
says 'machine pc-i440fx-9\.2'
says "$exits"
silent "$corrupts"
run 4 check --cpu qemu64 --to preset:linux-6.2,-pku,qemu=7.2 newer
says "$corrupts"
# One that tells no version.
for name in microvmaaaaaa microvm-aaaaa pc-i440fx-aaa; do
	sed "s/pc-i440fx-7\\.2/$name/g" vm >newer
	run 4 check --cpu qemu64 --to preset:linux-6.2,-pku newer
	says "machine $name,"
	says "$exits"
	says "$corrupts"
done
echo 'ok QEMU versions'

# The guest, and what is known of it.
run 4 check vm
says 'guest   nothing tells what it was shown'
says 'say what the guest was shown: --cpu, --xml, --qm, --cpuid or --exposed'
silent outcome
run 4 check --cpu qemu64 vm
says 'guest   was shown x87 SSE$'
says 'by -cpu qemu64'
silent 'not known'
run 4 check --cpu host,-pku max
says 'not known: AVX'
says 'depends on the host where it was started'
cp vm contrary
patch contrary xcr0=7
run 4 check --cpu qemu64 contrary
says 'contradicted by the state, set aside'
says 'XF103'
run 0 check --cpu max max
says 'Nothing to repair\.'
echo 'ok evidence'

# Remedies.
run 4 check --cpu qemu64 --to preset:linux-6.2 vm
says 'drop it from this state'
says 'show the guest AVX PKRU on the target'
says 'a newer kernel on the target'
silent 'load the state on a host'
says '^  target  preset:linux-6\.2 holds .*PKRU'
says 'its KVM accepts only what the guest was shown$'
says '^  repair  drops AVX PKRU: 8 bytes change; what the target answers then: accepted$'
run 4 check --cpu qemu64 --to preset:linux-6.6,-pku vm
says 'load the state on a host that can hold it'
silent 'a newer kernel'
says 'its KVM accepts all that'
run 4 check --exposed 0x207 --to preset:linux-6.6,-pku clean
says 'XF202'
says "at the guest's next boot, do not show it"
says 'outcome accepted'
run 4 check --cpu qemu64 --to preset:linux-5.17 vm
says 'even of x87 and SSE'
cat >unknown.json <<'JSON'
{"schema": 1, "kernel": "6.1.0-13-amd64", "supported": "0x207", "get": null, "set": null}
JSON
run 4 check --cpu qemu64 --to unknown.json vm
says 'what its KVM accepts is not known'
says 'outcome unknown: it depends on what is not known'
sed 's/"set": null/"set": "guest"/' unknown.json >strict.json
run 4 check --cpu qemu64 --to strict.json vm
says "run a newer kernel on the target"
echo 'ok remedies'

# vCPUs that look the same are told once, those that do not one by one.
run 4 check --cpu qemu64 two
says '^two: QEMU migration stream, machine pc-q35-7\.2, 2 vCPUs$'
says '^  vCPU 0 to 1: in use x87 SSE AVX PKRU \(XSTATE_BV 0x207\), enabled x87 \(XCR0 0x1\)$'
says '^  repair  drops AVX PKRU: 16 bytes change$'
for change in 1:xstate_bv=0x203 1:xcr0=3; do
	cp two other
	patch other "$change"
	run 4 check other
	says '^  vCPU 1: in use'
	silent '0 to 1'
done
cp two other
patch other 1:xstate_bv=3
run 4 check --cpu qemu64 other
says '^  vCPU 0: in use x87 SSE AVX PKRU'
says '^  vCPU 1: in use x87 SSE \('
[ "$(grep -c '^    XF101' "$said/out")" = 1 ] || die 'one finding expected'
patch other 0:xstate_bv=0
run 0 check other
says '^  vCPU 0: in use nothing, or nothing marked \(a vCPU at reset, or one of TCG\) \('
echo 'ok vCPUs'

# XCR0 refused, and XSAVE not: another loss than that of SSE.
cp vm xcr0
patch xcr0 xstate_bv=3 xcr0=7
run 4 check --exposed 0x7 --to preset:linux-6.6,-avx,qemu=7.2 xcr0
says '^  outcome refused: KVM_SET_XCRS answers -EINVAL$'
says '^          XCR0 and what is loaded after it'
silent 'SSE registers'
echo 'ok XCR0'

# A PKRU that is not 0 is told before it is lost.
sample tcg-pc-max-pkru.qevm valued
patch valued xstate_bv=0x207 xcr0=1 cr4=0x600
run 4 check --cpu qemu64 valued
says '^  note    vCPU 0 has PKRU 0x55555554, which becomes 0'
patch valued pkru=0
run 4 check --cpu qemu64 valued
silent '^  note'
echo 'ok a PKRU that is not 0'

# How it was found.
run 4 check --cpu qemu64 - < <(cat vm)
says 'found   by reading from the start'
run 4 check --cpu qemu64 vm
silent 'found  '
# Without its description, as QEMU writes it with suppress-vmdesc.
python3 - <<'PYTHON'
with open('vm', 'rb') as file:
    data = file.read()
at = data.rfind(b'\x00\x06')
while at + 6 + int.from_bytes(data[at + 2:at + 6], 'big') != len(data):
    at = data.rfind(b'\x00\x06', 0, at)
with open('plain', 'wb') as file:
    file.write(data[:at + 1])
PYTHON
run 4 check --cpu qemu64 plain
says "found   by the CPU section's signature, as there is no description: the weakest evidence"
says 'XF101'
echo 'ok found by'

# Help, versions, explanations.
for verb in check fix undo probe route explain; do
	run 0 $verb --help
	no_error
	says "^usage: xferry $verb "
	says '^  -h, --help '
	run 0 $verb -h
done
run 0 fix --help
says '^  -o, --output FILE '
run 0 check --help no-such-file --cpu a --exposed b
for option in --help -h; do
	run 0 $option
	for verb in check fix undo probe route explain; do
		says "^  $verb "
	done
done
for option in --version -V; do
	run 0 $option
	says '^xferry [0-9]+\.[0-9]+\.[0-9]+$'
done
run 0 explain
for word in XF101 XF102 XF103 XF201 XF202 XF203 XF204 XF205 XF206 XF207 pkru xtiledata \
	linux-6.2 pve-9; do
	says "^  $word "
done
run 0 explain XF101 xf207 pkru PKRU amx cet avx512
no_error
says '^XF101: superfluous state component$'
says '^XF207: '
says '^PKRU: '
says 'bit        9 of XCR0, mask 0x200'
says 'offset     2688 on Intel'
says 'shown by   CPUID\.\(7h,0\)\.ECX\[3\]'
says '^XTILECFG: '
says 'together   XTILEDATA'
says 'bit        11 of IA32_XSS'
says 'never in KVM'
says 'needs      AVX'
run 0 explain linux-6.2 preset:pve-7,-pku linux-6.1.162
says '^preset:linux-6\.2: 5\.19\.12 to 6\.1\.59'
says '^  saves      all that is in use, shown or not: it leaks$'
says '^  accepts    only what the guest was shown: strict$'
says '^  holds      x87 SSE AVX opmask ZMM_Hi256 Hi16_ZMM$'
says "AMX tiles, without a word, that the guest's XFD disarms"
run 0 explain linux-5.17 linux-5.10 pve-9
says 'only what the guest was shown, even of x87 and SSE: strict'
says '^  header     XCOMP_BV and reserved bytes are not looked at'
says '^  drops      PKRU, without a word'
run 0 explain linux-6.2,+hook
says '^  takes out  what the guest was not shown, before it looks: the xferry module$'
silent 'of what it saves'
run 0 explain pve-7,+hook-get
says '^  and        of what it saves as well'
says "\\+hook and \\+hook-get:$"
for word in hook +hook hook-get +hook-get module; do
	run 0 explain $word
	says '^\+hook: the xferry module \(xferry-kmod\(4\)\)'
	says '^\+hook-get: '
	says "Proxmox' kernel patch"
done
run 0 explain
says '^  \+hook +the xferry module is loaded'
says '^  \+hook-get '
run 16 explain XF101 nothing
says '^XF101: '
one_error "'nothing' is no finding"
echo 'ok help and explanations'
