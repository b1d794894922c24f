/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Masks as text, and evidence that is a mask. */
#include "tests/host/support.h"

static void check_text(uint64_t mask, const char *expected)
{
	char *text = xf_mask_to_text(mask);

	assert_string_equal(text, expected);
	free(text);
}

static void test_to_text(void **state)
{
	(void)state;
	check_text(0, "none");
	check_text(0x207, "x87 SSE AVX PKRU");
	check_text(XF_AVX512, "opmask ZMM_Hi256 Hi16_ZMM");
	check_text((uint64_t)1 << 33 | 1, "x87 bit 33");
	check_text((uint64_t)1 << 63, "bit 63");
}

static void test_from_text(void **state)
{
	static const struct {
		const char *text;
		uint64_t mask;
	} cases[] = {
		{ "0x207", 0x207 },
		{ "0X2aF", 0x2af },
		{ "0xffffffffffffffff", UINT64_MAX },
		{ "0x0", 0 },
		{ "none", 0 },
		{ "pkru", 0x200 },
		{ "PKRU,avx", 0x204 },
		{ "pku|avx512", 0x2e0 },
		{ " avx , amx\t", 0x60004 },
		{ "0x3,pkru", 0x203 },
		{ "0x3|0x4|mpx", 0x1f },
		{ "bit 33", (uint64_t)1 << 33 },
		{ "bit33,bit 0 x87", (uint64_t)1 << 33 | 1 },
		{ "Bit 9", 0x200 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t mask = 42;

		assert_success(xf_mask_from_text(cases[i].text, &mask));
		assert_int_equal(mask, cases[i].mask);
	}
}

static void test_from_text_bad(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{ "", "no state component named" },
		{ " , |", "no state component named" },
		{ "pkr", "\"pkr\"; the nearest name is \"pkru\"" },
		{ "avx,quux", "\"quux\"; a mask is written" },
		{ "0x", "\"0x\"" },
		{ "0xg", "\"0xg\"" },
		{ "0x10000000000000000", "\"0x10000000000000000\"" },
		{ "207", "\"207\"" },
		{ "1x2", "\"1x2\"" },
		{ "bit", "\"bit\"" },
		{ "bit 64", "\"bit 64\"" },
		{ "bit 1x", "\"bit 1x\"" },
		{ "bit 123", "\"bit 123\"" },
		{ "bit ", "\"bit \"" },
		{ "bit: 5", "\"bit:\"" },
		{ "pkru\n", "\"pkru?\"; the nearest name is \"pkru\"" },
		/* A very long word is shown in part. */
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "a",
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"; a mask" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t mask = 42;

		assert_error(xf_mask_from_text(cases[i].text, &mask), XF_ERR_USAGE, cases[i].words);
		assert_int_equal(mask, 42);
	}
}

/* What is printed can be read back. */
static void test_both_ways(void **state)
{
	uint64_t random = 88172645463325252u;

	(void)state;
	for (unsigned int i = 0; i < 2000; i++) {
		uint64_t mask = i < XF_BITS ? (uint64_t)1 << i : random;
		uint64_t again;
		char *text = xf_mask_to_text(mask);

		assert_success(xf_mask_from_text(text, &again));
		assert_int_equal(again, mask);
		free(text);
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		/* Sparse ones too. */
		random &= i % 3 ? UINT64_MAX : 0x8000000100080205;
		random |= 1;
	}
}

static void test_evidence(void **state)
{
	struct xf_evidence *evidence = NULL;

	(void)state;
	assert_success(xf_evidence_from_mask("pkru", &evidence));
	assert_int_equal(evidence->guest.shown, 0x203);
	assert_int_equal(evidence->guest.known, UINT64_MAX);
	assert_false(evidence->all_of_host);
	assert_string_equal(evidence->source, "the mask pkru");
	xf_evidence_free(evidence);

	evidence = NULL;
	assert_error(xf_evidence_from_mask("pkru,nix", &evidence), XF_ERR_USAGE, "\"nix\"");
	assert_null(evidence);
	xf_evidence_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_text),	      cmocka_unit_test(test_from_text),
		cmocka_unit_test(test_from_text_bad), cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
