# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the tests of the house share: the tree, its files, how to complain.
# Each is run as NAME.sh [TREE].
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tree=$(cd "${1:-$(dirname "$0")/../..}" && pwd)
cd "$tree"
complaints=0

complain() {
	echo "FAILED: $*"
	complaints=$((complaints + 1))
}

finish() {
	[ "$complaints" = 0 ] || exit 1
	echo "ok $*"
}

# What is, or would be, committed, one path a line. Every test asks at least once,
# so a test that looks at no file at all is noticed here.
files() {
	local list
	if git -c safe.directory="$tree" rev-parse --git-dir >/dev/null 2>&1; then
		list=$(git -c safe.directory="$tree" ls-files -co --exclude-standard -- "$@")
	else
		list=$(find . -name 'build*' -prune -o -name .git -prune -o -name __pycache__ -prune \
			-o -type f -printf '%P\n' | match "$@")
	fi
	list=$(sort <<<"$list" | while IFS= read -r path; do
		[ ! -f "$path" ] || printf '%s\n' "$path"
	done)
	[ -n "$list" ] || { echo "FAILED: no file like: $*" >&2; return 1; }
	printf '%s\n' "$list"
}

# Passes on the lines that one of the shell patterns matches; all without patterns.
match() {
	local path pattern
	while IFS= read -r path; do
		[ $# -gt 0 ] || printf '%s\n' "$path"
		for pattern; do
			# shellcheck disable=SC2254 # a pattern is meant
			case $path in
			$pattern)
				printf '%s\n' "$path"
				break
				;;
			esac
		done
	done
}
