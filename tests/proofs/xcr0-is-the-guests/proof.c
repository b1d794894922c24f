/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KVM_SET_XCRS takes what is consistent and the guest's, as __kvm_set_xcr spells it out. */
#include "proof.h"

/* Here the state stands for the XCR0 that is asked for. */
const unsigned int proof_reads = READS_STATE | READS_HOST | READS_CPUID | READS_GET | READS_VCPU;

static bool all_or_none(uint64_t xcr0, uint64_t group)
{
	return (xcr0 & group) == 0 || (xcr0 & group) == group;
}

void proof(const struct proof_case *c)
{
	uint64_t xcr0 = c->head.xstate_bv;
	uint64_t guest = c->vcpu.cpuid_set ? c->vcpu.cpuid & c->host : 0;
	bool takes = (xcr0 & XF_X87) && !((xcr0 & XF_AVX) && !(xcr0 & XF_SSE)) &&
		     !(xcr0 & ~(guest | XF_X87)) && all_or_none(xcr0, XF_MPX) &&
		     !((xcr0 & XF_AVX512) && !(xcr0 & XF_AVX)) && all_or_none(xcr0, XF_AVX512) &&
		     all_or_none(xcr0, XF_AMX) && !c->kvm.no_xsave;

	CLAIM(xf_kvm_takes_xcr0(&c->kvm, &c->vcpu, xcr0) == takes);
}
