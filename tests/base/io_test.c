/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exact reading and writing, numbers in bytes, small files read whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/scope.h"
#include "tests/report/failing.h"
#include "tests/report/synthetic.h"

static int setup(void **data)
{
	struct place *place = calloc(1, sizeof(*place));

	place_init(place);
	*data = place;
	return 0;
}

static int teardown(void **data)
{
	fail_call(CALL_NONE, 0, 0);
	limit_transfers(0);
	place_clear(*data);
	free(*data);
	return 0;
}

static void exact_reads(void **data)
{
	struct place *place = *data;
	char buffer[16] = "";

	write_file(place->path, "0123456789", 10);

	int fd = open(place->path, O_RDONLY | O_CLOEXEC);

	assert_fine(xf_read_at(fd, place->path, 2, buffer, 8));
	assert_string_equal(buffer, "23456789");
	limit_transfers(3);
	assert_fine(xf_read_at(fd, place->path, 0, buffer, 10));
	assert_memory_equal(buffer, "0123456789", 10);
	assert_error(xf_read_at(fd, place->path, 5, buffer, 9), XF_ERR_DAMAGED,
		     "state: at byte 10: the file ends here, 4 more bytes were expected");
	assert_error(xf_read_at(fd, place->path, 1000, buffer, 1), XF_ERR_DAMAGED, "at byte 1000");
	assert_fine(xf_read_at(fd, place->path, 1000, buffer, 0));
	fail_call(CALL_PREAD, 2, EINTR);
	assert_fine(xf_read_at(fd, place->path, 0, buffer, 10));
	fail_call(CALL_PREAD, 2, EIO);
	assert_error(xf_read_at(fd, place->path, 0, buffer, 10), XF_ERR_IO,
		     "read: Input/output error");
	close(fd);
}

static void exact_writes(void **data)
{
	struct place *place = *data;

	write_file(place->path, "0123456789", 10);

	int fd = open(place->path, O_RDWR | O_CLOEXEC);

	limit_transfers(1);
	fail_call(CALL_PWRITE, 2, EINTR);
	assert_fine(xf_write_at(fd, place->path, 3, "abc", 3));
	limit_transfers(0);
	assert_content(place->path, "012abc6789", 10);
	fail_call(CALL_PWRITE, 1, ENOSPC);
	assert_error(xf_write_at(fd, place->path, 3, "xyz", 3), XF_ERR_IO,
		     "write: No space left on device");
	assert_content(place->path, "012abc6789", 10);
	close(fd);
}

static void small_texts(void **data)
{
	struct place *place = *data;
	char *text = NULL;
	size_t size = 77;

	write_file(place->path, "", 0);
	assert_fine(xf_read_text(place->path, 100, &text, &size));
	assert_int_equal(size, 0);
	assert_string_equal(text, "");
	free(text);

	write_file(place->path, "a\0b", 3);
	assert_fine(xf_read_text(place->path, 3, &text, &size));
	assert_int_equal(size, 3);
	assert_memory_equal(text, "a\0b\0", 4);
	free(text);

	text = NULL;
	size = 77;
	assert_error(xf_read_text(place->path, 2, &text, &size), XF_ERR_DAMAGED,
		     "larger than the 2 bytes");
	assert_error(xf_read_text(place->directory, 2, &text, &size), XF_ERR_IO, "Is a directory");
	assert_error(xf_read_text(place->undo, 2, &text, &size), XF_ERR_IO, "No such file");
	assert_error(xf_read_text("/dev/zero", 100000, &text, &size), XF_ERR_DAMAGED,
		     "larger than the 100000 bytes");
	assert_null(text);
	assert_int_equal(size, 77);
}

/* Larger than the first room, up to exactly what is allowed. */
static void larger_texts(void **data)
{
	struct place *place = *data;
	static const size_t sizes[] = { 16382, 16383, 16384, 16385, 65535, 65536, 100000 };
	char *bytes = malloc(100000);

	for (size_t i = 0; i < 100000; i++)
		bytes[i] = (char)(i * 7 + i / 256);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *text;
		size_t size;

		write_file(place->path, bytes, sizes[i]);
		assert_fine(xf_read_text(place->path, sizes[i], &text, &size));
		assert_int_equal(size, sizes[i]);
		assert_memory_equal(text, bytes, size);
		assert_int_equal(text[size], '\0');
		free(text);
		assert_error(xf_read_text(place->path, sizes[i] - 1, &text, &size), XF_ERR_DAMAGED,
			     "larger than");
	}
	free(bytes);
}

static void text_from_pipes(void **data)
{
	struct place *place = *data;
	char *text, name[32];
	size_t size;
	int ends[2];

	/* Nobody has it open for writing: an empty file, and no waiting for ever. */
	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_fine(xf_read_text(place->path, 100, &text, &size));
	assert_int_equal(size, 0);
	free(text);

	/* As "<(cpuid -1r)" gives it. */
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "told", 4), 4);
	close(ends[1]);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[0]);
	assert_fine(xf_read_text(name, 100, &text, &size));
	assert_string_equal(text, "told");
	free(text);
	close(ends[0]);
}

static void texts_that_cannot_be_read(void **data)
{
	struct place *place = *data;
	char *text;
	size_t size;

	write_file(place->path, "0123456789", 10);
	fail_call(CALL_READ, 1, EIO);
	assert_error(xf_read_text(place->path, 100, &text, &size), XF_ERR_IO, "read: Input");
	fail_call(CALL_READ, 1, EINTR);
	assert_fine(xf_read_text(place->path, 100, &text, &size));
	free(text);
	for (unsigned int n = 1; n < 3; n++) {
		fail_call(CALL_FCNTL, n, EINVAL);
		assert_error(xf_read_text(place->path, 100, &text, &size), XF_ERR_IO,
			     "open: Invalid");
	}
	fail_allocation(1);
	assert_error(xf_read_text(place->path, 100, &text, &size), XF_ERR_MEMORY, "out of memory");
	fail_allocation(0);
}

static void big_endian(void **unused)
{
	const uint8_t bytes[] = { 0xff, 0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8 };
	uint8_t out[9] = { 0 };

	(void)unused;
	assert_int_equal(xf_be16(bytes + 1), 0x8192);
	assert_int_equal(xf_be32(bytes + 1), 0x8192a3b4);
	assert_true(xf_be64(bytes + 1) == 0x8192a3b4c5d6e7f8);
	xf_put_be64(out + 1, 0x8192a3b4c5d6e7f8);
	assert_memory_equal(out + 1, bytes + 1, 8);
	assert_int_equal(out[0], 0);
}

static void scope_guards(void **unused)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char *one = strdup("one");
	char *taken;

	(void)unused;
	{
		XF_AUTO_CLOSE int guarded = fd;
		XF_AUTO_CLOSE int none = -1;
		XF_AUTO_FREE char *freed = strdup("freed");
		XF_AUTO_FREE char *kept = one;

		assert_non_null(freed);
		assert_int_equal(none, -1);
		assert_int_equal(guarded, fd);
		taken = xf_take(kept);
		assert_null(kept);
	}
	assert_string_equal(taken, "one");
	free(taken);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void version(void **unused)
{
	unsigned int major, minor, patch;

	(void)unused;
	assert_int_equal(sscanf(xf_version(), "%u.%u.%u", &major, &minor, &patch), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exact_reads),
		TEST(exact_writes),
		TEST(small_texts),
		TEST(larger_texts),
		TEST(text_from_pipes),
		TEST(texts_that_cannot_be_read),
		cmocka_unit_test(big_endian),
		cmocka_unit_test(scope_guards),
		cmocka_unit_test(version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
