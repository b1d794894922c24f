/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The functions behind the wrappers: libc's, found at the first call. Built with
 * XF_WITHOUT_DLSYM they are the system calls alone, as where nothing can be looked up.
 */
#include "tests/core/test.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guard/next.h"

#define ERRNO 4711
#define SAME(a, b) ((void *)(a) == (void *)(b))

static int fd;

static int make(void **state)
{
	(void)state;
	fd = open("/dev/null", O_RDWR);
	return fd < 0;
}

static bool is_open(int number)
{
	return fcntl(number, F_GETFD) >= 0;
}

/* Each does what libc's does, the first time and again, and leaves errno where all is well. */
static void test_calls(void **state)
{
	int ends[2], size = -1;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "abc", 3), 3);
	for (int i = 0; i < 2; i++) {
		errno = ERRNO;

		int copy = XF_NEXT(dup)(fd);

		assert_true(copy > fd);
		assert_int_equal(XF_NEXT(dup2)(fd, 100), 100);
		assert_int_equal(XF_NEXT(dup3)(fd, 101, O_CLOEXEC), 101);
		assert_int_equal(XF_NEXT(fcntl)(101, F_GETFD, 0), FD_CLOEXEC);
		assert_int_equal(XF_NEXT(fcntl64)(fd, F_DUPFD_CLOEXEC, 102), 102 + i);
		assert_int_equal(XF_NEXT(ioctl)(ends[0], FIONREAD, &size), 0);
		assert_int_equal(size, 3);
		assert_int_equal(XF_NEXT(close)(copy), 0);
		assert_int_equal(errno, ERRNO);
		assert_false(is_open(copy));
	}
	errno = ERRNO;
	if (XF_NEXT(close_range)(100, 101, 0) == 0)
		assert_int_equal(errno, ERRNO);
	else
		assert_int_equal(errno, ENOSYS);
	assert_true(is_open(102));
	errno = ERRNO;
	XF_NEXT(closefrom)(100);
	assert_int_equal(errno, ERRNO);
	for (int number = 100; number < 104; number++)
		assert_false(is_open(number));
	assert_true(is_open(fd));
}

static void test_errors(void **state)
{
	(void)state;
	assert_int_equal(XF_NEXT(close)(-1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(XF_NEXT(ioctl)(fd, FIONREAD, NULL), -1);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(XF_NEXT(dup2)(-1, 100), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(XF_NEXT(dup3)(fd, fd, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(XF_NEXT(fcntl)(fd, -1, 0), -1);
	assert_int_equal(errno, EINVAL);
}

/* Those of libc where there is a dlsym, and none of them else. */
static void test_whose(void **state)
{
	(void)state;
	xf_next_find();

	bool found = SAME(xf_next.ioctl, dlsym(RTLD_NEXT, "ioctl"));

#ifdef XF_WITHOUT_DLSYM
	assert_false(found);
#else
	assert_true(found);
	assert_true(SAME(xf_next.close, dlsym(RTLD_NEXT, "close")));
	assert_true(SAME(xf_next.dup, dlsym(RTLD_NEXT, "dup")));
	assert_true(SAME(xf_next.dup2, dlsym(RTLD_NEXT, "dup2")));
	assert_true(SAME(xf_next.dup3, dlsym(RTLD_NEXT, "dup3")));
	assert_true(SAME(xf_next.fcntl, dlsym(RTLD_NEXT, "fcntl")));
	assert_true(SAME(xf_next.fcntl64, dlsym(RTLD_NEXT, "fcntl64")));
#endif
	test_calls(state);
	test_errors(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_whose),
	};

	return cmocka_run_group_tests(tests, make, NULL);
}
