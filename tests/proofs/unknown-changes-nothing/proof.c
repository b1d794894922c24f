/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What nothing is known of is never changed, whatever `shown` says of it. */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_GUEST | READS_ONLY;

void proof(const struct proof_case *c)
{
	uint64_t state = c->head.xstate_bv;
	struct xf_guest lying = { c->guest.shown ^ ~c->guest.known, c->guest.known };
	struct xf_judgement judged = xf_judge(state, c->guest, ~0ull);

	CLAIM((xf_droppable(state, c->guest, c->only) & ~c->guest.known) == 0);
	CLAIM(xf_droppable(state, XF_GUEST_UNKNOWN, c->only) == 0);
	CLAIM(xf_droppable(state, lying, c->only) == xf_droppable(state, c->guest, c->only));
	CLAIM((judged.superfluous & judged.undecided) == 0);
	CLAIM((judged.undecided & c->guest.known & ~XF_COMPACTED) == 0);
}
