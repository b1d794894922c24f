#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A component's number and its mask are two types: what mixes them up must not
# compile, and the same line done right must.
# Usage: compile-fail.sh SOURCE-ROOT COMPILER...
set -eu

root=$1
shift
cc=("$@" -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -I"$root" -x c)
failed=0

compiles()
{
	"${cc[@]}" - 2>"$messages" <<-END
		#include "core/rule.h"
		uint64_t snippet(uint64_t mask, struct xf_bit bit, const struct xf_layout *layout);
		uint64_t snippet(uint64_t mask, struct xf_bit bit, const struct xf_layout *layout)
		{
			(void)bit;
			(void)layout;
			$1
			return mask;
		}
	END
}

messages=$(mktemp)
trap 'rm -f "$messages"' EXIT

right()
{
	if ! compiles "$1"; then
		echo "does not compile: $1"
		cat "$messages"
		failed=1
	fi
}

wrong()
{
	if compiles "$1"; then
		echo "compiles, but mixes a number with a mask: $1"
		failed=1
	fi
}

right 'mask |= xf_mask(bit);'
wrong 'mask |= bit;'
right 'if (mask & xf_mask(bit)) mask = 0;'
wrong 'if (mask & bit) mask = 0;'
right 'mask = xf_mask(xf_lowest(mask));'
wrong 'mask = xf_lowest(mask);'
wrong 'mask = xf_mask(mask);'
wrong 'mask = xf_mask(XF_PKRU);'
right 'if (!xf_component(xf_lowest(XF_PKRU))) mask = 0;'
wrong 'if (!xf_component(XF_PKRU)) mask = 0;'
right 'mask = xf_widen(mask);'
wrong 'mask = xf_widen(bit);'
right 'mask = xf_layout_offset(layout, mask, bit);'
wrong 'mask = xf_layout_offset(layout, bit, mask);'
wrong 'mask = xf_layout_offset(layout, mask, XF_PKRU);'
right 'mask = xf_droppable(mask, XF_GUEST_UNKNOWN, XF_PKRU);'
wrong 'mask = xf_droppable(mask, XF_GUEST_UNKNOWN, bit);'
right 'xf_for_each_bit(each, mask) mask &= ~xf_mask(each);'
wrong 'xf_for_each_bit(each, mask) mask &= ~each;'
wrong 'xf_for_each_bit(each, bit) mask = 0;'
wrong 'bit = 9;'
wrong 'bit = XF_PKRU;'
wrong 'mask = 1ull << bit;'
wrong 'if (bit == 9) mask = 0;'

exit $failed
