/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clauses G: KVM_GET_XSAVE and KVM_GET_XSAVE2. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lab/contract.h"

/*
 * A vCPU that holds all the host can, of a guest that is shown `guest`. It is shown
 * all while the data goes in: a strict kernel would not take it otherwise.
 */
static struct xf_kvm_cpu loaded_cpu(struct bench *bench, enum guest guest, bool *loaded)
{
	struct xf_kvm_cpu cpu = new_cpu(bench, guest == GUEST_NONE ? GUEST_NONE : GUEST_ALL);

	*loaded = load(bench, &cpu, bench->host) == 0 && show(bench, &cpu, guest);
	return cpu;
}

CLAUSE(G1)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE");
	for (enum guest guest = GUEST_BARE; guest < GUESTS; guest++) {
		bool loaded;
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = loaded_cpu(bench, guest, &loaded);
		struct area area;

		NEEDS(loaded, "SET takes not what was shown");
		EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");

		uint64_t expected = bench->host & (shown_to(&cpu) | XF_FPSSE);

		EXPECT(!(area_xstate_bv(&area) & ~expected), "gives what was not shown");
		EXPECT(area_xstate_bv(&area) == expected, "hides what was shown, or x87 and SSE");
	}
	return VERDICT_HOLDS;
}

CLAUSE(G2)
{
	NEEDS(bench->host & ~XF_FPSSE, "the host has x87 and SSE only");

	bool loaded;
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = loaded_cpu(bench, GUEST_BARE, &loaded);
	struct area area, all;

	NEEDS(loaded, "SET takes not what was shown");
	NEEDS(superfluous(bench, &cpu), NOTHING_SUPERFLUOUS);
	EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
	NEEDS(area_xstate_bv(&area) != bench->host, "nothing is hidden: G1");
	EXPECT(show(bench, &cpu, GUEST_ALL), "KVM_SET_CPUID2 does not take more than before");
	EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
	EXPECT(area_xstate_bv(&area) == bench->host, "what was hidden is gone");
	area_fill(bench, bench->host, &all);
	EXPECT(area_equal(bench, &area, &all, bench->host), "the data has changed");
	return VERDICT_HOLDS;
}

CLAUSE(G3)
{
	NEEDS(bench->host & ~XF_FPSSE, "the host has x87 and SSE only");

	bool loaded;
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = loaded_cpu(bench, GUEST_NONE, &loaded);
	struct area area;

	EXPECT(loaded, "SET takes not what the host can hold");
	EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
	EXPECT(area_xstate_bv(&area) == XF_FPSSE, "gives more than x87 and SSE");
	return VERDICT_HOLDS;
}

CLAUSE(G4)
{
	static const unsigned char zero[XF_HEADER_SIZE - 8];

	for (enum guest guest = GUEST_NONE; guest < GUESTS; guest++) {
		bool loaded;
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = loaded_cpu(bench, guest, &loaded);
		struct area area;

		EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
		EXPECT(memcmp(area.bytes + XF_LEGACY_SIZE + 8, zero, sizeof(zero)) == 0,
		       "XCOMP_BV or a reserved byte is not 0");
	}
	return VERDICT_HOLDS;
}

CLAUSE(G5)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE: GET gives x87 and SSE always");

	bool loaded;
	XF_AUTO(xf_kvm_cpu_scope)
	struct xf_kvm_cpu trimmed = loaded_cpu(bench, GUEST_BARE, &loaded);
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cleared = new_cpu(bench, GUEST_ALL);
	struct area area;

	EXPECT(xf_kvm_get_xsave(&trimmed, area.bytes) == 0, "GET failed");
	EXPECT(area_initial(bench, &area, bench->host & ~area_xstate_bv(&area)),
	       "data of what is hidden comes along");
	area_fill(bench, bench->host, &area);
	area_set_xstate_bv(&area, 0);
	EXPECT(xf_kvm_set_xsave(&cleared, area.bytes) == 0, "SET of nothing failed");
	EXPECT(xf_kvm_get_xsave(&cleared, area.bytes) == 0, "GET failed");

	uint64_t absent = bench->host & ~area_xstate_bv(&area);

	EXPECT(area_initial(bench, &area, absent), "data of what is not in use comes along");
	if ((absent & (XF_SSE | XF_AVX)) == ((XF_SSE | XF_AVX) & bench->host))
		EXPECT(area_mxcsr(&area) == XF_MXCSR_INIT, "MXCSR is not 0x1f80");
	return VERDICT_HOLDS;
}

