#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A newcomer's walk: clean Debian 12, the tree as it would be committed, and what the documents say,
# typed in their order. In one system script/bootstrap and script/demo; in another the README's
# apt line, build and installation, then every example, compared where an output is shown.
# What cannot be run there is named in plan.toml, each with its reason.
#
#   SOURCE, the source tree. KEEP=yes keeps logs and systems. PART=demo or PART=documents
#   walks one half.
: "${SOURCE:?names the source tree}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
# shellcheck source=../package/root-lib.sh
. "$SOURCE/tests/package/root-lib.sh"
need_roots
need git python3

cleanup=()
place=$(mktemp -d "${TMPDIR:-/tmp}/xferry-walk.XXXXXX")
leave() {
	local step

	[ -z "${KEEP:-}" ] || return 0
	for step in "${cleanup[@]}" "discard $place/bare" "discard $place/root"; do
		$step
	done
	rm -rf --one-file-system "$place"
}
trap leave EXIT

if [ ! -d "$base" ]; then
	exec {lock}>"$base.lock"
	flock "$lock"
	make_base
	exec {lock}>&-
fi

# What would be committed, in the root's /src/xferry.
copy_source() {
	mkdir -p "$1/src/xferry"
	git -c safe.directory="$SOURCE" -C "$SOURCE" ls-files -co --exclude-standard -z |
		tar -C "$SOURCE" --null -T - -c | tar -C "$1/src/xferry" -x --no-same-owner
	echo 'APT::Get::Assume-Yes "true";' >"$1/etc/apt/apt.conf.d/02test"
}

# steps ROOT LOG COMMAND: in the tree, as a person who has just fetched it. Other tests may use the
# fetched packages at the same time.
steps() {
	local tries

	for ((tries = 0; tries < 120; tries++)); do
		! inside "$1" bash -euc "cd /src/xferry && $3" >"$2" 2>&1 || return 0
		grep -q 'Could not get lock' "$2" || break
		sleep 5
	done
	tail -n 30 "$2"
	die "$3 (all of what it said: $2)"
}

# The demonstration, on a system with nothing.
walk_demo() {
	local bare=$place/bare

	fresh_root "$bare"
	copy_source "$bare"
	SECONDS=0
	steps "$bare" "$bare.bootstrap.log" 'script/bootstrap'
	echo "ok script/bootstrap, on a clean system ($SECONDS s)"
	steps "$bare" "$bare.again.log" 'script/bootstrap'
	[ ! -s "$bare.again.log" ] || die "script/bootstrap has something to do again: $(cat "$bare.again.log")"
	SECONDS=0
	steps "$bare" "$bare.demo.log" 'script/demo'
	grep -q 'is as it was before the repair' "$bare.demo.log" || die 'script/demo does not come to its end'
	echo "ok script/demo ($SECONDS s)"
	[ -n "${KEEP:-}" ] || discard "$bare"
}

# README, manual, live, examples.
walk_documents() {
	local root=$place/root

	fresh_root "$root"
	copy_source "$root"
	SECONDS=0
	steps "$root" "$root.apt.log" "$(python3 "$SOURCE/tests/walk/walk.py" --apt)"
	echo "ok the README's apt line ($SECONDS s)"
	# shellcheck disable=SC2046 # words are meant
	apt_install "$root" $(python3 "$SOURCE/tests/walk/walk.py" --tools)
	SECONDS=0
	inside "$root" python3 /src/xferry/tests/walk/walk.py
	echo "ok the walk ($SECONDS s)"
}

for part in ${PART:-demo documents}; do
	"walk_$part"
done
