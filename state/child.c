/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scope.h"
#include "state/child.h"

/* ---- Pipes ---- */

struct ends {
	int to_read, to_write;
};

static void ends_deinit(struct ends *ends)
{
	xf_scope_close(&ends->to_read);
	xf_scope_close(&ends->to_write);
}

/* Where the program's own stdin, stdout and stderr come, none of its pipes may be. */
static bool move_up(int *fd)
{
	if (*fd > STDERR_FILENO)
		return true;

	int up = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (up < 0)
		return false;
	close(*fd);
	*fd = up;
	return true;
}

static bool make_pipe(struct ends *out)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	*out = (struct ends){ fds[0], fds[1] };
	return move_up(&out->to_read) && move_up(&out->to_write);
}

static int hand_over(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static void close_end(int *fd)
{
	xf_scope_close(fd);
	*fd = -1;
}

/* ---- Beginning ---- */

/* As a program expects to begin, whatever ours has blocked or ignores. */
static int set_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, usual;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGXFSZ);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &usual);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int set_files(posix_spawn_file_actions_t *actions, int in, int out)
{
	int error = posix_spawn_file_actions_adddup2(actions, in, STDIN_FILENO);

	error = error ? error : posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);
	return error ? error
		     : posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null",
							O_WRONLY, 0);
}

static int spawn(const char *const *words, int in, int out, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (!error) {
		error = set_signals(&attributes);
		error = error ? error : set_files(&actions, in, out);
		if (!error)
			error = posix_spawnp(pid, words[0], &actions, &attributes,
					     (char *const *)words, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static struct xf_error *not_started(const char *name, int error, const char *file)
{
	if (error == ENOENT)
		return xf_error_new(XF_ERR_IO, file, "needs the program %s, which is not installed",
				    name);
	return xf_error_new(XF_ERR_IO, file, "needs the program %s, which cannot be started: %s",
			    name, strerror(error));
}

struct xf_error *xf_child_start(const char *const *words, const char *file, struct xf_child *out)
{
	XF_AUTO(ends_deinit) struct ends in = { -1, -1 };
	XF_AUTO(ends_deinit) struct ends from = { -1, -1 };
	pid_t pid;

	if (!make_pipe(&in) || !make_pipe(&from) || fcntl(in.to_write, F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(from.to_read, F_SETFL, O_NONBLOCK) < 0)
		return not_started(words[0], errno, file);

	int error = spawn(words, in.to_read, from.to_write, &pid);

	if (error)
		return not_started(words[0], error, file);
	*out = (struct xf_child){
		.pid = pid,
		.in = hand_over(&in.to_write),
		.out = hand_over(&from.to_read),
	};
	return NULL;
}

/* ---- Bytes ---- */

static bool is_later(int error)
{
	return error == EAGAIN || error == EINTR;
}

/* That it reads no more is no error here: how it ends tells why. */
static struct xf_error *give(struct xf_child *child, const uint8_t **in, size_t *size)
{
	ssize_t n = write(child->in, *in, *size);

	if (n >= 0) {
		*in += n;
		*size -= (size_t)n;
	} else if (errno == EPIPE) {
		close_end(&child->in);
	} else if (!is_later(errno)) {
		return xf_error_errno("a pipe to a program", "write");
	}
	return NULL;
}

static struct xf_error *take(struct xf_child *child, void *out, size_t room, size_t *got)
{
	ssize_t n = read(child->out, out, room);

	if (n > 0)
		*got = (size_t)n;
	else if (n == 0)
		close_end(&child->out);
	else if (!is_later(errno))
		return xf_error_errno("a pipe from a program", "read");
	return NULL;
}

struct xf_error *xf_child_move(struct xf_child *child, const uint8_t **in, size_t *size, void *out,
			       size_t room, size_t *got)
{
	struct pollfd ends[] = {
		{ .fd = child->out, .events = POLLIN },
		{ .fd = *size ? child->in : -1, .events = POLLOUT },
	};

	*got = 0;
	if (ends[0].fd < 0 && ends[1].fd < 0)
		return NULL;
	if (poll(ends, 2, -1) < 0)
		return errno == EINTR ? NULL : xf_error_errno("a pipe of a program", "poll");
	if (ends[1].revents)
		XF_TRY(give(child, in, size));
	return ends[0].revents ? take(child, out, room, got) : NULL;
}

/* ---- End ---- */

void xf_child_end_input(struct xf_child *child)
{
	close_end(&child->in);
}

int xf_child_wait(struct xf_child *child)
{
	int status = -1;
	pid_t pid;

	do
		pid = waitpid(child->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	child->pid = 0;
	return pid < 0 ? -1 : status;
}

void xf_child_stop(struct xf_child *child)
{
	close_end(&child->in);
	close_end(&child->out);
	if (!child->pid)
		return;
	/* Only one that is ours still: another may have its number if somebody waited for it. */
	if (waitpid(child->pid, NULL, WNOHANG) == 0) {
		kill(child->pid, SIGKILL);
		xf_child_wait(child);
	}
	child->pid = 0;
}
