/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vCPU out of what KVM itself gives and takes: its XSAVE area, and the entries of its
 * CPUID. For the formats whose file holds both, or one of them, byte for byte:
 *
 *	struct xf_vcpu_cpuid cpuid = { 0 };
 *	struct xf_layout layout;
 *
 *	for (size_t i = 0; i < count; i++)
 *		xf_vcpu_cpuid_add(&cpuid, &entries[i]);
 *	bool has_layout = xf_vcpu_cpuid_layout(&cpuid, &layout);
 *	XF_TRY(xf_vcpu_of_area(&area, has_layout ? &layout : NULL, index, &vcpu));
 */
#ifndef XF_STATE_AREA_VCPU_H
#define XF_STATE_AREA_VCPU_H

#include "base/error.h"
#include "core/shown.h"

/* Of the component's 8 bytes, those that have the register: the others are 0. */
#define XF_PKRU_SIZE 4

/* An XSAVE area, standard or compacted as its own XCOMP_BV tells. */
struct xf_area_bytes {
	const char *file; /* for messages */
	const char *name; /* "XSAVE area of vCPU 3" */
	const uint8_t *bytes;
	size_t size;
	uint64_t address; /* of its first byte, in the space that the format's fields count in */
};

/*
 * What the area tells: all that stands there of a vCPU but `xcr0`, which is not in it. PKRU has
 * a place only where it is in use and the layout knows where all that is in use lies; `layout`
 * NULL: not known. An area that ends before what its header announces is XF_ERR_DAMAGED.
 */
struct xf_error *xf_vcpu_of_area(const struct xf_area_bytes *area, const struct xf_layout *layout,
				 uint32_t index, struct xf_vcpu *out);

/* struct kvm_cpuid_entry2. */
struct xf_cpuid_entry {
	uint32_t leaf;
	uint32_t subleaf;
	uint32_t flags;
	struct xf_cpuid_regs regs;
};

/* One vCPU's CPUID as far as it tells of extended state. Begins as zeros. */
struct xf_vcpu_cpuid {
	struct xf_shown shown;
	uint64_t placed;		   /* sub-leaves of 0xD that were given */
	struct xf_cpuid_regs sub[XF_BITS]; /* those */
};

/* Entries in the order of the table: of two for the same sub-leaf KVM goes by the first. */
void xf_vcpu_cpuid_add(struct xf_vcpu_cpuid *cpuid, const struct xf_cpuid_entry *entry);

/* Where leaf 0xD says that the components lie. False: it tells nothing, or what cannot be. */
bool xf_vcpu_cpuid_layout(const struct xf_vcpu_cpuid *cpuid, struct xf_layout *out);

/* What the CPUIDs of a guest's vCPUs tell together. Begins as zeros. */
struct xf_cpuid_evidence {
	struct xf_guest guest;
	size_t vcpu_count;
};

/* One more vCPU. What one was shown counts as shown; hidden is what is hidden from all. */
void xf_cpuid_evidence_add(struct xf_cpuid_evidence *evidence, const struct xf_vcpu_cpuid *cpuid);

/* `source` says in reports where it comes from. `*out` is NULL when they tell nothing. */
struct xf_error *xf_cpuid_evidence_end(const struct xf_cpuid_evidence *evidence, const char *source,
				       struct xf_evidence **out);

#endif
