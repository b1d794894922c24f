/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever the guest was really shown and the KVM really does, as long as what
 * is known of them is true: a definite outcome is the answer that is given.
 */
#include "sound.h"

const unsigned int proof_reads =
	READS_STATE | READS_GUEST | READS_HOST | READS_CPUID | READS_SET | READS_HEAD;

/* What is not known of a KVM has the wrong value. */
static struct xf_kvm without(const struct xf_kvm *real, enum xf_kvm_set set, unsigned int unknown)
{
	struct xf_kvm kvm = *real;

	kvm.set = set;
	kvm.unknown = unknown;
	if (unknown & XF_UNKNOWN_HOOK)
		kvm.hook_pkru = !real->hook_pkru;
	if (unknown & XF_UNKNOWN_SHOWS_ALL)
		kvm.shows_all = !real->shows_all;
	if (unknown & XF_UNKNOWN_MXCSR_MASK)
		kvm.mxcsr_mask = real->mxcsr_mask == UINT32_MAX ? XF_MXCSR_MASK : UINT32_MAX;
	if (unknown & XF_UNKNOWN_MXCSR_ALWAYS)
		kvm.mxcsr_always = !real->mxcsr_always;
	return kvm;
}

void proof(const struct proof_case *c)
{
	const unsigned int hook = XF_UNKNOWN_HOOK | XF_UNKNOWN_MXCSR_ALWAYS;
	const unsigned int all = hook | XF_UNKNOWN_SHOWS_ALL | XF_UNKNOWN_MXCSR_MASK;
	const struct {
		unsigned int unknown;
		bool shows_all;
		uint32_t mxcsr_mask;
	} ways[] = {
		{ 0, false, c->kvm.mxcsr_mask },    { 0, true, UINT32_MAX },
		{ hook, false, c->kvm.mxcsr_mask }, { all, false, c->kvm.mxcsr_mask },
		{ all, true, UINT32_MAX },
	};

	ASSUME(agrees(c));
	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct xf_kvm real = real_kvm(c);

		real.shows_all = ways[i].shows_all;
		real.mxcsr_mask = ways[i].mxcsr_mask;

		struct xf_kvm known = without(&real, c->kvm.set, ways[i].unknown);

		const struct xf_kvm_vcpu vcpu = fresh(c->vcpu.cpuid);

		claim_sound(c, &known, &real, &vcpu, &c->head);
	}
}
