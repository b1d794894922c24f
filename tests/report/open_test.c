/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xf_state_open and xf_check on real streams, when memory or the system fails them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/report/failing.h"
#include "tests/report/synthetic.h"

static const char *const samples[] = {
	"clean-pc-qemu64.qevm",
	"leaky-q35-qemu64-smp2.qevm",
};

#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static char *path_of(const char *sample)
{
	const char *directory = getenv("XF_SAMPLES");
	char *path = NULL;

	assert_non_null(directory);
	assert_true(asprintf(&path, "%s/%s", directory, sample) > 0);
	return path;
}

static void without_memory(unsigned int n, void *data)
{
	struct xf_state *state = (struct xf_state *)data;
	struct xf_error *err = xf_state_open(data, NULL, &state);

	(void)n;
	if (allocation_failed()) {
		assert_error(err, XF_ERR_MEMORY, "out of memory");
		assert_ptr_equal(state, data);
		return;
	}
	assert_fine(err);
	xf_state_close(state);
}

static void no_memory(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < SAMPLES; i++) {
		char *path = path_of(samples[i]);

		assert_true(fail_each_allocation(without_memory, path) > 5);
		free(path);
	}
}

/* Puts a pipe with the whole sample, and behind it nothing, in the place of standard input. */
static void feed_stdin(const uint8_t *bytes, size_t size)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) >= (int)size);
	assert_int_equal(write(ends[1], bytes, size), size);
	close(ends[1]);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
}

struct sample {
	uint8_t *bytes;
	size_t size;
};

static void pipe_without_memory(unsigned int n, void *data)
{
	const struct sample *sample = data;
	struct xf_state *state;

	fail_allocation(0);
	feed_stdin(sample->bytes, sample->size);
	fail_allocation(n);

	struct xf_error *err = xf_state_open("-", NULL, &state);

	if (allocation_failed()) {
		assert_error(err, XF_ERR_MEMORY, "out of memory");
		return;
	}
	assert_fine(err);
	assert_int_equal(xf_state_found_by(state), XF_FOUND_WALK);
	xf_state_close(state);
}

static void no_memory_on_a_pipe(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < SAMPLES; i++) {
		char *path = path_of(samples[i]);
		struct sample sample;

		sample.bytes = read_file(path, &sample.size);
		assert_true(fail_each_allocation(pipe_without_memory, &sample) > 5);
		free(sample.bytes);
		free(path);
	}
}

static void any_call_fails(void **unused)
{
	static const enum failing_call calls[] = { CALL_PREAD, CALL_FSTAT, CALL_FCNTL, CALL_OPEN };

	(void)unused;
	for (size_t i = 0; i < SAMPLES * sizeof(calls) / sizeof(calls[0]); i++) {
		char *path = path_of(samples[i % SAMPLES]);

		for (unsigned int n = 1;; n++) {
			struct xf_state *state;

			fail_call(calls[i / SAMPLES], n, EIO);

			struct xf_error *err = xf_state_open(path, NULL, &state);
			bool failed = call_failed();

			fail_call(CALL_NONE, 0, 0);
			if (!failed) {
				assert_fine(err);
				assert_true(n > 1);
				xf_state_close(state);
				break;
			}
			assert_error(err, XF_ERR_IO, "Input/output error");
		}
		free(path);
	}
}

/* A read that a signal interrupts, or that gives less than was asked for, is gone on with. */
static void interrupted(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < SAMPLES; i++) {
		char *path = path_of(samples[i]);

		for (unsigned int n = 1; n < 12; n++) {
			struct xf_state *state;

			limit_transfers(1000);
			fail_call(CALL_PREAD, n, EINTR);
			assert_fine(xf_state_open(path, NULL, &state));
			limit_transfers(0);
			assert_int_equal(xf_state_vcpu(state, 0)->xcr0.value, 1);
			xf_state_close(state);
		}
		free(path);
	}
}

static void interrupted_on_a_pipe(void **unused)
{
	char *path = path_of(samples[1]);
	struct sample sample;

	(void)unused;
	sample.bytes = read_file(path, &sample.size);
	for (unsigned int n = 1; n < 12; n++) {
		struct xf_state *state;

		feed_stdin(sample.bytes, sample.size);
		limit_transfers(1000);
		fail_call(CALL_READ, n, EINTR);
		assert_fine(xf_state_open("-", NULL, &state));
		limit_transfers(0);
		assert_int_equal(xf_state_vcpu_count(state), 2);
		xf_state_close(state);

		feed_stdin(sample.bytes, sample.size);
		limit_transfers(1000);
		fail_call(CALL_READ, n, EIO);
		assert_error(xf_state_open("-", NULL, &state), XF_ERR_IO,
			     "standard input: read: Input/output error");
		limit_transfers(0);
	}
	free(sample.bytes);
	free(path);
}

static void check_without_memory(unsigned int n, void *data)
{
	static const struct xf_evidence evidence = { .guest = { XF_FPSSE, UINT64_MAX } };
	struct xf_report *report = NULL;
	struct xf_error *err = xf_check(data, &evidence, NULL, XF_ALL, &report);

	(void)n;
	if (allocation_failed()) {
		assert_error(err, XF_ERR_MEMORY, "out of memory");
		assert_null(report);
		return;
	}
	assert_fine(err);
	xf_report_free(report);
}

static void no_memory_to_check(void **unused)
{
	char *path = path_of(samples[1]);
	struct xf_state *state;

	(void)unused;
	assert_fine(xf_state_open(path, NULL, &state));
	assert_int_equal(fail_each_allocation(check_without_memory, state), 6);
	xf_state_close(state);
	free(path);
}

static void format_without_memory(unsigned int n, void *path)
{
	const char *format = "untouched";
	struct xf_error *err = xf_format_at(path, &format);

	(void)n;
	if (allocation_failed()) {
		assert_error(err, XF_ERR_MEMORY, "out of memory");
		assert_string_equal(format, "untouched");
		return;
	}
	assert_fine(err);
	assert_string_equal(format, "qemu");
}

/* By its first bytes alone: what is behind them is not looked at. */
static void format_of_a_file(void **unused)
{
	char *path = path_of(samples[0]);
	const char *format = "untouched";

	(void)unused;
	assert_true(fail_each_allocation(format_without_memory, path) > 1);
	free(path);
	/* A program, and a text. */
	assert_fine(xf_format_at("/proc/self/exe", &format));
	assert_null(format);
	format = "untouched";
	path = path_of("README.md");
	assert_fine(xf_format_at(path, &format));
	assert_null(format);
	free(path);
	format = "untouched";
	assert_error(xf_format_at("/dev/null", &format), XF_ERR_IO, "is a character device");
	assert_error(xf_format_at("/nonexistent", &format), XF_ERR_IO, "No such file");
	assert_error(xf_format_at("/dev", &format), XF_ERR_IO, "/dev: is a directory without");
	assert_string_equal(format, "untouched");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_memory),
		cmocka_unit_test(no_memory_on_a_pipe),
		cmocka_unit_test(any_call_fails),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(interrupted_on_a_pipe),
		cmocka_unit_test(no_memory_to_check),
		cmocka_unit_test(format_of_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
