/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xf_widen, xf_narrow and xf_is_consistent are what the table's groups and needs
 * say, applied until nothing changes.
 */
#include "proof.h"

const unsigned int proof_reads = READS_STATE;

static uint64_t companions(struct xf_bit bit)
{
	const struct xf_component *row = xf_component(bit);

	return row ? row->group | row->needs : xf_mask(bit);
}

static bool is_closed(uint64_t mask)
{
	if (!(mask & XF_X87))
		return false;
	xf_for_each_bit (bit, mask)
		if (companions(bit) & ~mask)
			return false;
	return true;
}

#ifndef XF_CBMC
static uint64_t closure(uint64_t mask)
{
	mask |= XF_X87;
	for (int again = 0; again < 4; again++)
		xf_for_each_bit (bit, mask)
			mask |= companions(bit);
	return mask;
}

/* The union of all that can be complete within the mask. */
static uint64_t interior(uint64_t mask)
{
	uint64_t within = XF_X87;

	mask |= XF_X87;
	xf_for_each_bit (bit, mask)
		if (!(closure(xf_mask(bit)) & ~mask))
			within |= closure(xf_mask(bit));
	return within;
}

#endif

void proof(const struct proof_case *c)
{
	uint64_t mask = c->head.xstate_bv;

#ifdef XF_CBMC
	/* The same without two nested fixpoints: held against any other closed mask. */
	uint64_t other = c->only;

	CLAIM((mask & ~xf_widen(mask)) == 0 && (xf_narrow(mask) & ~(mask | XF_X87)) == 0);
	if (is_closed(other) && (mask & ~other) == 0)
		CLAIM((xf_widen(mask) & ~other) == 0);
	if (is_closed(other) && (other & ~(mask | XF_X87)) == 0)
		CLAIM((other & ~xf_narrow(mask)) == 0);
#else
	CLAIM(xf_widen(mask) == closure(mask));
	CLAIM(xf_narrow(mask) == interior(mask));
#endif
	CLAIM(xf_is_consistent(mask) == is_closed(mask));
	CLAIM(is_closed(xf_widen(mask)) && is_closed(xf_narrow(mask)));
}
