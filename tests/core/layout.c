/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/core/test.h"

#include "core/layout.h"

/* Sub-leaves of CPUID leaf 0xD as real CPUs answer: {sub-leaf, EAX, EBX, ECX}. */
struct dump {
	const char *cpu;
	uint32_t leaf[16][4];
	uint64_t components;
	uint32_t standard; /* size for all it has, as sub-leaf 0 or 1 tells */
};

static const struct dump skylake_x = {
	"Core i9-7980XE",
	{ { 2, 0x100, 0x240 },
	  { 3, 0x40, 0x3c0 },
	  { 4, 0x40, 0x400 },
	  { 5, 0x40, 0x440 },
	  { 6, 0x200, 0x480 },
	  { 7, 0x400, 0x680 } },
	0xff,
	0xa80,
};

static const struct dump sapphire_rapids = {
	"Xeon w7-2475X",
	{ { 2, 0x100, 0x240 },
	  { 5, 0x40, 0x440 },
	  { 6, 0x200, 0x480 },
	  { 7, 0x400, 0x680 },
	  { 8, 0x80, 0, 1 },
	  { 9, 0x8, 0xa80 },
	  { 10, 0x8, 0, 1 },
	  { 11, 0x10, 0, 1 },
	  { 12, 0x18, 0, 1 },
	  { 14, 0x30, 0, 1 },
	  { 15, 0x328, 0, 1 },
	  { 17, 0x40, 0xac0, 2 },
	  { 18, 0x2000, 0xb00, 6 } },
	0x6dfe7,
	0x2b00,
};

static const struct dump zen2 = {
	"EPYC 7402P: 64 bytes for PKRU",
	{ { 2, 0x100, 0x240 }, { 9, 0x40, 0x340 } },
	0x207,
	0x380,
};

static const struct dump zen3 = {
	"Ryzen 7 6800HS",
	{ { 2, 0x100, 0x240 }, { 9, 0x8, 0x980 }, { 11, 0x10, 0, 1 }, { 12, 0x18, 0, 1 } },
	0x1a07,
	0x988,
};

static const struct dump zen4 = {
	"Ryzen 5 7600X",
	{ { 2, 0x100, 0x240 },
	  { 5, 0x40, 0x340 },
	  { 6, 0x200, 0x380 },
	  { 7, 0x400, 0x580 },
	  { 9, 0x8, 0x980 },
	  { 11, 0x10, 0, 1 },
	  { 12, 0x18, 0, 1 } },
	0x1ae7,
	0x988,
};

static const struct dump bulldozer = {
	"A10-6800K: LWP",
	{ { 2, 0x100, 0x240 }, { 62, 0x80, 0x340 } },
	0x4000000000000007,
	0x3c0,
};

static const struct dump *const dumps[] = { &skylake_x, &sapphire_rapids, &zen2, &zen3,
					    &zen4,	&bulldozer };

static void fill(const struct dump *dump, struct xf_cpuid_regs sub[static 64])
{
	memset(sub, 0, 64 * sizeof(*sub));
	for (size_t i = 0; i < COUNT(dump->leaf); i++)
		sub[dump->leaf[i][0]] = (struct xf_cpuid_regs){
			dump->leaf[i][1],
			dump->leaf[i][2],
			dump->leaf[i][3],
			0,
		};
}

static struct xf_layout layout_of(const struct dump *dump)
{
	struct xf_cpuid_regs sub[64];
	struct xf_layout layout;

	fill(dump, sub);
	assert_int_equal(xf_layout_from_cpuid(sub, 64, &layout), XF_LAYOUT_OK);
	return layout;
}

