/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whatever the guest was really shown and the KVM really does, whatever of its own a
 * leaky host has in use beside PKRU: what KVM_GET_XSAVE saves has all that was
 * predicted for certain and nothing beyond what was. With all known, and no leak,
 * there is nothing between the two.
 */
#include "proof.h"

const unsigned int proof_reads =
	READS_STATE | READS_GUEST | READS_HOST | READS_CPUID | READS_GET | IS_SLOW;

static void saved(const struct proof_case *c, uint64_t own, uint64_t xfd, bool shows_all)
{
	struct xf_kvm kvm = c->kvm;

	kvm.xfd_clears = xfd;
	kvm.shows_all = shows_all;

	struct xf_kvm as_known = kvm;
	struct xf_kvm_vcpu vcpu = fresh(c->vcpu.cpuid);
	uint64_t state = c->head.xstate_bv & c->host;
	bool leaks = (kvm.get == XF_GET_LEAKS || shows_all) && !kvm.no_xsave;
	uint64_t truth;
	struct xf_bounds bounds;

	vcpu.xfd = xfd;
	truth = xf_kvm_get(&kvm, &vcpu, leaks ? state | ((own | XF_PKRU) & c->host) : state);
	bounds = xf_predict_get(&kvm, c->guest, (struct xf_bounds){ state, state });
	CLAIM((bounds.least & ~truth) == 0);
	CLAIM((truth & ~bounds.most) == 0);
	if (!leaks && !xfd && c->guest.known == ~0ull && c->vcpu.cpuid & ~XF_FPSSE)
		CLAIM(bounds.least == bounds.most);

	as_known.get = XF_GET_UNKNOWN;
	bounds = xf_predict_get(&as_known, c->guest, (struct xf_bounds){ state, state });
	CLAIM((bounds.least & ~truth) == 0);
	CLAIM((truth & ~bounds.most) == 0);

	as_known.unknown = XF_UNKNOWN_SHOWS_ALL;
	as_known.shows_all = !shows_all;
	for (unsigned int i = 0; i < 2; i++) {
		as_known.get = i ? XF_GET_UNKNOWN : kvm.get;
		bounds = xf_predict_get(&as_known, c->guest, (struct xf_bounds){ state, state });
		CLAIM((bounds.least & ~truth) == 0);
		CLAIM((truth & ~bounds.most) == 0);
	}
}

void proof(const struct proof_case *c)
{
	ASSUME(agrees(c));
	for (int all = 0; all < 2; all++) {
		saved(c, 0, 0, all);
		saved(c, ~XF_XTILEDATA, 0, all);
		saved(c, 0, XF_XTILEDATA, all);
	}
}
