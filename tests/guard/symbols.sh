#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guard has the names that it wraps and no other, and asks for no newer libc than the one
# of QEMU 5.2; where a root with that is at hand, it is loaded there.
# Usage: symbols.sh GUARD GUARD.C
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
guard=$(realpath "$1") source=$(realpath "$2")
cd "$place"

newest=2.28

nm -D --defined-only "$guard" | awk '{ print $3 }' | sort >exported
sed -n 's/.* WRAPS("\([a-z0-9_]*\)");.*/\1/p' "$source" | sort >wrapped
[ "$(wc -l <wrapped)" -ge 9 ] || die "$source: only $(wc -l <wrapped) wrappers were seen"
diff wrapped exported || die 'the above is in one only of: guard.c, what is exported'
echo "ok $(wc -l <exported) names: $(paste -sd ' ' exported)"

objdump -T "$guard" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -Vu >versions
[ -s versions ] || die 'no versions were seen'
[ "$(printf '%s\n' "$newest" "$(tail -n 1 versions)" | sort -V | tail -n 1)" = "$newest" ] ||
	die "wants glibc $(tail -n 1 versions): $(objdump -T "$guard" | grep -F "_$(tail -n 1 versions)")"
echo "ok glibc $(tail -n 1 versions) at most"

# With every symbol found at the start, none can be missing later.
readelf -d "$guard" | grep -q 'FLAGS.*NOW' || die 'is bound lazily'
readelf -d "$guard" | grep -q SONAME && die 'has a SONAME'
readelf -d "$guard" | grep NEEDED | grep -v 'libc\.so\.6' && die 'needs more than libc'
readelf -lW "$guard" | grep -q ' TLS ' && die 'has thread-local storage'
readelf -lW "$guard" | grep 'GNU_STACK' | grep -q 'RWE' && die 'has an executable stack'
nm -D "$guard" | grep -q ' w dlsym@GLIBC_2.2.5' || die 'dlsym is not the weak old one'
echo 'ok needs libc alone'

root=${XDG_CACHE_HOME:-$HOME/.cache}/xferry/roots/bullseye
if [ -x "$root/bin/sh" ] && [ "$(id -u)" = 0 ]; then
	cp "$guard" "$root/tmp/guard-symbols.so"
	status=0
	said=$(chroot "$root" /bin/sh -c 'exec env LD_PRELOAD=/tmp/guard-symbols.so /bin/cat /etc/debian_version' \
		2>&1) || status=$?
	rm -f "$root/tmp/guard-symbols.so"
	case $status:$said in
	0:11.*) echo "ok loads in Debian $said" ;;
	*) die "Debian 11: status $status: $said" ;;
	esac
fi
