#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Installs into a directory of its own: all is there, and the example of
# libxferry(3), compiled as it says, with pkg-config, repairs a stream.
# BUILD is the build directory, CC the compiler, FLAGS what it is to be given.
# shellcheck source=../cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need meson pkg-config

DESTDIR=$place/root meson install --no-rebuild -C "$BUILD" >"$said/install" 2>&1 ||
	die "meson install: $(tail -n 5 "$said/install")"

# One that is to be there: its name below the prefix, wherever the distribution puts it.
installed() {
	local found

	found=$(find root -path "*/$1" | head -n 1)
	[ -n "$found" ] || die "$1 was not installed"
	echo "$found"
}

installed bin/xferry
installed libxferry.so.0
installed libxferry.a
[ "$(uname -m)" != x86_64 ] || installed libxferry-guard.so
for header in xferry.h core/area.h core/bits.h core/component.h core/layout.h core/rule.h \
	core/vcpu.h; do
	installed "include/xferry/$header"
done
installed share/bash-completion/completions/xferry
# How to deploy it; the examples are where that says they are, and run as they did.
live=$(installed share/doc/xferry/docs/live.md)
while IFS= read -r example; do
	[ -e "${live%/*}/$example" ] || die "live.md names $example, which was not installed"
done < <(grep -o '](\.\./examples/[^)]*)' "$live" | sed 's/^](//; s/)$//')
for name in live-migration.sh libvirt/hook proxmox/hookscript proxmox/kvm-wrapper; do
	[ -x "$(installed "share/doc/xferry/examples/$name")" ] || die "$name cannot be run"
done
if [ -e "$MANUAL/xferry.1" ]; then
	for name in "$MANUAL"/*.[1-7]; do
		installed "man/man${name##*.}/$(basename "$name")"
	done
fi

config=$(installed pkgconfig/libxferry.pc)
export PKG_CONFIG_PATH=${config%/*} PKG_CONFIG_SYSROOT_DIR=$place/root
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(dirname "$(installed libxferry.so.0)")
awk '/^```/ { inside = !inside; next } inside' "$SOURCE/docs/man/libxferry.3.scd" >example.c
# shellcheck disable=SC2046,SC2086 # lists of words are meant
$CC $FLAGS -std=c11 -Wall -Wextra -Wpedantic -Werror -o example example.c \
	$(pkg-config --cflags --libs libxferry)

sample leaky-pc-qemu64.qevm vm.qevm
before=$(hash_of vm.qevm)
./example vm.qevm >"$said/out"
diff - "$said/out" <<'OUT' || die "the example prints something else"
vCPU 0: superfluous state component, 0x204
OUT
run 0 check --cpu qemu64 vm.qevm
run 0 undo vm.qevm.xfundo
[ "$(hash_of vm.qevm)" = "$before" ] || die "the file is not as before"
echo "ok the example of libxferry(3)"
