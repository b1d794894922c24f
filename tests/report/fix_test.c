/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xf_fix_in_place and xf_fix_copy: what is written when, and what stops them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/edit.h"
#include "tests/report/failing.h"
#include "tests/report/synthetic.h"

#define SIZE 4096
#define LEAK (XF_FPSSE | XF_PKRU)

/* Two vCPUs: the first has a PKRU value of its own, the second ends with the file. */
struct fixture {
	struct place place;
	uint8_t before[SIZE];
	uint8_t after[SIZE];
	struct xf_state *state;
	struct xf_report *report;
};

static const struct xf_evidence evidence = { .guest = { XF_FPSSE, UINT64_MAX } };

static void put64(uint8_t *at, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> (56 - 8 * i));
}

static int setup(void **data)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct xf_vcpu vcpus[] = { vcpu_at(0, 0, LEAK, 1), vcpu_at(1, SIZE - 8, LEAK, 1) };

	vcpus[0].pkru = (struct xf_field){ 0x55555554, 40, 4 };
	place_init(&f->place);
	for (size_t i = 0; i < SIZE; i++)
		f->before[i] = (uint8_t)(i * 37 + i / 256);
	put64(f->before, LEAK);
	memcpy(f->before + 40, "\x55\x55\x55\x54", 4);
	put64(f->before + SIZE - 8, LEAK);
	memcpy(f->after, f->before, SIZE);
	put64(f->after, XF_FPSSE);
	memset(f->after + 40, 0, 4);
	put64(f->after + SIZE - 8, XF_FPSSE);
	write_file(f->place.path, f->before, SIZE);
	f->state = synthetic_file(f->place.path, vcpus, 2);
	assert_fine(xf_check(f->state, &evidence, NULL, XF_ALL, &f->report));
	assert_int_equal(f->report->edit_count, 3);
	*data = f;
	return 0;
}

static int teardown(void **data)
{
	struct fixture *f = *data;

	fail_call(CALL_NONE, 0, 0);
	fail_allocation(0);
	limit_transfers(0);
	xf_report_free(f->report);
	synthetic_free(f->state);
	place_clear(&f->place);
	free(f);
	return 0;
}

static void hold_untouched(const struct fixture *f)
{
	assert_content(f->place.path, f->before, SIZE);
	assert_false(is_there(f->place.undo));
}

static char *copy_path(const struct fixture *f, char *out, size_t size)
{
	snprintf(out, size, "%s/copy", f->place.directory);
	return out;
}

/* ---- In place ---- */

static void in_place_and_back(void **data)
{
	struct fixture *f = *data;
	struct xf_undo_result result = { 0 };

	assert_fine(xf_fix_in_place(f->state, f->report, NULL, NULL));
	assert_content(f->place.path, f->after, SIZE);
	assert_true(is_there(f->place.undo));
	assert_fine(xf_undo(f->place.undo, &result));
	assert_string_equal(result.path, f->place.path);
	assert_int_equal(result.edits, 3);
	free(result.path);
	hold_untouched(f);
}

static void byte_by_byte(void **data)
{
	struct fixture *f = *data;
	struct xf_undo_result result = { 0 };

	limit_transfers(1);
	assert_fine(xf_fix_in_place(f->state, f->report, NULL, NULL));
	assert_fine(xf_undo(f->place.undo, &result));
	free(result.path);
	limit_transfers(0);
	hold_untouched(f);
}

static void no_edits_no_undo_file(void **data)
{
	struct fixture *f = *data;
	size_t count = f->report->edit_count;

	f->report->edit_count = 0;
	assert_fine(xf_fix_in_place(f->state, f->report, NULL, NULL));
	f->report->edit_count = count;
	hold_untouched(f);
}

static void existing_undo_file(void **data)
{
	struct fixture *f = *data;

	write_file(f->place.undo, "mine", 4);
	assert_error(xf_fix_in_place(f->state, f->report, NULL, NULL), XF_ERR_REFUSED,
		     "exists already");
	assert_content(f->place.undo, "mine", 4);
	assert_content(f->place.path, f->before, SIZE);
}

/* A link that leads nowhere is a name that is taken, too. */
static void dangling_undo_link(void **data)
{
	struct fixture *f = *data;

	assert_int_equal(symlink("nowhere", f->place.undo), 0);
	assert_error(xf_fix_in_place(f->state, f->report, NULL, NULL), XF_ERR_REFUSED,
		     "exists already");
	assert_content(f->place.path, f->before, SIZE);
}

