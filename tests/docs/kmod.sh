#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What docs/live.md, xferry-kmod(4) and the examples say of the kernel module is in its source: its
# parameters, counters, files, lines and version. tests/package and the lab see it at work.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
live=$SOURCE/docs/live.md
page=$SOURCE/docs/man/xferry-kmod.4.scd
example=$SOURCE/examples/kmod
kmod=$SOURCE/kmod

# known WHAT: each line of $said/named is one of $said/known.
known() {
	[ -s "$said/known" ] || die "the module has no $1"
	[ -s "$said/named" ] || die "no $1 is named"
	! grep -vxFf "$said/known" "$said/named" || die "the module has no such $1"
	echo "ok $1: $(sort -u "$said/named" | wc -l)"
}

# Lines of one section of the manual page.
section() {
	awk -v name="# $1" '/^# / { on = $0 == name; next } on' "$page"
}

# same WHAT: they are the same, in any order.
same() {
	sort -u "$said/known" | diff - <(sort -u "$said/named") || die "$1: the module (<), xferry-kmod(4) (>)"
	known "$1"
}

sed -nE 's/^module_param_cb\(([a-z_]+),.*/\1/p' "$kmod/params.c" >"$said/known"
section PARAMETERS | sed -nE 's/^\*([a-z_]+)\*$/\1/p' >"$said/named"
same parameters
{
	grep -oE '/sys/module/xferry/parameters/[a-z_]+' "$live" | sed 's,.*/,,'
	grep -oE '\W(mode|components|trim_get)=' "$live" | tr -cd 'a-z_\n'
	sed -nE 's/^options xferry (.*)/\1/p' "$example/modprobe.d-xferry.conf" |
		tr ' ' '\n' | sed 's/=.*//'
} >"$said/named"
known 'parameters of live.md and modprobe.d'
grep -v '^#' "$example/modules-load.d-xferry.conf" | diff - <(echo xferry) ||
	die 'modules-load.d names another module'

# A direction and a fate make a counter; some have a name of their own.
{
	sed -nE 's/^\tXF_FATE_([A-Z_]+),.*/set_\L\1\nget_\L\1/p' "$kmod/account.h"
	sed 's/\\n/ /g' "$kmod/account.c" | grep -oE '[a-z]+_[a-z]+ %lu' | sed 's/ .*//'
} >"$said/known"
section COUNTERS | grep -oE '^\*[a-z_*, ]+\*$' | tr ',' '\n' | tr -cd 'a-z_\n' >"$said/named"
sed -nE 's/^get_(.*)/set_\1/p' "$said/named" >"$said/more" # "the same with get", and back
sed -nE 's/^set_(.*)/get_\1/p' "$said/named" >>"$said/more"
cat "$said/more" >>"$said/named"
same counters
grep -oE '\W(set|get)_[a-z_]+\W' "$live" | tr -cd 'a-z_\n' >"$said/named"
known 'counters of live.md'

grep -oE 'debugfs_create_file\("[a-z]+"' "$kmod/account.c" | cut -d '"' -f 2 >"$said/known"
for document in "$page" "$live"; do
	grep -oE '/sys/kernel/debug/xferry/[a-z]+' "$document" | sed 's,.*/,,' >"$said/named"
	known "files in debugfs of ${document##*/}"
done
for line in '#define TRACE_SYSTEM xferry$' 'TRACE_EVENT(xferry_trim,'; do
	grep -q "^$line" "$kmod/trace.h" || die 'there is no tracepoint xferry:xferry_trim'
done

# Its line: the same keys in the same order.
keys() { grep -oE '[a-z_]+=' | paste -sd ' '; }
due=$(grep -A 1 '^#define XF_EVENT_FORMAT' "$kmod/account.h" | keys)
[ -n "$due" ] || die 'kmod/account.h has no XF_EVENT_FORMAT'
for got in "$(grep '^    xferry: pid=' "$live" | keys)" "$(grep '^\*pid=' "$page" | keys)"; do
	[ "$got" = "$due" ] || die "its line has the keys $due, not $got"
done
echo 'ok its line'

version=$(sed -nE "s/^  version: '([^']+)',/\1/p" "$SOURCE/meson.build" | head -n 1)
! grep -oE 'xferry[-/][0-9]+\.[0-9.]*[0-9]' "$live" | grep -vx "xferry.$version" ||
	die "docs/live.md names another version than $version"
echo "ok version $version"
