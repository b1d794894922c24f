#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# static.sh TREE: the module builds without a warning, neither sparse nor the kernel's own
# checkpatch has anything to say, nothing is written beside its sources, and it does not
# build for a kernel that it does not know.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

tree=$(cd "$1" && pwd)
need make gcc sparse perl objcopy
kernel=
for headers in "${XDG_CACHE_HOME:-$HOME/.cache}"/xferry/kernels/headers/own-*; do
	[ ! -f "$headers/Module.symvers" ] || kernel=$headers
done
[ -n "$kernel" ] || skip 'the lab has made no headers of its own kernel yet (script/lab run)'
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

sources() {
	find "$tree/kmod/" "$tree/core/" -type f -printf '%P %s %T@\n' | sort
}

# build LOG [WORD...]: into $place/built, with all output in the log.
build() {
	local log=$1
	shift
	make -C "$tree/kmod" KDIR="$kernel" OUT="$place/built" "$@" >"$log" 2>&1
}

sources >"$place/before"
build "$place/log" C=2 CHECK=sparse || die "it does not build: $(tail -n 5 "$place/log")"
[ -s "$place/built/xferry.ko" ] || die 'no xferry.ko'
checked=$(grep -c '^  CHECK ' "$place/log")
[ "$checked" -ge 12 ] || die "sparse has seen $checked files only"
! grep -E 'warning|error' "$place/log" || die 'the compiler or sparse complains'
echo "ok builds without a warning; sparse: $checked files"
sources | diff "$place/before" - || die 'something was written beside the sources'
echo 'ok nothing is written beside the sources'

objcopy -O binary --only-section=.modinfo "$place/built/xferry.ko" "$place/modinfo"
tr '\0' '\n' <"$place/modinfo" >"$place/info"
grep -qx 'license=GPL' "$place/info" || die 'the licence is not GPL'
parameters=$(sed -n 's/^parm=\([a-z_]*\):.*/\1/p' "$place/info" | sort | paste -sd ' ')
[ "$parameters" = 'components mode trim_get' ] || die "its parameters are: $parameters"
manual=$(sed -n '/^# PARAMETERS/,/^# FILES/s/^\*\([a-z_]*\)\*$/\1/p' \
	"$tree/docs/man/xferry-kmod.4.scd" | sort | paste -sd ' ')
[ "$manual" = "$parameters" ] || die "the manual has the parameters: $manual"
echo "ok GPL; parameters $parameters, as in the manual"

# The manual page as one line, without its marks.
page=$(tr -d '*_' <"$tree/docs/man/xferry-kmod.4.scd" | tr -s '\n\t ' ' ')
in_manual() {
	[[ $page = *"${1//_/}"* ]] || die "the manual does not have: $1"
	said=$((said + 1))
}
said=0
for fate in $(sed -n '/fates\[\] = {/,/}/p' "$tree/kmod/account.c" | grep -o '"[a-z_]*"' | tr -d '"'); do
	case $fate in
	failed) in_manual 'get_failed' ;;
	*) in_manual "set_$fate" ;;
	esac
done
[ "$said" -ge 8 ] || die "only $said counters were seen"
# Of each message the longest piece without a conversion.
while IFS= read -r message; do
	in_manual "$message"
done < <(cat "$tree"/kmod/*.c | tr '\n' ' ' |
	grep -oE 'pr_(err|warn|notice|info)\(("([^"\]|\\.)*"| EXPECTED )+' |
	sed -E 's/^[^"]*"//; s/(\\n)?"$//; s/" EXPECTED.*/expected/; s/mode=.*//' |
	awk '{ longest = ""; count = split($0, piece, /%[-.*#]*[a-z]+|\\"/)
		for (i = 1; i <= count; i++) {
			gsub(/^[ :;,]+|[ :;,]+$/, "", piece[i])
			if (length(piece[i]) > length(longest)) longest = piece[i]
		}
		if (longest) print longest }')
[ "$said" -ge 20 ] || die "only $said counters and messages were seen"
echo "ok the manual has all counters and messages: $said"

# Left out: // for SPDX, since all of this project has /* */; and the word that a trace
# header must say of its own name.
perl "$kernel/scripts/checkpatch.pl" --no-tree --strict --max-line-length=100 \
	--ignore SPDX_LICENSE_TAG,EMBEDDED_FILENAME -f "$tree"/kmod/*.[ch] \
	>"$place/checkpatch" 2>&1 || die "checkpatch complains: $(head -n 20 "$place/checkpatch")"
seen=$(grep -c 'has no obvious style problems' "$place/checkpatch")
[ "$seen" -ge 14 ] || die "checkpatch has seen $seen files only"
echo "ok checkpatch: $seen files"

# unknown WHAT TEXT DEFINE: a kernel whose headers are otherwise.
unknown() {
	printf '%s\n' "$3" >"$place/other.h"
	if build "$place/log" KCFLAGS="-include $place/other.h"; then
		die "it builds where $1"
	fi
	grep -q "xferry knows another $2" "$place/log" ||
		die "where $1, it does not say so: $(grep -m 3 error "$place/log")"
	echo "ok does not build where $1"
}
unknown 'SET has one more argument' 'fpu_copy_uabi_to_guest_fpstate' \
	'#define vpkru vpkru, int more'
unknown 'GET has other arguments' 'fpu_copy_guest_fpstate_to_uabi' \
	'#define fpu_copy_guest_fpstate_to_uabi(...) fpu_copy_guest_fpstate_to_uabi(void *other)'

# Before 6.6 and 6.1.60 GET had no mask of what to give.
cp -as "$kernel" "$place/older"
api=arch/x86/include/asm/fpu/api.h
sed 's/unsigned int size, u64 xfeatures, u32 pkru/unsigned int size, u32 pkru/' "$kernel/$api" >"$place/api.h"
! cmp -s "$kernel/$api" "$place/api.h" || die "$api is not as this test knows it"
mv -f "$place/api.h" "$place/older/$api"
kernel=$place/older
build "$place/log" || die "it does not build where GET has no mask: $(grep -m 3 error "$place/log")"
echo 'ok builds where GET has no mask'
