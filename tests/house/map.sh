#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# map.sh TREE LIBRARY: what the shared library exports, what libxferry.map names, what the
# public headers declare and what Debian's package says of its symbols are the same.
library=$(realpath "$2")
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v gcc >/dev/null || skip 'gcc is not installed: it lists what headers declare'

named() {
	sed -e 's|/\*.*\*/||' libxferry.map | grep -oE 'xf_[a-z0-9_]+;' | tr -d ';' | sort
}

exported() {
	nm -D --defined-only "$library" | awk '$2 != "A" { sub("@.*", "", $3); print $3 }' | sort
}

# Functions as gcc sees them, and variables; not what is static inline.
declared() {
	local info
	info=$(mktemp)
	gcc -std=gnu11 -I. -Iinclude -fsyntax-only -aux-info "$info" include/xferry.h
	grep -E '^/\* ([^ ]*/)?(include/xferry|core/[a-z]+)\.h:' "$info" | grep -v ' static ' |
		grep -oE '\bxf_[a-z0-9_]+ \(' | tr -d ' ('
	rm -f "$info"
	cat include/xferry.h core/*.h |
		sed -nE 's/^extern .*[ *](xf_[a-z0-9_]+)(\[[^]]*\])*;.*/\1/p'
}

# With the version that the map gives them.
packaged() {
	sed -nE "s/^ (xf_[a-z0-9_]+)@$node [0-9.]+$/\1/p" debian/libxferry0.symbols | sort
}

differ() {
	diff <("$1" | sort -u) <("$2" | sort -u) >/dev/null && return
	diff <("$1" | sort -u) <("$2" | sort -u) | sed -n 's/^[<>] /	/p'
	complain "the above is in one only of: $3"
}

node=$(sed -nE 's/^([A-Z0-9_.]+) \{$/\1/p' libxferry.map)
[[ $node =~ ^LIBXFERRY_[0-9.]+$ ]] || complain "libxferry.map has not one version: $node"
grep -q "^ $node@$node " debian/libxferry0.symbols ||
	complain "debian/libxferry0.symbols does not have the version $node"
count=$(named | wc -l)
[ "$count" = "$(named | sort -u | wc -l)" ] || complain 'libxferry.map names something twice'
[ "$count" -gt 40 ] || complain "only $count names in libxferry.map"
differ named exported "libxferry.map, the shared library"
differ named declared "libxferry.map, the public headers"
differ named packaged "libxferry.map, debian/libxferry0.symbols (as NAME@$node)"
finish "$count names in the map, the library, the headers and the package"
