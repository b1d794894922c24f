/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory and I/O that fail, at every single place: each is answered with the
 * error that says so, and nothing is lost (the sanitizers see that).
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support.h"

#include "state/qemu_wire.h"

/* ---- Calls that fail; the linker puts these before libc's ---- */

static unsigned int allocations_left, io_left; /* until one fails; 0: none does */
static bool slow;			       /* reads give little, or are interrupted */

static bool fails(unsigned int *left)
{
	return *left && --*left == 0;
}

#define WRAP(type, left, error, failed, name, parameters, arguments) \
	type __real_##name parameters;                               \
	type __wrap_##name parameters;                               \
	type __wrap_##name parameters                                \
	{                                                            \
		if (fails(left)) {                                   \
			errno = error;                               \
			return failed;                               \
		}                                                    \
		return __real_##name arguments;                      \
	}

#define WRAP_ALLOCATION(type, failed, name, parameters, arguments) \
	WRAP(type, &allocations_left, ENOMEM, failed, name, parameters, arguments)
#define WRAP_IO(type, name, parameters, arguments) \
	WRAP(type, &io_left, EIO, -1, name, parameters, arguments)

WRAP_ALLOCATION(void *, NULL, malloc, (size_t size), (size))
WRAP_ALLOCATION(void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP_ALLOCATION(void *, NULL, realloc, (void *p, size_t size), (p, size))
WRAP_ALLOCATION(void *, NULL, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP_ALLOCATION(char *, NULL, strdup, (const char *text), (text))
WRAP_ALLOCATION(char *, NULL, strndup, (const char *text, size_t n), (text, n))
WRAP_IO(int, fstat64, (int fd, struct stat *out), (fd, out))
WRAP_IO(off_t, lseek64, (int fd, off_t offset, int whence), (fd, offset, whence))

ssize_t __real_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);

/* Every other read is interrupted, the rest give a few bytes. */
static bool dawdle(size_t *size)
{
	static unsigned int turn;

	if (!slow)
		return false;
	*size = *size < 1000 ? *size : 1000 - turn % 7;
	errno = EINTR;
	return turn++ % 2;
}

ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset)
{
	if (fails(&io_left)) {
		errno = EIO;
		return -1;
	}
	return dawdle(&size) ? -1 : __real_pread64(fd, buffer, size, offset);
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
	if (fails(&io_left)) {
		errno = EIO;
		return -1;
	}
	return dawdle(&size) ? -1 : __real_read(fd, buffer, size);
}

/* ---- Streams for each way of reading ---- */

static void make_stream(struct synth *synth, enum xf_found_by found_by)
{
	struct bytes parts = { 0 };

	bytes_add_u8(&parts, XF_QEMU_SUBSECTION);
	bytes_add_name(&parts, "configuration/uuid");
	bytes_add_u32(&parts, 1);
	bytes_add(&parts, "0123456789abcdef", 16);
	synth->machine = "pc";
	synth_begin(synth, &parts);
	bytes_free(&parts);
	synth_ram(synth, 40, 40);
	for (unsigned int i = 0; i < 70; i++)
		synth_cpu(synth,
			  &(struct synth_cpu){ .instance = i, .xstate_bv = 7, .all = i == 3 });
	synth_eof(synth);
	if (found_by != XF_FOUND_SIGNATURE)
		synth_vmdesc(synth);
	if (found_by == XF_FOUND_WALK)
		bytes_add_u8(&synth->stream, 0);
}

static struct xf_error *open_piped(const struct bytes *bytes, struct xf_state **out)
{
	unsigned int allocations = allocations_left, io = io_left;
	char path[64];
	int ends[2];

	allocations_left = io_left = 0;
	assert_int_equal(pipe(ends), 0);

	pid_t pid = fork();

