/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever the guest was really shown and the KVM really does, as long as what
 * is known of them is true: a definite outcome is the answer that is given.
 */
#include "proof.h"

const unsigned int proof_reads =
	READS_STATE | READS_GUEST | READS_HOST | READS_CPUID | READS_SET | READS_HEAD;

void proof(const struct proof_case *c)
{
	ASSUME(agrees(c));

	struct xf_prediction predicted = xf_predict(&c->kvm, c->guest, &c->head);
	struct xf_kvm kvm = real_kvm(c);
	struct xf_kvm_vcpu vcpu = fresh(c->vcpu.cpuid);
	struct xf_kvm_answer answer = xf_kvm_set(&kvm, &vcpu, &c->head);

	CLAIM(predicted.outcome != XF_OUTCOME_ACCEPTED || answer.reason == XF_REASON_NONE);
	CLAIM(predicted.outcome != XF_OUTCOME_REFUSED || answer.reason != XF_REASON_NONE);
	CLAIM((predicted.outcome == XF_OUTCOME_REFUSED) == (predicted.reason != XF_REASON_NONE));
	if (answer.reason == XF_REASON_NONE) {
		CLAIM((predicted.dropped & ~answer.dropped) == 0);
		CLAIM((predicted.loaded.least & ~answer.loaded) == 0);
		CLAIM((answer.loaded & ~predicted.loaded.most) == 0);
	}
	/* Of several reasons it names the one that no truth takes away, asked last of them. */
	if (predicted.outcome == XF_OUTCOME_REFUSED)
		CLAIM(answer.reason <= predicted.reason);
}
