#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Holds the manual against the command and the library: every option, verb,
# finding and function is in its page, no page has more, and examples run.
# MANUAL is the directory with the pages that scdoc made.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=examples.sh
. "$SOURCE/tests/docs/examples.sh"
need man col jq zcat
[ -e "$MANUAL/xferry.1" ] || skip "scdoc has made no pages"
export MANWIDTH=120 MAN_KEEP_FORMATTING='' GROFF_NO_SGR=1

page() {
	man --warnings -l "$MANUAL/$1" 2>"$said/warnings" | col -bx
	[ ! -s "$said/warnings" ] || die "$1: $(cat "$said/warnings")"
}

# The lines of one section of a page.
section() {
	page "$1" >"$said/page"
	awk -v name="$2" '/^[A-Z]/ { on = $0 == name; next } on' "$said/page"
}

# same WHAT: $said/due and $said/got are the same lines.
same() {
	[ -s "$said/due" ] || die "$1: there is nothing to compare"
	diff "$said/due" "$said/got" || die "$1 (< what it should be, > what the page has)"
	echo "ok $1: $(wc -l <"$said/due")"
}

# "--output FILE", "--json": each option that begins a line on stdin, -h and --help aside.
options() {
	grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+( [A-Z]+)?( |$)' |
		sed -E 's/^ +//; s/ +$//' | grep -v -- '--help' | sort
}

check_options() {
	local verb=$1

	"$XFERRY" "$verb" --help | options >"$said/due"
	section "xferry-$verb.1" OPTIONS | options >"$said/got"
	# A verb with no option but --help has nothing to compare.
	if [ "$verb" != undo ] && [ "$verb" != explain ]; then
		same "options of xferry-$verb(1)"
	fi
	cmp -s "$said/due" "$said/got" || die "options of xferry-$verb(1): $(cat "$said/got")"
	"$XFERRY" "$verb" --help | grep -q -- '--help' || die "$verb --help does not tell of --help"
	section "xferry-$verb.1" OPTIONS | grep -Eq '^ +(-h, )?--help$' ||
		die "xferry-$verb(1) does not tell of --help"
}

check_verbs() {
	"$XFERRY" --help | awk '/^  [a-z]/ { print $1 }' | sort >"$said/due"
	section xferry.1 VERBS | awk '/^       [a-z]+$/ { print $1 }' | sort >"$said/got"
	same "verbs of xferry(1)"
}

check_findings() {
	"$XFERRY" explain | awk '/^[^ ]/ { on = /^Findings/; next } on && NF' |
		sed -E 's/^ +//; s/ +/ /' >"$said/due"
	section xferry-check.1 FINDINGS | awk '/^ +XF[0-9]+$/ { getline text; print $1, text }' |
		sed -E 's/ +/ /g' >"$said/got"
	same "findings of xferry-check(1)"
}

check_presets() {
	"$XFERRY" explain | awk '/^[^ ]/ { on = /^Targets/; next } on && NF' |
		sed -E 's/^ +//; s/ +/ /g' >"$said/due"
	# A name on a line of its own, then its text, which may be folded.
	section xferry-profile.5 PRESETS | awk '/^ +[a-z]+-[0-9][a-z0-9.-]*$/ { on = 1; printf "%s ", $1; next }
		on && !NF { print ""; on = 0 } on { $1 = $1; printf "%s ", $0 }' |
		sed 's/ $//' >"$said/got"
	same "presets of xferry-profile(5)"
}

# Every example of a profile is one that the command takes.
check_profiles() {
	local profile

	awk -v RS='```\n' '/^{/ { print > ("profile-" ++n ".json") }' \
		"$SOURCE/docs/man/xferry-profile.5.scd"
	sample clean-pc-qemu64.qevm clean.qevm
	for profile in profile-*.json; do
		run 0 check --cpu qemu64 --to "$profile" clean.qevm
	done
	rm clean.qevm profile-*.json
	echo "ok profiles of xferry-profile(5)"
}

# Every key of a profile is in the page, in the order in which it is written. The example is
# what the library writes: tests/host/profile.c holds it to that.
check_profile_keys() {
	awk -v RS='```\n' '/^{/ && !n++' "$SOURCE/docs/man/xferry-profile.5.scd" >example.json
	jq -r 'keys_unsorted[]' example.json >"$said/due"
	section xferry-profile.5 KEYS | grep -oE '^       [a-z_]+$' | tr -d ' ' >"$said/got"
	same "keys of xferry-profile(5)"
	jq -r '.layout[0], .cpu | keys[]' example.json | while IFS= read -r key; do
		section xferry-profile.5 KEYS | grep -qw -- "$key" || die "xferry-profile(5) has no $key"
	done
	rm example.json
}

