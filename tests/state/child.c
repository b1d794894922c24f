/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state/child: programs that are given bytes and give others. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/child.h"
#include "state/packing.h"

/* What hangs must fail. */
#define LONGEST 60

static struct xf_child start(const char *const *words)
{
	struct xf_child child = XF_CHILD_NONE;
	struct xf_error *err = xf_child_start(words, "a file", &child);

	if (err)
		fail_msg("%s", err->text);
	return child;
}

static struct xf_child start_shell(const char *script)
{
	return start((const char *const[]){ "sh", "-c", script, NULL });
}

/* Gives all of `in`, and takes what comes until it ends. The length of that. */
static size_t run(struct xf_child *child, const char *in, size_t size, char *out, size_t room)
{
	const uint8_t *from = (const uint8_t *)in;
	struct xf_no_sigpipe no_sigpipe;
	size_t filled = 0;

	xf_no_sigpipe_begin(&no_sigpipe);
	while (child->out >= 0) {
		size_t got = 0;

		if (!size)
			xf_child_end_input(child);
		assert_null(xf_child_move(child, &from, &size, out + filled, room - filled, &got));
		filled += got;
		assert_true(filled < room);
	}
	xf_no_sigpipe_end(&no_sigpipe);
	return filled;
}

static void assert_none_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* More than a pipe holds, both ways. */
static void passes_all(void **state)
{
	const size_t size = 3 << 20;
	char *in = malloc(size), *out = malloc(size + 1);
	struct xf_child child = start((const char *const[]){ "cat", NULL });

	(void)state;
	assert_non_null(in);
	assert_non_null(out);
	for (size_t i = 0; i < size; i++)
		in[i] = (char)(i * 2654435761U >> 13);
	assert_int_equal(run(&child, in, size, out, size + 1), size);
	assert_memory_equal(in, out, size);
	assert_int_equal(xf_child_wait(&child), 0);
	xf_child_stop(&child);
	assert_none_left();
	free(in);
	free(out);
}

/* Each ends when its own input does, though the other runs: none has the other's pipe. */
static void two_at_a_time(void **state)
{
	struct xf_child first = start((const char *const[]){ "cat", NULL });
	struct xf_child second = start((const char *const[]){ "cat", NULL });
	char out[16];

	(void)state;
	assert_int_equal(run(&first, "first", 5, out, sizeof(out)), 5);
	assert_memory_equal(out, "first", 5);
	assert_int_equal(xf_child_wait(&first), 0);
	assert_int_equal(run(&second, "second", 6, out, sizeof(out)), 6);
	assert_int_equal(xf_child_wait(&second), 0);
	assert_none_left();
}

/* The numbers 0 to 2 are free, and what is started has its pipes there and only there. */
static void without_standard_files(void **state)
{
	int kept[3];
	char out[64];

	(void)state;
	for (int fd = 0; fd < 3; fd++) {
		kept[fd] = fcntl(fd, F_DUPFD, 10);
		close(fd);
	}

	struct xf_child child = XF_CHILD_NONE;
	struct xf_error *err = xf_child_start((const char *const[]){ "cat", NULL }, "f", &child);
	bool above = child.in > 2 && child.out > 2;

	for (int fd = 0; fd < 3; fd++) {
		dup2(kept[fd], fd);
		close(kept[fd]);
	}
	assert_null(err);
	assert_true(above);
	assert_int_equal(run(&child, "cat", 3, out, sizeof(out)), 3);
	assert_int_equal(xf_child_wait(&child), 0);
}

static void is_missing(void **state)
{
	struct xf_child child = XF_CHILD_NONE;
	struct xf_error *err =
		xf_child_start((const char *const[]){ "no-such-program", NULL }, "a file", &child);

	(void)state;
	assert_non_null(err);
	assert_int_equal(err->code, XF_ERR_IO);
	assert_string_equal(err->text, "a file: needs the program no-such-program, which is not "
				       "installed");
	assert_int_equal(child.in, -1);
	assert_int_equal(child.pid, 0);
	xf_error_free(err);
	assert_none_left();
}

static void tells_its_status(void **state)
{
	struct xf_child child = start_shell("cat >/dev/null; exit 3");
	char out[16];
	int status;

	(void)state;
	assert_int_equal(run(&child, "x", 1, out, sizeof(out)), 0);
	status = xf_child_wait(&child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);

	child = start_shell("kill -KILL $$");
	assert_int_equal(run(&child, "x", 1, out, sizeof(out)), 0);
	status = xf_child_wait(&child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_none_left();
}

/* One that stops reading: no SIGPIPE for us, and its output and status still come. */
static void reads_not_all(void **state)
{
	static char much[1 << 20];
	struct xf_child child = start_shell("exec <&-; echo enough");
	char out[16];

	(void)state;
	assert_int_equal(run(&child, much, sizeof(much), out, sizeof(out)), 7);
	assert_int_equal(child.in, -1);
	assert_int_equal(xf_child_wait(&child), 0);
}

/* What we ignore or have blocked is not passed on. */
static void signals_as_usual(void **state)
{
	struct xf_child child;
	struct xf_no_sigpipe no_sigpipe;
	char out[256] = "";

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	xf_no_sigpipe_begin(&no_sigpipe);
	child = start_shell("awk '/^Sig(Blk|Ign)/ { print $2 }' /proc/self/status");
	xf_no_sigpipe_end(&no_sigpipe);
	signal(SIGPIPE, SIG_DFL);
	run(&child, "", 0, out, sizeof(out));

	char *end;
	uint64_t blocked = strtoull(out, &end, 16);
	uint64_t ignored = strtoull(end, &end, 16);

	assert_string_equal(end, "\n");
	assert_int_equal(blocked, 0);
	/* Others stay as the test has been started with them. */
	assert_int_equal(ignored & 1ULL << (SIGPIPE - 1), 0);
	assert_int_equal(xf_child_wait(&child), 0);
}

/* In the middle of its work, or ended and not waited for. */
static void is_stopped(void **state)
{
	struct xf_child child = start_shell("exec sleep 1000");

	(void)state;
	xf_child_stop(&child);
	assert_int_equal(child.pid, 0);
	assert_none_left();

	char out[16];

	child = start_shell("exit 0");
	run(&child, "", 0, out, sizeof(out));
	xf_child_stop(&child);
	assert_none_left();
	child = XF_CHILD_NONE;
	xf_child_stop(&child);
}

/* Somebody else, as a program that ignores SIGCHLD, has its status. */
static void status_is_gone(void **state)
{
	char out[16];

	(void)state;
	signal(SIGCHLD, SIG_IGN);

	struct xf_child child = start_shell("exit 0");

	run(&child, "", 0, out, sizeof(out));

	int status = xf_child_wait(&child);
	struct xf_error *err = xf_packing_ended(&xf_packing_lzop, status, "f", 0, "packed");

	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(status, -1);
	assert_non_null(err);
	assert_int_equal(err->code, XF_ERR_IO);
	assert_non_null(strstr(err->text, "somebody else has waited for it"));
	xf_error_free(err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_all),
		cmocka_unit_test(two_at_a_time),
		cmocka_unit_test(without_standard_files),
		cmocka_unit_test(is_missing),
		cmocka_unit_test(tells_its_status),
		cmocka_unit_test(reads_not_all),
		cmocka_unit_test(signals_as_usual),
		cmocka_unit_test(is_stopped),
		cmocka_unit_test(status_is_gone),
	};

	alarm(LONGEST);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
