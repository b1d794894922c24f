/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One byte that differs is seen wherever it is; what is explained is counted, and held too. */
#include "tests/core/test.h"

#include "lab/compare.h"

#define SIZE 4096

static const struct xf_kvm modern = { .host = 7 };
static const struct xf_kvm old = { .host = 7, .mxcsr_always = true };

static unsigned char fresh[SIZE], expected[SIZE], got[SIZE];

static void fill(void)
{
	for (unsigned int i = 0; i < SIZE; i++)
		fresh[i] = expected[i] = got[i] = (unsigned char)(i * 13 + 5);
}

static bool same(const struct xf_kvm *kvm, struct tally *tally, struct difference *out)
{
	struct compare compare;

	compare_learn(kvm, fresh, &compare);
	return compare_areas(&compare, expected, got, SIZE, tally, out);
}

static void test_every_byte(void **state)
{
	struct difference difference;
	struct tally tally = { 0 };

	(void)state;
	fill();
	assert_true(same(&modern, &tally, &difference));
	for (unsigned int i = 0; i < SIZE; i++) {
		got[i] ^= 1;
		assert_false(same(&modern, &tally, &difference));
		assert_int_equal(difference.offset, i);
		assert_int_equal(difference.byte_count, 1);
		assert_true(memcmp(difference.expected, difference.got, TALLY_WINDOW) != 0);
		assert_int_equal(difference.expected_mask != difference.got_mask,
				 i >= 512 && i < 520);
		got[i] ^= 1;
	}
	assert_int_equal(tally.explained[EXPLAINED_SW_RESERVED], 0);
}

static void test_many_bytes(void **state)
{
	struct difference difference;
	struct tally tally = { 0 };

	(void)state;
	fill();
	memset(got + 600, 0, 100);
	memset(expected + 600, 1, 100);
	assert_false(same(&modern, &tally, &difference));
	assert_int_equal(difference.offset, 600);
	assert_int_equal(difference.byte_count, 100);
	assert_memory_equal(difference.expected, expected + 592, TALLY_WINDOW);
	assert_memory_equal(difference.got, got + 592, TALLY_WINDOW);
}

/* The host's own 48 bytes are what a new vCPU had there, every time. */
static void test_sw_reserved(void **state)
{
	struct difference difference;
	struct tally tally = { 0 };

	(void)state;
	fill();
	memset(expected + 464, 0, 48);
	assert_true(same(&modern, &tally, &difference));
	assert_int_equal(tally.explained[EXPLAINED_SW_RESERVED], 1);
	memset(expected + 464, 0, 48);
	got[511] ^= 1;
	assert_false(same(&modern, &tally, &difference));
	assert_int_equal(difference.offset, 511);
	/* Before the fpstate rework they are the guest's. */
	fill();
	memset(expected + 464, 0, 48);
	assert_false(same(&old, &tally, &difference));
	assert_int_equal(difference.offset, 464);
	assert_int_equal(difference.byte_count, 48);
}

static void test_rows(void **state)
{
	(void)state;
	for (unsigned int row = 0; row < EXPLAINED_COUNT; row++) {
		assert_true(*explained_name((enum explained)row));
		assert_true(*explained_text((enum explained)row));
	}
}

/* The first ten are kept, all are counted. */
static void test_tally(void **state)
{
	struct difference difference = { 0 };
	struct tally tally = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 25; i++) {
		difference.index = i;
		tally_difference(&tally, &difference);
	}
	assert_int_equal(tally.differences, 25);
	for (uint64_t i = 0; i < TALLY_FIRST; i++)
		assert_int_equal(tally.first[i].index, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte),  cmocka_unit_test(test_many_bytes),
		cmocka_unit_test(test_sw_reserved), cmocka_unit_test(test_rows),
		cmocka_unit_test(test_tally),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
