/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call of a hooked function, as seen at its entry: whose vCPU, and where KVM's
 * private copy of the XSAVE area is. vcpu.c alone looks into KVM's structures.
 *
 * A module can be built for one kernel and find another; so each call is checked to be
 * what it is taken for, and the first that is not ends all of this for good.
 */
#ifndef XF_KMOD_VCPU_H
#define XF_KMOD_VCPU_H

#include "core/shown.h"

struct kvm_vcpu;
struct pt_regs;

struct xf_call {
	struct kvm_vcpu *vcpu;
	void *area;
	unsigned int size; /* bytes of the area that may be touched */
};

/* Reads the arguments. False, and `*out` is of no use: hands off. */
bool xf_call_set(struct pt_regs *regs, struct xf_call *out);
bool xf_call_get(struct pt_regs *regs, struct xf_call *out);

/* Whether a check has ever failed. */
bool xf_call_distrusted(void);

/* The state of a protected guest is encrypted, and none of ours. */
bool xf_vcpu_protected(const struct kvm_vcpu *vcpu);

/*
 * Components that KVM found in this guest's leaf 0xD, and that the host holds: never
 * superfluous, and all that most states need to be asked. 0 before KVM_SET_CPUID2, and
 * where KVM keeps no such mask (5.17 to 6.1.59, 6.2 to 6.5).
 */
u64 xf_vcpu_supported(const struct kvm_vcpu *vcpu);

/*
 * The CPUID of this guest. False: KVM_SET_CPUID2 has not been called, so nobody knows; or
 * it is not where it should be, and the vCPU is distrusted.
 */
bool xf_vcpu_shown(const struct kvm_vcpu *vcpu, struct xf_shown *out);

int xf_vcpu_id(const struct kvm_vcpu *vcpu);

/* Tells VMs apart; never followed, never shown. */
const void *xf_vcpu_vm(const struct kvm_vcpu *vcpu);

#endif
