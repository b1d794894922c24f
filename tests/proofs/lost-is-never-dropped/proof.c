/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is in use falls apart into superfluous, undecided and the guest's own; of
 * its own, what the host lacks is lost: never dropped by a repair, never taken
 * silently by a KVM without the hook.
 */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_GUEST | READS_HOST | READS_SET;

void proof(const struct proof_case *c)
{
	uint64_t state = c->head.xstate_bv;
	struct xf_judgement judged = xf_judge(state, c->guest, c->host);
	/* Bit 63 is no component: never decided on, and refused by whoever lacks it. */
	uint64_t own = state & xf_guest_normal(c->guest).shown & ~XF_COMPACTED;
	struct xf_kvm kvm = real_kvm(c);
	struct xf_kvm_vcpu vcpu = fresh(c->vcpu.cpuid);

	CLAIM((judged.superfluous | judged.undecided | own) == state);
	CLAIM((judged.superfluous & own) == 0 && (judged.undecided & own) == 0);
	CLAIM((judged.lost & ~XF_COMPACTED) == (own & ~c->host));
	CLAIM(judged.lost == (judged.missing & state));
	CLAIM((judged.lost & xf_droppable(state, c->guest, ~0ull)) == 0);
	if (!kvm.hook_pkru && !kvm.no_xsave && judged.lost)
		CLAIM(xf_kvm_set(&kvm, &vcpu, &c->head).reason == XF_REASON_HOST);
}
