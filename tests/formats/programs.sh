#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What programs do for libvirt's compression: several at a time, and when one is missing or fails.
: "${SOURCE:?names the source tree}" # without it all of this would happen where we are
# shellcheck source=../cli/lib.sh
. "$SOURCE/tests/cli/lib.sh"
# shellcheck source=lib.sh
. "$SOURCE/tests/formats/lib.sh"
need lzop zstd timeout

real=$PATH
target=(--to 'preset:linux-6.2,-pku')
for kind in lzop zstd; do
	generate libvirt.py make "$kind" "$samples/leaky-pc-qemu64.qevm" --pack "$kind"
done

# Many at a time: none may wait for another's end.
mkdir tree
for ((i = 0; i < 150; i++)); do
	ln lzop "tree/$i"
done
for jobs in 2 3 8; do
	told="check --jobs $jobs of a tree"
	status=0
	timeout -k 1 60 "$XFERRY" check "${target[@]}" --jobs "$jobs" tree >"$said/out" 2>"$said/err" ||
		status=$?
	hold_status 4 "$status"
	no_error
	[ "$(grep -c ': libvirt, 1 vCPU: XF101 AVX PKRU; refused' "$said/out")" = 150 ] ||
		die "$told: $(tail -n 3 "$said/out")"
	echo "ok $told"
done
rm -r tree

# fake NAME COMMANDS: a program of that name comes first.
mkdir fakes
fake() {
	printf '#!/bin/bash\n%s\n' "$2" >"fakes/$1"
	chmod +x "fakes/$1"
	PATH=$place/fakes:$real
}

# fix_fails EXPRESSION STATE: in a copy and in place; nothing is written.
fix_fails() {
	remember
	run 8 fix "${target[@]}" -o copy "$2"
	one_error "$1"
	nothing_written
	run 8 fix "${target[@]}" --in-place "$2"
	one_error "$1"
	nothing_written
	echo "ok $told: $1"
}

# check_fails EXPRESSION
check_fails() {
	remember
	run 8 check "${target[@]}" lzop
	one_error "$1"
	nothing_written
	echo "ok $told: $1"
}

# Missing, and not even a shell is there to be asked.
mkdir none
missing=$(
	status=0
	env "PATH=$place/none" "$XFERRY" check "${target[@]}" lzop 2>&1 || status=$?
	echo " $status"
	env "PATH=$place/none" "$XFERRY" fix "${target[@]}" -o copy zstd 2>&1 || status=$?
	echo " $status"
)
[ "$missing" = "xferry: lzop: needs the program lzop, which is not installed
 8
xferry: copy: needs the program zstd, which is not installed
 8" ] || die "without the programs: $missing"
[ ! -e copy ] || die 'a copy was written without the program'
echo 'ok missing'

# shellcheck disable=SC2016
fake lzop 'kill -KILL $$'
check_fails '^xferry: lzop: the program lzop was ended by signal 9 \(Killed\)$'
fake lzop 'cat >/dev/null; exit 1'
check_fails '^xferry: lzop: at byte [0-9]*: its lzop data cannot be unpacked: it is cut short or damaged$'
fake lzop 'cat >/dev/null'
check_fails '^xferry: lzop: at byte [0-9]*: its lzop data cannot be unpacked: it is cut short or damaged$'
# All of the data, and then it fails.
fake lzop "PATH=$real; lzop \"\$@\"; exit 2"
check_fails 'its lzop data cannot be unpacked'
rm fakes/*

# Packing: killed in the middle, failing at the end, and one that does not take all.
# shellcheck disable=SC2016
fake zstd 'head -c 1000 >/dev/null; kill -TERM $$'
fix_fails 'the program zstd was ended by signal 15 \(Terminated\)$' zstd
fake zstd "cat; exit 7"
fix_fails 'the program zstd has failed: its exit status is 7$' zstd
fake zstd 'head -c 1000'
fix_fails 'the program zstd has not taken all$' zstd
fake lzop "PATH=$real; [ \"\$1\" = -c ] && exit 5; exec lzop \"\$@\""
fix_fails 'the program lzop has failed: its exit status is 5$' lzop
PATH=$real

# Whatever signals are ignored or blocked where we are started.
for kind in lzop zstd; do
	(
		trap '' PIPE
		run 1 fix "${target[@]}" -o "$kind.copy" "$kind"
	)
	run 0 check "${target[@]}" "$kind.copy"
	echo "ok $kind with SIGPIPE ignored"
done