static void test_real_cpus(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dumps); i++) {
		struct xf_layout layout = layout_of(dumps[i]);

		assert_true(xf_layout_components(&layout) == dumps[i]->components);
		assert_int_equal(xf_layout_standard_size(&layout, ~UINT64_C(0)),
				 dumps[i]->standard);
		for (size_t k = 0; k < COUNT(dumps[i]->leaf) && dumps[i]->leaf[k][0]; k++) {
			const uint32_t *leaf = dumps[i]->leaf[k];

			assert_int_equal(xf_layout_offset(&layout, 0, xf_bit(leaf[0])), leaf[2]);
			assert_int_equal(layout.at[leaf[0]].size, leaf[1]);
		}
	}
}

static void assert_same_places(const struct xf_layout *layout, const struct xf_layout *real,
			       uint64_t mask)
{
	xf_for_each_bit (bit, mask)
		assert_memory_equal(&layout->at[bit.n], &real->at[bit.n], sizeof(layout->at[0]));
}

/* The layouts that are built in are those of real CPUs, for every component they have. */
static void test_built_in(void **state)
{
	const struct xf_layout skylake = layout_of(&skylake_x);
	const struct xf_layout sapphire = layout_of(&sapphire_rapids);
	const struct xf_layout amd = layout_of(&zen3);
	const struct xf_layout amd_avx512 = layout_of(&zen4);
	const uint64_t extended = ~XF_FPSSE;
	struct xf_bit where;

	(void)state;
	assert_same_places(&xf_layout_intel, &skylake, 0xfc);
	assert_same_places(&xf_layout_intel, &sapphire, 0x602e4);
	assert_true(xf_layout_components(&xf_layout_intel) == 0x602ff);
	assert_same_places(&xf_layout_amd, &amd, xf_layout_components(&xf_layout_amd) & extended);
	assert_true(xf_layout_components(&xf_layout_amd) == 0x207);
	assert_same_places(&xf_layout_amd_avx512, &amd_avx512, 0x2e4);
	assert_true(xf_layout_components(&xf_layout_amd_avx512) == 0x2e7);
	assert_int_equal(xf_layout_check(&xf_layout_intel, &where), XF_LAYOUT_OK);
	assert_int_equal(xf_layout_check(&xf_layout_amd, &where), XF_LAYOUT_OK);
	assert_int_equal(xf_layout_check(&xf_layout_amd_avx512, &where), XF_LAYOUT_OK);
}

/* CPUID.(0xD,1).EBX: the compacted size of what XCR0 and IA32_XSS enable. */
static void test_compacted_sizes(void **state)
{
	const struct xf_layout sapphire = layout_of(&sapphire_rapids);

	(void)state;
	/* Ryzen 7600X: XCR0 0x2e7, and CET with it. */
	const struct xf_layout ryzen = layout_of(&zen4);

	assert_int_equal(xf_layout_compacted_size(&ryzen, 0x2e7), 0x240 + 0x100 + 0x640 + 8);
	assert_int_equal(xf_layout_compacted_size(&ryzen, 0x1ae7), 0x240 + 0x100 + 0x640 + 8 + 40);
	/* Tiles begin on 64 bytes: 0x988 is rounded up to 0x9c0. */
	assert_int_equal(xf_layout_compacted_size(&sapphire, 0x602e7), 0x9c0 + 64 + 8192);
	assert_int_equal(xf_layout_compacted_size(&sapphire, XF_FPSSE), 576);
	assert_int_equal(xf_layout_compacted_size(&sapphire, XF_MASK_(63)), 576);
	/* What it has no size for. */
	assert_int_equal(xf_layout_compacted_size(&sapphire, 0x3 | XF_APX), 0);
}

