/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* After a repair no component is in use that is known not to be the guest's. */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_GUEST;

void proof(const struct proof_case *c)
{
	struct xf_guest guest = xf_guest_normal(c->guest);
	uint64_t after = c->head.xstate_bv & ~XF_COMPACTED &
			 ~xf_droppable(c->head.xstate_bv, c->guest, ~0ull);

	CLAIM((after & guest.known & ~guest.shown) == 0);
	CLAIM(~c->guest.known || (after & ~guest.shown) == 0);
	CLAIM(xf_judge(after, c->guest, ~0ull).superfluous == 0);
}
