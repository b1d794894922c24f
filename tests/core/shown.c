/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What follows from the leaves of CPUID that a guest was given. */
#include "tests/core/test.h"

#include "core/shown.h"

#define LEVEL_D            \
	{                  \
		.eax = 0xd \
	}
#define XSAVE                             \
	{                                 \
		.ecx = XF_LEAF1_ECX_XSAVE \
	}
#define PKU (1u << 3)	/* leaf 7, ECX */
#define AVX (1u << 28)	/* leaf 1, ECX */
#define XSS_CET 0x1800u /* leaf 0xD.1, ECX */

struct leaf {
	uint32_t leaf, subleaf;
	struct xf_cpuid_regs regs;
};

static struct xf_guest guest_of(const struct leaf *leaves, size_t count)
{
	struct xf_shown shown = { 0 };

	for (size_t i = 0; i < count; i++)
		xf_shown_leaf(&shown, leaves[i].leaf, leaves[i].subleaf, &leaves[i].regs);
	return xf_shown_guest(&shown);
}

#define GUEST(...)                                     \
	guest_of((const struct leaf[]){ __VA_ARGS__ }, \
		 sizeof((const struct leaf[]){ __VA_ARGS__ }) / sizeof(struct leaf))

#define assert_guest(guest, shown_, known_)                  \
	do {                                                 \
		struct xf_guest g_ = (guest);                \
		assert_true(g_.shown == (uint64_t)(shown_)); \
		assert_true(g_.known == (uint64_t)(known_)); \
	} while (0)

/* What is not whole proves nothing: leaves 0 and 1, and leaf 0xD where it counts. */
static void test_nothing(void **state)
{
	const struct xf_shown none = { 0 };

	(void)state;
	assert_guest(xf_shown_guest(&none), 0, 0);
	assert_guest(GUEST({ 0x80000000, 0, LEVEL_D }), 0, 0);
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 7, 0, { 0 } }), 0, 0);
	assert_guest(GUEST({ 0, 0, { 0 } }, { 1, 0, { 0 } }), 0, 0);
	assert_guest(GUEST({ 1, 0, { 0 } }, { 7, 0, { 0 } }), 0, 0);
	assert_guest(GUEST({ 1, 0, XSAVE }, { 0xd, 0, { .eax = 7 } }), 0, 0);
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 1, 0, XSAVE }, { 0xd, 1, { 0 } }), 0, 0);
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 1, 0, { 0 } }), XF_FPSSE, ~(uint64_t)0);
}

/* One that is not significant is the same for every sub-leaf that is kept. */
static void test_entry(void **state)
{
	const struct xf_cpuid_regs regs = { 1, 2, 3, 4 };
	struct xf_shown one = { 0 }, all = { 0 };

	(void)state;
	xf_shown_entry(&one, 7, 1, true, &regs);
	assert_null(xf_shown_regs(&one, 7, 0));
	assert_int_equal(xf_shown_regs(&one, 7, 1)->ecx, 3);
	xf_shown_entry(&all, 7, 9, false, &regs);
	assert_int_equal(xf_shown_regs(&all, 7, 0)->ecx, 3);
	assert_int_equal(xf_shown_regs(&all, 7, 1)->ecx, 3);
}

static void test_leaf_d(void **state)
{
	(void)state;
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 1, 0, XSAVE },
			   { 0xd, 0, { .eax = 7, .edx = 0x80 } }, { 0xd, 1, { .ecx = XSS_CET } }),
		     0x8000000007, ~(uint64_t)XSS_CET);
	/* Without leaf 0xD.1 any of IA32_XSS may be the guest's. */
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 1, 0, XSAVE }, { 0xd, 0, { .eax = 7 } }), 7,
		     ~XF_SUPERVISOR);
}

/* Leaf 0xD that does not count: its components are not shown, and not known not to be. */
static void test_leaf_d_doubtful(void **state)
{
	(void)state;
	assert_guest(GUEST({ 0, 0, { .eax = 7 } }, { 1, 0, XSAVE }, { 0xd, 0, { .eax = 7 } }),
		     XF_FPSSE, ~XF_AVX);
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 1, 0, { 0 } }, { 0xd, 0, { .eax = 0x207 } }),
		     XF_FPSSE, ~(XF_AVX | XF_PKRU));
}

