#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Holds docs/live.md to the truth: runs its examples; looks at every file, rule and line of the log
# in it with the program that reads such things, where it is installed.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=examples.sh
. "$SOURCE/tests/docs/examples.sh"
need zstd python3
document=$SOURCE/docs/live.md
example=$SOURCE/examples

sample leaky-pc-qemu64.qevm vm.qevm
run_examples "$document"
[ "$examples" -ge 5 ] || die "only $examples examples were found"
echo "ok $examples examples"

# block LANGUAGE: the fenced blocks of that language.
block() {
	awk -v fence="\`\`\`$1" '$0 == fence { on = 1; next } /^```/ { on = 0 } on' "$document"
}

block yaml | sed -n "/hookSidecars:/,/]'/p" | tr -d '\n' | sed "s/.*hookSidecars: '//; s/'.*//" |
	python3 -c 'import json, sys
[sidecar] = json.load(sys.stdin)
assert {"args", "image", "pvc", "configMap"} <= sidecar.keys(), sidecar' ||
	die "KubeVirt's annotation is no JSON"
echo "ok KubeVirt's annotation"

if command -v systemd-analyze >/dev/null; then
	printf '[Unit]\nDescription=VM\n' >vm.service
	block ini >>vm.service
	grep -q '^Environment=LD_PRELOAD=' vm.service || die 'no drop-in was found'
	echo "ExecStart=$(command -v true)" >>vm.service
	systemd-analyze verify ./vm.service >"$said/out" 2>&1 || die "$(cat "$said/out")"
	! grep vm.service "$said/out" || die 'systemd does not like the drop-in'
	echo 'ok the drop-in of a systemd unit'
fi

# The rule of the document is a rule of the module.
rule=$(sed -n 's/^    \(allow .*noatsecure;\)$/\1/p' "$document")
[ -n "$rule" ] || die 'there is no rule for SELinux'
grep -qF "$rule" "$example/libvirt/xferry_guard.te" || die "xferry_guard.te does not say: $rule"
if command -v checkmodule >/dev/null; then
	checkmodule -M -m -o xferry_guard.mod "$example/libvirt/xferry_guard.te" >"$said/out" 2>&1 ||
		die "$(cat "$said/out")"
	echo 'ok the module for SELinux is one'
fi
sed -nE 's,^    (/.* (mr|w)\,)$,\1,p' "$document" >rules
[ "$(wc -l <rules)" = 2 ] || die "AppArmor's rules were not found"
if command -v apparmor_parser >/dev/null; then
	{ echo 'profile xferry {'; cat rules; echo '}'; } | apparmor_parser -Q -K >"$said/out" 2>&1 ||
		die "$(cat "$said/out")"
	echo 'ok the rules for AppArmor are such'
fi

# The phases of the table that change nothing; and one place of the guard everywhere.
sed -n 's/^| \(prepare, .*\) | no | .*/\1/p' "$document" | tr ',' '\n' | tr -d ' ' >phases
[ "$(wc -l <phases)" = 7 ] || die 'the phases were not found'
while IFS= read -r phase; do
	"$example/libvirt/hook" vm "$phase" begin - <"$example/libvirt/guard.xml" >"$said/out" ||
		die "the hook fails at $phase"
	no_output
done <phases
installed=/usr/lib/x86_64-linux-gnu/libxferry-guard.so
for file in "$document" "$example"/libvirt/hook "$example"/libvirt/guard.xml \
	"$example"/proxmox/kvm-wrapper; do
	grep -q "$installed" "$file" || die "$file does not name $installed"
done
grep -o '^    dpkg-divert .*' "$document" | tr -d '\n' | sed 's/^ *//' >divert
grep -qF "$(cat divert)" "$example/proxmox/kvm-wrapper" || die "kvm-wrapper has another diversion"
echo "ok the hook's phases, the guard's place, the diversion"

case ${FLAGS:-} in
*-fsanitize*) exit 0 ;; # a guard with a sanitizer cannot be preloaded
esac
[ -n "${GUARD:-}" ] || exit 0 # not built for this machine

# What the guard does not know would be without effect, and nobody would notice.
grep -oE 'XFERRY_GUARD(_[A-Z]+)?' "$document" "$example"/{libvirt,proxmox}/* | sed 's/.*://' | sort -u >names
[ "$(wc -l <names)" -ge 2 ] || die 'no variable was found'
while IFS= read -r name; do
	grep -qaF "$name" "$GUARD" || die "the guard knows no $name"
done <names
grep -q '^    grep libxferry-guard /proc/PID/maps$' "$document" || die 'maps is not mentioned'
LD_PRELOAD=$GUARD grep -q libxferry-guard /proc/self/maps || die 'the guard is not seen in maps'
echo 'ok the variables of the guard, and that it is there'

need qemu-system-x86_64
{ : <>/dev/kvm; } 2>/dev/null || skip "what the guard says: no /dev/kvm that may be used"
head -c 65536 /dev/zero >rom
{
	timeout 20 bash -c 'until [ -s log ]; do sleep 0.1; done' || true
	echo quit
} | XFERRY_GUARD_LOG=$place/log LD_PRELOAD=$GUARD qemu-system-x86_64 -accel kvm \
	-S -machine pc-i440fx-7.2 -cpu qemu64 -m 16 -nodefaults -display none -bios rom \
	-serial null -monitor stdio -incoming 'exec:cat vm.qevm' >"$said/out" 2>&1
[ -s log ] || skip "this machine's KVM shows its guests all that has leaked: the guard is silent"
# The keys; the values differ from host to host.
keys() { sed -E 's/"[^"]*"//; s/=[^ ]*/=/g; s/^ +//'; }
grep '^    xferry-guard: ' "$document" | keys >"$said/due"
keys <log | diff "$said/due" - || die 'docs/live.md (<) has other lines than the guard (>)'
echo "ok what the guard says: $(wc -l <log) lines"