static void test_compacted_offsets(void **state)
{
	const struct xf_layout sapphire = layout_of(&sapphire_rapids);
	const uint64_t bv = XF_MASK_(63) | 0x602e7 | XF_CET_U;
	const struct xf_bit pkru = xf_lowest(XF_PKRU);

	(void)state;
	assert_int_equal(xf_layout_offset(&sapphire, bv, xf_lowest(XF_AVX)), 0x240);
	assert_int_equal(xf_layout_offset(&sapphire, bv, xf_lowest(XF_OPMASK)), 0x340);
	assert_int_equal(xf_layout_offset(&sapphire, bv, pkru), 0x980);
	assert_int_equal(xf_layout_offset(&sapphire, bv, xf_lowest(XF_CET_U)), 0x988);
	assert_int_equal(xf_layout_offset(&sapphire, bv, xf_lowest(XF_XTILECFG)), 0x9c0);
	assert_int_equal(xf_layout_offset(&sapphire, bv, xf_lowest(XF_XTILEDATA)), 0xa00);
	assert_int_equal(xf_layout_offset(&sapphire, bv, xf_lowest(XF_LBR)), 0);
	assert_int_equal(xf_layout_offset(&sapphire, XF_MASK_(63) | XF_PKRU, pkru), 0x240);
	/* Nothing is known of what follows a component of unknown size. */
	assert_int_equal(xf_layout_offset(&sapphire, bv | XF_BNDREGS, pkru), 0);
	assert_int_equal(xf_layout_offset(&sapphire, bv | XF_BNDREGS, xf_lowest(XF_AVX)), 0x240);
	assert_int_equal(xf_layout_offset(&sapphire, bv | XF_APX, xf_lowest(XF_APX)), 0);
}

static void test_no_offset(void **state)
{
	const struct xf_layout sapphire = layout_of(&sapphire_rapids);

	(void)state;
	for (unsigned int n = 0; n < 2; n++) {
		assert_int_equal(xf_layout_offset(&sapphire, 0, xf_bit(n)), 0);
		assert_int_equal(xf_layout_offset(&sapphire, ~UINT64_C(0), xf_bit(n)), 0);
	}
	assert_int_equal(xf_layout_offset(&sapphire, ~UINT64_C(0), xf_bit(63)), 0);
	assert_int_equal(xf_layout_offset(&sapphire, 0, xf_bit(63)), 0);
	assert_int_equal(xf_layout_offset(&sapphire, 0, xf_lowest(XF_CET_U)), 0);
	assert_int_equal(xf_layout_offset(&sapphire, 0, xf_lowest(XF_APX)), 0);
}

static void test_standard_sizes(void **state)
{
	(void)state;
	assert_int_equal(xf_layout_standard_size(&xf_layout_intel, 0), 576);
	assert_int_equal(xf_layout_standard_size(&xf_layout_intel, XF_FPSSE), 576);
	assert_int_equal(xf_layout_standard_size(&xf_layout_intel, XF_AVX), 832);
	assert_int_equal(xf_layout_standard_size(&xf_layout_intel, 0x2e7), 2696);
	assert_int_equal(xf_layout_standard_size(&xf_layout_intel, XF_AVX | XF_PKRU), 2696);
	assert_int_equal(xf_layout_standard_size(&xf_layout_intel, 0x602e7), 11008);
	/* On AMD the higher number can lie lower. */
	struct xf_layout layout = xf_layout_amd_avx512;

	layout.at[9].offset = 0x340;
	assert_int_equal(xf_layout_standard_size(&layout, XF_PKRU | XF_AVX), 0x348);
	assert_int_equal(xf_layout_standard_size(&layout, XF_PKRU | XF_HI16_ZMM), 0x980);
	/* Neither what it lacks nor what is supervisor state takes room. */
	assert_int_equal(xf_layout_standard_size(&xf_layout_amd, ~UINT64_C(0)), 0x988);

	const struct xf_layout sapphire = layout_of(&sapphire_rapids);

	assert_int_equal(xf_layout_standard_size(&sapphire, XF_LBR), 576);
}

