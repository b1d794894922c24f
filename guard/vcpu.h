/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One vCPU's calls of KVM that matter here. Each makes the program's own call, once, and
 * returns what that returned, with the errno it left.
 */
#ifndef XF_GUARD_VCPU_H
#define XF_GUARD_VCPU_H

#include "guard/table.h"

/* KVM_CREATE_VCPU gave `fd`. */
void xf_vcpu_created(int fd, uint32_t vcpu);

/* KVM_CHECK_EXTENSION answered this for KVM_CAP_XSAVE2. */
void xf_vcpu_area_size(int size);

/*
 * Whether KVM_SET_XSAVE of this area is certainly none of ours: nothing is known of the
 * vCPU, or its memory has been read before and nothing superfluous is in it.
 */
bool xf_vcpu_sets_nothing(int fd, const void *area);

int xf_vcpu_set_cpuid2(struct xf_record *record, int fd, unsigned long request, void *argument);
int xf_vcpu_set_cpuid(struct xf_record *record, int fd, unsigned long request, void *argument);
int xf_vcpu_set_xsave(struct xf_record *record, int fd, unsigned long request, void *argument);
int xf_vcpu_get_xsave(struct xf_record *record, int fd, unsigned long request, void *argument);

#endif
