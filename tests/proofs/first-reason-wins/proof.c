/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * KVM_SET_XSAVE's conditions, one after the other as the kernel asks them, each
 * component on its own: the first that holds is the reason, and a KVM that
 * refuses has loaded nothing.
 */
#include "proof.h"

const unsigned int proof_reads =
	READS_STATE | READS_HOST | READS_CPUID | READS_SET | READS_VCPU | READS_HEAD;

/* Whether fpstate->user_xfeatures has this component. */
static bool enabled(const struct proof_case *c, struct xf_bit bit)
{
	bool shown = c->vcpu.cpuid_set && c->vcpu.cpuid & xf_mask(bit) && c->host & xf_mask(bit);

	if (c->vcpu.cpuid_set && c->set != XF_SET_HOST)
		return shown || (c->set == XF_SET_GUEST && bit.n < 2);
	return xf_mask(bit) == XF_XTILEDATA ? shown : (c->host & xf_mask(bit)) != 0;
}

static enum xf_reason reason_of(const struct proof_case *c, uint64_t state)
{
	bool bad_mxcsr = c->head.mxcsr & ~c->kvm.mxcsr_mask;
	bool checks_mxcsr = c->kvm.mxcsr_always || state & (XF_FPSSE | XF_AVX);

	if (c->kvm.no_xsave && state & ~XF_FPSSE)
		return XF_REASON_NO_XSAVE;
	if (c->kvm.no_xsave)
		return bad_mxcsr ? XF_REASON_NO_XSAVE_MXCSR : XF_REASON_NONE;
	for (unsigned int n = 0; n < XF_BITS; n++)
		if (state >> n & 1 && !(c->host >> n & 1))
			return XF_REASON_HOST;
	for (unsigned int n = 0; n < XF_BITS; n++)
		if (state >> n & 1 && !enabled(c, xf_bit(n)))
			return XF_REASON_USER;
	if (c->head.xcomp_bv && !c->kvm.header_unchecked)
		return XF_REASON_COMPACTED;
	if (c->head.reserved && !c->kvm.header_unchecked)
		return XF_REASON_RESERVED;
	return checks_mxcsr && bad_mxcsr ? XF_REASON_MXCSR : XF_REASON_NONE;
}

void proof(const struct proof_case *c)
{
	struct xf_kvm kvm = real_kvm(c);
	struct xf_kvm_answer answer = xf_kvm_set(&kvm, &c->vcpu, &c->head);
	uint64_t state = c->head.xstate_bv;

	if (c->vcpu.guarded && kvm.protected_ignored) {
		CLAIM(answer.reason == XF_REASON_NONE && !answer.loaded && !answer.dropped);
		return;
	}
	if (c->vcpu.guarded) {
		CLAIM(answer.reason == XF_REASON_PROTECTED && !answer.loaded && !answer.dropped);
		return;
	}
	if (kvm.xfd_clears)
		state &= ~c->vcpu.xfd;
	if (kvm.hook_pkru &&
	    (kvm.no_xsave || !c->vcpu.cpuid_set || !(c->vcpu.cpuid & c->host & XF_PKRU)))
		state &= ~XF_PKRU;
	CLAIM(answer.reason == reason_of(c, state));
	if (answer.reason != XF_REASON_NONE) {
		CLAIM(!answer.loaded && !answer.dropped);
		return;
	}
	CLAIM(answer.loaded == (kvm.no_xsave ? XF_FPSSE : state));
	CLAIM(answer.dropped == (c->head.xstate_bv & ~state));
}
