#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# core/ links alone: with nothing but a _start that calls every public function,
# no libc and no compiler's helpers, at every optimization. Then it runs.
# Usage: freestanding.sh SOURCE-ROOT [COMPILER]
set -eu

root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Refers to every function that the headers declare, so that none is left out of the link.
functions=$(sed -n 's/^[a-z][a-z0-9_ ]*[ *]\(xf_[a-z0-9_]*\)(.*/\1/p' "$root"/core/*.h |
	grep -vxF "$(sed -n 's/^static inline [a-z0-9_ ]*[ *]\(xf_[a-z0-9_]*\)(.*/\1/p' "$root"/core/*.h)" |
	sort -u)
count=$(wc -w <<<"$functions")
[ "$count" -ge 25 ] || {
	echo "found only $count public functions"
	exit 1
}

cat >"$work/start.c" <<END
#include "core/shown.h"
#include "core/vcpu.h"

typedef void anything(void);
extern anything *volatile const every[];
anything *volatile const every[] = {
$(for f in $functions; do echo "	(anything *)$f,"; done)
};

static _Noreturn void leave(int status)
{
	__asm__ volatile("syscall" : : "a"(60), "D"(status) : "rcx", "r11", "memory");
	__builtin_unreachable();
}

static unsigned char area[4096] = { [512] = 0x07, [513] = 0x02, [0xa80] = 1 };

/* The kernel enters with a stack that is aligned as no called function's is. */
_Noreturn void _start(void) __attribute__((force_align_arg_pointer));
_Noreturn void _start(void)
{
	const struct xf_guest qemu64 = { 0x3, ~0ull };
	uint64_t drop = xf_droppable(0x207, qemu64, ~0ull);

	if (!every[0] || drop != 0x204)
		leave(1);
	if (!xf_area_drop(area, sizeof(area), &xf_layout_intel, drop))
		leave(2);
	leave(area[512] != 0x03 || area[513] || area[0xa80]);
}
END

for cc in ${2:-gcc clang}; do
	command -v "$cc" >/dev/null || {
		echo "no $cc here"
		continue
	}
	for level in 0 1 2 3 s; do
		"$cc" -std=gnu11 -O$level -Wall -Wextra -Werror -Wno-cast-function-type -ffreestanding \
			-nostdlib -static -fno-pie -fno-stack-protector -Wl,--no-undefined \
			-Wl,-z,noexecstack -Wl,--build-id=none \
			-I"$root" "$work/start.c" "$root"/core/*.c -o "$work/alone"
		"$work/alone" || {
			echo "$cc -O$level: links, but answers wrong ($?)"
			exit 1
		}
	done
	echo "$cc: $count functions link alone at -O0 to -O3 and -Os"
done
