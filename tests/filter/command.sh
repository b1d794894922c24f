#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command: what goes where, the exit status, the report for people and for programs.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need jq script

guest=(--cpu qemu64)
sample leaky-pc-qemu64.qevm leaky
sample clean-pc-qemu64.qevm clean
sample tcg-pc-max-pkru.qevm tcg
run 1 fix "${guest[@]}" -o fixed leaky
devices=58429 # where they begin in the first two

# flows STATUS INPUT DUE ARGUMENT...: INPUT goes through by pipes; what comes out is DUE,
# "-" and a number: the first so many bytes of INPUT.
flows() {
	local due=$1 input=$2 output=$3 status
	shift 3
	told="cat $input | xferry filter $*"
	set +e
	# shellcheck disable=SC2002 # a pipe is what is wanted
	cat "$input" | "$XFERRY" filter "$@" 2>"$said/err" | cat >"$said/out"
	status=${PIPESTATUS[1]}
	set -e
	[ "$status" = "$due" ] || die "$told: status $status, expected $due: $(cat "$said/err")"
	case $output in
	-*) head -c "${output#-}" "$input" | cmp - "$said/out" || die "$told: something else passed" ;;
	*) cmp "$output" "$said/out" || die "$told: something else passed" ;;
	esac
	echo "ok $due: $told"
}

says() {
	grep -Eq -- "$1" "$said/err" || die "$told: not /$1/ but: $(cat "$said/err")"
}

