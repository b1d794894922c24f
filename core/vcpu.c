/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/vcpu.h"
#include "core/bytes.h"

/* MXCSR and MXCSR_MASK, which the kernel copies together. */
#define MXCSR_PAIR 8

/* Loading MXCSR goes with any of these, reading it back only with the latter two. */
#define LOADS_MXCSR (XF_FPSSE | XF_AVX)
#define GIVES_MXCSR (XF_SSE | XF_AVX)

/* What is checked always is loaded always: both come from copying the region in one piece. */
bool xf_kvm_fpu_is_whole(const struct xf_kvm *kvm)
{
	return kvm->no_xsave || kvm->mxcsr_always;
}

static void copy(unsigned char *to, const unsigned char *from, size_t begin, size_t end)
{
	xf_copy_bytes(to + begin, from + begin, end - begin);
}

/* fpstate_init_fxstate; the mask of MXCSR is filled in only where init_fpstate is what is read. */
static void put_initial_legacy(unsigned char *area, uint32_t mxcsr_mask)
{
	xf_put_le32(area, XF_FCW_INIT);
	xf_put_le32(area + XF_MXCSR_OFFSET, XF_MXCSR_INIT);
	xf_put_le32(area + XF_MXCSR_MASK_OFFSET, mxcsr_mask);
}

static bool has_places(const struct xf_kvm *kvm, const struct xf_layout *layout)
{
	xf_for_each_bit (bit, kvm->host & ~XF_FPSSE)
		if (!xf_layout_offset(layout, 0, bit))
			return false;
	return true;
}

bool xf_kvm_fpu_init(const struct xf_kvm *kvm, const struct xf_layout *layout, void *area,
		     size_t size, struct xf_kvm_fpu *out)
{
	if (!has_places(kvm, layout) || size < xf_layout_standard_size(layout, kvm->host))
		return false;
	xf_zero_bytes(area, size);
	put_initial_legacy(area, 0);
	out->layout = layout;
	out->area = area;
	out->size = size;
	out->in_use = 0;
	out->pkru = 0;
	return true;
}

static void load_legacy(unsigned char *to, const unsigned char *from, uint64_t loaded)
{
	if (loaded & LOADS_MXCSR)
		copy(to, from, XF_MXCSR_OFFSET, XF_MXCSR_OFFSET + MXCSR_PAIR);
	if (loaded & XF_X87)
		copy(to, from, 0, XF_X87_SIZE);
	if (loaded & XF_SSE)
		copy(to, from, XF_X87_SIZE, XF_PADDING_OFFSET);
}

/* Copies one component where both areas have it: the layout of both is the host's. */
static void copy_component(const struct xf_kvm_fpu *fpu, unsigned char *to,
			   const unsigned char *from, struct xf_bit bit)
{
	const struct xf_extent *extent = &fpu->layout->at[bit.n];

	copy(to, from, extent->offset, (size_t)extent->offset + extent->size);
}

struct xf_kvm_answer xf_kvm_fpu_set(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
				    struct xf_kvm_fpu *fpu, const void *area)
{
	const unsigned char *from = area;
	struct xf_area_head head;

	/* An area that xf_kvm_fpu_init took is long enough. */
	(void)xf_area_head(area, fpu->size, &head);

	struct xf_kvm_answer answer = xf_kvm_set(kvm, vcpu, &head);

	if (answer.reason != XF_REASON_NONE || vcpu->guarded)
		return answer;
	if (xf_kvm_fpu_is_whole(kvm))
		copy(fpu->area, from, 0, XF_LEGACY_SIZE);
	else
		load_legacy(fpu->area, from, answer.loaded);
	xf_for_each_bit (bit, answer.loaded & ~XF_FPSSE)
		copy_component(fpu, fpu->area, from, bit);
	if (answer.loaded & XF_PKRU)
		fpu->pkru = xf_get_le32(from + fpu->layout->at[xf_lowest(XF_PKRU).n].offset);
	fpu->in_use = answer.loaded;
	return answer;
}

static void give_legacy(unsigned char *to, const unsigned char *from, uint64_t shown,
			uint32_t mxcsr_mask)
{
	put_initial_legacy(to, mxcsr_mask);
	if (shown & XF_X87) {
		copy(to, from, 0, XF_MXCSR_OFFSET);
		copy(to, from, XF_MXCSR_OFFSET + MXCSR_PAIR, XF_X87_SIZE);
	}
	if (shown & GIVES_MXCSR)
		copy(to, from, XF_MXCSR_OFFSET, XF_MXCSR_OFFSET + MXCSR_PAIR);
	if (shown & XF_SSE)
		copy(to, from, XF_X87_SIZE, XF_PADDING_OFFSET);
}

void xf_kvm_fpu_get(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
		    const struct xf_kvm_fpu *fpu, void *out)
{
	unsigned char *to = out;
	struct xf_kvm untrimmed;
	uint64_t shown = xf_kvm_get(kvm, vcpu, fpu->in_use);

	/* The module leaves the legacy region as KVM has written it. */
	XF_COPY(&untrimmed, kvm);
	untrimmed.hook_get = 0;
	xf_zero_bytes(to, fpu->size);
	if (vcpu->guarded)
		return;
	if (xf_kvm_fpu_is_whole(kvm))
		copy(to, fpu->area, 0, XF_LEGACY_SIZE);
	else
		give_legacy(to, fpu->area, xf_kvm_get(&untrimmed, vcpu, fpu->in_use),
			    kvm->mxcsr_mask);
	xf_put_le64(to + XF_XSTATE_BV_OFFSET, shown);
	xf_for_each_bit (bit, shown & ~(XF_FPSSE | XF_PKRU))
		copy_component(fpu, to, fpu->area, bit);
	/* Four bytes, however much room the host has for it. */
	if (shown & XF_PKRU)
		xf_put_le32(to + fpu->layout->at[xf_lowest(XF_PKRU).n].offset, fpu->pkru);
}
