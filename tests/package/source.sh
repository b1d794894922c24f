#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What DKMS is given: the installed source has all that the module is made of and no link,
# and everybody names one version. SOURCE is the source tree, BUILD the build directory.
: "${SOURCE:?names the source tree}"
: "${BUILD:?names the build directory}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
need meson make

place=$(mktemp -d "${TMPDIR:-/tmp}/xferry-source.XXXXXX")
trap 'rm -rf "$place"' EXIT

version=$(sed -nE "s/^  version: '([^']+)',/\1/p" "$SOURCE/meson.build" | head -n 1)
[ -n "$version" ] || die 'meson.build names no version'
names_version() {
	[ "$2" = "$version" ] || die "$1 says version '$2', meson.build $version"
	echo "ok $1"
}
names_version kmod/version.h \
	"$(sed -nE 's/^#define XF_VERSION "(.*)"/\1/p' "$SOURCE/kmod/version.h")"
names_version debian/changelog \
	"$(sed -nE '1s/^xferry \((.*)\) .*/\1/p' "$SOURCE/debian/changelog")"

DESTDIR=$place/root meson install --no-rebuild --tags kmod -C "$BUILD" >"$place/said" 2>&1 ||
	die "meson install: $(tail -n 5 "$place/said")"
found=$(find "$place/root" -type d -name "xferry-*")
[ "$(basename "$found")" = "xferry-$version" ] || die "installed in: $found"
cd "$found"
[ -z "$(find . ! -type f ! -type d)" ] || die "more than files: $(find . ! -type f ! -type d)"

# What dkms reads, as dkms reads it: by bash, with two names of its own.
conf() (
	kernel_source_dir=/kernel dkms_tree=/tree
	export kernel_source_dir dkms_tree
	# shellcheck disable=SC1091 # made by meson
	. ./dkms.conf
	declare -n value=$1
	echo "$value"
)
names_version dkms.conf "$(conf PACKAGE_VERSION)"
[ "$(conf PACKAGE_NAME)" = xferry ] || die 'dkms.conf has another name'
[ "$(conf MAKE)" = "make -C /kernel M=/tree/xferry/$version/build modules" ] ||
	die "dkms.conf: $(conf MAKE)"

# Every object that Kbuild names has its source here, and every file that those include.
objects=$(sed -e ':a' -e '/\\$/{N;s/\\\n//;ta' -e '}' Kbuild | sed -nE 's/^xferry-y :?= *//p')
[ "$(wc -w <<<"$objects")" -ge 5 ] || die "Kbuild names: $objects"
for object in $objects; do
	[ -f "${object%.o}.c" ] || die "Kbuild compiles ${object%.o}.c, which was not installed"
done
includes=0
while IFS=: read -r file header; do
	[ -f "$header" ] || [ -f "$(dirname "$file")/$header" ] ||
		die "$file includes $header, which was not installed"
	includes=$((includes + 1))
done < <(find . -name '*.[ch]' -exec grep -HoE '^[[:space:]]*#[[:space:]]*include "[^"]+"' {} + |
	sed -E 's/:.*"(.*)"/:\1/')
[ "$includes" -gt 10 ] || die "only $includes includes were seen"

# What is in kmod/ is installed or is no part of the module.
for file in "$SOURCE"/kmod/*.[ch] "$SOURCE"/kmod/Kbuild "$SOURCE"/kmod/Makefile; do
	cmp "$file" "$(basename "$file")" || die "kmod/meson.build does not install $file"
done
echo "ok $(wc -w <<<"$objects") objects, $includes includes, no link"

# Most people who build by hand lack the headers at first.
! make KDIR="$place/none" OUT="$place/out" >"$place/said" 2>&1 ||
	die 'make is content without a kernel'
if [ "$(wc -l <"$place/said")" != 1 ] ||
	! grep -q "no kernel build directory $place/none: .* KDIR=" "$place/said"; then
	die "without a kernel, make says: $(cat "$place/said")"
fi
[ ! -e "$place/out" ] || die 'without a kernel, make has begun to build'
echo 'ok without headers make says so in one line'
