/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The Proxmox hook takes PKRU away and nothing else, exactly where the guest's
 * CPUID and the host do not both have it: also a guest's own.
 */
#include "proof.h"

const unsigned int proof_reads =
	READS_STATE | READS_HOST | READS_CPUID | READS_SET | READS_VCPU | READS_HEAD;

void proof(const struct proof_case *c)
{
	struct xf_kvm kvm = real_kvm(c);
	struct xf_kvm plain = kvm;
	struct xf_area_head without = c->head;
	struct xf_kvm_answer answer = xf_kvm_set(&kvm, &c->vcpu, &c->head);
	uint64_t both = c->vcpu.cpuid_set && !kvm.no_xsave ? c->vcpu.cpuid & c->host : 0;
	bool fires = kvm.hook_pkru && !(both & XF_PKRU);
	uint64_t disarmed = kvm.xfd_clears ? c->vcpu.xfd : 0;

	CLAIM((answer.dropped & ~disarmed & ~XF_PKRU) == 0);
	CLAIM(fires || (answer.dropped & ~disarmed) == 0);
	/* Where it fires, the answer is that of the same KVM to a state without PKRU. */
	plain.hook_pkru = false;
	if (fires)
		without.xstate_bv &= ~XF_PKRU;

	struct xf_kvm_answer expected = xf_kvm_set(&plain, &c->vcpu, &without);

	CLAIM(answer.reason == expected.reason && answer.loaded == expected.loaded);
}
