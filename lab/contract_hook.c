/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clauses H: the xferry module, or a kernel that does the same. */
#include <errno.h>
#include <string.h>

#include "lab/contract.h"

#define NO_HOOK "no hook"
#define ALL (~UINT64_C(0))

/* What the module takes out of a state of this guest, as it is told to. */
static uint64_t taken_out(const struct bench *bench, const struct xf_kvm_cpuid *cpuid)
{
	struct xf_guest evidence = xf_kvm_cpuid_evidence(cpuid);

	return xf_droppable(ALL, evidence, bench->hook_set);
}

/* What Proxmox' hook takes out first, whatever the module thinks of it. */
static uint64_t taken_before(const struct bench *bench)
{
	return bench->hook_pkru ? XF_PKRU : 0;
}

static struct xf_kvm_cpu cpu_given(struct bench *bench, const struct xf_kvm_cpuid *cpuid)
{
	struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_NONE);

	if (xf_kvm_set_cpuid(&cpu, cpuid) != 0)
		xf_kvm_close_cpu(&cpu);
	return cpu;
}

/* Of what was loaded, what is really there: shown everything, GET hides nothing. */
static bool really_there(struct bench *bench, const struct xf_kvm_cpu *cpu, struct area *out)
{
	return show(bench, cpu, GUEST_ALL) && xf_kvm_get_xsave(cpu, out->bytes) == 0;
}

/* Every kind of guest that is shown one component, and what that needs. */
CLAUSE(H1)
{
	NEEDS(bench->hook_set, NO_HOOK);
	xf_for_each_bit (bit, bench->host) {
		uint64_t shown = xf_widen(xf_mask(bit) | XF_FPSSE) & bench->host;
		struct xf_kvm_cpuid cpuid;

		xf_kvm_cpuid_show(&bench->guest[GUEST_ALL], shown, &cpuid);

		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = cpu_given(bench, &cpuid);
		uint64_t state = shown | taken_out(bench, &cpuid);
		struct area sent, got;

		NEEDS(cpu.fd >= 0, "KVM_SET_CPUID2 does not take less than all");
		area_fill(bench, state & bench->host, &sent);
		area_set_xstate_bv(&sent, state);
		EXPECT(xf_kvm_set_xsave(&cpu, sent.bytes) == 0, "the guest's own is refused");
		EXPECT(really_there(bench, &cpu, &got), "GET failed");
		EXPECT((area_xstate_bv(&got) & shown) == shown, "the guest's own is taken out");
		EXPECT(area_equal(bench, &sent, &got, shown), "the guest's own is changed");
	}
	return VERDICT_HOLDS;
}

static struct verdict takes_out_of(struct bench *bench, enum guest guest, uint64_t own)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, guest);

	xf_for_each_bit (bit, taken_out(bench, &bench->guest[guest])) {
		struct area got;

		EXPECT(show(bench, &cpu, guest), "KVM_SET_CPUID2 does not take less than before");
		EXPECT(load(bench, &cpu, own | xf_mask(bit)) == 0,
		       "what is superfluous is refused");
		EXPECT(really_there(bench, &cpu, &got), "GET failed");
		EXPECT(!(area_xstate_bv(&got) & xf_mask(bit)), "what is superfluous is loaded");
		EXPECT((area_xstate_bv(&got) & own) == own, "more is taken out than that");
	}
	return VERDICT_HOLDS;
}

/* A bare guest has nothing that some KVM might refuse (S1: not even x87 and SSE). */
CLAUSE(H2)
{
	NEEDS(bench->hook_set, NO_HOOK);

	struct verdict bare = takes_out_of(bench, GUEST_BARE, 0);

	return bare.is == HOLDS ? takes_out_of(bench, GUEST_LITTLE, XF_FPSSE) : bare;
}

static struct verdict leaves_alone(struct bench *bench, const struct xf_kvm_cpu *cpu)
{
	uint64_t held = bench->host & ~taken_before(bench);
	struct area got;

	xf_for_each_bit (bit, ~bench->host & ~taken_before(bench))
		EXPECT(load(bench, cpu, xf_mask(bit)) == EINVAL, "takes what the host cannot hold");
	/* Strict kernels refuse what was not shown (S1): then nothing was taken out either. */
	if (load(bench, cpu, held) != 0)
		return VERDICT_HOLDS;
	EXPECT(really_there(bench, cpu, &got), "GET failed");
	EXPECT((area_xstate_bv(&got) & held) == held, "takes something out without evidence");
	return VERDICT_HOLDS;
}

CLAUSE(H3)
{
	NEEDS(bench->hook_set, NO_HOOK);

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu untold = new_cpu(bench, GUEST_NONE);
	static const struct xf_kvm_cpuid empty;
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu told_nothing = cpu_given(bench, &empty);
	struct verdict verdict = leaves_alone(bench, &untold);

	NEEDS(told_nothing.fd >= 0, "KVM_SET_CPUID2 takes no CPUID without entries");
	return verdict.is == HOLDS ? leaves_alone(bench, &told_nothing) : verdict;
}

/* Leaf 0xD as it is with all that the host has and more. */
static void show_beyond(const struct bench *bench, uint64_t more, struct xf_kvm_cpuid *out)
{
	uint64_t shown = bench->host | more;

	*out = bench->guest[GUEST_ALL];
	for (uint32_t i = 0; i < out->count; i++) {
		struct kvm_cpuid_entry2 *entry = &out->entries[i];

		if (entry->function == 0xd && entry->index == 0) {
			entry->eax = (uint32_t)shown;
			entry->edx = (uint32_t)(shown >> 32);
		}
	}
}