static void same_times(const char *path, const struct stat *st)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void changed_since(void **data)
{
	struct fixture *f = *data;
	char copy[160];

	f->before[1000] ^= 1;
	write_file(f->place.path, f->before, SIZE);
	assert_error(xf_fix_in_place(f->state, f->report, NULL, NULL), XF_ERR_REFUSED, "changed");
	assert_error(xf_fix_copy(f->state, f->report, copy_path(f, copy, sizeof(copy)), NULL),
		     XF_ERR_REFUSED, "changed");
	assert_false(is_there(copy));
	hold_untouched(f);
}

/* Times can lie, so the bytes themselves are compared last. */
static void changed_behind_its_times(void **data)
{
	struct fixture *f = *data;
	char copy[160];

	for (size_t i = 0; i < f->report->edit_count; i++) {
		uint8_t *byte = &f->before[f->report->edits[i].offset];

		*byte ^= 0x80;
		write_file(f->place.path, f->before, SIZE);
		same_times(f->place.path, &f->state->input.before);
		assert_error(xf_fix_in_place(f->state, f->report, NULL, NULL), XF_ERR_REFUSED,
			     "not those that were judged");
		assert_error(
			xf_fix_copy(f->state, f->report, copy_path(f, copy, sizeof(copy)), NULL),
			XF_ERR_REFUSED, "not those that were judged");
		assert_false(is_there(copy));
		hold_untouched(f);
		*byte ^= 0x80;
	}
}

static void shorter_by_now(void **data)
{
	struct fixture *f = *data;
	char copy[160];

	assert_int_equal(truncate(f->place.path, SIZE - 4), 0);
	assert_error(xf_fix_in_place(f->state, f->report, NULL, NULL), XF_ERR_REFUSED, "changed");
	assert_error(xf_fix_copy(f->state, f->report, copy_path(f, copy, sizeof(copy)), NULL),
		     XF_ERR_REFUSED, "changed");
	assert_false(is_there(copy));
}

static void replaced_since(void **data)
{
	struct fixture *f = *data;
	char other[160];

	snprintf(other, sizeof(other), "%s/other", f->place.directory);
	write_file(other, f->before, SIZE);
	assert_int_equal(rename(other, f->place.path), 0);
	assert_error(xf_fix_in_place(f->state, f->report, NULL, NULL), XF_ERR_REFUSED,
		     "another file");
	hold_untouched(f);
}

static void removed_since(void **data)
{
	struct fixture *f = *data;

	assert_int_equal(unlink(f->place.path), 0);
	assert_error(xf_fix_in_place(f->state, f->report, NULL, NULL), XF_ERR_IO, "No such file");
}

static void locked(void **data)
{
	struct fixture *f = *data;
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(f->place.path, O_RDWR | O_CLOEXEC);

	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	assert_error(xf_fix_in_place(f->state, f->report, NULL, NULL), XF_ERR_REFUSED, "locked");
	close(fd);
	hold_untouched(f);
}

/* How often it was asked whether the file may be repaired, and whether it was locked then. */
static unsigned int asked;

static struct xf_error *not_once_locked(const struct xf_state *state,
					const struct xf_report *report, bool locked)
{
	(void)report;
	assert_int_equal(locked, asked == 1);
	asked++;
	if (!locked)
		return NULL;

	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	assert_int_equal(fcntl(state->input.fd, F_OFD_GETLK, &lock), 0);
	assert_int_not_equal(lock.l_type, F_UNLCK);
	return xf_error_new(XF_ERR_REFUSED, state->name, "another has it by now");
}

static void asked_once_more_when_locked(void **data)
{
	struct fixture *f = *data;
	struct xf_format format = *f->state->format;

	asked = 0;
	format.may_fix = not_once_locked;
	f->state->format = &format;
	assert_error(xf_fix_in_place(f->state, f->report, NULL), XF_ERR_REFUSED,
		     "another has it by now");
	assert_int_equal(asked, 2);
	hold_untouched(f);
	f->state->format = &xf_format_qemu;
}

static void pipes_are_not_repaired(void **data)
{
	struct fixture *f = *data;
	char copy[160];

	f->state->input.seekable = false;
	assert_error(xf_fix_in_place(f->state, f->report, NULL, NULL), XF_ERR_USAGE, "a pipe");
	assert_error(xf_fix_copy(f->state, f->report, copy_path(f, copy, sizeof(copy)), NULL),
		     XF_ERR_USAGE, "a pipe");
	assert_false(is_there(copy));
	hold_untouched(f);
}

/*
 * Whatever fails, the file is as before, or is so again after an undo: at which
 * call of which kind it fails makes no difference.
 */
static void hold_reversible(struct fixture *f)
{
	struct xf_undo_result result = { 0 };

	if (is_there(f->place.undo)) {
		assert_fine(xf_undo(f->place.undo, &result));
		free(result.path);
	}
	hold_untouched(f);
	same_times(f->place.path, &f->state->input.before);
}

