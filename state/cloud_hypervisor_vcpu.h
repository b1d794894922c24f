/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One vCPU's state as Cloud Hypervisor writes it: JSON of KVM's structures, VcpuKvmState of
 * hypervisor/src/kvm/x86_64 there.
 */
#ifndef XF_STATE_CLOUD_HYPERVISOR_VCPU_H
#define XF_STATE_CLOUD_HYPERVISOR_VCPU_H

#include "state/area_vcpu.h"
#include "state/spelled_text.h"

/* The numbers that a repair may change, and the addresses by which it means them. */
struct xf_ch_numbers {
	uint64_t xstate_bv; /* address */
	struct xf_digits low, high;
	uint64_t pkru_at;      /* address */
	struct xf_digits pkru; /* none: count 0 */
};

struct xf_ch_vcpu {
	struct xf_vcpu vcpu;
	struct xf_vcpu_cpuid cpuid;
	struct xf_ch_numbers numbers;
};

/* A field's address is where its first digit stands in the file. */
struct xf_error *xf_ch_vcpu_read(const char *file, uint32_t id, const struct xf_spelled *state,
				 struct xf_ch_vcpu *out);

#endif
