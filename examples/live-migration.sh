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
#	--state FILE	the guest begins with this saved state, not from its reset
#	--no-filter	the same without the filter, to compare
#	--dir DIR	keep what was said in DIR: NAME.said, NAME.console, filter.status
#	--then COMMAND	run it, in DIR, while the guest is at the target (QMP: target.qmp)
#
# Both QEMUs end with this script.
#
# Exit status: 0 the guest runs at the target; 1 it does not, and goes on at the source;
# 16 usage.
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
	echo "live-migration.sh: $*" >&2
	sed -n '/^#	live-migration.sh/,/^# 16 usage/ s/^#[ ]\{0,1\}//p' "$0" >&2
	exit 16
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
keep=yes
[ -n "$dir" ] || { keep=no dir=$(mktemp -d); }
mkdir -p "$dir"
dir=$(realpath "$dir")

say() { echo "== $*"; }

# ---- The two QEMUs ----

# start NAME QEMU-ARGUMENT...: in the background, with QMP on a socket.
start() {
	local name=$1
	shift
	"$QEMU" -name "$name" -machine "$machine" -accel "$accel" -cpu "$cpu" -nodefaults \
		-display none -qmp "unix:$dir/$name.qmp,server=on,wait=off" \
		-serial "file:$dir/$name.console" "$@" >"$dir/$name.said" 2>&1 &
	printf -v "$name" %d $!
	until [ -S "$dir/$name.qmp" ]; do
		alive "$name" || fail "QEMU does not start: $(cat "$dir/$name.said")"
		sleep 0.05
	done
}

alive() { kill -0 "${!1}" 2>/dev/null; }

# qmp NAME COMMAND [ARGUMENTS]: what QEMU answers; nothing once it has gone.
qmp() {
	printf '%s\n' '{"execute": "qmp_capabilities"}' \
		"{\"execute\": \"$2\", \"arguments\": ${3:-{\}}}" |
		socat -t 0.3 - "UNIX-CONNECT:$dir/$1.qmp" 2>/dev/null | tail -n +3 || true
}

# status_of NAME COMMAND: of query-status or query-migrate, the word.
status_of() {
	qmp "$1" "$2" | sed -n 's/.*"status": "\([a-z-]*\)".*/\1/p' | head -n 1
}

# wait_while NAME COMMAND STATUS...: until it is another one, which is printed; half a minute.
wait_while() {
	local name=$1 command=$2 status='' tries
	shift 2

	for ((tries = 0; tries < 60; tries++)); do
		status=$(status_of "$name" "$command")
		[[ -z $status || " $* " == *" $status "* ]] || break
		alive "$name" || { status=gone; break; }
		sleep 0.2
	done
	echo "$status"
}

fail() {
	echo "live-migration.sh: $*" >&2
	exit 1
}

# They must not outlive this script.
# shellcheck disable=SC2317 # the trap runs it
finish() {
	local pid

	for pid in $source $target; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	[ "$keep" = yes ] || rm -rf "$dir"
}
source='' target=''
trap finish EXIT

# ---- The migration ----

say "target: waits for the stream"
start target "$@" -incoming "unix:$dir/stream"

say "source: $QEMU -machine $machine -accel $accel -cpu $cpu"
first=()
[ $paused = no ] || first+=(-S)
[ -z "$state" ] || first+=(-incoming "exec:cat $state")
start source "$@" "${first[@]}"
was=$(wait_while source query-status inmigrate)
[[ $was =~ ^(running|paused|prelaunch)$ ]] ||
	fail "the guest does not begin: $was: $(cat "$dir/source.said")"
[ $paused = yes ] || sleep 1
say "source: $was"

# The shell of "exec:" answers with the status of the last in the pipe, so the filter's is
# written down.
stream="socat -u - UNIX-CONNECT:$dir/stream"
if [ $filter = yes ]; then
	stream="{ $XFERRY filter --cpu $cpu${to:+ --to $to} 2>$dir/filter.said; echo \$? >$dir/filter.status; } | $stream"
fi
say "source: migrate exec:$stream"
qmp source migrate "{\"uri\": \"exec:$stream\"}" >"$dir/migrate"
at_source=$(wait_while source query-migrate setup active device)
[ ! -e "$dir/filter.said" ] || sed 's/^/   /' "$dir/filter.said"

# An exec: stream has no way back. That the source has "completed" only says that it has
# written all; whether the guest may be given up here is the target's to say.
at_target=$(wait_while target query-status inmigrate)
say "source: migration $at_source; target: ${at_target:-silent}"
if [ "$at_source" = completed ] && [[ $at_target =~ ^(running|paused|prelaunch)$ ]]; then
	qmp source quit >/dev/null
	say "the guest has moved"
	(cd "$dir" && eval "$after")
	exit 0
fi

[ ! -s "$dir/target.said" ] || sed 's/^/   /' "$dir/target.said"
kill "$target" 2>/dev/null || true
[ $paused = yes ] || qmp source cont >/dev/null
say "the guest stays at the source: $(status_of source query-status)"
exit 1
