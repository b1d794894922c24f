/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What KVM_GET_XSAVE gives, the same KVM takes for the same guest, and then gives the
 * same again: a snapshot that stays on its host loses nothing. What it gives has the
 * bits that xf_kvm_get tells, the data that was set and none beside it. A refusal
 * changes nothing, and PKRU is changed with its bit alone.
 */
#include "proof.h"

#include "core/vcpu.h"

const unsigned int proof_reads = READS_STATE | READS_CPUID | READS_SET | READS_GET | IS_SLOW;

/* Eight bytes for each component, so that a case costs little. */
#define PLACE 8
#define SIZE (XF_EXTENDED_OFFSET + PLACE * XF_BITS)

static struct xf_layout layout;
static unsigned char zeros[SIZE], input[SIZE];

static void prepare(void)
{
	for (unsigned int n = 2; n < XF_BITS - 1; n++)
		layout.at[n] =
			(struct xf_extent){ XF_EXTENDED_OFFSET + n * PLACE, PLACE, false, false };
	for (unsigned int i = 0; i < SIZE; i++)
		input[i] = (unsigned char)(i % 251 + 1);
	for (unsigned int i = 0; i < XF_HEADER_SIZE; i++)
		input[XF_LEGACY_SIZE + i] = 0;
	input[XF_MXCSR_OFFSET] = 0xa0;
	input[XF_MXCSR_OFFSET + 1] = 0x1f;
	input[XF_MXCSR_OFFSET + 2] = 0;
	input[XF_MXCSR_OFFSET + 3] = 0;
}

static bool same(const unsigned char *one, const unsigned char *other, unsigned int begin,
		 unsigned int end)
{
	for (unsigned int i = begin; i < end; i++)
		if (one[i] != other[i])
			return false;
	return true;
}

/* Of PKRU the host has four bytes. */
static unsigned int data_size(struct xf_bit bit)
{
	return xf_mask(bit) == XF_PKRU ? 4 : PLACE;
}

static void claim_data(const struct proof_case *c, const unsigned char *area, uint64_t shown)
{
	for (unsigned int n = 2; n < XF_BITS; n++) {
		unsigned int begin = XF_EXTENDED_OFFSET + n * PLACE;
		unsigned int data = shown & XF_MASK_(n) ? data_size(xf_bit(n)) : 0;

		CLAIM(same(area, input, begin, begin + data));
		CLAIM(same(area, zeros, begin + data, begin + PLACE));
	}
}

static void claim_legacy(const struct proof_case *c, const unsigned char *area, uint64_t shown,
			 bool whole)
{
	bool mxcsr = whole || shown & (XF_SSE | XF_AVX);

	CLAIM(same(area, input, XF_MXCSR_OFFSET, XF_MXCSR_OFFSET + 4) == mxcsr);
	if (whole || shown & XF_X87)
		CLAIM(same(area, input, 0, XF_MXCSR_OFFSET) && same(area, input, 32, XF_X87_SIZE));
	else
		CLAIM(same(area, zeros, 2, XF_MXCSR_OFFSET) && same(area, zeros, 32, XF_X87_SIZE));
	CLAIM(same(area, whole || shown & XF_SSE ? input : zeros, XF_X87_SIZE, XF_PADDING_OFFSET));
	CLAIM(same(area, whole ? input : zeros, XF_PADDING_OFFSET, XF_LEGACY_SIZE));
}

static uint64_t xstate_bv_of(const unsigned char *area)
{
	struct xf_area_head head = { 0 };

	(void)xf_area_head(area, SIZE, &head);
	return head.xstate_bv;
}

static void round_trip(const struct proof_case *c, const struct xf_kvm *kvm)
{
	unsigned char kept[SIZE], kept_again[SIZE], got[SIZE], again[SIZE];
	struct xf_kvm_fpu fpu, other;

	CLAIM(xf_kvm_fpu_init(kvm, &layout, kept, SIZE, &fpu));
	CLAIM(xf_kvm_fpu_init(kvm, &layout, kept_again, SIZE, &other));
	for (unsigned int i = 0; i < 8; i++)
		input[XF_LEGACY_SIZE + i] = (unsigned char)(c->head.xstate_bv >> 8 * i);
	fpu.pkru = 0x55555554;

	struct xf_kvm_answer answer = xf_kvm_fpu_set(kvm, &c->vcpu, &fpu, input);

	xf_kvm_fpu_get(kvm, &c->vcpu, &fpu, got);
	if (answer.reason != XF_REASON_NONE) {
		xf_kvm_fpu_get(kvm, &c->vcpu, &other, again);
		CLAIM(fpu.in_use == 0 && same(kept, kept_again, 0, SIZE));
		CLAIM(same(got, again, 0, SIZE));
	}
	CLAIM(fpu.pkru == 0x55555554 || answer.loaded & XF_PKRU);
	if (answer.reason != XF_REASON_NONE)
		return;

	uint64_t shown = xstate_bv_of(got);

	CLAIM(shown == xf_kvm_get(kvm, &c->vcpu, answer.loaded));
	CLAIM(same(got, zeros, XF_LEGACY_SIZE + 8, XF_EXTENDED_OFFSET));
	claim_legacy(c, got, shown, kvm->no_xsave || kvm->mxcsr_always);
	claim_data(c, got, shown);
	CLAIM(xf_kvm_fpu_set(kvm, &c->vcpu, &other, got).reason == XF_REASON_NONE);
	xf_kvm_fpu_get(kvm, &c->vcpu, &other, again);
	CLAIM(same(got, again, 0, SIZE));
}

void proof(const struct proof_case *c)
{
	struct xf_kvm kvm = real_kvm(c);

	if (!layout.at[2].size)
		prepare();
	kvm.host &= ~(XF_SUPERVISOR | XF_COMPACTED);
	for (unsigned int i = 0; i < 2; i++) {
		kvm.mxcsr_always = i;
		round_trip(c, &kvm);
	}
}
