/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The contract of core's functions on memory, for CBMC alone (cbmc.py): any input that
 * the type allows, no byte read or written that is not there, and what a function that
 * fails leaves as it was. One harness a function or family; each buffer is exactly as long
 * as is said, and a claim about "some byte" is one about all: CBMC tries every index.
 */
#include "proof.h"

#include <stdlib.h>

#include "core/shown.h"

/* Any value: CBMC knows the prefix. */
size_t nondet_size(void);
uint64_t nondet_mask(void);
uint32_t nondet_number(void);
bool nondet_bool(void);
struct xf_layout nondet_layout(void);
struct xf_guest nondet_guest(void);

/* A buffer of `size` bytes, of any content. */
static unsigned char *any_bytes(size_t size)
{
	unsigned char *bytes = malloc(size);

	ASSUME(bytes);
	return bytes;
}

static uint64_t le64(const unsigned char *p)
{
	uint64_t value = 0;

	for (unsigned int i = 8; i > 0; i--)
		value = value << 8 | p[i - 1];
	return value;
}

void area_head(void)
{
	size_t size = nondet_size();
	struct xf_area_head out, before;

	ASSUME(size <= XF_AREA_MAX);

	const unsigned char *area = any_bytes(size);

	before.xstate_bv = out.xstate_bv;
	before.xcomp_bv = out.xcomp_bv;
	before.mxcsr = out.mxcsr;

	bool ok = xf_area_head(area, size, &out);

	CLAIM(ok == (size >= XF_EXTENDED_OFFSET));
	if (ok)
		CLAIM(out.xstate_bv == le64(area + XF_XSTATE_BV_OFFSET));
	else
		CLAIM(out.xstate_bv == before.xstate_bv && out.xcomp_bv == before.xcomp_bv &&
		      out.mxcsr == before.mxcsr);
}

void area_check(void)
{
	size_t size = nondet_size();
	size_t copied = nondet_size();
	struct xf_area_limits limits;

	ASSUME(size <= XF_AREA_MAX);

	enum xf_reason reason = xf_area_check(any_bytes(size), size, copied, &limits);

	CLAIM((reason == XF_REASON_SHORT) == (size < copied || size < XF_EXTENDED_OFFSET));
	CLAIM(reason < XF_REASONS);
	CLAIM(xf_reason_name(nondet_number()) && xf_reason_text(nondet_number()));
}

void area_clear(void)
{
	size_t size = nondet_size();
	size_t some = nondet_size();
	uint64_t drop = nondet_mask();

	ASSUME(size <= XF_AREA_MAX && some < size);

	unsigned char *area = any_bytes(size);
	unsigned char before = area[some];
	bool whole = size >= XF_EXTENDED_OFFSET;
	uint64_t state = whole ? le64(area + XF_XSTATE_BV_OFFSET) : 0;
	uint64_t cleared = xf_area_clear(area, size, drop);

	CLAIM(cleared == (state & drop & ~XF_FPSSE));
	if (some < XF_XSTATE_BV_OFFSET || some >= XF_XCOMP_BV_OFFSET || !whole)
		CLAIM(area[some] == before);
	if (whole)
		CLAIM(le64(area + XF_XSTATE_BV_OFFSET) == (state & ~drop) ||
		      state & drop & XF_FPSSE);
}

void layout_check(void)
{
	struct xf_layout layout = nondet_layout();
	struct xf_bit where = { 77 };
	unsigned int a = nondet_number();
	unsigned int b = nondet_number();

	ASSUME(a > 1 && a < b && b < XF_BITS - 1);

	enum xf_layout_fault fault = xf_layout_check(&layout, &where);
	const struct xf_extent *one = &layout.at[a];
	const struct xf_extent *other = &layout.at[b];

	CLAIM((where.n == 77) == (fault == XF_LAYOUT_OK));
	if (fault != XF_LAYOUT_OK) {
		CLAIM(where.n > 1 && where.n < XF_BITS - 1 && layout.at[where.n].size);
		return;
	}
	if (!one->size || one->supervisor)
		return;
	CLAIM(one->offset >= XF_EXTENDED_OFFSET && one->size <= XF_AREA_MAX - one->offset);
	if (other->size && !other->supervisor)
		CLAIM(one->offset + one->size <= other->offset ||
		      other->offset + other->size <= one->offset);
}

