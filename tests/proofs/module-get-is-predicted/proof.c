/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module there that trims what GET gives: nothing that is not the guest's is left of what
 * it was told to trim, all else is as KVM gives it; and what is saved is within what was
 * predicted, whether or not it is known what the module was told.
 */
#include "proof.h"

const unsigned int proof_reads =
	READS_STATE | READS_GUEST | READS_HOST | READS_CPUID | READS_GET | IS_SLOW;

static void claim_within(const struct proof_case *c, const struct xf_kvm *known, uint64_t truth)
{
	uint64_t state = c->head.xstate_bv & c->host;
	struct xf_bounds bounds =
		xf_predict_get(known, c->guest, (struct xf_bounds){ state, state });

	CLAIM((bounds.least & ~truth) == 0);
	CLAIM((truth & ~bounds.most) == 0);
}

static void hold(const struct proof_case *c, uint64_t told, uint64_t own, bool shows_all)
{
	struct xf_kvm kvm = c->kvm;
	struct xf_kvm_vcpu vcpu = fresh(c->vcpu.cpuid);
	uint64_t state = c->head.xstate_bv & c->host;
	bool leaks = (kvm.get == XF_GET_LEAKS || shows_all) && !kvm.no_xsave;
	uint64_t in_use = leaks ? state | ((own | XF_PKRU) & c->host) : state;

	kvm.shows_all = shows_all;
	vcpu.evidence = (struct xf_guest){ c->vcpu.cpuid, ~0ull };

	uint64_t untrimmed = xf_kvm_get(&kvm, &vcpu, in_use);

	kvm.hook_get = told;

	uint64_t truth = xf_kvm_get(&kvm, &vcpu, in_use);
	uint64_t cut = untrimmed & ~truth;

	CLAIM((truth & ~untrimmed) == 0 && (cut & ~told) == 0);
	CLAIM((cut & (xf_guest_normal(vcpu.evidence).shown | XF_FPSSE)) == 0 || shows_all);
	if (!shows_all)
		CLAIM((xf_droppable(truth, vcpu.evidence, told)) == 0);
	if (told == ~0ull && !xf_kvm_leaks(&kvm))
		CLAIM((xf_droppable(truth, vcpu.evidence, c->host)) == 0);
	claim_within(c, &kvm, truth);
	kvm.unknown = XF_UNKNOWN_MODULE;
	kvm.hook_get = ~told;
	claim_within(c, &kvm, truth);
	kvm.unknown |= XF_UNKNOWN_SHOWS_ALL;
	kvm.shows_all = !shows_all;
	kvm.get = XF_GET_UNKNOWN;
	claim_within(c, &kvm, truth);
}

void proof(const struct proof_case *c)
{
	struct xf_guest known = xf_guest_normal(c->guest);
	struct xf_guest real = xf_guest_normal((struct xf_guest){ c->vcpu.cpuid, ~0ull });

	ASSUME(agrees(c) && !(real.shown & known.known & ~known.shown));
	hold(c, ~0ull, 0, false);
	hold(c, ~0ull, ~XF_XTILEDATA, false);
	hold(c, XF_PKRU, ~XF_XTILEDATA, false);
	hold(c, ~0ull, ~XF_XTILEDATA, true);
}
