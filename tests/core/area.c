/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/core/test.h"

#include "core/area.h"

#define COMPACTED_AVX_PKRU (XF_COMPACTED | XF_FPSSE | XF_AVX | XF_PKRU)

static void put(unsigned char *at, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

/* An area on the heap, of exactly `size` bytes, so that a step past its end is seen. */
static unsigned char *new_area(size_t size, uint64_t xstate_bv, uint64_t xcomp_bv)
{
	unsigned char *area = calloc(1, size);

	assert_non_null(area);
	put(area + 24, 0x1f80, 4);
	put(area + 512, xstate_bv, 8);
	put(area + 520, xcomp_bv, 8);
	return area;
}

/* Gives each component in use data of its own, as a CPU with this layout would. */
static void fill(unsigned char *area, const struct xf_layout *layout, uint64_t xstate_bv,
		 uint64_t xcomp_bv)
{
	for (unsigned int i = 0; i < XF_LEGACY_SIZE; i++)
		if (i < 24 || i >= 32)
			area[i] = (unsigned char)(i * 7 + 1);
	xf_for_each_bit (bit, xstate_bv & ~XF_FPSSE) {
		uint32_t offset = xf_layout_offset(layout, xcomp_bv, bit);

		assert_int_not_equal(offset, 0);
		for (uint32_t i = 0; i < xf_component(bit)->size; i++)
			area[offset + i] = (unsigned char)(bit.n * 31 + i % 251 + 1);
	}
}

static void test_head(void **state)
{
	unsigned char *area = new_area(576, UINT64_C(0x8877665544332211), 0x0102030405060708);
	struct xf_area_head head, same;

	(void)state;
	/* Every byte of both: between the members there are some that no assignment need copy. */
	memset(&head, 0x5a, sizeof(head));
	memcpy(&same, &head, sizeof(head));
	put(area + 24, 0xa1b2c3d4, 4);
	assert_false(xf_area_head(area, 575, &head));
	assert_false(xf_area_head(area, 0, &head));
	assert_memory_equal(&head, &same, sizeof(head));
	assert_true(xf_area_head(area, 576, &head));
	assert_true(head.xstate_bv == 0x8877665544332211);
	assert_true(head.xcomp_bv == 0x0102030405060708);
	assert_int_equal(head.mxcsr, 0xa1b2c3d4);
	assert_false(head.reserved);
	free(area);
}

/* Any bit of the 48 bytes, and no byte around them. */
static void test_head_reserved(void **state)
{
	unsigned char *area = new_area(640, 3, 0);
	struct xf_area_head head;

	(void)state;
	for (unsigned int i = 0; i < 640; i++) {
		unsigned char old = area[i];

		area[i] ^= 0x80;
		assert_true(xf_area_head(area, 640, &head));
		assert_int_equal(head.reserved, i >= 528 && i < 576);
		area[i] = old;
	}
	free(area);
}

/* Nothing is assumed of the address. */
static void test_unaligned(void **state)
{
	unsigned char *area = new_area(2696, 0x207, 0);
	unsigned char *buffer = malloc(2696 + 8);
	struct xf_area_head head;

	(void)state;
	fill(area, &xf_layout_intel, 0x207, 0);
	for (unsigned int shift = 1; shift < 8; shift++) {
		memcpy(buffer + shift, area, 2696);
		assert_true(xf_area_head(buffer + shift, 2696, &head));
		assert_true(head.xstate_bv == 0x207 && head.mxcsr == 0x1f80);
		assert_true(xf_area_drop(buffer + shift, 2696, &xf_layout_intel, XF_PKRU));
		assert_int_equal(buffer[shift + 512] | buffer[shift + 513] << 8, 0x7);
	}
	free(buffer);
	free(area);
}

static const struct xf_area_limits lenient = {
	.host = 0x602e7,
	.user = 0x2e7,
	.mxcsr_mask = XF_MXCSR_MASK,
};

static enum xf_reason check(uint64_t xstate_bv, uint64_t xcomp_bv, bool reserved, uint32_t mxcsr,
			    struct xf_area_limits limits)
{
	const struct xf_area_head head = { xstate_bv, xcomp_bv, mxcsr, reserved };

	return xf_area_check_head(&head, &limits);
}

static void test_each_reason(void **state)
{
	struct xf_area_limits limits = lenient;

	(void)state;
	assert_int_equal(check(0x207, 0, false, 0x1f80, limits), XF_REASON_NONE);
	assert_int_equal(check(0, 0, false, 0, limits), XF_REASON_NONE);
	assert_int_equal(check(0x20f, 0, false, 0, limits), XF_REASON_HOST);
	assert_int_equal(check(XF_MASK_(63), 0, false, 0, limits), XF_REASON_HOST);
	assert_int_equal(check(XF_CET_U, 0, false, 0, limits), XF_REASON_HOST);
	assert_int_equal(check(XF_XTILEDATA, 0, false, 0, limits), XF_REASON_USER);
	assert_int_equal(check(3, 1, false, 0, limits), XF_REASON_COMPACTED);
	assert_int_equal(check(3, XF_COMPACTED, false, 0, limits), XF_REASON_COMPACTED);
	assert_int_equal(check(3, 0, true, 0, limits), XF_REASON_RESERVED);
	assert_int_equal(check(3, 0, false, 0x10000, limits), XF_REASON_MXCSR);
	limits.refuses_protected = true;
	assert_int_equal(check(3, 0, false, 0, limits), XF_REASON_PROTECTED);
}

/* MXCSR belongs to x87, SSE and AVX: without them newer kernels neither check nor load it. */
static void test_mxcsr(void **state)
{
	struct xf_area_limits limits = lenient;

	(void)state;
	assert_int_equal(check(XF_X87, 0, false, 0x10000, limits), XF_REASON_MXCSR);
	assert_int_equal(check(XF_SSE, 0, false, 0x10000, limits), XF_REASON_MXCSR);
	assert_int_equal(check(XF_AVX, 0, false, 0x10000, limits), XF_REASON_MXCSR);
	assert_int_equal(check(XF_PKRU, 0, false, 0x10000, limits), XF_REASON_NONE);
	assert_int_equal(check(0, 0, false, 0x10000, limits), XF_REASON_NONE);
	limits.mxcsr_always = true;
	assert_int_equal(check(XF_PKRU, 0, false, 0x10000, limits), XF_REASON_MXCSR);
	assert_int_equal(check(0, 0, false, 0x1ffff, limits), XF_REASON_MXCSR);
	assert_int_equal(check(0, 0, false, 0xffff, limits), XF_REASON_NONE);
	/* A CPU without DAZ. */
	limits.mxcsr_mask = 0xffbf;
	assert_int_equal(check(3, 0, false, 0x40, limits), XF_REASON_MXCSR);
}

static void test_header_unchecked(void **state)
{
	struct xf_area_limits limits = lenient;

	(void)state;
	limits.header_unchecked = true;
	assert_int_equal(check(3, XF_COMPACTED, true, 0, limits), XF_REASON_NONE);
	assert_int_equal(check(3, XF_COMPACTED, true, 0x10000, limits), XF_REASON_MXCSR);
}

static void test_no_xsave(void **state)
{
	struct xf_area_limits limits = { .no_xsave = true, .mxcsr_mask = 0xffff };

	(void)state;
	assert_int_equal(check(3, XF_COMPACTED, true, 0x1f80, limits), XF_REASON_NONE);
	assert_int_equal(check(7, 0, false, 0x10000, limits), XF_REASON_NO_XSAVE);
	assert_int_equal(check(XF_MASK_(63), 0, false, 0, limits), XF_REASON_NO_XSAVE);
	assert_int_equal(check(0, 0, false, 0x10000, limits), XF_REASON_NO_XSAVE_MXCSR);
}

/* Everything is wrong; put right in KVM's order, one after the other, the next shows. */
static void test_order(void **state)
{
	struct xf_area_limits limits = lenient;
	unsigned char *area = new_area(4096, XF_MASK_(30) | XF_XTILEDATA | 3, 1);

	(void)state;
	limits.refuses_protected = true;
	limits.no_xsave = true;
	area[530] = 1;
	put(area + 24, 0xffffffff, 4);
	assert_int_equal(xf_area_check(area, 4095, 4096, &limits), XF_REASON_SHORT);
	assert_int_equal(xf_area_check(area, 4096, 4097, &limits), XF_REASON_SHORT);
	assert_int_equal(xf_area_check(area, 4096, 4096, &limits), XF_REASON_PROTECTED);
	limits.refuses_protected = false;
	assert_int_equal(xf_area_check(area, 4096, 4096, &limits), XF_REASON_NO_XSAVE);
	put(area + 512, 3, 8);
	assert_int_equal(xf_area_check(area, 4096, 4096, &limits), XF_REASON_NO_XSAVE_MXCSR);
	put(area + 512, XF_MASK_(30) | XF_XTILEDATA | 3, 8);
	limits.no_xsave = false;
	assert_int_equal(xf_area_check(area, 4096, 4096, &limits), XF_REASON_HOST);
	put(area + 512, XF_XTILEDATA | 3, 8);
	assert_int_equal(xf_area_check(area, 4096, 4096, &limits), XF_REASON_USER);
	put(area + 512, 3, 8);
	assert_int_equal(xf_area_check(area, 4096, 4096, &limits), XF_REASON_COMPACTED);
	put(area + 520, 0, 8);
	assert_int_equal(xf_area_check(area, 4096, 4096, &limits), XF_REASON_RESERVED);
	area[530] = 0;
	assert_int_equal(xf_area_check(area, 4096, 4096, &limits), XF_REASON_MXCSR);
	put(area + 24, 0x1f80, 4);
	assert_int_equal(xf_area_check(area, 4096, 4096, &limits), XF_REASON_NONE);
	free(area);
}

static void test_check_short(void **state)
{
	unsigned char *area = new_area(576, 3, 0);

	(void)state;
	assert_int_equal(xf_area_check(area, 576, XF_KVM_XSAVE_SIZE, &lenient), XF_REASON_SHORT);
	assert_int_equal(xf_area_check(area, 575, 0, &lenient), XF_REASON_SHORT);
	assert_int_equal(xf_area_check(NULL, 0, 0, &lenient), XF_REASON_SHORT);
	assert_int_equal(xf_area_check(area, 576, 576, &lenient), XF_REASON_NONE);
	free(area);
}

static void test_reason_words(void **state)
{
	static const char *const names[] = {
		"none", "short", "protected", "no-xsave", "no-xsave-mxcsr",
		"host", "user",	 "compacted", "reserved", "mxcsr",
	};

	(void)state;
	_Static_assert(COUNT(names) == XF_REASONS, "a reason is not tested");
	for (unsigned int i = 0; i < XF_REASONS; i++) {
		assert_string_equal(xf_reason_name((enum xf_reason)i), names[i]);
		assert_true(strlen(xf_reason_text((enum xf_reason)i)) > 10);
	}
	assert_string_equal(xf_reason_name(XF_REASONS), "?");
	assert_string_equal(xf_reason_text(XF_REASONS), "?");
	assert_string_equal(xf_reason_text((enum xf_reason)99), "?");
}

/* Byte by byte: XSTATE_BV, the data of what is dropped, and nothing else. */
static void expect_drop(const struct xf_layout *layout, size_t size, uint64_t xstate_bv,
			uint64_t xcomp_bv, uint64_t drop)
{
	unsigned char *area = new_area(size, xstate_bv, xcomp_bv);
	unsigned char *want = malloc(size);

	fill(area, layout, xstate_bv, xcomp_bv);
	memcpy(want, area, size);
	drop &= xstate_bv & ~XF_FPSSE;
	put(want + 512, xstate_bv & ~drop, 8);
	xf_for_each_bit (bit, drop)
		memset(want + xf_layout_offset(layout, xcomp_bv, bit), 0, layout->at[bit.n].size);
	assert_true(xf_area_drop(area, size, layout, drop));
	assert_memory_equal(area, want, size);
	free(want);
	free(area);
}

static void test_drop(void **state)
{
	(void)state;
	expect_drop(&xf_layout_intel, 2696, 0x207, 0, XF_PKRU);
	expect_drop(&xf_layout_intel, 2696, 0x207, 0, XF_PKRU | XF_AVX);
	expect_drop(&xf_layout_intel, 4096, 0x2e7, 0, 0);
	expect_drop(&xf_layout_intel, 11008, 0x602ff, 0, ~UINT64_C(0));
	expect_drop(&xf_layout_amd, 2440, 0x207, 0, XF_PKRU);
	expect_drop(&xf_layout_amd_avx512, 2440, 0x2e7, 0, XF_AVX512);
	expect_drop(&xf_layout_intel, 840, 0x207, COMPACTED_AVX_PKRU, XF_AVX);
	expect_drop(&xf_layout_intel, 840, 0x207, COMPACTED_AVX_PKRU, XF_PKRU);
}

static void test_drop_keeps_x87_sse(void **state)
{
	unsigned char *area = new_area(2696, 0x207, 0);

	(void)state;
	fill(area, &xf_layout_intel, 0x207, 0);
	assert_true(xf_area_drop(area, 2696, &xf_layout_intel, XF_FPSSE));
	assert_int_equal(area[512] | area[513] << 8, 0x207);
	assert_true(xf_area_drop(area, 2696, &xf_layout_intel, ~UINT64_C(0)));
	assert_int_equal(area[512] | area[513] << 8, 0x3);
	assert_int_equal(area[0], 1);
	free(area);
}

/* The bits go, their data and all else stays. */
static void test_clear(void **state)
{
	const uint64_t in_use = XF_FPSSE | XF_AVX | XF_PKRU | XF_MASK_(40);
	unsigned char *area = new_area(4096, in_use, 0);
	unsigned char *due = malloc(4096);

	(void)state;
	fill(area, &xf_layout_intel, in_use & ~XF_MASK_(40), 0);
	memcpy(due, area, 4096);
	assert_int_equal(xf_area_clear(area, 575, XF_PKRU), 0);
	assert_int_equal(xf_area_clear(area, 4096, XF_FPSSE | XF_OPMASK), 0);
	assert_memory_equal(area, due, 4096);
	assert_true(xf_area_clear(area, 576, XF_PKRU | XF_MASK_(40) | XF_FPSSE | XF_OPMASK) ==
		    (XF_PKRU | XF_MASK_(40)));
	put(due + 512, XF_FPSSE | XF_AVX, 8);
	assert_memory_equal(area, due, 4096);
	free(area);
	free(due);
}

/* A bit that the layout has no place for: it goes, there is no data. */
static void test_drop_unknown(void **state)
{
	unsigned char *area = new_area(576, XF_MASK_(45) | XF_CET_U | 3, 0);

	(void)state;
	assert_true(xf_area_drop(area, 576, &xf_layout_amd, XF_MASK_(45)));
	assert_true(xf_area_drop(area, 576, &xf_layout_amd, XF_CET_U));
	assert_int_equal(area[512], 3);
	assert_int_equal(area[513] | area[517], 0);
	free(area);
}

static void expect_too_short(size_t size, uint64_t xstate_bv, uint64_t xcomp_bv)
{
	unsigned char *area = new_area(size, xstate_bv, xcomp_bv);
	unsigned char *same = malloc(size);

	memcpy(same, area, size);
	assert_false(xf_area_drop(area, size, &xf_layout_intel, XF_PKRU));
	assert_memory_equal(area, same, size);
	free(same);
	free(area);
}

static void test_drop_short(void **state)
{
	unsigned char byte = 0;

	(void)state;
	assert_false(xf_area_drop(&byte, 0, &xf_layout_intel, XF_PKRU));
	expect_too_short(2695, 0x207, 0);
	expect_too_short(576, 0x200, 0);
	expect_too_short(4096, XF_XTILEDATA | XF_PKRU, 0);
	expect_too_short(839, 0x207, COMPACTED_AVX_PKRU);
}

/* Sizes as large as they get: no wrap-around, no byte touched. */
static void test_drop_hostile(void **state)
{
	struct xf_layout layout = { 0 };
	unsigned char *area = new_area(4096, XF_MASK_(20) | XF_MASK_(21), 0);

	(void)state;
	layout.at[20] = (struct xf_extent){ 0xfffffff0, 0xffffffff, false, false };
	assert_false(xf_area_drop(area, 4096, &layout, XF_MASK_(20)));
	layout.at[20] = (struct xf_extent){ 576, 0xffffffff, false, false };
	assert_false(xf_area_drop(area, 4096, &layout, XF_MASK_(20)));
	layout.at[20] = (struct xf_extent){ 4095, 2, false, false };
	assert_false(xf_area_drop(area, 4096, &layout, XF_MASK_(20)));
	put(area + 520, XF_COMPACTED | XF_MASK_(20) | XF_MASK_(21), 8);
	layout.at[20] = layout.at[21] = (struct xf_extent){ 0, 0xffffffff, true, false };
	assert_false(xf_area_drop(area, 4096, &layout, XF_MASK_(21)));
	free(area);
}

/* No area is larger than XF_AREA_MAX, whatever there is behind it; bit 63 alone says compacted. */
static void test_drop_largest(void **state)
{
	struct xf_layout layout = { .at[20] = { XF_AREA_MAX - 8, 8, false, false } };
	unsigned char *area = new_area(XF_AREA_MAX + 64, XF_MASK_(20) | XF_X87, 0);

	(void)state;
	assert_true(xf_area_drop(area, XF_AREA_MAX + 64, &layout, XF_MASK_(20)));
	assert_int_equal(area[512 + 2], 0);
	area[512 + 2] = 0x10;
	layout.at[20].offset++;
	assert_false(xf_area_drop(area, XF_AREA_MAX + 64, &layout, XF_MASK_(20)));
	area[520] = 1;
	assert_false(xf_area_drop(area, XF_AREA_MAX + 64, &layout, XF_MASK_(20)));
	assert_int_equal(area[512 + 2], 0x10);
	free(area);
}

struct relay {
	const struct xf_layout *from;
	size_t from_size;
	uint64_t from_xcomp_bv;
	const struct xf_layout *to;
	size_t to_size;
	uint64_t to_xcomp_bv;
};

/* There and back: the same bytes, and on the way each component where it belongs. */
static void expect_round_trip(const struct relay *r, uint64_t xstate_bv)
{
	unsigned char *home = new_area(r->from_size, xstate_bv, r->from_xcomp_bv);
	unsigned char *away = malloc(r->to_size);
	unsigned char *want = new_area(r->to_size, xstate_bv, r->to_xcomp_bv);
	unsigned char *back = malloc(r->from_size);
	struct xf_bit where = xf_bit(63);

	fill(home, r->from, xstate_bv, r->from_xcomp_bv);
	fill(want, r->to, xstate_bv, r->to_xcomp_bv);
	memset(away, 0xaa, r->to_size);
	memset(back, 0xbb, r->from_size);
	assert_int_equal(xf_area_relay(home, r->from_size, r->from, away, r->to_size, r->to,
				       r->to_xcomp_bv, &where),
			 XF_RELAY_OK);
	assert_memory_equal(away, want, r->to_size);
	assert_int_equal(xf_area_relay(away, r->to_size, r->to, back, r->from_size, r->from,
				       r->from_xcomp_bv, &where),
			 XF_RELAY_OK);
	assert_memory_equal(back, home, r->from_size);
	assert_int_equal(where.n, 63);
	free(home);
	free(away);
	free(want);
	free(back);
}

static void test_relay(void **state)
{
	static const struct relay intel_amd = {
		&xf_layout_intel, 4096, 0, &xf_layout_amd, 2440, 0
	};
	static const struct relay intel_zen4 = { &xf_layout_intel,	4096, 0,
						 &xf_layout_amd_avx512, 4096, 0 };
	static const struct relay compacted = { &xf_layout_intel, 4096, 0,
						&xf_layout_intel, 840,	COMPACTED_AVX_PKRU };
	static const struct relay tiles = { &xf_layout_intel, 11008, 0,
					    &xf_layout_intel, 11008, XF_COMPACTED | 0x602ff };
	static const struct relay other_compacted = {
		&xf_layout_intel,      4096, XF_COMPACTED | 0x2e7,
		&xf_layout_amd_avx512, 4096, XF_COMPACTED | 0x207,
	};

	(void)state;
	for (uint64_t bv = 0; bv < 8; bv++) {
		expect_round_trip(&intel_amd, bv);
		expect_round_trip(&intel_amd, bv | XF_PKRU);
		expect_round_trip(&intel_zen4, bv | XF_PKRU | XF_AVX512);
		expect_round_trip(&intel_zen4, bv | XF_OPMASK);
		expect_round_trip(&compacted, bv | XF_PKRU);
		expect_round_trip(&tiles, bv | XF_AMX);
		expect_round_trip(&tiles, bv | XF_MPX | XF_XTILEDATA);
		expect_round_trip(&other_compacted, bv | XF_PKRU);
	}
}

/* Zen 2 reserves 64 bytes for PKRU's 8: those move, and the rest is nothing. */
static void test_relay_reserved_room(void **state)
{
	struct xf_layout zen2 = xf_layout_amd;
	struct relay there = { &xf_layout_intel, 2696, 0, &zen2, 896, 0 };

	(void)state;
	zen2.at[9] = (struct xf_extent){ 0x340, 64, false, false };
	expect_round_trip(&there, 0x207);
}

/* A component that nobody knows, of a size that is no multiple of anything. */
static void test_odd_size(void **state)
{
	struct xf_layout from = { .at[20] = { 577, 29, false, false } };
	struct xf_layout to = { .at[20] = { 601, 31, false, false } };
	unsigned char *area = new_area(640, XF_MASK_(20), 0);
	unsigned char *moved = malloc(640);
	struct xf_bit where;

	(void)state;
	for (unsigned int i = 576; i < 640; i++)
		area[i] = (unsigned char)i;
	assert_int_equal(xf_area_relay(area, 640, &from, moved, 640, &to, 0, &where), XF_RELAY_OK);
	for (unsigned int i = 576; i < 640; i++)
		assert_int_equal(moved[i], i >= 601 && i < 630 ? (i - 24) & 0xff : 0);
	assert_true(xf_area_drop(area, 640, &from, XF_MASK_(20)));
	for (unsigned int i = 576; i < 640; i++)
		assert_int_equal(area[i], i >= 577 && i < 606 ? 0 : i & 0xff);
	free(moved);
	free(area);
}

/* Only XCOMP_BV changes in the header, bits that ask for no format are not written. */
static void test_relay_header(void **state)
{
	unsigned char *from = new_area(576, 3, 0x4);
	unsigned char to[640];
	struct xf_bit where;

	(void)state;
	from[530] = 9;
	memset(to, 0xcc, sizeof(to));
	assert_int_equal(xf_area_relay(from, 576, &xf_layout_intel, to, sizeof(to), &xf_layout_amd,
				       0x7, &where),
			 XF_RELAY_OK);
	put(from + 520, 0, 8);
	assert_memory_equal(from, to, 576);
	for (unsigned int i = 576; i < sizeof(to); i++)
		assert_int_equal(to[i], 0);
	free(from);
}

static void expect_relay_fault(const struct relay *r, uint64_t xstate_bv, enum xf_relay_fault fault,
			       unsigned int where)
{
	unsigned char *from =
		new_area(r->from_size < 576 ? 576 : r->from_size, xstate_bv, r->from_xcomp_bv);
	unsigned char *to = malloc(r->to_size + 1);
	struct xf_bit bit = xf_bit(63);

	memset(to, 0x5a, r->to_size + 1);
	assert_int_equal(xf_area_relay(from, r->from_size, r->from, to, r->to_size, r->to,
				       r->to_xcomp_bv, &bit),
			 fault);
	assert_int_equal(bit.n, where);
	for (size_t i = 0; i <= r->to_size; i++)
		assert_int_equal(to[i], 0x5a);
	free(from);
	free(to);
}

static void test_relay_faults(void **state)
{
	const struct xf_layout *intel = &xf_layout_intel;
	const struct xf_layout *amd = &xf_layout_amd;
	const struct relay no_head = { intel, 575, 0, amd, 4096, 0 };
	const struct relay no_room_for_head = { intel, 4096, 0, amd, 575, 0 };
	const struct relay cut = { intel, 2695, 0, amd, 4096, 0 };
	const struct relay no_room = { intel, 4096, 0, amd, 2439, 0 };
	const struct relay plain = { intel, 4096, 0, amd, 4096, 0 };
	const struct relay back = { amd, 4096, 0, intel, 4096, 0 };
	const struct relay packs = { intel, 4096, 0, intel, 4096, XF_COMPACTED | 0x6 };
	const struct relay unpacks = { intel, 4096, XF_COMPACTED | 0x6, intel, 4096, 0 };

	(void)state;
	expect_relay_fault(&no_head, 0x3, XF_RELAY_SHORT, 0);
	expect_relay_fault(&no_room_for_head, 0x3, XF_RELAY_ROOM, 0);
	expect_relay_fault(&cut, 0x207, XF_RELAY_SHORT, 9);
	expect_relay_fault(&no_room, 0x207, XF_RELAY_ROOM, 9);
	expect_relay_fault(&plain, 0x2e7, XF_RELAY_TARGET, 5);
	expect_relay_fault(&back, 0x2e7, XF_RELAY_SOURCE, 5);
	expect_relay_fault(&back, 0x3 | XF_MASK_(63), XF_RELAY_SOURCE, 63);
	expect_relay_fault(&plain, 0x3 | XF_CET_U, XF_RELAY_SOURCE, 11);
	/* A compacted area announces what it may have in use, x87 and SSE like the rest. */
	expect_relay_fault(&packs, 0x3, XF_RELAY_TARGET, 0);
	expect_relay_fault(&packs, 0x206, XF_RELAY_TARGET, 9);
	expect_relay_fault(&unpacks, 0x7, XF_RELAY_SOURCE, 0);
	expect_relay_fault(&unpacks, 0x206, XF_RELAY_SOURCE, 9);
}

/* Sizes that differ: of a known component by what it has, of an unknown one by all of it. */
static void test_relay_sizes(void **state)
{
	struct xf_layout large = { .at[20] = { 576, 64, false, false } };
	struct xf_layout small = { .at[20] = { 576, 63, false, false } };
	struct xf_layout tiny = xf_layout_amd;
	const struct relay shrinks = { &large, 640, 0, &small, 4096, 0 };
	const struct relay cuts = { &xf_layout_amd, 2440, 0, &tiny, 4096, 0 };
	struct relay hostile = { &large, 640, 0, &large, 640, 0 };

	(void)state;
	tiny.at[9].size = 7;
	expect_relay_fault(&shrinks, XF_MASK_(20), XF_RELAY_TARGET, 20);
	expect_relay_fault(&cuts, XF_PKRU, XF_RELAY_TARGET, 9);
	large.at[20].size = 0xffffffff;
	expect_relay_fault(&hostile, XF_MASK_(20), XF_RELAY_SHORT, 20);
	large.at[20] = (struct xf_extent){ 0xfffffff0, 64, false, false };
	expect_relay_fault(&hostile, XF_MASK_(20), XF_RELAY_SHORT, 20);
}

/* No more is read or written than a legacy region and a header have. */
static void test_relay_smallest(void **state)
{
	unsigned char *from = new_area(576, XF_FPSSE, 0);
	unsigned char *to = malloc(576);
	struct xf_bit where;

	(void)state;
	fill(from, &xf_layout_intel, XF_FPSSE, 0);
	memset(to, 0x5a, 576);
	assert_int_equal(
		xf_area_relay(from, 576, &xf_layout_intel, to, 576, &xf_layout_amd, 0, &where),
		XF_RELAY_OK);
	assert_memory_equal(from, to, 576);
	/* There is one byte too few of the target, and enough of the source. */
	assert_int_equal(
		xf_area_relay(from, 576, &xf_layout_intel, to, 575, &xf_layout_amd, 0, &where),
		XF_RELAY_ROOM);
	/* Without bit 63 it is the standard format, whatever else XCOMP_BV has. */
	put(from + 520, 1, 8);
	assert_int_equal(
		xf_area_relay(from, 576, &xf_layout_intel, to, 576, &xf_layout_amd, 0, &where),
		XF_RELAY_OK);
	free(from);
	free(to);
}

/* A layout that nobody has checked may have less of a component than there is. */
static void test_relay_less(void **state)
{
	struct xf_layout less = { .at[9] = { 576, 4, false, false } };
	unsigned char *from = new_area(580, XF_PKRU, 0);
	unsigned char to[592], want[592] = { 0 };
	struct xf_bit where;

	(void)state;
	put(from + 576, 0x11223344, 4);
	memcpy(want, from, 580);
	assert_int_equal(xf_area_relay(from, 580, &less, to, 592, &less, 0, &where), XF_RELAY_OK);
	assert_memory_equal(to, want, 592);
	free(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),	     cmocka_unit_test(test_head_reserved),
		cmocka_unit_test(test_unaligned),    cmocka_unit_test(test_each_reason),
		cmocka_unit_test(test_mxcsr),	     cmocka_unit_test(test_header_unchecked),
		cmocka_unit_test(test_no_xsave),     cmocka_unit_test(test_order),
		cmocka_unit_test(test_check_short),  cmocka_unit_test(test_reason_words),
		cmocka_unit_test(test_drop),	     cmocka_unit_test(test_drop_keeps_x87_sse),
		cmocka_unit_test(test_clear),	     cmocka_unit_test(test_drop_unknown),
		cmocka_unit_test(test_drop_short),   cmocka_unit_test(test_drop_hostile),
		cmocka_unit_test(test_relay),	     cmocka_unit_test(test_relay_reserved_room),
		cmocka_unit_test(test_odd_size),     cmocka_unit_test(test_relay_header),
		cmocka_unit_test(test_relay_faults), cmocka_unit_test(test_relay_sizes),
		cmocka_unit_test(test_drop_largest), cmocka_unit_test(test_relay_smallest),
		cmocka_unit_test(test_relay_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
