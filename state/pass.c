/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/scope.h"
#include "state/pass.h"

/* What is looked at in one go: so small that it is in the cache when it is read. */
#define LOOK ((size_t)256 << 10)
/* What passes unseen in one go. */
#define BLIND ((size_t)1 << 20)
/*
 * What the pipes shall hold, so that neither side waits for the other too often. More is no
 * faster, and what is in them when a guest is stopped has yet to be sent.
 */
#define PIPE_SIZE (256 << 10)

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* More than the usual 64 KiB, if the system lets us. */
static void enlarge(int fd)
{
	int size = fcntl(fd, F_GETPIPE_SZ);

	if (size > 0 && size < PIPE_SIZE)
		fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
}

struct xf_error *xf_pass_open(int in, int out, struct xf_pass *pass)
{
	uint8_t *buffer = malloc(LOOK);

	if (!buffer)
		return xf_error_memory();
	*pass = (struct xf_pass){
		.in = in,
		.out = out,
		.in_name = "standard input",
		.out_name = "standard output",
		.copy = { -1, -1 },
		.buffer = buffer,
	};
	enlarge(in);
	enlarge(out);
	/* Without a copy of its own it goes by hand. */
	if (is_pipe(in) && pipe2(pass->copy, O_CLOEXEC) == 0)
		enlarge(pass->copy[0]);
	return NULL;
}

void xf_pass_close(struct xf_pass *pass)
{
	free(pass->buffer);
	for (unsigned int i = 0; i < 2; i++)
		if (pass->copy[i] >= 0)
			close(pass->copy[i]);
}

/*
 * After a call that moves bytes has failed: whether to call it again. Whoever
 * gave us the files may have made them non-blocking; then we wait here.
 */
static bool again(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	if (errno == EINTR)
		return true;
	return errno == EAGAIN && (poll(&pollfd, 1, -1) >= 0 || errno == EINTR);
}

static struct xf_error *read_some(struct xf_pass *pass, size_t max, size_t *size)
{
	ssize_t n;

	do
		n = read(pass->in, pass->buffer, max);
	while (n < 0 && again(pass->in, POLLIN));
	if (n < 0)
		return xf_error_errno(pass->in_name, "read");
	pass->taken += (size_t)n;
	*size = (size_t)n;
	return NULL;
}

struct xf_error *xf_pass_write(struct xf_pass *pass, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = write(pass->out, data, size);

		if (n < 0 && again(pass->out, POLLOUT))
			continue;
		if (n < 0)
			return xf_error_errno(pass->out_name, "write");
		pass->passed += (size_t)n;
		data += n;
		size -= (size_t)n;
	}
	return NULL;
}

/* ---- By way of a copy ---- */

static bool copies(const struct xf_pass *pass)
{
	return pass->copy[0] >= 0;
}

/* Whether a call cannot be made of such files, on such a system or in a sandbox, at all. */
static bool cannot(int error)
{
	return error == EINVAL || error == ENOSYS || error == EPERM;
}

/* From now on by hand. The copy is empty, or not needed any more. */
static void stop_copying(struct xf_pass *pass)
{
	for (unsigned int i = 0; i < 2; i++) {
		close(pass->copy[i]);
		pass->copy[i] = -1;
	}
}

/* Reads `size` bytes of the copy, which has them and whose other end is open. */
static struct xf_error *read_copy(struct xf_pass *pass, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(pass->copy[0], pass->buffer + done, size - done);

		if (n < 0 && !again(pass->copy[0], POLLIN))
			return xf_error_errno(pass->in_name, "read");
		done += n > 0 ? (size_t)n : 0;
	}
	return NULL;
}

static struct xf_error *look_at_copy(struct xf_pass *pass, size_t *size)
{
	ssize_t n;

	do
		n = tee(pass->in, pass->copy[1], LOOK, 0);
	while (n < 0 && again(pass->in, POLLIN));
	if (n < 0 && cannot(errno)) {
		stop_copying(pass);
		return read_some(pass, LOOK, size);
	}
	if (n < 0)
		return xf_error_errno(pass->in_name, "read");
	*size = (size_t)n;
	return read_copy(pass, (size_t)n);
}

/* Moves what it can. 0: the input is at its end, or `out` takes no pages. */
static struct xf_error *splice_some(struct xf_pass *pass, size_t size, size_t *done)
{
	ssize_t n;

	do
		n = splice(pass->in, NULL, pass->out, NULL, size, 0);
	while (n < 0 && again(pass->in, POLLIN) && again(pass->out, POLLOUT));
	/*
	 * EPIPE comes even when there is nothing left to be sent, and then it is no matter
	 * that the reader has gone: reading tells.
	 */
	if (n < 0 && !cannot(errno) && errno != EPIPE)
		return xf_error_errno(pass->out_name, "write");
	*done = n < 0 ? 0 : (size_t)n;
	pass->taken += *done;
	pass->passed += *done;
	return NULL;
}

/* ---- Both ---- */

struct xf_error *xf_pass_look(struct xf_pass *pass, const uint8_t **data, size_t *size)
{
	if (pass->by_hand && copies(pass))
		stop_copying(pass);
	pass->first = pass->end = 0;
	XF_TRY(copies(pass) ? look_at_copy(pass, &pass->end) : read_some(pass, LOOK, &pass->end));
	*data = pass->buffer;
	*size = pass->end;
	return NULL;
}

/* Moves bytes without a look at them. `*done` is 0 at the end of the input. */
static struct xf_error *move(struct xf_pass *pass, size_t size, size_t *done)
{
	if (!pass->by_hand) {
		XF_TRY(splice_some(pass, size, done));
		if (*done)
			return NULL;
		pass->by_hand = true; /* or the end, which reading tells */
	}
	XF_TRY(read_some(pass, size < LOOK ? size : LOOK, done));
	return xf_pass_write(pass, pass->buffer, *done);
}

struct xf_error *xf_pass_let(struct xf_pass *pass, size_t size)
{
	const uint8_t *data = pass->buffer + pass->first;

	pass->first += size;
	if (!copies(pass))
		return xf_pass_write(pass, data, size);
	/* The buffer has a copy only: it may be written over from here on, bytes behind
	   `size` will be taken out of the pipe itself. */
	while (size) {
		size_t done;

		XF_TRY(move(pass, size, &done));
		if (!done)
			return xf_error_new(XF_ERR_IO, pass->in_name,
					    "somebody else reads from it, too");
		size -= done;
	}
	return NULL;
}

struct xf_error *xf_pass_take(struct xf_pass *pass, size_t max, const uint8_t **data, size_t *size)
{
	if (!copies(pass) && pass->first < pass->end) {
		*data = pass->buffer + pass->first;
		*size = pass->end - pass->first < max ? pass->end - pass->first : max;
		pass->first += *size;
		return NULL;
	}
	*data = pass->buffer;
	return read_some(pass, max < LOOK ? max : LOOK, size);
}

struct xf_error *xf_pass_blindly(struct xf_pass *pass, size_t *size)
{
	const uint8_t *data;

	if (copies(pass) || pass->first == pass->end)
		return move(pass, BLIND, size);
	XF_TRY(xf_pass_take(pass, SIZE_MAX, &data, size));
	return xf_pass_write(pass, data, *size);
}
