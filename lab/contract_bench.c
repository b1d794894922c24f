/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the clauses share: vCPUs, areas with known data, comparing. */
#include <stdio.h>
#include <string.h>

#include "lab/contract.h"

#define ST_OFFSET 32
#define FCW_LOADED 0x27f /* double precision */

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

bool can_hide(struct bench *bench)
{
	XF_AUTO(xf_kvm_cpu_scope) struct xf_kvm_cpu cpu = new_cpu(bench, GUEST_BARE);

	return superfluous(bench, &cpu);
}

uint64_t superfluous(const struct bench *bench, const struct xf_kvm_cpu *cpu)
{
	return bench->host & ~(shown_to(cpu) | XF_FPSSE);
}

uint64_t area_xstate_bv(const struct area *area)
{
	uint64_t xstate_bv;

	memcpy(&xstate_bv, area->bytes + XF_XSTATE_BV_OFFSET, sizeof(xstate_bv));
	return xstate_bv;
}

void area_set_xstate_bv(struct area *area, uint64_t xstate_bv)
{
	memcpy(area->bytes + XF_XSTATE_BV_OFFSET, &xstate_bv, sizeof(xstate_bv));
}

static void area_set_fcw(struct area *area, uint16_t fcw)
{
	memcpy(area->bytes + XF_FCW_OFFSET, &fcw, sizeof(fcw));
}

uint32_t area_mxcsr(const struct area *area)
{
	uint32_t mxcsr;

	memcpy(&mxcsr, area->bytes + XF_MXCSR_OFFSET, sizeof(mxcsr));
	return mxcsr;
}

void area_set_mxcsr(struct area *area, uint32_t mxcsr)
{
	memcpy(area->bytes + XF_MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
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
	area_set_fcw(out, xstate_bv & XF_X87 ? FCW_LOADED : XF_FCW_INIT);
	area_set_mxcsr(out, xstate_bv & (XF_SSE | XF_AVX) ? MXCSR_LOADED : XF_MXCSR_INIT);
	/* ST0's mantissa and XMM0 to XMM15. */
	if (xstate_bv & XF_X87)
		memset(out->bytes + ST_OFFSET, 0x5a, 8);
	if (xstate_bv & XF_SSE)
		memset(out->bytes + XF_X87_SIZE, 0x5b, XF_PADDING_OFFSET - XF_X87_SIZE);
	area_set_xstate_bv(out, xstate_bv);
	xf_for_each_bit (bit, xstate_bv & ~XF_FPSSE)
		memset(out->bytes + bench->layout.at[bit.n].offset, 0x50 + bit.n,
		       free_data(bench, bit));
}

/* Where a component's data lies; x87 without its MXCSR and XMM. */
static void place(const struct bench *bench, struct xf_bit bit, uint32_t *offset, uint32_t *size)
{
	*offset = bit.n == 0 ? 0 : bit.n == 1 ? XF_X87_SIZE : bench->layout.at[bit.n].offset;
	*size = bit.n == 0   ? XF_MXCSR_OFFSET
		: bit.n == 1 ? XF_PADDING_OFFSET - XF_X87_SIZE
			     : bench->layout.at[bit.n].size;
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
		if (bit.n == 0 && memcmp(a->bytes + ST_OFFSET, b->bytes + ST_OFFSET,
					 XF_X87_SIZE - ST_OFFSET) != 0)
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
