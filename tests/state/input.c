/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be opened, and how: files, pipes, and what is neither. */
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "support.h"

/* A directory of the test's own. */
static char dir[] = "/tmp/xferry-input-XXXXXX";

static int make_dir(void **unused)
{
	(void)unused;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **unused)
{
	(void)unused;
	return rmdir(dir);
}

struct path {
	char text[128];
};

static struct path in_dir(const char *name)
{
	struct path path;

	snprintf(path.text, sizeof(path.text), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *path, const struct bytes *bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes->p, bytes->size), (ssize_t)bytes->size);
	close(fd);
}

static void test_nothing_there(void **unused)
{
	struct path path = in_dir("none");
	struct xf_state *state;

	(void)unused;
	assert_refused(xf_state_open(path.text, NULL, &state), XF_ERR_IO, "No such file");
}

static void test_directory(void **unused)
{
	struct xf_state *state;

	(void)unused;
	assert_refused(xf_state_open(dir, NULL, &state), XF_ERR_IO, "is a directory");
}

static void test_character_device(void **unused)
{
	struct xf_state *state;

	(void)unused;
	assert_refused(xf_state_open("/dev/zero", NULL, &state), XF_ERR_IO, "a character device");
}

static void test_socket(void **unused)
{
	struct path path = in_dir("socket");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct xf_state *state;

	(void)unused;
	assert_true(strlen(path.text) < sizeof(address.sun_path));
	strcpy(address.sun_path, path.text);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_refused(xf_state_open(path.text, NULL, &state), XF_ERR_IO, "open");
	close(fd);
	unlink(path.text);
}

static void test_not_permitted(void **unused)
{
	struct path path = in_dir("secret");
	struct bytes bytes = { 0 };
	struct xf_state *state;

	(void)unused;
	write_file(path.text, &bytes);
	chmod(path.text, 0);
	if (access(path.text, R_OK) == 0) {
		unlink(path.text);
		skip(); /* root reads everything */
	}
	assert_refused(xf_state_open(path.text, NULL, &state), XF_ERR_IO, "Permission denied");
	unlink(path.text);
}

static void test_empty(void **unused)
{
	struct xf_state *state;

	(void)unused;
	assert_refused(open_bytes("", 0, &state), XF_ERR_DAMAGED, "is empty");
}

static void test_fifo_without_writer(void **unused)
{
	struct path path = in_dir("fifo");
	struct xf_state *state;

	(void)unused;
	assert_int_equal(mkfifo(path.text, 0600), 0);
	assert_refused(xf_state_open(path.text, NULL, &state), XF_ERR_IO,
		       "a FIFO that nobody writes to");
	unlink(path.text);
}

/* ---- Pipes ---- */

/* Starts a process that writes `bytes` to `fd`, or to the FIFO `path` a moment later. */
static pid_t start_writer(const struct bytes *bytes, int fd, const char *path, size_t piece)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	if (path) {
		usleep(200 * 1000);
		fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	for (size_t at = 0; at < bytes->size; at += piece) {
		size_t size = bytes->size - at < piece ? bytes->size - at : piece;

		if (write(fd, bytes->p + at, size) != (ssize_t)size)
			_exit(1);
	}
	_exit(0);
}

static void assert_like_file(const struct bytes *bytes, struct xf_error *err,
			     struct xf_state *piped, enum xf_found_by found_by)
{
	struct xf_state *state;

	assert_opened(err);
	assert_opened(open_bytes(bytes->p, bytes->size, &state));
	assert_true(same_vcpus(state, piped));
	assert_string_equal(xf_state_machine(state), xf_state_machine(piped));
	assert_int_equal(xf_state_found_by(piped), found_by);
	xf_state_close(state);
	xf_state_close(piped);
}