static void test_feature_without_component(void **state)
{
	(void)state;
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 1, 0, { .ecx = XF_LEAF1_ECX_XSAVE | AVX } },
			   { 7, 0, { .ecx = PKU } }, { 0xd, 0, { .eax = 3 } }, { 0xd, 1, { 0 } }),
		     XF_FPSSE, ~(XF_AVX | XF_PKRU));
	/* Without XSAVE only PKRU can be used. */
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 1, 0, { .ecx = AVX } }, { 7, 0, { .ecx = PKU } }),
		     XF_FPSSE, ~XF_PKRU);
	/* A sub-leaf is another leaf. */
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 1, 0, { 0 } }, { 7, 1, { .ecx = PKU } }), XF_FPSSE,
		     ~(uint64_t)0);
}

/* What is given twice counts with all of both, in any order. */
static void test_twice(void **state)
{
	struct xf_shown shown = { 0 };
	const struct xf_cpuid_regs a = { 1, 0, 4, 0 }, b = { 2, 8, 0, 16 };

	(void)state;
	assert_null(xf_shown_regs(&shown, 7, 0));
	xf_shown_leaf(&shown, 7, 0, &a);
	xf_shown_leaf(&shown, 7, 0, &b);
	xf_shown_leaf(&shown, 6, 0, &b);
	xf_shown_leaf(&shown, 0xd, 2, &b);
	assert_null(xf_shown_regs(&shown, 6, 0));
	assert_null(xf_shown_regs(&shown, 0xd, 2));
	assert_null(xf_shown_regs(&shown, 7, 1));

	const struct xf_cpuid_regs *both = xf_shown_regs(&shown, 7, 0);

	assert_non_null(both);
	assert_int_equal(both->eax, 3);
	assert_int_equal(both->ebx, 8);
	assert_int_equal(both->ecx, 4);
	assert_int_equal(both->edx, 16);
	/* What was there before it was given for the first time is not counted. */
	shown.seen = 0;
	xf_shown_leaf(&shown, 7, 0, &a);
	assert_int_equal(xf_shown_regs(&shown, 7, 0)->edx, 0);
}

/* Whoever asks first passes over what xf_shown_leaf would have passed over, nothing else. */
static void test_keeps(void **state)
{
	const struct xf_cpuid_regs regs = { 1, 1, 1, 1 };
	unsigned int kept = 0;

	(void)state;
	for (uint32_t i = 0; i < 512; i++) {
		uint32_t leaf = i < 256 ? i : 0x80000000u + i - 256;
		struct xf_shown shown = { 0 };

		for (uint32_t subleaf = 0; subleaf < 64; subleaf++)
			xf_shown_leaf(&shown, leaf, subleaf, &regs);
		assert_true(xf_shown_keeps(leaf) == (shown.seen != 0));
		kept += xf_shown_keeps(leaf);
	}
	assert_int_equal(kept, 4);
}

/* What leaf 0xD has is not superfluous, whatever the other leaves say. */
static void test_leaf_d_is_kept(void **state)
{
	uint64_t seed = 1, dropped = 0;

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		struct xf_shown shown = { .seen = i % (1u << XF_SHOWN_LEAVES) };

		for (size_t n = 0; n < sizeof(shown.regs); n++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			((unsigned char *)shown.regs)[n] = (unsigned char)(seed >> 56);
		}

		uint64_t superfluous =
			xf_droppable(~(uint64_t)0, xf_shown_guest(&shown), ~(uint64_t)0);

		assert_true(!(superfluous & xf_shown_leaf_d(&shown)));
		dropped |= superfluous;
	}
	/* And that is not for want of anything superfluous. */
	assert_true(dropped == ~(XF_FPSSE | XF_COMPACTED));
}

static void test_either(void **state)
{
	const struct xf_guest bare = { XF_FPSSE, ~(uint64_t)0 };
	const struct xf_guest avx = { XF_FPSSE | XF_AVX, ~XF_PKRU };
	const struct xf_guest careless = { XF_FPSSE | XF_OPMASK, XF_FPSSE };

	(void)state;
	assert_guest(xf_guest_either(bare, avx), XF_FPSSE | XF_AVX, ~XF_PKRU);
	assert_guest(xf_guest_either(avx, bare), XF_FPSSE | XF_AVX, ~XF_PKRU);
	assert_guest(xf_guest_either(bare, XF_GUEST_UNKNOWN), XF_FPSSE, XF_FPSSE);
	/* Bits of `shown` outside `known` mean nothing. */
	assert_guest(xf_guest_either(bare, careless), XF_FPSSE, XF_FPSSE);
}

