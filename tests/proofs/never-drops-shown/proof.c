/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A component that the guest was shown, or that one of those cannot be without, is never dropped.
 */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_GUEST | READS_ONLY;

void proof(const struct proof_case *c)
{
	uint64_t own = xf_widen((c->guest.shown & c->guest.known) | XF_FPSSE);
	uint64_t dropped = xf_droppable(c->head.xstate_bv, c->guest, c->only);

	CLAIM((dropped & own) == 0);
	CLAIM((xf_judge(c->head.xstate_bv, c->guest, ~0ull).superfluous & own) == 0);
	CLAIM((own & XF_FPSSE) == XF_FPSSE);
}
