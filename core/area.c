/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/area.h"
#include "core/bytes.h"

/* KVM looks at MXCSR only when one of these is in use (copy_uabi_to_xstate). */
#define USES_MXCSR (XF_FPSSE | XF_AVX)

static const struct {
	const char *name;
	const char *text;
} reasons[] = {
	[XF_REASON_NONE] = { "none", "KVM accepts it" },
	[XF_REASON_SHORT] = { "short", "the area is shorter than what KVM copies" },
	[XF_REASON_PROTECTED] = { "protected", "the guest's registers are encrypted" },
	[XF_REASON_NO_XSAVE] = { "no-xsave",
				 "the host has no XSAVE, so only x87 and SSE can be loaded" },
	[XF_REASON_NO_XSAVE_MXCSR] = { "no-xsave-mxcsr",
				       "the host has no XSAVE, and MXCSR has a bit it lacks" },
	[XF_REASON_HOST] = { "host", "the host cannot hold a component that is in use" },
	[XF_REASON_USER] = { "user", "a component in use is not enabled for this vCPU" },
	[XF_REASON_COMPACTED] = { "compacted", "XCOMP_BV is not 0" },
	[XF_REASON_RESERVED] = { "reserved", "a reserved byte of the XSAVE header is not 0" },
	[XF_REASON_MXCSR] = { "mxcsr", "MXCSR has a bit that the host lacks" },
};

_Static_assert(sizeof(reasons) / sizeof(reasons[0]) == XF_REASONS, "every reason has its words");

const char *xf_reason_name(enum xf_reason reason)
{
	return (unsigned int)reason < XF_REASONS ? reasons[reason].name : "?";
}

const char *xf_reason_text(enum xf_reason reason)
{
	return (unsigned int)reason < XF_REASONS ? reasons[reason].text : "?";
}

static bool has_reserved(const unsigned char *area)
{
	for (size_t i = XF_RESERVED_OFFSET; i < XF_EXTENDED_OFFSET; i += 8)
		if (xf_get_le64(area + i))
			return true;
	return false;
}

bool xf_area_head(const void *area, size_t size, struct xf_area_head *out)
{
	const unsigned char *bytes = area;

	if (size < XF_EXTENDED_OFFSET)
		return false;
	out->xstate_bv = xf_get_le64(bytes + XF_XSTATE_BV_OFFSET);
	out->xcomp_bv = xf_get_le64(bytes + XF_XCOMP_BV_OFFSET);
	out->mxcsr = xf_get_le32(bytes + XF_MXCSR_OFFSET);
	out->reserved = has_reserved(bytes);
	return true;
}

/* fpu_copy_uabi_to_guest_fpstate on a CPU without XSAVE: an FXSAVE image and two checks. */
static enum xf_reason check_fxsave(const struct xf_area_head *head,
				   const struct xf_area_limits *limits)
{
	if (head->xstate_bv & ~XF_FPSSE)
		return XF_REASON_NO_XSAVE;
	if (head->mxcsr & ~limits->mxcsr_mask)
		return XF_REASON_NO_XSAVE_MXCSR;
	return XF_REASON_NONE;
}

enum xf_reason xf_area_check_head(const struct xf_area_head *head,
				  const struct xf_area_limits *limits)
{
	if (limits->refuses_protected)
		return XF_REASON_PROTECTED;
	if (limits->no_xsave)
		return check_fxsave(head, limits);
	if (head->xstate_bv & ~limits->host)
		return XF_REASON_HOST;
	if (head->xstate_bv & ~limits->user)
		return XF_REASON_USER;
	if (!limits->header_unchecked && head->xcomp_bv)
		return XF_REASON_COMPACTED;
	if (!limits->header_unchecked && head->reserved)
		return XF_REASON_RESERVED;
	if (!limits->mxcsr_always && !(head->xstate_bv & USES_MXCSR))
		return XF_REASON_NONE;
	return head->mxcsr & ~limits->mxcsr_mask ? XF_REASON_MXCSR : XF_REASON_NONE;
}

enum xf_reason xf_area_check(const void *area, size_t size, size_t copied,
			     const struct xf_area_limits *limits)
{
	struct xf_area_head head;

	if (size < copied || !xf_area_head(area, size, &head))
		return XF_REASON_SHORT;
	return xf_area_check_head(&head, limits);
}

/* Where the data of a component lies in one area; size 0: nowhere. */
struct place {
	uint32_t offset;
	uint32_t size;
};

static struct place find(const struct xf_layout *layout, uint64_t xcomp_bv, struct xf_bit bit)
{
	struct place place = { xf_layout_offset(layout, xcomp_bv, bit), 0 };

	if (place.offset)
		place.size = layout->at[bit.n].size;
	return place;
}

static bool within(const struct place *place, size_t size)
{
	return (uint64_t)place->offset + place->size <= size;
}

/* Whether an area is long enough for all the components it says are in use. */
static bool is_whole(const struct xf_area_head *head, size_t size, const struct xf_layout *layout)
{
	if (!(head->xcomp_bv & XF_COMPACTED)) {
		uint32_t needed = xf_layout_standard_size(layout, head->xstate_bv);

		return needed <= XF_AREA_MAX && needed <= size;
	}
	xf_for_each_bit (bit, head->xstate_bv & ~XF_FPSSE) {
		struct place place = find(layout, head->xcomp_bv, bit);

		if (!within(&place, size))
			return false;
	}
	return true;
}