CLAUSE(H4)
{
	NEEDS(bench->hook_set, NO_HOOK);
	NEEDS(bench->has_xsave, "the host has no XSAVE: no leaf 0xD that could show more");

	bool tried = false;

	xf_for_each_bit (bit, XF_USER & ~bench->host & ~taken_before(bench)) {
		struct xf_kvm_cpuid cpuid;

		show_beyond(bench, xf_mask(bit), &cpuid);

		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = cpu_given(bench, &cpuid);

		if (cpu.fd < 0)
			continue;
		tried = true;
		EXPECT(load(bench, &cpu, XF_FPSSE | xf_mask(bit)) == EINVAL,
		       "drops the guest's own, which the host cannot hold");
	}
	NEEDS(tried, "KVM_SET_CPUID2 takes nothing that the host does not have");
	return VERDICT_HOLDS;
}

/* What may be wrong with a state besides. */
static void spoil(unsigned int how, struct area *area)
{
	if (how & 1)
		area->bytes[XF_XCOMP_BV_OFFSET] = 1;
	if (how & 2)
		area->bytes[XF_RESERVED_OFFSET] = 1;
	if (how & 4)
		area_set_mxcsr(area, UINT32_MAX);
}

CLAUSE(H5)
{
	NEEDS(bench->hook_set, NO_HOOK);

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_LITTLE);
	uint64_t out = taken_out(bench, &bench->guest[GUEST_LITTLE]);

	for (uint64_t own = 0; own <= XF_FPSSE; own++) {
		for (unsigned int how = 0; how < 8; how++) {
			struct area without, with;

			area_fill(bench, own, &without);
			spoil(how, &without);
			with = without;
			area_set_xstate_bv(&with, own | out);
			EXPECT(xf_kvm_set_xsave(&cpu, with.bytes) ==
				       xf_kvm_set_xsave(&cpu, without.bytes),
			       "what else is wrong is answered otherwise");
		}
	}

	struct area no_component;

	area_fill(bench, XF_FPSSE, &no_component);
	area_set_xstate_bv(&no_component, XF_FPSSE | XF_COMPACTED);
	EXPECT(xf_kvm_set_xsave(&cpu, no_component.bytes) == EINVAL, "bit 63 is taken");
	return VERDICT_HOLDS;
}

CLAUSE(H6)
{
	NEEDS(bench->hook_get, "no hook of GET");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);
	struct xf_guest evidence = xf_kvm_cpuid_evidence(&bench->guest[GUEST_LITTLE]);
	uint64_t out = xf_droppable(ALL, evidence, bench->hook_get);
	struct area sent, got;

	area_fill(bench, bench->host, &sent);
	EXPECT(xf_kvm_set_xsave(&cpu, sent.bytes) == 0, "refuses all that the host can hold");
	EXPECT(show(bench, &cpu, GUEST_LITTLE), "KVM_SET_CPUID2 does not take less than before");
	EXPECT(xf_kvm_get_xsave(&cpu, got.bytes) == 0, "GET failed");
	EXPECT(!(area_xstate_bv(&got) & out), "what is superfluous is given");
	EXPECT(area_initial(bench, &got, out & bench->host), "its data is given");
	EXPECT((area_xstate_bv(&got) & XF_FPSSE) == XF_FPSSE, "the guest's own is taken out");
	EXPECT(area_equal(bench, &sent, &got, XF_FPSSE), "the guest's own is changed");
	return VERDICT_HOLDS;
}

/* Leaf 0xD hides what the feature bits show. */
CLAUSE(H7)
{
	NEEDS(bench->hook_set, NO_HOOK);

	struct xf_kvm_cpuid cpuid = bench->guest[GUEST_ALL];

	for (uint32_t i = 0; i < cpuid.count; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid.entries[i];

		if (entry->function == 0xd && entry->index == 0)
			entry->eax = XF_FPSSE;
	}

	struct xf_guest evidence = xf_guest_normal(xf_kvm_cpuid_evidence(&cpuid));
	uint64_t doubtful = bench->host & ~evidence.known & ~taken_before(bench);
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = cpu_given(bench, &cpuid);
	struct area got;

	NEEDS(doubtful, "the host has nothing that could be doubtful");
	NEEDS(cpu.fd >= 0, "KVM_SET_CPUID2 takes no such CPUID");
	/* Strict kernels refuse it (S1). */
	if (load(bench, &cpu, XF_FPSSE | doubtful) != 0)
		return VERDICT_HOLDS;
	EXPECT(really_there(bench, &cpu, &got), "GET failed");
	EXPECT((area_xstate_bv(&got) & doubtful) == doubtful, "takes out what is doubtful");
	return VERDICT_HOLDS;
}

/* What comes of a component in a state of this guest: 0 refused, 1 taken out, 2 loaded. */
static int becomes_of(struct bench *bench, const struct xf_kvm_cpu *cpu,
		      const struct xf_kvm_cpuid *cpuid, struct xf_bit bit)
{
	struct area got;

	if (xf_kvm_set_cpuid(cpu, cpuid) != 0 || load(bench, cpu, xf_mask(bit)) != 0 ||
	    !really_there(bench, cpu, &got))
		return 0;
	return area_xstate_bv(&got) & xf_mask(bit) ? 2 : 1;
}

/* A guest that the module would trim is treated as one that it leaves alone. */
CLAUSE(H8)
{
	static const struct xf_kvm_cpuid empty;

	NEEDS(bench->hook_observes, "no hook that only observes");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_NONE);

	xf_for_each_bit (bit, ALL & ~XF_FPSSE)
		EXPECT(becomes_of(bench, &cpu, &bench->guest[GUEST_BARE], bit) ==
			       becomes_of(bench, &cpu, &empty, bit),
		       "observing changes what becomes of a state");
	return VERDICT_HOLDS;
}
