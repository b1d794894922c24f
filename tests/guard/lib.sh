# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the scripts here share.
set -eu
export LC_ALL=C
unset XFERRY_GUARD XFERRY_GUARD_ONLY XFERRY_GUARD_LOG

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

die() {
	echo "FAILED: $*"
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}
