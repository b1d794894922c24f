#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2119 # functions that may go without arguments
# Nothing in any shell script that shellcheck has a word to say about.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v shellcheck >/dev/null || skip 'shellcheck is not installed'

scripts=()
while IFS= read -r path; do
	case $path in
	*.sh) scripts+=("$path") ;;
	*.*/* | [!.]*.*) ;;
	*) [[ $(head -n 1 "$path" | tr -d '\0') != '#!'*sh ]] || scripts+=("$path") ;;
	esac
done < <(files)
[ ${#scripts[@]} -gt 5 ] || complain "only ${#scripts[@]} scripts were seen"
shellcheck "${scripts[@]}" || complain 'shellcheck is not content'
finish "${#scripts[@]} scripts"
