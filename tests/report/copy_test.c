/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xf_copy_all: every way to copy gives the same bytes, and holes stay holes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/copy.h"
#include "tests/report/failing.h"
#include "tests/report/synthetic.h"

#define MIB ((uint64_t)1 << 20)

/* ---- What the system is made to answer ---- */

enum range_answer {
	RANGE_REAL,
	RANGE_FAILS,	   /* with range_error, each time */
	RANGE_SHORT,	   /* 4096 bytes at a time */
	RANGE_NOTHING,	   /* 0, as /proc and some network file systems give it */
	RANGE_INTERRUPTED, /* EINTR, then as it should be */
	RANGE_CLAIMED,	   /* says that all is copied: for files too large to be copied here */
};

static enum range_answer range_answer;
static int range_error;
static unsigned int range_calls;
static bool clone_works;
static int seek_error; /* of SEEK_DATA and SEEK_HOLE */

ssize_t __real_copy_file_range(int from, loff_t *in, int to, loff_t *out, size_t size,
			       unsigned int flags);
ssize_t __wrap_copy_file_range(int from, loff_t *in, int to, loff_t *out, size_t size,
			       unsigned int flags);
ssize_t __wrap_copy_file_range(int from, loff_t *in, int to, loff_t *out, size_t size,
			       unsigned int flags)
{
	range_calls++;
	switch (range_answer) {
	case RANGE_REAL:
		break;
	case RANGE_FAILS:
		errno = range_error;
		return -1;
	case RANGE_SHORT:
		size = size < 4096 ? size : 4096;
		break;
	case RANGE_NOTHING:
		return 0;
	case RANGE_INTERRUPTED:
		if (range_calls % 2 == 0)
			break;
		errno = EINTR;
		return -1;
	case RANGE_CLAIMED:
		return (ssize_t)size;
	}
	return __real_copy_file_range(from, in, to, out, size, flags);
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	errno = EOPNOTSUPP;
	return clone_works ? 0 : -1;
}

off_t __real_lseek64(int fd, off_t offset, int whence);
off_t __wrap_lseek64(int fd, off_t offset, int whence);
off_t __wrap_lseek64(int fd, off_t offset, int whence)
{
	if (seek_error && (whence == SEEK_DATA || whence == SEEK_HOLE)) {
		errno = seek_error;
		return -1;
	}
	return __real_lseek64(fd, offset, whence);
}

/* ---- Fixture ---- */

struct fixture {
	struct place place;
	char copy[136];
	struct xf_input input;
	int to;
};

static int setup(void **data)
{
	struct fixture *f = calloc(1, sizeof(*f));

	place_init(&f->place);
	snprintf(f->copy, sizeof(f->copy), "%s/copy", f->place.directory);
	f->to = -1;
	f->input.fd = -1;
	*data = f;
	return 0;
}

static int teardown(void **data)
{
	struct fixture *f = *data;

	range_answer = RANGE_REAL;
	range_calls = 0;
	clone_works = false;
	seek_error = 0;
	fail_call(CALL_NONE, 0, 0);
	xf_input_close(&f->input);
	if (f->to >= 0)
		close(f->to);
	place_clear(&f->place);
	free(f);
	return 0;
}

