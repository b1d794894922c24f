/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that cannot be read is told from memory that can, and nothing is changed. */
#include "tests/core/test.h"

#include <signal.h>
#include <sys/mman.h>

#include "guard/readable.h"

#define PAGE 4096

/* Three pages, of which the middle one is as `protection` has it. */
static unsigned char *map(int protection)
{
	unsigned char *pages =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(pages, MAP_FAILED);
	if (protection < 0)
		assert_int_equal(munmap(pages + PAGE, PAGE), 0);
	else
		assert_int_equal(mprotect(pages + PAGE, PAGE, protection), 0);
	return pages;
}

static void test_addresses(void **state)
{
	static const uintptr_t bad[] = { 0,
					 1,
					 8,
					 4095,
					 4096,
					 UINTPTR_MAX,
					 UINTPTR_MAX - 7,
					 UINTPTR_MAX - 8,
					 (uintptr_t)1 << 63,
					 (uintptr_t)1 << 47,
					 0xdead000000000000 };
	unsigned char bytes[16] = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_false(xf_is_readable((void *)bad[i], 8));
		assert_false(xf_is_readable((void *)bad[i], 4096));
	}
	for (size_t i = 0; i < 8; i++)
		assert_true(xf_is_readable(bytes + i, 8));
	assert_true(xf_is_readable("a text that is read only", 24));
	assert_false(xf_is_readable(bytes, 7));
	assert_false(xf_is_readable(bytes, SIZE_MAX));
}

/* To the last byte before a page that cannot be read, and from the first behind it. */
static void check_hole(int protection)
{
	unsigned char *pages = map(protection);

	assert_true(xf_is_readable(pages, PAGE));
	assert_true(xf_is_readable(pages + PAGE - 8, 8));
	assert_true(xf_is_readable(pages + PAGE - 9, 9));
	for (size_t i = 1; i < 8; i++) {
		assert_false(xf_is_readable(pages + PAGE - 8 + i, 8));
		assert_false(xf_is_readable(pages + 2 * PAGE - i, 8));
	}
	assert_false(xf_is_readable(pages + PAGE - 8, 9));
	assert_false(xf_is_readable(pages + PAGE, 8));
	assert_false(xf_is_readable(pages + 1, PAGE));
	assert_false(xf_is_readable(pages, 3 * PAGE));
	assert_true(xf_is_readable(pages + 2 * PAGE, PAGE));
	munmap(pages, 3 * PAGE);
}

static void test_holes(void **state)
{
	(void)state;
	check_hole(-1);
	check_hole(PROT_NONE);
}

/* What is not even there yet, but may be read: the kernel brings it in. */
static void test_untouched(void **state)
{
	unsigned char *pages = map(PROT_READ);

	(void)state;
	assert_true(xf_is_readable(pages, 3 * PAGE));
	munmap(pages, 3 * PAGE);
}

static void test_nothing_changes(void **state)
{
	unsigned char mask[4096];
	sigset_t before, after;

	(void)state;
	sigprocmask(SIG_SETMASK, NULL, &before);
	memset(mask, 0xff, sizeof(mask));
	assert_true(xf_is_readable(mask, sizeof(mask)));
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int signal = 1; signal < 32; signal++)
		assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
	for (size_t i = 0; i < sizeof(mask); i++)
		assert_int_equal(mask[i], 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_nothing_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
