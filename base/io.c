/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>

#include "base/io.h"
#include "base/scope.h"

struct xf_error *xf_read_at(int fd, const char *path, uint64_t offset, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)buffer + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xf_error_errno(path, "read");
		if (n == 0)
			return xf_error_at(XF_ERR_DAMAGED, path, offset + done,
					   "the file ends here, %zu more bytes were expected",
					   size - done);
		done += (size_t)n;
	}
	return NULL;
}

struct xf_error *xf_write_at(int fd, const char *path, uint64_t offset, const void *buffer,
			     size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(fd, (const char *)buffer + done, size - done,
				   (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xf_error_errno(path, "write");
		done += (size_t)n;
	}
	return NULL;
}

/* Makes room for more; a file that may be large is rarely so. */
static bool grow(char **buffer, size_t *room, size_t max)
{
	size_t more = *room ? 2 * *room : 16384;

	if (more > max + 2)
		more = max + 2;

	char *bigger = realloc(*buffer, more);

	if (!bigger)
		return false;
	*buffer = bigger;
	*room = more;
	return true;
}

struct xf_error *xf_read_open_text(int fd, const char *path, size_t max, char **out, size_t *size)
{
	XF_AUTO_FREE char *buffer = NULL;
	size_t room = 0, done = 0;

	for (;;) {
		if (done + 1 >= room && !grow(&buffer, &room, max))
			return xf_error_memory();

		ssize_t n = read(fd, buffer + done, room - 1 - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xf_error_errno(path, "read");
		if (n == 0)
			break;
		done += (size_t)n;
		if (done > max)
			return xf_error_new(XF_ERR_DAMAGED, path,
					    "larger than the %zu bytes expected of such a file",
					    max);
	}
	buffer[done] = '\0';
	*out = xf_take(buffer);
	*size = done;
	return NULL;
}

struct xf_error *xf_open_to_read(const char *path, int *out)
{
	/* Not blocking, or a FIFO without a writer would hold us up in open(). */
	XF_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return xf_error_errno(path, "open");

	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return xf_error_errno(path, "open");
	*out = fd;
	fd = -1;
	return NULL;
}

struct xf_error *xf_read_text(const char *path, size_t max, char **out, size_t *size)
{
	XF_AUTO_CLOSE int fd = -1;

	XF_TRY(xf_open_to_read(path, &fd));
	return xf_read_open_text(fd, path, max, out, size);
}
