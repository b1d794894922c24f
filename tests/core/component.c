/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/core/test.h"

#include "core/component.h"

/* Each component once more, from the SDM and not from the table. */
static const struct {
	uint64_t mask;
	const char *name;
	uint32_t size;
	bool aligned;
	bool supervisor;
	struct xf_cpuid_bit shown_by[2];
	uint64_t group;
	uint64_t needs;
} expected[] = {
	{ XF_X87, "x87", 160, 0, 0, { { 1, 0, XF_EDX, 0 } }, XF_X87, 0 },
	{ XF_SSE, "sse", 256, 0, 0, { { 1, 0, XF_EDX, 25 } }, XF_SSE, 0 },
	{ XF_AVX, "avx", 256, 0, 0, { { 1, 0, XF_ECX, 28 } }, XF_AVX, XF_SSE },
	{ XF_BNDREGS, "bndregs", 64, 0, 0, { { 7, 0, XF_EBX, 14 } }, XF_MPX, 0 },
	{ XF_BNDCSR, "bndcsr", 64, 0, 0, { { 7, 0, XF_EBX, 14 } }, XF_MPX, 0 },
	{ XF_OPMASK,
	  "opmask",
	  64,
	  0,
	  0,
	  { { 7, 0, XF_EBX, 16 }, { 7, 1, XF_EDX, 19 } },
	  XF_AVX512,
	  XF_AVX },
	{ XF_ZMM_HI256,
	  "zmm_hi256",
	  512,
	  0,
	  0,
	  { { 7, 0, XF_EBX, 16 }, { 7, 1, XF_EDX, 19 } },
	  XF_AVX512,
	  XF_AVX },
	{ XF_HI16_ZMM,
	  "hi16_zmm",
	  1024,
	  0,
	  0,
	  { { 7, 0, XF_EBX, 16 }, { 7, 1, XF_EDX, 19 } },
	  XF_AVX512,
	  XF_AVX },
	{ XF_PT, "pt", 128, 0, 1, { { 7, 0, XF_EBX, 25 } }, XF_PT, 0 },
	{ XF_PKRU, "pkru", 8, 0, 0, { { 7, 0, XF_ECX, 3 } }, XF_PKRU, 0 },
	{ XF_PASID, "pasid", 8, 0, 1, { { 7, 0, XF_ECX, 29 } }, XF_PASID, 0 },
	{ XF_CET_U, "cet_u", 16, 0, 1, { { 7, 0, XF_ECX, 7 }, { 7, 0, XF_EDX, 20 } }, XF_CET_U, 0 },
	{ XF_CET_S, "cet_s", 24, 0, 1, { { 7, 0, XF_ECX, 7 }, { 7, 0, XF_EDX, 20 } }, XF_CET_S, 0 },
	{ XF_HDC, "hdc", 8, 0, 1, { { 6, 0, XF_EAX, 13 } }, XF_HDC, 0 },
	{ XF_UINTR, "uintr", 48, 0, 1, { { 7, 0, XF_EDX, 5 } }, XF_UINTR, 0 },
	{ XF_LBR, "lbr", 808, 0, 1, { { 7, 0, XF_EDX, 19 } }, XF_LBR, 0 },
	{ XF_HWP, "hwp", 8, 0, 1, { { 6, 0, XF_EAX, 7 } }, XF_HWP, 0 },
	{ XF_XTILECFG, "xtilecfg", 64, 1, 0, { { 7, 0, XF_EDX, 24 } }, XF_AMX, 0 },
	{ XF_XTILEDATA, "xtiledata", 8192, 1, 0, { { 7, 0, XF_EDX, 24 } }, XF_AMX, 0 },
	{ XF_APX, "apx", 128, 0, 0, { { 7, 1, XF_EDX, 21 } }, XF_APX, 0 },
};

/* A component that is added must be added here. */
_Static_assert(COUNT(expected) == __builtin_popcountll(XF_DEFINED), "a component is not tested");

static void test_rows(void **state)
{
	uint64_t seen = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(expected); i++) {
		const struct xf_component *row = xf_component(xf_lowest(expected[i].mask));

		seen |= expected[i].mask;
		assert_string_equal(row->name, expected[i].name);
		assert_int_equal(row->size, expected[i].size);
		assert_int_equal(row->aligned, expected[i].aligned);
		assert_int_equal(row->supervisor, expected[i].supervisor);
		assert_true(row->group == expected[i].group);
		assert_true(row->needs == expected[i].needs);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(row->shown_by[k].leaf, expected[i].shown_by[k].leaf);
			assert_int_equal(row->shown_by[k].subleaf, expected[i].shown_by[k].subleaf);
			assert_int_equal(row->shown_by[k].reg, expected[i].shown_by[k].reg);
			assert_int_equal(row->shown_by[k].bit, expected[i].shown_by[k].bit);
		}
		assert_true(strlen(row->label) > 0 && strlen(row->what) > 10);
		assert_null(strchr(row->what, '\n'));
	}
	assert_true(seen == XF_DEFINED);
}

