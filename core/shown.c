/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/shown.h"

#define LEAF_XSAVE 0xdu

static const struct {
	uint32_t leaf, subleaf;
} kept[XF_SHOWN_LEAVES] = {
	{ 0, 0 }, { 1, 0 }, { 7, 0 }, { 7, 1 }, { LEAF_XSAVE, 0 }, { LEAF_XSAVE, 1 },
};

/* Its place, or XF_SHOWN_LEAVES for one that is not kept. */
static unsigned int place_of(uint32_t leaf, uint32_t subleaf)
{
	unsigned int i = xf_shown_keeps(leaf) ? 0 : XF_SHOWN_LEAVES;

	while (i < XF_SHOWN_LEAVES && (kept[i].leaf != leaf || kept[i].subleaf != subleaf))
		i++;
	return i;
}

void xf_shown_leaf(struct xf_shown *shown, uint32_t leaf, uint32_t subleaf,
		   const struct xf_cpuid_regs *regs)
{
	unsigned int place = place_of(leaf, subleaf);

	if (place == XF_SHOWN_LEAVES)
		return;

	struct xf_cpuid_regs *to = &shown->regs[place];

	if (!(shown->seen >> place & 1))
		to->eax = to->ebx = to->ecx = to->edx = 0;
	to->eax |= regs->eax;
	to->ebx |= regs->ebx;
	to->ecx |= regs->ecx;
	to->edx |= regs->edx;
	shown->seen |= 1u << place;
}

void xf_shown_entry(struct xf_shown *shown, uint32_t leaf, uint32_t subleaf, bool significant,
		    const struct xf_cpuid_regs *regs)
{
	xf_shown_leaf(shown, leaf, significant ? subleaf : 0, regs);
	if (!significant)
		xf_shown_leaf(shown, leaf, 1, regs);
}

const struct xf_cpuid_regs *xf_shown_regs(const struct xf_shown *shown, uint32_t leaf,
					  uint32_t subleaf)
{
	unsigned int place = place_of(leaf, subleaf);

	if (place == XF_SHOWN_LEAVES || !(shown->seen >> place & 1))
		return NULL;
	return &shown->regs[place];
}

static uint32_t register_of(const struct xf_cpuid_regs *regs, enum xf_cpuid_reg reg)
{
	const uint32_t values[] = {
		[XF_EAX] = regs->eax,
		[XF_EBX] = regs->ebx,
		[XF_ECX] = regs->ecx,
		[XF_EDX] = regs->edx,
	};

	return values[reg];
}

static bool has_feature(const struct xf_shown *shown, const struct xf_cpuid_bit *bit)
{
	const struct xf_cpuid_regs *regs =
		bit->leaf ? xf_shown_regs(shown, bit->leaf, bit->subleaf) : NULL;

	return regs && register_of(regs, bit->reg) >> bit->bit & 1;
}

/*
 * Components whose feature is shown. Nothing is known of those that leaf 0xD lacks:
 * it may be the mark of a hypervisor that edits CPUID, and PKRU can be used
 * without leaf 0xD (WRPKRU wants CR4.PKE only).
 */
static uint64_t featured(const struct xf_shown *shown, bool xsave)
{
	uint64_t mask = 0;

	xf_for_each_bit (bit, XF_USER & ~XF_FPSSE) {
		const struct xf_component *component = xf_component(bit);

		if ((xsave || xf_mask(bit) == XF_PKRU) &&
		    (has_feature(shown, &component->shown_by[0]) ||
		     has_feature(shown, &component->shown_by[1])))
			mask |= xf_mask(bit);
	}
	return mask;
}

/* IA32_XSS governs the supervisor components, so they never show in 0xD.0. */
static uint64_t in_xss(const struct xf_cpuid_regs *d1)
{
	return d1 ? (uint64_t)d1->edx << 32 | d1->ecx : XF_SUPERVISOR;
}

uint64_t xf_shown_leaf_d(const struct xf_shown *shown)
{
	const struct xf_cpuid_regs *d = xf_shown_regs(shown, LEAF_XSAVE, 0);

	return XF_FPSSE | (d ? (uint64_t)d->edx << 32 | d->eax : 0);
}

struct xf_guest xf_shown_guest(const struct xf_shown *shown)
{
	const struct xf_cpuid_regs *level = xf_shown_regs(shown, 0, 0);
	const struct xf_cpuid_regs *features = xf_shown_regs(shown, 1, 0);
	uint64_t in_leaf = xf_shown_leaf_d(shown);

	/* An entry of zeros, which a table that is not filled in has, reads as leaf 0. */
	if (!level || !level->eax || !features)
		return XF_GUEST_UNKNOWN;

	bool xsave = level->eax >= LEAF_XSAVE && features->ecx & XF_LEAF1_ECX_XSAVE;

	if (xsave && !xf_shown_regs(shown, LEAF_XSAVE, 0))
		return XF_GUEST_UNKNOWN;

	uint64_t doubtful = featured(shown, xsave);
	struct xf_guest guest = { XF_FPSSE, 0 };

	if (xsave) {
		guest.shown |= in_leaf;
		doubtful |= in_xss(xf_shown_regs(shown, LEAF_XSAVE, 1));
	} else {
		doubtful |= in_leaf;
	}
	guest.known = ~doubtful | guest.shown;
	return guest;
}

struct xf_guest xf_guest_either(struct xf_guest a, struct xf_guest b)
{
	uint64_t shown = (a.shown & a.known) | (b.shown & b.known);

	return (struct xf_guest){ shown, (a.known & b.known) | shown };
}
