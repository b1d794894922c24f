/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proof.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Bits of MXCSR that the CPU of every case lacks. */
#define MXCSR_LACKING 0xffff0000u

#ifdef XF_CBMC

/*
 * Any case at all, of what the proof reads: CBMC gives an uninitialized variable every
 * value that its type has. cbmc.py has the command line.
 */
static void any_kvm(struct proof_case *c)
{
	ASSUME((unsigned int)c->set > XF_SET_UNKNOWN && (unsigned int)c->set <= XF_SET_GUEST_BARE);
	ASSUME(c->kvm.set == XF_SET_UNKNOWN || c->kvm.set == c->set);
	/* xf_kvm_get wants it known; the proofs that speak of an unknown one set it. */
	ASSUME((unsigned int)c->kvm.get > XF_GET_UNKNOWN &&
	       (unsigned int)c->kvm.get <= XF_GET_LEAKS);
	/* No CPU with XSAVE has fewer bits of MXCSR. */
	ASSUME((c->kvm.mxcsr_mask & XF_MXCSR_MASK) == XF_MXCSR_MASK);
	c->kvm.host = c->host;
	/* The proofs that speak of these set them. */
	c->kvm.shows_all = false;
	c->kvm.unknown = 0;
	c->kvm.hook_set = 0;
	c->kvm.hook_get = 0;
}

int main(void)
{
	struct proof_case c;

	any_kvm(&c);
	/* What it does not read is what it is for the proof as a plain test. */
	if (!(proof_reads & READS_HEAD)) {
		c.head.xcomp_bv = 0;
		c.head.reserved = false;
		c.head.mxcsr = XF_MXCSR_INIT;
		c.kvm.header_unchecked = false;
		c.kvm.mxcsr_always = false;
	}
	if (!(proof_reads & READS_VCPU)) {
		c.vcpu = fresh(c.vcpu.cpuid);
		c.kvm.protected_ignored = false;
		c.kvm.xfd_clears = false;
	}
	proof(&c);
}

#else

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned long long cases;
static unsigned long long skipped;

void proof_failed(const struct proof_case *c, const char *claim)
{
	printf("does not hold after %llu cases: %s\n", cases, claim);
	printf("state %#" PRIx64 " shown %#" PRIx64 " known %#" PRIx64 " host %#" PRIx64
	       " only %#" PRIx64 " cpuid %#" PRIx64 "\n",
	       c->head.xstate_bv, c->guest.shown, c->guest.known, c->host, c->only, c->vcpu.cpuid);
	printf("kvm: get %d set %d (really %d) get_after_cpuid %d no_xsave %d header_unchecked %d "
	       "mxcsr_always %d protected_ignored %d xfd_clears %d hook_pkru %d\n",
	       c->kvm.get, c->kvm.set, c->set, c->kvm.get_after_cpuid, c->kvm.no_xsave,
	       c->kvm.header_unchecked, c->kvm.mxcsr_always, c->kvm.protected_ignored,
	       c->kvm.xfd_clears, c->kvm.hook_pkru);
	printf("vcpu: cpuid_set %d guarded %d xfd %#" PRIx64 "; head: xcomp_bv %#" PRIx64
	       " reserved %d mxcsr %#" PRIx32 "\n",
	       c->vcpu.cpuid_set, c->vcpu.guarded, c->vcpu.xfd, c->head.xcomp_bv, c->head.reserved,
	       c->head.mxcsr);
	exit(1);
}

void proof_skipped(void)
{
	skipped++;
}

static void try(struct proof_case *c)
{
	c->kvm.host = c->host;
	cases++;
	proof(c);
}

/*
 * Where components interact (a group, a need, the same bytes, the same rule of
 * KVM), every combination of them is tried; the rest is tried one by one.
 */
static const uint64_t interacting[] = {
	XF_FPSSE,
	XF_AVX512 | XF_AVX,
	XF_SSE | XF_AVX,
	XF_MPX | XF_APX,
	XF_AMX | XF_PKRU,
	XF_CET,
	XF_AVX | XF_PKRU,
	/* One bit that no table knows. */
	XF_MASK_(62),
};

