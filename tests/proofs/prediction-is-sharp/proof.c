/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "unknown" is said only where what is not known does change the answer. */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_GUEST | READS_HOST | READS_SET | READS_HEAD;

/* A module that knows all, or as much as is known here. */
static bool accepts(const struct proof_case *c, const struct xf_kvm *as_known, bool kind,
		    enum xf_kvm_set set)
{
	struct xf_guest guest = xf_guest_normal(c->guest);
	struct xf_kvm kvm = *as_known;
	struct xf_kvm_vcpu vcpu = fresh(guest.shown | ~guest.known);

	if (!kind)
		vcpu.cpuid = guest.shown & ~XF_FPSSE ? guest.shown : 0;
	vcpu.evidence.shown = guest.shown;
	vcpu.evidence.known = kind ? ~0ull : guest.known & ~XF_SUPERVISOR;
	kvm.set = set;
	return xf_kvm_set(&kvm, &vcpu, &c->head).reason == XF_REASON_NONE;
}

static bool is_unknown(const struct proof_case *c, const struct xf_kvm *kvm)
{
	return xf_predict(kvm, c->guest, &c->head).outcome == XF_OUTCOME_UNKNOWN;
}

static void claim_sharp(const struct proof_case *c, const struct xf_kvm *kvm)
{
	bool accepted = false;
	bool refused = false;

	if (!is_unknown(c, kvm))
		return;
	for (enum xf_kvm_set set = XF_SET_HOST; set <= XF_SET_GUEST_BARE; set++) {
		if (kvm->set != XF_SET_UNKNOWN && kvm->set != set)
			continue;
		for (int i = 0; i < 2; i++) {
			bool yes = accepts(c, kvm, i, set);

			accepted |= yes;
			refused |= !yes;
		}
	}
	CLAIM(accepted && refused);
}

void proof(const struct proof_case *c)
{
	struct xf_kvm hooked = c->kvm;

	hooked.hook_set = ~0ull;
	ASSUME(is_unknown(c, &c->kvm) || is_unknown(c, &hooked));
	claim_sharp(c, &c->kvm);
	claim_sharp(c, &hooked);
}
