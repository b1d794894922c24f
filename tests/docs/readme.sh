#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs the example of README.md and compares what it prints, literally; and sees
# that it is what script/demo shows, and that no link leads nowhere. With
# --update, writes what is printed now into README.md instead.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=examples.sh
. "$SOURCE/tests/docs/examples.sh"
readme=$SOURCE/README.md

sample leaky-pc-qemu64.qevm vm.qevm

# README.md on stdout, the output of its commands made anew.
updated_readme() {
	local line inside=no blank='' status

	while IFS= read -r line; do
		case $inside$line in
		'no```console') inside=yes blank='' ;;
		'yes```') inside=no ;;
		'yes$ '*)
			status=0
			printf '%s%s\n' "$blank" "$line"
			eval "${line#'$ '}" 2>&1 || status=$?
			line="[exit status $status]" blank=$'\n'
			;;
		yes*) continue ;;
		esac
		printf '%s\n' "$line"
	done <"$readme"
}

if [ "${1:-}" = --update ]; then
	updated_readme >"$said/readme"
	cat "$said/readme" >"$readme"
	exit
fi

run_examples "$readme"
[ "$examples" -ge 4 ] || die "only $examples examples were found"
cmp vm.qevm "$samples/leaky-pc-qemu64.qevm" || die "undo did not restore the file"
echo "ok $examples examples"

guest=$(sed -n 's/^guest="\(.*\)"$/\1/p' "$SOURCE/script/demo")
sed -n 's/^	step [0-9]* \(xferry .*\)/\1/p' "$SOURCE/script/demo" |
	sed "s/\\\$guest/$guest/" >"$said/demo"
[ -s "$said/demo" ] || die "no step was found in script/demo"
example_blocks "$readme" | sed -n 's/^\$ \(xferry .*\)/\1/p' | diff "$said/demo" - ||
	die "script/demo (<) and README.md (>) show different commands"
echo "ok the commands of script/demo"

for document in "$readme" "$SOURCE"/docs/*.md; do
	grep -oE '\]\([^)#]+' "$document" | cut -c 3- | grep -v '^[a-z]*:' |
		while IFS= read -r link; do
			[ -e "$(dirname "$document")/$link" ] || die "$document: no $link"
		done
done
echo "ok links"
