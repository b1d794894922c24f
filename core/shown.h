/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest was shown, gathered from its CPUID leaf by leaf, in any order:
 *
 *	struct xf_shown shown = { 0 };
 *
 *	for (size_t i = 0; i < count; i++)
 *		xf_shown_leaf(&shown, leaf[i], subleaf[i], &regs[i]);
 *	struct xf_guest guest = xf_shown_guest(&shown);
 *
 * Leaves that tell nothing of the extended state are passed over.
 */
#ifndef XF_CORE_SHOWN_H
#define XF_CORE_SHOWN_H

#include "core/rule.h"

/* The leaves that are kept: 0, 1, 7, 7.1, 0xD, 0xD.1. */
#define XF_SHOWN_LEAVES 6

struct xf_shown {
	uint32_t seen; /* bit i: regs[i] */
	struct xf_cpuid_regs regs[XF_SHOWN_LEAVES];
};

/* Whether a leaf is one of them: for whoever has many, and little time. */
static inline bool xf_shown_keeps(uint32_t leaf)
{
	return leaf == 0 || leaf == 1 || leaf == 7 || leaf == 0xd;
}

/* CPUID.1:ECX */
#define XF_LEAF1_ECX_XSAVE (1u << 26)
#define XF_LEAF1_ECX_HYPERVISOR (1u << 31)

/*
 * One leaf. A leaf that is given twice counts with all the bits of both: more is
 * shown then, so less is dropped.
 */
void xf_shown_leaf(struct xf_shown *shown, uint32_t leaf, uint32_t subleaf,
		   const struct xf_cpuid_regs *regs);

/*
 * One entry of the table that KVM_SET_CPUID2 takes. One that is not significant (without
 * KVM_CPUID_FLAG_SIGNIFCANT_INDEX) is seen by the guest whatever sub-leaf it asks for.
 */
void xf_shown_entry(struct xf_shown *shown, uint32_t leaf, uint32_t subleaf, bool significant,
		    const struct xf_cpuid_regs *regs);

/* A leaf that was given, or NULL. It lives as long as `shown`. */
const struct xf_cpuid_regs *xf_shown_regs(const struct xf_shown *shown, uint32_t leaf,
					  uint32_t subleaf);

/*
 * Components that are never superfluous, whatever else was shown: those of leaf 0xD, which
 * the guest was shown or may have been, and x87 and SSE. Most states have no others in
 * use, and then nothing more has to be asked.
 */
uint64_t xf_shown_leaf_d(const struct xf_shown *shown);

/*
 * What follows from the leaves given: nothing without leaves 0 and 1, which every CPU has,
 * for a table that is not whole may yet become another. Leaf 0xD tells what was shown, where leaf 1
 * has XSAVE and leaf 0 reaches that far. Not known is:
 * a component of leaf 0xD where it does not count, or was not given, or whose feature bit is set
 * though leaf 0xD lacks it; a supervisor component that the guest may have in
 * IA32_XSS (leaf 0xD.1).
 */
struct xf_guest xf_shown_guest(const struct xf_shown *shown);

/* Evidence from two sources: what either shows, and only what both know not to be. */
struct xf_guest xf_guest_either(struct xf_guest a, struct xf_guest b);

#endif
