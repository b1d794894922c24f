/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab/guest.h"

/* Leaf 0xD alone counts for KVM: neither XSAVE's feature bit nor the highest leaf. */
static void hide_leaf(struct xf_kvm_cpuid *cpuid)
{
	for (uint32_t i = 0; i < cpuid->count; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == 0)
			entry->eax = 7;
		if (entry->function == 1)
			entry->ecx &= ~XF_LEAF1_ECX_XSAVE;
	}
}

void guest_cpuid_make(const struct xf_kvm_cpuid *supported, const struct guest_cpuid *guest,
		      struct xf_kvm_cpuid *out)
{
	if (guest->kind == GUEST_EMPTY) {
		out->count = 0;
		out->padding = 0;
		return;
	}
	if (guest->kind == GUEST_BARE) {
		xf_kvm_cpuid_bare(supported, out);
		return;
	}
	xf_kvm_cpuid_show(supported, guest->shown, out);
	/* What is beyond the host is in no leaf that could be cut. */
	for (uint32_t i = 0; i < out->count; i++) {
		struct kvm_cpuid_entry2 *entry = &out->entries[i];

		if (entry->function == 0xd && entry->index == 0) {
			entry->eax = (uint32_t)guest->shown;
			entry->edx = (uint32_t)(guest->shown >> 32);
		}
	}
	if (guest->kind == GUEST_HIDDEN)
		hide_leaf(out);
}
