/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one vCPU may hold, when it cannot be known whether a call found the module
 * loaded, nor with which parameters: every answer that is right under one of them is
 * right, and no other is. What KVM_SET_XSAVE left behind is remembered as all that it
 * may have left, and each KVM_GET_XSAVE rules out what it contradicts.
 *
 *	belief_init(&host->kvm, &host->layout, size, masks, 3, &belief);
 *	belief_tell(&belief, &guest, 1);	// after KVM_SET_CPUID2
 *	answer = xf_kvm_set_xsave(&cpu, area);
 *	if (!belief_set(&belief, area, answer))
 *		...	// neither the module nor its absence explains that answer
 *
 * The hook is modelled as what it is: KVM given an area without some components
 * (xf_area_clear), and an area of KVM's without some (xf_area_drop).
 */
#ifndef XF_TORTURE_BELIEF_H
#define XF_TORTURE_BELIEF_H

#include "core/vcpu.h"
#include "host/kvm.h"
#include "lab/compare.h"

#define BELIEF_MASKS 8
/* Guests that a vCPU may be, while its CPUID is being changed under it. */
#define BELIEF_GUESTS 2
#define BELIEF_WAYS (BELIEF_MASKS * BELIEF_GUESTS)

/* A guest, as KVM sees it and as the module does. */
struct belief_guest {
	struct xf_kvm_vcpu vcpu;
	struct xf_guest evidence;
};

/* What trim_get was: 0, 1, or one of them. */
enum belief_trim { BELIEF_PLAIN, BELIEF_TRIMMED, BELIEF_EITHER };

/* One content that the vCPU may have. */
struct belief_content {
	bool possible;
	struct xf_kvm_fpu fpu;
	unsigned char area[XF_KVM_AREA_MAX];
};

struct belief {
	const struct xf_kvm *kvm;
	const struct xf_layout *layout;
	size_t size;
	/* components= as it may have been; 0: no module, or one that only observes. */
	uint64_t masks[BELIEF_MASKS];
	unsigned int mask_count;
	enum belief_trim get;
	struct belief_guest guests[BELIEF_GUESTS];
	unsigned int guest_count;
	struct belief_content content[BELIEF_WAYS];
	struct compare compare;
	/* Answers that only a module explains, and those that only its absence does. */
	uint64_t hooked, plain;
};

/* A vCPU that is new. False when the host's layout has no room for its components. */
bool belief_init(const struct xf_kvm *kvm, const struct xf_layout *layout, size_t size,
		 const uint64_t *masks, unsigned int mask_count, struct belief *out);

/* The guest is one of these from here on. */
void belief_tell(struct belief *belief, const struct belief_guest *guests, unsigned int count);

/* KVM_SET_XSAVE of `area` answered `answer` (0 or an errno): whether it may have. */
bool belief_set(struct belief *belief, const unsigned char *area, int answer);

/* KVM_GET_XSAVE gave `got`: whether it may have. */
bool belief_get(struct belief *belief, const unsigned char *got);

/* The guest that a vCPU with this CPUID is, as KVM_GET_CPUID2 gives it back. */
struct belief_guest belief_guest_of(const struct xf_kvm_cpuid *cpuid);

#endif
