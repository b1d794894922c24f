/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clauses S: KVM_SET_XSAVE. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "lab/contract.h"

#define PAGE 4096
#define PKRU_VALUE 0x55555554u

/* The next subset of `mask` after `subset`; 0 after the last. */
static uint64_t next_subset(uint64_t subset, uint64_t mask)
{
	return (subset - mask) & mask;
}

CLAUSE(S1)
{
	NEEDS(can_hide(bench), NOTHING_SUPERFLUOUS);
	for (enum guest guest = GUEST_NONE; guest < GUESTS; guest++) {
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, guest);
		uint64_t subset = 0;

		do {
			EXPECT(load(bench, &cpu, subset) == 0, "takes only what was shown");
			subset = next_subset(subset, bench->host);
		} while (subset);
	}
	return VERDICT_HOLDS;
}

/* Data that the host holds and the guest was not shown is kept, not dropped. */
static struct verdict keeps_superfluous(struct bench *bench)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_BARE);
	struct area area;

	/* Refused is not dropped. */
	if (load(bench, &cpu, bench->host) != 0)
		return VERDICT_HOLDS;
	EXPECT(show(bench, &cpu, GUEST_ALL), "KVM_SET_CPUID2 does not take more than before");
	EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
	EXPECT(area_xstate_bv(&area) == bench->host, "answers 0 and drops a component");
	return VERDICT_HOLDS;
}

CLAUSE(S2)
{
	for (enum guest guest = GUEST_NONE; guest < GUESTS; guest++) {
		XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, guest);

		xf_for_each_bit (bit, ~bench->host)
			EXPECT(load(bench, &cpu, XF_FPSSE | xf_mask(bit)) == EINVAL,
			       "takes what the host cannot hold");
	}
	return keeps_superfluous(bench);
}

/* Whether SET refuses an area with any one byte of these set, of any value. */
static bool refuses_bytes(struct bench *bench, uint32_t offset, uint32_t count)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);

	for (uint32_t i = 0; i < count; i++)
		for (unsigned int value = 1; value <= 0x80; value <<= 1) {
			struct area area;

			area_fill(bench, XF_FPSSE, &area);
			area.bytes[offset + i] = (unsigned char)value;
			if (xf_kvm_set_xsave(&cpu, area.bytes) != EINVAL)
				return false;
		}
	return true;
}

CLAUSE(S3)
{
	EXPECT(refuses_bytes(bench, XF_XCOMP_BV_OFFSET, 8), "XCOMP_BV is not looked at");
	return VERDICT_HOLDS;
}

CLAUSE(S4)
{
	EXPECT(refuses_bytes(bench, XF_RESERVED_OFFSET, 48), "reserved bytes are not looked at");
	return VERDICT_HOLDS;
}

CLAUSE(S5)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);

	xf_for_each_bit (component, bench->host & (XF_FPSSE | XF_AVX)) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			uint32_t mxcsr = (uint32_t)1 << bit;
			struct area area;

			area_fill(bench, xf_mask(component), &area);
			area_set_mxcsr(&area, mxcsr);

			int got = xf_kvm_set_xsave(&cpu, area.bytes);

			if (mxcsr & bench->mxcsr_mask)
				EXPECT(got == 0, "refuses a bit that the CPU has");
			else
				EXPECT(got == EINVAL, "takes a bit that the CPU does not have");
		}
	}
	return VERDICT_HOLDS;
}

CLAUSE(S6)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);
	struct area area;

	area_fill(bench, 0, &area);
	area_set_mxcsr(&area, UINT32_MAX);
	EXPECT(xf_kvm_set_xsave(&cpu, area.bytes) == 0, "MXCSR is checked all the same");
	EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
	EXPECT(area_mxcsr(&area) == XF_MXCSR_INIT, "MXCSR is loaded all the same");
	return VERDICT_HOLDS;
}

CLAUSE(S7)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);
	struct area bad[2], before, after;

	EXPECT(load(bench, &cpu, bench->host) == 0, "refuses all that the host can hold");
	EXPECT(xf_kvm_get_xsave(&cpu, before.bytes) == 0, "GET failed");
	area_fill(bench, 0, &bad[0]);
	area_set_xstate_bv(&bad[0], XF_FPSSE | XF_MASK_(62));
	area_fill(bench, 0, &bad[1]);
	area_set_xstate_bv(&bad[1], XF_FPSSE);
	area_set_mxcsr(&bad[1], UINT32_MAX);
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT(xf_kvm_set_xsave(&cpu, bad[i].bytes) == EINVAL, "a bad state is taken");
		EXPECT(xf_kvm_get_xsave(&cpu, after.bytes) == 0, "GET failed");
		EXPECT(memcmp(before.bytes, after.bytes, cpu.area_size) == 0,
		       "a failed SET has changed the state");
	}
	return VERDICT_HOLDS;
}

CLAUSE(S8)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE: x87 and SSE are loaded always");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);

	xf_for_each_bit (bit, bench->host & ~XF_PKRU) {
		uint64_t others = bench->host & ~xf_mask(bit);
		struct area area;

		EXPECT(load(bench, &cpu, bench->host) == 0, "refuses all that the host can hold");
		/* Data in its place, and the bit clear. */
		area_fill(bench, bench->host, &area);
		area_set_xstate_bv(&area, others);
		EXPECT(xf_kvm_set_xsave(&cpu, area.bytes) == 0, "refuses a part of it");
		EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
		EXPECT(!(area_xstate_bv(&area) & xf_mask(bit)), "it is still in use");
		EXPECT(area_initial(bench, &area, xf_mask(bit)), "it still has data");
	}
	return VERDICT_HOLDS;
}

