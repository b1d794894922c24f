/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A second repair finds nothing to do, and evidence made complete once is complete. */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_GUEST | READS_ONLY;

void proof(const struct proof_case *c)
{
	uint64_t after = c->head.xstate_bv & ~xf_droppable(c->head.xstate_bv, c->guest, c->only);
	struct xf_guest once = xf_guest_normal(c->guest);
	struct xf_guest twice = xf_guest_normal(once);

	CLAIM(xf_droppable(after, c->guest, c->only) == 0);
	CLAIM(xf_droppable(after, once, c->only) == 0);
	CLAIM(once.shown == twice.shown && once.known == twice.known);
}