/* Every register, whatever each of the two has. */
static void test_all_registers_count(void **state)
{
	const struct xf_cpuid_regs a = { 1, 2, 4, 8 }, b = { 16, 32, 64, 128 };
	struct xf_shown shown = { 0 };

	(void)state;
	xf_shown_leaf(&shown, 7, 0, &a);
	xf_shown_leaf(&shown, 7, 0, &b);

	const struct xf_cpuid_regs *both = xf_shown_regs(&shown, 7, 0);

	assert_int_equal(both->eax, 17);
	assert_int_equal(both->ebx, 34);
	assert_int_equal(both->ecx, 68);
	assert_int_equal(both->edx, 136);
}

static void test_only_kept_leaves(void **state)
{
	const struct xf_cpuid_regs regs = { 1, 2, 3, 4 };
	struct xf_shown shown = { .seen = ~0u };

	(void)state;
	assert_null(xf_shown_regs(&shown, 6, 0));
	assert_null(xf_shown_regs(&shown, 7, 2));
	/* One that is significant is itself and no other. */
	shown.seen = 0;
	xf_shown_entry(&shown, 7, 0, true, &regs);
	assert_non_null(xf_shown_regs(&shown, 7, 0));
	assert_null(xf_shown_regs(&shown, 7, 1));
	assert_true(xf_shown_leaf_d(&shown) == XF_FPSSE);
}

/* What a guest with XSAVE was shown, with one leaf more than it needs. */
static struct xf_guest with_leaf(uint32_t leaf, uint32_t subleaf, struct xf_cpuid_regs regs)
{
	return GUEST({ 0, 0, LEVEL_D }, { 1, 0, XSAVE }, { 0xd, 0, { .eax = 3 } },
		     { 0xd, 1, { 0 } }, { leaf, subleaf, regs });
}

/* Each feature makes its own components doubtful, by the bit that the SDM gives it. */
static void test_each_feature(void **state)
{
	(void)state;
	assert_guest(with_leaf(1, 0, (struct xf_cpuid_regs){ .ecx = AVX }), XF_FPSSE, ~XF_AVX);
	assert_guest(with_leaf(7, 0, (struct xf_cpuid_regs){ .ebx = 1u << 14 }), XF_FPSSE, ~XF_MPX);
	assert_guest(with_leaf(7, 0, (struct xf_cpuid_regs){ .ebx = 1u << 16 }), XF_FPSSE,
		     ~XF_AVX512);
	assert_guest(with_leaf(7, 0, (struct xf_cpuid_regs){ .ecx = PKU }), XF_FPSSE, ~XF_PKRU);
	assert_guest(with_leaf(7, 0, (struct xf_cpuid_regs){ .edx = 1u << 24 }), XF_FPSSE, ~XF_AMX);
	assert_guest(with_leaf(7, 1, (struct xf_cpuid_regs){ .edx = 1u << 19 }), XF_FPSSE,
		     ~XF_AVX512);
	assert_guest(with_leaf(7, 1, (struct xf_cpuid_regs){ .edx = 1u << 21 }), XF_FPSSE, ~XF_APX);
	/* IA32_XSS has 64 bits. */
	assert_guest(with_leaf(0xd, 1, (struct xf_cpuid_regs){ .edx = 0x80000001 }), XF_FPSSE,
		     ~(XF_MASK_(32) | XF_COMPACTED));
	/* What is in leaf 1 beside XSAVE is not XSAVE. */
	assert_guest(GUEST({ 0, 0, LEVEL_D }, { 1, 0, { .ecx = ~XF_LEAF1_ECX_XSAVE & ~AVX } },
			   { 0xd, 0, { .eax = 7 } }),
		     XF_FPSSE, ~XF_AVX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_leaf_d),
		cmocka_unit_test(test_leaf_d_doubtful),
		cmocka_unit_test(test_feature_without_component),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_keeps),
		cmocka_unit_test(test_leaf_d_is_kept),
		cmocka_unit_test(test_either),
		cmocka_unit_test(test_all_registers_count),
		cmocka_unit_test(test_only_kept_leaves),
		cmocka_unit_test(test_each_feature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
