#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Several files at once: one JSON object a line, a bad one does not keep the rest from
# being checked, and the exit statuses are ORed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need jq

sample leaky-pc-qemu64.qevm leaky
sample clean-pc-qemu64.qevm clean
sample leaky-q35-qemu64-smp2.qevm two
echo 'no stream' >foreign
head -c 70000 leaky >short
guest=(--cpu qemu64 --to 'preset:linux-6.2,-pku')

# Said on standard output, one object a line: the whole of it as one JSON list.
objects() {
	[ "$(wc -l <"$said/out")" = "$1" ] || die "$told: $(wc -l <"$said/out") lines, not $1"
	while IFS= read -r line; do
		jq -e 'type == "object" and .schema == 1' <<<"$line" >/dev/null ||
			die "$told: no object: $line"
	done <"$said/out"
}

remember
run 0 check --json "${guest[@]}" clean clean
objects 2
run 4 check --json "${guest[@]}" clean leaky two
objects 3
[ "$(jq -r .outcome "$said/out" | paste -sd ' ')" = 'accepted refused refused' ] ||
	die "outcomes: $(jq -r .outcome "$said/out")"
run 12 check --json "${guest[@]}" leaky nowhere clean
objects 3
one_error '^xferry: nowhere: open: No such file'
[ "$(jq -r '.error // .outcome' "$said/out" | paste -sd '|')" = \
	'refused|nowhere: open: No such file or directory|accepted' ] ||
	die "an error among reports: $(cat "$said/out")"
run 76 check --json "${guest[@]}" foreign short leaky
objects 3
[ "$(wc -l <"$said/err")" = 2 ] || die "two errors expected: $(cat "$said/err")"
run 64 check --json "${guest[@]}" foreign clean
objects 2
run 72 check "${guest[@]}" nowhere foreign
no_output
run 4 check "${guest[@]}" leaky clean two
no_error
[ "$(grep -c '^[a-z]*: QEMU migration stream' "$said/out")" = 3 ] || die 'three reports expected'
# An option's own error comes before any file is looked at.
run 8 check --json --to nowhere leaky clean
one_error '^xferry: nowhere: '
no_output
run 16 fix "${guest[@]}" --in-place leaky clean
nothing_written
run 8 fix --json "${guest[@]}" --in-place nowhere
objects 1
one_error '^xferry: nowhere: '
run 8 fix --json "${guest[@]}" -o clean leaky
objects 1
one_error '^xferry: clean: exists already'
nothing_written
# --from that no file has any use of: a note, and the reports as without it.
run 4 check --json "${guest[@]}" leaky clean
cp "$said/out" "$said/without"
run 4 check --json "${guest[@]}" --from preset:linux-6.2 leaky clean
one_error '^xferry: note: nothing that was checked depends on the host that --from tells$'
diff "$said/without" "$said/out" || die "--from has changed the reports (> with it)"
mkdir dir
cp leaky dir
run 4 check "${guest[@]}" --from preset:linux-6.2 dir
one_error '^xferry: note: nothing that was checked depends'
run 0 check --cpu max --from preset:linux-6.2 leaky dir
no_error
echo 'ok several files'
