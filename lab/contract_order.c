/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clauses C and X: what KVM_SET_CPUID2 and KVM_SET_XCRS have to do with it. */
#include <string.h>

#include "lab/contract.h"

CLAUSE(C1)
{
	NEEDS(can_hide(bench), NOTHING_SUPERFLUOUS);
	for (enum guest guest = GUEST_BARE; guest < GUESTS; guest++) {
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu before = new_cpu(bench, GUEST_NONE);
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu after = new_cpu(bench, guest);

		xf_for_each_bit (bit, XF_ALL)
			EXPECT(load(bench, &before, XF_FPSSE | xf_mask(bit)) ==
				       load(bench, &after, XF_FPSSE | xf_mask(bit)),
			       "it takes more before than after");
	}
	return VERDICT_HOLDS;
}

CLAUSE(C2)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_NONE);
	struct area area, all;

	area_fill(bench, bench->host, &all);
	NEEDS(xf_kvm_set_xsave(&cpu, all.bytes) == 0, "takes nothing before KVM_SET_CPUID2");
	EXPECT(show(bench, &cpu, GUEST_ALL), "KVM_SET_CPUID2 failed");
	EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
	EXPECT(area_xstate_bv(&area) == bench->host, "a component is gone");
	EXPECT(area_equal(bench, &area, &all, bench->host), "data has changed");
	return VERDICT_HOLDS;
}

CLAUSE(C3)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE");
	for (enum guest guest = GUEST_LITTLE; guest < GUESTS; guest++) {
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, guest);
		uint64_t shown = shown_to(&cpu);

		EXPECT(shown, "KVM_GET_CPUID2 gives no leaf 0xD");
		EXPECT(xf_kvm_set_xcr0(&cpu, shown) == 0, "refuses what it says was shown");
		xf_for_each_bit (bit, bench->host & ~shown)
			EXPECT(xf_kvm_set_xcr0(&cpu, xf_widen(xf_mask(bit) | XF_X87)) != 0,
			       "takes what it says was not shown");
	}
	return VERDICT_HOLDS;
}

CLAUSE(C4)
{
	NEEDS(can_hide(bench), NOTHING_SUPERFLUOUS);

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_NONE);
	static struct xf_kvm_cpuid hidden;
	struct area area;

	hidden = bench->guest[GUEST_ALL];
	for (uint32_t i = 0; i < hidden.count; i++)
		if (hidden.entries[i].function == 1)
			hidden.entries[i].ecx &= ~XF_LEAF1_ECX_XSAVE;
	EXPECT(xf_kvm_set_cpuid(&cpu, &hidden) == 0, "KVM_SET_CPUID2 failed");
	EXPECT(load(bench, &cpu, bench->host) == 0, "SET refuses what leaf 0xD shows");
	EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
	EXPECT(area_xstate_bv(&area) == bench->host, "GET hides what leaf 0xD shows");
	return VERDICT_HOLDS;
}

static bool all_or_none(uint64_t xcr0, uint64_t group)
{
	return (xcr0 & group) == 0 || (xcr0 & group) == group;
}

/* The clause in C, from the SDM and not from core/, which is held to the same elsewhere. */
static bool guest_could_set(uint64_t xcr0, uint64_t shown)
{
	return (xcr0 & XF_X87) && !(xcr0 & ~(shown | XF_X87)) &&
	       (!(xcr0 & XF_AVX) || (xcr0 & XF_SSE)) && all_or_none(xcr0, XF_AVX512) &&
	       (!(xcr0 & XF_AVX512) || (xcr0 & XF_AVX)) && all_or_none(xcr0, XF_MPX) &&
	       all_or_none(xcr0, XF_AMX);
}

CLAUSE(X1)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE");

	/* All the host has, all of MPX and AMX, and something nobody has. */
	uint64_t tried = bench->host | XF_MPX | XF_AMX | XF_MASK_(62);

	for (enum guest guest = GUEST_BARE; guest < GUESTS; guest++) {
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, guest);
		uint64_t shown = shown_to(&cpu) & bench->host;

		for (uint64_t xcr0 = (0 - tried) & tried; xcr0; xcr0 = (xcr0 - tried) & tried)
			EXPECT((xf_kvm_set_xcr0(&cpu, xcr0) == 0) == guest_could_set(xcr0, shown),
			       "the answer is another than for XSETBV");
	}
	return VERDICT_HOLDS;
}

CLAUSE(X2)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_NONE);

	EXPECT(xf_kvm_set_xcr0(&cpu, XF_X87) == 0, "refuses x87");
	EXPECT(xf_kvm_set_xcr0(&cpu, XF_FPSSE) != 0, "takes SSE");
	return VERDICT_HOLDS;
}

CLAUSE(X3)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);
	struct area before, after;
	uint64_t xcr0 = 0;

	EXPECT(load(bench, &cpu, bench->host) == 0, "refuses all that the host can hold");
	EXPECT(xf_kvm_get_xcr0(&cpu, &xcr0) == 0 && xcr0 == XF_X87, "XCR0 has changed");
	EXPECT(xf_kvm_get_xsave(&cpu, before.bytes) == 0, "GET failed");
	EXPECT(xf_kvm_set_xcr0(&cpu, bench->host) == 0, "refuses what was shown");
	EXPECT(xf_kvm_get_xsave(&cpu, after.bytes) == 0, "GET failed");
	EXPECT(memcmp(before.bytes, after.bytes, cpu.area_size) == 0, "the state has changed");
	return VERDICT_HOLDS;
}

CLAUSE(X4)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu first = new_cpu(bench, GUEST_ALL);
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu second = new_cpu(bench, GUEST_ALL);
	struct area one, other;

	EXPECT(xf_kvm_set_xcr0(&first, bench->host) == 0 && load(bench, &first, bench->host) == 0,
	       "XCR0 first is refused");
	EXPECT(load(bench, &second, bench->host) == 0 && xf_kvm_set_xcr0(&second, bench->host) == 0,
	       "XCR0 last is refused");
	EXPECT(xf_kvm_get_xsave(&first, one.bytes) == 0, "GET failed");
	EXPECT(xf_kvm_get_xsave(&second, other.bytes) == 0, "GET failed");
	EXPECT(memcmp(one.bytes, other.bytes, first.area_size) == 0, "the results differ");
	return VERDICT_HOLDS;
}