# stopped REGEX INPUT OUTPUT [GUEST]: one error; then how far it came, and where the guest is.
stopped() {
	says "^Stopped: $2 bytes came in, $3 went out; that is no whole stream\.$"
	[ $# = 3 ] || says "^In a migration the guest is still at the source: 'cont' there, "
	[ "$(wc -l <"$said/err")" = $(($# - 1)) ] || die "$told: it said $(cat "$said/err")"
	sed -i '2,$d' "$said/err"
	one_error "$1"
}

# ---- What goes through ----
flows 1 leaky fixed "${guest[@]}"
says '^standard input: QEMU migration stream, machine pc-i440fx-7.2, 1 vCPU$'
says '^  repair  drops AVX PKRU: 8 bytes change$'
says '^Passed, repaired\.$'
says '^170962 bytes came in, 170962 went out\.$'
flows 0 clean clean "${guest[@]}"
says '^  Nothing to repair\.$'
flows 4 leaky leaky
says '^Passed unedited: nothing may be dropped\.$'
flows 4 tcg tcg "${guest[@]}"

run 5 fix "${guest[@]}" --only pkru -o half leaky
flows 5 leaky half "${guest[@]}" --only pkru
says '^          - dropped here, on its way: PKRU$'
says '^Passed, repaired; findings are left\.$'
! grep -q 'xferry fix' "$said/err" || die "$told: it advises what a pipe cannot have"
flows 1 leaky fixed "${guest[@]}" --to preset:linux-6.2,-pku
says 'what the target answers then: accepted'
flows 4 leaky "-$devices" --to preset:linux-6.2,-pku
says '^Stopped before the devices: the target would refuse them, and nothing may be dropped\.$'
run 5 fix "${guest[@]}" --only avx --to preset:linux-6.2,-pku -o half2 leaky
flows 4 leaky "-$devices" "${guest[@]}" --only avx --to preset:linux-6.2,-pku
says '^Stopped before the devices: the target would refuse them, even repaired\.$'
says "^In a migration the guest is still at the source: 'cont' there, once the target has ended\.$"

# ---- What does not ----
head -c 100000 leaky >short
flows 8 short "-$devices" "${guest[@]}"
stopped '^xferry: standard input: at byte 100000: ' 100000 "$devices" guest
flows 4 short short "${guest[@]}" --pass-unknown
says '^xferry: NOT UNDERSTOOD, PASSED UNEDITED: standard input: at byte 100000: '
{ echo x; cat leaky; } >garbage
flows 64 garbage -0
one_error "^xferry: standard input: is no saved state .* begins with 'QEVM'$"
flows 4 garbage garbage --pass-unknown
printf '\050\265\057\375rest' >packed
flows 64 packed -0
one_error "^xferry: standard input: is compressed by zstd: use 'zstdcat FILE \| xferry filter \.\.\.'$"
: >empty
flows 8 empty -0
one_error '^xferry: standard input: is empty$'
flows 4 empty -0 --pass-unknown
flows 64 leaky "-$devices" "${guest[@]}" --max-tail 64K
stopped "at byte $devices: more than 65536 bytes follow RAM: raise --max-tail; as far as they are kept, " "[0-9]+" "$devices" guest
flows 1 leaky fixed "${guest[@]}" --max-tail 1M
flows 1 leaky fixed "${guest[@]}" --max-tail 1G

# ---- Files at the ends ----
told='xferry filter <leaky >out'
status=0
"$XFERRY" filter "${guest[@]}" <leaky >out 2>"$said/err" || status=$?
hold_status 1 "$status"
cmp out fixed || die "$told: something else passed"
# Appended to, which splice() cannot.
status=0
# shellcheck disable=SC2002
cat leaky | "$XFERRY" filter "${guest[@]}" >>out 2>"$said/err" || status=$?
hold_status 1 "$status"
cat fixed fixed | cmp - out || die "$told, appended: something else passed"
rm out
echo 'ok files'

status=0
# shellcheck disable=SC2094 # that it does so is the point
"$XFERRY" filter "${guest[@]}" <leaky 1<>leaky 2>"$said/err" || status=$?
told='the same file at both ends'
hold_status 16 "$status"
one_error 'is the same file as the output$'
[ "$(hash_of leaky)" = "$(hash_of "$samples/leaky-pc-qemu64.qevm")" ] || die "$told: it was changed"

# ---- The report for programs ----
flows 1 leaky fixed "${guest[@]}" --json report
flows 4 leaky leaky --json report
flows 8 short "-$devices" --json report
flows 4 short short --pass-unknown --json report
flows 4 leaky "-$devices" --to preset:linux-6.2,-pku --json report
[ "$(wc -l <report)" = 5 ] || die "the report has not five lines: $(cat report)"
[ "$(jq -r .file report | sort -u)" = 'standard input' ] || die 'the JSON report names no file'
jq -r '[.filter.passage, .filter.in, .filter.out, (.error != null), (.edits | length)] |
	map(tostring) | join(" ")' report >got
cat >due <<-END
	repaired 170962 170962 false 1
	passed 170962 170962 false 0
	failed 100000 $devices true 0
	unknown 100000 100000 true 0
	stopped 170962 $devices false 0
END
diff due got || die 'the JSON reports differ (< what is due)'
# As check's, but for where it was found and what passed.
"$XFERRY" check --json "${guest[@]}" - <leaky | jq -S 'del(.found_by)' >due || true
head -n 1 report | jq -S 'del(.found_by, .filter)' >got
diff due got || die 'the JSON report is not the one of check'
"$XFERRY" filter "${guest[@]}" --json-fd 5 <leaky 2>"$said/err" 5>five | cmp - fixed ||
	die 'with --json-fd something else passed'
jq -S 'del(.found_by, .filter)' five | diff due - || die '--json-fd has another report'
echo 'ok JSON'

# ---- Refused before anything passes ----
# wrong STATUS REGEX ARGUMENT...
wrong() {
	local due=$1 expression=$2
	shift 2
	flows "$due" leaky -0 "$@" >/dev/null
	one_error "$expression"
	echo "ok $due: $(cat "$said/err")"
}
wrong 16 'it takes no file' leaky
wrong 16 "max-tail is a number of bytes, or as 64M: '0'" --max-tail 0
wrong 16 "'64X' is not" --max-tail 64X
wrong 16 "'-1' is not" --max-tail=-1
wrong 16 "'1KK' is not" --max-tail 1KK
wrong 16 "'99999999999G' is not" --max-tail 99999999999G
wrong 16 'either --json or --json-fd' --json report --json-fd 2
wrong 16 "the stream's: name a file" --json -
wrong 16 'nosuch' --cpu nosuch
wrong 16 "it has no option" --in-place
wrong 8 '^xferry: --json-fd 9: Bad file descriptor$' --json-fd 9
wrong 16 '--json-fd 0: is the stream.s; take 2 or higher' --json-fd 0
wrong 16 '--json-fd 1: is the stream.s; take 2 or higher' --json-fd 1
wrong 16 "--json-fd is a file descriptor's number: 'x' is not" --json-fd x
wrong 16 "number: '5x' is not" --json-fd 5x
wrong 16 "number: '' is not" --json-fd=
wrong 16 "number: '-1' is not" --json-fd=-1
wrong 16 "'2147483648' is not" --json-fd 2147483648
wrong 8 '^xferry: no/where: No such file or directory$' --json no/where
wrong 8 'no/profile' --to no/profile

# A terminal at either end.
script -qec "$XFERRY filter <leaky" /dev/null >terminal 2>&1 </dev/null && die 'a terminal took it'
grep -q 'neither can be a terminal' terminal || die "to a terminal: $(cat -v terminal)"
echo 'ok terminal'

# ---- The other ends ----
# Nobody reads any more; the pipe would hold all of it.
set +e
(
	sleep 0.5
	exec "$XFERRY" filter <tcg 2>"$said/err"
) | true
status=${PIPESTATUS[0]}
set -e
told='xferry filter | true'
hold_status 8 "$status"
one_error '^xferry: standard output: write: Broken pipe$'
# A full disk, for the stream and for the report; closed files.
for end in stream report closed-out closed-in closed-err; do
	status=0
	case $end in
	stream) "$XFERRY" filter "${guest[@]}" <leaky >/dev/full 2>"$said/err" || status=$? ;;
	report) "$XFERRY" filter "${guest[@]}" --json /dev/full <leaky >out 2>"$said/err" || status=$? ;;
	closed-out) "$XFERRY" filter "${guest[@]}" <leaky >&- 2>"$said/err" || status=$? ;;
	closed-in) "$XFERRY" filter "${guest[@]}" <&- >out 2>"$said/err" || status=$? ;;
	closed-err) "$XFERRY" filter "${guest[@]}" <leaky >out 2>&- || status=$? ;;
	esac
	told=$end
	case $end in
	report)
		hold_status 9 "$status"
		says '^xferry: the JSON report: No space left on device$'
		cmp out fixed || die 'without its report another stream'
		;;
	closed-err)
		hold_status 1 "$status"
		cmp out fixed || die 'without stderr another stream'
		;;
	*)
		hold_status 8 "$status"
		one_error '^xferry: standard (in|out)put: '
		[ $end != closed-in ] || one_error 'standard input: is closed, or open for writing only$'
		;;
	esac
	echo "ok $end"
done
