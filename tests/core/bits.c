/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/core/test.h"

#include "core/bytes.h"
#include "core/component.h"

static void test_number_and_mask(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < XF_BITS; n++) {
		assert_int_equal(xf_bit(n).n, n);
		assert_true(xf_mask(xf_bit(n)) == UINT64_C(1) << n);
		assert_int_equal(xf_lowest(xf_mask(xf_bit(n))).n, n);
		assert_int_equal(xf_lowest(~UINT64_C(0) << n).n, n);
	}
	assert_int_equal(xf_bit(64).n, 0);
	assert_int_equal(xf_bit(~0u).n, 63);
}

static uint64_t collect(uint64_t mask, unsigned int *count)
{
	uint64_t seen = 0;
	int last = -1;

	*count = 0;
	xf_for_each_bit (bit, mask) {
		assert_true(bit.n > last);
		last = bit.n;
		seen |= xf_mask(bit);
		++*count;
	}
	return seen;
}

static void test_for_each(void **state)
{
	const uint64_t masks[] = { 0, 1, XF_PKRU, 0x602e7, UINT64_C(1) << 63, ~UINT64_C(0) };

	(void)state;
	for (size_t i = 0; i < COUNT(masks); i++) {
		unsigned int count;

		assert_true(collect(masks[i], &count) == masks[i]);
		assert_int_equal(count, __builtin_popcountll(masks[i]));
	}
}

/* The loop is two loops in disguise: break leaves both, continue goes on. */
static void test_for_each_break(void **state)
{
	unsigned int bodies = 0;
	uint64_t kept = 0;

	(void)state;
	xf_for_each_bit (bit, 0x602e7) {
		bodies++;
		if (xf_mask(bit) == XF_SSE)
			continue;
		kept |= xf_mask(bit);
		if (xf_mask(bit) == XF_OPMASK)
			break;
	}
	assert_int_equal(bodies, 4);
	assert_true(kept == (XF_X87 | XF_AVX | XF_OPMASK));
}

/* Any count at any address: those bytes, and none beside them. */
static void test_bytes(void **state)
{
	unsigned char from[64], to[64], want[64];

	(void)state;
	for (size_t begin = 8; begin < 16; begin++) {
		for (size_t count = 0; count <= 32; count++) {
			for (size_t i = 0; i < sizeof(from); i++)
				from[i] = (unsigned char)(i + 1);
			memset(to, 0xcc, sizeof(to));
			memset(want, 0xcc, sizeof(want));
			memcpy(want + begin, from + 3, count);
			xf_copy_bytes(to + begin, from + 3, count);
			assert_memory_equal(to, want, sizeof(to));
			memset(want + begin, 0, count);
			xf_zero_bytes(to + begin, count);
			assert_memory_equal(to, want, sizeof(to));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number_and_mask),
		cmocka_unit_test(test_for_each),
		cmocka_unit_test(test_for_each_break),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
