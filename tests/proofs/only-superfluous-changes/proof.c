/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A repair drops what is superfluous among what it may touch: all of it and nothing else. */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_GUEST | READS_ONLY | READS_HOST;

void proof(const struct proof_case *c)
{
	struct xf_judgement judged = xf_judge(c->head.xstate_bv, c->guest, c->host);
	uint64_t dropped = xf_droppable(c->head.xstate_bv, c->guest, c->only);

	CLAIM(dropped == (judged.superfluous & c->only));
	CLAIM((dropped & ~c->head.xstate_bv) == 0);
	/* What a host holds has no say in what may be dropped. */
	CLAIM(judged.superfluous == xf_judge(c->head.xstate_bv, c->guest, 0).superfluous);
}
