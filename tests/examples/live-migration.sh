#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# examples/live-migration.sh with real QEMUs: a running guest that notices what it lost moves
# through the filter; a state that leaked arrives clean, and without the filter it does not; and
# where the filter stops the migration, or is not there at all, the guest stays at the source.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need qemu-system-x86_64 socat python3 as ld jq

# What a guest with the lab's ROM would run, and a ROM of the samples' size.
PYTHONPATH=$SOURCE/lab python3 -c 'import payload, sys
sys.stdout.buffer.write(payload.build())' >payload.rom || die 'the guest cannot be built'
head -c 65536 /dev/zero >empty.rom

# migrate STATUS ARGUMENT...: the example, whose files are in kept/ then.
migrate() {
	local due=$1 status=0
	shift

	rm -rf kept arrived.qevm
	"$SOURCE/examples/live-migration.sh" --dir kept "$@" >"$said/out" 2>"$said/err" || status=$?
	told="live-migration.sh $*"
	hold_status "$due" "$status"
}

# The filter's exit status.
filtered() {
	[ "$(cat kept/filter.status)" = "$1" ] ||
		die "$told: filter ended with $(cat kept/filter.status), expected $1: $(cat kept/filter.said)"
}

# The guest has never missed anything.
intact() {
	[ -z "$(tr -d . <"kept/$1.console")" ] || die "$told: $1's console: $(cat "kept/$1.console")"
}

stays_running() {
	grep -q '^== the guest stays at the source: running$' "$said/out" ||
		die "$told: $(cat "$said/out")"
}

guest=(-m 16 -bios "$place/payload.rom")
migrate 0 --accel tcg --then 'timeout 60 bash -c "until [ -s target.console ]; do sleep 0.1; done"' \
	-- "${guest[@]}"
filtered 0
intact source
intact target
grep -q '^== the guest has moved$' "$said/out" || die "$(cat "$said/out")"
echo 'ok a running guest moves through the filter'

XFERRY=$place/nothing migrate 1 --accel tcg -- "${guest[@]}"
filtered 127
stays_running
intact source
echo 'ok without a filter the guest stays at the source'

migrate 16 --frobnicate
grep -q "what is '--frobnicate'" "$said/err" || die "$(cat "$said/err")"
echo 'ok usage'

{ : <>/dev/kvm; } 2>/dev/null || skip 'what leaks is not shown: no /dev/kvm that may be used'

# Has the target write its guest's state to arrived.qevm.
cat >save-arrived <<EOF
qmp() {
	printf '%s\n' '{"execute": "qmp_capabilities"}' "\$1" |
		socat -t 0.3 - UNIX-CONNECT:target.qmp
}
qmp '{"execute": "migrate", "arguments": {"uri": "exec:cat >$place/arrived.qevm"}}'
for try in {1..100}; do
	! qmp '{"execute": "query-migrate"}' | grep -q '"completed"' || exit 0
	sleep 0.1
done
exit 1
EOF

# XSTATE_BV of the guest as it arrived.
arrived() {
	"$XFERRY" check --json arrived.qevm | jq -r '.vcpus[0].xstate_bv'
}

# PKRU, which no KVM without protection keys takes, is out of the way; AVX has leaked, and any
# KVM that shows its guests all it has keeps it, and saves it again.
guest=(-m 16 -bios "$place/empty.rom")
run 5 fix --cpu qemu64 --only pkru -o avx.qevm "$samples/leaky-pc-qemu64.qevm"
leak=(--accel kvm --machine pc-i440fx-7.2 --cpu qemu64 --paused --state avx.qevm
	--then "bash '$place/save-arrived'")

migrate 0 --no-filter "${leak[@]}" -- "${guest[@]}"
case $(arrived) in
0x7) ;;
0x3) skip "this machine's KVM does not leak: what is loaded is trimmed when it is saved" ;;
*) die "$told: XSTATE_BV $(arrived) arrived" ;;
esac
migrate 0 "${leak[@]}" -- "${guest[@]}"
filtered 1
[ "$(arrived)" = 0x3 ] || die "$told: XSTATE_BV $(arrived) arrived"
echo 'ok AVX leaks at the source, the filter drops it'

# A guest that has AVX to itself, and a target without: nothing can be dropped, so the filter
# holds the end of the stream back.
run 1 fix --cpu kvm64,+xsave,+avx --only pkru -o own.qevm "$samples/leaky-pc-kvm64-avx.qevm"
migrate 1 --accel kvm --machine pc-i440fx-7.2 --cpu kvm64,+xsave,+avx --paused --state own.qevm \
	--to preset:linux-6.2,-avx -- "${guest[@]}"
filtered 4
grep -q '^== the guest stays at the source: ' "$said/out" || die "$(cat "$said/out")"
echo 'ok what the target cannot hold does not leave the source'