/* What the components that are not being combined look like meanwhile. */
static const struct proof_case backgrounds[] = {
	/* a bare guest in a clean state, of which nothing is known */
	{ .host = ~0ull, .only = ~0ull, .head.xstate_bv = XF_FPSSE, .vcpu.cpuid = XF_FPSSE },
	/* all is shown, in use and held */
	{ .guest = { ~0ull, ~0ull },
	  .host = ~0ull,
	  .only = ~0ull,
	  .head.xstate_bv = XF_FPSSE | XF_AVX | XF_AVX512,
	  .vcpu.cpuid = ~0ull },
	/* nothing but x87 and SSE is shown and held, all is known, a leak is in use */
	{ .guest = { XF_FPSSE, ~0ull },
	  .host = XF_FPSSE,
	  .head.xstate_bv = XF_FPSSE | XF_HDC,
	  .vcpu.cpuid = XF_FPSSE },
};

/*
 * The axes that are not masks, each in full where one or two components are
 * combined. The more components, the less else: what these axes add does not
 * depend on how many components there are.
 */
static void each_head(struct proof_case *c, unsigned int components)
{
	unsigned int variants = components < 3 ? 32 : components < 4 ? 2 : 1;

	if (!(proof_reads & READS_HEAD)) {
		try(c);
		return;
	}
	for (unsigned int i = 0; i < variants; i++) {
		c->head.mxcsr = i & 1 ? 0x1f80 | 1u << 31 : 0x1f80;
		c->head.xcomp_bv = i & 2 ? XF_COMPACTED : 0;
		c->head.reserved = i & 4;
		c->kvm.header_unchecked = i & 8;
		c->kvm.mxcsr_always = i & 16;
		try(c);
	}
}

static void each_vcpu(struct proof_case *c, unsigned int components)
{
	if (!(proof_reads & READS_VCPU) || components > 2) {
		each_head(c, components);
		return;
	}
	for (unsigned int i = 0; i < 32; i++) {
		c->vcpu.cpuid_set = i & 1;
		c->vcpu.guarded = i & 2;
		c->vcpu.xfd = i & 4 ? XF_XTILEDATA : 0;
		c->kvm.protected_ignored = i & 8;
		c->kvm.xfd_clears = i & 16;
		each_head(c, components);
	}
}

static void each_get(struct proof_case *c, unsigned int components)
{
	static const enum xf_kvm_get gets[] = { XF_GET_TRIMS, XF_GET_TRIMS_BARE, XF_GET_LEAKS };

	if (!(proof_reads & READS_GET)) {
		each_vcpu(c, components);
		return;
	}
	for (unsigned int i = 0; i < COUNT(gets) * 4; i++) {
		c->kvm.get = gets[i / 4];
		c->kvm.get_after_cpuid = i & 1;
		c->kvm.no_xsave = i & 2;
		each_vcpu(c, components);
	}
}

/* Every behaviour: what it does, and whether that is known. */
static void each_kvm(struct proof_case *c, unsigned int components)
{
	static const enum xf_kvm_set sets[] = { XF_SET_HOST, XF_SET_GUEST, XF_SET_GUEST_BARE };

	c->vcpu.cpuid_set = true;
	c->kvm.mxcsr_mask = ~MXCSR_LACKING;
	c->kvm.set = c->set = XF_SET_HOST;
	c->kvm.get = XF_GET_TRIMS;
	if (!(proof_reads & READS_SET)) {
		each_get(c, components);
		return;
	}
	for (unsigned int i = 0; i < COUNT(sets) * 8; i++) {
		c->set = sets[i / 8];
		c->kvm.set = i & 1 ? c->set : XF_SET_UNKNOWN;
		c->kvm.hook_pkru = i & 2;
		c->kvm.no_xsave = i & 4;
		each_get(c, components);
	}
}

static uint64_t *masks_of(struct proof_case *c, unsigned int which)
{
	uint64_t *const masks[] = { &c->head.xstate_bv, &c->guest.shown, &c->guest.known,
				    &c->host,		&c->only,	 &c->vcpu.cpuid };

	return masks[which];
}

/* Gives the components of `set` the combination `choice`: one bit for each mask that is read. */
static void choose(struct proof_case *c, uint64_t set, uint64_t choice)
{
	for (unsigned int which = 0; which < 6; which++) {
		uint64_t *mask = masks_of(c, which);

		if (!(proof_reads & 1u << which))
			continue;
		xf_for_each_bit (bit, set) {
			*mask = (*mask & ~xf_mask(bit)) | (choice & 1) << bit.n;
			choice >>= 1;
		}
	}
}