	if (pid == 0) {
		close(ends[0]);

		ssize_t n = write(ends[1], bytes->p, bytes->size);

		_exit(n != (ssize_t)bytes->size);
	}
	close(ends[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	allocations_left = allocations;
	io_left = io;

	struct xf_error *err = xf_state_open(path, NULL, out);

	close(ends[0]);
	waitpid(pid, NULL, 0);
	return err;
}

/* The n-th allocation or call of I/O fails, for each n there is. */
static void check_each(const struct bytes *bytes, bool piped, unsigned int *left,
		       enum xf_error_code code, size_t vcpus)
{
	struct file file = file_of(bytes->p, bytes->size);
	struct xf_state *state;
	struct xf_error *err;
	unsigned int n = 0;

	do {
		*left = ++n;
		err = piped ? open_piped(bytes, &state) : xf_state_open(file.path, NULL, &state);
		if (err) {
			assert_int_equal(*left, 0);
			assert_int_equal(err->code, code);
			xf_error_free(err);
		}
	} while (err);
	*left = 0;
	assert_true(n > 3);
	assert_int_equal(xf_state_vcpu_count(state), vcpus);
	xf_state_close(state);
	close(file.fd);
}

static void check_all(unsigned int *left, enum xf_error_code code)
{
	for (enum xf_found_by found_by = XF_FOUND_DESCRIPTION; found_by <= XF_FOUND_SIGNATURE;
	     found_by++) {
		struct synth synth = { 0 };

		make_stream(&synth, found_by);
		check_each(&synth.stream, false, left, code, 70);
		synth_free(&synth);
	}

	struct synth synth = { 0 };

	make_stream(&synth, XF_FOUND_DESCRIPTION);
	check_each(&synth.stream, true, left, code, 70);
	synth_free(&synth);
}

static void test_no_memory(void **unused)
{
	(void)unused;
	check_all(&allocations_left, XF_ERR_MEMORY);
}

static void test_io_errors(void **unused)
{
	(void)unused;
	check_all(&io_left, XF_ERR_IO);
}

static void test_slow_reads(void **unused)
{
	(void)unused;
	for (enum xf_found_by found_by = XF_FOUND_DESCRIPTION; found_by <= XF_FOUND_SIGNATURE;
	     found_by++) {
		struct synth synth = { 0 };
		struct xf_state *state;

		make_stream(&synth, found_by);
		slow = true;

		struct xf_error *err = open_bytes(synth.stream.p, synth.stream.size, &state);

		slow = false;
		assert_opened(err);
		assert_int_equal(xf_state_found_by(state), found_by);
		xf_state_close(state);
		synth_free(&synth);
	}
}

/* An error about a damaged stream can itself fail for want of memory. */
static void test_no_memory_for_errors(void **unused)
{
	struct synth synth = { 0 };

	(void)unused;
	make_stream(&synth, XF_FOUND_WALK);
	synth.stream.p[synth.ram_end + 20] ^= 1;

	struct file file = file_of(synth.stream.p, synth.stream.size);

	for (unsigned int n = 1;; n++) {
		struct xf_state *state;

		allocations_left = n;

		struct xf_error *err = xf_state_open(file.path, NULL, &state);
		bool failed = allocations_left == 0;

		allocations_left = 0;
		assert_non_null(err);
		assert_int_equal(err->code, failed ? XF_ERR_MEMORY : XF_ERR_DAMAGED);
		xf_error_free(err);
		if (!failed)
			break;
	}
	close(file.fd);
	synth_free(&synth);
}

/* Judging a state that has something to drop: the report and the edits of the file. */
static void check_judging(const struct bytes *bytes)
{
	struct xf_state *state;
	struct xf_report *report;
	unsigned int n = 0;
	struct xf_error *err;

	assert_opened(open_bytes(bytes->p, bytes->size, &state));
	do {
		allocations_left = ++n;
		err = xf_check(state, NULL, NULL, XF_ALL, &report);
		if (err)
			assert_int_equal(err->code, XF_ERR_MEMORY);
		xf_error_free(err);
	} while (err);
	allocations_left = 0;
	assert_true(n > 3 && report->edit_count);
	xf_report_free(report);
	xf_state_close(state);
}

static void test_other_vmms(void **unused)
{
	static const char *const made[] = { "firecracker-1.7", "firecracker-1.14",
					    "cloud-hypervisor-29", "cloud-hypervisor-53" };

	(void)unused;
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		struct bytes bytes = read_made(made[i]);
		struct xf_state *state;

		check_each(&bytes, false, &allocations_left, XF_ERR_MEMORY, 1);
		check_each(&bytes, false, &io_left, XF_ERR_IO, 1);
		check_judging(&bytes);
		slow = true;

		struct xf_error *err = open_bytes(bytes.p, bytes.size, &state);

		slow = false;
		assert_opened(err);
		xf_state_close(state);
		bytes_free(&bytes);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_io_errors),
		cmocka_unit_test(test_slow_reads), cmocka_unit_test(test_no_memory_for_errors),
		cmocka_unit_test(test_other_vmms),
	};

	return cmocka_run_group_tests_name("state-faults", tests, NULL, NULL);
}