static void check_pipe(const char *sample, size_t piece, size_t cut)
{
	struct bytes bytes = read_sample(sample);
	struct xf_state *state;
	char path[64];
	int ends[2];

	bytes.size -= cut;
	assert_int_equal(pipe(ends), 0);

	pid_t pid = start_writer(&bytes, ends[1], NULL, piece);

	close(ends[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);

	struct xf_error *err = xf_state_open(path, NULL, &state);

	close(ends[0]);
	if (cut)
		assert_refused(err, XF_ERR_DAMAGED, "ends here");
	else
		assert_like_file(&bytes, err, state, XF_FOUND_WALK);
	waitpid(pid, NULL, 0);
	bytes_free(&bytes);
}

static void test_pipe(void **unused)
{
	(void)unused;
	check_pipe("leaky-pc-qemu64.qevm", 65536, 0);
	check_pipe("leaky-q35-qemu64-smp2.qevm", 1, 0);
	check_pipe("tcg-pc-max-pkru.qevm", 4099, 0);
	check_pipe("leaky-pc-qemu64.qevm", 65536, 1);
	check_pipe("leaky-pc-qemu64.qevm", 65536, 150000);
}

static void test_fifo(void **unused)
{
	struct bytes bytes = read_sample("leaky-pc-qemu64.qevm");
	struct path path = in_dir("fifo");
	struct xf_state *state;

	(void)unused;
	assert_int_equal(mkfifo(path.text, 0600), 0);

	pid_t pid = start_writer(&bytes, -1, path.text, 65536);
	struct xf_error *err = xf_state_open(path.text, NULL, &state);

	assert_like_file(&bytes, err, state, XF_FOUND_WALK);
	waitpid(pid, NULL, 0);
	unlink(path.text);
	bytes_free(&bytes);
}

/* "-" opens standard input: a file from its start is read like a file, else like a pipe. */
static void check_stdin(size_t before, enum xf_found_by found_by)
{
	struct bytes bytes = read_sample("leaky-pc-qemu64.qevm");
	struct bytes all = { 0 };
	struct xf_state *state;
	int old = dup(STDIN_FILENO);

	bytes_add_zeros(&all, before);
	bytes_add(&all, bytes.p, bytes.size);

	struct file file = file_of(all.p, all.size);

	lseek(file.fd, (off_t)before, SEEK_SET);
	dup2(file.fd, STDIN_FILENO);

	struct xf_error *err = xf_state_open("-", NULL, &state);

	dup2(old, STDIN_FILENO);
	close(old);
	assert_opened(err);
	assert_string_equal(xf_state_path(state), "standard input");
	assert_like_file(&bytes, err, state, found_by);
	close(file.fd);
	bytes_free(&all);
	bytes_free(&bytes);
}

static void test_stdin(void **unused)
{
	struct xf_state *state;
	int old = dup(STDIN_FILENO);

	(void)unused;
	check_stdin(0, XF_FOUND_DESCRIPTION);
	check_stdin(100, XF_FOUND_WALK);

	close(STDIN_FILENO);
	struct xf_error *err = xf_state_open("-", NULL, &state);
	dup2(old, STDIN_FILENO);
	close(old);
	assert_refused(err, XF_ERR_IO, "Bad file descriptor");
}

/* ---- Files that change ---- */

struct meddler {
	struct path path, other;
	enum { APPEND, OVERWRITE, REPLACE, REMOVE, TRUNCATE } how;
	bool done;
};

static void meddle(void *data, uint64_t done, uint64_t total)
{
	struct meddler *meddler = data;

	(void)done;
	(void)total;
	if (meddler->done)
		return;
	meddler->done = true;
	if (meddler->how == REPLACE) {
		assert_int_equal(rename(meddler->other.text, meddler->path.text), 0);
		return;
	}
	if (meddler->how == REMOVE) {
		assert_int_equal(unlink(meddler->path.text), 0);
		return;
	}

	int fd = open(meddler->path.text, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	if (meddler->how == TRUNCATE)
		assert_int_equal(ftruncate(fd, 5 << 20), 0);
	else
		assert_int_equal(pwrite(fd, "x", 1, meddler->how == APPEND ? 13 << 20 : 100000), 1);
	close(fd);
}

static void test_changing_file(void **unused)
{
	static const char *const said[] = {
		[APPEND] = "changed while it was read",
		[OVERWRITE] = "changed while it was read",
		[REPLACE] = "was replaced while it was read",
		[REMOVE] = "was removed while it was read",
		[TRUNCATE] = "ends here",
	};
	struct synth synth = { .machine = "pc" };

	(void)unused;
	synth_begin(&synth, NULL);
	synth_ram(&synth, 3000, 0);
	synth_cpu(&synth, &(struct synth_cpu){ 0 });
	synth_eof(&synth);
	for (unsigned int i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		struct meddler meddler = { .path = in_dir("state"),
					   .other = in_dir("other"),
					   .how = i };
		struct xf_progress progress = { meddle, &meddler };
		struct xf_state *state;

		write_file(meddler.path.text, &synth.stream);
		write_file(meddler.other.text, &synth.stream);
		assert_refused(xf_state_open(meddler.path.text, &progress, &state),
			       i == TRUNCATE ? XF_ERR_DAMAGED : XF_ERR_REFUSED, said[i]);
		assert_true(meddler.done);
		unlink(meddler.path.text);
		unlink(meddler.other.text);
	}
	synth_free(&synth);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_character_device),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_fifo_without_writer),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_stdin),
		cmocka_unit_test(test_changing_file),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("state-input", tests, make_dir, remove_dir);
}
