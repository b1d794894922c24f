/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * With all known, the outcome is "refused" exactly when KVM_SET_XSAVE refuses,
 * with its reason; and where components are that reason, without those and only
 * without those it is something else.
 */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_HOST | READS_CPUID | READS_SET | READS_HEAD;

static bool is_about_components(enum xf_reason reason)
{
	return reason == XF_REASON_HOST || reason == XF_REASON_USER || reason == XF_REASON_NO_XSAVE;
}

void proof(const struct proof_case *c)
{
	struct xf_kvm kvm = real_kvm(c);
	struct xf_guest guest = { xf_widen(c->vcpu.cpuid | XF_FPSSE), ~0ull };
	struct xf_kvm_vcpu vcpu = fresh(guest.shown);
	struct xf_prediction predicted = xf_predict(&kvm, guest, &c->head);
	struct xf_kvm_answer answer = xf_kvm_set(&kvm, &vcpu, &c->head);

	/* Whether such a guest has leaf 0xD at all is not known. */
	ASSUME(kvm.set != XF_SET_GUEST_BARE || guest.shown & ~XF_FPSSE);
	CLAIM((predicted.outcome == XF_OUTCOME_REFUSED) == (answer.reason != XF_REASON_NONE));
	CLAIM((predicted.outcome == XF_OUTCOME_ACCEPTED) == (answer.reason == XF_REASON_NONE));
	CLAIM(predicted.reason == answer.reason);
	CLAIM(predicted.dropped == (answer.dropped & guest.shown));
	CLAIM((predicted.blocked != 0) == is_about_components(predicted.reason));
	CLAIM((predicted.blocked & ~c->head.xstate_bv) == 0);
	if (predicted.blocked) {
		struct xf_area_head head = c->head;

		head.xstate_bv &= ~predicted.blocked;
		CLAIM(xf_predict(&kvm, guest, &head).reason != predicted.reason);
		head.xstate_bv = xf_mask(xf_lowest(predicted.blocked));
		CLAIM(xf_predict(&kvm, guest, &head).reason == predicted.reason);
	}
}
