/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "core/bytes.h"
#include "host/evidence.h"
#include "state/area_vcpu.h"

#define LEAF_XSAVE 0xdu
#define FLAG_SIGNIFICANT 1u /* KVM_CPUID_FLAG_SIGNIFCANT_INDEX */

/* ---- The area ---- */

/*
 * The bytes that an area must have for the components it says are in use. One whose place the
 * layout does not know asks for nothing: an area that has it need not be larger.
 */
static uint64_t announced_size(const struct xf_area_head *head, const struct xf_layout *layout)
{
	uint64_t size = XF_EXTENDED_OFFSET;

	xf_for_each_bit (bit, head->xstate_bv & ~XF_FPSSE & ~XF_COMPACTED) {
		uint64_t offset = xf_layout_offset(layout, head->xcomp_bv, bit);

		if (offset && offset + layout->at[bit.n].size > size)
			size = offset + layout->at[bit.n].size;
	}
	return size;
}

/* A layout that lacks something in use is not this area's: its other places are not trusted. */
static bool places_all(const struct xf_layout *layout, const struct xf_area_head *head)
{
	xf_for_each_bit (bit, head->xstate_bv & ~XF_FPSSE)
		if (!xf_layout_offset(layout, head->xcomp_bv, bit))
			return false;
	return true;
}

static struct xf_field field_at(const struct xf_area_bytes *area, uint32_t offset, uint32_t size)
{
	const uint8_t *p = area->bytes + offset;

	return (struct xf_field){
		.value = size == 8 ? xf_get_le64(p) : xf_get_le32(p),
		.offset = area->address + offset,
		.size = size,
	};
}

/* The area has been found to be as long as this layout and its header ask for. */
static struct xf_field pkru_of(const struct xf_area_bytes *area, const struct xf_area_head *head,
			       const struct xf_layout *layout)
{
	const struct xf_bit bit = xf_lowest(XF_PKRU);

	if (!(head->xstate_bv & XF_PKRU) || !layout || !places_all(layout, head))
		return (struct xf_field){ 0 };
	return field_at(area, xf_layout_offset(layout, head->xcomp_bv, bit), XF_PKRU_SIZE);
}

struct xf_error *xf_vcpu_of_area(const struct xf_area_bytes *area, const struct xf_layout *layout,
				 uint32_t index, struct xf_vcpu *out)
{
	struct xf_area_head head;

	if (!xf_area_head(area->bytes, area->size, &head))
		return xf_error_new(XF_ERR_DAMAGED, area->file,
				    "the %s has %zu bytes: %u are the least", area->name,
				    area->size, XF_EXTENDED_OFFSET);

	uint64_t needed = layout ? announced_size(&head, layout) : 0;

	if (needed > area->size)
		return xf_error_new(XF_ERR_DAMAGED, area->file,
				    "the %s has %zu bytes, and its header announces components "
				    "up to byte %" PRIu64,
				    area->name, area->size, needed);
	*out = (struct xf_vcpu){
		.index = index,
		.little_endian = true,
		.xstate_bv = field_at(area, XF_XSTATE_BV_OFFSET, 8),
		.mxcsr = field_at(area, XF_MXCSR_OFFSET, 4),
		.pkru = pkru_of(area, &head, layout),
		.carried = head.xstate_bv & ~XF_FPSSE,
		.xcomp_bv = head.xcomp_bv,
		.reserved = head.reserved,
	};
	return NULL;
}

/* ---- CPUID ---- */

void xf_vcpu_cpuid_add(struct xf_vcpu_cpuid *cpuid, const struct xf_cpuid_entry *entry)
{
	bool significant = entry->flags & FLAG_SIGNIFICANT;

	xf_shown_entry(&cpuid->shown, entry->leaf, entry->subleaf, significant, &entry->regs);
	if (entry->leaf != LEAF_XSAVE || !significant || entry->subleaf >= XF_BITS)
		return;

	uint64_t mask = xf_mask(xf_bit(entry->subleaf));

	if (!(cpuid->placed & mask))
		cpuid->sub[entry->subleaf] = entry->regs;
	cpuid->placed |= mask;
}

bool xf_vcpu_cpuid_layout(const struct xf_vcpu_cpuid *cpuid, struct xf_layout *out)
{
	return cpuid->placed && xf_layout_from_cpuid(cpuid->sub, XF_BITS, out) == XF_LAYOUT_OK;
}

void xf_cpuid_evidence_add(struct xf_cpuid_evidence *evidence, const struct xf_vcpu_cpuid *cpuid)
{
	struct xf_guest guest = xf_shown_guest(&cpuid->shown);

	evidence->guest = evidence->vcpu_count ? xf_guest_either(evidence->guest, guest) : guest;
	evidence->vcpu_count++;
}

struct xf_error *xf_cpuid_evidence_end(const struct xf_cpuid_evidence *evidence, const char *source,
				       struct xf_evidence **out)
{
	if (!evidence->guest.known) {
		*out = NULL;
		return NULL;
	}
	return xf_evidence_new(evidence->guest, false, strdup(source), out);
}