bool xf_area_drop(void *area, size_t size, const struct xf_layout *layout, uint64_t drop)
{
	unsigned char *bytes = area;
	struct xf_area_head head;

	if (!xf_area_head(area, size, &head) || !is_whole(&head, size, layout))
		return false;
	drop &= head.xstate_bv & ~XF_FPSSE;
	xf_for_each_bit (bit, drop) {
		struct place place = find(layout, head.xcomp_bv, bit);

		xf_zero_bytes(bytes + place.offset, place.size);
	}
	xf_put_le64(bytes + XF_XSTATE_BV_OFFSET, head.xstate_bv & ~drop);
	return true;
}

uint64_t xf_area_clear(void *area, size_t size, uint64_t drop)
{
	unsigned char *bytes = area;

	if (size < XF_EXTENDED_OFFSET)
		return 0;

	uint64_t xstate_bv = xf_get_le64(bytes + XF_XSTATE_BV_OFFSET);

	drop &= xstate_bv & ~XF_FPSSE;
	xf_put_le64(bytes + XF_XSTATE_BV_OFFSET, xstate_bv & ~drop);
	return drop;
}

/* One area as xf_area_relay sees it: its format and where its components are. */
struct view {
	const struct xf_layout *layout;
	uint64_t xcomp_bv;
	size_t size;
};

/* x87 and SSE have a place in every area; a compacted one must still announce them. */
static bool has_place(const struct view *view, struct xf_bit bit)
{
	if (xf_mask(bit) & XF_FPSSE)
		return !(view->xcomp_bv & XF_COMPACTED) || (view->xcomp_bv & xf_mask(bit));
	return find(view->layout, view->xcomp_bv, bit).size != 0;
}

/*
 * How many bytes to move. A host may reserve more for a component than the
 * component has (Zen 2: 64 bytes for PKRU); those beyond it carry nothing.
 */
static uint32_t data_size(const struct xf_component *row, uint32_t size)
{
	return row && row->size < size ? row->size : size;
}

static enum xf_relay_fault check_one(const struct view *from, const struct view *to,
				     struct xf_bit bit)
{
	if (!has_place(from, bit))
		return XF_RELAY_SOURCE;
	if (!has_place(to, bit))
		return XF_RELAY_TARGET;

	/* Of x87 and SSE nothing is moved: their place is of size 0. */
	struct place source = find(from->layout, from->xcomp_bv, bit);
	struct place target = find(to->layout, to->xcomp_bv, bit);

	if (target.size < data_size(xf_component(bit), source.size))
		return XF_RELAY_TARGET;
	if (!within(&source, from->size))
		return XF_RELAY_SHORT;
	return within(&target, to->size) ? XF_RELAY_OK : XF_RELAY_ROOM;
}

static enum xf_relay_fault check_all(const struct view *from, const struct view *to, uint64_t state,
				     struct xf_bit *where)
{
	xf_for_each_bit (bit, state) {
		enum xf_relay_fault fault = check_one(from, to, bit);

		if (fault != XF_RELAY_OK) {
			*where = bit;
			return fault;
		}
	}
	return XF_RELAY_OK;
}

static void move(const unsigned char *from_bytes, const struct view *from, unsigned char *to_bytes,
		 const struct view *to, struct xf_bit bit)
{
	struct place source = find(from->layout, from->xcomp_bv, bit);
	struct place target = find(to->layout, to->xcomp_bv, bit);

	xf_copy_bytes(to_bytes + target.offset, from_bytes + source.offset,
		      data_size(xf_component(bit), source.size));
}

enum xf_relay_fault xf_area_relay(const void *from, size_t from_size,
				  const struct xf_layout *from_layout, void *to, size_t to_size,
				  const struct xf_layout *to_layout, uint64_t to_xcomp_bv,
				  struct xf_bit *where)
{
	struct xf_area_head head;

	if (!xf_area_head(from, from_size, &head) || to_size < XF_EXTENDED_OFFSET) {
		*where = xf_lowest(XF_X87);
		return from_size < XF_EXTENDED_OFFSET ? XF_RELAY_SHORT : XF_RELAY_ROOM;
	}

	const struct view source = { from_layout, head.xcomp_bv, from_size };
	const struct view target = {
		to_layout,
		to_xcomp_bv & XF_COMPACTED ? to_xcomp_bv : 0,
		to_size,
	};
	enum xf_relay_fault fault = check_all(&source, &target, head.xstate_bv, where);

	if (fault != XF_RELAY_OK)
		return fault;
	xf_copy_bytes(to, from, XF_EXTENDED_OFFSET);
	xf_put_le64((unsigned char *)to + XF_XCOMP_BV_OFFSET, target.xcomp_bv);
	xf_zero_bytes((unsigned char *)to + XF_EXTENDED_OFFSET, to_size - XF_EXTENDED_OFFSET);
	xf_for_each_bit (bit, head.xstate_bv & ~XF_FPSSE)
		move(from, &source, to, &target, bit);
	return XF_RELAY_OK;
}
