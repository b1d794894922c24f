#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A live migration through xferry filter: two QEMUs on this machine, the source's stream
# passes a pipe in which what leaked into the guest's CPU state is dropped.
#
#	live-migration.sh [OPTION...] [-- QEMU-ARGUMENT...]
#
# What follows "--" makes the guest and is given to both QEMUs, for instance
#
#	live-migration.sh --cpu qemu64 -- -m 512 -drive file=/dev/shm/disk.qcow2,if=virtio
#
#	--cpu MODEL	the guest's CPU, for QEMU and for the filter (qemu64)
#	--to TARGET	for the filter: where the guest shall run; it then stops a migration
#			that the target would refuse even after the repair
#	--machine TYPE	one that both QEMUs know, with its version (QEMU's default)
#	--accel NAME	kvm or tcg (kvm where it can be had)
#	--paused	do not run the guest
#	--state FILE	the guest begins with this saved state, not from its reset; not where this
#			host's KVM refuses it, since the source itself would lose registers then
#	--no-filter	the same without the filter, to compare
#	--dir DIR	keep what was said in DIR: NAME.said, NAME.console, filter.status. NAME is
#			source or target; NAME.qmp is its monitor, NAME.pid its QEMU
#	--then COMMAND	run it, in DIR, once the guest is at the target
#
# It takes as long as the migration is active; ^C cancels it. The guest outlives this script,
# where it is by then: the last line names its QEMU and its monitor. The other QEMU is ended.
#
# Exit status: 0 the guest is at the target; 1 it is not, and goes on at the source; 8 nothing
# was begun, something that it needs is missing; 16 usage.
#
# Between two machines only two lines change. The target is started with
#	-incoming tcp:0:4444
# and the source's pipe ends in
#	| socat -u - TCP:target:4444		or: | ssh target socat -u - UNIX:/run/vm.sock
set -euo pipefail

QEMU=${QEMU:-qemu-system-x86_64}
XFERRY=${XFERRY:-xferry}
cpu=qemu64 to='' machine=pc accel='' paused=no state='' filter=yes dir='' after=true

usage() {
	echo "live-migration.sh: $* ('--help' tells more)" >&2
	exit 16
}

help() {
	sed -n '/^#	live-migration.sh/,/^# was begun/ s/^#[ ]\{0,1\}//p' "$0"
	exit 0
}

say() { echo "== $*"; }

fail() {
	echo "live-migration.sh: $2" >&2
	exit "$1"
}

while [ $# -gt 0 ]; do
	case $1 in
	--cpu | --to | --machine | --accel | --state | --dir | --then)
		[ $# -ge 2 ] || usage "$1 needs a value"
		;;&
	--cpu) cpu=$2; shift ;;
	--to) to=$2; shift ;;
	--machine) machine=$2; shift ;;
	--accel) accel=$2; shift ;;
	--state) state=$(realpath -e "$2") || usage "$2 cannot be read"; shift ;;
	--dir) dir=$2; shift ;;
	--then) after=$2; shift ;;
	--help) help ;;
	--paused) paused=yes ;;
	--no-filter) filter=no ;;
	--) shift; break ;;
	*) usage "what is '$1'?" ;;
	esac
	shift
done

if [ -z "$accel" ]; then
	accel=tcg
	if { : <>/dev/kvm; } 2>/dev/null; then accel=kvm; fi
fi

# ---- What it needs ----

loads=no
if [ -n "$state" ] && [ "$accel" = kvm ]; then loads=yes; fi
needs=(socat "$QEMU")
[ $filter$loads = nono ] || needs+=("$XFERRY")
for program in "${needs[@]}"; do
	command -v "$program" >/dev/null || fail 8 "$program is not installed"
done

