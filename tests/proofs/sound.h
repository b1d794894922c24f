/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes a prediction of KVM_SET_XSAVE true: of a KVM as it is known, held to the real one. */
#ifndef XF_TESTS_SOUND_H
#define XF_TESTS_SOUND_H

#include "proof.h"

static inline void claim_sound(const struct proof_case *c, const struct xf_kvm *known,
			       const struct xf_kvm *real, const struct xf_kvm_vcpu *vcpu,
			       const struct xf_area_head *head)
{
	struct xf_prediction predicted = xf_predict(known, c->guest, head);
	struct xf_kvm_answer answer = xf_kvm_set(real, vcpu, head);

	CLAIM(predicted.outcome != XF_OUTCOME_ACCEPTED || answer.reason == XF_REASON_NONE);
	CLAIM(predicted.outcome != XF_OUTCOME_REFUSED || answer.reason != XF_REASON_NONE);
	CLAIM((predicted.outcome == XF_OUTCOME_REFUSED) == (predicted.reason != XF_REASON_NONE));
	if (answer.reason == XF_REASON_NONE) {
		CLAIM((predicted.dropped & ~(answer.dropped | answer.trimmed)) == 0);
		CLAIM((predicted.loaded.least & ~answer.loaded) == 0);
		CLAIM((answer.loaded & ~predicted.loaded.most) == 0);
	}
	/* Of several reasons it names the one that no truth takes away, asked last of them. */
	if (predicted.outcome == XF_OUTCOME_REFUSED)
		CLAIM(answer.reason <= predicted.reason);
}

#endif