# Every key of the JSON is in the page, and every key of the page is somewhere in the JSON.
check_json() {
	sample leaky-pc-qemu64.qevm json.qevm
	{
		"$XFERRY" check --json --cpu qemu64 --to preset:linux-6.2,-pku json.qevm || true
		"$XFERRY" check --json /nonexistent 2>/dev/null || true
	} | jq -r '[paths | map(select(type == "string")) | .[-1]] | .[]' | sort -u >"$said/due"
	section xferry-check.1 JSON >"$said/json"
	# Keys begin a line; those of edits are told in one sentence.
	{
		grep -E '^ +[a-z0-9_]+(, [a-z0-9_]+)?$' "$said/json" | tr ',' '\n'
		printf '%s\n' offset length old new
	} | tr -d ' ' | sort -u >"$said/got"
	same "keys of the JSON in xferry-check(1)"
	rm json.qevm
}

# The same of a journey: of two ways, with and without a repair, and of one from a mask.
check_route_json() {
	sample leaky-pc-qemu64.qevm json.qevm
	{
		"$XFERRY" route --json --cpu qemu64 json.qevm preset:pve-7 preset:linux-6.2 \
			preset:debian-13 || true
		"$XFERRY" route --json 0x207 preset:pve-7 preset:debian-13 || true
		"$XFERRY" route --json ./nowhere preset:pve-7 preset:debian-13 2>/dev/null || true
	} | jq -r '[paths | map(select(type == "string")) | .[-1]] | .[]' | sort -u >"$said/due"
	section xferry-route.1 JSON >"$said/json"
	# Keys begin a line; those of hosts are told in one sentence.
	{
		grep -E '^ +[a-z0-9_]+(, [a-z0-9_]+)*$' "$said/json" | tr ',' '\n'
		printf '%s\n' name kernel supported get set module
	} | tr -d ' ' | sort -u >"$said/got"
	same "keys of the JSON in xferry-route(1)"
	rm json.qevm
}

# Of the filter: what is in it beyond that of check, and of a stream that was not understood.
check_filter_json() {
	sample leaky-pc-qemu64.qevm json.qevm
	"$XFERRY" filter --cpu qemu64 --json filter.json <json.qevm >passed 2>"$said/err" || true
	echo none | "$XFERRY" filter --json filter.json >passed 2>"$said/err" || true
	jq -r '.filter | "filter", keys[]' filter.json | sort -u >"$said/due"
	section xferry-filter.1 JSON | grep -oE '^ +[a-z]+$' | tr -d ' ' | sort -u >"$said/got"
	same "keys of the JSON in xferry-filter(1)"
	rm json.qevm filter.json passed
}

# Every key of the guard's lines and every variable that it reads is in its page, and no other.
check_guard() {
	{
		grep -v '^#include' "$SOURCE/guard/report.c" | grep -oE '\b[a-z_]+=(%|\\?"|0x)' |
			sed 's/=.*//'
		grep -oE '"pid=%|"xferry-guard: [a-z]+=%' "$SOURCE/guard/log.c" |
			sed -E 's/.*[" ]([a-z]+)=%/\1/'
	} | sort -u >"$said/due"
	section xferry-guard.7 LINES | grep -E '^       [a-z_]+(, [a-z_]+)*$' | tr ',' '\n' |
		tr -d ' ' | sort -u >"$said/got"
	same "keys of xferry-guard(7)"
	grep -oE 'secure_getenv\("[A-Z_]+"' "$SOURCE/guard/guard.c" | cut -d '"' -f 2 |
		sort >"$said/due"
	section xferry-guard.7 ENVIRONMENT | grep -oE '^       XFERRY_[A-Z_]+$' | tr -d ' ' |
		sort >"$said/got"
	same "variables of xferry-guard(7)"
}

check_functions() {
	grep -oE '^	xf_[a-z0-9_]+' "$SOURCE/libxferry.map" | tr -d '\t' | sort >"$said/due"
	section libxferry.3 FUNCTIONS | grep -oE '\bxf_[a-z0-9_]+' | sort -u >"$said/got"
	same "functions of libxferry(3)"
}

check_references() {
	local name

	for name in "$MANUAL"/*.[1-7]; do
		section "$(basename "$name")" "SEE ALSO" |
			grep -oE '\b(lib)?xferry[a-z-]*\([0-9]\)' | tr -d ')' | tr '(' . | sort -u |
			while IFS= read -r other; do
				[ -e "$MANUAL/$other" ] || die "$name refers to $other"
			done
		if command -v mandoc >/dev/null; then
			mandoc -T lint -W warning "$name" || die "$name: mandoc complains"
		fi
	done
	echo "ok references"
}

check_examples() {
	local name

	for name in "$SOURCE"/docs/man/*.scd; do
		mkdir "$place/examples"
		cd "$place/examples"
		mkdir undo
		sample leaky-pc-qemu64.qevm vm.qevm
		sample leaky-pc-qemu64.qevm other.qevm
		python3 "$SOURCE/tests/formats/area.py" vcpu0.xsave --in-use 0x207
		gzip -k vm.qevm
		run_examples "$name"
		echo "ok $examples examples of $(basename "$name" .scd)"
		cd "$place"
		rm -rf examples
	done
}

for verb in check fix undo filter probe route explain; do
	check_options "$verb"
done
check_verbs
check_findings
check_presets
check_profiles
check_profile_keys
check_json
check_route_json
check_filter_json
check_guard
check_functions
check_references
check_examples
