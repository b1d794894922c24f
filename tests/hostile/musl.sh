#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Library and command with musl in the place of glibc, and the libraries that they need built for it
# from Debian's sources; unit tests and cases run with that.
#
#	SOURCE, the source tree; XFERRY, this machine's command. KEEP=yes keeps the build.
: "${SOURCE:?names the source tree}"
: "${XFERRY:?names the command to compare with}"
# shellcheck source=../lib.sh
. "$SOURCE/tests/lib.sh"
# shellcheck source=root-lib.sh
. "$SOURCE/tests/hostile/root-lib.sh"
need_roots
need git python3

# Their tests make calls of glibc's fail by its names for them (open64): musl has no such names. The
# guard stands before glibc's functions; the others look at this machine's compiler or KVM.
not_here='^(core-compile-fail|core-freestanding|state-faults|link|probe-static|probe-words|races)$'
cleanup=()
leave() {
	local step

	for step in "${cleanup[@]}"; do
		$step
	done
}
trap leave EXIT

open_hostile_root musl
deps=/src/musl-deps
prefix=$deps/prefix
place=/src/build-musl
logs=$hostile/src/musl
[ -n "${KEEP:-}" ] || cleanup+=("rm -rf $hostile$place $hostile/src/musl")

# step NAME WORDS: of a shell, in there.
step() {
	quietly "$logs.$1.log" inside "$hostile" env CC=musl-gcc \
		CFLAGS="-O2 -fPIC -idirafter $deps/kernel" PKG_CONFIG_LIBDIR="$prefix/lib/pkgconfig" \
		sh -euc "cd $deps; $2"
}

# with_cmake NAME OPTION...: a library, static.
with_cmake() {
	step "$1" "cmake -S $1-[0-9]* -B build-$1 -DCMAKE_INSTALL_PREFIX=$prefix \
		-DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_PREFIX_PATH=$prefix -DBUILD_SHARED_LIBS=OFF \
		-DCMAKE_BUILD_TYPE=Release ${*:2} && make -C build-$1 -j2 && make -C build-$1 install"
}

# Kept in the root: they do not change with what is tested.
build_libraries() {
	[ ! -f "$hostile$prefix/complete" ] || return 0
	rm -rf "${hostile:?}$deps"
	mkdir -p "$hostile$deps/kernel"
	# The kernel's headers are not a libc's: musl's compiler does not look where they are.
	ln -s /usr/include/linux /usr/include/asm-generic /usr/include/x86_64-linux-gnu/asm \
		"$hostile$deps/kernel"
	step fetch 'apt-get -q source zlib json-c yajl libxml2 libarchive cmocka'
	step zlib "cd zlib-[0-9]*; ./configure --static --prefix=$prefix; make -j2; make install"
	with_cmake json-c -DBUILD_TESTING=OFF -DDISABLE_WERROR=ON
	with_cmake yajl
	step yajl-static "cd prefix/lib; rm -f libyajl.so*; ln -sf libyajl_s.a libyajl.a
		[ -f pkgconfig/yajl.pc ] || mv ../share/pkgconfig/yajl.pc pkgconfig/"
	with_cmake libxml2 -DLIBXML2_WITH_{ICONV,LZMA,PYTHON,ZLIB,PROGRAMS,TESTS}=OFF
	with_cmake libarchive -DENABLE_{OPENSSL,ICONV,LIBXML2,EXPAT,ACL,XATTR,TEST,ZSTD,LZMA,BZip2,LZ4}=OFF \
		-DENABLE_{TAR,CPIO,CAT,NETTLE,MBEDTLS,LIBB2,PCREPOSIX,WERROR}=OFF
	with_cmake cmocka -DWITH_EXAMPLES=OFF -DWITH_STATIC_LIB=ON
	touch "$hostile$prefix/complete"
}

build_libraries
copy_source "$hostile/src/musl"
cat >"$hostile/src/musl.native" <<END
[binaries]
c = 'musl-gcc'
pkgconfig = 'pkg-config'
[built-in options]
c_args = ['-idirafter', '$deps/kernel', '-I$prefix/include']
c_link_args = ['-L$prefix/lib']
END
rm -rf "${hostile:?}$place"
step setup "meson setup --native-file /src/musl.native -Dprefer_static=true /src/musl $place"
step build "ninja -C $place"
echo "ok built with musl: $(file -b "$hostile$place/cli/xferry" | grep -o 'interpreter [^,]*')"

tests=()
while read -r name; do
	name=${name##* / }
	[[ $name =~ $not_here ]] || tests+=("$name")
done < <(inside "$hostile" meson test -C "$place" --no-rebuild --list --suite core --suite host \
	--suite state --suite cases --suite cli --suite route --no-suite long --no-suite once 2>/dev/null)
[ ${#tests[@]} -gt 300 ] || die "only ${#tests[@]} tests are there"
inside "$hostile" meson test -C "$place" --no-rebuild --print-errorlogs -t 5 "${tests[@]}" \
	>"$logs.test.log" 2>&1 || {
	grep -E ' (FAIL|TIMEOUT|ERROR) ' "$logs.test.log" || true
	die "tests fail with musl: $logs.test.log"
}
grep -E '^(Ok|Fail|Skipped)' "$logs.test.log"
