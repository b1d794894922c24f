/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "unknown" is said only where what is not known does change the answer. */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_GUEST | READS_HOST | READS_SET | READS_HEAD;

static bool accepts(const struct proof_case *c, uint64_t cpuid, enum xf_kvm_set set)
{
	struct xf_kvm kvm = c->kvm;
	struct xf_kvm_vcpu vcpu = fresh(cpuid);

	kvm.set = set;
	return xf_kvm_set(&kvm, &vcpu, &c->head).reason == XF_REASON_NONE;
}

void proof(const struct proof_case *c)
{
	ASSUME(xf_predict(&c->kvm, c->guest, &c->head).outcome == XF_OUTCOME_UNKNOWN);

	struct xf_guest guest = xf_guest_normal(c->guest);
	const uint64_t least = guest.shown & ~XF_FPSSE ? guest.shown : 0;
	const uint64_t cpuids[] = { least, guest.shown | ~guest.known };
	bool accepted = false;
	bool refused = false;

	for (enum xf_kvm_set set = XF_SET_HOST; set <= XF_SET_GUEST_BARE; set++) {
		if (c->kvm.set != XF_SET_UNKNOWN && c->kvm.set != set)
			continue;
		for (int i = 0; i < 2; i++) {
			bool yes = accepts(c, cpuids[i], set);

			accepted |= yes;
			refused |= !yes;
		}
	}
	CLAIM(accepted && refused);
}