/* Real-mode code: xor ecx,ecx; rdpkru; out 0x10,eax; hlt. */
static const unsigned char read_pkru[] = { 0x66, 0x31, 0xc9, 0x0f, 0x01,
					   0xee, 0x66, 0xe7, 0x10, 0xf4 };

/* Puts the code at address 0 of the vCPU's memory and starts there, with CR4.PKE set. */
static bool prepare_read_pkru(struct bench *bench, struct xf_kvm_cpu *cpu, void *page)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = { .rflags = 2 };

	memcpy(page, read_pkru, sizeof(read_pkru));
	if (xf_kvm_set_memory(&bench->vm, 0, 0, page, PAGE) != 0 ||
	    ioctl(cpu->fd, KVM_GET_SREGS, &sregs) != 0)
		return false;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	sregs.cr4 |= 1u << 22;
	return ioctl(cpu->fd, KVM_SET_SREGS, &sregs) == 0 &&
	       ioctl(cpu->fd, KVM_SET_REGS, &regs) == 0;
}

/* What the guest reads from PKRU. */
static bool run_read_pkru(struct xf_kvm_cpu *cpu, uint32_t *out)
{
	if (xf_kvm_run(cpu, 1000) != 0 || cpu->run->exit_reason != KVM_EXIT_IO ||
	    cpu->run->io.size != 4)
		return false;
	memcpy(out, (char *)cpu->run + cpu->run->io.data_offset, 4);
	return true;
}

static struct verdict keeps_pkru(struct bench *bench, void *page)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);
	uint32_t pkru = 0;
	struct area area;

	NEEDS(prepare_read_pkru(bench, &cpu, page), "the guest cannot have PKRU enabled");
	area_fill(bench, XF_FPSSE | XF_PKRU, &area);
	memcpy(area.bytes + bench->layout.at[9].offset, &(uint32_t){ PKRU_VALUE }, 4);
	EXPECT(xf_kvm_set_xsave(&cpu, area.bytes) == 0, "refuses PKRU");
	EXPECT(load(bench, &cpu, XF_FPSSE) == 0, "refuses x87 and SSE");
	NEEDS(run_read_pkru(&cpu, &pkru), "this KVM cannot run the guest");
	EXPECT(pkru == PKRU_VALUE, "PKRU goes to its initial state");
	return VERDICT_HOLDS;
}

CLAUSE(S9)
{
	NEEDS(bench->host & XF_PKRU, "the host has no PKRU");

	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEEDS(page != MAP_FAILED, "no memory");

	struct verdict verdict = keeps_pkru(bench, page);

	xf_kvm_set_memory(&bench->vm, 0, 0, NULL, 0);
	munmap(page, PAGE);
	return verdict;
}

CLAUSE(S10)
{
	NEEDS(bench->has_xsave, "the host has no XSAVE: x87 and SSE are loaded always");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);
	struct area area, got;

	/* Not data of any component: reserved bits of each are set. */
	memset(area.bytes, 0xa5, sizeof(area.bytes));
	memset(area.bytes + XF_LEGACY_SIZE, 0, XF_HEADER_SIZE);
	area_set_mxcsr(&area, XF_MXCSR_INIT);
	EXPECT(xf_kvm_set_xsave(&cpu, area.bytes) == 0, "they are looked at");
	EXPECT(xf_kvm_get_xsave(&cpu, got.bytes) == 0, "GET failed");
	EXPECT(area_initial(bench, &got, bench->host & ~area_xstate_bv(&got)),
	       "data without its bit is loaded");
	return VERDICT_HOLDS;
}

CLAUSE(S11)
{
	NEEDS(bench->host & ~XF_FPSSE, "the host has x87 and SSE only");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);
	struct area area;
	uint64_t xcr0 = 0;

	NEEDS(xf_kvm_get_xcr0(&cpu, &xcr0) == 0, "no KVM_GET_XCRS");
	EXPECT(xcr0 == XF_X87, "XCR0 is not 1 after reset");
	EXPECT(load(bench, &cpu, bench->host) == 0, "refuses what XCR0 does not have");
	EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
	EXPECT(area_xstate_bv(&area) == bench->host, "hides what XCR0 does not have");
	return VERDICT_HOLDS;
}

CLAUSE(S12)
{
	NEEDS(bench->host & ~XF_FPSSE, "the host has x87 and SSE only");

	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_BARE);
	struct area area;

	NEEDS(superfluous(bench, &cpu), NOTHING_SUPERFLUOUS);
	NEEDS(load(bench, &cpu, bench->host) == 0, "takes only what was shown: S1");
	EXPECT(xf_kvm_get_xsave(&cpu, area.bytes) == 0, "GET failed");
	EXPECT(!(area_xstate_bv(&area) & superfluous(bench, &cpu)), "it comes back");
	return VERDICT_HOLDS;
}

CLAUSE(S13)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_ALL);
	size_t room = 2 * (size_t)XF_KVM_AREA_MAX;
	unsigned char *pages =
		mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct area area;

	NEEDS(pages != MAP_FAILED, "no memory");

	unsigned char *end = pages + XF_KVM_AREA_MAX;
	struct verdict verdict = VERDICT_HOLDS;

	mprotect(end, XF_KVM_AREA_MAX, PROT_NONE);
	area_fill(bench, XF_FPSSE, &area);
	memcpy(end - cpu.area_size, area.bytes, cpu.area_size);
	if (xf_kvm_set_xsave(&cpu, end - cpu.area_size) != 0)
		verdict = VERDICT_BROKEN("reads more than it says");
	memcpy(end - cpu.area_size + 1, area.bytes, cpu.area_size - 1);
	if (xf_kvm_set_xsave(&cpu, end - cpu.area_size + 1) != EFAULT)
		verdict = VERDICT_BROKEN("reads less than it says");
	munmap(pages, room);
	return verdict;
}
