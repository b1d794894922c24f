/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What KVM_SET_CPUID2 is given for a guest that generate.h describes. */
#ifndef XF_LAB_GUEST_H
#define XF_LAB_GUEST_H

#include "host/kvm.h"
#include "lab/generate.h"

/* The CPUID of that guest on a host that supports `supported`. */
void guest_cpuid_make(const struct xf_kvm_cpuid *supported, const struct guest_cpuid *guest,
		      struct xf_kvm_cpuid *out);

#endif
