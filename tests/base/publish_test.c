/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A new file appears whole or not at all, and never in the place of another. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/publish.h"
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
	place_clear(*data);
	free(*data);
	return 0;
}

static unsigned int files_in(const char *directory)
{
	DIR *d = opendir(directory);
	unsigned int count = 0;

	while (readdir(d))
		count++;
	closedir(d);
	return count - 2;
}

static struct xf_publish begin(const struct place *place)
{
	struct xf_publish publish;

	assert_fine(xf_publish_begin(place->path, 0640, &publish));
	assert_int_equal(write(publish.fd, "whole", 5), 5);
	return publish;
}

static void hold_whole(const struct place *place)
{
	struct stat st;

	assert_int_equal(files_in(place->directory), 1);
	assert_content(place->path, "whole", 5);
	assert_int_equal(stat(place->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_nlink, 1);
}

static void appears_when_committed(void **data)
{
	const struct place *place = *data;
	struct xf_publish publish = begin(place);

	assert_int_equal(files_in(place->directory), 0);
	assert_fine(xf_publish_commit(&publish));
	xf_publish_end(&publish);
	hold_whole(place);
}

static void not_committed_not_there(void **data)
{
	const struct place *place = *data;
	struct xf_publish publish = begin(place);

	xf_publish_end(&publish);
	assert_int_equal(files_in(place->directory), 0);
}

/* What file systems without O_TMPFILE answer: NFS, old FUSE, old kernels. */
static void without_tmpfile(void **data)
{
	static const int errors[] = { EOPNOTSUPP, EISDIR, EINVAL };
	const struct place *place = *data;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fail_call(CALL_OPEN, 1, errors[i]);

		struct xf_publish publish = begin(place);

		assert_true(call_failed());
		assert_int_equal(files_in(place->directory), 1);
		assert_false(is_there(place->path));
		xf_publish_end(&publish);
		assert_int_equal(files_in(place->directory), 0);

		fail_call(CALL_OPEN, 1, errors[i]);
		publish = begin(place);
		assert_fine(xf_publish_commit(&publish));
		xf_publish_end(&publish);
		hold_whole(place);
		assert_int_equal(unlink(place->path), 0);
	}
}

static void never_replaces(void **data)
{
	const struct place *place = *data;
	struct xf_publish publish = { .fd = 77 };

	write_file(place->path, "mine", 4);
	assert_error(xf_publish_begin(place->path, 0600, &publish), XF_ERR_REFUSED,
		     "exists already and is not overwritten");
	assert_int_equal(publish.fd, 77);
	assert_content(place->path, "mine", 4);
}

/* Somebody else was quicker, while ours was being written. */
static void never_replaces_a_late_comer(void **data)
{
	const struct place *place = *data;

	for (int tmpfile = 0; tmpfile < 2; tmpfile++) {
		if (!tmpfile)
			fail_call(CALL_OPEN, 1, EOPNOTSUPP);

		struct xf_publish publish = begin(place);

		write_file(place->path, "mine", 4);
		assert_error(xf_publish_commit(&publish), XF_ERR_REFUSED, "exists already");
		xf_publish_end(&publish);
		assert_content(place->path, "mine", 4);
		assert_int_equal(files_in(place->directory), 1);
		assert_int_equal(unlink(place->path), 0);
	}
}

static void hold_commit_fails(const struct place *place, enum failing_call call, bool tmpfile,
			      const char *part)
{
	if (!tmpfile)
		fail_call(CALL_OPEN, 1, EOPNOTSUPP);

	struct xf_publish publish = begin(place);

	fail_call(call, 1, EIO);
	assert_error(xf_publish_commit(&publish), XF_ERR_IO, part);
	xf_publish_end(&publish);
	assert_int_equal(files_in(place->directory), 0);
}

