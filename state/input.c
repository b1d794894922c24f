/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/scope.h"
#include "state/input.h"

/* How long the other end of a FIFO may take to be opened, in steps of 50 ms. */
#define WRITER_STEPS 40

/*
 * Whether a FIFO has data or a writer that may still send some. Only tee() can
 * tell without taking anything out: it gives 0 for "empty and no writer".
 */
static bool has_writer(int fd)
{
	int probe[2];

	if (pipe2(probe, O_CLOEXEC) < 0)
		return true; /* cannot ask: let the reading find out */

	ssize_t n = tee(fd, probe[1], 1, SPLICE_F_NONBLOCK);

	close(probe[0]);
	close(probe[1]);
	return n != 0;
}

static struct xf_error *await_writer(int fd, const char *path)
{
	for (unsigned int i = 0; !has_writer(fd); i++) {
		if (i == WRITER_STEPS)
			return xf_error_new(XF_ERR_IO, path, "is a FIFO that nobody writes to");
		usleep(50 * 1000);
	}
	return NULL;
}

/* A whole file on standard input may be read where needed; the rest of one is as a pipe. */
static bool is_at_start(int fd)
{
	return lseek(fd, 0, SEEK_CUR) == 0;
}

static struct xf_error *examine(struct xf_input *input, bool is_stdin)
{
	if (fstat(input->fd, &input->before) < 0)
		return xf_error_errno(input->path, "stat");

	switch (input->before.st_mode & S_IFMT) {
	case S_IFREG:
	case S_IFBLK: {
		input->seekable = !is_stdin || is_at_start(input->fd);
		if (!input->seekable)
			return NULL;

		/* Of a block device, fstat() does not know the size. */
		off_t end = lseek(input->fd, 0, SEEK_END);

		if (end < 0 || lseek(input->fd, 0, SEEK_SET) < 0)
			return xf_error_errno(input->path, "seek");
		input->size = (uint64_t)end;
		return NULL;
	}
	case S_IFIFO:
		return is_stdin ? NULL : await_writer(input->fd, input->path);
	case S_IFSOCK:
		return NULL;
	case S_IFDIR:
		return xf_error_new(XF_ERR_IO, input->path, "is a directory");
	default:
		return xf_error_new(XF_ERR_IO, input->path, "is a character device, not a file");
	}
}

static void scope_close_input(struct xf_input *input)
{
	xf_input_close(input);
}

struct xf_error *xf_input_open(const char *path, const struct xf_progress *progress,
			       struct xf_input *out)
{
	bool is_stdin = strcmp(path, "-") == 0;
	XF_AUTO(scope_close_input)
	struct xf_input input = {
		.fd = -1,
		.path = strdup(is_stdin ? "standard input" : path),
		.progress = progress,
	};

	if (!input.path)
		return xf_error_memory();
	if (is_stdin) {
		input.fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		if (input.fd < 0)
			return xf_error_errno(input.path, "open");
	} else {
		XF_TRY(xf_open_to_read(path, &input.fd));
	}
	XF_TRY(examine(&input, is_stdin));
	*out = input;
	input = (struct xf_input){ .fd = -1 };
	return NULL;
}

struct xf_error *xf_input_read_head(struct xf_input *input)
{
	size_t done = 0;

	while (done < XF_INPUT_HEAD) {
		uint8_t *to = input->head + done;
		ssize_t n = input->seekable
				    ? pread(input->fd, to, XF_INPUT_HEAD - done, (off_t)done)
				    : read(input->fd, to, XF_INPUT_HEAD - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xf_error_errno(input->path, "read");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	input->head_size = done;
	return NULL;
}

void xf_input_close(struct xf_input *input)
{
	if (input->fd >= 0)
		close(input->fd);
	free(input->path);
	free(input->part);
	input->fd = -1;
	input->path = NULL;
	input->part = NULL;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

struct xf_error *xf_input_unchanged(const struct xf_input *input)
{
	struct stat now;

	if (!input->seekable)
		return NULL;
	if (fstat(input->fd, &now) < 0)
		return xf_error_errno(input->path, "stat");
	/* A block device's times are those of its node: they say nothing of its content. */
	if (S_ISREG(now.st_mode) && !same_content(&now, &input->before))
		return xf_error_new(XF_ERR_REFUSED, input->path, "changed while it was read");

	bool removed = now.st_nlink == 0 && input->before.st_nlink != 0;

	/* "standard input" and the like name no file: then there is nothing to compare. */
	if (stat(input->path, &now) == 0 && !same_file(&now, &input->before))
		return xf_error_new(XF_ERR_REFUSED, input->path, "was replaced while it was read");
	if (removed)
		return xf_error_new(XF_ERR_REFUSED, input->path, "was removed while it was read");
	return NULL;
}

struct xf_error *xf_input_open_for_writing(const struct xf_input *input, int *out)
{
	/* Of a block device: not while it is mounted or otherwise taken. */
	int exclusive = S_ISBLK(input->before.st_mode) ? O_EXCL : 0;
	XF_AUTO_CLOSE int fd = open(input->path, O_RDWR | O_CLOEXEC | exclusive);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0)
		return xf_error_errno(input->path, "open for writing");
	if (!same_file(&now, &input->before))
		return xf_error_new(XF_ERR_REFUSED, input->path,
				    "is another file than the one that was judged");
	/* A lock of the open file, not of the process: closing another fd does not lose it. */
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES))
		return xf_error_new(XF_ERR_REFUSED, input->path, "is locked by another process");
	*out = fd;
	fd = -1;
	return NULL;
}