CLAUSE(G6)
{
	for (enum guest guest = GUEST_NONE; guest < GUESTS; guest++) {
		bool loaded;
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = loaded_cpu(bench, guest, &loaded);
		struct area first, second;

		EXPECT(xf_kvm_get_xsave(&cpu, first.bytes) == 0, "GET failed");
		EXPECT(xf_kvm_get_xsave(&cpu, second.bytes) == 0, "GET failed");
		EXPECT(memcmp(first.bytes, second.bytes, cpu.area_size) == 0, "they differ");
	}
	return VERDICT_HOLDS;
}

CLAUSE(G7)
{
	for (enum guest guest = GUEST_NONE; guest < GUESTS; guest++) {
		bool loaded;
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = loaded_cpu(bench, guest, &loaded);
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu other = new_cpu(bench, guest);
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu fresh = new_cpu(bench, guest);
		struct area first, again;

		EXPECT(xf_kvm_get_xsave(&fresh, first.bytes) == 0, "GET failed");
		EXPECT(xf_kvm_set_xsave(&fresh, first.bytes) == 0,
		       "refuses a fresh vCPU's own state");
		EXPECT(xf_kvm_get_xsave(&cpu, first.bytes) == 0, "GET failed");
		EXPECT(xf_kvm_set_xsave(&cpu, first.bytes) == 0, "refuses its own state");
		EXPECT(xf_kvm_set_xsave(&other, first.bytes) == 0, "refuses it on another vCPU");
		EXPECT(xf_kvm_get_xsave(&other, again.bytes) == 0, "GET failed");
		EXPECT(area_xstate_bv(&first) == area_xstate_bv(&again) &&
			       area_mxcsr(&first) == area_mxcsr(&again) &&
			       area_equal(bench, &first, &again, bench->host),
		       "it comes back changed");
	}
	return VERDICT_HOLDS;
}

CLAUSE(G8)
{
	bool loaded;
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = loaded_cpu(bench, GUEST_ALL, &loaded);
	struct area old, new;

	NEEDS(cpu.has_xsave2, "no KVM_CAP_XSAVE2");
	if (cpu.area_size > XF_KVM_XSAVE_SIZE) {
		EXPECT(ioctl(cpu.fd, KVM_GET_XSAVE, old.bytes) < 0 && errno == EINVAL,
		       "KVM_GET_XSAVE gives a part");
		return VERDICT_HOLDS;
	}
	EXPECT(ioctl(cpu.fd, KVM_GET_XSAVE, old.bytes) == 0, "KVM_GET_XSAVE failed");
	EXPECT(xf_kvm_get_xsave(&cpu, new.bytes) == 0, "KVM_GET_XSAVE2 failed");
	EXPECT(memcmp(old.bytes, new.bytes, XF_KVM_XSAVE_SIZE) == 0, "they differ");
	return VERDICT_HOLDS;
}

CLAUSE(G9)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE: GET gives x87 and SSE always");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);

	xf_for_each_bit (bit, bench->host & (XF_FPSSE | XF_AVX)) {
		struct area area;

		area_fill(bench, xf_mask(bit), &area);
		area_set_mxcsr(&area, MXCSR_LOADED);
		EXPECT(xf_kvm_set_xsave(&cpu, area.bytes) == 0, "SET failed");
		EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
		if (xf_mask(bit) == XF_X87)
			EXPECT(area_mxcsr(&area) == XF_MXCSR_INIT, "it comes with x87 too");
		else
			EXPECT(area_mxcsr(&area) == MXCSR_LOADED,
			       "it does not come with SSE or AVX");
	}
	return VERDICT_HOLDS;
}