void layout_from_cpuid(void)
{
	size_t count = nondet_size();
	unsigned int some = nondet_number();
	struct xf_layout out = nondet_layout();

	ASSUME(count <= 70 && some < XF_BITS);

	struct xf_cpuid_regs *sub = (void *)any_bytes(count * sizeof(*sub));
	uint32_t size = out.at[some].size;
	uint32_t offset = out.at[some].offset;

	if (xf_layout_from_cpuid(sub, count, &out) != XF_LAYOUT_OK)
		CLAIM(out.at[some].size == size && out.at[some].offset == offset);
	else
		CLAIM(out.at[some].size ==
		      (some > 1 && some < XF_BITS - 1 && some < count ? sub[some].eax : 0));
}

void layout_sizes(void)
{
	struct xf_layout layout = nondet_layout();
	uint64_t mask = nondet_mask();
	struct xf_bit bit = xf_bit(nondet_number());
	const struct xf_extent *at = &layout.at[bit.n];
	uint64_t end = (uint64_t)at->offset + at->size;
	uint32_t size = xf_layout_standard_size(&layout, mask);
	uint32_t offset = xf_layout_offset(&layout, 0, bit);

	CLAIM(size >= XF_EXTENDED_OFFSET);
	if (offset) {
		CLAIM(offset == at->offset && at->size);
		if (mask & xf_mask(bit))
			CLAIM(end <= size || size == UINT32_MAX);
	}
}

void layout_compacted(void)
{
	struct xf_layout layout = nondet_layout();
	uint64_t mask = nondet_mask();
	struct xf_bit bit = xf_bit(nondet_number());
	uint32_t offset = xf_layout_offset(&layout, mask | XF_COMPACTED, bit);

	(void)xf_layout_compacted_size(&layout, mask);
	if (offset)
		CLAIM(mask & xf_mask(bit) && layout.at[bit.n].size);
}

void component_rows(void)
{
	struct xf_bit bit = { (unsigned char)(nondet_number() & 0xff) };
	const struct xf_component *row = xf_component(bit);

	CLAIM((row != NULL) == (bit.n < 20));
	if (row)
		CLAIM(row->group & xf_mask(bit) &&
		      row->supervisor == ((XF_SUPERVISOR & xf_mask(bit)) != 0));
}

/* The longest name has ten characters; what is longer is none, whatever it is. */
void component_names(void)
{
	size_t len = nondet_size();

	ASSUME(len <= 12);

	uint64_t mask = xf_component_mask((const char *)any_bytes(len), len);

	CLAIM((mask & ~XF_DEFINED) == 0);
	CLAIM(!mask || len >= 2);
}

void shown_leaf(void)
{
	struct xf_shown shown, before;
	struct xf_cpuid_regs regs;
	unsigned int some = nondet_number();

	ASSUME(some < XF_SHOWN_LEAVES);
	before.seen = shown.seen;
	before.regs[some].ecx = shown.regs[some].ecx;
	xf_shown_entry(&shown, nondet_number(), nondet_number(), nondet_bool(), &regs);
	CLAIM((before.seen & ~shown.seen) == 0);
	if (before.seen >> some & 1)
		CLAIM((before.regs[some].ecx & ~shown.regs[some].ecx) == 0);
}

void shown_guest(void)
{
	struct xf_shown shown;
	struct xf_guest guest = xf_shown_guest(&shown);
	uint64_t state = nondet_mask();

	CLAIM((guest.shown & ~guest.known) == 0);
	CLAIM((xf_droppable(state, guest, ~0ull) & xf_shown_leaf_d(&shown)) == 0);
	if ((shown.seen & 3) != 3)
		CLAIM(!guest.known);
	/* A component whose feature bit is set is never superfluous. */
	if (shown.seen & 4 && shown.regs[2].ecx >> 3 & 1)
		CLAIM(!(xf_droppable(state, guest, ~0ull) & XF_PKRU));
}

void guest_either(void)
{
	struct xf_guest a = nondet_guest();
	struct xf_guest b = nondet_guest();
	uint64_t state = nondet_mask();
	uint64_t both = xf_droppable(state, a, ~0ull) & xf_droppable(state, b, ~0ull);

	CLAIM((xf_droppable(state, xf_guest_either(a, b), ~0ull) & ~both) == 0);
}
