/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dropping from an area changes XSTATE_BV and the data of what is dropped, and no
 * other byte; x87 and SSE stay.
 */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_ONLY | IS_SLOW;

/* Intel's area without the AMX tiles, which would make it four times as long. */
#define SIZE 2816

static unsigned char pattern(uint64_t state, unsigned int i)
{
	if (i >= XF_LEGACY_SIZE && i < XF_LEGACY_SIZE + 8)
		return (unsigned char)(state >> 8 * (i - XF_LEGACY_SIZE));
	if (i >= XF_LEGACY_SIZE + 8 && i < XF_LEGACY_SIZE + 16)
		return 0;
	return (unsigned char)(i % 255 + 1);
}

/* Which component's data a byte is in, as a mask; 0: in none. */
static uint64_t owner(unsigned int i)
{
	for (unsigned int n = 2; n < 20; n++) {
		const struct xf_extent *at = &xf_layout_intel.at[n];

		if (i >= at->offset && i < at->offset + at->size)
			return XF_MASK_(n);
	}
	return 0;
}

void proof(const struct proof_case *c)
{
	static uint64_t owners[SIZE];
	static bool ready;
	unsigned char area[SIZE];
	uint64_t state = c->head.xstate_bv & ~XF_XTILEDATA;
	uint64_t dropped = state & c->only & ~XF_FPSSE;

	for (unsigned int i = 0; !ready && i < SIZE; i++)
		owners[i] = owner(i);
	ready = true;
	for (unsigned int i = 0; i < SIZE; i++)
		area[i] = pattern(state, i);
	CLAIM(xf_area_drop(area, SIZE, &xf_layout_intel, c->only));
	for (unsigned int i = 0; i < SIZE; i++) {
		if (owners[i] & dropped)
			CLAIM(area[i] == 0);
		else
			CLAIM(area[i] == pattern(state & ~dropped, i));
	}
}
