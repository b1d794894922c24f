/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * No KVM refuses a state for having less in use. So where it is only known what a
 * state has at least and at most, the two ends tell of all that lies between.
 */
#include "proof.h"

const unsigned int proof_reads =
	READS_STATE | READS_GUEST | READS_HOST | READS_ONLY | READS_SET | READS_HEAD | IS_SLOW;

void proof(const struct proof_case *c)
{
	struct xf_area_head less = c->head;

	less.xstate_bv &= c->only;

	struct xf_prediction of_all = xf_predict(&c->kvm, c->guest, &c->head);
	struct xf_prediction of_less = xf_predict(&c->kvm, c->guest, &less);

	CLAIM(of_all.outcome != XF_OUTCOME_ACCEPTED || of_less.outcome == XF_OUTCOME_ACCEPTED);
	CLAIM(of_less.outcome != XF_OUTCOME_REFUSED || of_all.outcome == XF_OUTCOME_REFUSED);
}