static void expect_fault(const struct dump *dump, enum xf_layout_fault fault, unsigned int where)
{
	struct xf_layout layout = { .at[2].size = 77 };
	struct xf_layout same = layout;
	struct xf_layout built = { 0 };
	struct xf_cpuid_regs sub[64];
	struct xf_bit bit = xf_bit(63);

	fill(dump, sub);
	assert_int_equal(xf_layout_from_cpuid(sub, 64, &layout), fault);
	assert_memory_equal(&layout, &same, sizeof(layout));
	for (size_t i = 0; i < COUNT(dump->leaf); i++)
		built.at[dump->leaf[i][0]] = (struct xf_extent){
			.offset = dump->leaf[i][2],
			.size = dump->leaf[i][1],
			.supervisor = dump->leaf[i][3] & 1,
		};
	assert_int_equal(xf_layout_check(&built, &bit), fault);
	assert_int_equal(bit.n, where);
}

static void test_faults(void **state)
{
	static const struct dump in_header = { .leaf = { { 2, 0x100, 0x23f } } };
	static const struct dump at_zero = { .leaf = { { 2, 0x100, 0x240 }, { 9, 8, 0 } } };
	static const struct dump too_far = { .leaf = { { 9, 8, XF_AREA_MAX - 7 } } };
	static const struct dump wraps = { .leaf = { { 20, 0x100, 0xffffff80 } } };
	static const struct dump huge = { .leaf = { { 20, 0xffffffff, 0x240 } } };
	static const struct dump huge_supervisor = { .leaf = { { 20, XF_AREA_MAX + 1, 0, 1 } } };
	static const struct dump overlap = { .leaf = { { 2, 0x100, 0x240 }, { 9, 8, 0x33f } } };
	static const struct dump inside = { .leaf = { { 2, 0x100, 0x300 }, { 20, 0x300, 0x240 } } };
	static const struct dump mpx_and_apx = {
		.leaf = { { 3, 0x40, 0x3c0 }, { 4, 0x40, 0x400 }, { 19, 0x80, 0x3c0 } }
	};
	static const struct dump small = { .leaf = { { 2, 0xff, 0x240 } } };
	static const struct dump small_supervisor = { .leaf = { { 15, 807, 0, 1 } } };

	(void)state;
	expect_fault(&in_header, XF_LAYOUT_IN_HEADER, 2);
	expect_fault(&at_zero, XF_LAYOUT_IN_HEADER, 9);
	expect_fault(&too_far, XF_LAYOUT_TOO_LARGE, 9);
	expect_fault(&wraps, XF_LAYOUT_TOO_LARGE, 20);
	expect_fault(&huge, XF_LAYOUT_TOO_LARGE, 20);
	expect_fault(&huge_supervisor, XF_LAYOUT_TOO_LARGE, 20);
	expect_fault(&overlap, XF_LAYOUT_OVERLAP, 9);
	expect_fault(&inside, XF_LAYOUT_OVERLAP, 20);
	expect_fault(&mpx_and_apx, XF_LAYOUT_OVERLAP, 19);
	expect_fault(&small, XF_LAYOUT_SIZE, 2);
	expect_fault(&small_supervisor, XF_LAYOUT_SIZE, 15);
}

static void test_just_fits(void **state)
{
	static const struct dump last = { .leaf = { { 9, 8, XF_AREA_MAX - 8 } } };
	static const struct dump touching = { .leaf = { { 9, 8, 0x240 }, { 2, 0x100, 0x248 } } };
	static const struct dump supervisor = { .leaf = { { 2, 0x100, 0x240 },
							  { 11, 16, 0x240, 1 } } };

	(void)state;
	layout_of(&last);
	layout_of(&touching);
	/* EBX means nothing for supervisor state. */
	assert_int_equal(layout_of(&supervisor).at[11].offset, 0);
}

static void test_from_cpuid_count(void **state)
{
	struct xf_cpuid_regs sub[64];
	struct xf_layout layout;

	(void)state;
	fill(&sapphire_rapids, sub);
	assert_int_equal(xf_layout_from_cpuid(sub, 10, &layout), XF_LAYOUT_OK);
	assert_true(xf_layout_components(&layout) == 0x3e7);
	assert_int_equal(xf_layout_from_cpuid(NULL, 0, &layout), XF_LAYOUT_OK);
	assert_true(xf_layout_components(&layout) == XF_FPSSE);
	/* Sub-leaves 0 and 1 are about something else, 63 is no component. */
	sub[0].eax = sub[1].eax = sub[63].eax = 0x602e7;
	assert_int_equal(xf_layout_from_cpuid(sub, 64, &layout), XF_LAYOUT_OK);
	assert_int_equal(layout.at[0].size | layout.at[1].size | layout.at[63].size, 0);
}