# A KVM that refuses the state does so at the source as well. QEMU 8.1 and older goes on there
# with registers wiped, and the filter would find nothing superfluous any more.
if [ $loads = yes ]; then
	status=0
	report=$("$XFERRY" check --cpu "$cpu" --to local --json "$state") || status=$?
	[[ $status =~ ^[04]$ ]] || fail 8 "$state was not judged, so the guest is not begun"
	[[ $report != *'"outcome":"refused"'* ]] ||
		fail 8 "this host's KVM refuses $state: the source would lose registers. Why, and what helps: xferry check --cpu $cpu --to local $state"
fi

keep=yes
[ -n "$dir" ] || { keep=no dir=$(mktemp -d); }
mkdir -p "$dir"
dir=$(realpath "$dir")
for name in source target; do
	! socat -u OPEN:/dev/null "UNIX-CONNECT:$dir/$name.qmp" 2>/dev/null ||
		fail 8 "$dir has the monitor of a guest that runs: $name.qmp"
	rm -f "$dir/$name.qmp" "$dir/stream"
done

# ---- The two QEMUs ----

# start NAME QEMU-ARGUMENT...: in a session of its own, out of the reach of ^C and of the end of
# a terminal; with QMP on a socket.
start() {
	local name=$1
	shift
	setsid "$QEMU" -name "$name" -machine "$machine" -accel "$accel" -cpu "$cpu" -nodefaults \
		-display none -qmp "unix:$dir/$name.qmp,server=on,wait=off" \
		-serial "file:$dir/$name.console" -pidfile "$dir/$name.pid" "$@" >"$dir/$name.said" 2>&1 &
	printf -v "$name" %d $!
	ends+=("$name")
	until [ -S "$dir/$name.qmp" ]; do
		alive "$name" || fail 8 "QEMU does not start: $(cat "$dir/$name.said")"
		sleep 0.05
	done
}

alive() { kill -0 "${!1}" 2>/dev/null; }

# Not to be called for a QEMU whose guest somebody may need.
end() {
	local tries

	kill "${!1}" 2>/dev/null || true
	for ((tries = 0; tries < 50; tries++)); do
		alive "$1" || break
		sleep 0.1 || true
	done
	kill -KILL "${!1}" 2>/dev/null || true
	wait "${!1}" 2>/dev/null || true
	# One that fails or is killed leaves them.
	rm -f "$dir/$1.qmp" "$dir/$1.pid"
}

# qmp NAME COMMAND [ARGUMENTS]: what QEMU answers; nothing once it has gone. A ^C does not cut a
# command short.
qmp() (
	trap '' INT TERM
	printf '%s\n' '{"execute": "qmp_capabilities"}' \
		"{\"execute\": \"$2\", \"arguments\": ${3:-{\}}}" |
		setsid socat -t 0.3 - "UNIX-CONNECT:$dir/$1.qmp" 2>/dev/null | tail -n +3 || true
)

# ask NAME COMMAND: of query-status or query-migrate, the word into $status.
ask() {
	answer=$(qmp "$1" "$2") || true # ^C ends what it asks with, not this script
	status=$(sed -n 's/.*"status": "\([a-z-]*\)".*/\1/p' <<<"$answer" | head -n 1) || true
}

# Cancels the migration when that is wanted, and says now and then that it is still under way.
keep_user_informed() {
	if [ "$cancel" = wanted ]; then
		say 'source: migrate_cancel'
		qmp source migrate_cancel >/dev/null || true
		cancel=asked
		next_word=$((SECONDS + 5))
	elif [ "$cancel" = asked ] && ((SECONDS >= next_word)); then
		# What the source has in hand must go into the pipe first. With the target gone it does.
		end target
		cancel=forced
	elif ((SECONDS >= next_word)); then
		left=$(sed -n 's/.*"remaining": \([0-9]*\).*/\1/p' <<<"$answer")
		say "source: migration $status, ${left:-?} bytes of RAM left (^C cancels)"
		next_word=$((SECONDS + 5))
	fi
}

