#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs that were linked with libxferry go on working with the one that is built here: what
# the public headers promise is what libxferry.abi says, which abidw wrote.
#   LIBRARY, the shared library, with debug information; SOURCE, the source tree; BUILD, the build
#   directory. UPDATE=yes writes libxferry.abi anew.
: "${SOURCE:?names the source tree}" "${BUILD:?names the build directory}" "${LIBRARY:?names it}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
need abidiff readelf
readelf --sections "$LIBRARY" | grep -q '\.debug_info' ||
	skip 'the library has no debug information (meson configure -Ddebug=true)'
reference=$SOURCE/tests/package/libxferry.abi

place=$(mktemp -d "${TMPDIR:-/tmp}/xferry-abi.XXXXXX")
trap 'rm -rf "$place"' EXIT
if [ "${UPDATE:-}" = yes ]; then
	DESTDIR=$place/root meson install --no-rebuild --tags devel -C "$BUILD" >"$place/said" 2>&1 ||
		die "meson install: $(tail -n 5 "$place/said")"
	headers=$(dirname "$(find "$place/root" -name xferry.h)")
	abidw --exported-interfaces-only --drop-private-types --headers-dir "$headers" \
		--no-show-locs --no-corpus-path --no-comp-dir-path --no-elf-needed --no-parameter-names --type-id-style hash \
		--out-file "$reference" "$LIBRARY" || die 'abidw fails'
	echo "ok written: $reference"
	exit
fi

# compare REFERENCE [OPTION...]: status of abidiff; what it says is in $place/said.
compare() {
	local status=0

	abidiff --exported-interfaces-only "${@:2}" "$1" "$LIBRARY" >"$place/said" 2>&1 || status=$?
	[ $((status & 3)) = 0 ] || die "abidiff: $(cat "$place/said")"
	return "$status"
}

compare "$reference" --no-added-syms || {
	cat "$place/said"
	die 'programs linked with libxferry.so.0 would break (above). Take the change back; or, before' \
		'a release that may break them, raise soversion in meson.build and rename the package' \
		'libxferry0, then write libxferry.abi anew: UPDATE=yes'
}
compare "$reference" || {
	cat "$place/said"
	die 'the public interface has grown (above). Name the new symbols in libxferry.map under a' \
		'version of their own once one is released, and in debian/libxferry0.symbols; then write' \
		'libxferry.abi anew: UPDATE=yes'
}
echo "ok $(grep -c '<elf-symbol ' "$reference") symbols as promised"

# It does see what it is to see: a structure that was smaller, a function that is gone, one
# that was not there.
sees() {
	local what=$1 expression=$2 option=$3

	sed -E "$expression" "$reference" >"$place/other.abi"
	! cmp -s "$reference" "$place/other.abi" || die "$what: nothing was changed for the trial"
	# shellcheck disable=SC2086 # may be none
	! compare "$place/other.abi" $option || die "$what is not noticed"
	echo "ok $what is noticed"
}
smaller="/<class-decl name='xf_field'/s/size-in-bits='[0-9]+'/size-in-bits='128'/"
sees 'a structure that has grown' "$smaller" --no-added-syms
sees 'another number of a name' "s/(<enumerator name='XF_ERR_REFUSED' value=)'5'/\\1'4'/" --no-added-syms
sees 'a function that is gone' 's/\bxf_undo\b/xf_gone/' --no-added-syms
sees 'a function that is new' "/<elf-symbol name='xf_undo'|<function-decl name='xf_undo'/s/xf_undo/xf_version/" ''
