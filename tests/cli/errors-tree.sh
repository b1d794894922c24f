#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What goes wrong in a tree is one line, and the rest goes on.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq mkfifo python3 setpriv

guest=(--cpu qemu64 --to 'preset:linux-6.2,-pku')

# errors REGEX...: one line each on stderr, in this order, printable.
errors() {
	local expression n=0
	[ "$(wc -l <"$said/err")" = $# ] || die "$told: not $# errors: $(cat -v "$said/err")"
	for expression; do
		n=$((n + 1))
		sed -n "${n}p" "$said/err" | grep -Eq -- "$expression" ||
			die "$told: expected /$expression/ as error $n: $(cat -v "$said/err")"
	done
	if tr -d '\n' <"$said/err" | grep -q '[[:cntrl:]]'; then
		die "$told: control characters: $(cat -v "$said/err")"
	fi
	echo "ok $told: $# errors"
}

summary() {
	[ "$(tail -n 1 "$said/out")" = "$1" ] ||
		die "$told: the summary is $(tail -n 1 "$said/out")"
}

# Broken files among good ones.
mkdir -p fleet/dir
sample leaky-pc-qemu64.qevm fleet/b-good
sample clean-pc-qemu64.qevm fleet/z-good
head -c 60000 fleet/b-good >fleet/a-short
head -c 20 fleet/b-good >fleet/dir/head
printf 'QEVM\0\0\0\2' >fleet/old
remember
run 76 check "${guest[@]}" fleet
errors '^xferry: fleet/a-short: at byte 60000: ' '^xferry: fleet/dir/head: ' \
	'^xferry: fleet/old: at byte 0: a QEMU migration stream of version 2'
[ "$(grep -c '^fleet/[bz]-good: qemu, 1 vCPU: ' "$said/out")" = 2 ] || die 'good files are missing'
summary '2 states: 1 clean, 1 with findings, 1 refused; 3 not judged, 0 other files'
nothing_written
run 76 check --json "${guest[@]}" fleet
[ "$(jq -r '[.file, .error == null] | join(" ")' "$said/out" | paste -sd ' ')" = \
	'fleet/a-short false fleet/b-good true fleet/dir/head false fleet/old false fleet/z-good true' ] ||
	die "JSON: $(cat "$said/out")"
[ "$(jq -r 'select(.error).error' "$said/out")" = "$(sed 's/^xferry: //' "$said/err")" ] ||
	die 'JSON and stderr have other errors'

# What was named is missed; what was found and is no state is not.
echo 'a letter' >letter
cp letter fleet/letter
remember
run 76 check "${guest[@]}" letter fleet nowhere
errors '^xferry: letter: is no saved state' 'a-short' 'dir/head' 'old' '^xferry: nowhere: open: No such'
run 8 check "${guest[@]}" /proc
errors '^xferry: /proc: holds no files, only what the kernel shows$'
nothing_written
rm -r fleet letter

# May not be read.
mkdir -p fleet/closed fleet/locked fleet/open
sample leaky-pc-qemu64.qevm fleet/locked/state
cp fleet/locked/state fleet/closed-file
cp fleet/locked/state fleet/open/state
chmod 0 fleet/closed fleet/closed-file
chmod a-x fleet/locked
remember
run_as bound 12 check "${guest[@]}" fleet
errors '^xferry: fleet/closed: open: Permission denied$' \
	'^xferry: fleet/closed-file: open: Permission denied$' \
	'^xferry: fleet/locked/state: stat: Permission denied$'
summary '1 state: 0 clean, 1 with findings, 1 refused; 3 not judged, 0 other files'
run_as bound 12 check --json "${guest[@]}" fleet
[ "$(jq -r 'select(.error) | .file' "$said/out" | paste -sd ' ')" = \
	'fleet/closed fleet/closed-file fleet/locked/state' ] || die "JSON: $(cat "$said/out")"
nothing_written
chmod -R u+rwX fleet
rm -r fleet

# Names with what a terminal would obey, and such as are no UTF-8.
mkdir -p $'fleet/a\nb\x1b[2J'
sample leaky-pc-qemu64.qevm $'fleet/a\nb\x1b[2J/st\tate\xff'
head -c 20 $'fleet/a\nb\x1b[2J/st\tate\xff' >$'fleet/a\nb\x1b[2J/bro\rken'
remember
run 12 check "${guest[@]}" fleet
errors '^xferry: fleet/a\?b\?\[2J/bro\?ken: '
[ "$(head -n 1 "$said/out")" = $'fleet/a?b?[2J/st?ate\xff: qemu, 1 vCPU: XF101 AVX PKRU; refused, accepted once repaired' ] ||
	die "the names are: $(cat -v "$said/out")"
run 12 check --json "${guest[@]}" fleet
python3 - "$said/out" <<'END' || die 'JSON has other names'
import json, sys
names = [json.loads(line)['file'] for line in open(sys.argv[1], encoding='utf-8')]
assert names == ['fleet/a\nb\x1b[2J/bro\rken', 'fleet/a\nb\x1b[2J/st\tate\ufffd'], names
END
nothing_written
rm -r fleet

# Deeper than a path can be: what is too deep is told of, once, and the rest goes on. Fewer
# files may be open than there are levels.
sample leaky-pc-qemu64.qevm a-state
python3 - <<'END'
import os
top = os.open('.', os.O_RDONLY)
os.mkdir('fleet')
os.chdir('fleet')
os.link('../a-state', 'z-state')
for level in range(2200):
    os.mkdir('d')
    os.chdir('d')
    if level == 1500:
        os.link('a-state', 'deep', src_dir_fd=top)
END
(ulimit -n 40 && run 12 check --jobs 2 "${guest[@]}" fleet)
errors '^xferry: fleet(/d)+: (stat|open): File name too long$'
[ "$(grep -cE '^fleet/(z-state|[d/]+/deep): qemu' "$said/out")" = 2 ] || die 'a state is missing'
rm -rf fleet

# While it is looked at: files come, go and change. Nothing but lines comes of it.
mkdir fleet
for ((i = 0; i < 300; i++)); do
	cp a-state "fleet/$i"
done
(
	for ((i = 299; i >= 0; i -= 3)); do
		rm -f "fleet/$i"
		truncate -s 70000 "fleet/$((i - 1))"
		cp a-state "fleet/new-$i"
	done
) &
status=0
"$XFERRY" check --jobs 2 "${guest[@]}" fleet fleet fleet >"$said/out" 2>"$said/err" || status=$?
wait
[ $((status & ~12)) = 0 ] || die "changing files: status $status"
bad=$(grep -Evc '^xferry: fleet/[a-z0-9-]+: ' "$said/err") || true
[ "$bad" = 0 ] || die "changing files: $(cat "$said/err")"
read -r states lost <<<"$(sed -nE 's/^([0-9]+) states: .*; ([0-9]+) not judged, .*/\1 \2/p' "$said/out")"
[ "$lost" = "$(wc -l <"$said/err")" ] || die "$lost not judged: $(cat "$said/err")"
[ "$((states + 1))" = "$(wc -l <"$said/out")" ] || die "$states states: $(cat "$said/out")"
[ "$((states + lost))" -ge 600 ] || die "only $states states and $lost errors"
echo "ok changing files: $states states, $lost errors"

# Something removed between the directory's reading and its own, for sure: strace holds it up.
rm -r fleet
mkdir fleet
cp a-state fleet/a
cp a-state fleet/b
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	(sleep 0.5 && rm fleet/b) &
	status=0
	ASAN_OPTIONS=detect_leaks=0 strace -f -o "$said/trace" -e trace=getdents64 \
		-e inject=getdents64:delay_exit=2000000:when=1 \
		"$XFERRY" check --jobs 1 "${guest[@]}" fleet >"$said/out" 2>"$said/err" || status=$?
	wait
	told='check of a file that vanishes'
	hold_status 12 "$status"
	errors '^xferry: fleet/b: stat: No such file or directory$'
fi
rm -r fleet

# Options.
for jobs in 0 -1 x 1x '' 1025 99999999999999999999; do
	run 16 check --jobs "$jobs" .
	one_error "^xferry check: --jobs is a number from 1 to 1024, not '"
done
run 16 fix --jobs 2 -o copy a-state
one_error "no option '--jobs'"

# A snapshot's directory that is named is judged, whatever has become of it.
mkdir snapshot
: >snapshot/state.json
fails 8 '^xferry: snapshot/state.json: is empty$' check "${guest[@]}" snapshot
echo 'no snapshot' >snapshot/state.json
fails 64 '^xferry: snapshot/state.json: is no saved state' check "${guest[@]}" snapshot
# A FIFO is not: nobody waits for who may write to it.
rm snapshot/state.json
mkfifo snapshot/state.json
remember
run_briefly() {
	timeout 1 "$XFERRY" "$@"
}
run_as run_briefly 0 check "${guest[@]}" snapshot
summary '0 states: 0 clean, 0 with findings, 0 refused; 0 not judged, 1 other file'
fails_as run_briefly 8 '^xferry: snapshot: is a directory without the state.json' \
	fix "${guest[@]}" -o copy snapshot
nothing_written
rm -r snapshot

# Many: 5,000 files in one directory, and interrupted in the middle of it.
python3 - <<'END'
import os
os.mkdir('many')
for number in range(5000):
    os.link('a-state', f'many/{number:04}')
END
run 4 check --jobs 2 "${guest[@]}" many
summary '5000 states: 0 clean, 5000 with findings, 5000 refused; 0 not judged, 0 other files'
head -n 5000 "$said/out" | sort -c || die '5,000 files are not told of in order'
python3 - "$XFERRY" "${guest[@]}" <<'END' || die 'interrupted'
import signal
import subprocess
import sys
import time

xferry, *guest = sys.argv[1:]
with subprocess.Popen([xferry, 'check', *guest, 'many'], stdout=subprocess.PIPE) as process:
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    rest = process.stdout.read()
    status = process.wait()
assert status == -signal.SIGINT, status
assert time.monotonic() - start < 5
assert (first + rest).endswith(b'repaired\n'), rest[-200:]
assert (first + rest).count(b'\n') < 5000
END
echo 'ok 5,000 files, and interrupted'

# Nobody reads it: as any program does then.
status=0
"$XFERRY" check "${guest[@]}" many 2>"$said/err" | head -n 1 >"$said/out" || true
[ "$(wc -l <"$said/out")" = 1 ] || die 'no line'
run_full() {
	"$XFERRY" check "${guest[@]}" many >/dev/full 2>"$said/err"
}
run_full || status=$?
[ "$status" = 12 ] || die "a full disk: status $status"
one_error 'standard output: No space left on device'