static void any_call_fails(void **data)
{
	static const enum failing_call calls[] = { CALL_PREAD,	   CALL_PWRITE, CALL_FSYNC,
						   CALL_FDATASYNC, CALL_FSTAT,	CALL_LINKAT,
						   CALL_OPEN };
	struct fixture *f = *data;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		for (unsigned int n = 1;; n++) {
			fail_call(calls[i], n, EIO);

			struct xf_error *err = xf_fix_in_place(f->state, f->report, NULL, NULL);
			bool failed = call_failed();

			fail_call(CALL_NONE, 0, 0);
			if (!failed) {
				assert_fine(err);
				assert_true(n > 1);
				hold_reversible(f);
				break;
			}
			assert_error(err, XF_ERR_IO, "Input/output error");
			hold_reversible(f);
		}
	}
}

static void signals_do_not_disturb(void **data)
{
	static const enum failing_call calls[] = { CALL_PREAD, CALL_PWRITE };
	struct fixture *f = *data;

	for (size_t i = 0; i < 2; i++) {
		for (unsigned int n = 1; n < 4; n++) {
			fail_call(calls[i], n, EINTR);
			assert_fine(xf_fix_in_place(f->state, f->report, NULL, NULL));
			assert_true(call_failed());
			assert_content(f->place.path, f->after, SIZE);
			hold_reversible(f);
		}
	}
}

static void fix_without_memory(unsigned int n, void *data)
{
	struct fixture *f = data;
	struct xf_error *err = xf_fix_in_place(f->state, f->report, NULL, NULL);

	(void)n;
	if (allocation_failed()) {
		assert_error(err, XF_ERR_MEMORY, "out of memory");
		hold_untouched(f);
		return;
	}
	assert_fine(err);
	hold_reversible(f);
}

static void no_memory(void **data)
{
	assert_true(fail_each_allocation(fix_without_memory, *data) > 3);
}

static void undo_without_memory(unsigned int n, void *data)
{
	struct fixture *f = data;
	struct xf_undo_result result = { 0 };
	struct xf_error *err = xf_undo(f->place.undo, &result);

	(void)n;
	if (!allocation_failed()) {
		assert_fine(err);
		free(result.path);
		return;
	}
	assert_error(err, XF_ERR_MEMORY, "out of memory");
	/* The last thing that wants memory is to make the removal durable. */
	if (!is_there(f->place.undo)) {
		hold_untouched(f);
		same_times(f->place.path, &f->state->input.before);
		assert_fine(xf_fix_in_place(f->state, f->report, NULL, NULL));
	}
}

static void no_memory_to_undo(void **data)
{
	struct fixture *f = *data;

	assert_fine(xf_fix_in_place(f->state, f->report, NULL, NULL));
	assert_true(fail_each_allocation(undo_without_memory, f) > 3);
	hold_untouched(f);
}

static void any_call_of_undo_fails(void **data)
{
	static const enum failing_call calls[] = { CALL_PREAD,	   CALL_READ,  CALL_PWRITE,
						   CALL_FSYNC,	   CALL_FSTAT, CALL_UNLINK,
						   CALL_FDATASYNC, CALL_OPEN };
	struct fixture *f = *data;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		assert_fine(xf_fix_in_place(f->state, f->report, NULL, NULL));
		for (unsigned int n = 1;; n++) {
			struct xf_undo_result result = { 0 };

			fail_call(calls[i], n, EIO);

			struct xf_error *err = xf_undo(f->place.undo, &result);
			bool failed = call_failed();

			fail_call(CALL_NONE, 0, 0);
			if (!failed && !err) {
				free(result.path);
				break;
			}
			if (failed)
				assert_error(err, XF_ERR_IO, "Input/output error");
			else /* the directory could not be synced, so it was done already */
				assert_error(err, XF_ERR_IO, "No such file");
			if (!is_there(f->place.undo))
				break;
		}
		hold_untouched(f);
		same_times(f->place.path, &f->state->input.before);
	}
}

/* ---- A copy ---- */

static void copy_is_repaired(void **data)
{
	struct fixture *f = *data;
	char copy[160];
	struct stat st;

	assert_int_equal(chmod(f->place.path, 0640), 0);
	assert_int_equal(fstat(f->state->input.fd, &f->state->input.before), 0);
	assert_fine(xf_fix_copy(f->state, f->report, copy_path(f, copy, sizeof(copy)), NULL));
	assert_content(copy, f->after, SIZE);
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	hold_untouched(f);
}