static void combine(const struct proof_case *background, uint64_t set)
{
	unsigned int components = (unsigned int)__builtin_popcountll(set);
	unsigned int masks = (unsigned int)__builtin_popcount(proof_reads & 0x3f);

	for (uint64_t choice = 0; choice < 1ull << (components * masks); choice++) {
		struct proof_case c = *background;

		choose(&c, set, choice);
		each_kvm(&c, components);
		/* The same evidence, and a guest without leaf 0xD. */
		if (proof_reads & READS_CPUID && !(c.vcpu.cpuid & ~XF_FPSSE)) {
			c.vcpu.cpuid = 0;
			each_kvm(&c, components);
		}
	}
}

/* Guests as people have them, for all 2^20 states. */
static const struct {
	struct xf_guest guest;
	uint64_t host;
	uint64_t only;
	uint64_t cpuid;
	enum xf_kvm_set set;
	enum xf_kvm_get get;
	bool hook;
} scenarios[] = {
	{ { 0, 0 }, ~0ull, ~0ull, 0x7, XF_SET_HOST, XF_GET_TRIMS, false },
	{ { 0, 0 }, 0x207, ~0ull, 0x3, XF_SET_GUEST, XF_GET_TRIMS, false },
	{ { 0x3, ~0ull }, 0x207, ~0ull, 0, XF_SET_GUEST_BARE, XF_GET_TRIMS_BARE, false },
	{ { 0x3, ~0ull }, 0x7, ~0ull, 0, XF_SET_HOST, XF_GET_LEAKS, true },
	{ { 0x7, ~0ull }, 0x2e7, XF_PKRU, 0x7, XF_SET_GUEST, XF_GET_TRIMS, false },
	{ { 0x207, ~0ull }, 0x7, ~0ull, 0x207, XF_SET_HOST, XF_GET_TRIMS, true },
	{ { 0, XF_PKRU }, 0x7, ~0ull, 0xe7, XF_SET_HOST, XF_GET_TRIMS, false },
	{ { XF_OPMASK, XF_OPMASK | XF_PKRU }, 0xe7, ~0ull, 0xe7, XF_SET_HOST, XF_GET_TRIMS, false },
	{ { 0xe7, ~0ull }, 0x2e7, ~0ull, 0xe7, XF_SET_GUEST, XF_GET_TRIMS, false },
	{ { 0x602e7, ~0ull }, 0x602e7, ~0ull, 0x602e7, XF_SET_HOST, XF_GET_TRIMS, false },
	{ { 0x2e7, ~0ull }, 0x602e7, ~XF_AVX, 0x2e7, XF_SET_HOST, XF_GET_LEAKS, false },
	{ { 0xfffff, ~0ull }, 0, 0, 0xfffff, XF_SET_HOST, XF_GET_TRIMS, false },
};

static void sweep_states(void)
{
	/* A proof of states alone need not see them once a guest. */
	size_t count = proof_reads & ~READS_STATE ? COUNT(scenarios) : 1;
	uint64_t step = proof_reads & IS_SLOW ? 509 : 1;

	for (size_t i = 0; i < count; i++) {
		struct proof_case c = {
			.guest = scenarios[i].guest,
			.host = scenarios[i].host,
			.only = scenarios[i].only,
			.kvm = { .set = scenarios[i].set,
				 .get = scenarios[i].get,
				 .hook_pkru = scenarios[i].hook,
				 .mxcsr_mask = ~MXCSR_LACKING },
			.set = scenarios[i].set,
			.vcpu = fresh(scenarios[i].cpuid),
		};

		for (uint64_t state = 0; state <= XF_DEFINED; state += step) {
			c.head.xstate_bv = state;
			try(&c);
		}
	}
}

int main(void)
{
	for (size_t b = 0; b < COUNT(backgrounds); b++) {
		for (size_t i = 0; i < COUNT(interacting); i++)
			combine(&backgrounds[b], interacting[i]);
		for (unsigned int n = 0; n <= XF_BITS - 1; n++)
			if (xf_mask(xf_bit(n)) & XF_DEFINED)
				combine(&backgrounds[b], xf_mask(xf_bit(n)));
	}
	sweep_states();
	printf("holds: %llu cases (%llu more do not arise)\n", cases - skipped, skipped);
	return 0;
}

#endif