/* What has no size has no place, whatever else is said of it. */
static void test_no_size(void **state)
{
	struct xf_layout layout = { .at[20] = { 4096, 0, false, false } };
	struct xf_cpuid_regs sub[64] = { [20] = { .ebx = 4096, .ecx = 3 } };

	(void)state;
	assert_int_equal(xf_layout_offset(&layout, 0, xf_bit(20)), 0);
	assert_int_equal(xf_layout_standard_size(&layout, XF_MASK_(20)), 576);
	assert_int_equal(xf_layout_from_cpuid(sub, 64, &layout), XF_LAYOUT_OK);
	assert_int_equal(layout.at[20].offset, 0);
	assert_false(layout.at[20].aligned || layout.at[20].supervisor);
}

/* What has no place cannot be in another's, and of two faults the first is told. */
static void test_check_unbuilt(void **state)
{
	struct xf_layout layout = { .at[8] = { 576, 128, false, true },
				    .at[9] = { 576, 8, false, false } };
	struct xf_bit where = xf_bit(63);

	(void)state;
	assert_int_equal(xf_layout_check(&layout, &where), XF_LAYOUT_OK);
	assert_int_equal(xf_layout_offset(&layout, 0, xf_bit(8)), 0);
	layout.at[8].size = XF_AREA_MAX;
	assert_int_equal(xf_layout_check(&layout, &where), XF_LAYOUT_OK);
	layout.at[2] = (struct xf_extent){ 576, 256, false, false };
	layout.at[9].size = 7;
	assert_int_equal(xf_layout_check(&layout, &where), XF_LAYOUT_SIZE);
	assert_int_equal(where.n, 9);
}

/* The next multiple of 64, from the first byte behind one to the last before another. */
static void test_compacted_alignment(void **state)
{
	const uint64_t bv = XF_MASK_(63) | XF_MASK_(20) | XF_MASK_(21);
	struct xf_layout layout = { .at[21] = { 0, 8, true, false } };

	(void)state;
	for (uint32_t size = 1; size <= 128; size++) {
		layout.at[20].size = size;
		assert_int_equal(xf_layout_offset(&layout, bv, xf_bit(21)),
				 576 + (size + 63) / 64 * 64);
	}
}

/* A layout that nobody has checked may not wrap a size round. */
static void test_saturates(void **state)
{
	struct xf_layout layout = { 0 };
	const uint64_t bv = XF_MASK_(63) | XF_MASK_(40) | XF_MASK_(41) | XF_MASK_(42);

	(void)state;
	layout.at[40] = (struct xf_extent){ 0xffffffff, 0xffffffff, true, false };
	layout.at[41] = layout.at[42] = layout.at[40];
	assert_true(xf_layout_standard_size(&layout, XF_MASK_(40)) == UINT32_MAX);
	assert_true(xf_layout_compacted_size(&layout, bv) == UINT32_MAX);
	assert_true(xf_layout_offset(&layout, bv, xf_bit(42)) == UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_cpus),
		cmocka_unit_test(test_built_in),
		cmocka_unit_test(test_compacted_sizes),
		cmocka_unit_test(test_compacted_offsets),
		cmocka_unit_test(test_no_offset),
		cmocka_unit_test(test_standard_sizes),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_just_fits),
		cmocka_unit_test(test_from_cpuid_count),
		cmocka_unit_test(test_saturates),
		cmocka_unit_test(test_no_size),
		cmocka_unit_test(test_check_unbuilt),
		cmocka_unit_test(test_compacted_alignment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