static void copy_never_replaces(void **data)
{
	struct fixture *f = *data;
	char copy[160];

	write_file(copy_path(f, copy, sizeof(copy)), "mine", 4);
	assert_error(xf_fix_copy(f->state, f->report, copy, NULL), XF_ERR_REFUSED,
		     "exists already");
	assert_content(copy, "mine", 4);
	assert_error(xf_fix_copy(f->state, f->report, f->place.path, NULL), XF_ERR_REFUSED,
		     "exists already");
	hold_untouched(f);
}

static void any_call_of_copy_fails(void **data)
{
	static const enum failing_call calls[] = { CALL_PREAD,	   CALL_PWRITE, CALL_FSYNC,
						   CALL_FTRUNCATE, CALL_LINKAT, CALL_OPEN };
	struct fixture *f = *data;
	char copy[160];

	copy_path(f, copy, sizeof(copy));
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		for (unsigned int n = 1;; n++) {
			fail_call(calls[i], n, ENOSPC);

			struct xf_error *err = xf_fix_copy(f->state, f->report, copy, NULL);
			bool failed = call_failed();

			fail_call(CALL_NONE, 0, 0);
			hold_untouched(f);
			if (!failed) {
				assert_fine(err);
				assert_true(n > 1);
				assert_int_equal(unlink(copy), 0);
				break;
			}
			assert_error(err, XF_ERR_IO, "No space left on device");
			assert_false(is_there(copy));
		}
	}
}

static void copy_without_memory(unsigned int n, void *data)
{
	struct fixture *f = data;
	char copy[160];
	struct xf_error *err =
		xf_fix_copy(f->state, f->report, copy_path(f, copy, sizeof(copy)), NULL);

	(void)n;
	if (!allocation_failed())
		assert_fine(err);
	else
		assert_error(err, XF_ERR_MEMORY, "out of memory");
	if (is_there(copy)) {
		assert_content(copy, f->after, SIZE);
		assert_int_equal(unlink(copy), 0);
	}
	hold_untouched(f);
}

static void no_memory_to_copy(void **data)
{
	assert_true(fail_each_allocation(copy_without_memory, *data) > 3);
}

/* ---- The edits themselves ---- */

static void edits_of_one_vcpu(void **unused)
{
	struct xf_vcpu vcpu = vcpu_at(0, 1000, LEAK | XF_AVX, 1);
	struct xf_edit edits[XF_EDITS_PER_VCPU];

	(void)unused;
	assert_int_equal(xf_edits_of_vcpu(&vcpu, 0, edits), 0);
	assert_int_equal(xf_edits_of_vcpu(&vcpu, XF_PKRU, edits), 1);
	assert_int_equal(edits[0].offset, 1000);
	assert_int_equal(edits[0].length, 8);
	assert_memory_equal(edits[0].old_bytes, "\0\0\0\0\0\0\2\7", 8);
	assert_memory_equal(edits[0].new_bytes, "\0\0\0\0\0\0\0\7", 8);

	vcpu.pkru = (struct xf_field){ 0x55555554, 2000, 4 };
	assert_int_equal(xf_edits_of_vcpu(&vcpu, XF_AVX, edits), 1);
	assert_int_equal(xf_edits_of_vcpu(&vcpu, XF_PKRU | XF_AVX, edits), 2);
	assert_memory_equal(edits[0].new_bytes, "\0\0\0\0\0\0\0\3", 8);
	assert_int_equal(edits[1].offset, 2000);
	assert_int_equal(edits[1].length, 4);
	assert_memory_equal(edits[1].old_bytes, "\x55\x55\x55\x54", 4);
	assert_memory_equal(edits[1].new_bytes, "\0\0\0\0", 4);

	/* There already, but 0: nothing to write. */
	vcpu.pkru.value = 0;
	assert_int_equal(xf_edits_of_vcpu(&vcpu, XF_PKRU, edits), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_place_and_back),
		TEST(byte_by_byte),
		TEST(no_edits_no_undo_file),
		TEST(existing_undo_file),
		TEST(dangling_undo_link),
		TEST(changed_since),
		TEST(changed_behind_its_times),
		TEST(shorter_by_now),
		TEST(replaced_since),
		TEST(removed_since),
		TEST(locked),
		TEST(asked_once_more_when_locked),
		TEST(pipes_are_not_repaired),
		TEST(any_call_fails),
		TEST(signals_do_not_disturb),
		TEST(no_memory),
		TEST(no_memory_to_undo),
		TEST(any_call_of_undo_fails),
		TEST(copy_is_repaired),
		TEST(copy_never_replaces),
		TEST(any_call_of_copy_fails),
		TEST(no_memory_to_copy),
		cmocka_unit_test(edits_of_one_vcpu),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
