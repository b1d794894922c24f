#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The system refuses any of the calls that move bytes, with pipes and with files at the
# ends: the stream is whole and repaired, or its start comes out and the status says so.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need_countable_calls

guest=(--cpu qemu64)
sample leaky-pc-qemu64.qevm leaky
run 1 fix "${guest[@]}" -o fixed leaky

# traced ENDS STRACE-OPTION...: the filter, traced; its status is in $status.
traced() {
	local ends=$1
	shift
	status=0
	set +e
	if [ "$ends" = pipes ]; then
		# shellcheck disable=SC2002 # a pipe is what is wanted
		cat leaky 2>"$said/cat" | strace -o "$said/trace" "$@" \
			"$XFERRY" filter "${guest[@]}" 2>"$said/err" | cat >out
		status=${PIPESTATUS[1]}
	else
		strace -o "$said/trace" "$@" "$XFERRY" filter "${guest[@]}" \
			<leaky >out 2>"$said/err"
		status=$?
	fi
	set -e
}

# How often a call is made before the first byte is asked for: by the loader, and for options.
before() {
	awk -v name="$1(" '/^(tee\(0,|read\(0,)/ { exit } index($0, name) == 1 { n++ } END { print n + 0 }' \
		"$said/trace.whole"
}

# Whole and repaired; or the start of that, status 8, and one line. The start may be all of
# it, when it could not be learned that there is no more.
hold_outcome() {
	told="$ends, $error at call $n of $call"
	case $status in
	1) cmp -s out fixed || die "$told: status 1, and another stream" ;;
	8)
		head -c "$(stat -c %s out)" fixed | cmp -s - out || die "$told: other bytes"
		# How far it came is told where anything went out.
		sed -i '/^Stopped: [0-9]* bytes came in, [1-9][0-9]* went out; that is no whole stream\.$/d' \
			"$said/err"
		one_error '^xferry: (standard (in|out)put: (read|write): [A-Z][A-Za-z/ ]+|out of memory)$'
		;;
	*) die "$told: status $status: $(cat "$said/err")" ;;
	esac
}

# Which status an error must give; "any" where it depends on what the call was for.
due() {
	case $call:$error in
	*:EINTR | *:EAGAIN | splice:EPIPE | tee:EINVAL | tee:ENOSYS | tee:EPERM | \
		splice:EINVAL | splice:ENOSYS | splice:EPERM | pipe2:* | \
		fcntl:EPERM | fcntl:EBUSY)
		echo 1
		;;
	*) echo 8 ;;
	esac
}

count=0
for ends in pipes files; do
	traced "$ends"
	cp "$said/trace" "$said/trace.whole"
	[ "$status" = 1 ] || die "$ends: status $status: $(cat "$said/err")"
	for fault in tee:EIO tee:EINVAL tee:ENOSYS tee:EPERM tee:EINTR tee:EAGAIN tee:ENOMEM \
		splice:EIO splice:EINVAL splice:ENOSYS splice:EPERM splice:EINTR splice:EAGAIN splice:EPIPE \
		splice:ENOSPC read:EIO read:EINTR read:EAGAIN write:EIO write:ENOSPC write:EPIPE \
		write:EINTR write:EAGAIN pipe2:EMFILE; do
		call=${fault%:*} error=${fault#*:}
		if [ "$call" = pipe2 ]; then first=0; else first=$(before "$call"); fi
		for ((n = first + 1; n < first + 30; n++)); do
			traced "$ends" -e "trace=$call" -e "inject=$call:error=$error:when=$n"
			grep -q INJECTED "$said/trace" || break
			# A report that does not reach stderr is no matter of the stream.
			if grep -q '^write([12],.*INJECTED' "$said/trace"; then
				cmp -s out fixed || die "$told: another stream"
				break
			fi
			hold_outcome
			[ "$status" = "$(due)" ] || die "$told: status $status: $(cat "$said/err")"
			count=$((count + 1))
		done
	done
	echo "ok $ends: $count faults"
done
[ "$count" -gt 60 ] || die "only $count faults"

# A reader that has all and leaves at once, before it is seen that no more comes.
status=0
set +e
# shellcheck disable=SC2002
cat leaky | strace -o "$said/trace" -e trace=splice -e inject=splice:delay_enter=200000 \
	"$XFERRY" filter "${guest[@]}" 2>"$said/err" | head -c "$(stat -c %s fixed)" >out
status=${PIPESTATUS[1]}
set -e
grep -q 'EPIPE' "$said/trace" || die 'the reader did not leave first'
[ "$status" = 1 ] || die "a reader that leaves at the end: status $status: $(cat "$said/err")"
cmp out fixed || die 'a reader that leaves at the end: another stream'
echo 'ok a reader that leaves at the end'

# Every call that is interrupted, or would have to wait, at once.
for error in EINTR EAGAIN; do
	for ends in pipes files; do
		n=2+2 call=all
		traced "$ends" -e 'trace=tee,splice,write' \
			-e "inject=tee,splice,write:error=$error:when=2+2"
		grep -q INJECTED "$said/trace" || die 'nothing was injected'
		[ "$status" = 1 ] || die "$error of every second call: $(cat "$said/err")"
		cmp out fixed || die "$error of every second call: another stream"
	done
done
echo 'ok every second call'

# A report longer than a buffer of stdio's is one write: the file may be others' as well.
name=$(printf 'd%.0s' {1..250})
deep=.
for _ in {1..15}; do
	deep=$deep/$name
done
mkdir -p "$deep"
echo '{"schema": 1, "supported": "0x207", "set": "host"}' >"$deep/profile.json"
guest+=(--to "$deep/profile.json" --json report)
traced files -e trace=write
[ "$(stat -c %s report)" -gt 4096 ] || die 'the report is too short to tell'
[ "$(grep -c '{.*schema' "$said/trace")" = 1 ] || die "not one line: $(cat "$said/trace")"
grep -q " = $(stat -c %s report)\$" "$said/trace" || die "in parts: $(grep schema "$said/trace")"
echo 'ok a report in one write'