static void commit_fails(void **data)
{
	const struct place *place = *data;

	hold_commit_fails(place, CALL_FSYNC, true, "state: fsync: Input/output error");
	hold_commit_fails(place, CALL_FSYNC, false, "state: fsync: Input/output error");
	hold_commit_fails(place, CALL_LINKAT, true, "state: link: Input/output error");
	hold_commit_fails(place, CALL_LINK, false, "state: link: Input/output error");
	/* The directory cannot be made durable: then there is no such file. */
	hold_commit_fails(place, CALL_OPEN, true, "open: Input/output error");
}

static void directory_cannot_be_synced(void **data)
{
	const struct place *place = *data;
	struct xf_publish publish = begin(place);

	fail_call(CALL_FSYNC, 2, EIO);
	assert_error(xf_publish_commit(&publish), XF_ERR_IO, "fsync: Input/output error");
	xf_publish_end(&publish);
	assert_int_equal(files_in(place->directory), 0);

	/* Some file systems cannot, and have nothing to sync. */
	publish = begin(place);
	fail_call(CALL_FSYNC, 2, EINVAL);
	assert_fine(xf_publish_commit(&publish));
	xf_publish_end(&publish);
	hold_whole(place);
}

static void begin_fails(void **data)
{
	const struct place *place = *data;
	struct xf_publish publish = { .fd = 77 };

	fail_call(CALL_OPEN, 1, EACCES);
	assert_error(xf_publish_begin(place->path, 0600, &publish), XF_ERR_IO,
		     "create: Permission denied");
	assert_error(xf_publish_begin("/nonexistent/x", 0600, &publish), XF_ERR_IO,
		     "create: No such file or directory");
	assert_int_equal(publish.fd, 77);
}

/* What comes in the place of O_TMPFILE can fail, too. */
static void fallback_fails(void **data)
{
	const struct place *place = *data;
	struct xf_publish publish = { .fd = 77 };

	fail_call(CALL_OPEN, 1, EOPNOTSUPP);
	fail_call(CALL_MKOSTEMP, 1, EROFS);
	assert_error(xf_publish_begin(place->path, 0600, &publish), XF_ERR_IO,
		     "create: Read-only file system");
	fail_call(CALL_OPEN, 1, EOPNOTSUPP);
	fail_call(CALL_FCHMOD, 1, EPERM);
	assert_error(xf_publish_begin(place->path, 0600, &publish), XF_ERR_IO,
		     "set the mode: Operation not permitted");
	assert_int_equal(publish.fd, 77);
	assert_int_equal(files_in(place->directory), 0);
}

static void without_memory(unsigned int n, void *data)
{
	const struct place *place = data;
	struct xf_publish publish = { .fd = 77 };

	fail_call(CALL_OPEN, 1, EOPNOTSUPP);

	struct xf_error *err = xf_publish_begin(place->path, 0600, &publish);

	(void)n;
	if (allocation_failed()) {
		assert_error(err, XF_ERR_MEMORY, "out of memory");
		assert_int_equal(publish.fd, 77);
	} else {
		assert_fine(err);
		xf_publish_end(&publish);
	}
	assert_int_equal(files_in(place->directory), 0);
}

static void no_memory(void **data)
{
	assert_true(fail_each_allocation(without_memory, *data) >= 3);
}

static void plain_names(void **data)
{
	const struct place *place = *data;
	struct xf_publish publish;
	char *back = getcwd(NULL, 0);

	assert_int_equal(chdir(place->directory), 0);
	assert_fine(xf_publish_begin("state", 0640, &publish));
	assert_int_equal(write(publish.fd, "whole", 5), 5);
	assert_fine(xf_publish_commit(&publish));
	xf_publish_end(&publish);
	assert_int_equal(chdir(back), 0);
	free(back);
	hold_whole(place);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(appears_when_committed),
		TEST(not_committed_not_there),
		TEST(without_tmpfile),
		TEST(never_replaces),
		TEST(never_replaces_a_late_comer),
		TEST(commit_fails),
		TEST(directory_cannot_be_synced),
		TEST(begin_fails),
		TEST(fallback_fails),
		TEST(no_memory),
		TEST(plain_names),
	};

	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
