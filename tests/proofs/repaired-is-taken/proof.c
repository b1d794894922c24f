/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The point of it all: with the guest known and nothing lost, a repaired state
 * is taken by every KVM, and all of it arrives. (Not on a host without XSAVE,
 * nor where KVM counts not even x87 and SSE as shown.)
 */
#include "proof.h"

const unsigned int proof_reads = READS_STATE | READS_SHOWN | READS_HOST | READS_SET;

void proof(const struct proof_case *c)
{
	struct xf_kvm kvm = real_kvm(c);
	struct xf_guest guest = { c->guest.shown, ~0ull };
	uint64_t state = c->head.xstate_bv;
	struct xf_area_head head = { .xstate_bv = state & ~xf_droppable(state, guest, ~0ull) };

	ASSUME(!kvm.no_xsave && kvm.set != XF_SET_GUEST_BARE);
	/* Bit 63 is no component: a state that has it stays as it is, and refused. */
	ASSUME(!(state & XF_COMPACTED));
	ASSUME(!xf_judge(state, guest, c->host).lost);

	struct xf_kvm_vcpu vcpu = fresh(xf_guest_normal(guest).shown);
	struct xf_kvm_answer answer = xf_kvm_set(&kvm, &vcpu, &head);

	CLAIM(answer.reason == XF_REASON_NONE);
	CLAIM(answer.loaded == head.xstate_bv && answer.dropped == 0);
	CLAIM(xf_predict(&kvm, guest, &head).outcome == XF_OUTCOME_ACCEPTED);
}
