/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of host/ share. */
#ifndef XF_TESTS_HOST_SUPPORT_H
#define XF_TESTS_HOST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "xferry.h"

/* A file with this content; its name lives until the next call, the file until forget_file. */
static inline const char *make_file(const void *content, size_t size)
{
	static char path[32];

	strcpy(path, "test-XXXXXX");

	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, size), size);
	close(fd);
	return path;
}

static inline void forget_file(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

/* The error is of this kind, and one line with all these words in it. */
static inline void assert_error(struct xf_error *err, enum xf_error_code code, const char *words)
{
	assert_non_null(err);
	if (err->code != code || !strstr(err->text, words))
		fail_msg("error %d \"%s\", expected %d with \"%s\"", err->code, err->text, code,
			 words);
	assert_null(strchr(err->text, '\n'));
	xf_error_free(err);
}

static inline void assert_success(struct xf_error *err)
{
	if (err)
		fail_msg("%s", err->text);
}

#endif
