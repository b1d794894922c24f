#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# "meson install" puts what is in installed.txt where that says, and nothing else, whoever calls
# it; and what has been installed works from another place too.
#   SOURCE, the source tree; BUILD, the build directory.
: "${SOURCE:?names the source tree}" "${BUILD:?names the build directory}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
need meson python3 pkg-config

place=$(mktemp -d "${TMPDIR:-/tmp}/xferry-install.XXXXXX")
trap 'rm -rf "$place"' EXIT
option() {
	meson introspect --buildoptions "$BUILD" | python3 -c \
		'import json, sys; print({o["name"]: o["value"] for o in json.load(sys.stdin)}[sys.argv[1]])' "$1"
}
prefix=$(option prefix)
version=$(sed -nE "s/^  version: '([^']+)',/\1/p" "$SOURCE/meson.build" | head -n 1)

(
	umask 077
	DESTDIR=$place/root meson install --no-rebuild -C "$BUILD" >"$place/said" 2>&1
) || die "meson install: $(tail -n 5 "$place/said")"
[ "$(find "$place/root" -mindepth 1 ! -path "$place/root$prefix/*" ! -type d)" = '' ] ||
	die "something is not below $prefix: $(find "$place/root" ! -path "$place/root$prefix/*" ! -type d)"
cd "$place/root$prefix"

# What the module is made of is compared by source.sh.
find . ! -type d ! -path "./src/xferry-$version/*" -printf '%m %P %l\n' | sed 's/ $//' |
	sort >"$place/found"
expected() {
	sed -e "s,LIBDIR,$(option libdir)," -e "s,VERSION,$version,g" "$SOURCE/tests/package/installed.txt"
}
expected | while IFS= read -r line; do
	case $line in
	*/libxferry-guard.so) [ "$(uname -m)" = x86_64 ] || continue ;;
	*/share/man/*) [ -e "$BUILD/docs/xferry.1" ] || continue ;;
	esac
	echo "$line"
done | sort >"$place/due"
diff "$place/due" "$place/found" || die 'installed.txt says (<), was installed (>)'
[ -z "$(find . -type d ! -perm 755)" ] || die "a directory is not for all: $(find . -type d ! -perm 755)"
echo "ok $(wc -l <"$place/found") files, below $prefix"

# Nothing that runs or is linked says where it was built.
found=$(grep -rlF -e "$SOURCE" -e "$BUILD" . || true)
[ -z "$found" ] || die "these name the place where they were built: $found"
echo 'ok none names the place where it was built'

mv "$place/root$prefix" "$place/moved"
config=$(find "$place/moved" -name libxferry.pc)
said=$(PKG_CONFIG_PATH=${config%/*} pkg-config "--define-variable=prefix=$place/moved" \
	--cflags --libs libxferry)
tr ' ' '\n' <<<"$said" >"$place/words"
grep -qx -- "-I$place/moved/include/xferry" "$place/words" || die "moved, pkg-config says: $said"
grep -qx -- "-L$place/moved/.*" "$place/words" || die "moved, pkg-config says: $said"
echo 'ok moved elsewhere, pkg-config is told one word'
