/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the clauses share: vCPUs, areas with known data, comparing. */
#include <stdio.h>
#include <string.h>

#include "lab/contract.h"

#define MXCSR_OFFSET 24
#define XMM_OFFSET 160
#define FCW_INITIAL 0x37f
#define MXCSR_INITIAL 0x1f80

/* A clause cannot say anything of a KVM that gives no vCPU: the program ends. */
static void must(struct xf_error *err)
{
	if (!err)
		return;
	fprintf(stderr, "contract: %s\n", err->text);
	exit(8);
}

bool show(struct bench *bench, const struct xf_kvm_cpu *cpu, enum guest guest)
{
	return guest == GUEST_NONE || xf_kvm_set_cpuid(cpu, &bench->guest[guest]) == 0;
}

struct xf_kvm_cpu new_cpu(struct bench *bench, enum guest guest)
{
	struct xf_kvm_cpu cpu = XF_KVM_CLOSED;

	must(xf_kvm_create_cpu(&bench->vm, bench->vcpus++, &cpu));
	if (!show(bench, &cpu, guest)) {
		fputs("contract: KVM_SET_CPUID2 takes not what KVM_GET_SUPPORTED_CPUID gave\n",
		      stderr);
		exit(8);
	}
	return cpu;
}

uint64_t shown_to(const struct xf_kvm_cpu *cpu)
{
	struct xf_kvm_cpuid cpuid;

	return xf_kvm_get_cpuid(cpu, &cpuid) == 0 ? xf_kvm_cpuid_shown(&cpuid) : 0;
}

uint64_t superfluous(const struct bench *bench, const struct xf_kvm_cpu *cpu)
{
	return bench->host & ~(shown_to(cpu) | XF_FPSSE);
}

uint64_t area_xstate_bv(const struct area *area)
{
	uint64_t xstate_bv;

	memcpy(&xstate_bv, area->bytes + XF_LEGACY_SIZE, sizeof(xstate_bv));
	return xstate_bv;
}

void area_set_xstate_bv(struct area *area, uint64_t xstate_bv)
{
	memcpy(area->bytes + XF_LEGACY_SIZE, &xstate_bv, sizeof(xstate_bv));
}

uint32_t area_mxcsr(const struct area *area)
{
	uint32_t mxcsr;

	memcpy(&mxcsr, area->bytes + MXCSR_OFFSET, sizeof(mxcsr));
	return mxcsr;
}

void area_set_mxcsr(struct area *area, uint32_t mxcsr)
{
	memcpy(area->bytes + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

/*
 * Bytes of a component that may have any value. MPX and AMX's configuration have bits
 * that the CPU reserves and stay 0; behind PKRU's four bytes are four that nobody keeps.
 */
static uint32_t free_data(const struct bench *bench, struct xf_bit bit)
{
	if (xf_mask(bit) & (XF_MPX | XF_XTILECFG))
		return 0;
	return xf_mask(bit) & XF_PKRU ? 4 : bench->layout.at[bit.n].size;
}

void area_fill(const struct bench *bench, uint64_t xstate_bv, struct area *out)
{
	memset(out, 0, sizeof(*out));
	out->bytes[0] = FCW_INITIAL & 0xff;
	out->bytes[1] = FCW_INITIAL >> 8;
	area_set_mxcsr(out, MXCSR_INITIAL);
	/* ST0's mantissa and XMM0 to XMM15. */
	if (xstate_bv & XF_X87)
		memset(out->bytes + 32, 0x5a, 8);
	if (xstate_bv & XF_SSE)
		memset(out->bytes + XMM_OFFSET, 0x5b, 256);
	area_set_xstate_bv(out, xstate_bv);
	xf_for_each_bit (bit, xstate_bv & ~XF_FPSSE)
		memset(out->bytes + bench->layout.at[bit.n].offset, 0x50 + bit.n,
		       free_data(bench, bit));
}

/* Where a component's data lies; x87 without its MXCSR and XMM. */
static void place(const struct bench *bench, struct xf_bit bit, uint32_t *offset, uint32_t *size)
{
	*offset = bit.n == 0 ? 0 : bit.n == 1 ? XMM_OFFSET : bench->layout.at[bit.n].offset;
	*size = bit.n == 0 ? MXCSR_OFFSET : bit.n == 1 ? 256 : bench->layout.at[bit.n].size;
}

bool area_equal(const struct bench *bench, const struct area *a, const struct area *b,
		uint64_t components)
{
	xf_for_each_bit (bit, components) {
		uint32_t offset, size;

		place(bench, bit, &offset, &size);
		if (memcmp(a->bytes + offset, b->bytes + offset, size) != 0)
			return false;
		/* ST0 to ST7. */
		if (bit.n == 0 && memcmp(a->bytes + 32, b->bytes + 32, 128) != 0)
			return false;
	}
	return true;
}

bool area_initial(const struct bench *bench, const struct area *area, uint64_t components)
{
	static struct area initial;

	area_fill(bench, 0, &initial);
	return area_equal(bench, area, &initial, components);
}

int load(struct bench *bench, const struct xf_kvm_cpu *cpu, uint64_t xstate_bv)
{
	struct area area;

	area_fill(bench, xstate_bv & bench->host, &area);
	area_set_xstate_bv(&area, xstate_bv);
	return xf_kvm_set_xsave(cpu, area.bytes);
}