# wait_while NAME COMMAND STATUS...: until $status is another one, or QEMU has gone, or does not
# answer for half a minute.
wait_while() {
	local name=$1 command=$2 silent=0
	shift 2

	while ((silent < 60)); do
		ask "$name" "$command"
		if [ -n "$status" ]; then
			[[ " $* " == *" $status "* ]] || return 0
			silent=0
		else
			alive "$name" || { status=gone; return 0; }
			silent=$((silent + 1))
		fi
		[ "$command" != query-migrate ] || keep_user_informed
		sleep 0.2 || true
	done
	status=silent
}

# What is in $ends is ended: a QEMU whose guest is elsewhere, or has not begun.
# shellcheck disable=SC2317 # the trap runs it
finish() {
	local name left=no

	for name in "${ends[@]}"; do
		end "$name"
	done
	for name in source target; do
		if [ -z "${!name}" ] || ! alive "$name"; then continue; fi
		left=yes
		say "the guest is left in QEMU ${!name} ($name), its monitor (QMP) in $dir/$name.qmp"
	done
	[ "$keep$left" != nono ] || rm -rf "$dir"
}
# shellcheck disable=SC2034 # ${!name}
source='' target='' ends=() answer='' status='' cancel=no
trap finish EXIT

# ---- The migration ----

say "target: waits for the stream"
start target "$@" -incoming "unix:$dir/stream"
until [ -S "$dir/stream" ]; do
	alive target || fail 8 "the target does not listen: $(cat "$dir/target.said")"
	sleep 0.05
done

say "source: $QEMU -machine $machine -accel $accel -cpu $cpu"
first=()
[ $paused = no ] || first+=(-S)
[ -z "$state" ] || first+=(-incoming "exec:cat $state")
start source "$@" "${first[@]}"
wait_while source query-status inmigrate
[[ $status =~ ^(running|paused|prelaunch)$ ]] ||
	fail 8 "the guest does not begin: $status: $(cat "$dir/source.said")"
ends=(target)
trap 'cancel=wanted' INT TERM
[ $paused = yes ] || sleep 1 || true
say "source: $status"

# The shell of "exec:" answers with the status of the last in the pipe, so the filter's is
# written down.
stream="socat -u - UNIX-CONNECT:$dir/stream"
if [ $filter = yes ]; then
	stream="{ $XFERRY filter --cpu $cpu${to:+ --to $to} 2>$dir/filter.said; echo \$? >$dir/filter.status; } | $stream"
fi
say "source: migrate exec:$stream"
qmp source migrate "{\"uri\": \"exec:$stream\"}" >"$dir/migrate"
next_word=$((SECONDS + 5))
if grep -q '"error"' "$dir/migrate"; then
	status="refused: $(cat "$dir/migrate")"
else
	wait_while source query-migrate setup active device pre-switchover cancelling
fi
at_source=$status
[ ! -e "$dir/filter.said" ] || sed 's/^/   /' "$dir/filter.said"

# An exec: stream has no way back. That the source has "completed" only says that it has
# written all; whether the guest may be given up here is the target's to say.
at_target=waiting
if [ "$at_source" = completed ]; then
	ends=()
	for ((tries = 0; tries < 60; tries++)); do
		ask target query-status
		[[ $status =~ ^(inmigrate)?$ ]] || break
		alive target || break
		sleep 0.5 || true
	done
	at_target=${status:-gone}
fi
say "source: migration $at_source; target: $at_target"
if [[ $at_target =~ ^(running|paused|prelaunch)$ ]]; then
	trap '' INT TERM
	qmp source quit >/dev/null
	ends=(source)
	say "the guest has moved"
	trap - INT TERM
	(cd "$dir" && eval "$after")
	exit 0
fi

[ ! -s "$dir/target.said" ] || sed 's/^/   /' "$dir/target.said"
trap '' INT TERM
ends=()
end target
alive source || fail 1 "the source has gone: $(cat "$dir/source.said")"
[ $paused = yes ] || qmp source cont >/dev/null
ask source query-status
say "the guest stays at the source: $status"
exit 1
