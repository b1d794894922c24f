/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module there, whatever it was told, and whether or not that is known: a definite
 * outcome is the answer that is given, and what it takes out is never said to be the
 * guest's own, unless KVM shows the guest something else than it was given.
 */
#include "sound.h"

const unsigned int proof_reads =
	READS_STATE | READS_GUEST | READS_HOST | READS_CPUID | READS_SET | IS_SLOW;

/* What the module was told, and what is known of that. */
static const struct {
	uint64_t told;
	bool known;
	bool shows_all, shows_known;
	bool bad_mxcsr;
} ways[] = {
	{ ~0ull, true, false, true, false }, { XF_PKRU, true, false, true, true },
	{ ~0ull, false, false, true, true }, { 0, false, false, true, false },
	{ ~0ull, true, true, true, true },   { XF_PKRU, false, true, false, false },
	{ ~0ull, true, false, false, true },
};

/*
 * What the module knows of the guest, all of its CPUID or no more than is known here. What
 * belongs together in a CPU is in every CPUID together.
 */
static bool has_evidence(const struct proof_case *c, bool all, struct xf_guest *out)
{
	struct xf_guest known = xf_guest_normal(c->guest);
	struct xf_guest real = { c->vcpu.cpuid, ~0ull };

	if (!all)
		real.known = (known.known | real.shown) & ~XF_SUPERVISOR;
	*out = real;
	return !(xf_guest_normal(real).shown & known.known & ~known.shown);
}

static void hold(const struct proof_case *c, unsigned int way, const struct xf_kvm_vcpu *vcpu)
{
	struct xf_kvm real = real_kvm(c);
	struct xf_area_head head = c->head;

	real.hook_set = ways[way].told;
	real.shows_all = ways[way].shows_all;
	if (ways[way].bad_mxcsr)
		head.mxcsr = 1u << 31;

	struct xf_kvm known = real;

	known.set = c->kvm.set;
	if (!ways[way].known) {
		known.unknown |= XF_UNKNOWN_MODULE;
		known.hook_set = ~real.hook_set;
	}
	if (!ways[way].shows_known) {
		known.unknown |= XF_UNKNOWN_SHOWS_ALL;
		known.shows_all = !real.shows_all;
	}
	claim_sound(c, &known, &real, vcpu, &head);
	if (!real.shows_all && ways[way].shows_known) {
		struct xf_kvm bare = known;

		bare.hook_set = 0;
		bare.unknown &= ~(unsigned int)XF_UNKNOWN_MODULE;

		uint64_t dropped = xf_predict(&known, c->guest, &head).dropped;

		CLAIM(bare.hook_pkru || !dropped);
		CLAIM((dropped & ~XF_PKRU) == 0);
	}
}

void proof(const struct proof_case *c)
{
	struct xf_kvm_vcpu vcpu = fresh(c->vcpu.cpuid);

	ASSUME(agrees(c));
	for (unsigned int i = 0; i < 2 * sizeof(ways) / sizeof(ways[0]); i++)
		if (has_evidence(c, i & 1, &vcpu.evidence))
			hold(c, i / 2, &vcpu);
}