static void test_no_row(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < XF_BITS; n++)
		if (!(xf_mask(xf_bit(n)) & XF_DEFINED))
			assert_null(xf_component(xf_bit(n)));
}

static uint64_t mask_of(const char *name)
{
	return xf_component_mask(name, strlen(name));
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		uint64_t mask;
	} names[] = {
		{ "PKRU", XF_PKRU },
		{ "pku", XF_PKRU },
		{ "fp", XF_X87 },
		{ "fpu", XF_X87 },
		{ "ymm", XF_AVX },
		{ "avx512", XF_AVX512 },
		{ "AVX512F", XF_AVX512 },
		{ "avx10", XF_AVX512 },
		{ "mpx", XF_MPX },
		{ "amx", XF_AMX },
		{ "amx-tile", XF_AMX },
		{ "amx_tile", XF_AMX },
		{ "xtile", XF_AMX },
		{ "cet", XF_CET },
		{ "shstk", XF_CET },
		{ "ibt", XF_CET },
		{ "cet-ss", XF_CET },
		{ "cet-ibt", XF_CET },
		{ "cet-user", XF_CET_U },
		{ "cet-kernel", XF_CET_S },
		{ "intel-pt", XF_PT },
		{ "enqcmd", XF_PASID },
		{ "arch-lbr", XF_LBR },
		{ "apxf", XF_APX },
		{ "apx-f", XF_APX },
		{ "ZMM_Hi256", XF_ZMM_HI256 },
		{ "zmm-hi256", XF_ZMM_HI256 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_true(mask_of(names[i].name) == names[i].mask);
	xf_for_each_bit (bit, XF_DEFINED) {
		assert_true(mask_of(xf_component(bit)->name) == xf_mask(bit));
		assert_true(mask_of(xf_component(bit)->label) == xf_mask(bit));
	}
}

static void test_no_names(void **state)
{
	static const char *const names[] = {
		"",	 "p",	    "pk", "pkru ", " pkru", "pkruu", "avx2",
		"avx51", "avx5122", "9",  "0x200", "@vx",   "[",     "xsave",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_true(mask_of(names[i]) == 0);
	/* `len` decides, not a NUL. */
	assert_true(xf_component_mask("pku,avx", 3) == XF_PKRU);
	assert_true(xf_component_mask("pku", 2) == 0);
	assert_true(xf_component_mask("pku\0x", 5) == 0);
	assert_true(xf_component_mask("avx\0", 4) == 0);
}

/* The proof narrow-widen has all masks; these say what it means. */
static void test_consistent(void **state)
{
	(void)state;
	assert_true(xf_is_consistent(0x1));
	assert_true(xf_is_consistent(0x3));
	assert_true(xf_is_consistent(0x602e7));
	assert_true(xf_is_consistent(0x3 | XF_PKRU | XF_MASK_(40)));
	assert_false(xf_is_consistent(0));
	assert_false(xf_is_consistent(0x2));
	assert_false(xf_is_consistent(XF_X87 | XF_AVX));
	assert_false(xf_is_consistent(0x7 | XF_OPMASK));
	assert_false(xf_is_consistent(0x3 | XF_AVX512));
	assert_false(xf_is_consistent(0x3 | XF_BNDREGS));
	assert_false(xf_is_consistent(0x3 | XF_XTILEDATA));
}

static void test_widen(void **state)
{
	(void)state;
	assert_true(xf_widen(0) == XF_X87);
	assert_true(xf_widen(XF_PKRU) == (XF_X87 | XF_PKRU));
	assert_true(xf_widen(XF_ZMM_HI256) == 0xe7);
	assert_true(xf_widen(XF_BNDCSR | XF_XTILECFG) == (XF_X87 | XF_MPX | XF_AMX));
	assert_true(xf_widen(XF_MASK_(62)) == (XF_X87 | XF_MASK_(62)));
}

static void test_narrow(void **state)
{
	(void)state;
	assert_true(xf_narrow(0) == XF_X87);
	assert_true(xf_narrow(XF_AVX | XF_AVX512) == XF_X87);
	assert_true(xf_narrow(0x7 | XF_OPMASK | XF_ZMM_HI256) == 0x7);
	assert_true(xf_narrow(0x3 | XF_AVX512) == 0x3);
	assert_true(xf_narrow(~UINT64_C(0)) == ~UINT64_C(0));
	assert_true(xf_narrow(XF_BNDREGS | XF_XTILECFG | XF_PKRU) == (XF_X87 | XF_PKRU));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	   cmocka_unit_test(test_no_row),
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_no_names),
		cmocka_unit_test(test_consistent), cmocka_unit_test(test_widen),
		cmocka_unit_test(test_narrow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
