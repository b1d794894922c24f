/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "tests/report/failing.h"
#include "tests/report/synthetic.h"

static void text_has_its_place(void **unused)
{
	struct xf_error *err = xf_error_at(XF_ERR_DAMAGED, "a file", 4096, "%d of %s", 7, "it");

	(void)unused;
	assert_int_equal(err->code, XF_ERR_DAMAGED);
	assert_string_equal(err->file, "a file");
	assert_int_equal(err->offset, 4096);
	assert_string_equal(err->text, "a file: at byte 4096: 7 of it");
	xf_error_free(err);

	err = xf_error_at(XF_ERR_DAMAGED, "a file", 0, "its start");
	assert_string_equal(err->text, "a file: at byte 0: its start");
	xf_error_free(err);

	err = xf_error_new(XF_ERR_FORMAT, "a file", "is strange");
	assert_string_equal(err->text, "a file: is strange");
	assert_int_equal(err->offset, XF_NO_OFFSET);
	xf_error_free(err);

	err = xf_error_new(XF_ERR_USAGE, NULL, "what?");
	assert_null(err->file);
	assert_string_equal(err->text, "what?");
	xf_error_free(err);
}

/* A name from a hostile file, or of one: no new line, no escape sequence reaches a terminal. */
static void control_characters(void **unused)
{
	char all[256];
	struct xf_error *err;

	(void)unused;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	err = xf_error_new(XF_ERR_DAMAGED, "a\nb\x1b[2J", "%s", all);
	assert_string_equal(err->file, "a\nb\x1b[2J");
	for (const unsigned char *p = (const unsigned char *)err->text; *p; p++)
		assert_true(*p >= ' ' && *p != 0x7f);
	assert_int_equal(strlen(err->text), strlen("a?b?[2J: ") + 255);
	assert_memory_equal(err->text, "a?b?[2J: ????????", 17);
	xf_error_free(err);

	/* U+009B steers a terminal as well; U+00E4 does not. */
	err = xf_error_new(XF_ERR_DAMAGED, NULL, "a\xc2\x9b\xc3\xa4");
	assert_string_equal(err->text, "a??\xc3\xa4");
	xf_error_free(err);
}

static void errno_is_told(void **unused)
{
	struct xf_error *err;

	(void)unused;
	errno = ENOENT;
	err = xf_error_errno("a file", "open");
	assert_int_equal(err->code, XF_ERR_IO);
	assert_string_equal(err->text, "a file: open: No such file or directory");
	xf_error_free(err);

	errno = ENOMEM;
	err = xf_error_errno("a file", "open");
	assert_int_equal(err->code, XF_ERR_MEMORY);
	xf_error_free(err);
}

static void without_memory(unsigned int n, void *data)
{
	struct xf_error *err = xf_error_at(XF_ERR_DAMAGED, "a file", 7, "%s", "something");

	(void)n;
	(void)data;
	assert_non_null(err);
	if (allocation_failed())
		assert_error(err, XF_ERR_MEMORY, "out of memory");
	else
		assert_error(err, XF_ERR_DAMAGED, "a file: at byte 7: something");
}

static void no_memory(void **unused)
{
	(void)unused;
	assert_int_equal(fail_each_allocation(without_memory, NULL), 5);
}

/* Frees what is no allocation and what is nothing. */
static void freed_twice_over(void **unused)
{
	struct xf_error *err = xf_error_memory();

	(void)unused;
	assert_int_equal(err->code, XF_ERR_MEMORY);
	assert_int_equal(err->offset, XF_NO_OFFSET);
	xf_error_free(err);
	xf_error_free(err);
	assert_string_equal(err->text, "out of memory");
	xf_error_free(NULL);
}

static struct xf_error *tries(struct xf_error *err, int *reached)
{
	XF_TRY(NULL);
	XF_TRY(err);
	*reached = 1;
	return NULL;
}

static void try_returns(void **unused)
{
	int reached = 0;

	(void)unused;
	assert_ptr_equal(tries(xf_error_memory(), &reached), xf_error_memory());
	assert_int_equal(reached, 0);
	assert_null(tries(NULL, &reached));
	assert_int_equal(reached, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_has_its_place), cmocka_unit_test(control_characters),
		cmocka_unit_test(errno_is_told),      cmocka_unit_test(no_memory),
		cmocka_unit_test(freed_twice_over),   cmocka_unit_test(try_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
