#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# examples/live-migration.sh with real QEMUs: a running guest that notices what it lost moves
# through the filter; a state that leaked arrives clean, and without the filter it does not; and
# where the filter stops the migration, or fails, or ^C is pressed, the guest stays at the source
# and outlives the script.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need qemu-system-x86_64 socat python3 as ld jq

# What a guest with the lab's ROM would run, and a ROM of the samples' size.
PYTHONPATH=$SOURCE/lab python3 -c 'import payload, sys
sys.stdout.buffer.write(payload.build())' >payload.rom || die 'the guest cannot be built'
head -c 65536 /dev/zero >empty.rom

# The example leaves its guest running.
end_guests() {
	local file
	for file in "$place"/kept/*.pid; do
		[ -e "$file" ] || continue
		kill -KILL "$(cat "$file")" 2>/dev/null || continue
		tail --pid="$(cat "$file")" -f /dev/null
	done
	rm -rf "$place/kept"
}
cleanup+=(end_guests)

# migrate STATUS ARGUMENT...: the example, whose files are in kept/ then.
migrate() {
	local due=$1 status=0
	shift

	end_guests
	rm -f arrived.qevm
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

# left NAME: that QEMU runs, and is named; the other one has gone.
left() {
	local pid other=source
	[ "$1" != source ] || other=target

	pid=$(cat "kept/$1.pid") || die "$told: there is no $1 any more"
	kill -0 "$pid" || die "$told: $1 was killed"
	[ "$(tail -n 1 "$said/out")" = "== the guest is left in QEMU $pid ($1), its monitor (QMP) in $place/kept/$1.qmp" ] ||
		die "$told: $(cat "$said/out")"
	[ ! -e "kept/$other.pid" ] || ! kill -0 "$(cat "kept/$other.pid")" 2>/dev/null ||
		die "$told: $other was left, too"
	local wait
	# QEMU keeps the line open: how long an answer may take has to be said.
	for wait in 0.5 2 8 32; do
		printf '%s\n' '{"execute": "qmp_capabilities"}' '{"execute": "query-status"}' |
			socat -t $wait - "UNIX-CONNECT:kept/$1.qmp" >"$said/status" || true
		! grep -q '"status": "running"' "$said/status" || return 0
	done
	die "$told: the guest in $1 does not run: $(cat "$said/status")"
}

# until_said TEXT: of the example in the background.
until_said() {
	local tries
	for ((tries = 0; tries < 300; tries++)); do
		! grep -qF -- "$1" "$said/out" || return 0
		sleep 0.1
	done
	die "$told: never said $1: $(cat "$said/out" "$said/err")"
}

# migrate_stalled: in the background, as a process group like a terminal's, $example; its
# target reads nothing, and what is under way does not fit into the pipes.
migrate_stalled() {
	end_guests
	told='live-migration.sh with a target that has stopped'
	: >"$said/out" # of an earlier run
	set -m
	"$SOURCE/examples/live-migration.sh" --dir kept --accel tcg -- -m 512 \
		-bios "$place/payload.rom" >"$said/out" 2>"$said/err" &
	example=$!
	set +m
	cleanup+=("kill -KILL -- -$example")
	until_said '== source: qemu'
	kill -STOP "$(cat kept/target.pid)"
	until_said '== source: migrate exec'
}

# ended STATUS: the example in the background has.
ended() {
	local status=0
	wait "$example" || status=$?
	unset 'cleanup[-1]'
	hold_status "$1" "$status"
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
left target
echo 'ok a running guest moves through the filter'

XFERRY=false migrate 1 --accel tcg -- "${guest[@]}"
filtered 1
stays_running
intact source
left source
told='live-migration.sh in the directory of a guest that runs'
status=0
"$SOURCE/examples/live-migration.sh" --dir kept --accel tcg >"$said/again" 2>"$said/err" || status=$?
hold_status 8 "$status"
grep -q 'has the monitor of a guest that runs: source.qmp$' "$said/err" || die "$(cat "$said/err")"
left source
echo 'ok where the filter fails the guest stays at the source'

migrate_stalled
until_said 'bytes of RAM left (^C cancels)'
kill -CONT "$(cat kept/target.pid)"
ended 0
left target
echo 'ok a migration that takes its time is waited for, with a word'

migrate_stalled
kill -INT -- "-$example"
ended 1
grep -q '^== source: migrate_cancel$' "$said/out" || die "$told: $(cat "$said/out")"
stays_running
intact source
left source
echo 'ok ^C cancels the migration, and the guest stays at the source'

# one_line REGEX: all that was said, before any QEMU was started.
one_line() {
	[ "$(cat "$said/out" "$said/err" | wc -l)" = 1 ] || die "$told: $(cat "$said/out" "$said/err")"
	grep -Eq "^live-migration.sh: $1" "$said/err" || die "$told: $(cat "$said/err")"
	[ ! -e kept/target.said ] || die "$told: a QEMU was started"
}
XFERRY=$place/nothing migrate 8 --accel tcg -- "${guest[@]}"
one_line "$place/nothing is not installed"
QEMU=$place/nothing migrate 8 --accel tcg -- "${guest[@]}"
one_line "$place/nothing is not installed"
# A PATH with all that it needs till then, but socat.
mkdir tools
for tool in bash cat mktemp realpath rm sed; do
	ln -s "$(command -v $tool)" tools
done
PATH=$place/tools QEMU=$(command -v qemu-system-x86_64) migrate 8 --accel tcg -- "${guest[@]}"
one_line 'socat is not installed'
echo 'ok what is missing is said before anything is begun'

migrate 16 --frobnicate
one_line "what is '--frobnicate'"
migrate 16 --cpu
one_line '--cpu needs a value'
migrate 0 --help
no_error
for option in $(sed -n 's/^\t\(--[a-z |-]*\)).*/\1/p' "$SOURCE/examples/live-migration.sh" | tr -d '|'); do
	grep -qe "$option" "$said/out" || [ "$option" = --help ] || die "--help does not tell of $option"
done
echo 'ok usage'

{ : <>/dev/kvm; } 2>/dev/null || skip 'what leaks is not shown: no /dev/kvm that may be used'

# Has the target write its guest's state to arrived.qevm.
cat >save-arrived <<EOF
qmp() {
	printf '%s\n' '{"execute": "qmp_capabilities"}' "\$1" |
		socat -t "\$2" - UNIX-CONNECT:target.qmp
}
qmp '{"execute": "migrate", "arguments": {"uri": "exec:cat >$place/arrived.qevm"}}' 2
for try in {1..100}; do
	! qmp '{"execute": "query-migrate"}' 0.3 | grep -q '"completed"' || exit 0
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

# A source whose KVM refuses the state would begin without registers.
run 4 check --cpu qemu64 --to local "$samples/leaky-pc-qemu64.qevm"
if grep -q 'outcome refused' "$said/out"; then
	migrate 8 "${leak[@]}" --state "$samples/leaky-pc-qemu64.qevm" -- "${guest[@]}"
	one_line "this host's KVM refuses $samples/leaky-pc-qemu64.qevm"
	echo 'ok a state that this host would refuse is not loaded'
else
	echo 'not shown: a state that the source refuses; this KVM takes the sample'
fi
migrate 8 "${leak[@]}" --state empty.rom -- "${guest[@]}"
[ ! -e kept/target.said ] || die "$told: a QEMU was started"

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
