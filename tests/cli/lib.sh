# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the tests of the command share. Needs in the environment: XFERRY, the
# command; SOURCE, the source tree. Each test works in a directory of its own,
# which goes away with it.
: "${XFERRY:?names the command to be tested}"
: "${SOURCE:?names the source tree}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
# A test that read_samples needs them; without them it cannot run at all.
samples=$SOURCE/tests/samples

place=$(mktemp -d "${TMPDIR:-/tmp}/xferry-test.XXXXXX")
cleanup=()
leave() {
	local i
	for ((i = ${#cleanup[@]} - 1; i >= 0; i--)); do
		${cleanup[i]} || true
	done
	cd /
	rm -rf "$place"
}
trap leave EXIT
cd "$place"
# What a run said goes here, out of the way of what the tests look at.
said=$place/.said
mkdir "$said"

sample() {
	cp "$samples/$1" "$2"
	chmod u+w "$2"
}

hash_of() {
	sha256sum <"$1" | cut -d ' ' -f 1
}

# Runs the command: its exit status must be $1. What it said is in $said/out and $said/err.
run() {
	local due=$1 status=0
	shift
	"$XFERRY" "$@" >"$said/out" 2>"$said/err" || status=$?
	told="xferry $*"
	hold_status "$due" "$status"
}

hold_status() {
	[ "$2" = "$1" ] && return
	echo "--- standard output"
	head -n 40 "$said/out"
	echo "--- standard error"
	head -n 40 "$said/err"
	die "$told: status $2, expected $1"
}

# The command of the last run said nothing on stderr.
no_error() {
	[ ! -s "$said/err" ] || die "$told: unexpected on stderr: $(head -n 5 "$said/err")"
}

# It said one line, as xferry, that matches the extended regular expression $1.
one_error() {
	local lines
	lines=$(wc -l <"$said/err")
	[ "$lines" = 1 ] || die "$told: $lines lines on stderr, expected 1: $(head -n 5 "$said/err")"
	[ -z "$(tail -c 1 "$said/err")" ] || die "$told: the line does not end"
	grep -Eq '^xferry( [a-z]+)?: ' "$said/err" ||
		die "$told: does not begin with 'xferry': $(cat "$said/err")"
	if LC_ALL=C grep -q '[[:cntrl:]]' "$said/err"; then
		die "$told: control characters in: $(cat -v "$said/err")"
	fi
	grep -Eq -- "$1" "$said/err" || die "$told: expected /$1/, said: $(cat "$said/err")"
}

no_output() {
	[ ! -s "$said/out" ] || die "$told: unexpected on stdout: $(head -n 5 "$said/out")"
}

# Everything in the working directory: names, kinds, modes, times and content.
snapshot() {
	find . -mindepth 1 -path ./.said -prune -o -printf '%p %y %m %s %T@\n' | sort
	find . -path ./.said -prune -o -type f -readable -print0 | sort -z | xargs -0 -r sha256sum
}

remember() {
	snapshot >"$said/before"
}

# Nothing has changed since `remember`.
nothing_written() {
	snapshot >"$said/after"
	diff "$said/before" "$said/after" >"$said/diff" || {
		cat "$said/diff"
		die "$told: something was written"
	}
}

# fails STATUS REGEX ARGUMENT...: one line on stderr, nothing on stdout, nothing written.
fails() {
	local due=$1 expression=$2
	shift 2
	remember
	run "$due" "$@"
	one_error "$expression"
	no_output
	nothing_written
	echo "ok $due: $(cat "$said/err")"
}

# As one who is bound by permissions, which root is not. To be used with `run_as`.
bound() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --bounding-set=-dac_override,-dac_read_search "$XFERRY" "$@"
	else
		"$XFERRY" "$@"
	fi
}

# run_as FUNCTION STATUS ARGUMENT...: as `run`, by way of a function that starts the command.
run_as() {
	local how=$1 due=$2 status=0
	shift 2
	"$how" "$@" >"$said/out" 2>"$said/err" || status=$?
	told="xferry $* ($how)"
	hold_status "$due" "$status"
}

# As `fails`.
fails_as() {
	local how=$1 due=$2 expression=$3
	shift 3
	remember
	run_as "$how" "$due" "$@"
	one_error "$expression"
	no_output
	nothing_written
	echo "ok $due, $how: $(cat "$said/err")"
}

# ---- Under strace ----

need_strace() {
	need strace awk
	# Leaks are looked for by ptrace, too.
	export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
	strace -f -o /dev/null -e inject=getppid:error=EPERM:when=1 true 2>/dev/null ||
		skip 'strace may not trace here'
}

# For tests that count calls from the start of the command: a sanitizer makes calls of its
# own there, not always the same number.
need_countable_calls() {
	case ${FLAGS:-} in
	*-fsanitize*) skip 'a sanitizer makes calls of its own, so calls cannot be counted' ;;
	esac
	need_strace
}

# calls FILE ARGUMENT...: what the command asks of the system from opening FILE on, that
# concerns files: "NAME N ARGUMENTS", the N-th call of that name since its start. Of a row
# of the same call to read, the first one only.
calls() {
	local file=$1
	shift
	strace -f -o "$said/trace" "$XFERRY" "$@" >"$said/out" 2>"$said/err" || true
	awk -v file="openat(AT_FDCWD, \"$file\"" '
		!match($0, /[a-z_0-9]+\(/) { next }
		{
			name = substr($0, RSTART, RLENGTH - 1)
			count[name]++
			if (index($0, file))
				seen = 1
			again = name == last && name ~ /^(read|pread64|lseek|fcntl)$/
			last = name
			if (seen && !again && name ~ /^(openat|close|read|pread64|write|pwrite64|lseek|fcntl|fsync|fdatasync|ftruncate|link|linkat|rename|unlink|ioctl|copy_file_range|fstat|newfstatat)$/)
				print name, count[name], substr($0, RSTART + RLENGTH)
			# The report is the last thing; behind it, compilers count coverage.
			if (seen && index($0, "write(1, "))
				exit
		}' "$said/trace"
}

# with NAME N WHAT ARGUMENT...: the command, with WHAT (signal=KILL, error=EIO) done to
# the N-th call of NAME.
with() {
	local name=$1 n=$2 what=$3
	shift 3
	strace -f -o "$said/trace" -e "trace=$name" -e "inject=$name:$what:when=$n" "$XFERRY" "$@"
}
