# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the scripts here share.
# shellcheck source=../lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
unset XFERRY_GUARD XFERRY_GUARD_ONLY XFERRY_GUARD_LOG

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
