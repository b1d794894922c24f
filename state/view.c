/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "state/view.h"

#define VOLUME_UNIT 4096

static ssize_t read_some(const struct xf_input *input, uint64_t at, void *buffer, size_t size)
{
	ssize_t n;

	do
		n = input->seekable ? pread(input->fd, buffer, size, (off_t)at)
				    : read(input->fd, buffer, size);
	while (n < 0 && errno == EINTR);
	return n;
}

/* The head has been read already: of a pipe, nothing else has it. */
static struct xf_error *read_input(struct xf_view *view, uint64_t at, void *buffer, size_t size,
				   size_t *got)
{
	const struct xf_input *input = view->source;

	if (at < input->head_size) {
		*got = input->head_size - (size_t)at < size ? input->head_size - (size_t)at : size;
		memcpy(buffer, input->head + at, *got);
		return NULL;
	}

	ssize_t n = read_some(input, at, buffer, size);

	if (n < 0)
		return xf_error_errno(view->name, "read");
	*got = (size_t)n;
	return NULL;
}

static bool is_volume(const struct xf_input *input)
{
	return !S_ISREG(input->before.st_mode) || input->size % VOLUME_UNIT == 0;
}

struct xf_view xf_view_of_input(struct xf_input *input, uint64_t start)
{
	return (struct xf_view){
		.name = input->path,
		.seekable = input->seekable,
		.whole = !is_volume(input),
		.start = start,
		.end = input->size,
		.progress = input->progress,
		.read = read_input,
		.source = input,
	};
}

struct xf_error *xf_view_read(struct xf_view *view, uint64_t at, void *buffer, size_t size)
{
	uint8_t *bytes = buffer;
	size_t done = 0, got = 0;

	while (done < size) {
		XF_TRY(view->read(view, at + done, bytes + done, size - done, &got));
		if (got == 0)
			return xf_error_at(XF_ERR_DAMAGED, view->name, at + done,
					   "the file ends here; %zu more bytes were expected",
					   size - done);
		done += got;
	}
	return NULL;
}
