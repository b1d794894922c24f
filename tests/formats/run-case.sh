#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One case of a format: run-case.sh DIRECTORY, called FORMAT-NAME. In it, besides what
# ../cli/case-lib.sh tells,
#	make        words for a shell: make `state`, a file or a directory, in the test's own
#	            directory; lib.sh, $SOURCE and $samples are there, `skip` may be called
#	arg         names what is checked, where it is not `state`: state#name
#	error       an extended regular expression that the one line on stderr must match. In
#	            the place of `expected`: of check and fix. Beside it: check is as expected
#	            and fix is refused. `status` has two numbers then.
#	unpack      bash unpack FILE: the bytes that edits are about, where a repair rewrites
#	            the whole file
#	verify      words for a shell, for what the format's own programs say to the repaired copy,
#	            which is called `copy`
# Nothing is written where there is nothing to repair or the file is refused; else the bytes
# that differ are those listed, and undo brings back the same file.
case=$1
# shellcheck source=../cli/case-lib.sh
. "$SOURCE/tests/cli/case-lib.sh"
# shellcheck source=lib.sh
. "$SOURCE/tests/formats/lib.sh"
need jq python3 cmp

make_state() {
	# shellcheck source=/dev/null
	. "$case/make"
	[ -e state ] || die "$case/make has made no state"
}

refused() {
	fails "$1" "$expression" "${@:2}" "${args[@]}" "$argument"
}

fix_is_refused() {
	refused "$fix_status" fix -o copy
	refused "$fix_status" fix --in-place
}

expression=$(cat "$case/error" 2>/dev/null || true)
[ -z "$expression" ] || [ "$(wc -w <"$case/status")" = 2 ] ||
	die "$case has an error: status needs two numbers"
read_case
make_state
[ ! -f "$case/arg" ] || argument=$(cat "$case/arg")
if [ -e "$argument" ]; then
	file=$argument
else
	file=${argument%%#*}
	part=${argument#"$file"}
fi
[ ! -d "$file" ] || file=$file/state.json
remember

if [ ! -f "$case/expected" ]; then
	[ -n "$expression" ] || die "$case has neither expected nor error"
	refused "$check_status" check
	fix_is_refused
	exit 0
fi
check_json "$SOURCE/tests/formats/check.jq"
check_text
if [ -n "$expression" ]; then
	fix_is_refused
	exit 0
fi
one_report "$(jq -r .format "$case/expected")"
case $(basename "$case") in
"$(jq -r .format "$case/expected")"-*) ;;
*) die "$case is of another format than its name tells" ;;
esac
repair
if [ -f "$case/verify" ]; then
	[ -e copy ] || die "$case has verify, and nothing was repaired"
	# shellcheck source=/dev/null
	. "$case/verify"
fi
