/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module takes out what is superfluous by the vCPU's own CPUID, of what it was told to,
 * and nothing before there is a CPUID, nor of a protected guest. Beyond that the answer is
 * that of the same KVM to a state without it. And the point of it all: nothing of the
 * guest's lost, and every KVM that counts x87 and SSE as shown takes the state.
 */
#include "proof.h"

const unsigned int proof_reads =
	READS_STATE | READS_GUEST | READS_HOST | READS_ONLY | READS_SET | READS_VCPU | IS_SLOW;

static void claim_set(const struct proof_case *c, const struct xf_kvm *kvm,
		      const struct xf_kvm_vcpu *vcpu)
{
	struct xf_kvm plain = *kvm;
	struct xf_area_head without = c->head;
	struct xf_kvm_answer answer = xf_kvm_set(kvm, vcpu, &c->head);
	uint64_t state = c->head.xstate_bv;
	uint64_t expected = xf_judge(state, c->guest, ~0ull).superfluous & c->only;

	if (vcpu->guarded || !vcpu->cpuid_set)
		expected = 0;
	plain.hook_set = 0;
	without.xstate_bv &= ~expected;

	struct xf_kvm_answer same = xf_kvm_set(&plain, vcpu, &without);

	CLAIM(answer.reason == same.reason && answer.loaded == same.loaded);
	CLAIM(same.trimmed == 0);
	if (answer.reason != XF_REASON_NONE) {
		CLAIM(answer.trimmed == 0 && answer.dropped == 0);
		return;
	}
	/* Proxmox' hook and IA32_XFD come first. */
	CLAIM((answer.trimmed & answer.dropped) == 0);
	CLAIM((answer.trimmed & ~expected) == 0);
	if (!vcpu->guarded)
		CLAIM((answer.trimmed | answer.dropped) == ((same.dropped | expected) & state));
}

static void claim_taken(const struct proof_case *c, const struct xf_kvm *kvm,
			const struct xf_kvm_vcpu *vcpu)
{
	/* Bit 63 is no component: nobody takes it out, and a state that has it is refused. */
	bool all =
		c->only == ~0ull && c->guest.known == ~0ull && !(c->head.xstate_bv & XF_COMPACTED);

	if (!all || kvm->no_xsave || kvm->set == XF_SET_GUEST_BARE || vcpu->guarded ||
	    !vcpu->cpuid_set || xf_judge(c->head.xstate_bv, c->guest, c->host).lost)
		return;
	CLAIM(xf_kvm_set(kvm, vcpu, &c->head).reason == XF_REASON_NONE);
}

void proof(const struct proof_case *c)
{
	struct xf_kvm kvm = real_kvm(c);
	struct xf_kvm_vcpu vcpu = c->vcpu;

	vcpu.cpuid = xf_guest_normal(c->guest).shown;
	vcpu.evidence = c->guest;
	kvm.hook_set = c->only;
	claim_set(c, &kvm, &vcpu);
	claim_taken(c, &kvm, &vcpu);
	/* What only observes changes nothing. */
	kvm.hook_set = 0;

	struct xf_kvm_answer observed = xf_kvm_set(&kvm, &vcpu, &c->head);

	vcpu.evidence = XF_GUEST_UNKNOWN;
	kvm.hook_set = c->only;

	struct xf_kvm_answer blind = xf_kvm_set(&kvm, &vcpu, &c->head);

	CLAIM(observed.reason == blind.reason && observed.loaded == blind.loaded);
	CLAIM(observed.dropped == blind.dropped && !observed.trimmed && !blind.trimmed);
}
