/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One vCPU's extended registers as KVM keeps them between its calls: what
 * KVM_GET_XSAVE reads back, byte for byte, after any sequence of KVM_SET_XSAVE and
 * KVM_SET_CPUID2 on a vCPU that has not run.
 *
 * Kernels do it in two ways. Since the fpstate rework (5.16) only the components
 * with a bit in XSTATE_BV are loaded, and the others read as their initial state
 * (copy_uabi_to_xstate, __copy_xstate_to_uabi_buf). Before it (load_xsave,
 * fill_xsave), and on CPUs without XSAVE on every kernel, the legacy region is one
 * piece: loaded and read back whole, whatever XSTATE_BV says.
 *
 *	unsigned char buffer[4096], readback[4096];
 *	struct xf_kvm_fpu fpu;
 *
 *	if (!xf_kvm_fpu_init(&host->kvm, &host->layout, buffer, sizeof(buffer), &fpu))
 *		return;	// the area of that host is larger
 *	if (xf_kvm_fpu_set(&host->kvm, &vcpu, &fpu, area).reason == XF_REASON_NONE)
 *		xf_kvm_fpu_get(&host->kvm, &vcpu, &fpu, readback);
 */
#ifndef XF_CORE_VCPU_H
#define XF_CORE_VCPU_H

#include "core/rule.h"

struct xf_kvm_fpu {
	const struct xf_layout *layout; /* the host's */
	unsigned char *area;		/* of `size` bytes: what was loaded, some of it stale */
	size_t size;
	uint64_t in_use; /* XSTATE_BV of KVM's own buffer */
	uint32_t pkru;	 /* vcpu->arch.pkru */
};

/*
 * A new vCPU. Both pointers are kept and must live as long as `out`. False, and
 * nothing written, when the layout lacks a place for something that this KVM can
 * hold, or `size` bytes are too few for it.
 */
bool xf_kvm_fpu_init(const struct xf_kvm *kvm, const struct xf_layout *layout, void *area,
		     size_t size, struct xf_kvm_fpu *out);

/*
 * KVM_SET_XSAVE of an area of `fpu->size` bytes: its answer, and what is loaded. A
 * refusal changes nothing. PKRU keeps its value when its bit is clear, or was cleared by
 * a hook; a protected guest keeps everything.
 */
struct xf_kvm_answer xf_kvm_fpu_set(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
				    struct xf_kvm_fpu *fpu, const void *area);

/*
 * KVM_GET_XSAVE: writes `fpu->size` bytes. The 48 bytes from XF_SW_RESERVED_OFFSET
 * are the host's own since the fpstate rework; here they are 0 then. For a protected
 * guest all is 0, as the kernels give it that do not refuse.
 */
void xf_kvm_fpu_get(const struct xf_kvm *kvm, const struct xf_kvm_vcpu *vcpu,
		    const struct xf_kvm_fpu *fpu, void *out);

/* Whether this KVM loads and gives the legacy region whole. */
bool xf_kvm_fpu_is_whole(const struct xf_kvm *kvm);

#endif
