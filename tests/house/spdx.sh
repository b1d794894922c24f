#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every source file says its licence in its first line, or in the second behind "#!".
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

licence='SPDX-License-Identifier: LGPL-2.1-or-later'
count=0
while IFS= read -r path; do
	first='' second=''
	{ IFS= read -r first && IFS= read -r second; } <"$path" || true
	case $path in
	*.c | *.h) want="/* $licence */" ;;
	*.scd) want="; $licence" ;;
	*) want="# $licence" ;;
	esac
	case $first in
	'#!'* | '# shellcheck '*) first=$second ;;
	esac
	count=$((count + 1))
	[ "$first" = "$want" ] || complain "$path: expected '$want' in the first line, or behind #!"
done < <(
	files '*.c' '*.h' '*.S' '*.toml' '*.py' '*.sh' '*.jq' '*meson.build' 'script/*' 'kmod/Kbuild' 'kmod/Makefile' '.ci/*' .clang-format
	# Scripts without an ending.
	files | while IFS= read -r path; do
		case $path in
		*.*) ;;
		*) ! { IFS= read -rn 2 start <"$path" && [ "$start" = '#!' ]; } || printf '%s\n' "$path" ;;
		esac
	done
)
[ "$count" -gt 50 ] || complain "only $count files were seen"
finish "$count files say their licence"
