#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two builds of two copies of the source, elsewhere and otherwise, install the same files, to the
# byte; and "ninja uninstall" takes all of them away again. debian.sh does the same for packages.
#   SOURCE, the source tree.
: "${SOURCE:?names the source tree}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
need meson ninja git scdoc

place=$(mktemp -d "${TMPDIR:-/tmp}/xferry-twice.XXXXXX")
trap 'rm -rf "$place"' EXIT
# The pages of the manual have a date.
export SOURCE_DATE_EPOCH=1700000000

# copy_source DIRECTORY: what would be committed.
copy_source() {
	mkdir -p "$1"
	git -c safe.directory="$SOURCE" -C "$SOURCE" ls-files -co --exclude-standard -z |
		while IFS= read -rd '' name; do
			[ ! -e "$SOURCE/$name" ] || printf '%s\0' "$name"
		done |
		tar -C "$SOURCE" --null -T - -c | tar -C "$1" -x --no-same-owner
}

# builds SOURCE BUILD ROOT WORD...: the words are ninja's.
builds() {
	local source=$1 build=$2 root=$3

	shift 3
	{
		meson setup --prefix=/usr -Dtests=disabled "$build" "$source" && ninja -C "$build" "$@" &&
			DESTDIR=$root meson install --no-rebuild -C "$build"
	} >"$place/said" 2>&1 || die "$(tail -n 10 "$place/said")"
}

# Names, modes, links and content.
listing() {
	(
		cd "$1"
		find . -printf '%m %P %l\n' | sort
		find . -type f -print0 | sort -z | xargs -0 sha256sum
	)
}

copy_source "$place/one"
copy_source "$place/other/of/another depth/source"
builds "$place/one" "$place/one/build" "$place/first" -j2
(
	umask 002
	export TZ=XFE-14 LC_ALL=C.UTF-8
	builds "$place/other/of/another depth/source" "$place/built" "$place/second" -j1
)
diff <(listing "$place/first") <(listing "$place/second") || die 'the second build installs something else'
echo "ok $(find "$place/first" -type f | wc -l) files, the same from two builds"

for root in first second; do
	build=$place/one/build
	[ "$root" = first ] || build=$place/built
	ninja -C "$build" uninstall >"$place/said" 2>&1 || die "$(tail -n 10 "$place/said")"
	[ ! -e "$place/$root/usr" ] || die "left behind: $(find "$place/$root/usr")"
done
echo 'ok ninja uninstall leaves nothing'
