# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# How a test in shell ends: with 1 where something is wrong, with 77 where the machine lacks
# what it needs.
set -eu
export LC_ALL=C

die() {
	echo "FAILED: $*"
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}

need() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}
