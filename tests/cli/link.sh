#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs with the installed library: examples/judge.c against the shared and the static
# one, and the header in C++. BUILD is the build directory, CC the compiler, FLAGS what it
# is to be given.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need meson pkg-config

DESTDIR=$place/root meson install --no-rebuild -C "$BUILD" >"$said/install" 2>&1 ||
	die "meson install: $(tail -n 5 "$said/install")"
config=$(find root -name libxferry.pc)
[ -n "$config" ] || die 'no libxferry.pc was installed'
export PKG_CONFIG_PATH=${config%/*} PKG_CONFIG_SYSROOT_DIR=$place/root
library=$(dirname "$(find root -name libxferry.so.0)")
sample leaky-pc-qemu64.qevm vm

expect_judged() {
	told=$1
	shift
	status=0
	"$@" >"$said/out" 2>"$said/err" || status=$?
	hold_status 4 "$status"
	no_error
	diff - "$said/out" <<'OUT' || die "$told: says something else"
vm: qemu stream, machine pc-i440fx-7.2, 1 vCPU
vCPU 0: XF101 superfluous state component: AVX PKRU
preset:linux-6.2,-pku answers: refused; repaired: accepted
OUT
	echo "ok $told"
}

judge=(./judge vm qemu64 'preset:linux-6.2,-pku')
# shellcheck disable=SC2046,SC2086 # lists of words are meant
$CC $FLAGS -std=c11 -Wall -Wextra -Wpedantic -Werror -o judge "$SOURCE/examples/judge.c" \
	$(pkg-config --cflags --libs libxferry)
LD_LIBRARY_PATH=$library expect_judged 'linked with the shared library' "${judge[@]}"
readelf -d judge | grep -q 'libxferry\.so\.0' || die 'the shared library is not what was linked'

# shellcheck disable=SC2046,SC2086
$CC $FLAGS -std=c11 -Wall -Wextra -Wpedantic -Werror -o judge "$SOURCE/examples/judge.c" \
	$(pkg-config --cflags libxferry) "$library/libxferry.a" \
	$(pkg-config --static --libs-only-l libxferry | tr ' ' '\n' | grep -v '^-lxferry$')
expect_judged 'linked with the static library' "${judge[@]}"
! readelf -d judge | grep -q libxferry || die 'the shared library is what was linked'

# An error is told, and is no crash.
for arguments in 'nowhere qemu64 preset:linux-6.2' 'vm qemu65 preset:linux-6.2' 'vm qemu64 preset:x'; do
	status=0
	# shellcheck disable=SC2086
	./judge $arguments >"$said/out" 2>"$said/err" || status=$?
	told="judge $arguments"
	hold_status 8 "$status"
	[ "$(wc -l <"$said/err")" = 1 ] || die "$told: $(cat "$said/err")"
done
echo 'ok errors'

# Every header by itself, in C and in C++.
cxx=
for compiler in g++ clang++; do
	! command -v $compiler >/dev/null || cxx=${cxx:-$compiler}
done
for header in xferry.h core/area.h core/bits.h core/component.h core/layout.h core/rule.h \
	core/vcpu.h; do
	echo "#include <$header>" >header.c
	# shellcheck disable=SC2046,SC2086
	$CC -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only header.c \
		$(pkg-config --cflags libxferry) || die "$header does not stand alone in C"
	[ -z "$cxx" ] && continue
	cp header.c header.cc
	# shellcheck disable=SC2046
	$cxx -std=c++17 -Wall -Wextra -Werror -fsyntax-only header.cc \
		$(pkg-config --cflags libxferry) || die "$header does not stand alone in C++"
done
echo "ok headers${cxx:+, C++ with $cxx}"
