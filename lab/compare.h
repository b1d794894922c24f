/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Holds an area that KVM gave against the one that the model expects. Bytes that
 * the model leaves to the host are known beforehand: rows of a table, each with its
 * reason, and held to be the same every time.
 */
#ifndef XF_LAB_COMPARE_H
#define XF_LAB_COMPARE_H

#include "lab/tally.h"

struct compare {
	bool has_own; /* the host's own bytes are in the area at XF_SW_RESERVED_OFFSET */
	unsigned char own[XF_LEGACY_SIZE - XF_SW_RESERVED_OFFSET];
};

/* Learns what is the host's own from the area of a new vCPU. */
void compare_learn(const struct xf_kvm *kvm, const unsigned char *fresh, struct compare *out);

/*
 * Whether both are the same; if not, `out` gets the places. `expected` gets the
 * host's own bytes, and `tally` counts those that were explained.
 */
bool compare_areas(const struct compare *compare, unsigned char *expected, const unsigned char *got,
		   size_t size, struct tally *tally, struct difference *out);

#endif
