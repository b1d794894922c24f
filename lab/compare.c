/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "lab/compare.h"

static const struct {
	const char *name;
	const char *text;
} rows[EXPLAINED_COUNT] = {
	[EXPLAINED_SW_RESERVED] = {
		"sw-reserved",
		"bytes 464 to 511 are the host's own since the fpstate rework (5.16): its user "
		"components, whatever was set (xstate_fx_sw_bytes)",
	},
	[EXPLAINED_XFD] = {
		"xfd",
		"a component in use that IA32_XFD then disarms is gone at once or not, as the "
		"registers of the thread that asks are in memory or in the CPU "
		"(fpu_update_guest_xfd); not compared until the next state is loaded",
	},
};

const char *explained_name(enum explained row)
{
	return rows[row].name;
}

const char *explained_text(enum explained row)
{
	return rows[row].text;
}

void compare_learn(const struct xf_kvm *kvm, const unsigned char *fresh, struct compare *out)
{
	out->has_own = !xf_kvm_fpu_is_whole(kvm);
	memcpy(out->own, fresh + XF_SW_RESERVED_OFFSET, sizeof(out->own));
}

static void explain(const struct compare *compare, unsigned char *expected, struct tally *tally)
{
	unsigned char *at = expected + XF_SW_RESERVED_OFFSET;

	if (!compare->has_own || memcmp(at, compare->own, sizeof(compare->own)) == 0)
		return;
	memcpy(at, compare->own, sizeof(compare->own));
	tally->explained[EXPLAINED_SW_RESERVED]++;
}

static uint64_t xstate_bv_of(const unsigned char *area, size_t size)
{
	struct xf_area_head head = { 0 };

	(void)xf_area_head(area, size, &head);
	return head.xstate_bv;
}

static void locate(const unsigned char *expected, const unsigned char *got, size_t size,
		   struct difference *out)
{
	size_t first = size;

	out->byte_count = 0;
	for (size_t i = size; i > 0; i--) {
		if (expected[i - 1] == got[i - 1])
			continue;
		first = i - 1;
		out->byte_count++;
	}
	out->offset = first;
	/* An area is longer than the window. */
	if (first > size - TALLY_WINDOW)
		first = size - TALLY_WINDOW;
	else
		first -= first % TALLY_WINDOW;
	memcpy(out->expected, expected + first, TALLY_WINDOW);
	memcpy(out->got, got + first, TALLY_WINDOW);
	out->expected_mask = xstate_bv_of(expected, size);
	out->got_mask = xstate_bv_of(got, size);
}

bool compare_areas(const struct compare *compare, unsigned char *expected, const unsigned char *got,
		   size_t size, struct tally *tally, struct difference *out)
{
	explain(compare, expected, tally);
	if (memcmp(expected, got, size) == 0)
		return true;
	locate(expected, got, size, out);
	return false;
}
