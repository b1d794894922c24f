/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/scope.h"
#include "core/bytes.h"
#include "host/text.h"
#include "state/area_vcpu.h"
#include "state/contents.h"
#include "state/raw_area.h"

static void free_area(void *own)
{
	struct xf_raw_area *area = own;

	if (area)
		free(area->bytes);
	free(area);
}

static void scope_free_area(struct xf_raw_area **area)
{
	free_area(*area);
}

const struct xf_format xf_format_area = {
	.name = "area",
	.title = "raw XSAVE area",
	.free_own = free_area,
};

/* ---- Whether the layout can be the area's ---- */

/* Where the components lie that this area may have data of. */
struct places {
	uint32_t offset[XF_BITS]; /* 0: nowhere */
	uint32_t end[XF_BITS];
};

static struct places places_of(const struct xf_layout *layout, uint64_t xcomp_bv)
{
	struct places places = { 0 };

	xf_for_each_bit (bit, xf_layout_components(layout)) {
		uint32_t size = xf_mask(bit) == XF_PKRU ? XF_PKRU_SIZE : layout->at[bit.n].size;

		places.offset[bit.n] = xf_layout_offset(layout, xcomp_bv, bit);
		places.end[bit.n] = places.offset[bit.n] + size;
	}
	return places;
}

static bool is_in_some(const struct places *places, uint32_t at)
{
	for (unsigned int i = 0; i < XF_BITS; i++)
		if (places->offset[i] && at >= places->offset[i] && at < places->end[i])
			return true;
	return false;
}

/* What is in use and lies nowhere. A compacted area must announce even x87 and SSE. */
static uint64_t without_place(const struct places *places, const struct xf_area_head *head)
{
	uint64_t mask = 0;

	xf_for_each_bit (bit, head->xstate_bv & ~XF_FPSSE)
		if (!places->offset[bit.n])
			mask |= xf_mask(bit);
	if (head->xcomp_bv & XF_COMPACTED)
		mask |= head->xstate_bv & XF_FPSSE & ~head->xcomp_bv;
	return mask;
}

static struct xf_error *check_in_use(const struct xf_input *input, const struct places *places,
				     const struct xf_area_head *head)
{
	uint64_t mask = without_place(places, head);
	XF_AUTO_FREE char *names = mask ? xf_mask_to_text(mask) : NULL;

	if (!mask)
		return NULL;
	if (!names)
		return xf_error_memory();
	return xf_error_at(XF_ERR_DAMAGED, input->path, XF_XSTATE_BV_OFFSET,
			   "in use, but without a place %s: %s; is it the layout of the host that "
			   "saved the area?",
			   head->xcomp_bv & XF_COMPACTED ? "in XCOMP_BV or the layout"
							 : "in the layout",
			   names);
}

/*
 * KVM leaves zeros wherever its host has no component. What a repair has dropped keeps its
 * data, so that of a component whose bit is clear tells nothing.
 */
static struct xf_error *check_gaps(const struct xf_input *input, const struct places *places,
				   const struct xf_raw_area *area)
{
	for (uint32_t at = XF_EXTENDED_OFFSET; at < area->size; at++)
		if (area->bytes[at] && !is_in_some(places, at))
			return xf_error_at(XF_ERR_DAMAGED, input->path, at,
					   "is not 0, and the layout has no component there; is "
					   "it the layout of the host that saved the area?");
	return NULL;
}

/*
 * The layout is somebody's word. Where PKRU lies by it, a host of another one may keep what
 * this area says is in use, as Intel's does the upper registers of AVX-512 where AMD's has PKRU.
 * Then the value is not touched: KVM takes no notice of one whose bit is clear.
 */
static bool may_be_other_data(const struct xf_field *pkru, const struct xf_area_head *head)
{
	static const struct xf_layout *const others[] = {
		&xf_layout_intel,
		&xf_layout_amd,
		&xf_layout_amd_avx512,
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		uint64_t in_use = head->xstate_bv & xf_layout_components(others[i]);
		struct places places = places_of(others[i], 0);

		xf_for_each_bit (bit, in_use & ~(XF_FPSSE | XF_PKRU))
			if (pkru->offset + pkru->size > places.offset[bit.n] &&
			    pkru->offset < places.end[bit.n])
				return true;
	}
	return false;
}

/* ---- The record ---- */

static struct xf_error *read_vcpu(const struct xf_input *input, const struct xf_raw_area *area,
				  struct xf_vcpu *out)
{
	const struct xf_area_bytes bytes = {
		.file = input->path,
		.name = "XSAVE area",
		.bytes = area->bytes,
		.size = area->size,
	};
	struct xf_area_head head;

	XF_TRY(xf_vcpu_of_area(&bytes, &area->layout, 0, out));
	xf_area_head(area->bytes, area->size, &head);

	struct places places = places_of(&area->layout, head.xcomp_bv);

	XF_TRY(check_in_use(input, &places, &head));
	XF_TRY(check_gaps(input, &places, area));
	if (!(head.xcomp_bv & XF_COMPACTED) && may_be_other_data(&out->pkru, &head))
		out->pkru = (struct xf_field){ 0 };
	return NULL;
}

struct xf_error *xf_raw_area_read(struct xf_input *input, const struct xf_layout *layout,
				  struct xf_record *out)
{
	XF_AUTO(scope_free_area) struct xf_raw_area *area = calloc(1, sizeof(*area));
	XF_AUTO_FREE struct xf_vcpu *vcpu = calloc(1, sizeof(*vcpu));

	if (!area || !vcpu)
		return xf_error_memory();
	area->layout = *layout;
	XF_TRY(xf_input_contents(input, XF_AREA_MAX, "an XSAVE area", &area->bytes, &area->size));
	if (area->size < XF_KVM_XSAVE_SIZE)
		return xf_error_new(XF_ERR_DAMAGED, input->path,
				    "has %zu bytes: an XSAVE area as KVM_GET_XSAVE gives it has "
				    "%d at least",
				    area->size, XF_KVM_XSAVE_SIZE);
	XF_TRY(read_vcpu(input, area, vcpu));

	XF_AUTO_FREE char *title =
		xf_text("raw XSAVE area of %zu bytes, %s format", area->size,
			vcpu->xcomp_bv & XF_COMPACTED ? "compacted" : "standard");

	if (!title)
		return xf_error_memory();
	*out = (struct xf_record){
		.title = xf_take(title),
		.found_by = XF_FOUND_STRUCTURE,
		.vcpus = xf_take(vcpu),
		.vcpu_count = 1,
		.own = xf_take(area),
	};
	return NULL;
}

bool xf_raw_area_is_likely(const uint8_t *head, size_t size)
{
	struct xf_area_head area;

	if (size < XF_KVM_XSAVE_SIZE || !xf_area_head(head, size, &area))
		return false;
	return area.xstate_bv && !(area.xstate_bv & ~XF_DEFINED) && !area.reserved &&
	       (!area.xcomp_bv || (area.xcomp_bv & XF_COMPACTED));
}
