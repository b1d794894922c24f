/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "base/io.h"
#include "base/scope.h"
#include "state/copy.h"

/* How much is copied between two looks at the progress. */
#define STEP ((size_t)64 << 20)
#define BUFFER ((size_t)1 << 20)

struct copy {
	const struct xf_input *from;
	int to;
	const char *to_path;
	const struct xf_progress *progress;
	bool by_hand; /* copy_file_range is not to be had between these files */
};

static void tell(const struct copy *copy, uint64_t done)
{
	if (copy->progress)
		copy->progress->step(copy->progress->data, done, copy->from->size);
}

static struct xf_error *copy_by_hand(const struct copy *copy, uint64_t offset, uint64_t end)
{
	XF_AUTO_FREE uint8_t *buffer = malloc(BUFFER);

	if (!buffer)
		return xf_error_memory();
	while (offset < end) {
		size_t n = end - offset < BUFFER ? (size_t)(end - offset) : BUFFER;

		XF_TRY(xf_read_at(copy->from->fd, copy->from->path, offset, buffer, n));
		XF_TRY(xf_write_at(copy->to, copy->to_path, offset, buffer, n));
		offset += n;
	}
	return NULL;
}

/* One stretch of data, at most STEP long. */
static struct xf_error *copy_step(struct copy *copy, uint64_t offset, uint64_t end)
{
	while (!copy->by_hand && offset < end) {
		loff_t in = (loff_t)offset, out = (loff_t)offset;
		ssize_t n = copy_file_range(copy->from->fd, &in, copy->to, &out, end - offset, 0);

		if (n > 0)
			offset += (uint64_t)n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
			return xf_error_errno(copy->to_path, "copy");
		else
			copy->by_hand = true;
	}
	return copy_by_hand(copy, offset, end);
}

/* The next stretch of data at or after `offset`; a file system without holes is all data. */
static bool next_data(const struct copy *copy, uint64_t offset, uint64_t *start, uint64_t *end)
{
	off_t data = lseek(copy->from->fd, (off_t)offset, SEEK_DATA);

	if (data < 0 && errno == ENXIO)
		return false;
	off_t hole = data < 0 ? -1 : lseek(copy->from->fd, data, SEEK_HOLE);

	*start = data < 0 ? offset : (uint64_t)data;
	*end = hole < 0 ? copy->from->size : (uint64_t)hole;
	return *start < copy->from->size;
}

static struct xf_error *copy_data(struct copy *copy)
{
	uint64_t start = 0, end = 0;

	while (end < copy->from->size && next_data(copy, end, &start, &end)) {
		while (start < end) {
			uint64_t stop = end - start < STEP ? end : start + STEP;

			XF_TRY(copy_step(copy, start, stop));
			start = stop;
			tell(copy, start);
		}
	}
	return NULL;
}

struct xf_error *xf_copy_all(const struct xf_input *from, int fd, const char *path,
			     const struct xf_progress *progress)
{
	struct copy copy = { .from = from, .to = fd, .to_path = path, .progress = progress };

	if (ioctl(fd, FICLONE, from->fd) == 0)
		return NULL;
	if (ftruncate(fd, (off_t)from->size) < 0)
		return xf_error_errno(path, "set the size");
	XF_TRY(copy_data(&copy));
	tell(&copy, from->size);
	return NULL;
}
