#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# All C is as .clang-format says. Debian 12's version 14: others differ in details.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

for format in clang-format-14 clang-format; do
	"$format" --version 2>/dev/null | grep -q 'version 14\.' || continue
	list=$(files '*.[ch]')
	said=$(xargs -d '\n' "$format" --dry-run -Werror <<<"$list" 2>&1) ||
		complain "clang-format -i would change these:
$(grep ': error: ' <<<"$said" | cut -d : -f 1,2)"
	finish "$(wc -l <<<"$list") files are formatted"
	exit
done
skip 'clang-format 14 is not installed'