/* A sparse file with some bytes at each of the offsets. */
static void make(struct fixture *f, uint64_t size, const uint64_t *offsets, size_t count)
{
	int fd = open(f->place.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	for (size_t i = 0; i < count; i++) {
		char text[32];
		int length = snprintf(text, sizeof(text), "data at %llu",
				      (unsigned long long)offsets[i]);

		assert_int_equal(pwrite(fd, text, (size_t)length, (off_t)offsets[i]), length);
	}
	close(fd);
	assert_fine(xf_input_open(f->place.path, NULL, &f->input));
	f->to = open(f->copy, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(f->to >= 0);
}

static const uint64_t small_offsets[] = { 0, 70000, 3 * MIB - 100 };

static void make_small(struct fixture *f)
{
	make(f, 3 * MIB, small_offsets, 3);
}

static void hold_same(const struct fixture *f)
{
	size_t size;
	uint8_t *bytes = read_file(f->place.path, &size);

	assert_content(f->copy, bytes, size);
	free(bytes);
}

static uint64_t blocks(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* ---- Tests ---- */

static void in_the_kernel(void **data)
{
	struct fixture *f = *data;

	make_small(f);
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
	assert_true(range_calls > 0);
	hold_same(f);
	assert_true(blocks(f->copy) <= blocks(f->place.path) + 65536);
}

static void in_small_pieces(void **data)
{
	struct fixture *f = *data;

	make_small(f);
	range_answer = RANGE_SHORT;
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
	hold_same(f);
}

static void with_interruptions(void **data)
{
	struct fixture *f = *data;

	make_small(f);
	range_answer = RANGE_INTERRUPTED;
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
	assert_true(range_calls > 1);
	hold_same(f);
}

/* Between two file systems, on old kernels, where seccomp forbids it: by hand. */
static void by_hand(void **data)
{
	static const int errors[] = { EXDEV, ENOSYS, EOPNOTSUPP, EINVAL, EPERM, EBADF };
	struct fixture *f = *data;

	make_small(f);
	range_answer = RANGE_FAILS;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		range_error = errors[i];
		range_calls = 0;
		assert_int_equal(ftruncate(f->to, 0), 0);
		assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
		/* It is not tried again for every stretch of data. */
		assert_int_equal(range_calls, 1);
		hold_same(f);
		assert_true(blocks(f->copy) <= blocks(f->place.path) + 65536);
	}
}

static void kernel_copies_nothing(void **data)
{
	struct fixture *f = *data;

	make_small(f);
	range_answer = RANGE_NOTHING;
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
	hold_same(f);
}

static void without_holes_to_see(void **data)
{
	struct fixture *f = *data;

	make_small(f);
	seek_error = EINVAL;
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
	hold_same(f);
}

static void disk_errors_are_told(void **data)
{
	static const struct {
		int error;
		const char *text;
	} errors[] = {
		{ ENOSPC, "No space left on device" },
		{ EDQUOT, "quota exceeded" },
		{ EIO, "Input/output error" },
	};
	struct fixture *f = *data;

	make_small(f);
	range_answer = RANGE_FAILS;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		range_error = errors[i].error;
		assert_error(xf_copy_all(&f->input, f->to, f->copy, NULL), XF_ERR_IO,
			     errors[i].text);
	}
	range_error = EXDEV;
	fail_call(CALL_PWRITE, 1, ENOSPC);
	assert_error(xf_copy_all(&f->input, f->to, f->copy, NULL), XF_ERR_IO, f->copy);
	fail_call(CALL_PREAD, 1, EIO);
	assert_error(xf_copy_all(&f->input, f->to, f->copy, NULL), XF_ERR_IO, f->place.path);
	fail_call(CALL_FTRUNCATE, 1, EFBIG);
	assert_error(xf_copy_all(&f->input, f->to, f->copy, NULL), XF_ERR_IO, "File too large");
	fail_allocation(1);
	assert_error(xf_copy_all(&f->input, f->to, f->copy, NULL), XF_ERR_MEMORY, "out of memory");
	fail_allocation(0);
}

static void nothing_to_copy(void **data)
{
	struct fixture *f = *data;

	make(f, 0, NULL, 0);
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
	hold_same(f);
}

static void nothing_but_a_hole(void **data)
{
	struct fixture *f = *data;

	make(f, 5 * MIB + 17, NULL, 0);
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
	assert_int_equal(range_calls, 0);
	hold_same(f);
	assert_int_equal(blocks(f->copy), 0);
}

/* 64 GiB of guest RAM, nearly all of it never touched. */
static void huge_and_sparse(void **data)
{
	static const uint64_t offsets[] = { 0, 3ULL << 30, (64ULL << 30) - 40 };
	struct fixture *f = *data;
	struct stat st;
	char text[64] = "";

	make(f, 64ULL << 30, offsets, 3);
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
	assert_int_equal(fstat(f->to, &st), 0);
	assert_int_equal(st.st_size, 64LL << 30);
	assert_true(blocks(f->copy) < MIB);
	assert_int_equal(pread(f->to, text, 18, 3LL << 30), 18);
	assert_string_equal(text, "data at 3221225472");
	assert_int_equal(pread(f->to, text, 19, (64LL << 30) - 40), 19);
	assert_string_equal(text, "data at 68719476696");
}

struct seen {
	uint64_t last;
	unsigned int calls;
	uint64_t total;
};

static void watch(void *data, uint64_t done, uint64_t total)
{
	struct seen *seen = data;

	assert_true(done >= seen->last);
	assert_true(done <= total);
	seen->last = done;
	seen->total = total;
	seen->calls++;
}

static void progress_is_told(void **data)
{
	struct fixture *f = *data;
	struct seen seen = { 0 };
	struct xf_progress progress = { watch, &seen };

	make(f, 1000 * MIB, NULL, 0);
	seek_error = EINVAL;
	range_answer = RANGE_CLAIMED;
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, &progress));
	assert_int_equal(seen.last, 1000 * MIB);
	assert_int_equal(seen.total, 1000 * MIB);
	assert_true(seen.calls >= 10);
}

static void clones_where_it_can(void **data)
{
	struct fixture *f = *data;

	make_small(f);
	clone_works = true;
	assert_fine(xf_copy_all(&f->input, f->to, f->copy, NULL));
	assert_int_equal(range_calls, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_the_kernel),	     TEST(in_small_pieces),
		TEST(with_interruptions),    TEST(by_hand),
		TEST(kernel_copies_nothing), TEST(without_holes_to_see),
		TEST(disk_errors_are_told),  TEST(nothing_to_copy),
		TEST(nothing_but_a_hole),    TEST(huge_and_sparse),
		TEST(progress_is_told),	     TEST(clones_where_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
