/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM_GET_XSAVE shows nothing that is not in use. One that trims shows what the
 * guest was shown, and then has nothing superfluous; one that leaks shows all.
 */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_HOST | READS_CPUID | READS_GET | READS_VCPU;

void proof(const struct proof_case *c)
{
	uint64_t in_use = c->head.xstate_bv;
	uint64_t shown = xf_kvm_get(&c->kvm, &c->vcpu, in_use);
	uint64_t guest = c->vcpu.cpuid_set ? c->vcpu.cpuid & c->host : 0;
	bool trims = c->kvm.get != XF_GET_LEAKS && (c->vcpu.cpuid_set || !c->kvm.get_after_cpuid);
	uint64_t disarmed = c->kvm.xfd_clears ? c->vcpu.xfd : 0;

	if (c->kvm.no_xsave) {
		CLAIM(shown == XF_FPSSE);
		return;
	}
	CLAIM((shown & ~in_use) == 0);
	CLAIM((shown & (XF_SUPERVISOR | disarmed)) == 0);
	CLAIM(!trims || (shown & ~(guest | XF_FPSSE)) == 0);
	CLAIM(trims || shown == (in_use & ~XF_SUPERVISOR & ~disarmed));
	if (c->kvm.get == XF_GET_TRIMS)
		CLAIM((in_use & (guest | XF_FPSSE) & ~XF_SUPERVISOR & ~disarmed & ~shown) == 0);
	if (c->kvm.get == XF_GET_TRIMS_BARE && trims)
		CLAIM((shown & ~guest) == 0);
	if (trims && c->vcpu.cpuid_set)
		CLAIM(xf_droppable(shown, (struct xf_guest){ c->vcpu.cpuid, ~0ull }, ~0ull) == 0);
}
